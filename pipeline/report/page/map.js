// Where people went: paths and seconds in each place, on the floor in metres or in the picture in px; of all, of a team,
// or where the players of both teams were on average.

const map = { mode: "m", show: "", at: null, paths: [] }; // show: "" all, a team's name, or FORMATION
const FORMATION = "\0formation", teams = facts.teams.teams;

const heatShown = () => map.show === FORMATION ? null : map.show ? teams.find((t) => t.name === map.show).heat[map.mode] : facts.heat[map.mode];
const pathsShown = () => map.show === FORMATION ? [] : map.paths.filter((p) => !map.show || p.person.team === map.show);

async function unpackPaths() {
  if (!facts.paths) return [];
  const [frames, column] = await Promise.all([block(facts.paths.frames), block(facts.paths.places)]);
  let at = 0;
  return facts.paths.lengths.map((n, i) => {
    const cut = (array) => array.subarray(at, at + n);
    const path = { person: facts.people[i], frame: cut(frames), x: cut(column(0)), y: cut(column(1)), px: cut(column(2)), py: cut(column(3)) };
    at += n;
    return path;
  });
}

const places = (path) => (map.mode === "m" ? [path.x, path.y] : [path.px, path.py]);

function extent() {
  if (map.mode === "px") return [0, 0, facts.video.width_px, facts.video.height_px];
  const x = [], y = [];
  for (const p of map.paths) for (let k = 0; k < p.x.length; k++) if (!Number.isNaN(p.x[k])) { x.push(p.x[k]); y.push(p.y[k]); }
  if (!x.length) return [-1, -1, 1, 1];
  x.sort((a, b) => a - b);
  y.sort((a, b) => a - b);
  const part = (v, share) => v[Math.round(share * (v.length - 1))];
  const box = [part(x, 0.015), part(y, 0.015), part(x, 0.985), part(y, 0.985)];
  for (const zone of [...Object.values(facts.zones), ...(facts.pitch || [])]) for (const [a, b] of zone) { box[0] = Math.min(box[0], a); box[1] = Math.min(box[1], b); box[2] = Math.max(box[2], a); box[3] = Math.max(box[3], b); }
  const room = Math.max(0.6, 0.06 * Math.max(box[2] - box[0], box[3] - box[1]));
  return [box[0] - room, box[1] - room, box[2] + room, box[3] + room];
}

function drawMap() {
  const [g, w, h] = fresh($("map-view")), [x1, y1, x2, y2] = map.extent || (map.extent = extent());
  const scale = Math.min((w - 44) / (x2 - x1), (h - 30) / (y2 - y1)), ox = 34 + (w - 44 - scale * (x2 - x1)) / 2, oy = 6 + (h - 30 - scale * (y2 - y1)) / 2;
  const up = map.mode === "m";
  map.at = (x, y) => [ox + (x - x1) * scale, up ? oy + (y2 - y) * scale : oy + (y - y1) * scale];
  drawGrid(g, [x1, y1, x2, y2], scale, w, h);
  g.save(); // a few wrong places lie outside the map
  g.beginPath();
  g.rect(ox, oy, (x2 - x1) * scale, (y2 - y1) * scale);
  g.clip();
  const heat = heatShown();
  if (heat) drawHeat(g, heat, scale);
  drawPitch(g);
  drawZones(g);
  for (const strong of [false, true]) for (const path of pathsShown()) if (chosen.has(path.person.id) === strong) drawPath(g, path, strong);
  g.restore();
  if (map.show === FORMATION) drawFormation(g); else for (const path of pathsShown()) drawPlace(g, path);
}

