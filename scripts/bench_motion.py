"""Time of repair, smoothing and kinematics: an hour of people with known motion, noise, drop-outs and exchanges."""

from __future__ import annotations

import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import MetresConfig
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.core.types import Observations
from pipeline.measure.measure import measure as quantities
from pipeline.motion.person import build_motions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests import synthetic

LEGS = ("hip", "knee", "ankle", "toe", "heel")
SETS = {17: COCO17, 26: HALPE26}


def measure(people: int, minutes: float, fps: float, keypoints: int, processes: int, config: Config) -> None:
    """Print wall time, time per stage and peak memory; making the people is not counted in the times."""
    jobs = [(seed, minutes, fps, SETS[keypoints], config) for seed in range(people)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(_warm, range(2 * processes)))
        made = list(pool.map(_person, jobs, chunksize=1))
    busy = np.array([m[:2] for m in made])
    # Each process did its share one person after another: the slower one is the wall time.
    share: dict[int, float] = {}
    for build, rest, process, _ in made:
        share[process] = share.get(process, 0.0) + build + rest
    rows = people * round(minutes * 60 * fps)
    what = f"{people} people, {minutes:g} min at {fps:g} frames/s, {keypoints} keypoints"
    print(f"{what}: {rows} rows on {len(share)} processes")
    print(f"wall time          {max(share.values()):8.1f} s   ({rows / max(share.values()):.0f} rows/s)")
    print(f"repair, smoothing  {busy[:, 0].mean():8.2f} s a person")
    print(f"kinematics, gait   {busy[:, 1].mean():8.2f} s a person")
    print(f"peak memory        {max(m[3] for m in made):8.0f} MB a process")


def _warm(_: int) -> None:
    """Import and compile what there is to."""
    _person((0, 0.05, 30.0, COCO17, Config()))


def _person(job: tuple[int, float, float, Skeleton, Config]) -> tuple[float, float, int, float]:
    """Seconds of repair and smoothing, and of all after it, the process, and its peak memory in MB so far."""
    seed, minutes, fps, skeleton, config = job
    time_s, observations = _walk(seed, minutes, fps, skeleton)
    one = [(seed + 1, observations, None)]
    del observations
    start = time.perf_counter()
    [motion] = build_motions((one.pop() for _ in range(1)), time_s, skeleton, config.track, config.smooth)
    middle = time.perf_counter()
    quantities(motion, skeleton, MetresConfig(height_m=1.7), synthetic.SIZE_PX)
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return middle - start, end - middle, os.getpid(), peak


def _walk(seed: int, minutes: float, fps: float, skeleton: Skeleton) -> tuple[np.ndarray, Observations]:
    """A walk on the spot: 4 px noise, 3 % of the points not seen, legs exchanged for .3 s every 10 s, 1 % outliers."""
    rng = np.random.default_rng(seed)
    time_s = synthetic.times(rng, 60 * minutes, fps, jitter=0.1)
    points = synthetic.walker(time_s, velocity_px_s=(0, 0), start_px=(900, 900), phase=float(rng.uniform()))
    box = synthetic.boxes(points).astype(np.float32)
    if len(skeleton) == len(HALPE26):
        points = _with_feet(points)
    points += rng.normal(0, 4.0, points.shape)
    legs = [k for k, name in enumerate(skeleton.names) if name.endswith(LEGS)]
    for begin in np.arange(5.0, time_s[-1], 10.0) + rng.uniform(0, 2):
        rows = (time_s >= begin) & (time_s < begin + 0.3)
        points[np.ix_(rows, legs)] = points[rows][:, skeleton.flip][:, legs]
    score = np.where(rng.uniform(size=points.shape[:2]) < 0.03, 0.1, 0.8).astype(np.float32)
    points[rng.uniform(size=score.shape) < 0.01] += 120
    n = len(time_s)
    sure = np.full(n, 0.8, np.float32)
    return time_s, Observations(np.arange(n), box, sure, points.astype(np.float32), score, skeleton.name)


def _with_feet(points: np.ndarray) -> np.ndarray:
    """(L, 26, 2) px of Halpe's points from COCO's (L, 17, 2) of somebody 400 px tall who looks to the right."""
    nose, shoulders, hips, ankles = points[:, 0], points[:, 5:7].mean(1), points[:, 11:13].mean(1), points[:, 15:17]
    middle = np.stack([nose, shoulders, hips], 1) - np.array([[0, 26], [0, 12], [0, 0]])
    feet = [ankles + off for off in ([44, 12], [40, 14], [-12, 12])]  # big toes, small toes, heels
    return np.concatenate([points, middle, *feet], 1)
