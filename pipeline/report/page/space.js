// People in space, drawn on a canvas: one floor, turned by hand, moved by the clock.

const eye = { yaw: 0.4, pitch: 0.25, distance: 6, x: 0, y: 0, z: 0.9, follow: false };
let home = { ...eye };

// A person's frames and joint places (3 J columns) in space; null until they are loaded.
function bodyOf(person) {
  if (!person.space) return null;
  if (person.body) return person.body;
  const stored = person.space, count = 3 * facts.joints.length;
  once("s" + person.id, async () => {
    const [frame, column] = await Promise.all([block(stored.frames), block(stored.values)]);
    const places = Array.from({ length: count }, (_, c) => column(c));
    const beside = facts.world ? [0, 0, 0] : asideFor(person, places);
    person.body = { frame, places, every: stored.every, beside };
    redrawSpace();
  }).catch(report);
  return null;
}

// Without a common world every body stands about its own hips: side by side, feet on the floor.
function asideFor(person, places) {
  const lows = [];
  for (let k = 0; k < places[0].length; k += 5) {
    const z = places.filter((_, c) => c % 3 === 2).map((p) => p[k]).filter((v) => !Number.isNaN(v));
    if (z.length) lows.push(Math.min(...z));
  }
  lows.sort((a, b) => a - b);
  return [1.2 * (facts.people.indexOf(person) - (facts.people.length - 1) / 2), 0, -(lows[lows.length >> 1] || 0)];
}

function posture(person, frame) {
  const body = bodyOf(person);
  if (!body) return null;
  const i = atOrBefore(body.frame, frame);
  if (i < 0) return null;
  const next = i + 1 < body.frame.length && body.frame[i + 1] - body.frame[i] <= body.every ? i + 1 : i;
  const share = next === i ? 0 : (frame - body.frame[i]) / (body.frame[next] - body.frame[i]);
  if (frame - body.frame[i] > body.every) return null;
  return body.places.map((p, c) => p[i] + (share ? share * (p[next] - p[i]) : 0) + body.beside[c % 3]);
}

// A place in m → px of the canvas and the depth; null behind the eye.
function lens(w, h) {
  const [cy, sy, cp, sp] = [Math.cos(eye.yaw), Math.sin(eye.yaw), Math.cos(eye.pitch), Math.sin(eye.pitch)], f = 1.25 * Math.min(w * 1.2, h);
  return (x, y, z) => {
    const dx = x - eye.x, dy = y - eye.y, dz = z - eye.z, right = dx * cy + dy * sy, away = dy * cy - dx * sy;
    const depth = eye.distance + away * cp - dz * sp;
    return depth < 0.1 ? null : [w / 2 + (f * right) / depth, h / 2 - (f * (dz * cp + away * sp)) / depth, depth];
  };
}

function drawFloor(g, at, w, h) {
  const size = eye.distance > 14 ? 5 : 1, reach = size * Math.min(14, Math.ceil((1.2 * eye.distance) / size));
  const cx = Math.round(eye.x / size) * size, cy = Math.round(eye.y / size) * size;
  g.strokeStyle = colour("floor");
  g.lineWidth = 1;
  g.beginPath();
  const line = (x1, y1, x2, y2) => {
    for (let k = 0; k < 8; k++) { // in pieces, since points behind the eye cannot be drawn
      const a = at(x1 + ((x2 - x1) * k) / 8, y1 + ((y2 - y1) * k) / 8, 0), b = at(x1 + ((x2 - x1) * (k + 1)) / 8, y1 + ((y2 - y1) * (k + 1)) / 8, 0);
      if (a && b) { g.moveTo(a[0], a[1]); g.lineTo(b[0], b[1]); }
    }
  };
  for (let k = -reach; k <= reach; k += size) { line(cx + k, cy - reach, cx + k, cy + reach); line(cx - reach, cy + k, cx + reach, cy + k); }
  g.stroke();
  g.fillStyle = colour("soft");
  g.font = "12px system-ui, sans-serif";
  g.fillText(facts.world ? `grid ${size} m` : "no common world: people stand side by side", 12, h - 10);
}