// The mean place of every player with the number, and a cross in the middle of each team.
function drawFormation(g) {
  const means = teams.map((team) => map.paths.filter((p) => p.person.team === team.name)
    .map((p) => ({ person: p.person, x: meanOf(places(p)[0]), y: meanOf(places(p)[1]) })).filter((m) => m.x !== null));
  g.textAlign = "center";
  g.lineWidth = 1.5;
  g.font = "600 10px system-ui, sans-serif";
  teams.forEach((team, k) => means[k].forEach(({ person, x, y }) => {
    const [a, b] = map.at(x, y);
    g.fillStyle = team.colour;
    g.strokeStyle = "#16181d";
    g.beginPath();
    g.arc(a, b, 9, 0, 7);
    g.fill();
    g.stroke();
    g.fillStyle = "#16181d";
    g.fillText(String(person.id), a, b + 3.5);
  }));
  g.textAlign = "left";
  teams.forEach((team, k) => {
    if (!means[k].length) return;
    const [cx, cy] = map.at(meanOf(means[k].map((m) => m.x)), meanOf(means[k].map((m) => m.y)));
    for (const [stroke, width] of [["#16181d", 6], [team.colour, 3]]) {
      g.strokeStyle = stroke;
      g.lineWidth = width;
      g.beginPath();
      g.moveTo(cx - 9, cy); g.lineTo(cx + 9, cy); g.moveTo(cx, cy - 9); g.lineTo(cx, cy + 9);
      g.stroke();
    }
  });
}

function meanOf(values) {
  let sum = 0, count = 0;
  for (const value of values) if (!Number.isNaN(value)) { sum += value; count++; }
  return count ? sum / count : null;
}

function drawGrid(g, [x1, y1, x2, y2], scale, w, h) {
  const size = Math.max(x2 - x1, y2 - y1) / 5, power = 10 ** Math.floor(Math.log10(size)), step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= size);
  g.strokeStyle = colour("floor");
  g.fillStyle = colour("soft");
  g.lineWidth = 1;
  g.font = "11px system-ui, sans-serif";
  const [left, top] = map.at(x1, map.mode === "m" ? y2 : y1), [right, bottom] = map.at(x2, map.mode === "m" ? y1 : y2);
  g.strokeRect(left, top, right - left, bottom - top);
  g.beginPath();
  for (let k = Math.ceil(x1 / step); k * step <= x2; k++) {
    const [x] = map.at(k * step, y1);
    g.moveTo(x, top); g.lineTo(x, bottom);
    g.textAlign = "center";
    g.fillText(String(+(k * step).toFixed(2)), x, bottom + 13);
  }
  for (let k = Math.ceil(y1 / step); k * step <= y2; k++) {
    const [, y] = map.at(x1, k * step);
    g.moveTo(left, y); g.lineTo(right, y);
    g.textAlign = "right";
    g.fillText(String(+(k * step).toFixed(2)), left - 5, y + 4);
  }
  g.stroke();
  g.textAlign = "left";
}

function drawHeat(g, { x, y, s, side }, scale) {
  const most = s.reduce((a, b) => Math.max(a, b), 1e-9), size = Math.max(side * scale, 1);
  g.fillStyle = colour("accent");
  for (let k = 0; k < s.length; k++) {
    const [a, b] = map.at(x[k], y[k]);
    g.globalAlpha = 0.08 + 0.72 * Math.sqrt(s[k] / most);
    g.fillRect(a - size / 2, b - size / 2, size, size);
  }
  g.globalAlpha = 1;
}

function drawPitch(g) {
  if (map.mode !== "m") return;
  g.strokeStyle = colour("soft");
  g.lineWidth = 1;
  for (const line of facts.pitch || []) {
    g.beginPath();
    line.forEach(([x, y], k) => g[k ? "lineTo" : "moveTo"](...map.at(x, y)));
    g.stroke();
  }
}

function drawZones(g) {
  if (map.mode !== "m") return;
  for (const [name, zone] of Object.entries(facts.zones)) {
    g.strokeStyle = g.fillStyle = colour("warn");
    g.lineWidth = 1.5;
    g.beginPath();
    zone.forEach(([x, y], k) => g[k ? "lineTo" : "moveTo"](...map.at(x, y)));
    g.closePath();
    g.stroke();
    const [x, y] = map.at(...zone[0]);
    g.fillText(name, x + 4, y - 4);
  }
}

