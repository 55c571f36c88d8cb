"""What a download shows: a bar with sizes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from pipeline.core.errors import one_line
from pipeline.models.catalogue import megabytes
from pipeline.models.download import Transfer


class TransferLines(Transfer):
    """Plain lines, at most one every ten seconds, on standard error."""

    every_s = 10.0

    def __init__(self) -> None:
        self._name, self._total, self._done, self._told = "", 0, 0, 0.0

    def begin(self, name: str, total: int, done: int) -> None:
        self._name, self._total, self._done, self._told = name, total, done, time.monotonic()
        there = f", {megabytes(done)} there already" if done else ""
        self.say(f"{name}: {megabytes(total) or 'of unknown size'}{there}")

    def advance(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._told >= self.every_s:
            self._told = now
            of = f" of {megabytes(self._total)}" if self._total else ""
            self.say(f"{self._name}: {megabytes(self._done)}{of}")

    def say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the output is closed
            print(one_line(line), file=sys.stderr, flush=True)


class TransferBar(Transfer):
    """A bar with sizes and speed."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._rich: Any = Progress(*columns, console=Console(stderr=True))
        self._task: Any = None
        self._rich.start()

    def begin(self, name: str, total: int, done: int) -> None:
        if self._task is not None:
            self._rich.remove_task(self._task)
        self._task = self._rich.add_task(one_line(name), total=total or None, completed=done)

    def advance(self, count: int) -> None:
        self._rich.advance(self._task, count)

    def say(self, line: str) -> None:
        self._rich.console.print(one_line(line), highlight=False, markup=False)

    def close(self) -> None:
        self._rich.stop()


def transfer(quiet: bool) -> Transfer:
    """The display for this terminal."""
    if quiet:
        return Transfer()
    return TransferBar() if sys.stderr.isatty() else TransferLines()
