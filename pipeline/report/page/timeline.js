// Who is there when: a row for each person, with gaps and suspicious moments; a click seeks.

const ROWS = new Map(); // id → {row, canvas, marks}

const ORDERS = {
  first: (a, b) => a.spans[0] - b.spans[0],
  long: (a, b) => (b.figures.frames_measured || 0) - (a.figures.frames_measured || 0),
  name: (a, b) => a.label.localeCompare(b.label, undefined, { numeric: true }),
  doubt: (a, b) => b.suspicious.length - a.suspicious.length || b.warnings.length - a.warnings.length,
  share: (a, b) => (a.figures.coverage ?? 1) - (b.figures.coverage ?? 1),
};

function personRow(person) {
  const f = person.figures, box = el("input", { type: "checkbox", onchange: () => choose(person.id) });
  const canvas = el("canvas", { "aria-hidden": "true" });
  const digits = lastTime() - firstTime() < 20 ? 1 : 0;
  const told = `${clockText(person.seen_s[0], digits)}–${clockText(person.seen_s[1], digits)} · ${Math.round(100 * (f.coverage ?? 1))} %`;
  const gaps = f.gaps ? `${f.gaps} gaps, the longest ${f.longest_gap_s} s` : "no gaps";
  const who = el("div", { className: "who" },
    el("label", {}, box, el("i", { className: "dot", style: `background:${person.colour}` }),
      el("b", { title: person.label + (person.name ? `, person ${person.id}` : "") }, person.label)),
    el("small", { title: gaps }, told));
  const when = el("div", { className: "when" }, canvas);
  const marks = person.suspicious.filter(([t]) => t !== null).map(([t, why]) => {
    const mark = el("button", { type: "button", className: "doubt", title: `${clockText(t)}: ${why}`,
      "aria-label": `${person.label}, ${clockText(t)}: ${why}`, onclick: () => { seek(t); choose(person.id, true); } }, "!");
    when.append(mark);
    return [t, mark];
  });
  scrubbing(when, canvas);
  const row = el("li", { className: "person" }, who, when);
  row.dataset.id = person.id;
  ROWS.set(person.id, { row, box, canvas, marks });
}

// Clicks and drags on an element move the time.
function scrubbing(node, canvas) {
  const move = (event) => {
    const r = canvas.getBoundingClientRect();
    seek(view.from + ((event.clientX - r.left) / r.width) * (view.to - view.from));
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("button")) return;
    node.setPointerCapture(event.pointerId);
    move(event);
  });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && move(event));
}

function arrange() {
  const text = $("people-find").value.trim().toLowerCase();
  const shown = [...people.values()].filter((p) =>
    (!text || p.label.toLowerCase().includes(text) || String(p.id) === text) &&
    (!$("people-doubt").checked || p.suspicious.length) && (!$("people-here").checked || presence(p, now.frame)));
  shown.sort((a, b) => ORDERS[$("people-sort").value](a, b) || a.id - b.id);
  const before = [...$("people").children].map((row) => row.dataset.id ?? "nobody").join();
  $("people-count").textContent = shown.length === people.size ? `${people.size} ${people.size === 1 ? "person" : "people"}` : `${shown.length} of ${people.size} people`;
  if (before !== (shown.map((p) => String(p.id)).join() || "nobody")) {
    $("people").replaceChildren(...shown.map((p) => ROWS.get(p.id).row));
    if (!shown.length) $("people").append(el("li", { className: "nobody" }, people.size ? "Nobody fits." : "Nobody was found in this video."));
  }
  drawTimeline();
}

