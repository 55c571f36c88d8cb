"""Kalman filter and smoother of constant acceleration for many points at once, each in a lane of its own.

A lane is a keypoint in a stretch of rows; all lanes take a step together, so that the cost of Python is shared by
thousands of them. The covariance of a lane, the same for x and y, is kept as its six different entries. Smoothing is by
the backward recursion of Bierman (1973) on the adjoint variables λ and Λ, which inverts no matrix:

    Λ̃ = HᵀH/s + CᵀΛC,  λ̃ = −Hᵀy/s + Cᵀλ  where C = I − kH,  then Λ ← FᵀΛ̃F, λ ← Fᵀλ̃ one row back,
    smoothed mean = m − Pλ̃, smoothed covariance = P − PΛ̃P,

with m and P as predicted, y the innovation, s its variance, k the gain. It equals Rauch, Tung and Striebel's.
S steps, N lanes, px and seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.motion.repair import EPS_S

START_SPEED, START_ACCELERATION = 5.0, 50.0  # standard deviations at a start, body lengths / s and / s²
CELLS = 3 << 17  # steps times lanes that go through a loop at once, unless one piece alone has more: some 80 MB


def batches(steps: np.ndarray, lanes: int) -> list[np.ndarray]:
    """Groups of pieces, of ``steps (B,)`` and ``lanes`` each, that go through a loop at once, sorted by length."""
    order, out = np.argsort(-steps, kind="stable"), []
    while len(order):
        count = max(CELLS // (int(steps[order[0]]) * lanes), 1)
        out.append(order[:count])
        order = order[count:]
    return out


@dataclass
class Rows:
    """The filter's input, step by step."""

    time_s: np.ndarray  # (S, N)
    z: np.ndarray  # (S, 2, N) px; values that are not measured are not used
    measured: np.ndarray  # (S, N) bool
    var: np.ndarray  # (S, N) px², of the measurement
    density: np.ndarray  # (S, N) px²/s⁵, of the jerk
    size_px: np.ndarray  # (S, N) body length


@dataclass
class Filtered:
    """The filter's output, which the backward pass needs."""

    mean: np.ndarray  # (S, 3, 2, N) predicted position, velocity, acceleration
    cov: np.ndarray  # (S, 6, N) predicted 00, 01, 02, 11, 12, 22
    dt: np.ndarray  # (S, N) s from the row before, over which the filter predicted; 0 where it predicted nothing
    linked: np.ndarray  # (S, N) bool: predicted from the row before, not started afresh
    used: np.ndarray  # (S, N) bool: a measurement was there and inside the gate


