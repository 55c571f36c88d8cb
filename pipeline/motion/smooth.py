"""Kalman smoothing of every keypoint of a person, on real time stamps.

Each keypoint is a point with constant acceleration disturbed by white-noise jerk: in steady state a zero-phase low-pass
filter ``1 / (1 + (f/f0)⁶)``, whose cutoff ``f0 = (q / (r dt))^(1/6) / 2π`` follows from the jerk density q, the
measurement variance r and the frame spacing dt. Both noises scale with the person's size, so results do not depend on
how large a person is in the picture. L rows of one person, K keypoints, px and seconds throughout.

The filter forgets within seconds. So long sequences are cut into blocks that overlap by a few of them, and all blocks
of all keypoints are filtered side by side (`pipeline.motion.lanes`): a tenth of the time, and memory is bounded. Up to
`BLOCK` rows there is one block, and the result is exactly that of filterpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.settings import SmoothConfig
from pipeline.motion import repair
from pipeline.motion.lanes import Rows, Smoothing
from pipeline.motion.together import Steps, for_one

BLOCK = 512  # rows of a block, at least
MEMORY_S = 4.0  # overlap of blocks; the slowest point forgets to 1e-9 within about 3 s
LANES = 512  # filtered at once: a block of them takes about 100 MB, however long the video


@dataclass
class Smoothed:
    """Paths of one person's keypoints; NaN = not known."""

    position: np.ndarray  # (L, K, 2) px
    velocity: np.ndarray  # (L, K, 2) px/s
    acceleration: np.ndarray  # (L, K, 2) px/s²
    std: np.ndarray  # (L, K) px, of the position, per axis
    used: np.ndarray  # (L, K) bool: the measurement went into it

    @classmethod
    def empty(cls, shape: tuple[int, ...], dtype: type[np.floating] = np.float32) -> Smoothed:
        """Nothing known of (L, K) points."""
        path, std = np.full((*shape, 2), np.nan, dtype), np.full(shape, np.nan, dtype)
        return cls(path, path.copy(), path.copy(), std, np.zeros(shape, bool))

    def forget(self, where: np.ndarray) -> None:
        """Make the given (L, K) unknown."""
        for values in (self.position, self.velocity, self.acceleration, self.std):
            values[where] = np.nan


def noise_px(score: np.ndarray, size_px: np.ndarray, noise_len: float) -> np.ndarray:
    """Standard deviation in px per axis of measurements with ``score (…, K)`` of a person of ``size_px (…)``."""
    return noise_len * size_px[..., None] / np.clip(score, 0.1, 1.0)


def smooth_steps(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    keypoint_score: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    density: np.ndarray,
    config: SmoothConfig,
    max_gap_s: float,
    *,
    block: int = BLOCK,
    dtype: type[np.floating] = np.float32,
) -> Steps[Smoothed]:
    """Smoothed paths by the Kalman filter, and the smoother or, for ``config.method`` "fixed_lag", what lags behind it.

    A measurement further than ``config.gate_sigma`` Mahalanobis distances from the prediction is an outlier and not
    used. A keypoint without a used measurement for longer than ``config.bridge_s`` starts afresh at the next one;
    inside such gaps, before the first and after the last used measurement nothing is known. Shorter gaps are filled.

    Args:
        time_s: (L,) rising.
        keypoints_px, keypoint_score, measured: (L, K, 2), (L, K), (L, K) bool; unmeasured values do not matter.
        size_px: (L,) body length.
        density: (L, K) px²/s⁵, spectral density of the jerk, see `pipeline.motion.jerk`.
        max_gap_s: rows further apart than this are not linked, whatever the frame rate.
        block: least rows of a block.
        dtype: of the paths.
    """
    n, k = measured.shape
    out = Smoothed.empty((n, k), dtype)
    step = float(np.median(np.diff(time_s))) if n > 1 else 1.0
    overlap = int(np.clip(np.ceil(MEMORY_S / max(step, 1e-4)), 32, 2048))
    block = max(block, 4 * overlap)
    starts = np.arange(0, n, block)
    lag = _lag(config, step)
    for first in range(0, len(starts), max(LANES // k, 1)):
        group = starts[first : first + max(LANES // k, 1)]
        length = min(block + 2 * overlap, n) if len(starts) > 1 else n
        row = np.minimum(group[None] - (overlap if len(starts) > 1 else 0) + np.arange(length)[:, None], n)  # (S, G)
        row = np.where(row < 0, n, row)  # n: outside
        lanes = _lanes(row, time_s, keypoints_px, keypoint_score, measured, size_px, density, config)
        mean, std, used = yield Smoothing(lanes, config.gate_sigma, config.bridge_s, max_gap_s, lag)
        own = (row < n) & (row >= group) & (row < group + block)
        shape = (*row.shape, k)
        out.std[row[own]] = std.reshape(shape)[own]
        out.used[row[own]] = used.reshape(shape)[own]
        for d, path in enumerate((out.position, out.velocity, out.acceleration)):
            path[row[own]] = mean[:, d].reshape(len(row), 2, len(group), k).transpose(0, 2, 3, 1)[own]
    for j in range(k):
        out.forget(_column(repair.gap_s(time_s, out.used[:, j]) > config.bridge_s + repair.EPS_S, j, k))
    return out


smooth = for_one(smooth_steps)


def _lag(config: SmoothConfig, step_s: float) -> int | None:
    return round(config.lag_s / step_s) if config.method == "fixed_lag" else None


def _column(rows: np.ndarray, j: int, k: int) -> np.ndarray:
    """(L, K) bool with ``rows (L,)`` in column j."""
    out = np.zeros((len(rows), k), bool)
    out[:, j] = rows
    return out


def _lanes(
    row: np.ndarray,
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    keypoint_score: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    density: np.ndarray,
    config: SmoothConfig,
) -> Rows:
    """The rows ``row (S, G)`` of all K keypoints as (S, G · K) lanes; row L stands for what lies outside."""
    n, k = measured.shape
    steps, groups = row.shape
    there, at = row < n, np.minimum(row, n - 1)
    seen = measured[at] & there[..., None]  # (S, G, K)
    z = np.where(seen[..., None], keypoints_px[at], 0.0).astype(np.float64)
    var = np.square(noise_px(keypoint_score[at], size_px[at].astype(np.float64), config.noise_len))

    def lanes(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(values, (steps, groups, k)).reshape(steps, groups * k))

    return Rows(
        time_s=lanes(time_s[at][..., None]),
        z=np.ascontiguousarray(z.reshape(steps, groups * k, 2).swapaxes(1, 2)),
        measured=lanes(seen),
        var=lanes(var),
        density=lanes(density[at].astype(np.float64)),
        size_px=lanes(size_px[at].astype(np.float64)[..., None]),
    )
