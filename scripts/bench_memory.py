"""Memory of a long run over time: a clip, or what was observed of one, repeated to so many hours."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.store.folder import RunFolder
from pipeline.store.index import read_index, write_index
from pipeline.store.index import stored_video as stored
from pipeline.store.manifest import Manifest
from pipeline.store.parts import read_part, write_part

EVERY_S = 0.5  # between two looks
# The cheapest that still sees people: what is measured is what stays, not how well it sees.
CHEAP = (
    "detect.pixels=36864",
    "observe.detect_every_s=0.5",
    "observe.chunk_frames=128",
)


def measure(
    clip: Path, hours: float, fps: float, sets: list[str], render: bool, engine: list[str], folder: Path | None
) -> None:
    """Run poseline on the clip, or with a run folder its later stages, and print the memory of each stage."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        work = Path(made)
        if clip.is_dir():
            command = ["track", str(repeat_observations(RunFolder.existing(clip), hours, work / "run"))]
        else:
            video = repeat_clip(clip, hours, Fraction(fps).limit_denominator(1001), work / f"long{clip.suffix}")
            command = ["run", str(video), "--out", str(work / "out"), *engine, *(f"--set={s}" for s in [*CHEAP, *sets])]
            command += [] if render else ["--no-render"]
        report(*watched([sys.executable, "-m", "pipeline.cli", *command]))
        manifest = next(work.glob("*/run.json"), None) or next(work.glob("out/*/run.json"))
        facts = json.loads(manifest.read_text())
        low, high = facts["frames_observed"]
        print(f"{high - low} frames, {facts['people']} people, {facts['rows']} rows, stages {facts['stages_s']}")


def repeat_clip(clip: Path, hours: float, fps: Fraction, out: Path) -> Path:
    """The packets of the clip again and again, without encoding, at ``fps`` frames a second."""
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        packets = [p for p in source.demux(stream) if p.size]
        shown = np.argsort(np.argsort([p.pts if p.pts is not None else i for i, p in enumerate(packets)]))
        delay = int(np.max(np.arange(len(packets)) - shown))
        with av.open(str(out.with_suffix(".mp4")), "w") as target:
            copy = target.add_stream_from_template(stream, opaque=True)
            copy.time_base = 1 / fps
            for turn in range(max(1, round(hours * 3600 * fps / len(packets)))):
                for i, packet in enumerate(packets):
                    again = av.Packet(bytes(packet))
                    again.is_keyframe, again.stream, again.time_base = packet.is_keyframe, copy, 1 / fps
                    again.dts, again.pts = turn * len(packets) + i, turn * len(packets) + int(shown[i]) + delay
                    again.duration = 1
                    target.mux(again)
    return out.with_suffix(".mp4")


def repeat_observations(run: RunFolder, hours: float, out: Path) -> Path:
    """A run folder with the observations of ``run`` again and again, as if the video had been so long."""
    info, manifest, copy = stored(run), run.manifest(), RunFolder(out)
    pts, time_s, is_key = read_index(run)
    step_s, step = float(np.median(np.diff(time_s))), int(np.median(np.diff(pts)))
    span_s, span, n = time_s[-1] - time_s[0] + step_s, int(pts[-1] - pts[0]) + step, len(pts)
    turns = max(1, round(hours * 3600 / span_s))
    info = replace(
        info,
        pts=np.concatenate([pts + t * span for t in range(turns)]),
        time_s=np.concatenate([time_s + t * span_s for t in range(turns)]),
        is_key=np.tile(is_key, turns),
    )
    write_index(copy, info)
    number = 0
    for turn in range(turns):
        for path in run.parts():
            obs = read_part(path)
            first, last = int(obs.frame[0]), int(obs.frame[-1])
            shift = turn * n
            obs = replace(obs, frame=obs.frame + shift)
            write_part(copy.part(number), obs, (first + shift, last + 1 + shift), manifest["observe_digest"], [])
            number += 1
    manifest |= {"frames_observed": [0, n * turns], "video": {**manifest["video"], "frames": n * turns}}
    copy.write_manifest(Manifest(manifest))
    return out


def watched(command: list[str]) -> tuple[list[tuple[float, float]], list[tuple[float, str]]]:
    """Run it: (seconds, MB of it and its children) over time, and (seconds, stage) as stages begin."""
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1], stderr=subprocess.PIPE, text=True)
    stages = [(0.0, "start")]
    said: list[str] = []

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            name = line.split(":")[0]
            if name in ("observe", "track", "people", "render") and name != stages[-1][1]:
                stages.append((time.monotonic() - start, name))

    threading.Thread(target=listen, daemon=True).start()
    samples = []
    while process.poll() is None:
        samples.append((time.monotonic() - start, resident_mb(process.pid)))
        time.sleep(EVERY_S)
    if process.returncode:
        raise SystemExit("".join(said[-3:]))
    return samples, stages


def resident_mb(process: int) -> float:
    """Resident memory of a process and those below it; 0 when it is gone."""
    total, level = 0.0, [process]
    while level:
        following: list[int] = []
        for one in level:
            try:
                pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
                for task in Path(f"/proc/{one}/task").iterdir():
                    following += map(int, (task / "children").read_text().split())
            except (OSError, ValueError, IndexError):
                continue
            total += pages * 4096 / 1e6
        level = following
    return total


def report(samples: list[tuple[float, float]], stages: list[tuple[float, str]]) -> None:
    """Print each stage's memory, that of the first and the last minute of observing, and the peaks before and after."""
    at, mb = np.array(samples).T
    ends = [begin for begin, _ in stages[1:]] + [at[-1] + 1]
    print(f"{'stage':10} {'s':>7} {'median MB':>10} {'peak MB':>8}")
    for (begin, name), end in zip(stages, ends, strict=True):
        here = mb[(at >= begin) & (at < end)]
        if len(here):
            print(f"{name:10} {end - begin:7.0f} {np.median(here):10.0f} {here.max():8.0f}")
    begin = next((b for b, name in stages if name == "observe"), 0.0)
    end = next((e for (_, name), e in zip(stages, ends, strict=True) if name == "observe"), at[-1])
    minute = min(60.0, (end - begin) / 3)
    first = mb[(at >= begin + 0.5 * minute) & (at < begin + minute)]
    last = mb[(at >= end - minute) & (at < end)]
    change = 100 * (np.median(last) / np.median(first) - 1)
    print(f"end of the first {minute:.0f} s of observing {np.median(first):.0f} MB,", end=" ")
    print(f"its last {minute:.0f} s {np.median(last):.0f} MB: {change:+.1f} %")
    early, late = mb[at < begin + minute].max(), mb[at >= begin + minute].max()
    print(f"peak up to then {early:.0f} MB, of all that follows {late:.0f} MB: {100 * (late / early - 1):+.1f} %")
    curve = [f"{np.median(part):.0f}" for part in np.array_split(mb[(at >= begin) & (at < end)], 12) if len(part)]
    print(f"observing, in twelfths: {' '.join(curve)} MB")
