// The facts, and blocks of numbers by their names, unpacked when they are first asked for.

const facts = JSON.parse(document.getElementById("facts").textContent);
const made = new Map();

function once(key, make) {
  if (!made.has(key)) made.set(key, make());
  return made.get(key);
}

// The content of the block of this name, decoded by the block's kind.
const block = (name) => once("block " + name, () => {
  const element = document.getElementById("block-" + name);
  return decoded(element.dataset, element.textContent);
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
