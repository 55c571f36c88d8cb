"""Kalman smoothing of every keypoint of a person, on real time stamps.

Each keypoint is a point with constant acceleration disturbed by white-noise jerk: in steady state a zero-phase low-pass
filter ``1 / (1 + (f/f0)⁶)``, whose cutoff ``f0 = (q / (r dt))^(1/6) / 2π`` follows from the jerk density q, the
measurement variance r and the frame spacing dt. Both noises scale with the person's size, so results do not depend on
how large a person is in the picture. L rows of one person, K keypoints, px and seconds throughout.

The filter forgets within seconds. So long sequences are cut into blocks that overlap by a few seconds, and all blocks
of all keypoints of several people are filtered side by side (`pipeline.motion.lanes`). This takes a tenth of the time
and bounded memory. Up to `BLOCK` rows there is one block, and the result is exactly that of filterpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from pipeline.core.settings import SmoothConfig
from pipeline.motion import repair
from pipeline.motion.lanes import Rows, backward, batches, forward
from pipeline.motion.trajectories import Trajectories

BLOCK = 512  # rows of a block, at least
VELOCITY_NEEDS, ACCELERATION_NEEDS = 2, 3  # measurements; with fewer they are what the filter assumes at a start
MEMORY_S = 4.0  # overlap of blocks; the slowest point forgets to 1e-9 within about 3 s


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
        """Paths of (L, K) points of which nothing is known."""
        path, std = np.full((*shape, 2), np.nan, dtype), np.full(shape, np.nan, dtype)
        return cls(path, path.copy(), path.copy(), std, np.zeros(shape, bool))

    def forget(self, where: tuple[np.ndarray, int]) -> None:
        """Make some rows (L,) bool of a point unknown."""
        for values in (self.position, self.velocity, self.acceleration, self.std):
            values[where] = np.nan


def noise_px(score: np.ndarray, size_px: np.ndarray, noise_len: float) -> np.ndarray:
    """Standard deviation in px per axis of measurements with ``score (…, K)`` of a person of ``size_px (…)``."""
    return noise_len * size_px[..., None] / np.clip(score, 0.1, 1.0)


class _Piece(NamedTuple):
    """A block of a person's rows, and the rows around it that are filtered too."""

    person: int
    own: slice
    rows: slice


def smooth_all(
    people: Sequence[Trajectories],
    density: Sequence[np.ndarray],
    config: SmoothConfig,
    max_gap_s: float,
    *,
    block: int = BLOCK,
    dtype: type[np.floating] = np.float32,
) -> list[Smoothed]:
    """All people's paths by the Kalman smoother; for ``config.method`` "fixed_lag", by the fixed-lag smoother.

    A measurement further than ``config.gate_sigma`` Mahalanobis distances from the prediction is an outlier and not
    used. A keypoint without a used measurement for longer than ``config.bridge_s`` starts afresh at the next one;
    the paths are NaN inside such gaps, before the first and after the last used measurement. Shorter gaps are filled.
    A velocity rests on two used measurements or more, an acceleration on three; else they are NaN.
    No person's paths depend on the others.

    Args:
        people: all with K keypoints.
        density: (L, K) px²/s⁵ of each person, spectral density of the jerk, see `pipeline.motion.jerk`.
        max_gap_s: rows further apart than this are not linked, whatever the frame rate.
        block: least rows of a block.
        dtype: of the paths.
    """
    out = [Smoothed.empty(one.measured.shape, dtype) for one in people]
    pieces: dict[int | None, list[_Piece]] = {}
    lags: list[int | None] = []
    for i, one in enumerate(people):
        step = float(np.median(np.diff(one.time_s))) if len(one.time_s) > 1 else 1.0
        lags.append(round(config.lag_s / step) if config.method == "fixed_lag" else None)
        pieces.setdefault(lags[-1], []).extend(_pieces(i, len(one.time_s), step, block))
    for lag, alike in pieces.items():
        for some in batches(np.array([p.rows.stop - p.rows.start for p in alike]), people[0].measured.shape[1]):
            _smooth([alike[i] for i in some], people, density, config, max_gap_s, lag, out)
    for one, paths, lag in zip(people, out, lags, strict=True):
        _forget(one.time_s, paths, config.bridge_s, max_gap_s, lag)
    return out


