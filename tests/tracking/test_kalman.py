"""The batched filter against filterpy, on variable time steps."""

from __future__ import annotations

import numpy as np
import pytest
from filterpy.common import Q_continuous_white_noise
from filterpy.kalman import KalmanFilter

from pipeline.core import kalman


@pytest.mark.parametrize("order", [2, 3])
def test_equals_filterpy(order: int) -> None:
    rng = np.random.default_rng(order)
    n, steps, density = 4, 60, np.array([1.0, 50.0, 3.0, 0.2])
    mean, cov = np.zeros((n, order, 2)), np.tile(np.eye(order) * 9.0, (n, 1, 1))
    oracles = []
    for i in range(n):
        for _ in range(2):
            kf = KalmanFilter(dim_x=order, dim_z=1)
            kf.x, kf.P, kf.H = np.zeros((order, 1)), np.eye(order) * 9.0, np.eye(1, order)
            oracles.append((i, kf))
    for _ in range(steps):
        dt, z, var = rng.uniform(0.005, 0.5), rng.normal(0, 10, (n, 2)), rng.uniform(0.5, 4, n)
        mean, cov = kalman.predict(mean, cov, dt, density)
        mean, cov = kalman.update(mean, cov, z, var)
        for j, (i, kf) in enumerate(oracles):
            kf.predict(F=kalman.transition(dt, order), Q=Q_continuous_white_noise(order, dt, density[i]))
            kf.update(z[i, j % 2], R=var[i])
            np.testing.assert_allclose(mean[i, :, j % 2], kf.x[:, 0], rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(cov[i], kf.P, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("order", [2, 3])
def test_process_noise_equals_filterpy_and_does_not_depend_on_how_time_is_cut(order: int) -> None:
    dt = np.array([0.008, 1 / 30, 0.33, 1.0])
    ours = kalman.process_noise(dt, 7.0, order)
    for q, step in zip(ours, dt, strict=True):
        np.testing.assert_allclose(q, Q_continuous_white_noise(order, step, 7.0), rtol=1e-12)
    mean, cov = np.ones((order, 2)), np.eye(order)
    once = kalman.predict(mean, cov, 0.3, 5.0)
    twice = kalman.predict(*kalman.predict(mean, cov, 0.1, 5.0), 0.2, 5.0)
    for a, b in zip(once, twice, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_mahalanobis_distance() -> None:
    cov = np.diag([9.0, 1.0])
    assert kalman.mahalanobis2(cov, np.array([3.0, 4.0]), 16.0) == pytest.approx(1.0)
