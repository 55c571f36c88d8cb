// In words and figures: warnings, suspicious moments, one person's figures, how the run was made, its tables.

const UNITS = [["_steps_per_min", "/min"], ["_px_per_m", "px/m"], ["_time_s", "s"], ["_px_s", "px/s"], ["_m_s", "m/s"], ["_px", "px"], ["_m", "m"], ["_s", "s"], ["_percent", "%"], ["_share", "share"], ["_ratio", ""]];

const NAMES = { px_per_m: ["Scale", "px/m"], px_per_m_from: ["Scale from", ""], metres_from: ["Metres from", ""], walks_or_runs: ["Gait", ""], height_3d_m: ["Height in space", "m"], lift_std_m: ["Error in space, as stated", "m"], reprojection_px: ["Space against picture", "px"], size_change_ratio: ["Change of size", "times"] };

function named(key) {
  if (NAMES[key]) return NAMES[key];
  const [end, unit] = UNITS.find(([e]) => key.endsWith(e)) || ["", ""];
  const words = (end && end !== "_time_s" ? key.slice(0, -end.length) : key.replace(/_s$/, "")).replaceAll("_", " ");
  return [words.charAt(0).toUpperCase() + words.slice(1), unit];
}

const panel = (id, title, ...parts) => el("section", { className: "panel", id, "aria-label": title }, el("h2", {}, title), ...parts);
const list = (items) => el("ul", {}, ...items.map((item) => el("li", {}, item)));
const pairs = (entries) => el("dl", { className: "pairs" }, ...entries.map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, v))));

// A warning that many people share is shown once.
function warningsPanel() {
  const by = new Map();
  for (const p of people.values()) for (const w of p.warnings) by.set(w, [...(by.get(w) || []), p]);
  const all = [...by].filter(([, who]) => who.length === people.size && people.size > 1), own = new Map();
  for (const [w, who] of by) if (who.length < people.size || people.size === 1) for (const p of who) own.set(p, [...(own.get(p) || []), w]);
  const parts = [];
  if (facts.warnings.length) parts.push(el("h3", {}, "The run"), list(facts.warnings));
  if (all.length) parts.push(el("h3", {}, "Everybody"), list(all.map(([w]) => w)));
  for (const p of people.values()) if (own.has(p)) parts.push(el("h3", {}, p.label), list(own.get(p)));
  if (!parts.length) parts.push(el("p", { className: "muted" }, "Nothing to warn of."));
  return panel("warnings", "Warnings", el("div", { className: "scroll", tabIndex: 0 }, ...parts));
}

function momentsPanel() {
  const found = [...people.values()].flatMap((p) => p.suspicious.map(([t, why]) => [t, why, p])).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  const rows = found.map(([t, why, p]) => el("li", {}, el("button", { type: "button", className: "moment",
    onclick: () => { if (t !== null) seek(t); choose(p.id, true); } }, el("b", {}, t === null ? "–" : clockText(t)), el("span", {}, `${p.label}: ${why}`))));
  return panel("moments", "Suspicious moments", rows.length
    ? el("div", { className: "scroll", tabIndex: 0 }, el("ul", { className: "bare" }, ...rows)) : el("p", { className: "muted" }, "None."));
}

function showPerson() {
  const p = focus(), place = $("person-panel");
  if (!p) return;
  const figures = Object.entries(p.figures).map(([key, value]) => {
    const [label, unit] = named(key);
    if (typeof value === "number" && (unit === "share" || key === "coverage")) return [label, number(100 * value, "%")];
    return [label, typeof value === "number" ? number(value, unit) : value];
  });
  const links = p.files.flatMap(([url, kind]) => [el("a", { href: url }, kind.toUpperCase()), " "]);
  place.replaceChildren(el("h2", {}, el("i", { className: "dot", style: `display:inline-block;background:${p.colour};margin-right:8px` }), p.label, " in figures"),
    el("p", { className: "muted" }, "The person's table: ", ...links), pairs(figures), qualityTable(p));
}

function qualityTable(p) {
  const rows = facts.quality.people[p.id];
  if (!rows) return "";
  const head = facts.quality.columns.map((c) => named(c).filter(Boolean));
  return el("details", {}, el("summary", {}, "Quality of every joint"), el("div", { className: "scroll", tabIndex: 0 }, el("table", {},
    el("thead", {}, el("tr", {}, ...head.map(([label, unit], i) => el("th", { className: i ? "n" : "" }, label + (unit ? `, ${unit}` : ""))))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((v, i) => el("td", { className: i ? "n" : "" }, i ? number(v) : String(v).replaceAll("_", " ")))))))));
}

const toml = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : typeof value === "string" ? JSON.stringify(value) : String(value));

function madePanel() {
  const { config, networks, lifter, versions, stages_s: stages } = facts.made;
  const settings = Object.entries(config || {}).map(([section, keys]) => `[${section}]\n` + Object.entries(keys).filter(([, v]) => v !== null).map(([k, v]) => `${k} = ${toml(v)}`).join("\n")).join("\n\n");
  const nets = Object.entries({ ...networks, ...(lifter && lifter.networks) });
  const part = panel("made", "How it was made",
    el("div", { className: "columns" }, ...[["Networks", nets], ["Versions", Object.entries(versions || {})],
      ["Time taken", Object.entries(stages || {}).map(([k, v]) => [k, number(v, "s")])]].map(([title, rows]) =>
      el("div", {}, el("h3", {}, title), pairs(rows.map(([k, v]) => [k, String(v)]))))),
    el("details", {}, el("summary", {}, "All settings"), el("pre", {}, settings)));
  part.classList.add("wide");
  return part;
}

// The methods section of a paper; the button takes it as plain text, or marks it where the clipboard is closed.
function methodsPanel() {
  const { parts, references, text } = facts.methods, said = el("span", { className: "muted", role: "status" });
  const words = el("div", {}, ...parts.map(([title, told]) => el("p", {}, el("b", {}, title + ". "), told)), el("h3", {}, "References"), list(references));
  const copy = async () => {
    try { await navigator.clipboard.writeText(text); said.textContent = "Copied."; } catch {
      getSelection().selectAllChildren(words);
      said.textContent = document.execCommand("copy") ? "Copied." : "Marked; copy it with Ctrl C.";
    }
  };
  const part = panel("methods", "Methods, for a paper", el("p", {}, el("button", { type: "button", id: "methods-copy", onclick: copy }, "Copy"), " ", said),
    el("details", {}, el("summary", {}, "The text, with references"), words));
  part.classList.add("wide");
  return part;
}

function tablesPanel() {
  const rows = facts.files.map(([url, name, about]) => el("tr", {}, el("td", {}, el("a", { href: url }, name)), el("td", {}, about)));
  const each = facts.people.filter((p) => p.files.length).map((p) => el("tr", {}, el("td", {}, p.label),
    el("td", {}, ...p.files.flatMap(([url, kind]) => [el("a", { href: url, "aria-label": `${p.label}, ${kind}` }, kind.toUpperCase()), " "]))));
  return panel("tables", "Tables", el("div", { className: "scroll", tabIndex: 0 }, el("table", {}, el("tbody", {}, ...rows, ...each))));
}

function startDetails() {
  $("details").append(momentsPanel(), warningsPanel(), tablesPanel(), el("section", { className: "panel wide", id: "person-panel", "aria-label": "One person in figures" }), madePanel(), methodsPanel());
  on("people", showPerson);
  showPerson();
}
