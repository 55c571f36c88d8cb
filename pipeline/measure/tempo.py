"""Whether people in a video move at a human pace: a video may play faster or slower than it was recorded.

A step is a change of the leading foot: the ankles' distance in the picture, along the way, passes from one extreme to
the other. In walking, the body goes on by half of that change, whatever the view and the speed of playing, so walkers
are told without a clock. Their clock is then compared with that of people:

- Pedestrians take 108 (footbridges) to 120 (shops) steps a minute in the mean (Pachi & Ji 2005, *The Structural
  Engineer* 83(3), 800 people), and adults begin to run at about 140 (*Hum. Mov. Sci.* 90:103117, 2023). Three walkers
  and more at above 140 in the median, or anybody at above 160, look too fast.
- A leg swings like a pendulum, for 0.38 to 0.5 s at any walking speed of adults, for 0.3 to 0.4 s in running. These
  figures are ascribed to Perry & Burnfield 2010 and were not checked in the book. The middle half of
  the change takes 0.07 s in sprints and up to 0.2 s in slow walks. People who need more than 0.4 s for it, and a second
  and more for a step, look too slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.signal import find_peaks

from pipeline.core.homography import moved
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.motion.person import body_length

LEAST_CHANGE = 0.3  # sizes of the person that the ankles' distance changes by in a step
_STANDS_OUT = 0.15  # sizes by which an extreme stands out
_ONWARD = 0.1  # sizes that the body goes on by in a step
_LEAST_ONWARD = 0.75  # share of the steps in which it does, and of those that go where the step before went
LEAST_STEPS = 4
_FAR = 1.5
WALKS = (0.6, 1.4)  # way of the body in a step, over half of the ankles' change: runners fly, and go farther
CROWD, CROWD_PER_MIN = 3, 140.0  # walkers from which the median counts, and steps a minute that look too fast
ALONE_STEPS, ALONE_PER_MIN = 8, 160.0  # steps that a single walker must take, and how many a minute look too fast
SLOW_STEP_S, SLOW_CHANGE_S = 1.0, 0.4  # a step, and the middle half of its change, that look too slow


class Tempo(NamedTuple):
    """How somebody steps; typical of the steps."""

    steps: int
    step_s: float
    change_s: float  # of the middle half of the ankles' change
    onward: float  # way of the body in a step, over half of the ankles' change


def tempo(motion: Motion, skeleton: Skeleton, camera: np.ndarray | None = None) -> Tempo | None:
    """How a person steps on through the scene; None for people who do not, or whose ankles or hips are not known.

    Args:
        camera: (T, 3, 3) the camera's motion into each frame of the video, see `pipeline.core.homography`; None: it
            stands still.
    """
    names = ("left_ankle", "right_ankle", "left_hip", "right_hip")
    if not set(names) <= set(skeleton.names) or len(motion) < 3:
        return None
    left, right, *hips = (motion.keypoints_px[:, skeleton.index(n)].astype(np.float64) for n in names)
    pelvis = (hips[0] + hips[1]) / 2
    own = pelvis if camera is None else pelvis - _carried(pelvis, camera[motion.frame])
    known = np.isfinite(left + right + own).all(1)
    if known.sum() < 3:
        return None
    sizes = body_length(motion.box_px[known])
    if not np.isfinite(sizes).any():
        return None
    size = float(np.nanmedian(sizes))
    apart = (left - right)[known, 0] / size
    return _steps(motion.time_s[known], motion.frame[known], apart, own[known, 0] / size)


def _carried(pelvis: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """(L, 2) px by which the camera has moved the place of a person since the first row; unknown places count as
    still."""
    step = moved(pelvis[:-1], moves[1:]) - pelvis[:-1]
    return np.concatenate([np.zeros((1, 2)), np.cumsum(np.nan_to_num(step), 0)])


def _steps(time_s: np.ndarray, frame: np.ndarray, apart: np.ndarray, way: np.ndarray) -> Tempo | None:
    """The tempo of ankles that are ``apart`` (n,) and a pelvis at ``way`` (n,), both in sizes of the person."""
    ahead, behind = (find_peaks(sign * apart, prominence=_STANDS_OUT)[0] for sign in (1, -1))
    at = np.sort(np.concatenate([ahead, behind]))
    if len(at) < LEAST_STEPS + 1:
        return None
    change, on = np.diff(apart[at]), np.diff(way[at])
    seen = np.diff(frame[at]) <= 2 * np.diff(at)  # nobody is away in the middle of a step
    steps = (np.abs(change) >= LEAST_CHANGE) & (apart[at[1:]] * apart[at[:-1]] < 0) & seen
    if steps.sum() < LEAST_STEPS:
        return None
    on = on[steps]
    same = np.sign(on[1:]) == np.sign(on[:-1])  # people may turn back, but not at each step
    if min(np.mean(np.abs(on) >= _ONWARD), same.mean()) < _LEAST_ONWARD:
        return None
    spans = np.flatnonzero(steps)
    middle = [_middle_s(time_s[at[i] : at[i + 1] + 1], apart[at[i] : at[i + 1] + 1]) for i in spans]
    onward = np.median(np.abs(on) / (np.abs(change[steps]) / 2))
    return Tempo(len(spans), _typical(np.diff(time_s[at])[steps]), float(np.median(middle)), float(onward))


def _typical(step_s: np.ndarray) -> float:
    """Mean of the times within a factor of 1.5 of their median: where frames are few, a median is a whole number of
    them."""
    middle = np.median(step_s)
    ratio = step_s / middle
    usual = step_s[(ratio < _FAR) & (ratio > 1 / _FAR)]
    return float(usual.mean() if len(usual) else middle)


def _middle_s(time_s: np.ndarray, apart: np.ndarray) -> float:
    """Seconds in which a change passes from a quarter to three quarters."""
    share = np.maximum.accumulate((apart - apart[0]) / (apart[-1] - apart[0]))
    first, last = np.interp([0.25, 0.75], share, time_s)
    return float(last - first)


def tempo_warnings(people: Sequence[Tempo]) -> list[str]:
    """At most one warning for the run: that the people in it move too fast or too slowly for people."""
    slow = [p for p in people if p.step_s >= SLOW_STEP_S and p.change_s >= SLOW_CHANGE_S]
    if 2 * len(slow) > len(people):
        step_s = float(np.median([p.step_s for p in slow]))
        told = f"people need {step_s:.1f} s for a step, and their legs swing as slowly: the video looks slowed down"
    elif (per_min := _hurry(people)) is not None:
        told = f"people walk with {per_min:.0f} steps a minute: the video looks sped up"
    else:
        return []
    return [f"{told}; if so, give the frames that were recorded in a second (--recorded-fps), for all times and speeds"]


def _hurry(people: Sequence[Tempo]) -> float | None:
    """Steps a minute, where walkers take too many of them for people; else None."""
    walkers = [p for p in people if WALKS[0] <= p.onward <= WALKS[1]]
    rates = [60 / p.step_s for p in walkers]
    if len(walkers) >= CROWD:
        middle = float(np.median(np.repeat(rates, [p.steps for p in walkers])))
        return middle if middle > CROWD_PER_MIN else None
    enough = walkers and min(p.steps for p in walkers) >= ALONE_STEPS
    return min(rates) if enough and min(rates) > ALONE_PER_MIN else None