class Filter:
    """The filter itself, row by row: N lanes. A lane unseen for longer than ``bridge_s`` starts afresh.

    At low frame rates neighbouring rows stay linked even when they are further apart, up to ``max_gap_s``.
    """

    def __init__(self, lanes: int, gate_sigma: float, bridge_s: float, max_gap_s: float) -> None:
        self._mean, self._cov = np.zeros((3, 2, lanes)), np.tile(np.array([1.0, 0, 0, 1, 0, 1])[:, None], lanes)
        self._used_s, self._used_step = np.full(lanes, -np.inf), np.full(lanes, -2)
        self._gate, self._bridge, self._gap, self._most = gate_sigma**2, bridge_s + EPS_S, max_gap_s + EPS_S, max_gap_s
        self._before: np.ndarray | None = None
        self._step = 0

    def step(
        self,
        now: np.ndarray,
        z: np.ndarray,
        measured: np.ndarray,
        var: np.ndarray,
        density: np.ndarray,
        size_px: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The next row, shapes as in `Rows` without S; mean, cov, dt, linked and used as in `Filtered`."""
        near = now - self._used_s <= np.where(self._used_step == self._step - 1, self._gap, self._bridge)
        dt = np.zeros(len(now))
        if self._before is not None:
            dt = np.where(near, np.minimum(now - self._before, self._most), 0.0)
        mean, cov = _predict(self._mean, self._cov, dt, density)
        fresh = measured & ~near
        if fresh.any():
            _start(mean, cov, fresh, z, var, size_px)
        innovation = z - mean[0]
        s = cov[0] + var
        used = measured & (innovation[0] ** 2 + innovation[1] ** 2 <= self._gate * s)
        inverse = np.where(used & near, 1.0 / s, 0.0)
        gain = cov[:3] * inverse
        self._mean = mean + gain[:, None] * innovation
        self._cov = cov - _outer(gain, cov[:3])
        self._used_s = np.where(used, now, self._used_s)
        self._used_step = np.where(used, self._step, self._used_step)
        self._before, self._step = now, self._step + 1
        return mean, cov, dt, near, used


def forward(rows: Rows, gate_sigma: float, bridge_s: float, max_gap_s: float) -> Filtered:
    """`Filter` over all rows."""
    steps, lanes = rows.measured.shape
    out = Filtered(
        mean=np.empty((steps, 3, 2, lanes)),
        cov=np.empty((steps, 6, lanes)),
        dt=np.zeros((steps, lanes)),
        linked=np.zeros((steps, lanes), bool),
        used=np.zeros((steps, lanes), bool),
    )
    filter_ = Filter(lanes, gate_sigma, bridge_s, max_gap_s)
    for t in range(steps):
        out.mean[t], out.cov[t], out.dt[t], out.linked[t], out.used[t] = filter_.step(
            rows.time_s[t], rows.z[t], rows.measured[t], rows.var[t], rows.density[t], rows.size_px[t]
        )
    return out


def backward(rows: Rows, f: Filtered, lag: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed means (S, 3, 2, N) and standard deviations of the position (S, N).

    With a ``lag`` each row uses only so many later rows, as a live system could; 0 is the filter itself. Without one,
    the means are written over the filter's, each row's after its last use.
    """
    if lag is not None:
        return _lagged(rows, f, lag)
    steps, _, lanes = f.cov.shape
    mean, std = f.mean, np.empty((steps, lanes))
    first, second = np.zeros((3, 2, lanes)), np.zeros((6, lanes))  # λ, Λ
    for t in range(steps - 1, -1, -1):
        first, second = _told(rows, f, t, first, second)
        mean[t], std[t] = _smoothed(f.mean[t], f.cov[t], first, second)
        first, second = _back(first, second, f.dt[t], f.linked[t])
    return mean, std


def _lagged(rows: Rows, f: Filtered, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """`backward` for every row, started ``lag`` rows after it: all rows go back together, one step at a time."""
    mean, std = np.empty_like(f.mean), np.empty(f.used.shape)
    for t in range(len(f.used)):
        mean[t], std[t] = told_until(rows, f, t, min(t + lag, len(f.used) - 1))
    return mean, std


def told_until(rows: Rows, f: Filtered, t: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed mean (3, 2, N) and standard deviation (N,) of row ``t``, from what was measured up to row ``last``."""
    first, second = np.zeros(f.mean.shape[1:]), np.zeros(f.cov.shape[1:])
    for ahead in range(last, t, -1):
        first, second = _told(rows, f, ahead, first, second)
        first, second = _back(first, second, f.dt[ahead], f.linked[ahead])
    first, second = _told(rows, f, t, first, second)
    return _smoothed(f.mean[t], f.cov[t], first, second)


def _predict(mean: np.ndarray, cov: np.ndarray, dt: np.ndarray, density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """m ← Fm and P ← FPFᵀ + Q over ``dt (N,)``, Q of continuous white jerk (`pipeline.core.kalman.process_noise`)."""
    half = dt * dt / 2
    out = np.empty_like(mean)
    out[0] = mean[0] + dt * mean[1] + half * mean[2]
    out[1] = mean[1] + dt * mean[2]
    out[2] = mean[2]
    p00, p01, p02, p11, p12, p22 = cov
    r0 = p00 + dt * p01 + half * p02  # FP
    r1 = p01 + dt * p11 + half * p12
    r2 = p02 + dt * p12 + half * p22
    s1, s2 = p11 + dt * p12, p12 + dt * p22
    q = density * dt
    q12 = q * dt / 2
    q02 = q12 * dt / 3  # also half of q11
    q01 = q02 * dt * 0.75
    new = np.empty_like(cov)
    new[0] = r0 + dt * r1 + half * r2 + q01 * dt * 0.4
    new[1] = r1 + dt * r2 + q01
    new[2] = r2 + q02
    new[3] = s1 + dt * s2 + 2 * q02
    new[4] = s2 + q12
    new[5] = p22 + q
    return out, new


def _start(
    mean: np.ndarray, cov: np.ndarray, fresh: np.ndarray, z: np.ndarray, var: np.ndarray, size_px: np.ndarray
) -> None:
    """Start the lanes ``fresh (N,)`` at their measured places, at rest; changes the arrays in place."""
    mean[0][:, fresh] = z[:, fresh]
    mean[1:, :, fresh] = 0.0
    cov[:, fresh] = 0.0
    cov[0, fresh] = var[fresh]
    cov[3, fresh] = np.square(START_SPEED * size_px[fresh])
    cov[5, fresh] = np.square(START_ACCELERATION * size_px[fresh])


def _outer(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The six entries of the symmetric a bᵀ of (3, N) vectors."""
    return np.stack([a[0] * b[0], a[0] * b[1], a[0] * b[2], a[1] * b[1], a[1] * b[2], a[2] * b[2]])


def _told(rows: Rows, f: Filtered, t: int, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """λ̃ and Λ̃ of a row, from λ and Λ and the row's own measurement."""
    used = f.used[t] & f.linked[t]
    inverse = np.where(used, 1.0 / (f.cov[t, 0] + rows.var[t]), 0.0)
    gain = f.cov[t, :3] * inverse
    l00, l01, l02, l11, l12, l22 = second
    u0 = l00 * gain[0] + l01 * gain[1] + l02 * gain[2]
    u1 = l01 * gain[0] + l11 * gain[1] + l12 * gain[2]
    u2 = l02 * gain[0] + l12 * gain[1] + l22 * gain[2]
    out = second.copy()
    out[0] += inverse - 2 * u0 + gain[0] * u0 + gain[1] * u1 + gain[2] * u2
    out[1] -= u1
    out[2] -= u2
    told = first.copy()
    innovation = np.where(used, rows.z[t] - f.mean[t, 0], 0.0)
    told[0] -= gain[0] * first[0] + gain[1] * first[1] + gain[2] * first[2] + innovation * inverse
    return told, out


def _back(first: np.ndarray, second: np.ndarray, dt: np.ndarray, linked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """λ ← Fᵀλ̃ and Λ ← FᵀΛ̃F over ``dt (N,)``; nothing passes where a lane was started afresh."""
    first, second = np.where(linked, first, 0.0), np.where(linked, second, 0.0)
    half = dt * dt / 2
    out = np.empty_like(first)
    out[0] = first[0]
    out[1] = first[1] + dt * first[0]
    out[2] = first[2] + dt * first[1] + half * first[0]
    l00, l01, l02, l11, l12, l22 = second
    m01, m11 = dt * l00 + l01, dt * l01 + l11  # Λ̃F
    m02, m12 = half * l00 + dt * l01 + l02, half * l01 + dt * l11 + l12
    m22 = half * l02 + dt * l12 + l22
    new = np.empty_like(second)
    new[0], new[1], new[2] = l00, m01, m02
    new[3] = dt * m01 + m11
    new[4] = dt * m02 + m12
    new[5] = half * m02 + dt * m12 + m22
    return out, new


def _smoothed(
    mean: np.ndarray, cov: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed means (3, 2, N) and standard deviations (N,) of a row."""
    p00, p01, p02, p11, p12, p22 = cov
    out = np.empty_like(mean)
    out[0] = mean[0] - (p00 * first[0] + p01 * first[1] + p02 * first[2])
    out[1] = mean[1] - (p01 * first[0] + p11 * first[1] + p12 * first[2])
    out[2] = mean[2] - (p02 * first[0] + p12 * first[1] + p22 * first[2])
    l00, l01, l02, l11, l12, l22 = second
    var = p00 - (p00 * (p00 * l00 + 2 * (p01 * l01 + p02 * l02)) + p01 * (p01 * l11 + 2 * p02 * l12) + p02 * p02 * l22)
    return out, np.sqrt(np.maximum(var, 0.0))
