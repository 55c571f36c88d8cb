"""Frames whose times keep no even beat, and values put on one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

TOLERANCE = 0.25  # steps


def uneven(time_s: np.ndarray, fps: Fraction) -> bool:
    """Whether a frame's time (L,) f64 is more than a quarter of a step off the rate's beat, counted from the first.

    Times that a container rounds to milliseconds are not.
    """
    if len(time_s) < 2:
        return False
    even = time_s[0] + np.arange(len(time_s)) / float(fps)
    return bool(np.max(np.abs(time_s - even)) > TOLERANCE / float(fps))


def at_rate(time_s: np.ndarray, values: np.ndarray, fps: Fraction) -> np.ndarray:
    """Values (L, …) f64 at times (L,) f64 put on the even beat of ``fps`` from the first time on by straight lines.

    Returns (M, …) f64, NaN where one of the two neighbours is NaN, so that no gap is filled.
    """
    count = int(np.floor((time_s[-1] - time_s[0]) * float(fps) + 1e-6)) + 1
    wanted = np.minimum(time_s[0] + np.arange(count) / float(fps), time_s[-1])
    right = np.clip(np.searchsorted(time_s, wanted, "left"), 1, len(time_s) - 1)
    left = right - 1
    share = (wanted - time_s[left]) / (time_s[right] - time_s[left])
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    # A share of 0 or 1 must not take NaN from the neighbour that does not count.
    line = values[left] * (1 - share) + values[right] * share
    return np.where(share == 0, values[left], np.where(share == 1, values[right], line))
