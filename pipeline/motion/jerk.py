"""The jerk of a keypoint (the rate of change of its acceleration), measured from its path: the smoother must pass it.

A walker's head and a sprinter's ankle differ by a factor of a hundred in jerk. One fixed process noise would either
flatten the ankle's motion or let the head's noise pass.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

# Third differences over lags in s. Their noise does not depend on the lag; the motion in them grows with lag⁵, until it
# turns faster than the lag. The part that noise explains, in units of a measurement's variance, is 5 in the median over
# a window, and below 10 in 19 of 20. The short lag takes off more, since an underestimated noise would harm it more.
LAGS = ((0.1, 10.0), (0.05, 40.0))
WINDOW_S = 0.8  # about a stride; the median over it ignores outliers and single steps
THIRD = ((1.5, 1.0), (0.5, -3.0), (-0.5, 3.0), (-1.5, -1.0))  # lags and weights of a third central difference
_SPLINE = 0.55  # ∫ of the squared quadratic B-spline: third differences of white jerk have variance 0.55 q lag⁵
_CELLS = 1 << 19  # rows times points that are worked on at once, unless one point alone has more: some 30 MB
_PEAK = 6.0  # jerk comes in bursts; measured on a walker and a sprinter, see tests/motion/test_smooth.py


def jerk_density(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    noise_len: float,
    least_len: float,
    causal: bool = False,
) -> np.ndarray:
    """Spectral density of the jerk of every keypoint in every row, px²/s⁵ per axis: (L, K) f32.

    The density follows from third differences of the measured path over 0.1 and 0.05 s (interpolated, so at any frame
    rate), less the part that the measurement noise explains; it is never below ``(least_len × size)²``.

    Args:
        time_s: (L,) rising.
        keypoints_px, measured: (L, K, 2) and (L, K) bool; unmeasured values do not matter.
        size_px: (L,) body length.
        noise_len: standard deviation of a measurement in body lengths.
        least_len: √ density of a calm person, body lengths / s³ / √Hz.
        causal: use no later rows; the density is then late by half of the window.
    """
    size2 = np.square(size_px.astype(np.float64))
    out = np.empty(measured.shape, np.float32)
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else WINDOW_S
    rows = max(round(WINDOW_S / max(step, 1e-3)) | 1, 3)
    out[:] = (np.square(least_len) * size2)[:, None]
    alike, group = np.unique(measured, axis=1, return_inverse=True)
    bunches = [
        (alike[:, g], points)
        for g in np.flatnonzero(alike.sum(0) >= 4)
        for points in _bunches(np.flatnonzero(group.ravel() == g), len(time_s))
    ]
    for known, points in bunches:
        paths = keypoints_px[known][:, points].astype(np.float64)
        for least_lag, noise in LAGS:
            lag = max(least_lag, step)
            motion = third_differences2(time_s, time_s[known], paths, lag)
            excess = running_median(motion, rows) - (noise * noise_len**2 * size2)[:, None]
            out[:, points] = np.maximum(out[:, points], density_of(excess, lag))
    if causal:
        late = min(rows // 2 + int(np.ceil(1.5 * max(LAGS[0][0], step) / step)) + 2, len(out))
        out[late:] = out[: len(out) - late]
        out[:late] = (np.square(least_len) * size2[:late])[:, None]
    return out


def _bunches(points: np.ndarray, rows: int) -> list[np.ndarray]:
    """The points in groups, each as large as `_CELLS` allows for so many rows."""
    return np.array_split(points, max(-(-len(points) * rows // _CELLS), 1))


def running_median(values: np.ndarray, rows: int) -> np.ndarray:
    """(L, K) medians over an odd number of rows about each row of ``values (L, K)``, mirrored at the ends."""
    half = rows // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="reflect")
    # One path after another: the filter is fastest in one dimension, and costs more to call than to run.
    found = median_filter(padded.T.ravel(), size=rows)
    return found.reshape(values.shape[1], -1)[:, half:-half].T


def density_of(excess: np.ndarray, lag: float) -> np.ndarray:
    """px²/s⁵ from squared third differences over ``lag`` that are already without the part that noise explains."""
    return _PEAK * excess / (_SPLINE * lag**5)


def third_differences2(at_s: np.ndarray, time_s: np.ndarray, paths: np.ndarray, lag: float) -> np.ndarray:
    """(L, K) squared third central differences over ``lag`` of ``paths (n, K, 2)``, means of both axes, at ``at_s``.

    A median of three removes single outliers, each of which would otherwise reach every third row of a window.
    """
    padded = np.concatenate([paths[1:2], paths, paths[-2:-1]])  # mirrored
    low, high = np.minimum(padded[:-2], padded[2:]), np.maximum(padded[:-2], padded[2:])
    path = np.clip(padded[1:-1], low, high)
    total = np.zeros((len(at_s), *paths.shape[1:]))
    for offset, weight in THIRD:
        at = np.clip(at_s + offset * lag, time_s[0], time_s[-1])
        i = np.clip(np.searchsorted(time_s, at, "right") - 1, 0, len(time_s) - 2)
        share = ((at - time_s[i]) / (time_s[i + 1] - time_s[i]))[:, None, None]
        total += weight * (path[i] + share * (path[i + 1] - path[i]))
    return np.square(total).sum(-1) / 2
