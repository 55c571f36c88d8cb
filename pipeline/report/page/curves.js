// Curves of the chosen people and quantities, one lane for each unit, drawn by plotly.js; a playhead over them.

const MOST_CURVES = 16, MARGIN = { l: 60, r: 14, t: 4, b: 26 };
const FAMILIES = { // colours by side of the body, so that left is blue and right orange here too
  "-1": [["#1f6fd1", "#5aa9ff"], ["#0b8a99", "#3fd0e0"], ["#5b4fc7", "#a79bff"], ["#2a4a7f", "#9dc3f5"]],
  1: [["#c65a00", "#ff9a3d"], ["#b3263c", "#ff7d8c"], ["#9a6a00", "#f0c04a"], ["#a0379a", "#f08ae6"]],
  0: [["#2c7a3f", "#6fd08a"], ["#7a3fb0", "#c79bff"], ["#4d5768", "#c0cad8"], ["#a0522d", "#e2a27f"], ["#00697a", "#57c7d8"]],
};
const DASHES = ["solid", "dash", "dot", "dashdot"];
let curves = []; // {person, quantity, unit, colour, dash, frame, value, every}
let lanes = []; // {unit, top, height}: one lane for the curves that share an axis
let drawing = 0;

const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark" ||
  (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);

async function curveOf(person, quantity) {
  const stored = person.curves[quantity.group.key];
  if (!stored) return null;
  const [frame, column] = await Promise.all([block(stored.frames), block(stored.values)]);
  return { person, quantity, unit: quantity.unit, frame, value: column(quantity.index), every: stored.every };
}

// Least and greatest value of every pixel's rows, in the order in which the curve passes them; null between stretches.
function drawn(curve, width) {
  const { frame, value, every } = curve, x = [], y = [];
  let i = Math.max(atOrBefore(frame, frameAt(view.from) - every), 0);
  const stop = Math.min(atOrBefore(frame, frameAt(view.to) + every) + 2, frame.length);
  const per = Math.max(Math.floor((stop - i) / (2 * width)), 1);
  const at = (k) => times[Math.min(frame[k], times.length - 1)];
  let before = -Infinity;
  while (i < stop) {
    let least = -1, most = -1, k = i;
    for (; k < Math.min(i + 2 * per, stop); k++) {
      if (k > i && frame[k] - frame[k - 1] > Math.max(every, 1)) break;
      if (Number.isNaN(value[k])) { if (k === i) k++; break; }
      if (least < 0 || value[k] < value[least]) least = k;
      if (most < 0 || value[k] > value[most]) most = k;
    }
    if (least >= 0) {
      if (x.length && y[y.length - 1] !== null && frame[i] - frame[before] > Math.max(every, 1)) { x.push(at(before)); y.push(null); }
      if (per === 1) for (let j = i; j < k; j++) { x.push(at(j)); y.push(value[j]); }
      else for (const j of least < most ? [least, most] : least > most ? [most, least] : [least]) { x.push(at(j)); y.push(value[j]); }
      before = k - 1;
    }
    if (k < stop && Number.isNaN(value[k]) && x.length && y[y.length - 1] !== null) { x.push(at(k)); y.push(null); }
    i = k;
  }
  return { x, y };
}

// Where a foot is on the ground: stretches of a thick line.
async function contactTraces(shown) {
  const traces = [];
  for (const [row, person] of shown.entries()) {
    const stored = person.curves.contacts;
    if (!stored) continue;
    const frame = await block(stored.frames), column = await block(stored.values), every = stored.every;
    for (const side of [0, 1]) {
      const value = column(side).map((v) => (v >= 0.5 ? row * 2 + side : NaN));
      if (value.every(Number.isNaN)) continue;
      const { x, y } = drawn({ frame, value, every }, 4000);
      traces.push({ x, y, yaxis: "y9", line: { width: 6, color: colour(side ? "right" : "left") }, ...LINE });
    }
  }
  return traces;
}
const LINE = { type: "scatter", mode: "lines", connectgaps: false, hoverinfo: "skip", showlegend: false };

