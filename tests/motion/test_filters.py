"""Textbook filters against scipy, and what they do at gaps, edges and uneven steps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from pipeline.core.settings import SmoothConfig
from pipeline.motion.filters import FILTERS, butterworth, filtered, stretches
from pipeline.motion.smooth import Smoothed
from tests import synthetic


def _run(t: np.ndarray, z: np.ndarray, measured: np.ndarray | None = None, **settings: object) -> Smoothed:
    measured = np.ones(z.shape[:2], bool) if measured is None else measured
    config = SmoothConfig(**settings)  # type: ignore[arg-type]
    return filtered(t, z, measured, np.full(measured.shape, 4.0), np.full(len(t), 400.0), config, 1.0)


def test_butterworth_equals_scipy() -> None:
    t = np.arange(200) / 50.0
    z = np.random.default_rng(0).normal(0, 10, (200, 3, 2))
    corner = 6.0 / (np.sqrt(2) - 1) ** 0.25  # Winter's correction for two passes of second order: 1 / .802
    assert 6.0 / corner == pytest.approx(0.802, abs=5e-4)
    b, a = signal.butter(2, corner / 25.0)
    np.testing.assert_allclose(_run(t, z, method="butterworth").position, signal.filtfilt(b, a, z, axis=0), atol=1e-9)


@pytest.mark.parametrize("order", [2, 4, 8])
def test_butterworth_halves_the_power_at_its_cutoff(order: int) -> None:
    t = np.arange(4000) / 100.0
    values = np.sin(2 * np.pi * 6.0 * t)
    out = butterworth(values, 100.0, 6.0, order)[1000:-1000]
    assert np.ptp(out) / 2 == pytest.approx(np.sqrt(0.5), abs=0.01)  # the digital filter bends frequencies a little


def test_savgol_equals_scipy() -> None:
    t = np.arange(120) / 50.0
    z = np.random.default_rng(1).normal(0, 10, (120, 1, 2))
    out = _run(t, z, method="savgol", window_s=0.2).position
    np.testing.assert_allclose(out, signal.savgol_filter(z, 11, 3, axis=0), atol=1e-9)


@pytest.mark.parametrize("method", list(FILTERS))
@pytest.mark.parametrize("jitter", [0.0, 0.4])
def test_noise_falls_and_its_deviation_is_honest(method: str, jitter: float) -> None:
    rng = np.random.default_rng(2)
    t = synthetic.times(rng, 30.0, 60.0, jitter)
    z = rng.normal(0, 4.0, (len(t), 1, 2)) + 500
    cutoff = {"cutoff_hz": 2.0, "beta_len": 0.0} if method == "one_euro" else {}
    out = _run(t, z, method=method, **cutoff)
    rms = float(np.sqrt(np.mean(np.square(out.position[30:-30] - 500))))
    assert rms < 0.75 * 4.0
    assert rms == pytest.approx(float(np.median(out.std)), rel=0.3)


@pytest.mark.parametrize("method", list(FILTERS))
def test_short_tracks_holes_and_edges(method: str) -> None:
    rng = np.random.default_rng(3)
    for n in (1, 2, 3, 4, 5, 9, 40):
        t = np.cumsum(rng.uniform(0.01, 0.05, n))
        z = 300 + 40 * t[:, None, None] + np.zeros((n, 2, 2))
        measured = np.ones((n, 2), bool)
        measured[: n // 4, 1], measured[n // 2 : n // 2 + 2, 1] = False, False
        z[~measured] = np.nan
        out = _run(t, z, measured, method=method)
        known = np.isfinite(out.position[..., 0])
        assert known[:, 0].all()  # one column's holes do not reach another
        assert not known[: n // 4, 1].any()
        error = np.abs(out.position[known] - np.broadcast_to(300 + 40 * t[:, None, None], z.shape)[known])
        assert error.max() < (3.0 if method == "one_euro" else 0.5)


def test_long_gaps_divide() -> None:
    t = np.append(np.arange(30) / 30.0, 5 + np.arange(30) / 30.0)
    known = np.ones(60, bool)
    known[10:12] = False
    assert [(s.start, s.stop) for s in stretches(t, known, 1.0)] == [(0, 10), (12, 30), (30, 60)]
    z = np.where(t < 3, 0.0, 900.0)[:, None, None] + np.zeros((60, 1, 2))
    np.testing.assert_allclose(_run(t, z, method="butterworth").position[:30], 0.0, atol=1e-9)


def test_one_euro_looks_at_nothing_later() -> None:
    t = np.arange(60) / 30.0
    z = np.random.default_rng(4).normal(0, 4, (60, 1, 2))
    later = z.copy()
    later[40:] += 100
    before, after = (_run(t, v, method="one_euro").position for v in (z, later))
    np.testing.assert_array_equal(before[:40], after[:40])


GAITS = {
    "stands": lambda t: np.repeat(synthetic.walker(t[:1]), len(t), 0),
    "walks": synthetic.walker,
    "runs": lambda t: synthetic.walker(t, stride_hz=1.4, hip_deg=40, knee_deg=95, velocity_px_s=(900.0, 0.0)),
    "sprints": synthetic.sprinter,
}


@pytest.mark.parametrize("fps", [30.0, 120.0])
@pytest.mark.parametrize("gait", list(GAITS))
@pytest.mark.parametrize("method", list(FILTERS))
def test_deviations_contain_the_motion_that_a_filter_cuts_off(method: str, gait: str, fps: float) -> None:
    """Unscaled they were up to 12 times too small: one euro lags, and both others cut the peaks off."""
    t = np.arange(round(4 * fps)) / fps
    truth = GAITS[gait](t)
    for noise_px in (1.5, 4.0):
        z = truth + np.random.default_rng(0).normal(0, noise_px, truth.shape)
        std = np.full(truth.shape[:2], noise_px)
        config = SmoothConfig(method=method)  # type: ignore[arg-type]
        out = filtered(t, z, std > 0, std, np.full(len(t), 400.0), config, 1.0)
        off = (out.position - truth) / out.std[..., None]
        assert 0.85 < np.sqrt(np.mean(np.square(off))) < 1.12
        assert (np.abs(off) < 1.96).mean() > 0.91
