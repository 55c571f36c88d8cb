"""How far a keypoint strays from the line across a gap: a constant, and where measurements were put aside its own way.

The constant holds for gaps of all points alike. A measurement put aside is mostly of a limb that swings, while nothing
of it is seen: the ankle of a walker is then off by twice the constant. So such gaps take what the point's own path
strays from lines of the same length elsewhere. L rows of one keypoint, px and seconds.
"""

from __future__ import annotations

import numpy as np

from pipeline.motion import repair

STRAY_LEN = 0.25  # body lengths / √s
_LAGS_S = (0.1, 0.5)  # least and most half of a line by which a point's own straying is measured
_LEAST_ROWS = 15  # with both ends of the line


def densities(
    time_s: np.ndarray, path_px: np.ndarray, used: np.ndarray, aside: np.ndarray, size_px: np.ndarray
) -> np.ndarray:
    """(L,) f64 px²/s of one keypoint, for `pipeline.motion.repair.bridge_var`.

    Args:
        path_px: (L, 2) smoothed.
        used, aside: (L,) bool, where a measurement went into the path, and where one was put aside.
        size_px: (L,) body length.
    """
    size = size_px.astype(np.float64)
    usual = np.square(STRAY_LEN * size)
    if not (aside & ~used).any():
        return usual
    before, _ = repair.neighbours(used)
    gap = ~used & np.isin(before, before[aside & ~used])
    spans = repair.gap_s(time_s, used)[gap]
    spans = spans[np.isfinite(spans)]
    lag_s = float(np.clip(spans.max() / 2 if len(spans) else _LAGS_S[1], *_LAGS_S))
    return np.where(gap, np.maximum(usual, _own(time_s, path_px, used, size_px, lag_s) * np.square(size)), usual)


def _own(time_s: np.ndarray, path_px: np.ndarray, used: np.ndarray, size_px: np.ndarray, lag_s: float) -> float:
    """Body lengths² / s by which the point strays from lines of ``2 lag_s``; 0 where that is not known.

    In the middle of a line over 2τ, a Brownian bridge of density d has the variance d τ / 2.
    """
    step = max(float(np.median(np.diff(time_s))), 1e-3)
    h = max(round(lag_s / step), 1)
    if len(path_px) <= 2 * h:
        return 0.0
    path = np.where(used[:, None], path_px, np.nan).astype(np.float64)
    off = (path[h:-h] - (path[2 * h :] + path[: -2 * h]) / 2) / size_px[h:-h, None]
    even = np.abs(time_s[2 * h :] - time_s[: -2 * h] - 2 * h * step) <= step
    known = np.isfinite(off).all(1) & even
    if known.sum() < _LEAST_ROWS:
        return 0.0
    return float(np.square(off[known]).mean() * 2 / (h * step))
