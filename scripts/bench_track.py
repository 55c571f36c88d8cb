"""Identities alone: poseline's online pass and other trackers on the same synthetic people, one thread, in turn."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests import synthetic  # noqa: E402

PEERS = ("trackers==2.1.0", "motpy==0.0.10", "norfair==2.1.1", "boxmot==18.0.0")
NAMES = ("poseline", "trackers ByteTrack", "trackers SORT", "boxmot ByteTrack", "boxmot OC-SORT", "motpy", "norfair")
FRAMES = {20: 250, 100: 150}  # else 60
SLOW = {20: 100, 100: 40}  # of norfair, else 12
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
WORKER = Path(__file__).with_name("bench_track_worker.py")


def measure(environment: Path, people: list[int], repeat: int) -> None:
    """Print frames/s and IDF1 of every tracker for each number of people, and how poseline's cost grows."""
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        _make(environment, python)
    print("| people | " + " | ".join(f"{n}: frames/s | IDF1" for n in NAMES) + " | poseline / fastest, median |")
    print("| --- |" + " --- |" * (2 * len(NAMES) + 1))
    costs = []
    with tempfile.TemporaryDirectory() as text:
        for n in people:
            costs.append(1 / _row(python, Path(text), n, repeat))
    for (n, a), (m, b) in zip(zip(people, costs, strict=True), list(zip(people, costs, strict=True))[1:], strict=False):
        print(f"\nfrom {n} to {m} people poseline's cost grows as people^{np.log(b / a) / np.log(m / n):.2f}")


def _make(environment: Path, python: Path) -> None:
    """An environment with the peers."""
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS], check=True)


def _row(python: Path, folder: Path, people: int, repeat: int) -> float:
    """Print one number of people; returns poseline's frames/s."""
    frames = FRAMES.get(people, 60)
    truth = _prepare(folder / "all.npz", people, frames)
    few = min(SLOW.get(people, 12), frames)
    truth_few = _prepare(folder / "few.npz", people, few)
    fps: dict[str, list[float]] = {name: [] for name in NAMES}
    score = dict.fromkeys(NAMES, 0.0)
    for _ in range(repeat):
        for name in NAMES:
            source, count, who = ("few", few, truth_few) if name == "norfair" else ("all", frames, truth)
            ids, seconds = work(sys.executable if name == "poseline" else str(python), name, folder, source)
            fps[name].append(count / seconds)
            score[name] = synthetic.idf1(ids, who)
    median = {name: statistics.median(values) for name, values in fps.items()}
    best = [max(fps[p][i] for p in NAMES[1:]) for i in range(repeat)]
    ratio = statistics.median(ours / other for ours, other in zip(fps["poseline"], best, strict=True))
    cells = " | ".join(f"{median[name]:.{0 if median[name] > 20 else 1}f} | {score[name]:.3f}" for name in NAMES)
    print(f"| {people} | {cells} | {ratio:.1f} |", flush=True)
    return median["poseline"]


def work(python: str, name: str, folder: Path, source: str) -> tuple[np.ndarray, float]:
    """Ids (N,) and seconds of one contestant."""
    target = folder / "said.npz"
    done = subprocess.run(
        [python, str(WORKER), name, str(folder / f"{source}.npz"), str(target)],
        capture_output=True,
        text=True,
        env={**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": str(ROOT)},
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    with np.load(target) as said:
        return said["ids"], float(said["seconds"])


def _prepare(file: Path, people: int, frames: int) -> np.ndarray:
    """Write what a network would see of people who walk about on a square as large as the crowd; returns who they are.

    Seeded: 4 px of noise, one sighting in ten missed. Truth ids (N,) are from 0.
    """
    rng = np.random.default_rng(people)
    t = np.arange(frames) / 25.0
    size = np.array(synthetic.SIZE_PX) * np.sqrt(people / 20)
    steps = [
        synthetic.walker(
            t,
            height_px=float(rng.uniform(120, 240)),
            start_px=tuple(rng.uniform(0, 1, 2) * size),
            velocity_px_s=tuple(rng.normal(0, 60, 2)),
            phase=float(rng.uniform()),
        )
        for _ in range(people)
    ]
    truth = np.array(steps)
    seen = np.argwhere((rng.uniform(size=truth.shape[:2]) > 0.1).T)  # frame, person
    points = truth[seen[:, 1], seen[:, 0]] + rng.normal(0, 4, (len(seen), 17, 2))
    np.savez(
        file,
        frame=seen[:, 0],
        box=synthetic.boxes(truth)[seen[:, 1], seen[:, 0]].astype(np.float32) + rng.normal(0, 4, (len(seen), 4)),
        score=rng.uniform(0.5, 0.95, len(seen)).astype(np.float32),
        points=points.astype(np.float32),
        point_score=rng.uniform(0.4, 0.95, (len(seen), 17)).astype(np.float32),
        frames=frames,
        size=size.astype(int),
    )
    return seen[:, 1]
