"""Figures and warnings where something is not known."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import COCO17
from pipeline.measure.quality import assess
from tests import synthetic
from tests.motion.motions import exact


def test_the_fastest_joint_is_named_where_others_are_not_known() -> None:
    t = np.arange(60) / 30
    walk = exact(t, synthetic.walker(t, height_px=400.0))
    assert walk.velocity_px_s is not None
    walk.velocity_px_s[:, COCO17.index("left_shoulder")] = np.nan
    walk.velocity_px_s[20:30, COCO17.index("right_wrist")] = 1e5
    walk.velocity_px_s[:, COCO17.index("nose")] = np.nan
    warnings = assess(walk, COCO17, 400.0, 1.0).warnings
    assert "implausible speeds of right_wrist: check the times in the table" in warnings


def test_speeds_of_somebody_whose_size_is_not_known_are_not_judged() -> None:
    t = np.arange(60) / 30
    quality = assess(exact(t, synthetic.walker(t)), COCO17, float("nan"), float("nan"))
    assert all(np.isnan(float(joint["implausible_share"])) for joint in quality.joints)
    assert np.isnan(float(quality.figures["implausible_share"]))
