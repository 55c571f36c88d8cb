"""Workers that die and are replaced: the part that processes and Ray actors have in common.

One thread for each worker hands it a task and waits, so a worker that is gone is noticed at once and only its own task
is done again.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Progress, WallClock
from pipeline.engines.base import Ended, Job
from pipeline.engines.work import Outcome, Task

TRIES = 3  # a task that fails so often fails its video
AHEAD = 2  # tasks in flight for each worker: one running, one waiting


class WorkerLostError(Exception):
    """The worker has ended; the message says how."""


class Handle(Protocol):
    """A running worker."""

    def do(self, task: Task) -> Outcome:
        """Raises WorkerLostError."""
        ...

    def stop(self) -> None:
        """End the worker now; a ``do`` under way raises WorkerLostError. May be called twice, from any thread."""
        ...


class _Open:
    """A video in progress."""

    def __init__(self, job: Job) -> None:
        self.job, self.clock = job, WallClock()
        self.left = len(job.missing)  # chunks
        self.tries: dict[int, int] = {}  # failures so far by the chunk's number, −1 for the end
        self.closed = False


class _Item(NamedTuple):
    video: _Open
    task: Task


class Pool:
    """An engine of ``workers`` workers. ``connect`` starts one and raises WorkerLostError when it ends as it starts."""

    def __init__(self, connect: Callable[[], Handle], workers: int, name: str) -> None:
        self.workers, self.name = workers, name
        self._connect = connect
        self._tasks: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[_Item, Outcome] | PoselineError] = queue.SimpleQueue()
        self._handles: dict[int, Handle] = {}
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._serve, args=(i,), name=f"worker {i}", daemon=True) for i in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def map(self, jobs: Iterator[Job], config: Config, render: bool, progress: Progress) -> Iterator[Ended]:
        board = _Board(jobs, render, progress, AHEAD * self.workers)
        while True:
            while item := board.next():
                self._tasks.put(item)
            yield from board.ended()
            if not board.busy:
                return
            done = self._results.get()
            if isinstance(done, PoselineError):
                raise done
            board.take(*done)

    def close(self) -> None:
        self._stopping = True
        for _ in self._threads:
            self._tasks.put(None)
        for handle in list(self._handles.values()):
            handle.stop()
        for thread in self._threads:
            thread.join(10)

    def _serve(self, number: int) -> None:
        """One worker's thread."""
        try:
            while (item := self._tasks.get()) is not None and not self._stopping:
                try:
                    handle = self._handles.get(number) or self._started(number)
                    outcome = handle.do(item.task)
                except WorkerLostError as lost:
                    outcome = Outcome(error=f"its worker {lost}")
                if outcome.error and not outcome.final and (broken := self._handles.pop(number, None)):
                    broken.stop()  # the error may have left the worker in a bad state
                self._results.put((item, outcome))
        except PoselineError as error:
            self._results.put(error)
        except Exception as error:  # an error of this program; the run must not wait for this thread
            self._results.put(PoselineError(f"internal error: {type(error).__name__}: {error}"))

    def _started(self, number: int) -> Handle:
        """A new worker. Raises PoselineError when every attempt ends during start."""
        why = ""
        for _ in range(TRIES):
            if self._stopping:
                raise WorkerLostError("was stopped")
            try:
                handle = self._connect()
            except WorkerLostError as lost:
                why = str(lost)
                continue
            self._handles[number] = handle
            if self._stopping:  # `close` may have looked before
                handle.stop()
            return handle
        raise PoselineError(
            f"--engine {self.name}: a worker {why} as it started, {TRIES} times; try fewer --workers, and --debug"
        )


class _Board:
    """Which tasks of which videos are in flight, to be done, or done."""

    def __init__(self, jobs: Iterator[Job], render: bool, progress: Progress, most: int) -> None:
        self._jobs, self._render, self._progress, self._most = jobs, render, progress, most
        self._ready: deque[_Item] = deque()
        self._ended: list[Ended] = []
        self._flying, self._started, self._exhausted = 0, False, False

    @property
    def busy(self) -> bool:
        return self._flying > 0

    def next(self) -> _Item | None:
        """The next task to hand out; None while enough tasks are in flight or no task is known."""
        if self._flying >= self._most:
            return None
        while not self._ready and not self._exhausted:
            job = next(self._jobs, None)
            self._exhausted = job is None
            if job is not None:
                self._open(job)
        if not self._ready:
            return None
        self._flying += 1
        return self._ready.popleft()

    def ended(self) -> list[Ended]:
        """Videos that are done with since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def take(self, item: _Item, outcome: Outcome) -> None:
        """Record the outcome of a task."""
        self._flying -= 1
        video, task = item
        job = video.job
        if video.closed:  # failed meanwhile
            return
        for line in outcome.lines:
            self._progress.say(line)
        if outcome.error:
            self._failed(item, outcome)
        elif task.chunk is None:
            self._close(video, None)
        else:
            job.kept(job.folder.part(task.chunk.number))
            self._progress.advance(task.chunk.stop - task.chunk.start)
            self._progress.people(outcome.people)
            video.left -= 1
            if not video.left:
                self._ready.appendleft(self._item(video, None, {"observe": video.clock.seconds()}))

    def _open(self, job: Job) -> None:
        total = job.frames[1] - job.frames[0]
        tell = self._progress.more if self._started else self._progress.start
        tell("observe", total, job.observed)
        self._started = True
        video = _Open(job)
        self._ready.extend(self._item(video, number) for number in range(len(job.missing)))
        if not job.missing:
            self._ready.append(self._item(video, None))

    def _item(self, video: _Open, number: int | None, took_s: Mapping[str, float] = MappingProxyType({})) -> _Item:
        job = video.job
        chunk = None if number is None else job.missing[number]
        return _Item(
            video, Task(str(job.folder.path.resolve()), job.digest, chunk, self._render, {**job.stages, **took_s})
        )

    def _failed(self, item: _Item, outcome: Outcome) -> None:
        video, task = item
        number = -1 if task.chunk is None else task.chunk.number
        video.tries[number] = video.tries.get(number, 0) + 1
        if outcome.final:
            self._close(video, _error(outcome.error, outcome))
        elif video.tries[number] < TRIES:
            self._progress.say(f"{task.about}: {outcome.error}; done again")
            self._ready.appendleft(item)
        else:
            line = f"{task.about}: failed {TRIES} times ({outcome.error}); run the same command again to go on"
            self._close(video, _error(line, outcome))

    def _close(self, video: _Open, error: PoselineError | None) -> None:
        video.closed = True
        self._ready = deque(item for item in self._ready if item.video is not video)
        self._ended.append(Ended(video.job, error))


def _error(line: str, outcome: Outcome) -> PoselineError:
    """The error for the user, with the worker's traceback for --debug."""
    error = PoselineError(line)
    if outcome.trace:
        error.add_note(f"In the worker:\n{outcome.trace}")
    return error
