// Blocks of numbers out of text (packed by report/pack.py). Nothing here needs a page: the tests run it alone.

async function inflate(text) {
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const unzigzag = (z) => (z >>> 1) ^ -(z & 1);

// The content of a block of bytes u, by the block's kind.
const decoders = {
  bytes: (u) => u,

  // n integers as Float64Array, stored as differences in byte planes: the lowest bytes of all differences come first.
  ints(u, n) {
    const out = new Float64Array(n), width = n ? u.length / n : 0;
    for (let i = 0, sum = 0; i < n; i++) {
      let z = 0;
      for (let b = width - 1; b >= 0; b--) z = z * 0x100 + u[b * n + i];
      out[i] = sum += z % 2 ? -(z + 1) / 2 : z / 2;
    }
    return out;
  },

  // A function that gives column c as Float32Array (n), NaN where not known.
  columns(u, n, count) {
    const head = new Float32Array(u.buffer, 0, 2 * count), low = 8 * count;
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
  },
};

const decoded = async ({ kind, rows, columns }, text) => decoders[kind](await inflate(text), Number(rows), Number(columns));