function drawBody(g, at, person, places, strong) {
  const joint = (j) => (Number.isNaN(places[3 * j]) ? null : at(places[3 * j], places[3 * j + 1], places[3 * j + 2]));
  const points = facts.joints.map((_, j) => joint(j)), ink = { "-1": colour("left"), 0: colour("middle"), 1: colour("right") };
  const depth = points.find(Boolean)?.[2] || 1, width = Math.max(2, Math.min(7, 24 / depth));
  g.globalAlpha = strong ? 1 : 0.5;
  g.lineCap = "round";
  // The shadow says where on the floor somebody is.
  const known = facts.joints.map((_, j) => j).filter((j) => !Number.isNaN(places[3 * j]));
  if (!known.length) return;
  const mean = (axis) => known.reduce((s, j) => s + places[3 * j + axis], 0) / known.length, spot = at(mean(0), mean(1), 0);
  if (spot) {
    g.fillStyle = colour("line");
    g.beginPath();
    g.ellipse(spot[0], spot[1], 130 / spot[2], (130 / spot[2]) * Math.abs(Math.sin(eye.pitch)), 0, 0, 7);
    g.fill();
  }
  for (const [a, b, side] of [...facts.bones].sort((p, q) => (points[q[0]]?.[2] || 0) - (points[p[0]]?.[2] || 0))) {
    if (!points[a] || !points[b]) continue;
    g.strokeStyle = ink[side];
    g.lineWidth = width;
    g.beginPath();
    g.moveTo(points[a][0], points[a][1]);
    g.lineTo(points[b][0], points[b][1]);
    g.stroke();
  }
  g.globalAlpha = 1;
  const seen = points.filter(Boolean); // empty where the whole person is behind the eye
  if (!seen.length) return;
  const top = seen.reduce((a, b) => (b[1] < a[1] ? b : a));
  plate(g, person, top[0], top[1] - 12);
}

// The person's name on the colour that the person has in the video.
function plate(g, person, x, y) {
  const text = person.name || String(person.id);
  g.font = "600 12px system-ui, sans-serif";
  const w = g.measureText(text).width + 10;
  g.fillStyle = person.colour;
  g.beginPath();
  g.roundRect(x - w / 2, y - 9, w, 17, 5);
  g.fill();
  g.fillStyle = "#16181d";
  g.fillText(text, x - w / 2 + 5, y + 4);
}

function drawSpace() {
  const [g, w, h] = fresh($("space-view"));
  const here = facts.people.filter((p) => presence(p, now.frame)).map((p) => [p, posture(p, now.frame)]).filter(([, q]) => q);
  if (eye.follow) followBody(here);
  const at = lens(w, h);
  drawFloor(g, at, w, h);
  const distance = ([, q]) => at(...[0, 1, 2].map((axis) => q.find((v, c) => c % 3 === axis && !Number.isNaN(v))))?.[2] || 0;
  for (const [person, places] of here.sort((a, b) => distance(b) - distance(a))) drawBody(g, at, person, places, chosen.has(person.id) || !here.some(([p]) => chosen.has(p.id)));
  if (!facts.joints.length) {
    g.fillStyle = colour("soft");
    g.font = "14px system-ui, sans-serif";
    g.fillText("This run has no 3D; see --lifter.", 14, 24);
  }
}
const redrawSpace = lazily(drawSpace);

// Look at the person described in words, or at the middle of all people present.
function followBody(here) {
  const found = here.filter(([p]) => p === focus()), all = found.length ? found : here;
  if (!all.length) return;
  const mean = (axis) => {
    const v = all.flatMap(([, q]) => q.filter((n, c) => c % 3 === axis && !Number.isNaN(n)));
    return v.reduce((a, b) => a + b, 0) / v.length;
  };
  [eye.x, eye.y, eye.z] = [mean(0), mean(1), mean(2)];
}

