"""The jerk of a path, measured: still below walking below sprinting, at any frame rate."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.motion.jerk import jerk_density
from tests import synthetic


def _median(t: np.ndarray, truth: np.ndarray, noise: float) -> np.ndarray:
    z = truth + np.random.default_rng(0).normal(0, noise, truth.shape)
    density = jerk_density(t, z, np.ones(z.shape[:2], bool), np.full(len(t), 400.0), 0.01, 18.0)
    return np.sqrt(np.median(density, axis=0)) / 400.0  # (K,)


@pytest.mark.parametrize("fps", [15.0, 30.0, 120.0])
def test_tells_still_from_walking_from_sprinting(fps: float) -> None:
    t = synthetic.times(np.random.default_rng(1), 8.0, fps, jitter=0.2)
    still = _median(t, np.zeros((len(t), 17, 2)), 4.0)
    walk, sprint = _median(t, synthetic.walker(t), 4.0), _median(t, synthetic.sprinter(t), 4.0)
    np.testing.assert_allclose(still, 18.0, rtol=0.01)  # noise alone is no motion
    assert 20 < walk[15] < 200
    assert sprint[15] > 5 * walk[15]


def test_outliers_do_not_count() -> None:
    t = np.arange(300) / 30.0
    z = np.zeros((300, 1, 2))
    z[::25] = 300.0
    density = jerk_density(t, z, np.ones((300, 1), bool), np.full(300, 400.0), 0.01, 18.0)
    np.testing.assert_allclose(density, (18.0 * 400) ** 2, rtol=1e-6)


def test_hardly_any_measurements_are_calm() -> None:
    t = np.arange(5) / 30.0
    density = jerk_density(t, np.zeros((5, 2, 2)), np.zeros((5, 2), bool), np.full(5, 100.0), 0.01, 18.0)
    np.testing.assert_allclose(density, 1800.0**2)
