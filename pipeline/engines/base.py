"""What engines have in common: the options, the jobs they get, what they give back, and how cores are divided.

An engine is a map over videos. Observing is a pure function of video, chunk, networks and settings, so every engine
leaves the same bytes in the run folders, in whatever order the chunks are done and however often one is done again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Progress
from pipeline.core.types import VideoInfo
from pipeline.observe.process import Chunk
from pipeline.store.folder import RunFolder


class Options(NamedTuple):
    """The engine's options from the command line."""

    name: str = "local"
    workers: int | None = None
    ray_address: str | None = None
    gpus_per_worker: float | None = None


@dataclass
class Job:
    """A video whose run folder is prepared. ``missing`` are the chunks without a part."""

    folder: RunFolder
    info: VideoInfo
    frames: tuple[int, int]
    digest: str  # of everything that determines the observations
    missing: list[Chunk]
    stages: Mapping[str, float] = field(default_factory=dict)  # seconds so far
    kept: Callable[[Path], None] = lambda path: None  # called with each new part
    held: ExitStack = field(default_factory=ExitStack)  # the lock of the run folder, released when closed

    @property
    def observed(self) -> int:
        """Frames that are in parts already."""
        return self.frames[1] - self.frames[0] - sum(c.stop - c.start for c in self.missing)


class Ended(NamedTuple):
    """A video whose work has ended: finished, or failed with an error."""

    job: Job
    error: PoselineError | None = None


class Engine(Protocol):
    """Observes and finishes videos."""

    def map(self, jobs: Iterator[Job], config: Config, render: bool, progress: Progress) -> Iterator[Ended]:
        """Observe the missing chunks of the jobs and make their tables and videos; in any order.

        ``jobs`` is asked for more only as work runs short. A job that fails ends with its error; others go on.
        """
        ...

    def close(self) -> None:
        """Stop all workers. The files that they have written are complete."""
        ...


def usable_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def division(cores: int, workers: int | None, threads: int) -> tuple[int, int]:
    """(workers, threads of each) on so many cores; ``threads`` 0: the cores divided by the workers.

    Two threads a worker by default: each worker holds the networks and a decoded batch, about half a gigabyte.
    """
    workers = workers or max(2, cores // max(threads, 2))
    return workers, threads or max(1, cores // workers)
