"""Random cameras for motion capture, and 2D points with the errors of the embedded networks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.lift.joints import POINTS, flipped

DISTANCE_M = (2.5, 25.0)
ELEVATION_DEG = (-8.0, 50.0)
ROLL_DEG, OFF_AXIS_DEG = 4.0, 25.0
FOLLOWED = 0.25  # share of cameras that are panned after the person


class Cameras(NamedTuple):
    """N cameras; axes x right, y down, z forward, the world's y up."""

    turn: np.ndarray  # (N, 1 or T, 3, 3) from the world's axes to the camera's
    place: np.ndarray  # (N, 3) m

    def see(self, points: np.ndarray) -> np.ndarray:
        """(N, T, J, 3) m, points (N, T, J, 3) of the world in the cameras' axes."""
        return (points - self.place[:, None, None]) @ np.swapaxes(self.turn, -1, -2)


def _axis(angle: np.ndarray, axis: int) -> np.ndarray:
    """(..., 3, 3) rotations about one axis."""
    c, s = np.cos(angle), np.sin(angle)
    out = np.zeros((*angle.shape, 3, 3))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., a, a], out[..., b, b], out[..., a, b], out[..., b, a] = c, c, -s, s
    return out


def random_cameras(hips: np.ndarray, rng: np.random.Generator) -> Cameras:
    """A camera for each path of the hips (N, T, 3) m, y up, which keeps the person in front of it."""
    n = len(hips)
    target = (hips.max(1) + hips.min(1)) / 2
    reach = np.linalg.norm(hips - target[:, None], axis=-1).max(1)
    distance = np.exp(rng.uniform(np.log(DISTANCE_M[0]), np.log(DISTANCE_M[1]), n))
    distance = np.maximum(distance, 1.8 + 1.4 * reach)
    low, high = np.radians(ELEVATION_DEG)
    elevation = low + (high - low) * rng.beta(1.1, 3.5, n)
    azimuth = rng.uniform(-np.pi, np.pi, n)
    away = np.stack([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], -1)
    z = -away
    x = np.stack([-z[:, 2], np.zeros(n), z[:, 0]], -1)  # z × up
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    turn = np.stack([x, np.cross(z, x), z], 1)
    turn = _axis(np.radians(rng.normal(0, ROLL_DEG, n)), 2) @ turn
    off = np.radians(OFF_AXIS_DEG) * np.clip(rng.normal(0, 0.5, (n, 2)), -1, 1)
    turn = (_axis(off[:, 0], 1) @ _axis(off[:, 1] / 2, 0) @ turn)[:, None]
    cameras = Cameras(turn, target + distance[:, None] * away)
    followed = rng.random(n) < FOLLOWED
    if followed.any():
        cameras = _panned(cameras, hips, followed * rng.uniform(0.7, 1, n))
    return Cameras(cameras.turn.astype(np.float32), cameras.place.astype(np.float32))


def _panned(cameras: Cameras, hips: np.ndarray, share: np.ndarray) -> Cameras:
    """The cameras turned after the hips, by a share (N,) of how far those go."""
    seen = cameras.see(hips[:, :, None])[:, :, 0]  # (N, T, 3)
    bearing = np.arctan2(seen[..., 0], seen[..., 2])
    angle = -share[:, None] * (bearing - bearing.mean(1, keepdims=True))
    return Cameras(_axis(angle, 1) @ cameras.turn, cameras.place)


# --- 2D points as a network has them ---------------------------------------------------------------------------------

# Standard deviation of each point's error per axis at the score USUAL, in sizes of the person (the longer side of the
# box), without what lasts on a body (`pipeline.lift.pictured`). These values, the scores and the rate of lost points
# follow from what was measured: docs/lifting.md.
ERROR = {
    "nose": 0.014, "eye": 0.012, "ear": 0.014, "shoulder": 0.016, "elbow": 0.015, "wrist": 0.017, "hip": 0.018,
    "knee": 0.015, "ankle": 0.017, "heel": 0.019, "toe": 0.019,
}  # fmt: skip
USUAL, FALL, LEAST, MOST = 0.6, 1.5, 0.4, 3.0  # errors grow as that power of falling scores; limits of their factor
LASTING_S = (0.1, 1.0)  # time constants of the errors
BIAS = 0.6  # share of an error that stays through a sequence
BURST_PER_S, BURST_S, BURST = 0.06, 0.3, 0.12  # a point goes astray: how often, how long, how far (sizes)
LOST_PER_S, LOST_S = 0.15, 0.4  # a point is not seen
LOST_MORE = {"wrist": 3.0, "elbow": 1.5, "ankle": 1.5, "heel": 1.5, "toe": 1.5, "eye": 2.0, "ear": 2.0}
SWAP_PER_S, SWAP_S = 0.03, 0.2  # left and right are exchanged: legs, arms
SCORE = (0.5, 0.9)  # mean score of a sequence
SCORE_LESS = {
    "nose": -0.1, "eye": -0.1, "ear": -0.1, "shoulder": 0.03, "elbow": 0.02, "wrist": 0.05, "hip": 0.1, "heel": 0.05,
    "toe": 0.08,
}  # fmt: skip


