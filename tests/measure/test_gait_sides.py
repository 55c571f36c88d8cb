"""Steps of walkers whose left and right are exchanged in between, and steps that nobody takes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.settings import MetresConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Motion
from pipeline.measure.gait import contacts
from pipeline.measure.gait_figures import summary
from pipeline.measure.measure import measure
from tests import synthetic
from tests.motion.motions import exact

HZ = 0.95
T = np.arange(0, 10, 1 / 30)
LEGS = [COCO17.index(f"{s}_{p}") for s in ("left", "right") for p in ("knee", "ankle")]


def _walk(way: float, until_s: float) -> Motion:
    """A walker from the side, whose legs are exchanged in every other step, from passing to passing, for a while."""
    px = synthetic.from_the_side(synthetic.walker(T, velocity_px_s=(250.0 * way, 0), stride_hz=HZ))
    apart = px[:, COCO17.index("left_ankle"), 0] > px[:, COCO17.index("right_ankle"), 0]
    wrong = apart & (until_s > T)
    other = [*LEGS[2:], *LEGS[:2]]
    px[np.ix_(wrong, np.array(LEGS))] = px[np.ix_(wrong, np.array(other))]
    return exact(T, px)


@pytest.mark.parametrize("way", [1.0, -1.0])
@pytest.mark.parametrize("until_s", [0.0, 10.0])
def test_feet_that_bounce_instead_of_passing_take_no_more_steps(way: float, until_s: float) -> None:
    told = summary(contacts(_walk(way, until_s), COCO17, None)[1])
    assert told["cadence_steps_per_min"] == pytest.approx(120 * HZ, rel=0.02)
    assert told["steps"] == pytest.approx(2 * HZ * T[-1], abs=2)
    assert told["symmetry_percent"] < 5
    assert told["walks_or_runs"] == 0


@pytest.mark.parametrize(
    ("hip_deg", "stride_hz", "speed", "told"),
    [(25.0, HZ, 250.0, False), (9.0, 1.7, 150.0, True), (30.0, 1.2, 400.0, False), (45.0, 1.5, 1200.0, False)],
    ids=["walk", "too many", "fast walk", "run"],
)
def test_steps_that_nobody_takes_are_named(hip_deg: float, stride_hz: float, speed: float, told: bool) -> None:
    px = synthetic.walker(T, velocity_px_s=(speed, 0), stride_hz=stride_hz, hip_deg=hip_deg, knee_deg=50.0)
    made = measure(exact(T, synthetic.from_the_side(px)), COCO17, MetresConfig(), (1920, 1080))
    assert made.figures["steps"] > 10
    assert any(f"{120 * stride_hz:.0f} steps a minute are too many" in line for line in made.quality.warnings) == told


@pytest.mark.filterwarnings("error")
def test_two_steps_that_contradict_one_another_have_no_mean() -> None:
    steps = contacts(_walk(1.0, 0.0), COCO17, None)[1]
    few = {name: values[:3].copy() for name, values in steps.items()}
    few["side"][:], few["step_s"] = "left", np.array([np.nan, 0.3, 0.9])
    few["stride_s"] = np.full(3, np.nan)  # their ends are cut off
    assert np.isnan(summary(few)["step_time_s"])
