"""People's observations out of parts."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Observations
from pipeline.motion.gather import in_picture


def test_points_outside_the_picture_are_not_seen() -> None:
    points = np.full((3, 17, 2), 50.0, np.float32)
    points[0, 3], points[1, 4], points[2, 5] = (-3.5, 10), (103.5, 10), (np.nan, np.nan)
    points[2, 6] = (102, 82)  # beyond the corner, by less than half of a limb
    obs = Observations(
        frame=np.arange(3),
        box_px=np.tile(np.float32([0, 0, 100, 80]), (3, 1)),
        score=np.full(3, 0.9, np.float32),
        keypoints_px=points,
        keypoint_score=np.full((3, 17), 0.7, np.float32),
    )
    found = in_picture(obs, (100, 80))
    assert {tuple(at) for at in np.argwhere(found.keypoint_score == 0).tolist()} == {(0, 3), (1, 4)}
    np.testing.assert_array_equal(found.keypoints_px, points)
