"""Under a camera that moves, speeds are those of people, not of the picture."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.homography import STILL, poses, similarities
from pipeline.core.settings import SmoothConfig, TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Observations
from pipeline.motion.person import build_motions
from tests import synthetic

T = np.arange(0, 4, 0.04)


@pytest.mark.parametrize("zoom", [1.0, 1.004])
def test_a_walker_under_a_pan_has_the_speed_of_a_walker(zoom):
    """The camera follows somebody who walks with 120 px/s, so that the person hardly moves in the picture."""
    walk = synthetic.walker(T, start_px=(600, 700), velocity_px_s=(120, 0))
    size = zoom ** np.arange(len(T))
    shift = np.stack([-120 * T, 0 * T], 1)
    seen = (walk + shift[:, None]) * size[:, None, None]
    into = np.tile(STILL, (len(T), 1, 1))
    into[1:, 0, 0] = into[1:, 1, 1] = zoom
    into[1:, :2, 2] = (shift[1:] - shift[:-1]) * size[1:, None]
    steady = poses(similarities(into, (1280, 720)))
    n, k = seen.shape[:2]
    box, ones = synthetic.boxes(seen).astype(np.float32), np.full(n, 0.9, np.float32)
    person = (1, Observations(np.arange(n), box, ones, seen.astype(np.float32), np.full((n, k), 0.9, np.float32)), None)
    config = TrackConfig(), SmoothConfig()
    (plain,) = build_motions([person], T, COCO17, *config)
    (still,) = build_motions([person], T, COCO17, *config, steady)
    hip, rows = COCO17.index("left_hip"), slice(20, -20)
    assert np.abs(np.median(plain.velocity_px_s[rows, hip, 0])) < 90
    speed = still.velocity_px_s[rows, hip, 0] / size[rows]
    assert np.median(speed) == pytest.approx(120, rel=0.05)
    np.testing.assert_allclose(still.keypoints_px[rows], plain.keypoints_px[rows], atol=1.5)
    np.testing.assert_array_equal(still.raw_px, plain.raw_px)
