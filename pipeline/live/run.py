"""Live streams: the call that follows a stream, or finishes the segments that a kill left open."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from pipeline.core.config import Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Progress, Silent
from pipeline.live.causal import causal
from pipeline.live.engine import LiveEngine
from pipeline.live.finish import SEGMENTS, finish_segment, locked, unfinished
from pipeline.live.source import parse_source


def live(
    source: str,
    out: str | Path = "outputs",
    config: Config | str | Path = "default",
    *,
    render: bool = True,
    max_seconds: float | None = None,
    jsonl: str | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Follow people in a live stream until it ends, ``max_seconds`` have passed, or SIGINT or SIGTERM comes.

    Returns the folder, ``out/<name>``, whose ``segments`` are run folders. ``source`` may be such a folder: then only
    the segments that a kill left open there are finished. ``jsonl`` is a file, or - for standard output.

    Raises PoselineError when the source is not there, is away for longer than ``live.give_up_s``, or files cannot be
    written any more; all earlier results are complete then.
    """
    progress = progress or Silent()
    config = config if isinstance(config, Config) else load_config(config)
    if (Path(source) / SEGMENTS).is_dir():
        _finish_all(Path(source), progress)
        return Path(source)
    if config.time.zero_s is not None:
        raise PoselineError(f"time.zero_s={config.time.zero_s:g}: a live stream has its own clock; leave it out")
    if config.time.recorded_fps is not None:
        rate = config.time.recorded_fps
        raise PoselineError(f"time.recorded_fps={rate:g}: a live stream plays as fast as it is recorded; leave it out")
    address, config = parse_source(source), causal(config)
    path = Path(out) / (name or address.name)
    with locked(path / ".live") as mine:
        if not mine:
            raise PoselineError(f"{path}: another poseline live writes here; choose another --name or --out")
        run = LiveEngine(address, path, config, render and config.render.enabled, jsonl, progress)
        with _signals(run):
            run.go(max_seconds)
    return path


def _finish_all(folder: Path, progress: Progress) -> None:
    with locked(folder / ".live") as mine:
        if not mine:
            raise PoselineError(f"{folder}: poseline live writes here still; stop it first")
        failed: PoselineError | None = None
        for path in unfinished(folder):
            try:
                finish_segment(path, progress)
                progress.say(f"{path}: finished")
            except PoselineError as error:  # raised when the others are finished
                failed = failed or error
        if failed is not None:
            raise failed


@contextlib.contextmanager
def _signals(run: LiveEngine) -> Iterator[None]:
    """SIGINT and SIGTERM stop the run in order; a second one at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if run.stopping:
            raise KeyboardInterrupt
        run.stopping = signal.Signals(number).name

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
