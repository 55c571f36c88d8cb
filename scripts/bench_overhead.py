"""How much of a run is not the networks: its wall time over that of the same tensors through the same networks.

1. A run whose network inputs are written to disk, not timed. It takes up to 25 MB a batch of four frames at 1080p, so
   ``--end`` keeps the spool small; it is deleted in any case.
2. Runs without recording, timed, with a stopwatch around each stage.
3. Replays: the recorded tensors through fresh sessions in the same order, nothing else going on; only the time inside
   ONNX Runtime counts, after one warming call of each network.
"""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import pipeline
from pipeline.core.config import Config, load_config
from pipeline.models.graded import Graded
from pipeline.models.registry import Models, build_models
from pipeline.models.runtime import Session, pick_device
from pipeline.video.index import index_video

RUN, PEOPLE = importlib.import_module("pipeline.workflow"), importlib.import_module("pipeline.people")
PREPARE = importlib.import_module("pipeline.prepare")
WORK = importlib.import_module("pipeline.engines.work")
# Functions whose time is a stage, where pipeline calls them. Nothing in here may call another one of them.
STAGES = (
    (RUN, "index_video", "index"),
    (WORK, "write_part", "store"),
    (PREPARE, "write_index", "store"),
    (PEOPLE, "identify", "track"),
)
ORDER = (
    "index", "load networks", "decode wait", "detector pre/post", "detector network", "pose pre/post", "pose network",
    "store", "track", "motion and tables", "other",
)  # fmt: skip


def measure(
    clip: Path, config: str, threads: int, end_s: float | None, repeat: int, process: bool, spool: Path | None
) -> None:
    """Measure one clip and print the result."""
    settings = load_config(config, [f"runtime.threads={threads}"])
    with tempfile.TemporaryDirectory(prefix="poseline-bench-", dir=spool) as name:
        folder = Path(name)
        calls = record(clip, settings, end_s, folder)
        runs, bare = [], []
        for n in range(repeat):
            runs.append(timed_run(clip, settings, end_s, folder / f"run{n}"))
            bare.append(replay(settings, folder / "tensors", calls))
        started = subprocess_s(clip, config, threads, end_s, folder / "process") if process else None
    report(clip, settings, end_s, runs, bare, len(calls), started)


def record(clip: Path, config: Config, end_s: float | None, folder: Path) -> list[Path]:
    """Run once and keep the input of every network call as ``folder/tensors/N.npy``; returns the network of each.

    The lifter's network is one of them.
    """
    tensors = folder / "tensors"
    tensors.mkdir()
    calls: list[Path] = []
    plain = Session.run

    def run(session: Session, image: np.ndarray) -> dict[str, np.ndarray]:
        np.save(tensors / f"{len(calls)}.npy", image)
        calls.append(session.file)
        return plain(session, image)

    with mock.patch.object(Session, "run", run):
        RUN.run(clip, folder / "recorded", config, render=False, end_s=end_s)
    return calls


class _Built:
    """Builds the networks and remembers them."""

    models: Models

    def __call__(self, config: Config) -> Models:
        self.models = build_models(config)
        return self.models


def replay(config: Config, tensors: Path, calls: list[Path]) -> tuple[float, float]:
    """Wall and CPU seconds inside ONNX Runtime for the recorded tensors, in their order."""
    device = pick_device(config.runtime.device, config.runtime.threads)
    sessions = {file: Session(file, device) for file in sorted(set(calls))}
    for file, session in sessions.items():
        session.run(np.load(tensors / f"{calls.index(file)}.npy"))
    wall = cpu = 0.0
    for number, file in enumerate(calls):
        image = np.load(tensors / f"{number}.npy")
        before, cpu_before = sessions[file].seconds, time.process_time()
        sessions[file].run(image)
        wall, cpu = wall + sessions[file].seconds - before, cpu + time.process_time() - cpu_before
    return wall, cpu


