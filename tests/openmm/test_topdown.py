"""Top-down networks that do tell places apart, against MMPose's own call; the crops; batches."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from pipeline.models.detections import Detections
from pipeline.models.openmm import compat, family, load
from tests.openmm.waking import awake, bgr
from tests.openmm_settings import RTMPOSE, random_weights

compat.ensure()
from mmpose.apis import inference_topdown  # noqa: E402

HEATMAP, UDP = "td-hm_mobilenetv2_8xb64-210e_coco-256x192", "td-hm_hrnet-w32_udp-8xb64-210e_coco-256x192"
NETWORKS = (  # of one decoder each, and whether with the flip test
    (RTMPOSE, False),
    (HEATMAP, False),
    (HEATMAP, True),
    (UDP, False),
    ("td-reg_mobilenetv2_rle-pretrained-8xb64-210e_coco-256x192", False),
    ("simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192", False),
)
BOXES = np.array([[14, 158, 108, 367], [-20, 5, 290, 470], [188.4, 120, 200, 400.5]], np.float32)


def crowd(images: np.ndarray) -> Detections:
    """The same boxes in every picture."""
    n = len(images)
    return Detections.from_boxes(np.repeat(np.arange(n), len(BOXES)), np.tile(BOXES, (n, 1)), np.ones(n * len(BOXES)))


@pytest.mark.parametrize(("name", "flip"), NETWORKS)
def test_poses_are_those_of_mmpose_in_any_batch(name, flip, images, device):
    config = random_weights(f"pose.flip_test={str(flip).lower()}")
    model = load.load(load.find("mmpose", name, config), device, config).model
    model.test_cfg["flip_test"] = flip
    awake(model, "mmpose", lambda: inference_topdown(model, bgr(images[0]), BOXES))
    theirs = [r.pred_instances for image in images for r in inference_topdown(model, bgr(image), BOXES)]
    points = np.concatenate([r.keypoints for r in theirs])
    scores = np.concatenate([r.keypoint_scores for r in theirs])
    assert np.ptp(points[:3], axis=1).min() > 5  # px: not all joints in one place

    network = family.build_pose(name, device, config)
    assert network.crop is not None
    network.loaded.model.load_state_dict(model.state_dict())
    # UDP's sub-pixel step divides by the curvature of the peak: without training there is none, and it magnifies the
    # last bits, which differ between batches. mmpose's batches are the people of a picture.
    for batch in (len(BOXES),) if name == UDP else (len(BOXES), 1, 4, 16):
        network.batch = batch
        poses = network.estimate(images, crowd(images))
        np.testing.assert_allclose(poses.keypoints_px, points, atol=1e-3)
        np.testing.assert_allclose(poses.score, scores.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize("name", [RTMPOSE, UDP])
def test_crops_have_the_very_pixels_of_mmposes_pipeline(name, images, device):
    network = family.build_pose(name, device, random_weights())
    inputs, samples = network.crop.batch(images, crowd(images))
    for n, (i, box) in enumerate(zip(crowd(images).image, crowd(images).box_px, strict=True)):
        given = {"img": bgr(images[i]), "bbox": box[None], "bbox_score": np.ones(1, np.float32)}
        made = network.prepare({**given, **network.loaded.meta})
        data = {"inputs": [made["inputs"]], "data_samples": [made["data_samples"]]}
        wanted = network.loaded.model.data_preprocessor(data, False)["inputs"]
        assert torch.equal(inputs[n : n + 1], wanted)
        np.testing.assert_array_equal(samples[n].metainfo["input_scale"], made["data_samples"].metainfo["input_scale"])


def test_a_person_is_followed_where_the_picture_moves(images, device):
    """A picture moved by whole pixels, and the box with it, moves the pose by as much."""
    network = family.build_pose(RTMPOSE, device, random_weights())
    box = np.array([[60, 100, 180, 340]], np.float32)
    moved = cv2.warpAffine(images[0], np.float32([[1, 0, 24], [0, 1, 32]]), images.shape[2:0:-1])
    here = network.estimate(images[:1], Detections.from_boxes([0], box, [1]))
    there = network.estimate(moved[None], Detections.from_boxes([0], box + np.float32([24, 32, 24, 32]), [1]))
    np.testing.assert_allclose(there.keypoints_px, here.keypoints_px + np.float32([24, 32]), atol=1e-2)


def test_nobody_has_no_pose(images, device):
    network = family.build_pose("rtmpose-m_8xb256-210e_hand5-256x256", device, random_weights())
    poses = network.estimate(images, Detections.empty())
    assert poses.keypoints_px.shape == (0, 21, 2)
    assert network.sessions[0].calls == 0