def _kind(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


def detector_noise(
    rays: np.ndarray, rate_hz: np.ndarray, rng: np.random.Generator, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rays (N, T, K, 2) and scores (N, T, K) with a network's errors after repair and smoothing; score 0: not seen.

    Args:
        level: (N,) factor of the errors and of the rates of outliers, losses and swaps.
    """
    n, t, k, _ = rays.shape
    size = np.median(np.ptp(rays, axis=2).max(-1), 1)  # (N,) larger extent
    sigma = np.array([ERROR[_kind(p)] for p in POINTS])
    tau = np.exp(rng.uniform(np.log(LASTING_S[0]), np.log(LASTING_S[1]), (n, 1, 1)))
    error = BIAS * rng.normal(size=(n, 1, k, 2)) + np.sqrt(1 - BIAS**2) * _lasting((n, t, k, 2), tau, rate_hz, rng)
    quality = rng.normal(0, 0.06, (n, 1, k)) + 0.05 * _lasting((n, t, k, 1), tau, rate_hz, rng)[..., 0]
    score = rng.uniform(*SCORE, (n, 1, 1)) - np.array([SCORE_LESS.get(_kind(p), 0) for p in POINTS]) + quality
    worse = np.clip((USUAL / np.maximum(score, 0.1)) ** FALL, LEAST, MOST)[..., None]
    error = error * worse * (sigma[:, None] * (size * level)[:, None, None, None])
    astray = _spans((n, t, k), BURST_PER_S * level, BURST_S, rate_hz, rng)
    far = BURST * size[:, None, None, None] * _lasting((n, t, k, 2), tau, rate_hz, rng) * 1.5
    out = rays + error + np.where(astray[..., None], far, 0)
    score = np.where(astray, score - rng.uniform(0, 0.5, (n, 1, k)), score)
    out, score = _exchanged(out, score, level, rate_hz, rng)
    often = np.array([LOST_MORE.get(_kind(p), 1) for p in POINTS]) * np.exp(rng.normal(-0.3, 0.8, (n, 1)))
    lost = _spans((n, t, k), LOST_PER_S * level[:, None] * often, LOST_S, rate_hz, rng)
    score = np.where(lost, 0, np.clip(score, 0.1, 1))
    return out.astype(np.float32), score.astype(np.float32)


def _lasting(shape: tuple[int, ...], tau_s: np.ndarray, rate_hz: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of variance 1 that decays over frames (axis 1) with the time constants (N, 1, 1)."""
    white = rng.standard_normal(shape, np.float32)
    keep = np.exp(-1 / (rate_hz[:, None, None] * tau_s)).astype(np.float32)
    push = np.sqrt(1 - keep**2)
    for i in range(1, shape[1]):
        white[:, i] = keep * white[:, i - 1] + push * white[:, i]
    return white


def _spans(
    shape: tuple[int, int, int], per_s: np.ndarray, last_s: float, rate_hz: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(N, T, K) bool: spells that begin at random, ``per_s`` (N,) or (N, K) per second, and last about ``last_s`` s."""
    n, t, k = shape
    chance = np.asarray(per_s).reshape(n, -1) / rate_hz[:, None]  # (N, 1 or K)
    begins = rng.random((n, t, k)) < chance[:, None]
    out = np.zeros(shape, bool)
    where = np.argwhere(begins)
    frames = np.maximum(1, rng.exponential(last_s, len(where)) * rate_hz[where[:, 0]]).astype(int)
    for (i, first, point), count in zip(where, frames, strict=True):
        out[i, first : first + count, point] = True
    return out


def _exchanged(
    rays: np.ndarray, score: np.ndarray, level: np.ndarray, rate_hz: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The points with left and right of legs or arms swapped during random spells."""
    other = flipped(POINTS)
    spells = _spans((*score.shape[:2], 2), SWAP_PER_S * level, SWAP_S, rate_hz, rng)
    for part, kinds in enumerate((("knee", "ankle", "heel", "toe"), ("elbow", "wrist"))):
        points = np.array([k for k, name in enumerate(POINTS) if _kind(name) in kinds])
        n, t = np.nonzero(spells[..., part])
        rays[n[:, None], t[:, None], points] = rays[n[:, None], t[:, None], other[points]]
        score[n[:, None], t[:, None], points] = score[n[:, None], t[:, None], other[points]]
    return rays, score
