"""The pool with workers that are made up: replaced, tried again, given up, and bounded in flight."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Progress
from pipeline.core.types import VideoInfo
from pipeline.engines.base import Job
from pipeline.engines.pool import AHEAD, Pool, WorkerLostError
from pipeline.engines.work import Outcome, Task
from pipeline.observe.process import Chunk
from pipeline.store.folder import RunFolder


def job(name: str, chunks: int) -> Job:
    info = VideoInfo(
        Path(name), (8, 8), 0, Fraction(1, 10), Fraction(10), np.arange(chunks), np.arange(chunks) / 10.0,
        np.ones(chunks, bool), False, "digest", "h264", "yuv420p", "file",
    )  # fmt: skip
    return Job(RunFolder(name), info, (0, chunks), "digest", [Chunk(i, i, i + 1) for i in range(chunks)])


class Fake:
    """A worker that fails at tasks as a plan says: {(folder, chunk): what each try does}."""

    lock = threading.Lock()

    def __init__(self, plan: dict[tuple[str, int], list[str]], done: list[Task]) -> None:
        self.plan, self.done = plan, done

    def do(self, task: Task) -> Outcome:
        key = (Path(task.folder).name, -1 if task.chunk is None else task.chunk.number)
        with self.lock:
            what = self.plan[key].pop(0) if self.plan.get(key) else ""
            if not what:
                self.done.append(task)
        if what == "die":
            raise WorkerLostError("was killed by SIGKILL")
        if what == "raise":
            return Outcome(error="ValueError: odd", trace="Traceback …")
        return Outcome(error=what, final=bool(what))

    def stop(self) -> None:
        pass


class Told(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.frames = self.total = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def start(self, stage: str, total: int, done: int) -> None:
        self.total = total

    def more(self, stage: str, total: int, done: int) -> None:
        self.total += total

    def advance(self, frames: int) -> None:
        self.frames += frames


def mapped(
    jobs: Iterator[Job], plan: dict[tuple[str, int], list[str]], workers: int = 2
) -> tuple[dict[str, str], list[Task], Told]:
    done: list[Task] = []
    told = Told()
    pool = Pool(lambda: Fake(plan, done), workers, "fake")
    try:
        ended = {j.folder.path.name: str(error or "") for j, error in pool.map(jobs, Config(), False, told)}
    finally:
        pool.close()
    return ended, done, told


def test_every_chunk_once_and_then_the_end_of_each_video() -> None:
    ended, done, told = mapped(iter([job("a", 5), job("b", 0), job("c", 2)]), {})
    assert ended == {"a": "", "b": "", "c": ""}
    of = {n: [t.chunk.number if t.chunk else -1 for t in done if Path(t.folder).name == n] for n in "abc"}
    assert {n: sorted(numbers[:-1]) for n, numbers in of.items()} == {"a": [0, 1, 2, 3, 4], "b": [], "c": [0, 1]}
    assert all(numbers[-1] == -1 for numbers in of.values())
    assert (told.frames, told.total) == (7, 7)


def test_what_fails_twice_is_done_and_what_fails_three_times_fails_its_video_alone() -> None:
    plan = {("a", 1): ["die", "raise"], ("b", 0): ["die", "die", "die"], ("c", -1): ["raise"] * 3}
    ended, done, told = mapped(iter([job("a", 3), job("b", 3), job("c", 1), job("d", 1)]), plan)
    assert ended["a"] == ended["d"] == ""
    assert "b: frames 0 to 0: failed 3 times (its worker was killed by SIGKILL)" in ended["b"]
    assert "\n" not in ended["b"]
    assert "c: tracking and tables: failed 3 times (ValueError: odd)" in ended["c"]
    assert sum("done again" in line for line in told.lines) == 6
    assert not any(t.chunk is None and Path(t.folder).name == "b" for t in done)


def test_no_video_inherits_the_tries_of_those_before_it() -> None:
    names = [f"{i:03}" for i in range(60)]
    plan = {(name, 0): ["die"] * 2 for name in names}
    ended, done, _ = mapped((job(name, 1) for name in names), plan, workers=1)
    assert ended == dict.fromkeys(names, "")
    assert len(done) == 120


def test_a_mistake_is_not_tried_again() -> None:
    ended, _, told = mapped(iter([job("a", 3), job("b", 1)]), {("a", 0): ["a.mp4: was it moved?"]})
    assert ended == {"a": "a.mp4: was it moved?", "b": ""}
    assert not told.lines


def test_jobs_are_asked_for_as_work_runs_short() -> None:
    asked: list[int] = []
    done: list[Task] = []
    gate = threading.Semaphore(0)

    class Slow(Fake):
        def do(self, task: Task) -> Outcome:
            gate.acquire()
            return super().do(task)

    def jobs() -> Iterator[Job]:
        for i in range(8):
            asked.append(i)
            yield job(str(i), 4)

    pool = Pool(lambda: Slow({}, done), 2, "fake")
    try:
        ended = pool.map(jobs(), Config(), False, Told())
        first = threading.Thread(target=lambda: next(ended))
        first.start()
        for _ in range(5):  # a video's chunks and its end
            gate.release()
        first.join(0.3)
        assert len(asked) <= 1 + (5 + AHEAD * 2) // 4
        for _ in range(100):
            gate.release()
        first.join(10)
        assert len([*ended]) == 7
    finally:
        pool.close()


def test_workers_that_never_start_end_the_run_with_one_line() -> None:
    def connect() -> Fake:
        raise WorkerLostError("ended with status 1")

    pool = Pool(connect, 2, "fake")
    try:
        with pytest.raises(PoselineError, match="ended with status 1 as it started, 3 times"):
            list(pool.map(iter([job("a", 2)]), Config(), False, Told()))
    finally:
        pool.close()
