"""Steps when left and right are exchanged in between: whichever foot leads, the feet lead in turn.

Where the two feet pass each other, and a network takes each for the other, each seems to turn back instead of passing:
both feet then swing to and fro at twice the rate of the steps. The place of the foot that leads does not depend on
which one it is called.
n even times; places are along the direction of progress, in sizes of the person, against the pelvis.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.signal import find_peaks

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure.angles import SIDES, mid, points
from pipeline.motion.person import body_length

# Walkers' step length grows with their cadence: .0063 m for each step a minute (Sekiya et al. 1996), .0037 heights.
# With a stance of 1.24 steps a foot goes to and fro by .0046 heights for each step a minute. Steps so short for their
# rate that the rate is more than three times as high are none: that is 1.75 times the cadence usual at the speed. Of
# 40 walkers in videos at their own pace, one whose legs are exchanged is above.
_MOST_HURRIED, _LEAST_PER_MIN = 1.75, 150.0  # times; steps a minute that a walker seldom takes
_LEAST = 3  # changes of the lead
_REACH_STEPS = 0.0046  # heights for each step a minute


def hurried(time_s: np.ndarray, heel: np.ndarray, steps: dict[str, np.ndarray]) -> bool:
    """Whether the steps of a walk are too many for how far the feet go to and fro; False for runners.

    Args:
        time_s: (n,).
        heel: (2, n) places of left and right foot along the picture, in sizes of the person, against the pelvis.
        steps: columns (e,) as `pipeline.measure.gait.contacts` has them.
    """
    reach = [
        np.abs(
            np.diff(
                np.interp(
                    np.stack([steps["contact_time_s"], steps["off_time_s"]])[:, steps["side"] == side], time_s, foot
                ),
                axis=0,
            )
        )
        for side, foot in zip(("left", "right"), heel, strict=True)
    ]
    known = np.concatenate(reach, axis=None)
    known = known[np.isfinite(known)]
    step = steps["step_s"][np.isfinite(steps["step_s"])]
    if not len(known) or not len(step) or np.mean(steps["running"]) > 0.5:
        return False
    per_min = 60 / np.median(step)
    return bool(per_min > max(_LEAST_PER_MIN, _MOST_HURRIED**2 / _REACH_STEPS * np.median(known)))


def hurried_warning(motion: Motion, skeleton: Skeleton, steps: dict[str, np.ndarray]) -> list[str]:
    """A line where a person's steps, all together, are `hurried`."""
    p = points(motion, skeleton, places_only=True)
    pelvis = mid(p.get("left_hip"), p.get("right_hip"))
    if pelvis is None or not len(steps["side"]) or not all(f"{s}_ankle" in p for s in SIDES):
        return []
    feet = np.stack([p.get(f"{s}_heel", p[f"{s}_ankle"])[0] - pelvis[0] for s in SIDES]) / body_length(motion.box_px)
    known = np.isfinite(feet).all(0)
    if not known.any() or not hurried(motion.time_s[known], feet[:, known], steps):
        return []
    rate = 60 / np.nanmedian(steps["step_s"])
    return [
        f"{rate:.0f} steps a minute are too many for steps so short: left and right of the legs may be exchanged, or"
        " the video may play too fast; steps, cadence and symmetry are doubtful"
    ]


def extremes(signal: np.ndarray, reach: float, apart: int) -> np.ndarray:
    """(e,) places, in samples with fractions, of the maxima that stand out, by a parabola through three samples."""
    at, _ = find_peaks(signal, prominence=reach, distance=apart)
    before, here, after = signal[at - 1], signal[at], signal[at + 1]
    bend = before - 2 * here + after
    return at + np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)


def even(time: np.ndarray, linked: np.ndarray, uneven: float) -> list[np.ndarray]:
    """Runs of contacts that follow one another in a steady rhythm.

    Args:
        time: (e,) s.
        linked: (e − 1,) bool, contacts that follow one another.
        uneven: how much longer or shorter than the usual one a step may be.
    """
    out = []
    for run in np.split(np.arange(len(time)), np.flatnonzero(~linked) + 1):
        step = np.diff(time[run])
        if len(step):
            ratio = step / np.median(step)
            out += np.split(run, np.flatnonzero((ratio > uneven) | (ratio < 1 / uneven)) + 1)
    return out


def exchanged(heel: np.ndarray, reach: float, apart: int) -> np.ndarray:
    """(n,) bool: rows in which the left foot has to be the right one for the feet to lead in turn; none if they do.

    Args:
        heel: (2, n) places of the left and the right foot.
        reach: by which the place of a foot that leads stands out.
        apart: least number of samples between two contacts.
    """
    none = np.zeros(heel.shape[1], bool)
    leads = heel.argmax(0)
    peaks, _ = find_peaks(heel.max(0), prominence=reach, distance=apart)
    if len(peaks) < _LEAST:
        return none
    turn = np.arange(len(peaks)) % 2
    agreed = leads[peaks] == turn
    turn = turn if agreed.mean() >= 0.5 else 1 - turn
    gap = np.abs(heel[0] - heel[1])
    passes = [first + int(np.argmin(gap[first:last])) for first, last in pairwise(peaks)]
    return leads != turn[np.searchsorted(passes, np.arange(heel.shape[1]), "right")]
