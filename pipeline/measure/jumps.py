"""Jumps: flight time and height from the moments at which both feet leave the ground and come back.

The height is g·t²/8 (Bosco, Luhtanen & Komi 1983, European Journal of Applied Physiology 50): the rise of the centre of
mass from take-off to the top, if the person lands as stretched as they took off. A flight counts only if the pelvis
rises in it about as far as a body that falls freely would; so lifted feet, a moved camera and slow motion make no jump.
Nor does a flight whose feet were mostly not measured, or one that ends higher or lower than it began.
L rows of one person, J jumps, H the person's standing height.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.ndimage import percentile_filter

from pipeline.core.settings import ASSUMED_HEIGHT_M
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import MEASURED, SWAPPED, Motion
from pipeline.measure.angles import SIDES, mid, sources, state

JUMP_COLUMNS = (
    "take_off_time_s", "landing_time_s", "flight_time_s", "flight_time_std_s", "jump_height_m", "jump_height_std_m",
)  # fmt: skip
GRAVITY_M_S2 = 9.81
_PARTS = (("heel", "toe"), ("ankle",))  # of a foot; the first group that the set has
_OFF, _UP = 0.02, 0.04  # H above the ground at which a foot is off it, and which it must reach
_FIT_S = 0.07  # after take-off, and before landing, over which a foot's path is fitted; two rows at least
_EARLY_S = 0.06  # by which a foot may have left the ground before it is seen above it; one interval at least
_SHORTEST_S, _LONGEST_S = 0.15, 1.2  # of a flight; 1.2 s would be a jump of 1.77 m
_GROUND_S, _GROUND_PERCENT = 2.0, 80  # the ground is where a foot's lowest fifth is, in so long a window
# Chosen by us: share of the feet's points that were measured, from the row before a flight to the row after it.
_SEEN = 0.8
_LEVEL = 0.1  # H by which the feet may land higher or lower than they took off
_LEAST_FREE, _MOST_FREE = 0.5, 2.0  # of the pelvis's rise in free fall
_LONGEST_STEP_S = 0.11  # between two rows of a flight


def jumps(
    motion: Motion,
    skeleton: Skeleton,
    height_px: np.ndarray,
    taken_s: np.ndarray,
    height_m: float | None = None,
) -> dict[str, np.ndarray]:
    """Jumps of a person, arrays (J,) f64 by ``JUMP_COLUMNS``, in order of time.

    The deviations hold what the interval between frames leaves open (each moment lies anywhere within one interval, so
    that a flight time has interval / √6) and the keypoints' own.

    Args:
        height_px: (L,) standing height (`pipeline.measure.scale.running_px`).
        taken_s: (n, 2) spans in s in which the person walks or runs; flights within these are none.
        height_m: of the person, if it is known; else 1.70 m are taken for the paths in free fall alone.
    """
    found, tall_m = [], height_m or ASSUMED_HEIGHT_M
    if len(motion) > 3 and (told := _rise(motion, skeleton, height_px)) is not None:
        rise, pelvis, std, seen, foot = told
        for first, last in _stretches(motion.time_s, rise):
            level = abs(foot[first - 1] - foot[last + 1]) <= _LEVEL
            if not level or seen[first - 1 : last + 2].mean() < _SEEN:
                continue
            jump = _flight(motion.time_s, rise, std, (first, last), GRAVITY_M_S2 / tall_m)
            middle = (jump[0] + jump[1]) / 2
            if ((taken_s[:, 0] < middle) & (middle < taken_s[:, 1])).any() or not _SHORTEST_S <= jump[2] <= _LONGEST_S:
                continue
            if _falls_freely(motion.time_s, pelvis, jump, tall_m):
                found.append(jump)
    table = np.array(found).reshape(-1, len(JUMP_COLUMNS))
    return {name: table[:, i] for i, name in enumerate(JUMP_COLUMNS)}


def highest(flights: dict[str, np.ndarray]) -> dict[str, float]:
    """``highest_jump_m`` and its deviation ``highest_jump_std_m`` of a table of jumps; NaN without jumps."""
    if not len(flights["jump_height_m"]):
        return {"highest_jump_m": np.nan, "highest_jump_std_m": np.nan}
    top = np.argmax(flights["jump_height_m"])
    return {
        "highest_jump_m": float(flights["jump_height_m"][top]),
        "highest_jump_std_m": float(flights["jump_height_std_m"][top]),
    }


class _Feet(NamedTuple):
    """A person's feet and pelvis, (L,) each, in H."""

    rise: np.ndarray  # of the lower foot above the ground
    pelvis: np.ndarray  # height
    std: np.ndarray  # of the foot
    seen: np.ndarray  # share of the feet's points that were measured
    foot: np.ndarray  # height of the lower foot in the picture


