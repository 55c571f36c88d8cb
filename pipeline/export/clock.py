"""Unevenly spaced frame times, and values resampled at an even rate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

TOLERANCE = 0.25  # steps


def uneven(time_s: np.ndarray, fps: Fraction) -> bool:
    """Whether any time (L,) f64 is over a quarter of a step away from even steps of the rate after the first time.

    Times that a container rounds to milliseconds count as even.
    """
    if len(time_s) < 2:
        return False
    even = time_s[0] + np.arange(len(time_s)) / float(fps)
    return bool(np.max(np.abs(time_s - even)) > TOLERANCE / float(fps))


def at_rate(time_s: np.ndarray, values: np.ndarray, fps: Fraction) -> np.ndarray:
    """Values (L, …) f64 at times (L,) f64, interpolated linearly at even steps of ``fps`` from the first time on.

    Returns (M, …) f64, NaN where one of the two neighbours is NaN, so that no gap is filled.
    """
    count = int(np.floor((time_s[-1] - time_s[0]) * float(fps) + 1e-6)) + 1
    wanted = np.minimum(time_s[0] + np.arange(count) / float(fps), time_s[-1])
    right = np.clip(np.searchsorted(time_s, wanted, "left"), 1, len(time_s) - 1)
    left = right - 1
    share = (wanted - time_s[left]) / (time_s[right] - time_s[left])
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    # A share of 0 or 1 must not take NaN from the neighbour with weight 0.
    line = values[left] * (1 - share) + values[right] * share
    return np.where(share == 0, values[left], np.where(share == 1, values[right], line))
