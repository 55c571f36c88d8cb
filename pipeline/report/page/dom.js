// Small helpers: elements, times in words, colours of the theme, events between the parts.

const $ = (id) => document.getElementById(id);

// An element; text is always text, never markup.
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") node.style.cssText = value;
    else if (key in node && !key.startsWith("aria")) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

const listeners = new Map();
const on = (event, act) => listeners.set(event, [...(listeners.get(event) || []), act]);
const emit = (event) => (listeners.get(event) || []).forEach((act) => act());

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

function clockText(s, digits = 2) {
  const sign = s < 0 ? "−" : "", whole = Math.abs(s) + 0.5 * 10 ** -digits;
  const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60;
  const rest = (Math.floor((whole % 60) * 10 ** digits) / 10 ** digits).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return sign + (h ? h + ":" + String(m).padStart(2, "0") : m) + ":" + rest;
}

function number(value, unit = "") {
  if (value === null || Number.isNaN(value)) return "–";
  const size = Math.abs(value), digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const space = !unit || unit === "°" ? "" : "\u2009";
  return value.toFixed(digits).replace("-", "−") + space + unit;
}

// Round times within a span, about one for every so many pixels: [seconds, text].
function timeTicks(from, to, width, apart = 90) {
  const least = ((to - from) * apart) / Math.max(width, 1);
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
  const step = steps.find((s) => s >= least) || 28800, digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2, ticks = [];
  for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9; k++) ticks.push([k * step, clockText(k * step, digits)]);
  return ticks;
}

// The canvas's context in CSS px, cleared, at the screen's own resolution.
function fresh(canvas) {
  const { clientWidth: w, clientHeight: h } = canvas, ratio = Math.min(window.devicePixelRatio || 1, 2);
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, w, h);
  return [g, w, h];
}

// At most one call per animation frame.
function lazily(act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; act(); });
  };
}
