"""Strides and repetitions: where each cycle of a movement begins and ends, and its curves over 0 to 100 %.

A stride goes from a foot's contact to the same foot's next contact; repetitions are of
`pipeline.measure.repetitions`. Cycles are cut from the person's columns by linear interpolation at 101 even times.
L rows of one person, C cycles, Q quantities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import MEASURED, SWAPPED, Motion
from pipeline.measure.angles import SIDES

PERCENT = np.arange(101)
STRIDES = ("walk", "walk_backward", "run")
UNUSUAL = 0.15  # share by which a stride may last longer or shorter than the median one and still count for the mean
UNUSUAL_REPETITION = 0.5  # the same of repetitions, which nobody does as evenly
SEEN = 0.85  # share of a cycle's joints that must be measured
_LEG = ("hip", "knee", "ankle", "heel", "big_toe", "small_toe", "foot_index", "toe")
_LEG_JOINTS, _ARM_JOINTS = ("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")
_MIDDLE = ("trunk_", "pelvis_", "shoulders_", "com_")
_PLACES = ("com_x_px", "com_y_px")
_BLOCK = 256  # cycles whose curves are made at once: some 10 MB


@dataclass(frozen=True)
class Cycles:
    """Cycles of one person, sorted by movement, side and time."""

    movement: np.ndarray  # (C,) str: walk, walk_backward, run, squat, arm_raise, leg_raise, bend
    side: np.ndarray  # (C,) str: left, right
    cycle: np.ndarray  # (C,) i32 number within person, movement and side, from 1
    start_s: np.ndarray  # (C,) f64 on the container's clock
    end_s: np.ndarray  # (C,) f64
    measured_share: np.ndarray  # (C,) f64 0…1 of the side's joints that were measured, not bridged
    in_mean: np.ndarray  # (C,) bool of usual duration, and measured

    def __len__(self) -> int:
        return len(self.cycle)

    def take(self, rows: np.ndarray | slice) -> Cycles:
        """Some of the cycles."""
        return Cycles(*(getattr(self, f.name)[rows] for f in fields(self)))


def cycles_of(
    motion: Motion, skeleton: Skeleton, movement: Sequence[str], side: Sequence[str], start_s: Sequence[float],
    end_s: Sequence[float],
) -> Cycles:  # fmt: skip
    """Cycles with these movements, sides, beginnings and ends, numbered, and marked where they count for the mean."""
    what, which = np.array(movement, dtype="<U16"), np.array(side, dtype="<U5")
    start, end = np.array(start_s, np.float64), np.array(end_s, np.float64)
    order = np.lexsort((start, which, what))
    what, which, start, end = what[order], which[order], start[order], end[order]
    number, usual = np.zeros(len(what), np.int32), np.zeros(len(what), bool)
    for name in dict.fromkeys(what.tolist()):
        most = UNUSUAL if name in STRIDES else UNUSUAL_REPETITION
        for s in SIDES:
            mine = np.flatnonzero((what == name) & (which == s))
            number[mine] = np.arange(1, len(mine) + 1)
            if len(mine):
                last = end[mine] - start[mine]
                usual[mine] = np.abs(last / np.median(last) - 1) <= most
    seen = _seen(motion, skeleton, what, which, start, end)
    return Cycles(what, which, number, start, end, seen, usual & (seen >= SEEN))


def strides(steps: Mapping[str, np.ndarray]) -> tuple[list[str], list[str], list[float], list[float]]:
    """Movement, side, beginning and end in s of each stride of a table of steps (`pipeline.measure.gait.contacts`)."""
    whole = np.isfinite(steps["stride_s"])
    kind = np.where(steps["running"], "run", np.where(steps["backward"], "walk_backward", "walk"))[whole]
    start = steps["contact_time_s"][whole]
    return kind.tolist(), steps["side"][whole].tolist(), start.tolist(), (start + steps["stride_s"][whole]).tolist()


def _seen(
    motion: Motion, skeleton: Skeleton, movement: np.ndarray, side: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """(C,) share of the leg's, or the arm's, joints that were measured between the beginning and the end."""
    used = (motion.provenance == MEASURED) | (motion.provenance == SWAPPED)
    low, high = np.searchsorted(motion.time_s, start), np.searchsorted(motion.time_s, end, "right")
    out = np.zeros(len(movement))
    for arm in (False, True):
        for s in SIDES:
            names = [f"{s}_{n}" for n in (_ARM_JOINTS if arm else _LEG_JOINTS)]
            known = [skeleton.index(n) for n in names if n in skeleton.names]
            if not known:
                continue
            total = np.append(0.0, np.cumsum(used[:, known].mean(1)))
            mine = ((movement == "arm_raise") == arm) & (side == s)
            rows = np.maximum(high - low, 1)[mine]
            out[mine] = (total[high] - total[low])[mine] / rows
    return out


# --- curves ----------------------------------------------------------------------------------------------------------


def columns_of_side(names: Sequence[str], side: str) -> dict[str, str]:
    """{name in the table of cycles: column of the person's table} of a side: its angles, the speeds of its leg, its
    contacts, and what trunk, pelvis and centre of mass do; ``left_knee_flexion_deg`` is ``knee_flexion_deg`` there."""
    out = {}
    for column in names:
        own = column.removeprefix(f"{side}_")
        if column.endswith("_state") or column in _PLACES:
            continue
        if own == column:
            if column.startswith(_MIDDLE):
                out[column] = column
        elif "_deg" in own or own == "foot_contact" or own.startswith(tuple(f"{n}_" for n in _LEG)):
            out[own] = column
    return out


def quantities_of(names: Sequence[str], metric: bool) -> tuple[str, ...]:
    """The quantities that a run's table of cycles has, from the columns of one person.

    With ``metric`` some person of the run has a scale: speeds in m/s and m/s² are added.
    """
    own = dict.fromkeys(q for side in SIDES for q in columns_of_side(names, side))
    if metric:
        for end, to in (("_speed_px_s", "_speed_m_s"), ("_acceleration_px_s2", "_acceleration_m_s2")):
            own |= dict.fromkeys([q.removesuffix(end) + to for q in own if q.endswith(end)])
    return tuple(own)


def curves(
    motion: Motion, cycles: Cycles, quantities: Sequence[str]
) -> Iterator[tuple[Cycles, np.ndarray, np.ndarray]]:
    """Blocks of cycles of one movement and side: cycles, times (C, 101) f64 in s, values (Q, C, 101) f32.

    Values are NaN where a quantity is not known, and between rows that are not of consecutive frames.
    """
    groups = np.flatnonzero((cycles.movement[1:] != cycles.movement[:-1]) | (cycles.side[1:] != cycles.side[:-1])) + 1
    for group in np.split(np.arange(len(cycles)), groups):
        for first in range(0, len(group), _BLOCK):
            some = cycles.take(group[first : first + _BLOCK])
            at = some.start_s[:, None] + PERCENT / 100 * (some.end_s - some.start_s)[:, None]
            column = columns_of_side(tuple(motion.quantities), str(some.side[0]))
            yield some, at, _sampled(motion, at, [column.get(q, "") for q in quantities])


def _sampled(motion: Motion, at: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    """(Q, C, 101) f32 the columns at times (C, 101); NaN for a column that is not there."""
    time_s, out = motion.time_s, np.full((len(columns), *at.shape), np.nan, np.float32)
    if len(time_s) < 2:
        return out
    before = np.clip(np.searchsorted(time_s, at, "right") - 1, 0, len(time_s) - 2)
    share = (at - time_s[before]) / (time_s[before + 1] - time_s[before])
    apart = (np.diff(motion.frame)[before] > 1) | (share < -1e-9) | (share > 1 + 1e-9)
    share = np.where(apart, np.nan, share).astype(np.float32)
    for i, name in enumerate(columns):
        if name:
            a, b = motion.quantities[name][before], motion.quantities[name][before + 1]
            out[i] = np.where(share <= 0, a, np.where(share >= 1, b, a + share * (b - a)))
    return out
