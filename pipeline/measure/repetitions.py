"""Repetitions of squats, arm raises, leg raises and bends, found and counted by heights in the picture.

A height in the picture tells such a movement from every side, where an angle would need the right one. A movement rises
from rest, turns, and comes back; repetitions are at least three of about the same size and duration. They are cut where
the movement leaves its rest and where it is back at rest, so that a pause between two repetitions belongs to neither.
L rows of one person, H the person's standing height.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.signal import butter, find_peaks, sosfiltfilt

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure.angles import SIDES, State, mid, sources

_GRID_S = 1 / 30
_LOW_PASS = butter(2, 3.0, fs=1 / _GRID_S, output="sos")  # without phase shift
_LONGEST_GAP_S, _SHORTEST_S = 0.25, 2.0
# H by which a movement must rise: a quarter squat lowers the pelvis by .1, a forearm curl lifts the wrist by .24, a
# lateral raise to the horizontal by .33. The arms of walkers and runners lift it by .03 to .2.
LEAST = {"squat": 0.08, "arm_raise": 0.22, "leg_raise": 0.1, "bend": 0.08}
_USED = ("shoulder", "wrist", "hip", "knee", "ankle")
_REST = 0.1  # share of the rise above the rest before or after, where a repetition begins and ends
SHORTEST_S, LONGEST_S = 0.7, 20.0  # of one repetition
_PAUSE_S = 10.0  # longest rest between two repetitions of one set
LEAST_COUNT, UNEVEN = 3, 2.0  # repetitions in a set; sizes and durations are within this factor of the median


class Repetitions(NamedTuple):
    """Repetitions of one person; squats and bends count for both sides."""

    movement: list[str]
    side: list[str]
    start_s: list[float]
    end_s: list[float]


def repetitions(motion: Motion, skeleton: Skeleton, height_px: np.ndarray, taken_s: np.ndarray) -> Repetitions:
    """All repetitions of a person.

    Legs that bend and trunks that lean within a squat belong to the squat.

    Args:
        height_px: (L,) standing height (`pipeline.measure.scale.running_px`).
        taken_s: (n, 2) spans in s in which the person walks, runs or jumps; nothing that overlaps them is a repetition.
    """
    out = Repetitions([], [], [], [])
    squats = taken_s
    for movement, side, signal in _signals(motion, skeleton, height_px):
        found = _cycles(motion.time_s, signal, LEAST[movement])
        found = found[~_overlaps(found, taken_s if movement in ("squat", "arm_raise") else squats)]
        found = _even(found)
        if movement == "squat":
            squats = np.concatenate([taken_s, found[:, :2]])
        for s in (side,) if side else SIDES:
            out.movement.extend([movement] * len(found))
            out.side.extend([s] * len(found))
            out.start_s.extend(found[:, 0].tolist())
            out.end_s.extend(found[:, 1].tolist())
    return out


def count(movement: np.ndarray, side: np.ndarray) -> int:
    """Repetitions in all: of each movement those of the side that has more."""
    return sum(max(int(np.sum((movement == name) & (side == s))) for s in SIDES) for name in LEAST)


def _signals(motion: Motion, skeleton: Skeleton, height_px: np.ndarray) -> list[tuple[str, str, np.ndarray]]:
    """(movement, side, (L,) height in H that rises with the movement) of the movements that the keypoints show."""
    p: dict[str, State] = {
        name: motion.keypoints_px[None, :, k, 1].astype(np.float64)  # the height alone
        for name, k in sources(skeleton).items()
        if name.endswith(_USED)
    }
    hip, shoulder = (mid(p.get(f"left_{n}"), p.get(f"right_{n}")) for n in ("hip", "shoulder"))
    found: list[tuple[str, str, State | None, State | None]] = []
    if all(f"{s}_ankle" in p for s in SIDES):
        lower = np.fmax(p["left_ankle"], p["right_ankle"])  # y points down: the foot that stands
        found.append(("squat", "", lower, hip))
    found += [("arm_raise", s, p.get(f"{s}_wrist"), p.get(f"{s}_shoulder")) for s in SIDES]
    found += [("leg_raise", s, p.get(f"{s}_knee"), p.get(f"{s}_hip")) for s in SIDES]
    found.append(("bend", "", hip, shoulder))
    return [(name, s, (b[0] - a[0]) / height_px) for name, s, a, b in found if a is not None and b is not None]


def _cycles(time_s: np.ndarray, signal: np.ndarray, least: float) -> np.ndarray:
    """(n, 3) beginning and end in s, and rise in H, of every rise from rest and fall back to rest."""
    known = np.flatnonzero(np.isfinite(signal))
    out = [np.zeros((0, 3))]
    for rows in np.split(known, np.flatnonzero(np.diff(time_s[known]) > _LONGEST_GAP_S) + 1):
        if len(rows) > 1 and time_s[rows[-1]] - time_s[rows[0]] >= _SHORTEST_S:
            grid = np.arange(time_s[rows[0]], time_s[rows[-1]], _GRID_S)
            even = sosfiltfilt(_LOW_PASS, np.interp(grid, time_s[rows], signal[rows]))
            out.append(_cut(grid, even, least))
    found = np.concatenate(out)
    last = found[:, 1] - found[:, 0]
    return found[(last >= SHORTEST_S) & (last <= LONGEST_S)]


def _cut(grid: np.ndarray, even: np.ndarray, least: float) -> np.ndarray:
    """(n, 3) beginning, end and rise of the peaks of a curve on even times."""
    top, _ = find_peaks(even, prominence=least)
    edges = np.concatenate([[0], top, [len(even) - 1]])
    low = np.array([a + int(np.argmin(even[a : b + 1])) for a, b in pairwise(edges)])
    out = np.zeros((len(top), 3))
    for i, at in enumerate(top.tolist()):
        before, after = low[i], low[i + 1]
        rise = even[at] - max(even[before], even[after])
        start = before + np.flatnonzero(even[before : at + 1] <= even[before] + _REST * rise)[-1]
        end = at + np.flatnonzero(even[at : after + 1] <= even[after] + _REST * rise)[0]
        out[i] = grid[start], grid[end], rise
    return out


def _overlaps(found: np.ndarray, taken_s: np.ndarray) -> np.ndarray:
    """(n,) bool: whether a span of ``found (n, 3)`` overlaps one of ``taken_s (m, 2)``."""
    both = (found[:, None, 0] < taken_s[None, :, 1]) & (found[:, None, 1] > taken_s[None, :, 0])
    return np.asarray(both.any(1))


def _even(found: np.ndarray) -> np.ndarray:
    """The repetitions that belong to sets: several in a row, of about one size and duration."""
    kept = [np.zeros((0, 3))]
    for one in np.split(found, np.flatnonzero(found[1:, 0] - found[:-1, 1] > _PAUSE_S) + 1):
        if len(one):
            told = np.stack([one[:, 2], one[:, 1] - one[:, 0]])
            ratio = told / np.median(told, 1, keepdims=True)
            good = one[((ratio < UNEVEN) & (ratio > 1 / UNEVEN)).all(0)]
            if len(good) >= LEAST_COUNT:
                kept.append(good)
    return np.concatenate(kept)
