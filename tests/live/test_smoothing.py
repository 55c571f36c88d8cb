"""Smoothing as rows come equals smoothing of the whole path by the same causal method."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.settings import SmoothConfig
from pipeline.core.types import INTERPOLATED, MEASURED, MISSING
from pipeline.motion.online import Smoother
from pipeline.motion.person import smoothed_paths
from pipeline.motion.trajectories import Trajectories
from tests.synthetic import walker

SIZE = 400.0


def path(fps: float, seconds: float = 8.0, noise: float = 3.0):
    rng = np.random.default_rng(3)
    time_s = np.arange(round(seconds * fps)) / fps
    points = walker(time_s) + noise * rng.standard_normal((len(time_s), 17, 2))
    score = rng.uniform(0.5, 0.95, points.shape[:2]).astype(np.float32)
    return time_s, points.astype(np.float32), score


def streamed(time_s, points, score, config, lag, fps):
    smoother, out = Smoother(np.zeros(points.shape[1]), config, 1.0), []
    for t, p, s in zip(time_s, points, score, strict=True):
        smoother.add(float(t), 1 / fps, p, s, SIZE)
        if len(smoother) > lag:
            out.append(smoother.pop())
    while len(smoother):
        out.append(smoother.pop())
    return (np.stack(a) for a in zip(*out, strict=True))


def whole(time_s, points, score, config):
    measured = (score >= config.min_keypoint_score) & np.isfinite(points).all(-1)
    size = np.full(len(time_s), SIZE, np.float32)
    one = Trajectories(time_s, points, score, measured, size, np.zeros(measured.shape, bool))
    return smoothed_paths([one], config, 1.0)[0]


@pytest.mark.parametrize("fps", [10, 25, 30, 60])
def test_fixed_lag_in_a_stream_equals_fixed_lag_of_the_whole_path(fps):
    config = SmoothConfig(method="fixed_lag")
    time_s, points, score = path(fps)
    lag = round(config.lag_s * fps)
    place, std, state = streamed(time_s, points, score, config, lag, fps)
    expected = whole(time_s, points, score, config)
    np.testing.assert_array_equal(state == MEASURED, expected.used)
    known = expected.used
    np.testing.assert_allclose(place[known], expected.position[known], atol=2e-3)
    np.testing.assert_allclose(std[known], expected.std[known], rtol=1e-3)


@pytest.mark.parametrize("fps", [10, 25, 60])
def test_one_euro_in_a_stream_equals_one_euro_of_the_whole_path(fps):
    config = SmoothConfig(method="one_euro")
    time_s, points, score = path(fps)
    score[40:44, 3] = 0.1  # a short gap, bridged by a line in both
    place, _, state = streamed(time_s, points, score, config, 0, fps)
    expected = whole(time_s, points, score, config)
    known = (state == MEASURED) & expected.used
    assert known.mean() > 0.98
    np.testing.assert_allclose(place[known], expected.position[known], atol=2e-3)


@pytest.mark.parametrize("fps", [25, 60])
def test_the_deviation_of_one_euro_contains_its_lag(fps):
    config = SmoothConfig(method="one_euro", noise_len=3.0 / SIZE)
    time_s, points, score = path(fps)
    place, std, _ = streamed(time_s, points, np.ones_like(score), config, 0, fps)
    off = ((place - walker(time_s)) / std[..., None])[fps:]
    assert np.sqrt(np.mean(np.square(off))) == pytest.approx(1.0, abs=0.2)
    assert (np.abs(off) < 1.96).mean() > 0.91


def test_a_gap_is_bridged_for_a_while_and_then_nothing_is_known():
    config = SmoothConfig(method="fixed_lag")
    time_s, points, score = path(25)
    points[100:150, 5] = np.nan
    place, _, state = streamed(time_s, points, score, config, 2, 25)
    assert (state[100:104, 5] == INTERPOLATED).all()
    assert (state[110:140, 5] == MISSING).all()
    assert np.isnan(place[110:140, 5]).all()
    assert (state[155:, 5] == MEASURED).all()
    truth = walker(time_s)[100:104, 5]
    assert np.abs(place[100:104, 5] - truth).max() < 0.06 * SIZE


def test_none_gives_what_was_measured():
    config = SmoothConfig(method="none")
    time_s, points, score = path(25, 1.0)
    place, _, _ = streamed(time_s, points, score, config, 0, 25)
    np.testing.assert_array_equal(place, points)


def test_memory_does_not_grow():
    config = SmoothConfig(method="fixed_lag")
    time_s, points, score = path(25, 60.0)
    smoother = Smoother(np.zeros(17), config, 1.0)
    for t, p, s in zip(time_s, points, score, strict=True):
        smoother.add(float(t), 0.04, p, s, SIZE)
        if len(smoother) > 2:
            smoother.pop()
    assert len(smoother) == 2
    assert len(smoother._jerk._motion) <= 400
    assert len(smoother._jerk._rows) <= 400
