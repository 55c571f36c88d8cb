"""From people's boxes to observations: who is stored, how sure, and who is seen twice, with networks that answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.core.types import Observations
from pipeline.models.detections import Detections, Poses
from pipeline.models.registry import Models
from pipeline.observe.appearance import SIZE
from pipeline.observe.poses import distinct, pose_people
from tests import stand_ins, synthetic
from tests.stand_ins import assert_same_bits

HANDS = Skeleton("hands", tuple(f"left_hand_{i}" for i in range(4)), (), (0.03,) * 4)
WALKERS = synthetic.walker(np.zeros(1))[0] + np.array([(0, 0), (90, 0), (1200, 0)])[:, None]
ONE, NEAR, FAR = WALKERS
PICTURE = np.zeros((1, 8, 8, 3), np.uint8)


class Answer:
    """A pose network that always gives the same answer, for as many people as it is asked."""

    sessions: list = []  # noqa: RUF012

    def __init__(self, keypoints, score=0.8, skeleton=COCO17, certainty=None):
        self.keypoints, self.score, self.skeleton, self.certainty = np.asarray(keypoints), score, skeleton, certainty

    def estimate(self, images, people):
        score = np.broadcast_to(self.score, self.keypoints.shape[:2]).astype(np.float32)
        poses = Poses(self.keypoints.astype(np.float32), score.copy(), self.certainty)
        return poses.take(np.arange(len(people)))


def models(pose: Answer | None, skeleton: Skeleton = COCO17) -> Models:
    return Models(stand_ins.Detector(), pose, skeleton)


def observed(keypoints, people_score, pose_score=0.8, **pose) -> Observations:
    """Observations of one picture where the pose network answers ``keypoints``."""
    keypoints = np.asarray(keypoints, np.float32)
    people = Detections.from_boxes(np.zeros(len(keypoints)), synthetic.boxes(keypoints), np.asarray(people_score))
    config = Config.model_validate({"pose": pose})
    return pose_people(PICTURE, np.array([42]), people, models(Answer(keypoints, pose_score)), config)


# --- what is stored --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skeleton", [COCO17, HALPE26, HANDS], ids=lambda s: s.name)
def test_zero_people_give_zero_observations(skeleton):
    k = len(skeleton)
    for pose in (Answer(np.zeros((0, k, 2)), 0.0, skeleton), None):
        people = Detections.empty(k)
        out = pose_people(np.zeros((3, 8, 8, 3), np.uint8), np.arange(3), people, models(pose, skeleton), Config())
        assert len(out) == 0
        assert out.keypoints_px.shape == (0, k, 2)
        assert out.appearance.shape == (0, SIZE)
        assert out.skeleton == skeleton.name


def test_rows_carry_their_frame_and_keep_its_order():
    points = WALKERS[[0, 2, 0]]
    people = Detections.from_boxes(np.array([0, 0, 2]), synthetic.boxes(points), np.ones(3))
    images, frame = np.zeros((3, 8, 8, 3), np.uint8), np.array([7, 8, 11])
    out = pose_people(images, frame, people, models(Answer(points)), Config())
    assert out.frame.tolist() == [7, 7, 11]
    np.testing.assert_allclose(out.keypoints_px, points, rtol=1e-6)
    np.testing.assert_array_equal(out.box_px, people.box_px)


@pytest.mark.parametrize("seed", range(8))
def test_a_score_does_not_depend_on_who_else_is_in_the_batch(seed):
    rng = np.random.default_rng(seed)
    score, certainty = rng.uniform(0.3, 1, (3, 17)), rng.uniform(0.5, 1, 3)
    together = observed(WALKERS, certainty, score)
    alone = [observed(WALKERS[[i]], certainty[[i]], score[[i]]) for i in range(3)]
    assert_same_bits(together, Observations.concat(alone))
    np.testing.assert_allclose(together.score, np.sqrt(certainty * score.mean(1)), rtol=1e-5)


def test_a_person_is_as_sure_as_the_body():
    """Not as feet and head that only larger keypoint sets have, which shoes and hair hide."""
    points = np.zeros((1, 26, 2)) + np.linspace(0, 99, 26)[:, None]
    score = np.where(np.arange(26) < 17, 0.8, 0.1)[None]
    people = Detections.from_boxes(np.zeros(1), [[0, 0, 99, 99]], np.full(1, 0.9))
    out = pose_people(PICTURE, np.array([0]), people, models(Answer(points, score, HALPE26), HALPE26), Config())
    np.testing.assert_allclose(out.score, np.sqrt(0.8 * 0.9), rtol=1e-5)
    np.testing.assert_allclose(out.keypoint_score, score, rtol=1e-6)


def test_people_below_the_least_score_are_not_stored():
    assert len(observed([ONE, FAR], [0.9, 0.01], min_score=0.2)) == 1
    assert len(observed([ONE, FAR], [0.9, 0.01], pose_score=0.01, min_score=0.2)) == 0
    assert len(observed([ONE, FAR], [0.9, 0.01], min_score=0.0)) == 2


def test_keypoint_scores_stay_between_0_and_1():
    out = observed([ONE], [0.9], np.linspace(-0.1, 1.2, 17)[None])
    assert (out.keypoint_score.min(), out.keypoint_score.max()) == (0, 1)


def test_a_one_stage_network_gives_only_people_with_poses():
    people = Detections.from_boxes(np.zeros(2), synthetic.boxes(WALKERS[[0, 2]]), np.full(2, 0.9))
    points, known = people.keypoints_px.copy(), people.keypoint_score.copy()
    points[0], known[0] = ONE, 0.6
    people = replace(people, keypoints_px=points, keypoint_score=known)
    out = pose_people(PICTURE, np.array([0]), people, models(None), Config())
    assert len(out) == 1
    np.testing.assert_allclose(out.keypoints_px[0], ONE, rtol=1e-6)
    np.testing.assert_allclose(out.keypoint_score, 0.6)


def test_a_reid_network_describes_those_who_are_kept():
    asked = []

    class Reid:
        width = 5

        def describe(self, images, image, box_px, batch):
            asked.append((image.tolist(), box_px.tolist()))
            return np.ones((len(image), 5), np.float16)

    people = Detections.from_boxes(np.array([0, 1]), synthetic.boxes(WALKERS[[0, 2]]), np.array([0.9, 0.001]))
    images = np.zeros((2, 8, 8, 3), np.uint8)
    with_reid = models(Answer(WALKERS[[0, 2]]))._replace(reid=Reid())
    out = pose_people(images, np.arange(2), people, with_reid, Config())
    assert out.appearance.tolist() == [[1] * 5]
    assert asked == [([0], people.box_px[:1].tolist())]


# --- who is seen twice -----------------------------------------------------------------------------------------------


def test_the_same_person_seen_twice_is_stored_once():
    out = observed([ONE, ONE + 2, FAR], [0.6, 0.9, 0.5])
    assert len(out) == 2
    np.testing.assert_allclose(out.keypoints_px, [ONE + 2, FAR], rtol=1e-5)  # the surer one stays


def test_people_close_together_and_in_other_frames_are_people_of_their_own():
    assert len(observed([ONE, NEAR, FAR], [0.9, 0.7, 0.5])) == 3
    people = Detections.from_boxes(np.arange(2), synthetic.boxes(WALKERS[[0, 0]]), np.ones(2))
    images = np.zeros((2, 8, 8, 3), np.uint8)
    assert len(pose_people(images, np.array([0, 1]), people, models(Answer(WALKERS[[0, 0]])), Config())) == 2


def test_the_limit_of_likeness_is_a_setting():
    assert len(observed([ONE, ONE + 2], [0.6, 0.9], duplicate_oks=1.0)) == 2
    assert len(observed([ONE, NEAR], [0.6, 0.9], duplicate_oks=0.01)) == 1


def test_hidden_hands_hide_nobody():
    """A network that sees no point of a person may still be sure of the person, whom the box then tells apart."""
    boxes = np.array([[0, 0, 100, 300], [4, 2, 103, 300], [150, 0, 250, 300]], np.float32)
    people = Detections.from_boxes(np.zeros(3), boxes, np.array([0.9, 0.8, 0.7]))
    hidden = Answer(np.zeros((3, 4, 2)), 0.0, HANDS, np.full(3, 0.9, np.float32))
    out = pose_people(PICTURE, np.array([3]), people, models(hidden, HANDS), Config())
    np.testing.assert_array_equal(out.box_px, boxes[[0, 2]])  # the second is the first again
    np.testing.assert_allclose(out.score, np.sqrt(0.9 * np.array([0.9, 0.7])), rtol=1e-6)
    assert not out.keypoint_score.any()


def test_distinct_keeps_the_surest_first_and_looks_at_its_rows_only():
    poses = Poses(np.stack([ONE, ONE, ONE, FAR]).astype(np.float32), np.full((4, 17), 0.8, np.float32))
    box = synthetic.boxes(poses.keypoints_px)
    certainty = np.array([0.3, 0.9, 0.5, 0.95])
    assert distinct(np.arange(4), poses, certainty, box, COCO17, 0.5) == [3, 1]
    assert distinct(np.array([0, 2]), poses, certainty, box, COCO17, 0.5) == [2]
    assert distinct(np.array([], int), poses, certainty, box, COCO17, 0.5) == []
    tied = np.full(4, 0.9)
    assert distinct(np.array([0, 1, 2]), poses, tied, box, COCO17, 0.5) == [0]
