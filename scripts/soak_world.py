"""What the world does to a run: disks that fill, go read-only or away, a second run, signals."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soak_kills
import soak_videos
from soak_process import QUICK, Case, Ended, outcome, poseline

ROUNDS = 4  # of each kind


class World:
    """A clip, its tables when nobody disturbs them, and a place to run."""

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self.folder, self.rng, self.log = folder, rng, folder / "log"
        self.clip = soak_videos.write_clips(folder / "clips")[0].rename(folder / "clip.mp4")
        whole = self.run(folder / "whole")
        if whole.code:
            raise SystemExit(f"the clip does not run: {whole.said}")
        self.seconds, self.expected = whole.seconds, soak_kills.tables(folder / "whole" / "clip")

    def run(self, out: Path, log: Path | None = None, **options: object) -> Ended:
        return poseline(["run", self.clip, "--out", out, *QUICK], log=log or self.log, **options)  # type: ignore[arg-type]

    def case(self, what: str, ended: Ended, out: Path, wrong: str, goes_on: bool = True) -> Case:
        """The run again, undisturbed: what was finished is not made again, and the tables are those expected."""
        before = soak_kills.parts(out / "clip")
        again = self.run(out) if goes_on else ended
        after = soak_kills.parts(out / "clip")
        lost = sum(after.get(name) != stamp for name, stamp in before.items())
        if not wrong and again.code:
            wrong = f"does not go on: {again.said.strip()[-200:]}"
        if not wrong and soak_kills.tables(out / "clip") != self.expected:
            wrong = "other bytes"
        if not wrong and lost:
            wrong = f"{lost} finished parts were made again"
        return Case(what, wrong, f"{what}: {outcome(ended)}", ended.seconds, ended.peak_bytes, lost)


def cases(folder: Path, number: int, seed: int) -> Iterator[Case]:
    """`ROUNDS` of each; ``number`` is not used."""
    world = World(folder, np.random.default_rng([seed, 3]))
    for kind in (_full, _file_limit, _read_only, _vanished, _two, _signals):
        for _ in range(ROUNDS):
            out = folder / "out"
            yield kind(world, out)
            shutil.rmtree(out, ignore_errors=True)


def _said(ended: Ended, *words: str) -> str:
    """What is wrong with how it ended: it should have said one of the words, with status 2."""
    if ended.fault():
        return ended.fault()
    good = ended.code == 2 and any(word in ended.said for word in words)
    return "" if good else f"status {ended.code}: {ended.said.strip()[-200:]}"


def _mounted(out: Path, size: str) -> bool:
    out.mkdir(parents=True, exist_ok=True)
    return os.geteuid() == 0 and _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(out))


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0


def _full(world: World, out: Path) -> Case:
    """The disk is full, and has room again."""
    if not _mounted(out, f"{int(world.rng.integers(40, 220))}k"):
        return Case("disk full", "", "disk full: not tried, no rights to mount")
    try:
        ended = world.run(out)
        wrong = _said(ended, "disk is full")
        _mount("-o", "remount,size=64m", str(out))
        return world.case("disk full", ended, out, wrong)
    finally:
        subprocess.run(["umount", str(out)], check=True)


def _file_limit(world: World, out: Path) -> Case:
    """No file may grow beyond a limit."""
    limit = int(world.rng.integers(3, 40)) << 10
    ended = world.run(out, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    return world.case("file limit", ended, out, _said(ended, "cannot be written", "File too large"))


def _read_only(world: World, out: Path) -> Case:
    if not _mounted(out, "64m"):
        return Case("read-only", "", "read-only: not tried, no rights to mount")
    try:
        world.run(out, kill_after_s=float(world.rng.uniform(0, 1)) * world.seconds)
        if not _mount("-o", "remount,ro", str(out)):
            return Case("read-only", "", "read-only: not tried, no rights to mount")
        again = world.run(out)
        wrong = _said(again, "may not be written to")
        _mount("-o", "remount,rw", str(out))
        return world.case("read-only", again, out, wrong)
    finally:
        subprocess.run(["umount", str(out)], check=True)


def _vanished(world: World, out: Path) -> Case:
    """Somebody deletes the output folder while it is filled."""
    when = float(world.rng.uniform(0.1, 0.9)) * world.seconds
    ended = world.run(out, meanwhile=_at(when, lambda: shutil.rmtree(out, ignore_errors=True)))
    return world.case("vanished", ended, out, ended.fault())


def _two(world: World, out: Path) -> Case:
    """A second run in the same folder, and one behind it, whose owner was killed."""
    second: list[Ended] = []

    def start() -> None:
        if not second and (out / "clip" / "observations" / "part-00000.parquet").exists():
            second.append(world.run(out, log=world.folder / "log2"))

    ended = world.run(out, meanwhile=start)
    if not second:
        return Case("two at once", "the first was done too early", "two at once: not tried")
    wrong = ended.fault() or _said(second[0], "another poseline")
    return world.case("two at once", second[0], out, wrong)


def _signals(world: World, out: Path) -> Case:
    """Ctrl-C once or twice, an end asked for, a terminal closed: a line, the signal's status, and it goes on."""
    number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[int(world.rng.integers(3))]
    twice = bool(world.rng.random() < 0.5)
    part = out / "clip" / "observations" / f"part-{int(world.rng.integers(6)):05d}.parquet"
    sent: list[float] = []

    def send() -> None:
        if not sent and part.exists():
            sent.append(time.monotonic())
            os.kill(_child(), number)
            if twice:
                time.sleep(0.01)
                os.kill(_child(), number)

    ended = world.run(out, meanwhile=send)
    good = not sent or ended.code == 0 or (ended.code == 128 + number and "poseline: stopped" in ended.said)
    wrong = "" if good and "Traceback" not in ended.said else f"status {ended.code}: {ended.said.strip()[-200:]}"
    return world.case(number.name + (" twice" if twice else ""), ended, out, wrong)


def _at(seconds: float, act: Callable[[], object]) -> Callable[[], None]:
    """Something to call often, which acts once, so long after the first call."""
    state: list[float] = []

    def look() -> None:
        if not state:
            state.append(time.monotonic() + seconds)
        if len(state) == 1 and time.monotonic() >= state[0]:
            state.append(0.0)
            act()

    return look


def _child() -> int:
    import soak_process

    return soak_process.current
