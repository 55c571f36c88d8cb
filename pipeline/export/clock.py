"""Unevenly spaced frame times, and values resampled at an even rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

TOLERANCE = 0.25  # steps
SAME_RATE = 0.05  # a mean rate so near to the median one, as a share, is kept
HOLE_S, HOLE_STEPS = 0.5, 3  # a step longer than both is a hole, which is not bridged


@dataclass(frozen=True)
class Beat:
    """How a person's frames are written in a format that needs a rate."""

    rate: Fraction  # frames/s
    resampled: bool  # values are interpolated at even steps; else frames are as they are
    count: int  # frames written

    def frames(
        self, time_s: np.ndarray, blocks: Iterator[tuple[np.ndarray, np.ndarray]]
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Numbers (n,) i64, times (n,) f64 and values (n, …) f64 of the frames to write; all at once if resampled.

        Args:
            time_s: (T,) f64 of all frames of the video.
            blocks: frames (n,) and values (n, …), without a frame left out.
        """
        if not self.resampled:
            for frame, values in blocks:
                yield frame, time_s[frame], values
            return
        parts = list(blocks)
        frame = np.concatenate([part[0] for part in parts])
        values = at_rate(time_s[frame], np.concatenate([part[1] for part in parts]).astype(np.float64), self.rate)
        even = np.arange(self.count)
        yield frame[0] + even, time_s[frame[0]] + even / float(self.rate), values


def beat_of(time_s: np.ndarray, fps: Fraction) -> Beat:
    """How frames at times (L,) f64 are written: as they are where they are even, else at their median rate.

    Args:
        fps: their mean rate.
    """
    if not uneven(time_s, fps):
        return Beat(fps, False, len(time_s))
    median = float(np.median(np.diff(time_s)))
    rate = fps if abs(float(fps) * median - 1) < SAME_RATE else Fraction(1 / median).limit_denominator(1000)
    if not uneven(time_s, rate):
        return Beat(rate, False, len(time_s))  # the mean rate counts holes of the video, or is wrong
    return Beat(rate, True, _count(time_s, rate))


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

    Returns (M, …) f64, NaN where one of the two neighbours is NaN or they are a hole apart, so that no gap is filled.
    """
    wanted = np.minimum(time_s[0] + np.arange(_count(time_s, fps)) / float(fps), time_s[-1])
    right = np.clip(np.searchsorted(time_s, wanted, "left"), 1, len(time_s) - 1)
    left = right - 1
    share = (wanted - time_s[left]) / (time_s[right] - time_s[left])
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    # A share of 0 or 1 must not take NaN from the neighbour with weight 0.
    line = values[left] * (1 - share) + values[right] * share
    hole = time_s[right] - time_s[left] > max(HOLE_S, HOLE_STEPS / float(fps))
    line[hole] = np.nan
    return np.where(share == 0, values[left], np.where(share == 1, values[right], line))


def _count(time_s: np.ndarray, fps: Fraction) -> int:
    """How many even steps of ``fps``, and the first time, fit into the times."""
    return int(np.floor((time_s[-1] - time_s[0]) * float(fps) + 1e-6)) + 1
