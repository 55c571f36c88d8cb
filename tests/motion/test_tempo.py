"""A video that plays slowed down or sped up is told by people's steps."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.skeleton import COCO17
from pipeline.core.types import Motion
from pipeline.measure.tempo import tempo, tempo_warnings
from tests import synthetic
from tests.motion.motions import exact

STRIDE_HZ = 0.95
ANKLES = [COCO17.index(f"{side}_ankle") for side in ("left", "right")]


def steps_on(t: np.ndarray, factor: float = 1.0, flight: float = 1.0) -> np.ndarray:
    """A walker whose body goes on by half of the ankles' change in each step, ``flight`` times that far; played
    ``factor`` times as fast."""
    there = synthetic.walker(t, velocity_px_s=(0, 0), stride_hz=STRIDE_HZ)
    change = np.ptp(there[:, ANKLES[0], 0] - there[:, ANKLES[1], 0])
    speed = flight * change * STRIDE_HZ  # half of the change, twice a stride
    return synthetic.walker(t, velocity_px_s=(factor * speed, 0), stride_hz=factor * STRIDE_HZ)


def walk(factor: float, seconds: float = 12.0) -> Motion:
    t = np.arange(0, seconds, 1 / 30)
    return exact(t, steps_on(t, factor))


def test_a_walker_s_steps_and_way() -> None:
    found = tempo(walk(1.0), COCO17)
    assert found is not None
    assert found.step_s == pytest.approx(0.5 / STRIDE_HZ, rel=0.02)
    assert found.onward == pytest.approx(1.0, abs=0.1)
    assert found.steps == pytest.approx(22, abs=2)
    assert tempo_warnings([found] * 4) == []


@pytest.mark.parametrize(
    ("factor", "word"), [(1 / 8, "slowed down"), (1 / 4, "slowed down"), (1.6, "sped up"), (4.0, "sped up")]
)
def test_a_wrong_pace_is_told_with_the_remedy(factor: float, word: str) -> None:
    found = tempo(walk(factor, 12.0 / min(factor, 1.0)), COCO17)
    assert found is not None
    (line,) = tempo_warnings([found])
    assert word in line
    assert "--recorded-fps" in line


def test_brisk_walkers_and_slow_ones_are_people() -> None:
    for factor in (0.6, 0.8, 1.2, 1.35):
        found = tempo(walk(factor), COCO17)
        assert found is not None
        assert tempo_warnings([found]) == []


def test_sprinters_fly_and_are_no_hurried_walkers() -> None:
    t = np.arange(0, 6, 1 / 60)
    found = tempo(exact(t, synthetic.sprinter(t)), COCO17)
    assert found is not None
    assert found.onward > 1.4
    assert tempo_warnings([found] * 5) == []


def test_whoever_does_not_go_on_is_not_judged() -> None:
    t = np.arange(0, 60, 1 / 30)
    on_the_spot = synthetic.walker(t, velocity_px_s=(0, 0), stride_hz=0.12)  # lunges, slow dances, a treadmill
    assert tempo(exact(t, on_the_spot), COCO17) is None
    standing = np.repeat(on_the_spot[:1], len(t), 0) + np.random.default_rng(0).normal(0, 2, (len(t), 17, 2))
    assert tempo(exact(t, standing), COCO17) is None


def test_a_camera_that_follows_is_taken_out() -> None:
    t = np.arange(0, 12, 1 / 30)
    body = steps_on(t)
    seen = body - (body[:, 11:13].mean(1) - body[0, 11:13].mean(0))[:, None] * (1, 0)
    camera = np.tile(np.eye(3), (len(t), 1, 1))
    camera[1:, 0, 2] = np.diff((seen - body)[:, 11, 0])
    assert tempo(exact(t, seen), COCO17) is None
    found = tempo(exact(t, seen), COCO17, camera)
    assert found is not None
    assert found.onward == pytest.approx(1.0, abs=0.1)


def test_a_single_slow_person_among_walkers_is_no_slow_motion() -> None:
    slow, quick = tempo(walk(1 / 8, 60), COCO17), tempo(walk(1.0), COCO17)
    assert slow is not None
    assert quick is not None
    assert tempo_warnings([slow, quick]) == []


def test_somebody_seen_for_a_moment_or_never() -> None:
    assert tempo(walk(1.0, 0.05), COCO17) is None
    gone = walk(1.0)
    gone.keypoints_px[:] = np.nan
    assert tempo(gone, COCO17) is None
