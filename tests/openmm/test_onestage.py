"""One-stage and bottom-up networks that do find people, against MMPose's own calls on a model of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.models.detections import Detections
from pipeline.models.openmm import compat, family, load
from pipeline.models.openmm.onestage import MARGIN, around
from tests.openmm.waking import awake, between, bgr, keep_above
from tests.openmm_settings import random_weights

compat.ensure()
from mmengine.registry import DefaultScope  # noqa: E402
from mmpose.apis import inference_bottomup  # noqa: E402

NETWORKS = (
    "rtmo-s_8xb32-600e_coco-640x640",
    "yoloxpose_tiny_4xb64-300e_coco-416",
    "ae_hrnet-w32_8xb24-300e_coco-512x512",
    "cid_hrnet-w32_8xb20-140e_coco-512x512",
)
PEOPLE = 12  # of both pictures together, the strongest


@pytest.fixture(scope="module")
def squares(images) -> np.ndarray:
    """The upper bodies of two frames (2, 136, 136, 3) u8 RGB: less to compute."""
    return np.ascontiguousarray(images[:, 100:372:2, ::2])


def scores_of(found) -> np.ndarray:
    """AE and the YOLO kind score people; CID scores points."""
    score = found.bbox_scores if "bbox_scores" in found else np.mean(found.keypoint_scores, axis=1)
    return np.asarray(score, np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_people_boxes_and_scores_are_those_of_mmpose(name, squares, device):
    config = random_weights("detect.score=0.0")
    model = load.load(load.find("mmpose", name, config), device, config).model
    network = family.build_pose(name, device, config)
    model.test_cfg["flip_test"] = network.loaded.model.test_cfg["flip_test"]
    pictures = [bgr(image) for image in squares]
    awake(model, "mmpose", lambda: inference_bottomup(model, pictures[0]))
    keep_above(model, 0.0)
    with DefaultScope.overwrite_default_scope("mmpose"):
        theirs = [inference_bottomup(model, picture)[0].pred_instances for picture in pictures]
    threshold = between([scores_of(found) for found in theirs], PEOPLE)

    network.loaded.model.load_state_dict(model.state_dict())
    network.score = threshold
    keep_above(network.loaded.model, threshold)
    found = network.detect(squares)
    assert np.all(np.diff(found.image) >= 0)
    for i, wanted in enumerate(theirs):
        sure = scores_of(wanted) >= threshold
        points = np.asarray(wanted.keypoints, np.float32)[sure]
        score = scores_of(wanted)[sure]
        seen = np.asarray(wanted.keypoint_scores, np.float32)[sure].clip(0, 1)
        box = np.asarray(wanted.bboxes, np.float32)[sure] if "bboxes" in wanted else around(points, seen)
        order = np.argsort(-score, kind="stable")
        people = Detections(np.full(len(order), i), box[order], score[order], points[order], seen[order])
        people = people.clipped(*squares.shape[1:3])
        mine = found.of(i)
        assert len(mine) == len(people)
        np.testing.assert_allclose(mine.keypoints_px, people.keypoints_px, atol=1e-3)
        np.testing.assert_allclose(mine.box_px, people.box_px, atol=1e-3)
        np.testing.assert_allclose(mine.score, people.score, atol=1e-5)
        np.testing.assert_allclose(mine.keypoint_score, people.keypoint_score, atol=1e-5)
    assert len(found) >= PEOPLE / 2


def test_a_box_around_points_leaves_out_the_hidden_ones():
    points = np.array([[[10, 10], [20, 40], [500, 500]]], np.float32)
    score = np.array([[0.9, 0.8, 0.01]], np.float32)
    m = MARGIN
    np.testing.assert_allclose(around(points, score), [[10 - 10 * m, 10 - 30 * m, 20 + 10 * m, 40 + 30 * m]], rtol=1e-6)
    whole = around(points, np.zeros_like(score))
    np.testing.assert_allclose(whole, [[10 - 490 * m, 10 - 490 * m, 500 + 490 * m, 500 + 490 * m]], rtol=1e-6)
    assert around(points[:0], score[:0]).shape == (0, 4)


def test_nobody_above_the_threshold_is_nobody(squares, device):
    network = family.build_pose(NETWORKS[0], device, random_weights("detect.score=1.0"))
    found = network.detect(squares)
    assert len(found) == 0
    assert found.keypoints_px.shape == (0, 17, 2)
    assert torch.is_grad_enabled()