async function loadCurves() {
  const wanted = [...chosen].flatMap((id) => [...picked].map((name) => [people.get(id), quantities.get(name)]));
  const loaded = await Promise.all(wanted.slice(0, MOST_CURVES).map(([p, q]) => curveOf(p, q)));
  const used = { "-1": 0, 1: 0, 0: 0 }, order = [...chosen];
  curves = loaded.filter(Boolean).map((curve) => {
    const side = curve.quantity.side, family = FAMILIES[side];
    return { ...curve, colour: family[used[side]++ % family.length][isDark() ? 1 : 0], dash: DASHES[order.indexOf(curve.person.id) % 4] };
  });
  const missing = loaded.length - curves.length, every = Math.max(...curves.map((c) => c.every), 1);
  const said = [];
  if (wanted.length > MOST_CURVES) said.push(`${MOST_CURVES} of ${wanted.length} curves are drawn.`);
  if (missing) said.push(`${missing} ${missing === 1 ? "curve has" : "curves have"} no values.`);
  if (every > 1) said.push(`Least and greatest value of every ${every} frames; the tables hold every frame.`);
  if (!wanted.length) said.push("Choose people in the timeline and quantities in the list.");
  $("curves-note").textContent = said.join(" ");
  return curves;
}

async function drawCurves() {
  const mine = ++drawing;
  await loadCurves();
  const shown = [...chosen].slice(0, 4).map((id) => people.get(id)), feet = await contactTraces(shown);
  await library();
  if (mine !== drawing) return; // a newer drawing has started
  const units = [...new Set(curves.map((c) => c.unit))].slice(0, 6), phone = window.innerWidth <= 640;
  const strip = feet.length ? 14 * shown.length + 24 : 0, tall = Math.max(phone ? 130 : 150, units.length === 1 ? 220 : 0);
  const height = MARGIN.t + MARGIN.b + Math.max(units.length, 1) * tall + strip, width = $("graph-box").clientWidth;
  const inner = height - MARGIN.t - MARGIN.b, ink = colour("soft"), grid = colour("line");
  const ticks = timeTicks(view.from, view.to, width - MARGIN.l - MARGIN.r);
  const layout = {
    width, height, margin: MARGIN, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
    xaxis: { range: [view.from, view.to], tickvals: ticks.map((t) => t[0]), ticktext: ticks.map((t) => t[1]), gridcolor: grid, zeroline: false, anchor: "free", position: 0 },
  };
  lanes = units.map((unit, i) => ({ unit, top: MARGIN.t + i * tall, height: tall }));
  lanes.forEach(({ unit, top }, i) => {
    const high = 1 - (top - MARGIN.t + 22) / inner, low = 1 - (top - MARGIN.t + tall - 6) / inner;
    layout["yaxis" + (i ? i + 1 : "")] = { domain: [low, high], gridcolor: grid, zerolinecolor: grid, nticks: 5, automargin: false, fixedrange: true };
  });
  if (strip) layout.yaxis9 = { domain: [0.01, (strip - 20) / inner], range: [shown.length * 2 - 0.4, -0.6], showgrid: false, zeroline: false, showticklabels: false };
  const traces = curves.filter((c) => units.includes(c.unit)).map((c) => {
    const lane = units.indexOf(c.unit);
    return { ...drawn(c, width), yaxis: "y" + (lane ? lane + 1 : ""), line: { color: c.colour, width: 1.6, dash: c.dash, simplify: false }, ...LINE };
  });
  if (!traces.length) traces.push({ x: [], y: [], ...LINE });
  await Plotly.react($("graph"), [...traces, ...feet], layout, { staticPlot: true, responsive: false });
  writeLegends(strip, height);
  moveCurveHead();
}

// plotly.js is large: unpacked beside the first work, and run once the rest of the page stands.
const unpackedLibrary = () => block(facts.plotly);
const library = () => once("plotly", async () => {
  const script = el("script");
  script.textContent = new TextDecoder().decode(await unpackedLibrary());
  document.head.append(script);
});

