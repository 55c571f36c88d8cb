"""Worker processes on this machine. Each is a Python of its own that takes tasks from its standard input.

The module does not use multiprocessing, which would import the caller's script again in each worker. A worker ends at
once when its input ends, so that no worker outlives the run, however the run ends.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from pipeline.core.config import Config
from pipeline.engines.base import Options, division, usable_cores
from pipeline.engines.pool import Pool, WorkerLostError
from pipeline.engines.work import Outcome, Task, Worker

ROOT = Path(__file__).resolve().parents[2]  # the folder that must be on the import path


def start(options: Options, config: Config) -> Pool:
    workers, threads = division(usable_cores(), options.workers, config.runtime.threads)
    runtime = config.runtime.model_copy(update={"threads": threads})
    own = config.model_copy(update={"runtime": runtime})
    return Pool(lambda: Child(own), workers, "process")


class Child:
    """One worker process."""

    def __init__(self, config: Config) -> None:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process: Any = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline.engines.process"],  # -P: no imports from the user's folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the run, which stops its workers
        )
        self._call(config)

    def do(self, task: Task) -> Outcome:
        return self._call(task)

    def _call(self, message: Any) -> Any:
        try:
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()
            return pickle.load(self._process.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            self.stop()
            raise WorkerLostError(_ending(self._process.wait())) from error

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _ending(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    return f"was killed by {name}" + (", as the system does when memory is short" if name == "SIGKILL" else "")


def main() -> None:
    """Run one worker until its input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not mix with the answers
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()
    worker = Worker(messages.get())
    answer: Any = os.getpid()
    while True:
        pickle.dump(answer, answers)
        answers.flush()
        answer = worker.do(messages.get())


def _listen(messages: queue.SimpleQueue[Any]) -> None:
    """Queue the incoming messages; when the input ends, end the process at once, even during a task."""
    with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            messages.put(pickle.load(sys.stdin.buffer))
    os._exit(0)


if __name__ == "__main__":
    main()
