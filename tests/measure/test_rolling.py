"""Feet that are carried along are told from feet that stand."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import COCO17
from pipeline.core.types import Motion
from pipeline.measure.rolling import WORDS, rolling_warning
from tests import synthetic
from tests.motion.motions import exact

T = np.arange(0, 3, 1 / 30)
STEPS = {
    "side": np.array(["left", "right", "left", "right"]),
    "contact_time_s": np.array([0.2, 0.7, 1.2, 1.7]),
    "off_time_s": np.array([0.8, 1.3, 1.8, np.nan]),
}


def _goes(speed_px_s: float, carried: float) -> Motion:
    """Somebody whose ankles stand for a stance, or go on with the hips by a share of their way."""
    px = np.repeat(synthetic.walker(T[:1]), len(T), axis=0)
    px[..., 0] += (speed_px_s * T)[:, None]
    for name, phase in (("left_ankle", 0.2), ("right_ankle", 0.7)):
        since = np.mod(T - phase, 1.0)
        px[:, COCO17.index(name), 0] -= (1 - carried) * speed_px_s * np.clip(since, 0, 0.6)
    return exact(T, px, COCO17)


def test_feet_that_stand_and_feet_that_are_carried() -> None:
    assert rolling_warning(_goes(400, 0.0), COCO17, STEPS, None) == ""
    assert rolling_warning(_goes(400, 0.2), COCO17, STEPS, None) == ""
    assert rolling_warning(_goes(400, 0.9), COCO17, STEPS, None) == WORDS
    assert rolling_warning(_goes(-400, 0.9), COCO17, STEPS, None) == WORDS


def test_what_cannot_be_told() -> None:
    on_the_spot, carried = _goes(40, 0.9), _goes(400, 0.9)
    assert rolling_warning(on_the_spot, COCO17, STEPS, None) == ""  # a treadmill
    assert rolling_warning(carried, COCO17, STEPS, np.zeros(len(T), bool)) == ""  # the camera moves
    few = {name: values[-2:] for name, values in STEPS.items()}
    assert rolling_warning(carried, COCO17, few, None) == ""
