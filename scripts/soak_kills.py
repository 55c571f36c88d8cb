"""SIGKILL at random moments of every stage; then the same command again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soak_videos
from soak_process import QUICK, Case, Ended, poseline
from soak_videos import FRAMES

from pipeline.store.parts import part_digest
from pipeline.video.index import index_video

# What is killed, from which stage the folder starts, and the commands that finish the work.
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": (),
    "run, other settings": ("--set", "observe.chunk_frames=8"),
    "track": ("--set", "track.max_gap_s=0.5"),
    "render": ("--set", "render.crf=30"),
    "people": ("--name", "1=Ann"),
    "export": ("--format", "csv"),
}
WEIGHTS = (0.4, 0.12, 0.14, 0.14, 0.1, 0.1)


def cases(folder: Path, number: int, seed: int) -> Iterator[Case]:
    """Kill, look at what is left, go on, and compare with a run that nobody disturbed."""
    rng = np.random.default_rng([seed, 1])
    clip = soak_videos.write_clips(folder / "clips")[0]
    clip = clip.rename(folder / "clip.mp4")
    log = folder / "log"
    done = _finished(folder / "done", clip, log)
    expected, times = {}, {}
    for kind in COMMANDS:  # what each leads to when nobody disturbs it, and how long it takes
        copy = folder / "whole"
        ended = _do(kind, _start(kind, done, copy, clip), clip, log)
        if ended.fault() or ended.code:
            raise SystemExit(f"{kind} does not work undisturbed: {ended.said}")
        expected[kind], times[kind] = tables(copy / "clip"), ended.seconds
        shutil.rmtree(copy)
    for n in range(number):
        kind = str(rng.choice(list(COMMANDS), p=np.array(WEIGHTS) / sum(WEIGHTS)))
        moment = float(rng.uniform(0.02, 1.0)) * times[kind]
        yield _case(f"{kind} killed at {moment:.2f} s, number {n}", kind, moment, folder, done, clip, expected[kind])


def _case(what: str, kind: str, moment: float, folder: Path, done: Path, clip: Path, expected: dict) -> Case:
    out, log = folder / "killed", folder / "log"
    shutil.rmtree(out, ignore_errors=True)
    start = _start(kind, done, out, clip)
    first = _do(kind, start, clip, log, kill_after_s=moment)
    before = parts(out / "clip")
    again = _do(kind, out, clip, log)
    if again.code == 2 and "run poseline track" in again.said:  # the edit is stored, the tables are not yet its
        again = poseline(["track", out / "clip", "-q"], log=log)
    after = parts(out / "clip")
    lost = sum(after.get(name) != stamp for name, stamp in before.items())
    left = [p.name for p in (out / "clip").rglob(".*")]
    fault = first.fault() or again.fault()
    if not fault and again.code != 0:
        fault = f"does not go on: {again.said.strip()[-200:]}"
    if not fault and lost:
        fault = f"{lost} finished parts were made again"
    if not fault and left:
        fault = f"left behind: {', '.join(left)}"
    if not fault and kind.startswith(("run", "render")) and len(index_video(out / "clip" / "annotated.mp4")) != FRAMES:
        fault = "annotated.mp4 is not whole"
    now = tables(out / "clip")
    differ = [name for name in expected if now.get(name) != expected[name]]
    if not fault and differ:
        fault = f"other bytes: {', '.join(differ)}"
    outcome = f"{kind}: {'killed' if first.killed else 'done before'}"
    return Case(what, fault, outcome, again.seconds, again.peak_bytes, lost)


def _finished(out: Path, clip: Path, log: Path) -> Path:
    ended = poseline(["run", clip, "--out", out, *QUICK], log=log)
    if ended.code:
        raise SystemExit(f"the clip does not run: {ended.said}")
    return out


def _start(kind: str, done: Path, out: Path, clip: Path) -> Path:
    """The outputs that a command finds: none, or those of a finished run."""
    if kind != "run":
        shutil.copytree(done, out)
    return out


def _do(kind: str, out: Path, clip: Path, log: Path, kill_after_s: float | None = None) -> Ended:
    command, further = kind.split(",")[0], COMMANDS[kind]
    arguments = ["run", clip, "--out", out, *QUICK, *further] if command == "run" else [command, out / "clip", *further]
    return poseline(arguments, log=log, kill_after_s=kill_after_s)


def parts(run: Path) -> dict[str, int]:
    """When each finished part was written, by the folder of its settings and its number."""
    found = run.glob("observations*/part-*.parquet")
    return {f"{part_digest(path)}/{path.name}": path.stat().st_mtime_ns for path in found}


def tables(run: Path) -> dict[str, bytes]:
    """The tables and exports of a run; run.json holds how long stages took, and H.264's bytes depend on threads."""
    kinds = ("*.parquet", "*.csv", "people/*", "edits.toml")
    return {str(p.relative_to(run)): p.read_bytes() for kind in kinds for p in run.glob(kind) if p.is_file()}