function drawPath(g, path, strong) {
  const [x, y] = places(path), gap = 3 * ((path.frame[1] ?? 1) - (path.frame[0] ?? 0)) + 2;
  g.strokeStyle = strong ? colour("head") : colour("middle");
  g.globalAlpha = strong ? 1 : Math.max(0.08, Math.min(0.35, 7 / map.paths.length)); // many paths must not hide the cells below
  g.lineWidth = strong ? 2 : 1;
  g.beginPath();
  let open = false;
  for (let k = 0; k < x.length; k++) {
    if (Number.isNaN(x[k])) { open = false; continue; }
    const [a, b] = map.at(x[k], y[k]);
    if (open && path.frame[k] - path.frame[k - 1] <= gap) g.lineTo(a, b); else g.moveTo(a, b);
    open = true;
  }
  g.stroke();
  g.globalAlpha = 1;
}

function drawPlace(g, path) {
  if (!presence(path.person, now.frame)) return;
  const [x, y] = places(path), i = atOrBefore(path.frame, now.frame), j = Math.min(i + 1, x.length - 1);
  if (i < 0 || Number.isNaN(x[i])) return;
  const share = j > i && !Number.isNaN(x[j]) ? (now.frame - path.frame[i]) / (path.frame[j] - path.frame[i]) : 0;
  const [a, b] = map.at(x[i] + share * ((Number.isNaN(x[j]) ? x[i] : x[j]) - x[i]), y[i] + share * ((Number.isNaN(y[j]) ? y[i] : y[j]) - y[i]));
  g.fillStyle = path.person.colour;
  g.strokeStyle = "#16181d";
  g.lineWidth = 1;
  g.beginPath();
  g.arc(a, b, 5, 0, 7);
  g.fill();
  g.stroke();
  if (chosen.has(path.person.id) || facts.people.length <= 12) plate(g, path.person, a, b - 16);
}

// A click goes to the moment at which somebody was nearest to the place.
function goToPlace(event) {
  const r = $("map-view").getBoundingClientRect(), mx = event.clientX - r.left, my = event.clientY - r.top;
  let best = null;
  for (const path of pathsShown()) {
    const [x, y] = places(path);
    for (let k = 0; k < x.length; k++) {
      const [a, b] = map.at(x[k], y[k]), d = Math.hypot(a - mx, b - my) - (chosen.has(path.person.id) ? 4 : 0);
      if (d < (best ? best.d : 24)) best = { d, path, k };
    }
  }
  if (!best) return;
  choose(best.path.person.id, true);
  seekFrame(best.path.frame[best.k]);
}

function setMode(mode) {
  map.mode = mode;
  map.extent = null;
  for (const button of $("map-modes").children) button.setAttribute("aria-pressed", button.dataset.mode === mode);
  const heat = heatShown(), most = heat ? heat.s.reduce((a, b) => Math.max(a, b), 0) : 0;
  $("map-legend").textContent = [mode === "m" ? "metres" : "px", heat ? `colour: time spent, up to ${number(most, "s")}` : "", map.show === FORMATION ? "mean places of players, crosses: of teams" : "click to go there"].filter(Boolean).join(" · ");
  drawMap();
}

function setShown(show) {
  map.show = show;
  for (const button of $("map-teams").children) button.setAttribute("aria-pressed", button.dataset.show === show);
  setMode(map.mode);
}

function listTeams() {
  if (teams.length !== 2) return;
  const shown = [["", "All"], ...teams.map((t) => [t.name, t.name]), ...(facts.teams.placed ? [[FORMATION, "Formation"]] : [])];
  $("map-teams").append(...shown.map(([show, text]) => {
    const button = el("button", { type: "button", onclick: () => setShown(show) }, text);
    button.dataset.show = show;
    button.setAttribute("aria-pressed", show === map.show);
    return button;
  }));
}

async function startMap() {
  map.paths = await unpackPaths();
  const floor = map.paths.some((p) => p.x.some((v) => !Number.isNaN(v)));
  const modes = [["m", "Floor"], ["px", "Picture"]].slice(floor ? 0 : 1);
  if (modes.length > 1) $("map-modes").append(...modes.map(([mode, text]) => {
    const button = el("button", { type: "button", onclick: () => setMode(mode) }, text);
    button.dataset.mode = mode;
    return button;
  }));
  listTeams();
  $("map-view").addEventListener("click", goToPlace);
  const draw = lazily(drawMap);
  for (const event of ["frame", "people", "theme", "size"]) on(event, draw);
  setMode(modes[0][0]);
  return map.paths;
}