def _rise(motion: Motion, skeleton: Skeleton, size: np.ndarray) -> _Feet | None:
    """None where the set has no feet, or a foot or the size is never known."""
    where = sources(skeleton)
    names = next((g for g in _PARTS if all(f"{s}_{n}" in where for n in g for s in SIDES)), ())
    hips = [state(motion, where[f"{s}_hip"], places_only=True) if f"{s}_hip" in where else None for s in SIDES]
    pelvis = mid(*hips)
    step = float(np.median(np.diff(motion.time_s)))
    if pelvis is None or not names or not np.isfinite(size).all() or step <= 0:
        return None
    feet = [where[f"{s}_{n}"] for n in names for s in SIDES]
    lowest, foot = np.full(len(motion), np.inf), np.full(len(motion), np.inf)
    for k in feet:
        y = _measured_y(motion, k) / size
        known = np.isfinite(y)
        if not known.any():
            return None
        filled = np.interp(motion.time_s, motion.time_s[known], y[known])
        ground = percentile_filter(filled, _GROUND_PERCENT, max(round(_GROUND_S / step), 3), mode="nearest")
        lowest, foot = np.minimum(lowest, ground - y), np.minimum(foot, -y)
    ankles = [skeleton.index(f"{s}_ankle") for s in SIDES if f"{s}_ankle" in skeleton.names]
    std = motion.jitter_px()[:, ankles].astype(np.float64).mean(1) if ankles else np.zeros(len(motion))
    seen = np.isin(motion.provenance[:, feet], (MEASURED, SWAPPED)).mean(1)
    return _Feet(lowest, -pelvis[1] / size, np.nan_to_num(std) / size, seen, foot)


def _measured_y(motion: Motion, k: int) -> np.ndarray:
    """(L,) px down the picture of a keypoint as measured, where it was: a smoother rounds a take-off."""
    measured = motion.provenance[:, k] == MEASURED
    return np.where(measured, motion.raw_px[:, k, 1], motion.keypoints_px[:, k, 1]).astype(np.float64)


def _stretches(time_s: np.ndarray, rise: np.ndarray) -> list[tuple[int, int]]:
    """First and last row of each stretch in which both feet are off the ground, between rows on the ground."""
    with np.errstate(invalid="ignore"):
        off = rise > _OFF
    edge = np.flatnonzero(np.diff(off.astype(np.int8)))
    out = []
    for a, b in pairwise(edge):
        if not off[a + 1]:
            continue
        rows = slice(a, b + 2)
        whole = np.isfinite(rise[rows]).all() and np.diff(time_s[rows]).max() <= _LONGEST_STEP_S
        if whole and rise[rows].max() >= _UP:
            out.append((int(a) + 1, int(b)))
    return out


def _flight(time_s: np.ndarray, rise: np.ndarray, std: np.ndarray, rows: tuple[int, int], fall: float) -> list[float]:
    """The values of `JUMP_COLUMNS` of the flight between two rows; ``fall`` is gravity in H/s²."""
    first, last = rows
    top = first + int(np.argmax(rise[first : last + 1]))
    up, up_s = _on_ground(time_s[first - 1 : top + 1], rise[first - 1 : top + 1], fall)
    down, down_s = _on_ground(-time_s[top : last + 2][::-1], rise[top : last + 2][::-1], fall)
    flight = -down - up
    step = float(np.median(np.diff(time_s[max(first - 2, 0) : last + 3])))
    spread = float(np.sqrt(step**2 / 6 + (std[first] * up_s) ** 2 + (std[last] * down_s) ** 2))
    height = GRAVITY_M_S2 * flight**2 / 8
    return [up, -down, flight, spread, height, GRAVITY_M_S2 * flight / 4 * spread]


def _on_ground(time_s: np.ndarray, rise: np.ndarray, fall: float) -> tuple[float, float]:
    """When a foot that rises left the ground, by a parabola of free fall (``fall`` H/s²) through its first places in
    the air; and s per H, the inverse of its speed then."""
    first = int(np.argmax(rise > _OFF))
    last = max(int(np.searchsorted(time_s, time_s[first] + _FIT_S, "right")), first + 2)
    t, y = time_s[first:last] - time_s[first], rise[first:last]
    step = float(time_s[first] - time_s[first - 1])
    if len(t) > 1:
        speed, place = np.polyfit(t, y + fall / 2 * t**2, 1)
        root = speed**2 + 2 * fall * place
        if root > 0 and speed > 0:
            left = float(speed - np.sqrt(root)) / fall
            return float(time_s[first]) + max(left, -max(_EARLY_S, step)), float(1 / np.sqrt(root))
    return float(time_s[first]) - step / 2, step / _OFF


def _falls_freely(time_s: np.ndarray, pelvis: np.ndarray, jump: list[float], height_m: float) -> bool:
    """Whether the pelvis rises and falls in the flight about as far as in free fall."""
    known = np.isfinite(pelvis)
    if not known.any():
        return False
    off, top, on = np.interp([jump[0], (jump[0] + jump[1]) / 2, jump[1]], time_s[known], pelvis[known])
    ratio = (top - (off + on) / 2) * height_m / jump[4]
    return bool(_LEAST_FREE <= ratio <= _MOST_FREE)
