"""Errors that last: what a person's deviations say of points that are off by the same all along."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import SmoothConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import INTERPOLATED, Observations
from pipeline.motion.lasting import LASTING, lasting_px, shares, with_lasting
from pipeline.motion.online import Smoother
from pipeline.motion.person import build_motion
from tests import synthetic

METHODS = ("kalman", "butterworth", "savgol", "one_euro", "fixed_lag", "none")


def _walk(seed: int, fps: float = 30.0) -> tuple[np.ndarray, np.ndarray, Observations]:
    """Times, truth (L, 17, 2) and what is seen of it: errors that last, and others, by score."""
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 4.0, fps, jitter=0.2)
    truth = synthetic.walker(t)
    size = np.full(len(t), 430.0)
    score = np.tile(rng.uniform(0.5, 0.95, 17), (len(t), 1))
    off = rng.standard_normal((1, 17, 2)) * lasting_px(shares(COCO17), score, size)[..., None]
    jitter = rng.standard_normal(truth.shape) * (0.008 * size[:, None] / score)[..., None]
    n = len(t)
    box = synthetic.boxes(truth).astype(np.float32)
    seen = truth + off + jitter
    score[rng.uniform(size=score.shape) < 0.03] = 0.1
    return t, truth, Observations(np.arange(n), box, np.full(n, 0.8, np.float32), seen.astype(np.float32),
                                  score.astype(np.float32))  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_intervals_hold_where_errors_last(method: str) -> None:
    """Without the lasting part they held less than 85 % of the truth."""
    inside, alone = [], []
    for seed in range(12):
        t, truth, seen = _walk(seed)
        config = Config(smooth=SmoothConfig(method=method))  # type: ignore[arg-type]
        motion = build_motion(1, seen, t, COCO17, config.track, config.smooth)
        off = np.abs(motion.keypoints_px - truth)
        inside.append(off < 1.96 * motion.keypoint_std_px[..., None])
        alone.append(off < 1.96 * motion.jitter_px()[..., None])
    assert 0.9 <= np.mean(inside) <= 0.98
    assert np.mean(alone) < 0.85


def test_a_faint_joint_is_less_sure_and_hips_less_than_wrists() -> None:
    share = shares(COCO17)
    px = lasting_px(share, np.array([[0.9] * 17, [0.4] * 17]), np.array([400.0, 400.0]))
    assert (px[1] > 4 * px[0]).all()
    names = COCO17.names
    assert px[0, names.index("left_hip")] > px[0, names.index("left_wrist")]
    np.testing.assert_allclose(lasting_px(share, np.full(17, 0.7), np.array(400.0))[11], 400 * LASTING["hip"])


def test_feet_count_as_ankles_and_unknown_points_as_wrists() -> None:
    share = dict(zip(HALPE26.names, shares(HALPE26), strict=True))
    assert share["left_heel"] == share["right_big_toe"] == LASTING["ankle"]
    assert share["hip"] == LASTING["hip"]
    assert share["neck"] == LASTING["shoulder"]


def test_bridged_points_take_the_errors_of_their_ends() -> None:
    t, used = np.arange(5.0), np.array([[True], [False], [False], [False], [True]])
    score = np.array([[0.7], [0.0], [0.0], [0.0], [0.7]])
    std = with_lasting(t, np.full((5, 1), 3.0), used, score, np.full(5, 100.0), np.array([0.04]))
    np.testing.assert_allclose(std, 5.0, rtol=1e-6)


def test_a_gap_in_a_walk_is_not_taken_for_a_faint_joint() -> None:
    t, _, seen = _walk(0)
    config = Config()
    motion = build_motion(1, seen, t, COCO17, config.track, config.smooth)
    bridged = motion.provenance == INTERPOLATED
    assert bridged.any()
    assert np.median(motion.keypoint_std_px[bridged]) < 1.5 * np.median(motion.keypoint_std_px[~bridged])


def test_streams_say_the_same() -> None:
    score, share = np.full(17, 0.7, np.float32), shares(COCO17)
    points = synthetic.walker(np.arange(20) / 25.0)
    smoother = Smoother(share, SmoothConfig(method="none"), 1.0)
    for i, p in enumerate(points):
        smoother.add(i / 25, 0.04, p, score, 400.0)
    said = smoother.pop().std_px
    np.testing.assert_allclose(said, 400 * np.hypot(share, 0.008 / 0.7), rtol=1e-5)