function drawTimeline() {
  const lanes = $("lanes"), width = barWidth(), seen = colour("seen"), line = colour("line");
  for (const { row, canvas, marks } of ROWS.values()) {
    if (!row.isConnected || row.offsetTop + row.offsetHeight < lanes.scrollTop || row.offsetTop > lanes.scrollTop + lanes.clientHeight) continue;
    drawBar(canvas, people.get(Number(row.dataset.id)), seen, line);
    for (const [t, mark] of marks) {
      mark.hidden = t < view.from || t > view.to;
      mark.style.left = `${((t - view.from) / (view.to - view.from)) * 100}%`;
    }
  }
  const x0 = barLeft();
  $("lanes-axis").replaceChildren(...timeTicks(view.from, view.to, width).map(([t, text]) =>
    el("span", { style: `left:${x0 + ((t - view.from) / (view.to - view.from)) * width}px` }, text)));
  $("lanes-axis").append(...cuts().map(([t, shot]) => el("i", { className: "cut", title: `Shot ${shot.shot}: ${shot.begins}, camera ${shot.camera}`,
    style: `left:${x0 + ((t - view.from) / (view.to - view.from)) * width}px` })));
  moveHead();
}

// Where shots begin in the part of the time that is shown; the first begins the video.
const cuts = () => facts.shots.slice(1).map((shot) => [times[shot.first_frame], shot]).filter(([t]) => t >= view.from && t <= view.to);

function drawBar(canvas, person, seen, line) {
  const [g, w, h] = fresh(canvas), scale = w / (view.to - view.from);
  g.fillStyle = line;
  g.fillRect(0, h / 2 - 0.5, w, 1);
  for (let i = 0; i < person.spans.length; i += 3) {
    const [first, count, measured] = person.spans.slice(i, i + 3);
    const last = Math.min(first + count, times.length - 1);
    const a = (times[first] - view.from) * scale, b = (times[last] - view.from) * scale;
    if (b < 0 || a > w) continue;
    g.globalAlpha = measured ? 1 : 0.4;
    g.fillStyle = seen;
    g.fillRect(a, h / 2 - 5, Math.max(b - a, 1), 10);
  }
  g.globalAlpha = 1;
  g.fillStyle = colour("ink");
  for (const [t] of cuts()) g.fillRect((t - view.from) * scale - 0.5, 0, 1, h);
}

const barLeft = () => ($("people").querySelector(".when") || $("lanes-axis")).offsetLeft;
const barWidth = () => ($("people").querySelector(".when") || $("lanes-axis")).clientWidth;

function moveHead() {
  const head = $("lanes").querySelector(".playhead"), x = (timeNow() - view.from) / (view.to - view.from);
  head.hidden = x < 0 || x > 1;
  head.style.height = `${$("people").offsetHeight + $("lanes-axis").offsetHeight}px`;
  head.style.transform = `translateX(${barLeft() + x * barWidth()}px)`;
}

function markChosen() {
  for (const [id, { row, box }] of ROWS) {
    row.classList.toggle("on", chosen.has(id));
    box.checked = chosen.has(id);
  }
}

function startTimeline() {
  for (const person of people.values()) personRow(person);
  const draw = lazily(drawTimeline), again = lazily(arrange);
  for (const id of ["people-sort", "people-doubt", "people-here"]) $(id).addEventListener("change", again);
  $("people-find").addEventListener("input", again);
  $("lanes").addEventListener("scroll", draw);
  $("people").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const row = event.target.closest(".person"), next = row && (event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling);
    if (next) { next.querySelector("input").focus(); event.preventDefault(); }
  });
  scrubbing($("lanes-axis"), { getBoundingClientRect: () => {
    const r = $("lanes").getBoundingClientRect();
    return { left: r.left + barLeft(), width: barWidth() };
  } });
  $("zoom-in").addEventListener("click", () => zoom(0.5));
  $("zoom-out").addEventListener("click", () => zoom(2));
  $("zoom-all").addEventListener("click", showAll);
  on("view", draw);
  on("theme", draw);
  on("size", draw);
  on("people", markChosen);
  on("frame", () => ($("people-here").checked ? again() : moveHead()));
  markChosen();
  arrange();
}
