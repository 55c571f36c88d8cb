"""Sentences about the video, the networks, who is who, and the software."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from pipeline.core.config import Config
from pipeline.core.names import shown_name
from pipeline.core.version import VERSION
from pipeline.report.methods_facts import RunFacts, capital, count, listed, number, spread
from pipeline.report.methods_sources import AUTHORS, EMBEDDED, FILES, POINTS

# Settings of which the text tells elsewhere, or that change no result.
_TOLD = {
    "observe.chunk_frames", "observe.detect_every_s", "observe.detect_apart_s", "observe.reid", "detect.name",
    "detect.score", "pose.name", "track.max_gap_s", "track.people", "track.min_length_s", "track.min_mean_score",
    "track.min_coverage", "lift.name", "lift.fov_deg",
}  # fmt: skip
_NEXT = 1.5  # frames: people are looked for in the frame that is nearest to the time at which they are due
_PACKAGES = {
    "python": "Python", "numpy": "NumPy", "scipy": "SciPy", "onnxruntime": "ONNX Runtime", "torch": "PyTorch",
    "mmengine": "MMEngine", "mmdet": "MMDetection", "mmpose": "MMPose", "opencv-python-headless": "OpenCV",
    "av": "PyAV", "decord2": "decord2", "pyarrow": "PyArrow", "lap": "lap",
}  # fmt: skip


def video(facts: RunFacts) -> list[str]:
    """What was analysed, and the clock."""
    told, (low, high) = facts.video, facts.manifest["frames_observed"]
    size = f"{told['width_px']} × {told['height_px']} px"
    rate = f"{number(facts.fps)} frames/s"
    time, out = facts.manifest.get("time"), []
    if facts.live:
        out.append(f"{count(high - low, 'frame')} of a live stream ({size}, about {rate}) were analysed as they came.")
    else:
        kind = f", {told['codec']}" if told.get("codec") else ""
        played = "" if time is None else f", played at {number(_ratio(time['played_fps']))} frames/s"
        name = f"the video {shown_name(told['path'])}" if told.get("path") else "a video"
        what = f"{name} ({size}, {rate}{played}{kind})"
        if told.get("kind") == "photo":
            what = f"the photograph {shown_name(told['path'])} ({size})"
        out.append(f"{capital(what)} was analysed.")
        if (low, high) != (0, told["frames"]):
            out.append(f"Of its {told['frames']} frames, those from {low + 1} to {high} were used.")
        else:
            out.append(f"All {count(high, 'frame')} were used." if high > 1 else "")
    if time is not None:
        one = number(time["real_s_per_video_s"])
        out.append(
            f"It was recorded at {rate}, so that a second of the video took {one} s; times, velocities and"
            f" frequencies are"
            " in real seconds."
        )
    elif told.get("kind") in ("file", "live"):
        out.append("Each frame had a time of its own; no time was derived from a frame rate.")
    return [capital(sentence) for sentence in out if sentence]


def _ratio(text: Any) -> float:
    top, _, bottom = str(text).partition("/")
    return float(top) / float(bottom or 1)


def estimation(facts: RunFacts) -> list[str]:
    """How people were found, and their keypoints."""
    detector, pose = facts.setting("detect", "name"), facts.setting("pose", "name")
    points = facts.manifest.get("keypoints") or {}
    of = POINTS.get(points.get("name", ""), points.get("name", ""))
    many = (
        f"{count(len(points['names']), 'keypoint')}{f' ({of})' if of else ''}" if points.get("names") else "keypoints"
    )
    out = []
    if not pose:
        out.append(f"Each person's pose was described by {many}.")
    elif detector and _used(facts, detector):
        out += [_search(facts, detector), f"In every frame, each person's pose was estimated as {many} with"]
        out[-1] += f" {_network(facts, 'pose', pose, 'MMPose')}."
    else:
        out.append(
            f"In every frame, people and their poses, {many}, were found together by"
            f" {_network(facts, 'pose', pose, 'MMPose')}."
        )
    random = [key for key, value in _networks(facts).items() if str(value).startswith("random")]
    if random:
        out.append("The weights of these networks were random numbers, so that the results mean nothing.")
    return out


def _search(facts: RunFacts, detector: str) -> str:
    every, score = facts.setting("observe", "detect_every_s"), facts.setting("detect", "score")
    fps, apart_s = _ratio(facts.video["fps"]), facts.setting("observe", "detect_apart_s")
    always = every is not None and every * fps <= _NEXT
    seldom = bool(every) and apart_s is not None and apart_s > every and apart_s * fps > _NEXT
    clock = " of the video as it plays" if facts.manifest.get("time") is not None else ""
    when = "" if every is None else " in every frame" if always else f" every {number(every)} s{clock}"
    when += f", and every {number(apart_s)} s where all were surely seen and stood apart," if seldom else ""
    least = "" if score is None else f" at scores of {number(score)} and more"
    between = (
        "" if every is None or (always and not seldom) else "; in between, boxes moved with the people's own keypoints"
    )
    return f"People were looked for{when}{least} by {_network(facts, 'detector', detector, 'MMDetection')}{between}."


def _networks(facts: RunFacts) -> dict[str, Any]:
    lifter = (facts.manifest.get("lifter") or {}).get("networks") or {}
    return {**(facts.manifest.get("networks") or {}), **lifter}


def _used(facts: RunFacts, name: str) -> bool:
    """Whether a detector ran: networks that find people and poses together need none, and then run.json has no"
    " digest."""
    networks = facts.manifest.get("networks")
    if not networks:
        return True
    prefix, colon, reference = name.partition(":")
    if name in EMBEDDED:
        return EMBEDDED[name][0] in networks
    if colon and prefix == "onnx":
        file = PurePath(reference).name
        return file in networks or f"detector {file}" in networks
    return not colon or any(str(key).startswith(f"{prefix}:") for key in networks)


