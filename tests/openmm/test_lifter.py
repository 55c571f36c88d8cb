"""Lifters against MMPose's own call, and what happens around gaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.config import Config, with_settings
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.core.types import Motion
from pipeline.lift import mmpose as lifter
from pipeline.lift.registry import build_lifter, lifter_facts
from pipeline.models.openmm import compat
from pipeline.motion.person import build_motion
from tests import synthetic
from tests.openmm_settings import random_weights

compat.ensure()
from mmengine.structures import InstanceData  # noqa: E402
from mmpose.apis import inference_pose_lifter_model  # noqa: E402
from mmpose.structures import PoseDataSample  # noqa: E402

VIDEOPOSE = "video-pose-lift_tcn-27frm-supv_8xb128-160e_h36m"
BASELINE = "image-pose-lift_tcn_8xb64-200e_h36m"
MOTIONBERT = "motionbert_dstformer-243frm_8xb32-240e_h36m"
SIZE = synthetic.SIZE_PX


@pytest.fixture(scope="module", params=[VIDEOPOSE, BASELINE, MOTIONBERT])
def network(request) -> lifter.MMLifter:
    return build_lifter(random_weights(f"lift.name=mmpose:{request.param}"))


def walker(n: int = 60, seed: int = 0) -> Motion:
    rng = np.random.default_rng(seed)
    scene = synthetic.observe(rng, np.arange(n) / 30, synthetic.walker(np.arange(n) / 30)[None])
    config = random_weights()
    return build_motion(1, scene.observations, scene.time_s, COCO17, config.track, config.smooth)


def theirs(network: lifter.MMLifter, sequence: np.ndarray) -> np.ndarray:
    """(m, 17, 3) of a sequence (T, 17, 2) by mmpose's own call."""
    samples = []
    for points in sequence:
        sample = PoseDataSample()
        sample.pred_instances = InstanceData(keypoints=points[None], bboxes=np.array([[0, 0, 9, 9]], np.float32))
        sample.gt_instances = InstanceData()
        sample.track_id = 1
        samples.append([sample])
    size = (lifter.PICTURE_PX, lifter.PICTURE_PX)
    (result,) = inference_pose_lifter_model(network.loaded.model, samples, image_size=size)
    return np.asarray(result.pred_instances.keypoints).reshape(-1, 17, 3)


def test_lifted_joints_are_those_of_mmpose(network):
    rng = np.random.default_rng(1)
    length = 1 if network.many else network.length  # all that mmpose's call takes
    sequences = [rng.uniform(300, 700, (length, 17, 2)).astype(np.float32) for _ in range(3)]
    for ours, sequence in zip(network.run(sequences), sequences, strict=True):
        np.testing.assert_allclose(ours, theirs(network, sequence), atol=1e-3)
        assert np.ptp(ours) > 0.001


def test_many_frames_are_lifted_together_where_the_network_can(network):
    if not network.many:
        pytest.skip("lifts one frame at a time")
    rng = np.random.default_rng(2)
    sequence = rng.uniform(300, 700, (30, 17, 2)).astype(np.float32)
    (together,) = network.run([sequence])
    alone = np.concatenate(network.run([sequence[i : i + 1] for i in range(30)]))
    assert together.shape == alone.shape == (30, 17, 3)
    assert np.abs(together - alone).max() > 0.001  # it uses the frames around


def test_every_row_of_a_person_is_lifted_about_the_pelvis(network):
    motion = walker()
    metres = network.lift(motion, COCO17, SIZE).joints_m
    assert metres.shape == (len(motion), 17, 3)
    assert metres.dtype == np.float32
    assert np.isfinite(metres).all()
    assert (metres[:, 0] == 0).all()
    np.testing.assert_array_equal(metres, network.lift(motion, COCO17, SIZE).joints_m)
    assert network.names == lifter.NAMES