// The eye looks from the camera's place at the middle of people's places; in wide places the eye follows one person.
function frameSpace(paths) {
  const x = [], y = [];
  if (facts.world) for (const p of paths) for (let k = 0; k < p.x.length; k++) if (!Number.isNaN(p.x[k])) { x.push(p.x[k]); y.push(p.y[k]); }
  x.sort((a, b) => a - b);
  y.sort((a, b) => a - b);
  const part = (v, share) => (v.length ? v[Math.floor(share * (v.length - 1))] : 0);
  const size = facts.world ? Math.hypot(part(x, 0.97) - part(x, 0.03), part(y, 0.97) - part(y, 0.03)) : 1.2 * facts.people.length;
  Object.assign(eye, { x: (part(x, 0.97) + part(x, 0.03)) / 2, y: (part(y, 0.97) + part(y, 0.03)) / 2, distance: size > 12 ? 9 : Math.max(3.6, 2.4 + 0.75 * size), follow: size > 12 });
  $("space-follow").setAttribute("aria-pressed", eye.follow);
}

// People may stand above the floor: the first view must show all of them.
function frameHeights(here) {
  const tops = here.flatMap((p) => posture(p, now.frame)?.filter((v, c) => c % 3 === 2 && !Number.isNaN(v)) || []);
  const top = Math.max(1.8, ...tops);
  if (!eye.follow) Object.assign(eye, { z: top / 2, distance: Math.max(eye.distance, 1.3 * top + 1) });
  home = { ...eye };
}

function startSpace(paths) {
  const canvas = $("space-view"), fingers = new Map();
  let apart = 0;
  frameSpace(paths);
  const turn = (dx, dy) => {
    eye.yaw = (eye.yaw + dx) % (2 * Math.PI);
    eye.pitch = Math.min(Math.max(eye.pitch + dy, -0.1), 1.55);
    canvas.dataset.yaw = eye.yaw.toFixed(3);
    redrawSpace();
  };
  const nearer = (factor) => { eye.distance = Math.min(Math.max(eye.distance * factor, 1.2), 120); redrawSpace(); };
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); fingers.set(event.pointerId, event); apart = 0; });
  canvas.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()], next = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      if (apart) nearer(apart / next);
      apart = next;
    } else if (event.shiftKey || event.buttons === 4) {
      const scale = (1.6 * eye.distance) / canvas.clientHeight, dx = (last.clientX - event.clientX) * scale, dy = (event.clientY - last.clientY) * scale;
      eye.x += dx * Math.cos(eye.yaw) - dy * Math.sin(eye.yaw);
      eye.y += dx * Math.sin(eye.yaw) + dy * Math.cos(eye.yaw);
      redrawSpace();
    } else turn((event.clientX - last.clientX) * 0.01, (event.clientY - last.clientY) * 0.01);
  });
  for (const event of ["pointerup", "pointercancel"]) canvas.addEventListener(event, (e) => fingers.delete(e.pointerId));
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); nearer(Math.exp(event.deltaY / 500)); }, { passive: false });
  canvas.addEventListener("dblclick", () => $("space-reset").click());
  canvas.addEventListener("keydown", (event) => {
    const act = { ArrowLeft: () => turn(-0.1, 0), ArrowRight: () => turn(0.1, 0), ArrowUp: () => turn(0, 0.1), ArrowDown: () => turn(0, -0.1), "+": () => nearer(0.85), "-": () => nearer(1.18) }[event.key];
    if (act) { act(); event.preventDefault(); }
  });
  $("space-reset").addEventListener("click", () => { Object.assign(eye, home); turn(0, 0); });
  $("space-follow").addEventListener("click", () => { eye.follow = !eye.follow; $("space-follow").setAttribute("aria-pressed", eye.follow); redrawSpace(); });
  for (const event of ["frame", "people", "theme", "size"]) on(event, redrawSpace);
  turn(0, 0);
  const needed = facts.people.filter((p) => p.space && presence(p, now.frame));
  return Promise.all(needed.map((p) => { bodyOf(p); return made.get("s" + p.id); })).then(() => { frameHeights(needed); drawSpace(); });
}