def _network(facts: RunFacts, role: str, name: str, zoo: str) -> str:
    """A network in words, with the digests that run.json has; files of one name have the role before it there."""
    digests = _networks(facts)
    digests |= {key.removeprefix(f"{role} "): value for key, value in digests.items() if key.startswith(f"{role} ")}
    prefix, colon, reference = name.partition(":")
    if name in EMBEDDED:
        known = [(FILES[file], _digest({file: digests.get(file)})) for file in EMBEDDED[name]]
        return listed(f"{w.name} ({'; '.join(filter(None, (f'[={w.cites}]', w.origin, told)))})" for w, told in known)
    if colon and prefix == "onnx":
        file = PurePath(reference).name
        told = f"SHA-256 {digests[file]}…" if digests.get(file) else ""
        return f"the network of the file {file}{f' ({told})' if told else ''}"
    if colon and prefix in ("mmdet", "mmpose"):
        stem = PurePath(reference.partition("@")[0]).stem
        key = f"{prefix}:{stem}"
        told = _digest({"configuration": digests.get(key), "weights": digests.get(f"{key} weights")}, "")
        return f"the network {stem} of {zoo}{f' ({told})' if told else ''}"
    told = _digest({f"{name}.onnx": digests.get(f"{name}.onnx")})  # a network kept by name
    return f"the network {name}{f' ({told})' if told else ''}"


def _digest(digests: Mapping[str, Any], what: str = "file ") -> str:
    known = [f"{what}{name}, SHA-256 {value}…" for name, value in digests.items() if value]
    return "; ".join(text for text in known if "random" not in text)


def people(facts: RunFacts) -> list[str]:
    """How detections became people, and how many they are."""
    out = [_tracker(facts)]
    least, score, share = (facts.setting("track", key) for key in ("min_length_s", "min_mean_score", "min_coverage"))
    offline = not facts.live or _tracked(facts)
    if None not in (least, score, share) and offline:
        out.append(
            f"People seen over less than {number(least)} s (or half of the video, if that was shorter), in less than"
            f" {number(100 * share)} % of the frames from their first to their last one, or with a mean score below"
            f" {number(score)} were left out."
        )
    if given := facts.setting("track", "people"):
        out.append(f"The number of people, {given}, was given.")
    edits = [edit for edit in facts.manifest.get("edits") or [] if not str(edit).startswith("name ")]
    done = len(edits) - len(facts.manifest.get("edits_skipped") or [])
    if done > 0:
        out.append(f"Identities were then corrected by hand ({count(done, 'edit')}, listed in run.json).")
    return [*filter(None, out), *_who(facts)]


