"""The same networks and weights through poseline, MMPose's inferencer and rtmlib, on one clip, in one run.

Every contestant is a process of its own on the same cores; they take turns, and the medians of the frame rates are
compared. Loading is not counted. What is: for the peers, from the opened video to the poses of its last frame; for
poseline, the whole of ``run --no-render`` with its identities, smoothing and tables.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).with_name("bench_models_worker.py")
RTMLIB = "rtmlib==0.0.16"
PAIRS = (  # (poseline, peer)
    ("poseline torch", "MMPoseInferencer"),
    ("poseline onnx", "MMPoseInferencer"),
    ("poseline onnx", "rtmlib PoseTracker"),
)


def measure(clip: Path, environment: Path, repeat: int) -> None:
    """Make the environment where it is missing, run everybody ``repeat`` times in turn, print a table."""
    python = environment / "bin" / "python"
    if not (environment / ".ready").exists():
        _make(environment, python)
    with tempfile.TemporaryDirectory(prefix="poseline-bench-") as name:
        folder = Path(name)
        _work(python, "networks", folder, clip)
        _export(python, folder)
        rows: dict[str, list[dict[str, Any]]] = {}
        for turn in range(repeat):
            for contestant in dict.fromkeys(n for pair in PAIRS for n in reversed(pair)):
                rows.setdefault(contestant, []).append(_work(python, contestant, folder, clip))
                print(f"  turn {turn + 1}: {contestant} {_fps(rows[contestant][-1]):.2f} frames/s", flush=True)
    _table(clip, rows)


def _make(environment: Path, python: Path) -> None:
    """An environment with poseline, the OpenMMLab packages and rtmlib, and one OpenCV."""
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-e", f"{ROOT}[dev]"], check=True)
    subprocess.run([str(python), str(ROOT / "scripts" / "install_openmm.py")], check=True)
    subprocess.run([*pip, "--no-deps", RTMLIB], check=True)  # it asks for other OpenCV distributions
    (environment / ".ready").touch()


def _export(python: Path, folder: Path) -> None:
    """The ONNX files: of the pose network as poseline writes it, of the detector with suppression inside."""
    poseline = [str(python), "-m", "pipeline.cli", "models", "export"]
    for prefix, stem, out in (("mmpose", "pose", "pose.onnx"), ("mmdet", "det", "raw.onnx")):
        network = f"{prefix}:{folder}/{stem}.py@{folder}/{stem}.pth"
        subprocess.run([*poseline, network, "--out", str(folder / out)], check=True, cwd=ROOT)
    code = "from bench_models_worker import *; with_suppression(Path(sys.argv[1]), Path(sys.argv[2]))"
    files = [str(folder / "raw.onnx"), str(folder / "det.onnx")]
    subprocess.run([str(python), "-c", code, *files], check=True, cwd=WORKER.parent)


def _work(python: Path, name: str, folder: Path, clip: Path) -> dict[str, Any]:
    """One contestant's JSON line."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [str(python), str(WORKER), name, str(folder), str(clip)], capture_output=True, text=True, env=environment
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not told:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    return json.loads(told[-1].removeprefix("RESULT "))


def _fps(row: dict[str, Any]) -> float:
    return row["frames"] / row["seconds"]


def _table(clip: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"\n{clip.name}, {cores} cores, medians of {len(next(iter(rows.values())))} turns\n")
    print("| | frames/s | people a frame | loading, s |\n| --- | --- | --- | --- |")
    fps = {name: statistics.median(_fps(r) for r in some) for name, some in rows.items()}
    for name, some in sorted(rows.items(), key=lambda item: fps[item[0]]):
        people = statistics.median(r["people"] / r["frames"] for r in some)
        load = statistics.median(r["load_s"] for r in some)
        print(f"| {name} | {fps[name]:.2f} | {people:.2f} | {load:.1f} |")
    print()
    for ours, peer in PAIRS:
        turns = [_fps(a) / _fps(b) for a, b in zip(rows[ours], rows[peer], strict=True)]
        print(f"{ours} / {peer}: {statistics.median(turns):.2f} × ({', '.join(f'{t:.2f}' for t in turns)})")
