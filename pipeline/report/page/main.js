// Puts the parts together; <html data-ready> marks that the first view is drawn completely.

function report(error) {
  console.error(error);
  document.documentElement.dataset.failed = String(error);
}

function writeHead() {
  const v = facts.video, [top, bottom = 1] = v.fps.split("/").map(Number), rate = top / bottom;
  $("title").textContent = v.name;
  $("summary").textContent = [`${people.size} ${people.size === 1 ? "person" : "people"}`, clockText(lastTime() - firstTime(), 1),
    `${v.width_px} × ${v.height_px}`, `${+rate.toFixed(2)} frames/s`,
    facts.recorded_fps && `recorded at ${+facts.recorded_fps.toFixed(2)} frames/s: one second here is ${+facts.pace.toPrecision(4)} real seconds; figures are real, times here the video's`, v.codec].filter(Boolean).join(" · ");
  // A tall picture needs less of the width than a wide one.
  $("stage").style.setProperty("--wide", `${Math.min(Math.max((1.15 * v.width_px) / v.height_px, 1), 2)}fr`);
}

function startTheme() {
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem("poseline-theme"); } catch { return null; } };
  if (stored()) root.dataset.theme = stored();
  $("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("poseline-theme", root.dataset.theme); } catch { /* a page from disk may not keep it */ }
    emit("theme");
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => emit("theme"));
}

async function start() {
  unpackedLibrary().catch(report);
  await startClock();
  startTheme();
  writeHead();
  startPlayer();
  startKeys();
  startTimeline();
  startDetails();
  const [paths] = await Promise.all([startMap(), startPicker()]);
  await startSpace(paths);
  await startCurves();
  window.addEventListener("resize", lazily(() => emit("size")));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  document.documentElement.dataset.ready = Math.round(performance.now());
}

start().catch(report);
