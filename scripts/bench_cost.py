"""What a run costs: CPU seconds per frame and per person, and bytes of everything it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow.parquet as pq

from pipeline.core.config import load_config
from pipeline.engines import local
from pipeline.store.folder import RunFolder

RUN = import_module("pipeline.workflow")
FINISH = import_module("pipeline.finish")


def measure(clips: list[Path], configs: list[str], end_s: float | None) -> None:
    """Run each clip with each configuration on one thread and print a line for it."""
    print(f"{'clip':22} {'config':9} {'frames':>6} {'seen':>5} {'rows':>6}  CPU s a frame   ms a row", end="")
    print("  bytes: observation  tracks row  table row  of it CSV  video frame  report")
    for clip in clips:
        for name in configs:
            with tempfile.TemporaryDirectory() as out:
                print(line(clip, name, end_s, Path(out)), flush=True)


def line(clip: Path, name: str, end_s: float | None, out: Path) -> str:
    """One run, measured. CPU time hardly notices what else the machine does, and one thread never waits for another."""
    cpu: dict[str, float] = {}
    config = load_config(name, ["runtime.threads=1"])
    plain_observe = local.observe

    def observe(folder: Any, info: Any, settings: Any, chunks: Any, networks: Any, *rest: Any) -> None:
        networks.get()  # loading them is no cost of a frame
        timed(cpu, "observe", plain_observe)(folder, info, settings, chunks, networks, *rest)

    with (
        mock.patch.object(local, "observe", observe),
        mock.patch.object(FINISH, "build_people", timed(cpu, "people", FINISH.build_people)),
    ):
        folder = RUN.run(clip, out, config, end_s=end_s)[0]
    manifest = folder.manifest()
    low, high = manifest["frames_observed"]
    frames, rows, seen = high - low, max(manifest["rows"], 1), observations(folder)
    csv = size(folder.people, "*.csv")
    return (
        f"{clip.name[:22]:22} {name:9} {frames:6} {seen / frames:5.1f} {rows:6} {cpu['observe'] / frames:14.3f}"
        f" {1000 * cpu['people'] / rows:10.2f} {size(folder.observations, '*.parquet') / max(seen, 1):19.0f}"
        f" {folder.tracks.stat().st_size / rows:11.0f} {(size(folder.people, '*.parquet') + csv) / rows:10.0f}"
        f" {csv / rows:10.0f} {folder.video.stat().st_size / frames:12.0f} {size(folder.path, 'report.html'):7}"
    )


def compare(clips: list[Path], configs: list[str], end_s: float | None, before: Path, turns: int = 3) -> None:
    """Print CPU seconds and peak memory of whole commands, with the default of another checkout in turn with ours."""
    here = Path(__file__).resolve().parents[1]
    for clip in clips:
        kinds = [(before.resolve(), "default"), *((here, name) for name in configs)]
        spent = [[command(clip.resolve(), name, end_s, root) for root, name in kinds] for _ in range(turns)]
        cpu, peak = np.median(np.array(spent), 0).T
        for (root, name), seconds, mib in zip(kinds, cpu, peak, strict=True):
            which = "before" if root == before.resolve() else "here"
            print(
                f"{clip.name[:22]:22} {which:6} {name:9} {seconds:7.1f} CPU s {seconds / cpu[0]:6.3f} {mib:6.0f} MiB",
                flush=True,
            )


def command(clip: Path, name: str, end_s: float | None, root: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB of ``poseline run`` by the checkout ``root``, in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        words = [sys.executable, "-m", "pipeline.cli", "run", str(clip), "--out", out, "--config", name, "--quiet"]
        words += [] if end_s is None else ["--end", str(end_s)]
        process = subprocess.Popen(words, cwd=root)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{root}: {' '.join(words[1:])} ended with status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def timed(cpu: dict[str, float], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with the CPU seconds of a call left under ``name``."""

    def call(*arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        result = function(*arguments, **named)
        cpu[name] = time.process_time() - start
        return result

    return call


def observations(folder: RunFolder) -> int:
    """People that the networks saw, over all frames."""
    return sum(pq.read_metadata(part).num_rows for part in folder.parts())


def size(folder: Path, pattern: str) -> int:
    """Bytes of the files."""
    return sum(path.stat().st_size for path in folder.glob(pattern))
