// The facts, and blocks of numbers that are unpacked when they are first asked for (packed by report/pack.py).

const facts = JSON.parse(document.getElementById("facts").textContent);
const blocks = new Map();

function once(key, make) {
  if (!blocks.has(key)) blocks.set(key, make());
  return blocks.get(key);
}

async function inflate(id) {
  const text = document.getElementById("b" + id).textContent;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const unzigzag = (z) => (z >>> 1) ^ -(z & 1);

// n integers as Float64Array.
const ints = (id, n) => once("i" + id, async () => {
  const u = await inflate(id), out = new Float64Array(n);
  for (let i = 0, sum = 0; i < n; i++) {
    const z = u[i] + u[n + i] * 0x100 + u[2 * n + i] * 0x10000 + u[3 * n + i] * 0x1000000;
    out[i] = sum += z % 2 ? -(z + 1) / 2 : z / 2;
  }
  return out;
});

// A function that gives column i of a block as Float32Array (n), NaN where not known.
const columns = (id, n, count) => once("c" + id, async () => {
  const u = await inflate(id), head = new Float32Array(u.buffer, 0, 2 * count), low = 8 * count;
  const high = low + n * count, known = high + n * count, ready = new Map();
  return (c) => {
    if (ready.has(c)) return ready.get(c);
    const out = new Float32Array(n), base = head[c], step = head[count + c];
    for (let i = 0, level = 0; i < n; i++) {
      const at = c * n + i;
      level = (level + unzigzag(u[low + at] | (u[high + at] << 8))) & 0xffff;
      out[i] = u[known + (at >> 3)] & (0x80 >> (at & 7)) ? base + step * level : NaN;
    }
    ready.set(c, out);
    return out;
  };
});

// Index of the last value ≤ x in a rising array; -1 before the first.
function atOrBefore(array, x) {
  let low = 0, high = array.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (array[mid] <= x) low = mid + 1; else high = mid;
  }
  return low - 1;
}

const people = new Map(facts.people.map((p) => [p.id, p]));
for (const p of facts.people) {
  p.label = p.name || "Person " + p.id;
  p.firsts = p.spans.filter((_, i) => i % 3 === 0);
}

// Whether somebody is there in a frame: 0 no, 1 bridged, 2 measured.
function presence(person, frame) {
  const i = atOrBefore(person.firsts, frame);
  return i < 0 || frame >= person.spans[3 * i] + person.spans[3 * i + 1] ? 0 : 1 + person.spans[3 * i + 2];
}
