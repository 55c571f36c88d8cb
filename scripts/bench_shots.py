"""What shots and the camera's motion cost: their share of the CPU time of whole runs, with video and report.

Timed are the functions that follow the camera and keep small pictures while people are looked for, and those that find
shots, the camera's motion and the floor of each frame before people are tracked. Each counts the CPU time of its own
thread, without what other threads do meanwhile, so that a busy machine changes little. What tracking and the tables do
differently under a camera that moves is not in it.
"""

from __future__ import annotations

import importlib
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from pipeline.core.config import Config, load_config

RUN = importlib.import_module("pipeline.workflow")
PROCESS = importlib.import_module("pipeline.observe.process")
FINISH = importlib.import_module("pipeline.finish")
STAGES = ((PROCESS, "_show", "following"), (FINISH, "scene_of", "scene"))


def measure(clip: Path, config: str, threads: int, end_s: float | None, repeat: int) -> None:
    """Print the shares of one clip, medians over the runs."""
    settings = load_config(config, [f"runtime.threads={threads}"])
    with tempfile.TemporaryDirectory(prefix="poseline-bench-") as folder:
        runs = [timed_run(clip, settings, end_s, Path(folder) / f"run{n}") for n in range(repeat)]
    frames = runs[0]["frames"]
    middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    parts = middle["following"] + middle["scene"]
    print(
        f"{clip.name}: {frames:.0f} frames, {middle['all']:.1f} s CPU; camera and small pictures "
        f"{1000 * middle['following'] / frames:.2f} ms a frame, shots and camera motions {middle['scene']:.2f} s: "
        f"{parts / middle['all']:.1%} of the whole, {parts / (middle['all'] - parts):.1%} of the rest"
    )


def timed_run(clip: Path, config: Config, end_s: float | None, out: Path) -> dict[str, float]:
    """CPU seconds of one run: of all of it and of each of STAGES; and how many frames it had."""
    spent: dict[str, float] = defaultdict(float)
    patches = [mock.patch.object(m, name, _timed(spent, stage, getattr(m, name))) for m, name, stage in STAGES]
    for patch in patches:
        patch.start()
    try:
        start = time.process_time()
        folder = RUN.run(clip, out, config, end_s=end_s)[0]
        spent["all"] = time.process_time() - start
    finally:
        for patch in patches:
            patch.stop()
    low, high = folder.begun().frames
    return {stage: spent[stage] for _, _, stage in STAGES} | {"all": spent["all"], "frames": float(high - low)}


def _timed(spent: dict[str, float], stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with the CPU time of its thread added to a stage."""

    def call(*args: Any, **named: Any) -> Any:
        start = time.thread_time()
        try:
            return function(*args, **named)
        finally:
            spent[stage] += time.thread_time() - start

    return call
