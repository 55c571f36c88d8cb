"""Networks of the model zoo as a config names them: settings reach them, and what cannot be is one line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import MEASURED
from pipeline.models.detections import Detections
from pipeline.models.openmm import compat
from pipeline.models.registry import build_models, run_facts
from pipeline.observe.poses import pose_people
from pipeline.render.draw.figure import Person
from pipeline.render.draw.overlay import draw_people
from tests.openmm_settings import RTMDET, RTMPOSE, random_weights

compat.ensure()
from mmpose.apis import inference_topdown  # noqa: E402

ONE_STAGE = "rtmo-s_8xb32-600e_coco-640x640"
BOXES = np.array([[14, 158, 108, 367], [88, 112, 184, 283], [-20, 5, 290, 470], [188, 120, 200, 400.5]], np.float32)


def bgr(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[..., ::-1])


KINDS = {  # name: points, the keypoint set's name, two of its points
    "rtmpose-m_8xb64-270e_coco-wholebody-256x192": (133, "coco_wholebody", "left_hip", "right_thumb4"),
    "rtmpose-m_8xb256-210e_hand5-256x256": (21, "coco_wholebody_hand", "wrist", "thumb4"),
    "rtmpose-m_8xb64-120e_lapa-256x256": (106, "lapa", "kpt_0", "kpt_105"),
    "rtmpose-m_8xb64-210e_ap10k-256x256": (17, "ap10k", "L_Eye", "Root_of_tail"),
}


@pytest.mark.parametrize("name", KINDS)
def test_any_keypoint_set_goes_the_whole_way(name, images, tmp_path):
    """The set reaches run.json, the observations are mmpose's own numbers, and a person is drawn with them."""
    k, called, first, last = KINDS[name]
    config = random_weights(f"pose.name=mmpose:{name}", "pose.min_score=0.0")
    facts = run_facts(config)
    assert (len(facts.skeleton), facts.skeleton.name) == (k, called)
    assert {first, last} <= set(facts.skeleton.names)
    assert Skeleton.from_spec(facts.skeleton.spec()).pairs == facts.skeleton.pairs
    models = build_models(config)
    people = Detections.from_boxes(np.zeros(2), BOXES[:2], np.full(2, 0.9))
    out = pose_people(images[:1], np.array([7]), people, models, config)
    theirs = inference_topdown(models.pose.loaded.model, bgr(images[0]), BOXES[:2])
    points = np.concatenate([r.pred_instances.keypoints for r in theirs])
    assert out.keypoints_px.shape == (2, k, 2)
    assert np.abs(out.keypoints_px[:, None] - points[None]).max((2, 3)).min(1).max() < 1e-3
    picture = images[0].copy()
    state = np.full(k, MEASURED, np.uint8)
    draw_people(picture, [Person(1, out.box_px[0], out.keypoints_px[0], state, True)], facts.skeleton)
    assert (picture != images[0]).any()


def test_a_pipeline_of_other_steps_goes_through_mmpose(images, tmp_path):
    from mmengine.config import Config as MMConfig

    from pipeline.models.openmm.zoo import find_config

    config = MMConfig.fromfile(str(find_config("mmpose", RTMPOSE)))
    config.test_dataloader.dataset.pipeline.insert(1, {"type": "mmpose.GetBBoxCenterScale", "padding": 1.0})
    config.dump(str(tmp_path / "other.py"))
    network = build_models(random_weights(f"pose.name=mmpose:{tmp_path}/other.py")).pose
    assert network.crop is None
    poses = network.estimate(images, Detections.from_boxes([0], BOXES[:1], [0.9]))
    theirs = inference_topdown(network.loaded.model, bgr(images[0]), BOXES[:1])
    np.testing.assert_allclose(poses.keypoints_px[0], theirs[0].pred_instances.keypoints[0], atol=1e-3)


def test_the_flip_test_is_a_setting(images):
    people = Detections.from_boxes([0], BOXES[:1], [0.9])
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


def test_a_one_stage_run_has_its_own_poses(images):
    config = random_weights(f"pose.name=mmpose:{ONE_STAGE}", "pose.min_score=0.0", "observe.detect_every_s=0")
    models = build_models(config)
    assert models.pose is None
    find_something(models.detector.network.loaded.model.head)
    people = models.detector.detect(images)
    out = pose_people(images, np.array([3, 4]), people, models, config)
    assert 0 < len(out) <= len(people)


def test_classes_are_those_of_the_detector(images):
    name = "yolox_tiny_8xb8-300e_coco"
    build_models(random_weights(f"detect.name=mmdet:{name}", 'detect.classes=["cat", "dog"]'))
    with pytest.raises(PoselineError, match=r"--classes unicorn: YOLOX has no such class; it knows person, bicycle"):
        build_models(random_weights(f"detect.name=mmdet:{name}", 'detect.classes=["unicorn"]'))


def test_a_network_in_the_wrong_place_is_one_line():
    with pytest.raises(PoselineError, match="lifts poses to 3D; use it as --lifter"):
        run_facts(random_weights("pose.name=mmpose:video-pose-lift_tcn-27frm-supv_8xb128-160e_h36m"))
    with pytest.raises(PoselineError, match="leave out --detector"):
        run_facts(random_weights(f"pose.name=mmpose:{ONE_STAGE}", f"detect.name=mmdet:{RTMDET}"))


def test_people_without_boxes_are_nobody(images):
    network = build_models(random_weights(f"pose.name=mmpose:{RTMPOSE}")).pose
    poses = network.estimate(images, replace(Detections.empty()))
    assert poses.keypoints_px.shape == (0, 17, 2)
