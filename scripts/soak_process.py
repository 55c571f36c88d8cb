"""One poseline command in a process of its own, held to limits, killed on demand; and what became of it.

The process is forked from one that has imported poseline already, so that a command takes its own time only.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

MEMORY_BYTES, SECONDS = 4 << 30, 60.0
current = 0  # the process that runs now


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``code`` as `os.waitstatus_to_exitcode` has it: the status, or minus the signal."""

    code: int
    seconds: float
    hung: bool
    peak_bytes: int
    said: str  # standard error
    killed: bool = False

    def fault(self) -> str:
        """What nobody could explain to a user; empty where all is well."""
        lines = self.said.strip().splitlines()
        if self.hung:
            return f"hangs: more than {SECONDS:.0f} s"
        if self.killed:
            return ""
        if "Traceback" in self.said:
            return f"traceback: {lines[-1]}"
        if self.code < 0:
            return f"killed by {signal.Signals(-self.code).name}"
        if self.code not in (0, 2):
            return f"status {self.code}: {lines[-1] if lines else 'without a word'}"
        if self.code == 2 and (not lines or not lines[-1].startswith("poseline: ")):
            return f"status 2 without its line: {lines[-1] if lines else ''}"
        return ""


@dataclass(frozen=True)
class Case:
    """One thing that was done to poseline and what came of it."""

    what: str
    fault: str  # empty where all is well
    outcome: str  # in a word or two, to be counted
    seconds: float = 0.0
    peak_bytes: int = 0
    lost_parts: int = 0
    file: Path | None = None


def outcome(ended: Ended) -> str:
    """How a command ended, to be counted."""
    return {0: "result", 2: "one line"}.get(ended.code, f"status {ended.code}")


# The smallest networks on small inputs, and small parts: what is tried here is the engine.
QUICK = (
    *("--config", "fast", "--threads", "1", "--set", "observe.chunk_frames=6", "--set", "render.preset=ultrafast"),
    *("--set", "detect.pixels=65536"),
)


def warm_up() -> None:
    """Import what commands use, before the first fork."""
    import decord  # noqa: F401
    import onnxruntime  # noqa: F401
    import pandas  # noqa: F401
    import scipy.optimize  # noqa: F401

    import pipeline.cli.app
    import pipeline.export.run
    import pipeline.lift.lifter
    import pipeline.measure.measure
    import pipeline.render.video
    import pipeline.workflow  # noqa: F401


def poseline(
    arguments: Sequence[object],
    *,
    log: Path,
    memory_bytes: int = MEMORY_BYTES,
    seconds: float = SECONDS,
    kill_after_s: float | None = None,
    before: Callable[[], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Ended:
    """Run ``poseline ARGUMENTS``. ``before`` runs in the new process, ``meanwhile`` again and again in this one."""

    def work() -> None:
        sys.argv = ["poseline", *map(str, arguments)]
        from pipeline.cli.app import main

        main()

    return call(
        work,
        log=log,
        memory_bytes=memory_bytes,
        seconds=seconds,
        kill_after_s=kill_after_s,
        before=before,
        meanwhile=meanwhile,
    )


def call(
    work: Callable[[], None],
    *,
    log: Path,
    memory_bytes: int = MEMORY_BYTES,
    seconds: float = SECONDS,
    kill_after_s: float | None = None,
    before: Callable[[], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Ended:
    """The same of a function, whose PoselineError ends as the command line's does."""
    global current
    start = time.monotonic()
    current = child = os.fork()
    if child == 0:
        _become(work, log, memory_bytes, before)
    hung = killed = False
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        passed = time.monotonic() - start
        if kill_after_s is not None and passed >= kill_after_s and not killed:
            killed = True
            os.kill(child, signal.SIGKILL)
        elif passed > seconds and not hung:
            hung = True
            os.kill(child, signal.SIGKILL)
        if meanwhile is not None:
            meanwhile()
        time.sleep(0.002 if kill_after_s is not None else 0.01)
    code = os.waitstatus_to_exitcode(status)
    said = log.read_text(errors="replace") if log.exists() else ""
    return Ended(code, time.monotonic() - start, hung, usage.ru_maxrss << 10, said, killed and code == -signal.SIGKILL)


def _become(work: Callable[[], None], log: Path, memory_bytes: int, before: Callable[[], None] | None) -> None:
    """In the new process: the work itself. Never returns."""
    from pipeline.core.errors import PoselineError

    code: int | None = 70
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.dup2(out, 2)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(fd, mode) for fd, mode in ((0, "r"), (1, "w"), (2, "w")))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        if before is not None:
            before()
        work()
        code = 0
    except PoselineError as error:
        print(f"poseline: {error}", file=sys.stderr)
        code = 2
    except SystemExit as end:
        code = end.code if isinstance(end.code, int | None) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code or 0)
