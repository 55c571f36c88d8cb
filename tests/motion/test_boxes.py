"""Boxes from detector and pose together, and steady over time."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.motion.boxes import SHARE, fitted, steady
from tests import synthetic

WIDER = np.array([[-60.0, 0.0, 60.0, 0.0]])


def test_a_box_that_is_too_wide_moves_towards_the_pose() -> None:
    points = synthetic.walker(np.zeros(1))
    tight = synthetic.boxes(points)
    loose = (tight + WIDER).astype(np.float32)
    box = fitted(loose, points, np.full((1, 17), 0.9), COCO17)
    assert loose[0, 0] < box[0, 0] < tight[0, 0]
    assert tight[0, 2] < box[0, 2] < loose[0, 2]
    assert abs(box[0, 0] - loose[0, 0]) < SHARE * 80


@pytest.mark.parametrize("unseen", [range(17), range(5), (15, 16), range(2, 12)])
def test_a_pose_that_does_not_span_the_person_changes_nothing(unseen: range) -> None:
    points = synthetic.walker(np.zeros(1))
    loose = (synthetic.boxes(points) + WIDER).astype(np.float32)
    score = np.full((1, 17), 0.9)
    score[:, list(unseen)] = 0.1
    points[:, list(unseen)] += 1000
    np.testing.assert_array_equal(fitted(loose, points, score, COCO17), loose)


def test_keypoint_sets_without_a_body_change_nothing() -> None:
    box = np.array([[0, 0, 10, 10]], np.float32)
    hand = Skeleton("palm", ("wrist", "thumb"), ((0, 1),), (0.05, 0.05))
    np.testing.assert_array_equal(fitted(box, np.zeros((1, 2, 2)), np.ones((1, 2)), hand), box)
    assert fitted(box[:0], np.zeros((0, 17, 2)), np.zeros((0, 17)), COCO17).shape == (0, 4)


def test_steady_boxes_neither_lag_nor_jitter() -> None:
    rng = np.random.default_rng(0)
    t = synthetic.times(rng, 4.0, 30.0, jitter=0.3)
    truth = np.array([100, 100, 200, 400]) + np.outer(t, [300, -40, 300, -40])
    noisy = (truth + 6 * rng.standard_normal(truth.shape)).astype(np.float32)
    made = steady(t, noisy, np.ones(len(t)))
    error = np.abs(made - truth)
    assert error.std() < 0.5 * np.abs(noisy - truth).std()
    assert np.abs((made - truth)[5:-5].mean(0)).max() < 1.5  # no lag: 300 px / s would be 30 px in the window
    exact = steady(t, truth.astype(np.float32), np.ones(len(t)))
    assert np.abs(exact - truth)[5:-5].max() < 2


def test_what_lies_apart_in_time_is_apart() -> None:
    t = np.array([0.0, 0.04, 0.08, 5.0, 5.04])
    box = np.array([[0, 0, 10, 10]] * 3 + [[500, 0, 510, 10]] * 2, np.float32)
    np.testing.assert_allclose(steady(t, box, np.ones(5)), box, atol=1e-3)
    one = steady(t[:1], box[:1], np.ones(1))
    np.testing.assert_allclose(one, box[:1], atol=1e-3)


def test_missing_boxes_stay_missing_and_harm_nobody() -> None:
    t = np.arange(20) / 25
    box = np.tile(np.array([[0, 0, 10, 10]], np.float32), (20, 1))
    box[7] = np.nan
    made = steady(t, box, np.ones(20))
    assert np.isnan(made[7]).all()
    np.testing.assert_allclose(np.delete(made, 7, 0), np.delete(box, 7, 0), atol=1e-3)
    assert np.isfinite(steady(t, np.nan_to_num(box), np.zeros(20))).all()
