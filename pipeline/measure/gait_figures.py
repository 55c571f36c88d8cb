"""Figures of a gait from its table of steps (`pipeline.measure.gait.contacts`), and how certain they are.

Durations and their means are sums of times, whose errors count as independent: a time that ends one step and begins the
next drops out of a mean. E contacts.
"""

from __future__ import annotations

import numpy as np

from pipeline.measure.angles import SIDES

_FAR = 1.5  # factor from the median beyond which a step time comes from a missed or doubled contact


def summary(steps: dict[str, np.ndarray]) -> dict[str, float]:
    """The gait's figures from a table of steps; a figure is NaN where there are too few steps.

    ``steps``: number of contacts. ``step_time_s``, ``stride_time_s``: means of the times within a factor of 1.5 of the
    median, so that a missed or doubled contact does no harm; the step time is the mean of both sides' means.
    ``cadence_steps_per_min``: 60 / step time, as if steps were counted over a time. ``stance_share``: median stance
    over stride, 0…1.
    ``symmetry_percent``: symmetry index of the step times, 100 · |left − right| / (½ (left + right)), 0 = symmetric
    (Robinson, Herzog & Nigg 1987). ``walks_or_runs``: 0 = walks, 1 = runs, by the larger number of steps.
    ``steps_backward``: number of contacts while going backward; all other figures but ``steps`` are of the direction,
    forward or backward, in which more contacts are. Their deviations are `figures_std`.
    """
    n, back = len(steps["contact_time_s"]), steps["backward"]
    steps = _one_way(steps)
    step, side = steps["step_s"], steps["side"]
    left, right = (_mean(step[side == s]) for s in SIDES)
    typical = _mean(step) if np.isnan(left + right) else (left + right) / 2
    stance = steps["stance_s"] / steps["stride_s"]
    stance = stance[np.isfinite(stance)]
    figures = {
        "steps": float(n),
        "cadence_steps_per_min": 60.0 / typical,
        "step_time_s": typical,
        "stride_time_s": _mean(steps["stride_s"]),
        "stance_share": float(np.median(stance)) if len(stance) else float("nan"),
        "symmetry_percent": 200.0 * abs(left - right) / (left + right),
        "walks_or_runs": float(np.mean(steps["running"]) > 0.5) if n else np.nan,
    }
    return figures | figures_std(steps) | {"steps_backward": float(back.sum())}


def _one_way(steps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The steps with the durations left out that belong to the direction in which fewer contacts are."""
    back = steps["backward"]
    other = back != (back.mean() > 0.5) if len(back) else back
    durations = ("stance_s", "stride_s", "step_s")
    return steps | {name: np.where(other, np.nan, steps[name]) for name in durations}


def _mean(times: np.ndarray) -> float:
    """Mean of the times within a factor of the median; unlike the median, it agrees with counting steps."""
    some = usual(times)
    return float(times[some].mean()) if some.any() else float("nan")


def usual(times: np.ndarray) -> np.ndarray:
    """(E,) bool: the time is known and within a factor `_FAR` of the median."""
    known = np.isfinite(times)
    if not known.any():
        return known
    with np.errstate(invalid="ignore"):
        ratio = times / np.median(times[known])
        return (ratio < _FAR) & (ratio > 1 / _FAR)


def figures_std(steps: dict[str, np.ndarray]) -> dict[str, float]:
    """Standard deviations of the figures of `summary`; NaN = not known.

    They hold the errors of the contacts. How much somebody's steps differ is no part of them.
    """
    told = steps["contact_time_std_s"]
    var = np.square(np.where(np.isnan(told), np.nanmedian(told) if np.isfinite(told).any() else np.nan, told))
    mine = [usual(np.where(steps["side"] == s, steps["step_s"], np.nan)) for s in SIDES]
    left, right = (_weights(some, -1) for some in mine)
    both = all(some.any() for some in mine)
    mean = (left + right) / 2 if both else _weights(usual(steps["step_s"]), -1)
    step_s, stride_s = (steps[name][usual(steps[name])] for name in ("step_s", "stride_s"))
    step, stride = _std(mean, var), _std(_weights(usual(steps["stride_s"]), 2), var)
    typical = float(step_s.mean()) if len(step_s) else float("nan")
    return {
        "cadence_std_steps_per_min": 60.0 * step / typical**2,
        "step_time_std_s": step,
        "stride_time_std_s": stride if len(stride_s) else float("nan"),
        "stance_std_share": _share_std(steps),
        "symmetry_std_percent": 100.0 * _std(left - right, var) / typical if both else float("nan"),
    }


def _weights(some: np.ndarray, other: int) -> np.ndarray:
    """(E,) of each contact in the mean of differences between contacts: of each of ``some`` (E,) bool and the contact
    that many rows on or back, whichever is later less the earlier one."""
    out, rows = np.zeros(len(some)), np.flatnonzero(some)
    later, earlier = np.maximum(rows, rows + other), np.minimum(rows, rows + other)
    np.add.at(out, later, 1 / max(len(rows), 1))
    np.add.at(out, earlier, -1 / max(len(rows), 1))
    return out


def _std(weights: np.ndarray, var: np.ndarray) -> float:
    used = weights != 0
    return float(np.sqrt(np.sum(np.square(weights[used]) * var[used]))) if used.any() else float("nan")


def _share_std(steps: dict[str, np.ndarray]) -> float:
    """Of the median share of the stance: that of a mean of half as many, times 1.25 (√(π/2), for normal errors).

    A smoother shifts contacts that follow one another alike: as if independent, 83 % of 40 made walks were held.
    """
    on, off, stride = (steps[name] for name in ("contact_time_std_s", "off_time_std_s", "stride_s"))
    share = steps["stance_s"] / stride
    var = (np.square(off) + np.square((1 - share) * on) + np.square(share * on)) / np.square(stride)
    known = var[np.isfinite(var)]
    return float(np.sqrt(np.pi * known.mean() / len(known))) if len(known) else float("nan")
