"""How much of a run is not the networks: its wall time over that of the same tensors through the same networks.

1. A run whose network inputs are written to disk, not timed. It takes up to 25 MB a batch of four frames at 1080p, so
   ``--end`` keeps the spool small; it is deleted in any case. Its networks have one call at a time.
2. Runs without recording, timed, with a stopwatch around each stage.
3. Replays: the recorded tensors through fresh sessions, nothing else going on; only the time inside ONNX Runtime
   counts, after one warming call of each network. First one call after another, each with all threads. Then as a run
   does it: several calls side by side, of one thread each.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import pipeline
from pipeline.core.config import Config, load_config
from pipeline.models.registry import build_models
from pipeline.models.runtime import Session, in_lanes, pick_device
from pipeline.video.index import index_video

RUN, PEOPLE = importlib.import_module("pipeline.workflow"), importlib.import_module("pipeline.people")
LOCAL = importlib.import_module("pipeline.engines.local")
WORK = importlib.import_module("pipeline.engines.work")
# Functions whose time is a stage, where pipeline calls them. Observing loads the networks; else none calls another one.
STAGES = (
    (RUN, "index_video", "index"),
    (WORK, "build_models", "load networks"),
    (LOCAL, "observe", "observe"),
    (PEOPLE, "identify", "track"),
)
ORDER = ("index", "load networks", "observe", "track", "motion and tables", "other")


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
            bare.append((*replay(settings, folder / "tensors", calls), in_lanes_s(settings, folder / "tensors", calls)))
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

    one_at_a_time = mock.patch.object(WORK, "build_models", lambda config, laned: build_models(config))
    with one_at_a_time, mock.patch.object(Session, "run", run):
        RUN.run(clip, folder / "recorded", config, render=False, end_s=end_s)
    return calls


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


def in_lanes_s(config: Config, tensors: Path, calls: list[Path]) -> float:
    """Wall seconds of the recorded calls of each network, as many side by side as there are threads."""
    device = pick_device(config.runtime.device, config.runtime.threads).laned()
    sessions = {file: Session(file, device) for file in sorted(set(calls))}
    spent = 0.0
    for file, session in sessions.items():
        mine = [n for n, called in enumerate(calls) if called == file]
        session.run(np.load(tensors / f"{mine[0]}.npy"))
        for start in range(0, len(mine), 8 * device.lanes):
            images = [np.load(tensors / f"{n}.npy") for n in mine[start : start + 8 * device.lanes]]
            began = time.perf_counter()
            in_lanes(device, session.run, images)
            spent += time.perf_counter() - began
    return spent


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


def timed_run(clip: Path, config: Config, end_s: float | None, out: Path) -> dict[str, float]:
    """Seconds of each stage of one run, and of all of it as ``wall`` and ``cpu``; imports are not part of it."""
    watch = Stopwatch()
    patches = [mock.patch.object(m, name, watch.timed(stage, getattr(m, name))) for m, name, stage in STAGES]
    for patch in patches:
        patch.start()
    try:
        start, cpu_start = time.perf_counter(), time.process_time()
        folder = RUN.run(clip, out, config, render=False, end_s=end_s)[0]
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    finally:
        for patch in patches:
            patch.stop()
    stages = dict(watch.seconds)
    stages["observe"] -= stages["load networks"]
    stages["motion and tables"] = folder.manifest()["stages_s"]["track"] - stages.get("track", 0.0)
    stages["other"] = wall - sum(stages.values())
    return {"wall": wall, "cpu": cpu} | {name: stages.get(name, 0.0) for name in ORDER}


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
    bare: list[tuple[float, float, float]],
    calls: int,
    process_s: float | None,
) -> None:
    """Print medians over the runs, the spread of the ratio, and each stage's share."""
    info = index_video(clip)
    frames = len(info) if end_s is None else int(np.searchsorted(info.time_s - info.time_s[0], end_s))
    middle = {name: statistics.median(r[name] for r in runs) for name in runs[0]}
    pure, laned = (statistics.median(b[n] for b in bare) for n in (0, 2))
    ratios = {
        "to networks alone": [r["wall"] / b[0] for r, b in zip(runs, bare, strict=True)],
        "to those in lanes": [r["wall"] / b[2] for r, b in zip(runs, bare, strict=True)],
        "of CPU times": [r["cpu"] / b[1] for r, b in zip(runs, bare, strict=True)],
    }
    width, height = info.size_px
    print(f"{clip}: {frames} frames of {width}x{height}, {config.runtime.threads or os.cpu_count()} threads")
    print(f"  networks alone      {pure:8.2f} s  {frames / pure:7.2f} frames/s  {calls} calls, all threads in each")
    print(f"  networks in lanes   {laned:8.2f} s  {frames / laned:7.2f} frames/s  one thread in each, side by side")
    print(f"  run --no-render     {middle['wall']:8.2f} s  {frames / middle['wall']:7.2f} frames/s")
    # CPU time hardly notices what else the machine does; where the ratios differ much, it was not idle.
    for name, values in ratios.items():
        print(f"  ratio {name:20}{statistics.median(values):7.3f}    {' '.join(f'{v:.3f}' for v in values)}")
    if process_s is not None:
        print(f"  with start-up       {process_s:8.2f} s  {process_s / pure:7.3f} of the networks alone")
    for name in ORDER:
        print(f"    {name:18}{middle[name]:8.2f} s  {middle[name] / middle['wall']:6.1%}")
