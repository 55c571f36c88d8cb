"""Kalman filter and Rauch–Tung–Striebel smoother of every keypoint of a person, on real time stamps.

Each keypoint is a point with constant acceleration disturbed by white-noise jerk: in steady state a zero-phase low-pass
filter ``1 / (1 + (f/f0)⁶)``, whose cutoff ``f0 = (q / (r dt))^(1/6) / 2π`` follows from the jerk density q, the
measurement variance r and the frame spacing dt. Both noises scale with the person's size, so results do not depend on
how large a person is in the picture. L rows of one person, K keypoints, px and seconds throughout.

Memory is bounded: the filter carries its state through windows of rows exactly, and the backward pass of a window
starts ``overlap`` rows beyond its end, where the influence of the start has died out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from pipeline.config import SmoothConfig
from pipeline.motion import repair
from pipeline.track.kalman import process_noise, transition

WINDOW, OVERLAP = 4096, 1024  # rows; 1024 rows are 34 s at 30 frames/s, the memory of the slowest point about 2 s
_START_SPEED, _START_ACCELERATION = 5.0, 50.0  # standard deviations at a start, body lengths / s and / s²


@dataclass
class _Carry:
    """State of the filter after a row."""

    mean: np.ndarray  # (K, 3, 2) position, velocity, acceleration of x and y
    cov: np.ndarray  # (K, 3, 3), shared by x and y
    used_s: np.ndarray  # (K,) time of the last measurement used, −∞ before the first
    used_row: np.ndarray  # (K,) its row
    row: int
    time_s: float


@dataclass
class _Block:
    """Filter output for W rows, all that the backward pass needs."""

    time_s: np.ndarray  # (W,)
    mean: np.ndarray  # (W, K, 3, 2)
    cov: np.ndarray  # (W, K, 3, 3)
    mean_pred: np.ndarray  # (W, K, 3, 2)
    cov_pred: np.ndarray  # (W, K, 3, 3)
    linked: np.ndarray  # (W, K) bool: the state was predicted from the row before, not started afresh
    used: np.ndarray  # (W, K) bool: a measurement was there and inside the gate

    def __len__(self) -> int:
        return len(self.time_s)

    def join(self, other: _Block | None, rows: int) -> _Block:
        """This block followed by the first ``rows`` rows of another."""
        if other is None:
            return self
        names = [f.name for f in fields(self)]
        return _Block(*(np.concatenate([getattr(self, n), getattr(other, n)[:rows]]) for n in names))


def noise_px(score: np.ndarray, size_px: np.ndarray, noise_len: float) -> np.ndarray:
    """Standard deviation in px per axis of measurements with ``score (…, K)`` of a person of ``size_px (…)``."""
    return noise_len * size_px[..., None] / np.clip(score, 0.1, 1.0)


def smooth(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    keypoint_score: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    density: np.ndarray,
    config: SmoothConfig,
    max_gap_s: float,
    *,
    window: int = WINDOW,
    overlap: int = OVERLAP,
    dtype: type[np.floating] = np.float32,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smoothed positions (L, K, 2), their standard deviation per axis (L, K), both px, and what was used (L, K) bool.

    A measurement further than ``config.gate_sigma`` Mahalanobis distances from the prediction is an outlier and not
    used. A keypoint without a used measurement for longer than ``config.bridge_s`` starts afresh at the next one;
    positions inside such gaps, before the first and after the last used measurement are NaN. Shorter gaps are filled.

    Args:
        time_s: (L,) rising.
        keypoints_px, keypoint_score, measured: (L, K, 2), (L, K), (L, K) bool; unmeasured values do not matter.
        size_px: (L,) body length.
        density: (L, K) px²/s⁵, spectral density of the jerk, see `pipeline.motion.jerk`.
        max_gap_s: rows further apart than this are not linked, whatever the frame rate.
        window, overlap: rows of a window, and beyond it where its backward pass starts.
        dtype: of the positions and deviations.
    """
    n, k = measured.shape
    position, std = np.full((n, k, 2), np.nan, dtype), np.full((n, k), np.nan, dtype)
    used = np.zeros((n, k), bool)
    blocks = _filter(time_s, keypoints_px, keypoint_score, measured, size_px, density, config, max_gap_s, window)
    start, block = 0, next(blocks, None)
    while block is not None:
        ahead = next(blocks, None)
        stop = start + len(block)
        mean, var = rts(block.join(ahead, overlap))
        position[start:stop] = mean[: len(block)]
        std[start:stop] = np.sqrt(np.maximum(var[: len(block)], 0.0))
        used[start:stop] = block.used
        start, block = stop, ahead
    for j in range(k):
        lost = repair.gap_s(time_s, used[:, j]) > config.bridge_s + repair.EPS_S
        position[lost, j], std[lost, j] = np.nan, np.nan
    return position, std, used


