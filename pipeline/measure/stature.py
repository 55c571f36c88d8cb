"""Whether people can all be of the height that is assumed for them: whoever stands on one row of the picture, on one
floor, is equally far away, so that their sizes in the picture are in the ratio of their heights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from pipeline.core.settings import ASSUMED_HEIGHT_M
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import MEASURED, SWAPPED, Motion
from pipeline.measure.scale import running_px

TOO_SMALL = 0.75  # of somebody else's height; women of 1.55 m and men of 1.90 m are at 0.82, sizes are known to 5 %
SAME_ROW = 0.06  # of the larger one's size: rows nearer to one another are the same
EVERY_S, MOST, MOST_PEOPLE = 0.5, 400, 60  # between samples; samples a person; people, those seen longest
LEAST = 3  # samples of the smaller one on the other's rows
FEET = ("ankle", "heel", "big_toe", "small_toe", "foot_index")


class Stature(NamedTuple):
    """How large somebody is in the picture and where they stand, n samples, sorted by ``sole_px``."""

    person_id: int
    told: bool  # the user gave the height
    sole_px: np.ndarray  # (n,) row of the lower foot
    height_px: np.ndarray  # (n,) of standing


def stature(motion: Motion, skeleton: Skeleton, told: bool) -> Stature:
    """Samples of a person's size and place; none where feet or size are not known."""
    feet = [k for k, name in enumerate(skeleton.names) if name.endswith(FEET)]
    seen = np.isin(motion.provenance[:, feet], (MEASURED, SWAPPED))
    sole = np.where(seen, motion.keypoints_px[:, feet, 1], -np.inf).max(1, initial=-np.inf).astype(np.float64)
    height = running_px(motion, skeleton)
    rows = np.flatnonzero(np.isfinite(sole + height))
    steps = np.floor(motion.time_s[rows] / EVERY_S)
    rows = rows[np.flatnonzero(np.diff(steps, prepend=-np.inf))]
    rows = rows[:: len(rows) // MOST + 1]
    rows = rows[np.argsort(sole[rows], kind="stable")]
    return Stature(motion.person_id, told, sole[rows], height[rows])


def stature_warnings(people: Sequence[Stature]) -> dict[int, str]:
    """Warnings by person: of those who look much smaller than somebody on the same row, at most one a person."""
    longest = sorted(people, key=lambda p: -len(p.sole_px))[:MOST_PEOPLE]
    found: dict[int, tuple[float, str]] = {}
    for pair in combinations([p for p in longest if len(p.sole_px) >= LEAST], 2):
        small, large = sorted(pair, key=lambda p: float(np.median(p.height_px)))
        ratio = 1.0 if small.told and large.told else _ratio(small, large)
        if ratio < found.get(small.person_id, (TOO_SMALL, ""))[0]:
            found[small.person_id] = ratio, _words(ratio, small, large)
    return {person_id: line for person_id, (_, line) in sorted(found.items())}


def _words(ratio: float, small: Stature, large: Stature) -> str:
    unknown = " and ".join(f"--height {p.person_id}=M" for p in (large, small) if not p.told)
    return (
        f"looks {ratio:.2f} times as tall as person {large.person_id} where both stand on one row of the picture,"
        f" so they are not both about {ASSUMED_HEIGHT_M:.2f} m tall: sizes and distances of the smaller one, perhaps"
        f" a child, come out too large (give {unknown})"
    )


def _ratio(small: Stature, large: Stature) -> float:
    """Median ratio of two people's sizes on the same rows; 1 where they share too few."""
    after = np.searchsorted(large.sole_px, small.sole_px)
    best = np.full(len(small.sole_px), np.inf)
    size = np.ones(len(best))
    for near in (np.clip(after - 1, 0, None), np.clip(after, None, len(large.sole_px) - 1)):
        off = np.abs(large.sole_px[near] - small.sole_px) / large.height_px[near]
        size, best = np.where(off < best, large.height_px[near], size), np.minimum(off, best)
    same = best <= SAME_ROW
    return float(np.median(small.height_px[same] / size[same])) if same.sum() >= LEAST else 1.0
