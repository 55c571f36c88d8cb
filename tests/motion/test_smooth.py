"""The smoother against filterpy, against itself in windows, and against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from filterpy.common import Q_continuous_white_noise
from filterpy.kalman import KalmanFilter
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.kalman import transition
from pipeline.core.settings import SmoothConfig
from pipeline.motion.jerk import jerk_density
from pipeline.motion.smooth import Smoothed, smooth_all
from pipeline.motion.trajectories import Trajectories
from tests import synthetic

CONFIG = SmoothConfig()
OPEN = SmoothConfig(gate_sigma=1e9, bridge_s=1e9)
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]  # position, std, used


def _one(
    t: np.ndarray,
    z: np.ndarray,
    score: np.ndarray,
    measured: np.ndarray,
    size: np.ndarray,
    density: np.ndarray,
    config: SmoothConfig,
    **options: Any,
) -> Smoothed:
    one = Trajectories(t, z, score, measured, size, np.zeros(measured.shape, bool))
    return smooth_all([one], [density], config, 1.0, **options)[0]


def _smooth(
    t: np.ndarray, z: np.ndarray, config: SmoothConfig = CONFIG, measured: np.ndarray | None = None, **options: object
) -> Arrays:
    """`smooth_all` for one person of 400 px with scores of 0.8, unless told otherwise."""
    measured = np.ones(z.shape[:2], bool) if measured is None else measured
    size = np.full(len(t), float(options.pop("size", 400.0)))
    causal = config.method == "fixed_lag"
    density = jerk_density(t, z, measured, size, config.noise_len, config.least_jerk, causal)
    score = np.full(z.shape[:2], 0.8)
    out = _one(t, z, score, measured, size, density, config, dtype=np.float64, **options)
    return out.position, out.std, out.used


def _rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(np.square(error))))


def test_equals_filterpy() -> None:
    rng = np.random.default_rng(0)
    n, size = 80, 400.0
    t = np.cumsum(rng.uniform(0.01, 0.12, n))
    z = 100 * np.sin(t)[:, None, None] + rng.normal(0, 4, (n, 1, 2))
    measured = rng.uniform(size=(n, 1)) < 0.8
    measured[[0, -1]] = True
    score, density = rng.uniform(0.3, 1, (n, 1)), rng.uniform(1e7, 1e9, (n, 1))
    out = _one(t, z, score, measured, np.full(n, size), density, OPEN, dtype=np.float64)
    assert np.array_equal(out.used, measured)
    var = np.square(OPEN.noise_len * size / score[:, 0])
    for axis in range(2):
        kf = KalmanFilter(dim_x=3, dim_z=1)
        kf.H = np.array([[1.0, 0, 0]])
        kf.x, kf.P = np.array([z[0, 0, axis], 0, 0]), np.diag([var[0], (5 * size) ** 2, (50 * size) ** 2])
        xs, ps, fs, qs = [kf.x], [kf.P], [np.eye(3)], [np.zeros((3, 3))]
        for i in range(1, n):
            f, q = transition(t[i] - t[i - 1], 3), Q_continuous_white_noise(3, t[i] - t[i - 1], density[i, 0])
            kf.predict(F=f, Q=q)
            kf.update(z[i, 0, axis] if measured[i, 0] else None, R=var[i])
            xs, ps, fs, qs = [*xs, kf.x], [*ps, kf.P], [*fs, f], [*qs, q]
        x, p, _, _ = kf.rts_smoother(np.array(xs), np.array(ps), fs, qs)
        np.testing.assert_allclose(out.position[:, 0, axis], x[:, 0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(out.velocity[:, 0, axis], x[:, 1], rtol=1e-8, atol=1e-7)
        np.testing.assert_allclose(out.acceleration[:, 0, axis], x[:, 2], rtol=1e-7, atol=1e-5)
        np.testing.assert_allclose(out.std[:, 0], np.sqrt(p[:, 0, 0]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("fps", [10.0, 30.0, 120.0])
def test_blocks_give_the_whole_sequence(fps: float) -> None:
    rng = np.random.default_rng(1)
    t = synthetic.times(rng, 2600 / fps, fps, jitter=0.3)
    truth = synthetic.walker(t, velocity_px_s=(5, 0))[:, [0, 9, 15]]
    z = truth + rng.normal(0, 4, truth.shape)
    measured = rng.uniform(size=z.shape[:2]) < 0.9
    measured[1100:1500, 1] = False  # across the border of a block
    z[rng.uniform(size=z.shape[:2]) < 0.01] += 150
    whole = _smooth(t, z, measured=measured, block=10_000)
    parts = _smooth(t, z, measured=measured)
    np.testing.assert_array_equal(whole[2], parts[2])
    for a, b in zip(whole[:2], parts[:2], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(("fps", "least"), [(30.0, 0.5), (60.0, 0.6), (120.0, 0.7)])
def test_walking_error_at_least_halves(fps: float, least: float) -> None:
    rng = np.random.default_rng(2)
    t = synthetic.times(rng, 15.0, fps, jitter=0.2)
    truth = synthetic.walker(t)
    z = truth + rng.normal(0, 4.0, truth.shape)
    position, std, used = _smooth(t, z)
    assert used.mean() > 0.999
    assert _rms(position - truth) < (1 - least) * _rms(z - truth)
    assert 0.7 < np.mean(np.square((position - truth) / std[..., None])) < 1.3  # the deviations are honest


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0, 120.0])
def test_velocity_is_better_than_differences_and_intervals_hold(fps: float) -> None:
    rng = np.random.default_rng(12)
    t = synthetic.times(rng, 20.0, fps, jitter=0.3)
    truth = synthetic.walker(t)
    fine = synthetic.walker(np.repeat(t, 2) + np.tile([-1e-4, 1e-4], len(t)))
    speed = (fine[1::2] - fine[::2]) / 2e-4
    measured = rng.uniform(size=truth.shape[:2]) > 0.1
    measured[:, 0] = True
    z = truth + rng.normal(0, 4.0, truth.shape)
    size, score = np.full(len(t), 400.0), np.full(measured.shape, 0.8)
    density = jerk_density(t, z, measured, size, CONFIG.noise_len, CONFIG.least_jerk)
    out = _one(t, z, score, measured, size, density, CONFIG)
    assert _rms(out.velocity - speed) < 0.6 * _rms(np.gradient(z, t, axis=0) - speed)
    inside = np.abs(out.position - truth) < 1.96 * out.std[..., None]
    assert 0.90 <= inside[out.used].mean() <= 0.98


def test_a_fixed_lag_lies_between_the_filter_and_the_smoother() -> None:
    rng = np.random.default_rng(13)
    t = synthetic.times(rng, 10.0, 30.0)
    truth = synthetic.walker(t)
    z = truth + rng.normal(0, 4.0, truth.shape)
    lags = [SmoothConfig(method="fixed_lag", lag_s=s) for s in (0.0, 0.1, 8.0)]
    filtered, lagged, ahead = (_smooth(t, z, config) for config in lags)
    whole = _smooth(t, z)
    assert _rms(whole[0] - truth) < _rms(lagged[0] - truth) < _rms(filtered[0] - truth) < _rms(z - truth)
    assert _rms(ahead[0] - truth) < 1.05 * _rms(whole[0] - truth)
    later = z.copy()
    later[200:] += 30.0  # what comes later than the lag changes nothing
    np.testing.assert_array_equal(_smooth(t, later, lags[1])[0][:197], lagged[0][:197])


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
def test_a_sprinter_is_not_flattened(fps: float) -> None:
    rng = np.random.default_rng(3)
    t = synthetic.times(rng, 6.0, fps)
    truth = synthetic.sprinter(t)
    z = truth + rng.normal(0, 4.0, truth.shape)
    position, _, used = _smooth(t, z)
    assert used.mean() > 0.995
    assert _rms(position - truth) < 0.8 * _rms(z - truth)
    ankle, true_ankle = (p[:, 15, 1] - p[:, 11, 1] for p in (position, truth))
    assert _rms(position[:, 15] - truth[:, 15]) < 1.05 * _rms(z[:, 15] - truth[:, 15])
    assert np.ptp(ankle[30:-30]) > 0.97 * np.ptp(true_ankle[30:-30])


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
@pytest.mark.parametrize("noise", [0.0, 4.0])
def test_a_swing_of_2_hz_keeps_its_amplitude(fps: float, noise: float) -> None:
    rng = np.random.default_rng(4)
    t = synthetic.times(rng, 30.0, fps, jitter=0.2)
    truth = np.stack([80 * np.sin(2 * np.pi * 2 * t), 0 * t], -1)[:, None]
    position, _, _ = _smooth(t, truth + rng.normal(0, noise, truth.shape))
    inner, carrier = slice(20, -20), np.stack([np.sin(4 * np.pi * t), np.cos(4 * np.pi * t), 0 * t + 1], -1)
    amplitude = np.linalg.lstsq(carrier[inner], position[inner, 0, 0], rcond=None)[0]
    assert np.hypot(*amplitude[:2]) > 0.97 * 80


def test_outliers_are_not_used() -> None:
    rng = np.random.default_rng(5)
    t = synthetic.times(rng, 10.0, 30.0)
    truth = synthetic.walker(t)
    z = truth + rng.normal(0, 4.0, truth.shape)
    wrong = rng.uniform(size=z.shape[:2]) < 0.02
    wrong[:3] = False
    z[wrong] += 120 * np.where(rng.uniform(size=(wrong.sum(), 2)) < 0.5, -1, 1)
    position, _, used = _smooth(t, z)
    assert used[wrong].mean() < 0.05
    assert used[~wrong].mean() > 0.995
    assert _rms(position - truth) < 0.7 * 4.0


def test_a_keypoint_that_moved_for_good_is_followed() -> None:
    t = np.arange(90) / 30.0
    z = np.zeros((90, 1, 2))
    z[45:] = 300.0
    position, _, used = _smooth(t, z)
    assert used[55:].all()
    np.testing.assert_allclose(position[60:], 300.0, atol=5.0)
    np.testing.assert_allclose(position[:40], 0.0, atol=5.0)


def test_short_gaps_follow_the_motion_and_long_ones_stay_open() -> None:
    t = np.arange(120) / 30.0
    truth = np.stack([300 * t + 200 * t**2, 0 * t], -1)[:, None]
    measured = np.ones((120, 1), bool)
    measured[30:35], measured[60:90], measured[:5], measured[-5:] = False, False, False, False
    position, std, _ = _smooth(t, np.where(measured[..., None], truth, np.nan), measured=measured)
    assert np.isnan(position[60:90]).all()
    assert np.isnan(position[:5]).all()
    assert np.isnan(std[-5:]).all()
    np.testing.assert_allclose(position[5:60], truth[5:60], atol=2.0)  # a line over the gap would be 4 px off
    assert std[32, 0] > 2 * std[20, 0]


def test_rows_further_apart_than_max_gap_are_not_linked() -> None:
    t = np.append(np.arange(30) / 30.0, 600.0 + np.arange(30) / 30.0)
    rng = np.random.default_rng(6)
    z = np.append(np.zeros((30, 2, 2)), np.full((30, 2, 2), 1000.0), axis=0) + rng.normal(0, 2, (60, 2, 2))
    position, _, used = _smooth(t, z)
    assert used.all()
    alone = _smooth(t[:30], z[:30])[0]
    np.testing.assert_allclose(position[:27], alone[:27], atol=0.5)  # the jerk's window differs at its edge


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.floats(0.2, 5.0), st.floats(-2000, 2000))
def test_commutes_with_moving_and_scaling(seed: int, scale: float, offset: float) -> None:
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 2.0, 25.0, jitter=0.5)
    z = synthetic.walker(t)[:, [0, 9, 15]] + rng.normal(0, 4, (len(t), 3, 2))
    measured = rng.uniform(size=z.shape[:2]) < 0.9
    a = _smooth(t, z, measured=measured)
    b = _smooth(t, z * scale + offset, measured=measured, size=400.0 * scale)
    np.testing.assert_array_equal(a[2], b[2])
    np.testing.assert_allclose(a[0] * scale + offset, b[0], atol=1e-5)
    np.testing.assert_allclose(a[1] * scale, b[1], rtol=1e-5)


def test_time_does_not_start_at_zero_and_runs_both_ways() -> None:
    rng = np.random.default_rng(7)
    t = synthetic.times(rng, 3.0, 30.0)
    z = synthetic.walker(t)[:, :2] + rng.normal(0, 4, (len(t), 2, 2))
    np.testing.assert_allclose(_smooth(t + 36_000, z)[0], _smooth(t, z)[0], atol=1e-4)
    backwards = _smooth(-t[::-1], z[::-1])[0][::-1]
    np.testing.assert_allclose(backwards[15:-15], _smooth(t, z)[0][15:-15], atol=1.0)  # starts differ, the middle not