def _forget(time_s: np.ndarray, paths: Smoothed, bridge_s: float, max_gap_s: float, lag: int | None) -> None:
    """Make unknown, in place, what lies in long gaps, and velocities and accelerations that no measurements tell."""
    for j in range(paths.used.shape[1]):
        open_ = repair.gap_s(time_s, paths.used[:, j]) > bridge_s + repair.EPS_S
        paths.forget((open_, j))
        told = told_by(time_s, paths.used[:, j], bridge_s, max_gap_s, lag)
        paths.velocity[told < VELOCITY_NEEDS, j] = np.nan
        paths.acceleration[told < ACCELERATION_NEEDS, j] = np.nan


def told_by(time_s: np.ndarray, used: np.ndarray, bridge_s: float, max_gap_s: float, lag: int | None) -> np.ndarray:
    """(L,) number of used measurements that a row's path rests on: those of its run, up to ``lag`` rows after it.

    A run begins where the filter starts afresh, see `pipeline.motion.lanes.Filter`. Rows before the first measurement
    have 0.
    """
    rows = np.flatnonzero(used)
    if not len(rows):
        return np.zeros(len(used), np.int64)
    most = np.where(np.diff(rows) == 1, max_gap_s, bridge_s) + repair.EPS_S
    begins = np.append(True, np.diff(time_s[rows]) > most)
    number = np.cumsum(begins) - 1
    first = np.flatnonzero(begins)  # of each run, among the used rows
    stop = np.append(first[1:], len(rows))
    after = np.searchsorted(rows, np.arange(len(used)), "right") - 1  # the last used row so far
    run = number[np.maximum(after, 0)]
    seen = stop[run]
    if lag is not None:
        seen = np.minimum(np.searchsorted(rows, np.arange(len(used)) + lag, "right"), seen)
    return np.where(after >= 0, seen - first[run], 0)


def _pieces(person: int, n: int, step_s: float, block: int) -> list[_Piece]:
    """The pieces of a person's ``n`` rows."""
    overlap = int(np.clip(np.ceil(MEMORY_S / max(step_s, 1e-4)), 32, 2048))
    block = max(block, 4 * overlap)
    ends = [(start, min(start + block, n)) for start in range(0, n, block)]
    return [_Piece(person, slice(a, b), slice(max(a - overlap, 0), min(b + overlap, n))) for a, b in ends]


def _smooth(
    pieces: list[_Piece],
    people: Sequence[Trajectories],
    density: Sequence[np.ndarray],
    config: SmoothConfig,
    max_gap_s: float,
    lag: int | None,
    out: list[Smoothed],
) -> None:
    """Smooth the pieces side by side and put their paths into ``out``."""
    steps = max(p.rows.stop - p.rows.start for p in pieces)
    several = [_lanes(people[p.person], density[p.person], p.rows, steps, config.noise_len) for p in pieces]
    rows = Rows(**{f.name: np.concatenate([getattr(one, f.name) for one in several], -1) for f in fields(Rows)})
    del several
    filtered = forward(rows, config.gate_sigma, config.bridge_s, max_gap_s)
    mean, std = backward(rows, filtered, lag)
    first = 0
    for p in pieces:
        to = out[p.person]
        there = slice(p.own.start - p.rows.start, p.own.stop - p.rows.start)
        lanes = slice(first, first + to.used.shape[1])
        to.std[p.own], to.used[p.own] = std[there, lanes], filtered.used[there, lanes]
        for d, path in enumerate((to.position, to.velocity, to.acceleration)):
            path[p.own] = mean[there, d, :, lanes].swapaxes(1, 2)
        first = lanes.stop


def _lanes(one: Trajectories, density: np.ndarray, rows: slice, steps: int, noise_len: float) -> Rows:
    """Some rows of a person as K lanes, the last one repeated, without a measurement, until there are ``steps``."""
    row = np.arange(rows.start, rows.start + steps)
    at = np.minimum(row, rows.stop - 1)
    seen = one.measured[at] & (row < rows.stop)[:, None]
    size = one.size_px[at].astype(np.float64)
    return Rows(
        time_s=np.broadcast_to(one.time_s[at][:, None], seen.shape),
        z=np.where(seen[..., None], one.keypoints_px[at], 0.0).astype(np.float64).swapaxes(1, 2),
        measured=seen,
        var=np.square(noise_px(one.keypoint_score[at], size, noise_len)),
        density=density[at].astype(np.float64),
        size_px=np.broadcast_to(size[:, None], seen.shape),
    )
