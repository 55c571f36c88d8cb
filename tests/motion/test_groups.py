"""A group of people: what comes out for each is what comes out alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.settings import SmoothConfig, TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Motion, Observations
from pipeline.motion import lanes
from pipeline.motion.jerk import running_median
from pipeline.motion.person import build_motion, build_motions
from tests import synthetic


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, list[Observations]]:
    """Four walkers with gaps: 4 s, a second, one frame, and 4 s at half the rate of the same clip."""
    rng = np.random.default_rng(5)
    t = synthetic.times(rng, 4.0, 30.0, jitter=0.2)
    obs = synthetic.observe(rng, t, synthetic.walker(t)[None]).observations
    whole = obs.take(np.flatnonzero((obs.frame < 60) | (obs.frame > 75)))
    return t, [whole, obs.take(np.arange(40, 70)), obs.take(np.arange(1)), obs.take(np.arange(0, len(obs), 8))]


def _assert_same(one: Motion, other: Motion) -> None:
    for field in dataclasses.fields(Motion):
        a, b = getattr(one, field.name), getattr(other, field.name)
        np.testing.assert_array_equal(a, b, err_msg=field.name)


@pytest.mark.parametrize("method", ["kalman", "fixed_lag"])
@pytest.mark.parametrize("cells", [1, 5_000, 1 << 18])  # alone, some together, all together
def test_nobody_depends_on_others(
    people: tuple[np.ndarray, list[Observations]], method: str, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    t, everybody = people
    track, smooth = TrackConfig(), SmoothConfig(method=method)
    alone = [build_motion(i, obs, t, COCO17, track, smooth) for i, obs in enumerate(everybody)]
    monkeypatch.setattr(lanes, "CELLS", cells)
    found = build_motions([(i, obs, None) for i, obs in enumerate(everybody)], t, COCO17, track, smooth)
    for one, other in zip(alone, found, strict=True):
        _assert_same(one, other)


def test_running_median_mirrors_short_paths() -> None:
    values = np.random.default_rng(1).normal(size=(5, 3))
    mirrored = np.concatenate([values[3:0:-1], values, values[3:0:-1]])
    expected = [np.median(mirrored[i : i + 7], axis=0) for i in range(5)]
    np.testing.assert_array_equal(running_median(values, 7), expected)


def test_no_loop_takes_more_than_is_allowed_unless_a_single_piece_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "CELLS", 100)
    steps = np.array([3, 30, 10, 3, 1, 10])
    some = lanes.batches(steps, 2)
    assert sorted(np.concatenate(some)) == list(range(6))
    assert [steps[batch].tolist() for batch in some] == [[30], [10, 10, 3, 3, 1]]
    assert [steps[batch].tolist() for batch in lanes.batches(steps, 60)] == [[30], [10], [10], [3], [3], [1]]
