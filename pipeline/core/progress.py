"""Progress messages of a run: none, plain lines, or a bar on a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from pipeline.core.clock import clock
from pipeline.core.errors import one_line
from pipeline.core.words import counted


class Progress:
    """Shows nothing. ``start`` begins a stage of ``total`` frames, of which ``done`` frames are done already."""

    def start(self, stage: str, total: int, done: int) -> None:
        """A stage begins."""

    def more(self, stage: str, total: int, done: int) -> None:
        """The current stage grows by ``total`` frames, of which ``done`` frames are done already."""

    def advance(self, frames: int) -> None:
        """``frames`` more frames are done."""

    def people(self, per_frame: float) -> None:
        """The mean number of clearly seen people in the last chunk's frames."""

    def stage(self, name: str, done: int) -> None:
        """A stage with a count of its own: its name and the count reached."""

    def say(self, line: str) -> None:
        """One line the user should read."""

    def close(self) -> None:
        """Ends the progress display."""


class Silent(Progress):
    """Says nothing."""


class Lines(Progress):
    """Plain lines, at most one every ten seconds, on standard error: for logs and pipes."""

    every_s = 10.0

    def __init__(self) -> None:
        self._stage, self._total, self._done, self._first, self._people = "", 0, 0, 0, float("nan")
        self._began = self._told = time.monotonic()

    def start(self, stage: str, total: int, done: int) -> None:
        self._begin(stage, total, done)
        self.say(f"{stage}: {counted(total, 'frame')}" + (f", {done} there already" if done else ""))

    def _begin(self, stage: str, total: int, done: int) -> None:
        self._stage, self._total, self._done, self._first, self._people = stage, total, done, done, float("nan")
        self._began = self._told = time.monotonic()

    def more(self, stage: str, total: int, done: int) -> None:
        self._total, self._done, self._first = self._total + total, self._done + done, self._first + done

    def advance(self, frames: int) -> None:
        self._done += frames
        now = time.monotonic()
        if now - self._told >= self.every_s or self._done >= self._total:
            self._told = now
            self.say(f"{self._stage}: {self._done}/{counted(self._total, 'frame')}, {self.status()}")

    def people(self, per_frame: float) -> None:
        self._people = per_frame

    def status(self) -> str:
        """Frames per second, people and time left."""
        rate = (self._done - self._first) / max(time.monotonic() - self._began, 1e-6)
        people = f", {self._people:.1f} people a frame" if self._people == self._people else ""
        left = (self._total - self._done) / rate if rate > 0 else 0
        return f"{rate:.1f} frames/s{people}, {clock(left, hours=False)} left"

    def say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the output is closed; the run goes on all the same
            print(one_line(line), file=sys.stderr, flush=True)


class Bar(Lines):
    """A bar on a terminal."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._rich: Any = RichProgress(
            TextColumn("{task.description:8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            console=Console(stderr=True),
        )
        self._task: Any = None
        self._rich.start()

    def start(self, stage: str, total: int, done: int) -> None:
        self._begin(stage, total, done)
        self._task = self._rich.add_task(stage, total=total, completed=done, status="")

    def more(self, stage: str, total: int, done: int) -> None:
        super().more(stage, total, done)
        self._rich.update(self._task, total=self._total, completed=self._done)

    def advance(self, frames: int) -> None:
        self._done += frames
        self._rich.update(self._task, completed=self._done, status=self.status())

    def stage(self, name: str, done: int) -> None:
        if name == "track":
            self._rich.update(self._task, completed=done)
        else:
            self._rich.update(self._task, completed=self._total, status=counted(done, "person", "people"))

    def say(self, line: str) -> None:
        self._rich.console.print(one_line(line), highlight=False, markup=False)

    def close(self) -> None:
        self._rich.stop()


class WallClock:
    """Seconds of wall time since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def seconds(self) -> float:
        return round(time.perf_counter() - self._began, 3)