function writeLegends(strip, height) {
  const several = chosen.size > 1;
  const keys = lanes.flatMap(({ unit, top }) => [el("div", { className: "lane-unit", style: `top:${top}px` }, unit || "0…1"), el("div", { className: "lane-key", style: `top:${top}px` },
    ...curves.filter((c) => c.unit === unit).map((c) => {
      c.told = el("b");
      const label = c.quantity.label + (several ? ` · ${c.person.label}` : "");
      return el("span", { title: c.quantity.name }, el("i", { style: `background:${c.colour}` }), label, c.told,
        el("button", { type: "button", "aria-label": `Leave out ${c.quantity.label}`, onclick: () => pick(c.quantity.name, false) }, "×"));
    }))]);
  if (strip) keys.push(el("div", { className: "lane-key", style: `top:${height - MARGIN.b - strip}px` },
    el("span", {}, el("i", { style: "background:var(--left)" }), "left foot on the ground"), el("span", {}, el("i", { style: "background:var(--right)" }), "right")));
  $("legends").replaceChildren(...keys);
}

function moveCurveHead() {
  const width = $("scrub").clientWidth - MARGIN.l - MARGIN.r, x = (timeNow() - view.from) / (view.to - view.from);
  const head = $("scrub").querySelector(".playhead");
  head.hidden = x < 0 || x > 1;
  head.style.transform = `translateX(${MARGIN.l + x * width}px)`;
  $("scrub").setAttribute("aria-valuenow", timeNow().toFixed(2));
  $("scrub").setAttribute("aria-valuetext", clockText(timeNow()));
  for (const c of curves) {
    if (!c.told) continue;
    const i = atOrBefore(c.frame, now.frame);
    c.told.textContent = i < 0 || now.frame - c.frame[i] >= c.every ? "–" : number(c.value[i], c.unit);
  }
}

function startScrub() {
  const pad = $("scrub"), box = $("zoom-box");
  const timeOf = (event) => {
    const r = pad.getBoundingClientRect();
    return view.from + ((event.clientX - r.left - MARGIN.l) / (r.width - MARGIN.l - MARGIN.r)) * (view.to - view.from);
  };
  let from = null; // px where a zoom box begins
  const fingers = new Map();
  let apart = 0;
  pad.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pad.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event.clientX);
    if (fingers.size === 2) apart = Math.abs([...fingers.values()].reduce((a, b) => a - b));
    else if (event.shiftKey) from = event;
    else seek(timeOf(event));
  });
  pad.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    if (fingers.size === 2) {
      const next = Math.abs([...fingers.values()].reduce((a, b) => a - b));
      if (apart && next) zoom(apart / next, timeOf(event));
      apart = next;
    } else if (from) {
      const left = pad.getBoundingClientRect().left;
      box.hidden = false;
      box.style.left = `${Math.min(from.clientX, event.clientX) - left}px`;
      box.style.width = `${Math.abs(from.clientX - event.clientX)}px`;
    } else seek(timeOf(event));
  });
  const end = (event) => {
    fingers.delete(event.pointerId);
    if (from && Math.abs(from.clientX - event.clientX) > 4) {
      const [a, b] = [timeOf(from), timeOf(event)].sort((x, y) => x - y);
      show(a, b);
    }
    from = null;
    box.hidden = true;
  };
  pad.addEventListener("pointerup", end);
  pad.addEventListener("pointercancel", end);
  pad.addEventListener("dblclick", showAll);
  pad.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return; // the page scrolls
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) show(view.from + (event.deltaX / 800) * (view.to - view.from), view.to + (event.deltaX / 800) * (view.to - view.from));
    else zoom(Math.exp(event.deltaY / 400), timeOf(event));
  }, { passive: false });
}

function startCurves() {
  const draw = lazily(() => drawCurves().catch(report));
  for (const event of ["view", "people", "picked", "theme", "size"]) on(event, draw);
  on("frame", moveCurveHead);
  Object.entries({ "aria-valuemin": firstTime().toFixed(2), "aria-valuemax": lastTime().toFixed(2) }).forEach(([k, v]) => $("scrub").setAttribute(k, v));
  startScrub();
  return drawCurves();
}
