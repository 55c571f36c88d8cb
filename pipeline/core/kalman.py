"""Kalman filters over real time stamps, many at once: white noise on the highest derivative, any frame rate.

A state holds a position and its derivatives: order 2 is (position, velocity), order 3 adds acceleration. The axes x
and y of a point share one covariance, because they share all noise: ``mean (…, order, 2)``, ``cov (…, order, order)``.
Units are px and seconds. The noise is *continuous* white noise: unlike the piecewise-constant model
(``filterpy.common.Q_discrete_white_noise``) it gives the same covariance for one step of 2 dt as for two steps of dt.
Otherwise results would depend on the frame rate and on dropped frames.
"""

from __future__ import annotations

from functools import cache

import numpy as np

# Each entry of the noise covariance grows with this power of dt; one table per order (Bar-Shalom et al. 2001, §6.2).
_POWER = {n: 2 * n - 1 - np.add.outer(np.arange(n), np.arange(n)) for n in (2, 3)}
_LAG = {n: np.maximum(np.arange(n) - np.arange(n)[:, None], 0) for n in (2, 3)}
_TAYLOR = {2: np.array([[1.0, 1], [0, 1]]), 3: np.array([[1.0, 1, 0.5], [0, 1, 1], [0, 0, 1]])}


def transition(dt: np.ndarray | float, order: int) -> np.ndarray:
    """State transition F over ``dt (…)`` seconds: (…, order, order)."""
    return _TAYLOR[order] * np.asarray(dt, np.float64)[..., None, None] ** _LAG[order]


@cache
def _unit_noise(order: int) -> np.ndarray:
    """Covariance that noise of density 1 adds in one second: (order, order)."""
    from filterpy.common import Q_continuous_white_noise  # its import takes a second; --help should not wait

    return Q_continuous_white_noise(dim=order, dt=1.0)


def process_noise(dt: np.ndarray | float, density: np.ndarray | float, order: int) -> np.ndarray:
    """Covariance Q that ``dt (…)`` seconds add: (…, order, order).

    ``density (…)`` is the spectral density of the white noise on the highest derivative: px²/s³ on the acceleration of
    order 2, px²/s⁵ on the jerk of order 3 (``filterpy.common.Q_continuous_white_noise``).
    """
    dt, density = np.asarray(dt, np.float64), np.asarray(density, np.float64)
    return _unit_noise(order) * dt[..., None, None] ** _POWER[order] * density[..., None, None]


def predict(
    mean: np.ndarray, cov: np.ndarray, dt: np.ndarray | float, density: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """States ``mean (…, order, 2)``, ``cov (…, order, order)`` carried ``dt`` seconds onward."""
    order = cov.shape[-1]
    f = transition(dt, order)
    return f @ mean, f @ cov @ np.swapaxes(f, -1, -2) + process_noise(dt, density, order)


def update(mean: np.ndarray, cov: np.ndarray, position: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States after measuring ``position (…, 2)`` in px with variance ``var (…)`` in px² per axis."""
    gain = cov[..., :, 0] / (cov[..., 0, 0] + var)[..., None]  # (…, order)
    mean = mean + gain[..., None] * (position - mean[..., 0, :])[..., None, :]
    return mean, cov - gain[..., :, None] * cov[..., None, 0, :]


def mahalanobis2(cov: np.ndarray, offset: np.ndarray, var: np.ndarray | float) -> np.ndarray:
    """Squared Mahalanobis distance of position offsets ``(…, 2)`` in px: (…,), χ² with 2 degrees of freedom."""
    return np.square(offset).sum(-1) / (cov[..., 0, 0] + var)
