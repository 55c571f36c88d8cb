"""Time and memory of identities on a day of a busy street, simulated: a quarter, a half and the whole of it.

    python scripts/bench_street.py [--seed 0] [--people-per-hour 200] [--fps 10] [--hours 6,12,24]

People walk past, one tenth of them once more some minutes later. A van and a tree hide each for some seconds, and now
and then the detector misses somebody, so that tracklets break. A vendor stands there all day. Poses and clothes are
noisy. Only tracking is timed, in a process of its own for each length; the peak is of the whole process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.core.settings import TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Observations
from pipeline.tracking.identify import identify
from pipeline.tracking.match import most_gained

SIZE_PX = (1920, 1080)
PART_S = 60.0
HIDDEN_PX = ((550.0, 850.0), (1300.0, 1480.0))  # x behind the van, behind the tree
BACK = 0.1  # share of those who come by again
# x and height above the ground of each keypoint of somebody who stands, as shares of the height (Winter 2009).
BODY_X = np.array([3, 4, 2, 1, -1, 9, -9, 11, -11, 12, -12, 5, -5, 5, -5, 5, -5]) / 100
BODY_UP = np.array([936, 950, 950, 945, 945, 818, 818, 630, 630, 485, 485, 530, 530, 285, 285, 39, 39]) / 1000
SWING = np.array([0, 0, 0, 0, 0, 0, 0, -4, 4, -9, 9, 0, 0, 7, -7, 14, -14]) / 100  # to and fro while walking


class Walks(NamedTuple):
    """W walks past, in the order of their beginning."""

    who: np.ndarray  # (W,) the person
    start_s: np.ndarray  # (W,)
    stop_s: np.ndarray  # (W,)
    speed_px_s: np.ndarray  # (W,) to the right; 0 stands in the middle
    height_px: np.ndarray  # (W,)
    ground_px: np.ndarray  # (W,)
    missed_s: np.ndarray  # (W, 2) from when to when nobody is detected
    look: np.ndarray  # (W, 16) clothes


def walks(rng: np.random.Generator, people_per_hour: float) -> Walks:
    """Everybody who comes by in 24 hours, and the vendor."""
    count = rng.poisson(24 * people_per_hour)
    who = np.arange(1, count + 1)
    begin = np.sort(rng.uniform(0, 24 * 3600, count))
    parts = [rng.uniform(low, high, (count, 4)) for low, high in ((10, 80), (-25, 35), (-30, 30), (3, 15))]
    height, look = rng.uniform(150, 300, count), np.stack(parts, -1).reshape(count, 16)
    again = np.flatnonzero(rng.uniform(size=count) < BACK)
    who, height, look = np.append(who, again + 1), np.append(height, height[again]), np.append(look, look[again], 0)
    begin = np.append(begin, begin[again] + rng.uniform(120, 1200, len(again)))
    speed = rng.choice((-1.0, 1.0), len(who)) * rng.uniform(0.3, 0.7, len(who)) * height
    missed = begin + rng.uniform(0, 20, len(who))
    made = Walks(
        who=np.append(0, who),
        start_s=np.append(0.0, begin),
        stop_s=np.append(24 * 3600.0, begin + SIZE_PX[0] / np.abs(speed)),
        speed_px_s=np.append(0.0, speed),
        height_px=np.append(250.0, height),
        ground_px=np.append(900.0, 450 + 1.4 * height),
        missed_s=np.concatenate([[[600.0, 605.0]], np.stack([missed, missed + rng.uniform(0, 4, len(who))], 1)]),
        look=np.append(np.full((1, 16), 40.0), look, 0),
    )
    return Walks(*(column[np.argsort(made.start_s, kind="stable")] for column in made))


def observed(w: Walks, frames: range, fps: float, seed: int) -> tuple[Observations, np.ndarray]:
    """What is seen in some frames, and who each of it is (N,)."""
    rng = np.random.default_rng([seed, frames.start])
    time_s = np.arange(frames.start, frames.stop) / fps
    here = np.flatnonzero((w.start_s < time_s[-1]) & (w.stop_s > time_s[0]))
    x = _place(w, here[None], time_s[:, None])
    hidden = np.any([(x > low) & (x < high) for low, high in HIDDEN_PX], 0) & (w.speed_px_s[here] != 0)
    away = (time_s[:, None] < w.start_s[here]) | (time_s[:, None] > w.stop_s[here]) | hidden
    away |= (time_s[:, None] > w.missed_s[here, 0]) & (time_s[:, None] < w.missed_s[here, 1])
    i, j = np.nonzero(~away & (rng.uniform(size=x.shape) > 0.03))
    walk = here[j]
    height, swing = (
        w.height_px[walk, None],
        np.sin(2 * np.pi * 0.95 * time_s[i])[:, None] * (w.speed_px_s[walk, None] != 0),
    )
    px = np.stack(
        [x[i, j][:, None] + height * (BODY_X + swing * SWING), w.ground_px[walk, None] - height * BODY_UP], -1
    )
    px += rng.normal(0, 2.0, px.shape)
    low, high = px.min(1) - 0.06 * height, px.max(1) + 0.06 * height
    look = (
        w.look[walk] + rng.normal(0, 3.0, (len(walk), 16)) + 6 * rng.normal(size=(len(walk), 1)) * ([1.0, 0, 0, 0] * 4)
    )
    look[np.repeat(rng.uniform(size=(len(walk), 4)) < 0.1, 4, 1)] = np.nan
    seen = Observations(
        frame=(frames.start + i).astype(np.int64),
        box_px=np.concatenate([low, high], 1).astype(np.float32),
        score=np.clip(rng.normal(0.8, 0.07, len(walk)), 0.05, 0.98).astype(np.float32),
        keypoints_px=px.astype(np.float32),
        keypoint_score=np.clip(rng.normal(0.8, 0.08, px.shape[:2]), 0.02, 0.99).astype(np.float32),
        appearance=look.astype(np.float16),
    )
    return seen, w.who[walk]


def _place(w: Walks, walk: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """x of walks at times, px."""
    speed = w.speed_px_s[walk]
    start = np.where(speed > 0, 0.0, np.where(speed < 0, SIZE_PX[0], 1000.0))
    return start + speed * (time_s - w.start_s[walk])


class Street:
    """The parts of some hours, made as they are asked for; how long that took, and who everybody was."""

    def __init__(self, hours: float, people_per_hour: float, fps: float, seed: int) -> None:
        self.walks = walks(np.random.default_rng(seed), people_per_hour)
        self.time_s = np.arange(round(hours * 3600 * fps)) / fps
        self.fps, self.seed, self.spent_s = fps, seed, 0.0
        self.truth: list[np.ndarray] = []

    def parts(self) -> Iterator[Observations]:
        step = round(PART_S * self.fps)
        for start in range(0, len(self.time_s), step):
            began = time.process_time()
            stop = min(start + step, len(self.time_s))
            part, who = observed(self.walks, range(start, stop), self.fps, self.seed)
            self.truth.append(who.astype(np.int16))
            self.spent_s += time.process_time() - began
            yield part


def idf1(person: np.ndarray, truth: np.ndarray) -> float:
    """IDF1 (Ristani et al. 2016) of the observations."""
    pairs, sightings = np.unique(np.stack([person, truth])[:, person > 0], axis=1, return_counts=True)
    size = int(pairs.max()) + 1
    hits = sightings[most_gained(pairs[0], pairs[1], sightings.astype(np.float64), size)].sum()
    return float(2 * hits / ((person > 0).sum() + len(truth)))


def measure(hours: float, people_per_hour: float, fps: float, seed: int) -> str:
    """A row of the table for so many hours."""
    street = Street(hours, people_per_hour, fps, seed)
    began = time.process_time()
    person = identify(street.parts(), street.time_s, SIZE_PX, COCO17, TrackConfig()).person
    spent_s = time.process_time() - began - street.spent_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    truth = np.concatenate(street.truth)
    people = len(np.unique(truth))
    return (
        f"| {hours:g} h | {people} | {len(truth)} | {person.max()} | {idf1(person, truth):.3f} |"
        f" {spent_s:.0f} s | {spent_s / hours:.1f} s | {peak_mb:.0f} MiB |"
    )


def main() -> int:
    """Print a row for each length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", default="6,12,24")
    parser.add_argument("--people-per-hour", type=float, default=200.0)
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    hours = args.hours.split(",")
    if len(hours) == 1:
        print(measure(float(hours[0]), args.people_per_hour, args.fps, args.seed), flush=True)
        return 0
    print("| length | people | sightings | found | IDF1 | time | an hour | peak memory |", flush=True)
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    rest = [f"--people-per-hour={args.people_per_hour}", f"--fps={args.fps}", f"--seed={args.seed}"]
    for one in hours:
        subprocess.run([sys.executable, __file__, f"--hours={one}", *rest], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
