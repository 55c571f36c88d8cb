// The current frame of the video's table. Every part of the page follows the current frame, and every part may set it.

const [low, high] = facts.frames;
let times; // seconds on the container's clock of every frame of the video
const now = { frame: low, playing: false };
const view = { from: 0, to: 1 }; // the span of time that timeline and curves show
const chosen = new Set(); // ids of the people whose curves are drawn; the page describes the last one in words

const timeNow = () => times[now.frame];
const firstTime = () => times[low];
const lastTime = () => times[high - 1];
const frameAt = (s) => {
  const i = Math.min(Math.max(atOrBefore(times, s + 1e-6), low), high - 1);
  return i + 1 < high && times[i + 1] - s < s - times[i] ? i + 1 : i; // the nearest
};
const focus = () => people.get([...chosen].pop());

function setFrame(frame) {
  const next = Math.min(Math.max(Math.round(frame), low), high - 1);
  if (next === now.frame) return;
  now.frame = next;
  emit("frame");
}

// A request for a frame or a time: the page shows it at once, and the player follows.
function seekFrame(frame) {
  setFrame(frame);
  emit("seek");
}
const seek = (s) => seekFrame(frameAt(s));

function show(from, to) {
  const all = lastTime() - firstTime(), least = Math.min(all, 0.2) || 1;
  const width = Math.min(Math.max(to - from, least), all || 1);
  view.from = Math.min(Math.max(from, firstTime()), Math.max(lastTime() - width, firstTime()));
  view.to = view.from + width;
  emit("view");
}
const showAll = () => show(firstTime(), lastTime());
function zoom(factor, about = timeNow()) {
  const at = Math.min(Math.max(about, view.from), view.to);
  show(at - (at - view.from) * factor, at + (view.to - at) * factor);
}

function choose(id, only = false) {
  if (only) chosen.clear();
  if (chosen.has(id) && !only && chosen.size > 1) chosen.delete(id);
  else { chosen.delete(id); chosen.add(id); }
  emit("people");
}

async function startClock() {
  times = (await block(facts.times)).map((us) => us / 1e6 + facts.video.start_s);
  Object.assign(view, { from: firstTime(), to: lastTime() > firstTime() ? lastTime() : firstTime() + 1 });
  const long = [...people.values()].sort((a, b) => (b.figures.frames_measured || 0) - (a.figures.frames_measured || 0));
  const first = [...people.values()].sort((a, b) => a.spans[0] - b.spans[0])[0];
  const shown = long.find((p) => presence(p, low)) || first;
  if (shown) chosen.add(shown.id);
}