# --- the timed run ---------------------------------------------------------------------------------------------------


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with the time it takes added to a stage."""

        def call(*args: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **named)
            finally:
                self.seconds[stage] += time.perf_counter() - start

        return call

    def waiting(self, stage: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """A function that makes an iterator, with the time spent waiting for its items added to a stage."""

        def call(*args: Any, **named: Any) -> Iterator[Any]:
            items = function(*args, **named)
            following = self.timed(stage, lambda: next(items, call))
            try:
                while (item := following()) is not call:
                    yield item
            finally:
                items.close()  # type: ignore[attr-defined]

        return call


def timed_run(clip: Path, config: Config, end_s: float | None, out: Path) -> dict[str, float]:
    """Seconds of each stage of one run, and of all of it as ``wall`` and ``cpu``; imports are not part of it."""
    watch, built = Stopwatch(), _Built()

    def build(config: Config) -> Models:
        models = watch.timed("load networks", built)(config)
        looks = "graded" if isinstance(models.detector, Graded) else "detect"
        setattr(models.detector, looks, watch.timed("detector", getattr(models.detector, looks)))
        if models.pose is not None:
            models.pose.estimate = watch.timed("pose", models.pose.estimate)
        return models

    patches = [mock.patch.object(m, name, watch.timed(stage, getattr(m, name))) for m, name, stage in STAGES]
    patches += [
        mock.patch.object(WORK, "build_models", build),
        mock.patch.object(WORK, "prefetch", watch.waiting("decode wait", WORK.prefetch)),
    ]
    for patch in patches:
        patch.start()
    try:
        start, cpu_start = time.perf_counter(), time.process_time()
        folder = RUN.run(clip, out, config, render=False, end_s=end_s)[0]
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    finally:
        for patch in patches:
            patch.stop()
    return {"cpu": cpu} | _stages(watch.seconds, built.models, folder.manifest()["stages_s"]["track"], wall)


def _stages(seconds: dict[str, float], models: Models, after_observe_s: float, wall: float) -> dict[str, float]:
    """Stages that add up to ``wall``: networks taken out of what calls them, ``other`` what no stopwatch saw."""
    stages = dict(seconds)
    for name, network in (("detector", models.detector), ("pose", models.pose)):
        inside = sum(s.seconds for s in network.sessions) if network is not None else 0.0
        stages[f"{name} network"] = inside
        stages[f"{name} pre/post"] = stages.pop(name, 0.0) - inside
    stages["motion and tables"] = after_observe_s - stages.get("track", 0.0)
    stages["other"] = wall - sum(stages.values())
    return {"wall": wall} | {name: stages.get(name, 0.0) for name in ORDER}


def subprocess_s(clip: Path, config: str, threads: int, end_s: float | None, out: Path) -> float:
    """Seconds of the whole command, with the start of Python and all imports."""
    command = [sys.executable, "-c", "from pipeline.cli.app import main; main()", "run", str(clip), "--no-render"]
    command += ["--quiet", "--out", str(out), "--config", config, "--threads", str(threads)]
    command += ["--end", str(end_s)] if end_s is not None else []
    root = str(Path(pipeline.__path__[0]).parent)
    start = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": root})
    return time.perf_counter() - start


# --- the report ------------------------------------------------------------------------------------------------------


def report(
    clip: Path,
    config: Config,
    end_s: float | None,
    runs: list[dict[str, float]],
    bare: list[tuple[float, float]],
    calls: int,
    process_s: float | None,
) -> None:
    """Print medians over the runs, the spread of the ratio, and each stage's share."""
    info = index_video(clip)
    frames = len(info) if end_s is None else int(np.searchsorted(info.time_s - info.time_s[0], end_s))
    middle = {name: statistics.median(r[name] for r in runs) for name in runs[0]}
    pure = statistics.median(wall for wall, _ in bare)
    ratios = [r["wall"] / wall for r, (wall, _) in zip(runs, bare, strict=True)]
    cpu_ratios = [r["cpu"] / cpu for r, (_, cpu) in zip(runs, bare, strict=True)]
    width, height = info.size_px
    print(f"{clip}: {frames} frames of {width}x{height}, {config.runtime.threads or os.cpu_count()} threads")
    print(f"  networks alone      {pure:8.2f} s  {frames / pure:7.2f} frames/s  {calls} calls")
    print(f"  run --no-render     {middle['wall']:8.2f} s  {frames / middle['wall']:7.2f} frames/s")
    # CPU time hardly notices what else the machine does; where both ratios differ much, it was not idle.
    for name, values in (("ratio of wall times", ratios), ("ratio of CPU times", cpu_ratios)):
        print(f"  {name:20}{statistics.median(values):7.3f}    {' '.join(f'{v:.3f}' for v in values)}")
    if process_s is not None:
        print(f"  with start-up       {process_s:8.2f} s  {process_s / pure:7.3f} of the networks alone")
    for name in ORDER:
        print(f"    {name:18}{middle[name]:8.2f} s  {middle[name] / middle['wall']:6.1%}")
