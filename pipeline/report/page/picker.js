// The choice of the drawn quantities: grouped, searchable.

const quantities = new Map(); // column name → {name, label, unit, side, group, index}
for (const group of facts.groups)
  group.columns.forEach(([name, label, unit, side], index) => quantities.set(name, { name, label, unit, side, group, index }));
const picked = new Set();

const FIRST = facts.first; // knees, in the picture plane or in space; and the first existing one of the speeds below
const SPEEDS = ["ground_speed_m_s", "path_speed_m_s", "com_speed_m_s", "com_speed_px_s"];

function pickFirst() {
  for (const name of FIRST) if (quantities.has(name)) picked.add(name);
  const speed = SPEEDS.find((name) => quantities.has(name));
  if (speed) picked.add(speed);
  if (!picked.size && quantities.size) picked.add(quantities.keys().next().value);
}

function pick(name, yes = true) {
  if (yes) picked.add(name); else picked.delete(name);
  emit("picked");
}

function choiceOf(quantity) {
  const box = el("input", { type: "checkbox", checked: picked.has(quantity.name), onchange: () => pick(quantity.name, box.checked) });
  box.dataset.name = quantity.name;
  return el("label", { title: quantity.name }, box, quantity.label, el("small", {}, quantity.unit));
}

function listQuantities() {
  const words = $("quantity-find").value.trim().toLowerCase().split(/[\s_]+/).filter(Boolean);
  const fits = (q) => words.every((w) => q.label.toLowerCase().includes(w) || q.name.includes(w));
  const parts = facts.groups.map((group) => {
    const all = group.columns.map(([name]) => quantities.get(name)).filter(fits);
    if (!all.length) return null;
    const part = el("details", {}, el("summary", {}, group.label + " ", el("small", {}, String(all.length))));
    const fill = () => part.childElementCount === 1 && part.append(...all.map(choiceOf));
    part.addEventListener("toggle", () => part.open && fill()); // hundreds of quantities: made when opened
    if (words.length ? all.length <= 60 : all.some((q) => picked.has(q.name)) && group === facts.groups[0]) {
      fill();
      part.open = true;
    }
    return part;
  });
  $("quantities").replaceChildren(...parts.filter(Boolean));
  if (!$("quantities").childElementCount) $("quantities").append(el("p", { className: "nobody" }, "No quantity fits."));
}

function startPicker() {
  pickFirst();
  listQuantities();
  $("quantity-find").addEventListener("input", lazily(listQuantities));
  on("picked", () => $("quantities").querySelectorAll("input").forEach((box) => (box.checked = picked.has(box.dataset.name))));
}
