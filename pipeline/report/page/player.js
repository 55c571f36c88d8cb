// The video follows the clock and drives it; without a video the clock runs by itself.

let video = null;

function note(text) {
  $("video-note").textContent = text;
  $("video-note").hidden = !text;
}

function noVideo(text) {
  video = null;
  $("screen").replaceChildren(el("p", { className: "none" }, text));
  $("full").hidden = $("mute").hidden = true;
}

const toVideo = (frame) => {
  // The middle of the frame's time, so that rounding never shows a neighbour.
  const length = frame + 1 < times.length ? times[frame + 1] - times[frame] : 0.001;
  return times[frame] - facts.video.at_zero_s + Math.min(0.5 * length, 0.02);
};
const fromVideo = (s) => frameAt(s + facts.video.at_zero_s);

function startVideo() {
  const v = facts.video, remedy = "poseline render on this folder draws annotated.mp4.";
  if (!v.src) return noVideo(`No video lies beside this report. Everything else works; ${remedy}`);
  if (v.kind === "source") note(`This is the source, without anything drawn in; ${remedy}`);
  else if (facts.stale) note("The tables have changed since the video was drawn; poseline render on this folder draws it again.");
  if (v.still) {
    $("screen").replaceChildren(el("img", { src: v.src, alt: v.name }));
    $("full").hidden = $("mute").hidden = true;
    return;
  }
  video = el("video", { src: v.src, preload: "auto", playsInline: true, tabIndex: -1, "aria-label": v.name });
  video.addEventListener("error", () => {
    note("");
    noVideo(`${v.kind === "source" ? v.name : "annotated.mp4"} is not there, or this browser cannot play it. Everything else works; ${remedy}`);
  });
  video.addEventListener("click", toggle);
  for (const event of ["play", "pause", "ended"]) video.addEventListener(event, () => setPlaying(video && !video.paused && !video.ended));
  $("screen").replaceChildren(video);
  $("mute").hidden = !v.has_audio;
  followVideo(video);
}

// The time of the picture that is on the screen, exact for a variable frame rate, too.
function followVideo(v) {
  let wanted = null; // the frame to seek to once the last seek has ended
  const go = () => {
    v.currentTime = toVideo(wanted);
    wanted = null;
  };
  const follow = (s) => {
    if (v !== video || wanted !== null || v.seeking || v.paused) return;
    setFrame(fromVideo(s));
  };
  on("seek", () => {
    if (v !== video) return;
    wanted = now.frame;
    if (!v.seeking && v.readyState) go();
  });
  v.addEventListener("seeked", () => wanted !== null && go());
  v.addEventListener("loadedmetadata", () => { wanted = now.frame; go(); });
  if (v.requestVideoFrameCallback) {
    const shown = (_, data) => {
      v.dataset.mediaTime = data.mediaTime;
      follow(data.mediaTime);
      v.requestVideoFrameCallback(shown);
    };
    v.requestVideoFrameCallback(shown);
  } else {
    const tick = () => {
      if (v === video && !v.paused) setFrame(Math.max(atOrBefore(times, v.currentTime + facts.video.at_zero_s), low));
      requestAnimationFrame(tick);
    };
    tick();
  }
}

function setPlaying(playing) {
  now.playing = playing;
  $("play").classList.toggle("on", playing);
  $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
}

function toggle() {
  const fromStart = now.frame >= high - 1;
  if (!now.playing && fromStart) seekFrame(low);
  if (video) {
    if (now.playing) video.pause(); else video.play().catch(() => {});
  } else {
    setPlaying(!now.playing);
    if (now.playing) runAlone();
  }
}

function runAlone() {
  let at = timeNow(), last = performance.now(), frame = now.frame;
  const tick = (stamp) => {
    if (!now.playing || video) return;
    if (now.frame !== frame) at = timeNow(); // another part of the page has set the time
    at += ((stamp - last) / 1000) * Number($("rate").value);
    last = stamp;
    setFrame(Math.max(atOrBefore(times, at), low));
    frame = now.frame;
    if (at >= lastTime()) return setPlaying(false);
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

function step(by) {
  if (now.playing) toggle();
  seekFrame(now.frame + by);
}

function startPlayer() {
  startVideo();
  Object.assign($("position"), { min: firstTime(), max: lastTime(), value: firstTime() });
  $("position").addEventListener("input", () => seek(Number($("position").value)));
  $("play").addEventListener("click", toggle);
  $("back").addEventListener("click", () => step(-1));
  $("forth").addEventListener("click", () => step(1));
  $("rate").addEventListener("change", () => video && (video.playbackRate = Number($("rate").value)));
  $("mute").addEventListener("click", () => {
    video.muted = !video.muted;
    $("mute").setAttribute("aria-pressed", video.muted);
  });
  $("full").addEventListener("click", () => video && video.requestFullscreen());
  $("help").addEventListener("click", () => $("keys").showModal());
  on("frame", showTime);
  showTime();
}

function showTime() {
  $("position").value = timeNow();
  $("position").setAttribute("aria-valuetext", clockText(timeNow()));
  $("time").replaceChildren(el("b", {}, clockText(timeNow())), el("span", { className: "more" }, ` / ${clockText(lastTime())} · frame ${now.frame}`));
  document.documentElement.dataset.frame = now.frame;
}

const KEYS = {
  " ": toggle, k: toggle, ",": () => step(-1), ".": () => step(1), Home: () => seekFrame(low), End: () => seekFrame(high - 1),
  "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": showAll, "?": () => $("keys").showModal(),
  f: () => video && video.requestFullscreen(), "[": () => changeRate(-1), "]": () => changeRate(1),
};

function changeRate(by) {
  const rate = $("rate"), next = rate.selectedIndex + by;
  if (next < 0 || next >= rate.options.length) return;
  rate.selectedIndex = next;
  rate.dispatchEvent(new Event("change"));
}

function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || $("keys").open) return;
    const at = event.target, kind = at.tagName;
    const typing = kind === "SELECT" || kind === "TEXTAREA" || (kind === "INPUT" && at.type === "search");
    const ownSpace = event.key === " " && (kind === "BUTTON" || kind === "SUMMARY" || kind === "A" || at.type === "checkbox");
    if (typing || ownSpace) return;
    let act = KEYS[event.key];
    if (event.key === "ArrowLeft" || event.key === "ArrowRight")
      act = () => seek(timeNow() + (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
    if (!act) return;
    event.preventDefault();
    act();
  });
}