def test_size_and_place_in_the_picture_do_not_matter(network):
    motion = walker(20)
    moved = replace(
        motion,
        keypoints_px=(motion.keypoints_px * np.float32(0.5) + np.float32(300)).astype(np.float32),
        box_px=(motion.box_px * np.float32(0.5) + np.float32(300)).astype(np.float32),
    )
    np.testing.assert_allclose(
        network.lift(moved, COCO17, SIZE).joints_m, network.lift(motion, COCO17, SIZE).joints_m, atol=2e-3
    )


def test_stretches_do_not_know_of_one_another(network):
    motion = walker(50)
    late = replace(motion, frame=np.where(np.arange(50) < 20, motion.frame, motion.frame + 100))
    metres = network.lift(late, COCO17, SIZE).joints_m
    rows = {k: v[:20] if isinstance(v, np.ndarray) else v for k, v in vars(motion).items()}
    alone = network.lift(Motion(**{**rows, "quantities": {}}), COCO17, SIZE).joints_m
    if not network.scaleless:  # one scale for the whole person
        np.testing.assert_allclose(metres[:20], alone, atol=1e-5)
    assert np.isfinite(metres).all()


def test_what_is_not_seen_is_not_known(network):
    motion = walker(40)
    points = motion.keypoints_px.copy()
    points[:, COCO17.index("left_ankle")] = np.nan  # never seen
    points[10:15, COCO17.index("right_wrist")] = np.nan
    points[20, COCO17.index("left_hip")] = np.nan  # and with it the pelvis
    metres = network.lift(replace(motion, keypoints_px=points), COCO17, SIZE).joints_m
    known = np.isfinite(metres).all(-1)
    expected = np.ones((40, 17), bool)
    expected[:, lifter.NAMES.index("left_ankle")] = False
    expected[10:15, lifter.NAMES.index("right_wrist")] = False
    expected[20] = False
    np.testing.assert_array_equal(known, expected)


def test_a_single_frame_and_nobody(network):
    assert np.isfinite(network.lift(walker(12), COCO17, SIZE).joints_m[0]).all()
    motion = walker(20)
    nothing = replace(motion, keypoints_px=np.full_like(motion.keypoints_px, np.nan))
    assert np.isnan(network.lift(nothing, COCO17, SIZE).joints_m).all()


def test_motionbert_has_the_height_it_says():
    config = random_weights(f"lift.name=mmpose:{MOTIONBERT}")
    assert any("1.70 m tall" in line for line in lifter_facts(config).warnings)
    assert not any("tall" in line for line in lifter_facts(random_weights(f"lift.name=mmpose:{VIDEOPOSE}")).warnings)
    metres = build_lifter(config).lift(walker(30), COCO17, SIZE).joints_m
    assert lifter._to_height(metres) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("n", "length", "many", "causal"),
    [
        (1, 27, 0, False),
        (40, 27, 0, True),
        (5, 243, 243, False),
        (243, 243, 243, False),
        (600, 243, 243, False),
        (7, 4, 4, False),
    ],
)
def test_windows_give_every_row_once(n, length, many, causal):
    counted = np.zeros(n, int)
    for window, taken, wanted in lifter._windows(n, length, many, causal):
        assert window.min() >= 0
        assert window.max() < n
        counted[wanted] += 1
        rows = np.arange(n)[wanted]
        if many:
            np.testing.assert_array_equal(window[taken], rows)
        else:
            assert len(window) == length
            assert window[-1 if causal else length // 2] == rows[0]
    assert (counted == 1).all()


def test_what_cannot_be_lifted_is_one_line():
    hand = Skeleton("hand", tuple(f"point_{i}" for i in range(21)), (), (0.03,) * 21)
    with pytest.raises(PoselineError, match="lifts bodies, and hand has no left_ankle"):
        lifter.human36m(np.zeros((2, 21, 2)), hand)
    with pytest.raises(PoselineError, match="is no lifter but a TopdownPoseEstimator; use it as --pose"):
        lifter_facts(random_weights("lift.name=mmpose:rtmpose-t_8xb256-420e_coco-256x192"))
    known = with_settings(Config(), [f"lift.name=mmpose:{VIDEOPOSE}"])
    with pytest.raises(PoselineError, match=r"--lifter mmpose:.*needs a checkpoint; fetch https"):
        lifter_facts(known)