def rts(block: _Block) -> tuple[np.ndarray, np.ndarray]:
    """Rauch–Tung–Striebel backward pass: positions (W, K, 2) and their variances (W, K) given all rows of the block."""
    mean, cov = block.mean[-1], block.cov[-1]
    position, var = block.mean[:, :, 0].copy(), block.cov[:, :, 0, 0].copy()
    if len(block) < 2:
        return position, var
    f = transition(np.diff(block.time_s), 3)[:, None]  # (W−1, 1, 3, 3)
    f = np.where(block.linked[1:, :, None, None], f, 0.0)  # a fresh start tells nothing about the rows before
    gain = np.swapaxes(np.linalg.solve(block.cov_pred[1:], f @ block.cov[:-1]), -1, -2)  # (W−1, K, 3, 3)
    turned = np.swapaxes(gain, -1, -2)
    for t in range(len(block) - 2, -1, -1):
        mean = block.mean[t] + gain[t] @ (mean - block.mean_pred[t + 1])
        cov = block.cov[t] + gain[t] @ (cov - block.cov_pred[t + 1]) @ turned[t]
        position[t], var[t] = mean[:, 0], cov[:, 0, 0]
    return position, var


def _filter(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    keypoint_score: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    density: np.ndarray,
    config: SmoothConfig,
    max_gap_s: float,
    window: int,
) -> Iterator[_Block]:
    """Forward pass in windows of rows, the state carried from one to the next."""
    k = measured.shape[1]
    carry = _Carry(np.zeros((k, 3, 2)), np.tile(np.eye(3), (k, 1, 1)), np.full(k, -np.inf), np.full(k, -2), -1, 0.0)
    for start in range(0, len(time_s), window):
        w = slice(start, min(start + window, len(time_s)))
        var = np.square(noise_px(keypoint_score[w], size_px[w].astype(np.float64), config.noise_len))
        seen = measured[w]
        z = np.where(seen[..., None], keypoints_px[w], 0.0).astype(np.float64)
        yield _forward(carry, time_s[w], z, seen, var, size_px[w], density[w].astype(np.float64), config, max_gap_s)


def _forward(
    carry: _Carry,
    time_s: np.ndarray,
    z: np.ndarray,
    measured: np.ndarray,
    var: np.ndarray,
    size_px: np.ndarray,
    density: np.ndarray,
    config: SmoothConfig,
    max_gap_s: float,
) -> _Block:
    """Filter W rows from ``carry``, which is moved to the last of them: z (W, K, 2), var and density (W, K)."""
    w, k = measured.shape
    dt = np.maximum(np.diff(time_s, prepend=carry.time_s if carry.row >= 0 else time_s[0]), 0.0)
    # Rows far apart are never linked; their covariances, growing with dt⁵, would only cost precision.
    f, q = transition(np.minimum(dt, max_gap_s), 3), process_noise(np.minimum(dt, max_gap_s), 1.0, 3)
    out = _Block(
        time_s,
        mean=np.empty((w, k, 3, 2)),
        cov=np.empty((w, k, 3, 3)),
        mean_pred=np.empty((w, k, 3, 2)),
        cov_pred=np.empty((w, k, 3, 3)),
        linked=np.zeros((w, k), bool),
        used=np.zeros((w, k), bool),
    )
    mean, cov, bridge_s = carry.mean, carry.cov, config.bridge_s + repair.EPS_S
    for t in range(w):
        row, now = carry.row + 1, time_s[t]
        # At low frame rates neighbouring rows stay linked even when they are further apart than bridge_s.
        near = now - carry.used_s <= np.where(carry.used_row == row - 1, max_gap_s + repair.EPS_S, bridge_s)
        if near.all():
            mean, cov = f[t] @ mean, f[t] @ cov @ f[t].T + density[t][:, None, None] * q[t]
        else:  # whoever is out of sight for long rests, and starts at the next measurement
            go = near[:, None, None]
            cov = np.where(go, f[t] @ cov @ f[t].T + density[t][:, None, None] * q[t], cov)
            mean = np.where(go, f[t] @ mean, mean)
            fresh = measured[t] & ~near
            mean[fresh], cov[fresh] = _start(z[t, fresh], var[t, fresh], size_px[t])
        out.mean_pred[t], out.cov_pred[t], out.linked[t] = mean, cov, near
        innovation = z[t] - mean[:, 0]
        s = cov[:, 0, 0] + var[t]
        used = measured[t] & ((innovation**2).sum(-1) <= config.gate_sigma**2 * s)
        gain = np.where(used & near, 1.0 / s, 0.0)[:, None] * cov[:, :, 0]
        mean = mean + gain[:, :, None] * innovation[:, None]
        cov = cov - gain[:, :, None] * cov[:, None, 0]
        out.mean[t], out.cov[t], out.used[t] = mean, cov, used
        carry.used_s = np.where(used, now, carry.used_s)
        carry.used_row = np.where(used, row, carry.used_row)
        carry.row = row
    carry.mean, carry.cov, carry.time_s = mean, cov, float(time_s[-1])
    return out


def _start(position: np.ndarray, var: np.ndarray, size_px: float) -> tuple[np.ndarray, np.ndarray]:
    """States of keypoints first measured at ``position (n, 2)`` with variance ``var (n,)``."""
    mean, cov = np.zeros((len(var), 3, 2)), np.zeros((len(var), 3, 3))
    mean[:, 0], cov[:, 0, 0] = position, var
    cov[:, 1, 1], cov[:, 2, 2] = (_START_SPEED * size_px) ** 2, (_START_ACCELERATION * size_px) ** 2
    return mean, cov