def _who(facts: RunFacts) -> list[str]:
    if not facts.people:
        return ["Nobody was found."]
    lasted = [float(p["duration_s"]) for p in facts.people if p.get("duration_s") is not None]
    during = f", over {spread(lasted, 's')}" if lasted else ""
    out = [f"{capital(count(len(facts.people), 'person', 'people'))} {_was(len(facts.people))} followed{during}."]
    doubts = sum(bool(p.get("suspicious")) for p in facts.people)
    if doubts:
        out.append(f"The identity of {count(doubts, 'person', 'people')} was in doubt at times that people.csv lists.")
    if facts.drawn:
        blur = (facts.manifest.get("rendered_privacy") or {}).get("blur")
        hidden = {"faces": "faces were", "people": "people were"}.get(blur or "")
        out += [f"In the annotated video, {hidden} made unrecognisable."] if hidden else []
    return out


def _was(n: int) -> str:
    return "was" if n == 1 else "were"


def _tracked(facts: RunFacts) -> bool:
    """Whether identities come from the pass over the whole recording, also of what was once a live segment."""
    return "track" in (facts.manifest.get("stages_s") or {})


def _tracker(facts: RunFacts) -> str:
    clothes, camera, relink = (facts.setting("track", key) for key in ("appearance", "camera", "relink"))
    if clothes is None and camera is None and relink is None:
        return ""
    by = ["their keypoints and boxes", "their predicted motion"]
    reid = facts.setting("observe", "reid")
    if reid and reid != "none":
        by.append(f"their looks by {_network(facts, 'reid', reid, '')}")
    elif clothes:
        by.append("the colours of their clothes")
    after = ", after motion of the camera had been taken out" if camera else ""
    text = (
        f"Detections were joined to people frame by frame, by an optimal assignment that compared {listed(by)}{after}"
    )
    if facts.live and not _tracked(facts):
        return f"{text}; what came later was not used."
    if relink:
        return (
            f"{text}; with the whole recording at hand, exchanges of identities were then undone, and people found"
            f" again"
            " after absences."
        )
    return f"{text}."


def software(facts: RunFacts) -> list[str]:
    """Versions, settings that are not the usual ones, the digest of all."""
    versions, later = facts.manifest.get("versions") or {}, facts.manifest.get("table_versions") or {}
    out = []
    if facts.version:
        out.append(
            f"The analysis was done with poseline {facts.version} ({'; '.join([AUTHORS, *_packages(versions)])})."
        )
    changed = {key: value for key, value in later.items() if key in versions and value != versions[key]}
    if changed:
        own = f"poseline {changed.pop('poseline')}" if "poseline" in changed else "other versions"
        own += f" ({packages[0]})" if (packages := _packages(changed)) else ""
        out.append(f"Everything after pose estimation was done with {own}.")
    different = _different(facts)
    if different:
        base = "the defaults" if facts.version == VERSION else f"the defaults of poseline {VERSION}"
        out.append(f"Settings that differed from {base}: {'; '.join(different)}.")
    elif facts.version == VERSION and facts.manifest.get("config"):
        out.append("All settings not named here were the defaults.")
    if digest := facts.manifest.get("config_digest"):
        out.append(f"The digest of all settings was {digest}.")
    return out


def _packages(versions: Mapping[str, Any]) -> list[str]:
    """The packages of these versions as one text; none without any."""
    told = {key: str(versions.get(key, "not installed")) for key in _PACKAGES}
    known = [f"{_PACKAGES[key]} {version}" for key, version in told.items() if version != "not installed"]
    return [listed(known)] if known else []


def _different(facts: RunFacts) -> list[str]:
    usual = Config().model_dump(mode="json")
    sections: Iterable[str] = ("observe", "detect", "pose", "track", "lift")
    out = []
    for section in sections:
        for key, value in (facts.manifest.get("config") or {}).get(section, {}).items():
            name = f"{section}.{key}"
            if name not in _TOLD and key in usual[section] and value != usual[section][key]:
                out.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    return out
