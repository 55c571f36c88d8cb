"""The input of the lifter's network: the rays to a person's keypoints, from a camera turned to look at the person.

The pose in the picture depends on the person's place in the picture. A camera turned to look at the middle of the hips
removes that dependence. So rays are turned frame by frame, the network works in the turned frame, and its answer is
turned back. Sizes are divided by the person's mean size over about two seconds, so that the network sees people of one
size; that size and its changes are features of their own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.rows import blocks
from pipeline.lift.joints import HIPS, K

EXTRA = 4  # log of the size, of the frame's size to it, and the velocity of the hips
FEATURES = 3 * K + EXTRA
SMOOTH_S = 1.0  # seconds to either side over which the person's size is averaged
LEAST_SCORE = 0.05  # below it a point is not seen
_LEAST_SIZE = 1e-4
_MOST = 5.0  # sizes of the person; no true point is farther from the hips than this


class View(NamedTuple):
    """Input of the network, and where the turned camera looks (`look_at`)."""

    features: np.ndarray  # (N, T, FEATURES) f32
    centre: np.ndarray  # (N, T, 2) f32, the ray to the middle of the hips, at which the turned camera looks


def look_at(ray: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations that bring the rays (..., 2), (x / z, y / z), onto the z axis and keep x level."""
    z = np.concatenate([ray, np.ones_like(ray[..., :1])], -1)
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    x = np.stack([z[..., 2], np.zeros_like(z[..., 0]), -z[..., 0]], -1)  # y × z
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], -2)


def view(rays: np.ndarray, score: np.ndarray, rate_hz: np.ndarray | float, stride: int = 1) -> View:
    """The network's view of rays (N, T, K, 2), NaN or of score (N, T, K) 0 where not seen, at (N,) frames a second.

    The velocity of the hips is that over ``stride`` frames.
    Raises ValueError when a sequence has no frame with a hip.
    """
    seen = (score > LEAST_SCORE) & np.isfinite(rays).all(-1)  # (N, T, K)
    points = np.where(seen[..., None], rays, 0).astype(np.float32)
    centre = _hips(points, seen)  # (N, T, 2)
    flat = points  # as the turned camera sees them; some frames at a time
    for rows in blocks(points.shape[1]):
        turn = look_at(centre[:, rows]).astype(np.float32)
        space = np.concatenate([points[:, rows], np.ones_like(points[:, rows, :, :1])], -1)
        turned = space @ np.swapaxes(turn, -1, -2)  # (N, t, K, 3)
        seen[:, rows] &= turned[..., 2] > 0.05
        flat[:, rows] = turned[..., :2] / np.maximum(turned[..., 2:], 0.05)
    spread, long = _size(flat, seen, rate_hz)
    rate = np.broadcast_to(np.asarray(rate_hz, np.float32), (len(rays),))[:, None, None]
    motion = np.zeros_like(centre)
    motion[:, stride:] = (centre[:, stride:] - centre[:, :-stride]) * rate / stride / long[:, stride:, None]
    extra = np.stack([np.log(long) + 2, np.log(spread / long)], -1)
    features = np.empty((*seen.shape[:2], FEATURES), np.float32)
    for rows in blocks(seen.shape[1]):
        shown = np.clip(flat[:, rows] / long[:, rows, None, None], -_MOST, _MOST) * seen[:, rows, :, None]
        features[:, rows, : 2 * K] = shown.reshape(*shown.shape[:2], -1)
        features[:, rows, 2 * K : 3 * K] = np.where(seen[:, rows], score[:, rows], 0)
    features[..., 3 * K :] = np.concatenate([extra, np.clip(motion, -_MOST, _MOST)], -1)
    return View(features, centre)


def _hips(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N, T, 2) the middle of the hips, or the one that is seen; interpolated between the frames that show one."""
    weight = seen[..., HIPS].astype(np.float32)
    total = weight.sum(-1)
    middle = (points[..., HIPS, :] * weight[..., None]).sum(-2) / np.maximum(total, 1)[..., None]
    steps = np.arange(points.shape[1])
    for n in np.flatnonzero((total == 0).any(1)):
        known = total[n] > 0
        if not known.any():
            raise ValueError("a sequence without hips cannot be lifted")
        for axis in range(2):
            middle[n, ~known, axis] = np.interp(steps[~known], steps[known], middle[n, known, axis])
    return middle


def _size(flat: np.ndarray, seen: np.ndarray, rate_hz: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """(N, T) root mean square distance of the seen points to the hips in each frame, and its mean over SMOOTH_S."""
    count = seen.sum(-1)
    square = (np.square(flat).sum(-1) * seen).sum(-1) / np.maximum(count, 1)
    log = np.log(np.maximum(np.sqrt(square), _LEAST_SIZE))
    weight = (count >= 4).astype(np.float32)
    reach = np.maximum(np.round(SMOOTH_S * np.broadcast_to(np.asarray(rate_hz), (len(flat),))), 1).astype(int)
    smooth = np.empty_like(log)
    for r in np.unique(reach):
        rows = reach == r
        total, known = _box(log[rows] * weight[rows], int(r)), _box(weight[rows], int(r))
        mean = (log[rows] * weight[rows]).sum(1, keepdims=True) / np.maximum(weight[rows].sum(1, keepdims=True), 1)
        smooth[rows] = np.where(known > 0, total / np.maximum(known, 1), mean)
    log = np.where(weight > 0, log, smooth)
    return np.exp(log), np.exp(smooth)


def _box(values: np.ndarray, reach: int) -> np.ndarray:
    """(N, T) sums over the frames at most ``reach`` away."""
    total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, 1, dtype=np.float64)], 1)
    n = values.shape[1]
    at = np.arange(n)
    return total[:, np.minimum(at + reach + 1, n)] - total[:, np.maximum(at - reach, 0)]
