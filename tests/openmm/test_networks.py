"""One network of each kind, with random weights, against MMDetection's and MMPose's own calls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.errors import PoselineError
from pipeline.models.base import People
from pipeline.models.registry import build_models, run_facts
from pipeline.observe import pose_people
from pipeline.openmm import compat
from tests.openmm_settings import RTMDET, RTMPOSE, random_weights

compat.ensure()
from mmdet.apis import inference_detector  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402
from mmpose.apis import inference_bottomup, inference_topdown  # noqa: E402

TOP_DOWN = {  # name: points, the skeleton's name
    RTMPOSE: (17, "coco17"),
    "td-hm_hrnet-w32_8xb64-210e_coco-256x192": (17, "coco17"),
    "td-hm_hrnet-w32_udp-8xb64-210e_coco-256x192": (17, "coco17"),
    "simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192": (17, "coco17"),
    "td-reg_res50_rle-8xb64-210e_coco-256x192": (17, "coco17"),
    "rtmpose-m_8xb64-270e_coco-wholebody-256x192": (133, "coco_wholebody"),
    "rtmpose-m_8xb256-210e_hand5-256x256": (21, "coco_wholebody_hand"),
    "rtmpose-m_8xb64-120e_lapa-256x256": (106, "lapa"),
    "rtmpose-m_8xb64-210e_ap10k-256x256": (17, "ap10k"),
}
ONE_STAGE = (
    "rtmo-s_8xb32-600e_coco-640x640",
    "yoloxpose_tiny_4xb64-300e_coco-416",
    "ae_hrnet-w32_8xb24-300e_coco-512x512",
    "cid_hrnet-w32_8xb20-140e_coco-512x512",
)
BOXES = np.array([[14, 158, 108, 367], [88, 112, 184, 283], [-20, 5, 290, 470], [188, 120, 200, 400.5]], np.float32)


def bgr(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[..., ::-1])


@pytest.mark.parametrize("name", TOP_DOWN)
def test_top_down_poses_are_those_of_mmpose(name, images, device):
    k, skeleton = TOP_DOWN[name]
    config = random_weights(f"pose.name=mmpose:{name}", "runtime.batch_people=3")
    facts = run_facts(config)
    assert (len(facts.skeleton), facts.skeleton.name, facts.one_stage) == (k, skeleton, False)
    network = build_models(config).pose
    people = People.from_boxes(np.repeat([0, 1], 4), np.tile(BOXES, (2, 1)), np.full(8, 0.9))
    poses = network.estimate(images, people)
    assert poses.keypoints_px.shape == (8, k, 2)
    for i, image in enumerate(images):
        theirs = inference_topdown(network.loaded.model, bgr(image), BOXES)
        rows = people.image == i
        points = np.concatenate([r.pred_instances.keypoints for r in theirs])
        scores = np.concatenate([r.pred_instances.keypoint_scores for r in theirs])
        np.testing.assert_allclose(poses.keypoints_px[rows], points, atol=1e-3)
        np.testing.assert_allclose(poses.score[rows], scores.clip(0, 1), atol=1e-5)
    assert network.sessions[0].calls == 3
    assert len(np.unique(poses.keypoints_px)) > k  # the network says something of each point


def test_a_pipeline_of_other_steps_goes_through_mmpose(images, tmp_path):
    from mmengine.config import Config as MMConfig

    from pipeline.openmm.zoo import find_config

    config = MMConfig.fromfile(str(find_config("mmpose", RTMPOSE)))
    config.test_dataloader.dataset.pipeline.insert(1, {"type": "mmpose.GetBBoxCenterScale", "padding": 1.0})
    config.dump(str(tmp_path / "other.py"))
    network = build_models(random_weights(f"pose.name=mmpose:{tmp_path}/other.py")).pose
    assert network.crop is None
    poses = network.estimate(images, People.from_boxes([0], BOXES[:1], [0.9]))
    theirs = inference_topdown(network.loaded.model, bgr(images[0]), BOXES[:1])
    np.testing.assert_allclose(poses.keypoints_px[0], theirs[0].pred_instances.keypoints[0], atol=1e-3)


def test_the_flip_test_is_a_setting(images):
    people = People.from_boxes([0], BOXES[:1], [0.9])
    poses = {}
    for flip in ("false", "true"):
        network = build_models(random_weights(f"pose.name=mmpose:{RTMPOSE}", f"pose.flip_test={flip}")).pose
        poses[flip] = network.estimate(images, people)
        assert network.loaded.model.test_cfg["flip_test"] is (flip == "true")
    assert not np.array_equal(poses["false"].score, poses["true"].score)


def find_something(head) -> None:
    """Make a network of random weights sure of somebody, with a box of some size."""
    with torch.no_grad():
        for name, parameter in head.named_parameters():
            if parameter.ndim == 1 and "convs" not in name and name.endswith("bias"):
                if "cls" in name or "obj" in name:
                    parameter += 6.0
                elif "reg" in name:
                    parameter += 1.0


@pytest.mark.parametrize("name", ONE_STAGE)
def test_one_stage_people_are_those_of_mmpose(name, images):
    config = random_weights(f"pose.name=mmpose:{name}", "detect.score=0.0")
    assert run_facts(config).one_stage
    network = build_models(config).detector
    find_something(network.loaded.model.head)
    found = network.detect(images[:, ::2, ::2] if name.startswith(("ae", "cid")) else images)
    for i, image in enumerate(images):
        given = image[::2, ::2] if name.startswith(("ae", "cid")) else image
        with DefaultScope.overwrite_default_scope("mmpose"):
            theirs = inference_bottomup(network.loaded.model, bgr(given))[0].pred_instances
        here = found.of(i)
        assert len(here) <= len(theirs.keypoints)
        points = torch.as_tensor(theirs.keypoints).float().numpy().reshape(-1, 17, 2)
        for mine in here.keypoints_px:
            assert np.abs(points - mine).max((1, 2)).min() < 1e-3
    if name.startswith(("rtmo", "yolox")):
        assert len(found) > 2
        assert np.all(np.diff(found.image) >= 0)


def test_a_one_stage_run_has_its_own_poses(images):
    config = random_weights(f"pose.name=mmpose:{ONE_STAGE[0]}", "pose.min_score=0.0")
    models = build_models(config)
    assert models.pose is None
    find_something(models.detector.loaded.model.head)
    people = models.detector.detect(images)
    out = pose_people(images, np.array([3, 4]), people, models, config)
    assert 0 < len(out) <= len(people)


@pytest.mark.parametrize("name", [RTMDET, "yolox_tiny_8xb8-300e_coco"])
def test_boxes_are_those_of_mmdet(name, images):
    score = 0.05
    config = random_weights(f"detect.name=mmdet:{name}", f"detect.score={score}", f"pose.name=mmpose:{RTMPOSE}")
    network = build_models(config).detector
    find_something(network.loaded.model.bbox_head)
    found = network.detect(images)
    for i, image in enumerate(images):
        with DefaultScope.overwrite_default_scope("mmdet"):
            theirs = inference_detector(network.loaded.model, bgr(image)).pred_instances
        sure = (theirs.scores > score) & (theirs.labels == 0)
        box = theirs.bboxes[sure].numpy()
        box = People.from_boxes(np.zeros(len(box)), box, theirs.scores[sure].numpy()).clipped(*image.shape[:2]).box_px
        assert len(box) > 0
        np.testing.assert_allclose(found.of(i).box_px, box, atol=1e-3)


def test_classes_are_those_of_the_detector(images):
    name = "yolox_tiny_8xb8-300e_coco"
    build_models(random_weights(f"detect.name=mmdet:{name}", 'detect.classes=["cat", "dog"]'))
    with pytest.raises(PoselineError, match=r"--classes unicorn: YOLOX has no such class; it knows person, bicycle"):
        build_models(random_weights(f"detect.name=mmdet:{name}", 'detect.classes=["unicorn"]'))


def test_a_network_in_the_wrong_place_is_one_line():
    with pytest.raises(PoselineError, match="lifts poses to 3D; use it as --lifter"):
        run_facts(random_weights("pose.name=mmpose:video-pose-lift_tcn-27frm-supv_8xb128-160e_h36m"))
    with pytest.raises(PoselineError, match="leave out --detector"):
        run_facts(random_weights(f"pose.name=mmpose:{ONE_STAGE[0]}", f"detect.name=mmdet:{RTMDET}"))


def test_people_without_boxes_are_nobody(images):
    network = build_models(random_weights(f"pose.name=mmpose:{RTMPOSE}")).pose
    poses = network.estimate(images, replace(People.empty()))
    assert poses.keypoints_px.shape == (0, 17, 2)
