"""Whole bodies: keypoint sets, and what is found of the people of real frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17, Skeleton, mapping
from pipeline.core.wholebody_sets import BODY, FACE, FACE68, FEET, HANDS, HANDS42, WHOLEBODY133
from pipeline.models.detections import Detections, Poses
from pipeline.models.embedded import hand as hand_module
from pipeline.models.embedded.body import pose
from pipeline.models.embedded.hand import Arms, Hands
from pipeline.models.embedded.wholebody import WholeBody, inside
from pipeline.models.runtime import pick_device
from pipeline.video.decode import open_reader
from tests import laboratory

MEASURED = 0.3  # score from which later stages take a point as measured


# --- keypoint sets ---------------------------------------------------------------------------------------------------


def test_the_whole_body_begins_with_the_coco_body_and_holds_hands_and_face():
    assert mapping(WHOLEBODY133, COCO17).tolist() == list(range(17))
    assert [len(WHOLEBODY133.names[part]) for part in (BODY, FEET, FACE, HANDS)] == [17, 6, 68, 42]
    for part, columns in ((HANDS42, HANDS), (FACE68, FACE)):
        shift = columns.start
        assert part.names == WHOLEBODY133.names[columns]
        assert part.sigmas == WHOLEBODY133.sigmas[columns]
        assert {(a + shift, b + shift) for a, b in part.limbs} <= set(WHOLEBODY133.limbs)
        assert {(a + shift, b + shift) for a, b in part.pairs} <= set(WHOLEBODY133.pairs)


@pytest.mark.parametrize("skeleton", [WHOLEBODY133, HANDS42, FACE68], ids=lambda s: s.name)
def test_a_mirrored_set_has_the_same_limbs(skeleton: Skeleton):
    np.testing.assert_array_equal(skeleton.flip[skeleton.flip], np.arange(len(skeleton)))
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert {frozenset(skeleton.flip[list(limb)].tolist()) for limb in skeleton.limbs} == limbs


def test_hands_and_feet_are_on_their_side():
    for skeleton in (WHOLEBODY133, HANDS42):
        sides = {"left": -1, "right": 1}
        for k, name in enumerate(skeleton.names):
            if name.partition("_")[0] in sides:
                assert skeleton.side(k) == sides[name.partition("_")[0]], name


# --- real frames -----------------------------------------------------------------------------------------------------

FRAMES = (33, 66)


def network(threads: int = 1, batch: int = 16, part: str = "wholebody") -> WholeBody:
    device = pick_device("cpu", threads)
    return WholeBody(device, pose(device, Config()), batch, part)


@pytest.fixture(scope="module")
def whole() -> WholeBody:
    return network()


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, Detections]:
    """Two frames of the demo clip, and boxes of the three people in each, known by eye."""
    pictures = []
    with open_reader(laboratory.clip()) as reader:
        for i in FRAMES:
            (batch,) = reader.read(i, i + 1, 1)
            pictures.append(batch.image[0].copy())
    boxes = 2 * np.array([laboratory.BOXES_PX[i] for i in FRAMES], float).reshape(-1, 4)
    return np.stack(pictures), Detections.from_boxes(np.repeat([0, 1], 3), boxes, np.ones(6))


@pytest.fixture(scope="module")
def seen(whole, scene) -> Poses:
    return whole.estimate(*scene)


def test_hands_sit_at_the_ends_of_the_arms_and_hidden_ones_score_nothing(seen):
    score, points = seen.score.reshape(2, 3, 133), seen.keypoints_px.reshape(2, 3, 133, 2)
    left, right = HANDS.start, HANDS.start + 21
    # By eye: the man's left hand hangs, his right one is raised; the woman in front shows her back and her right hand.
    man, front, behind = laboratory.MAN, laboratory.FRONT, laboratory.BEHIND
    assert (score[:, man, [left, right]] > 0.5).all()
    assert (score[:, front, right] > MEASURED).all()
    assert (score[:, front, left] < 0.1).all()
    np.testing.assert_allclose(points[:, man, left : left + 21].mean(1), [(343, 455), (365, 460)], atol=20)
    np.testing.assert_allclose(points[:, man, right : right + 21].mean(1), [(193, 243), (225, 240)], atol=25)
    fingers = points[:, man, left + 12] - points[:, man, left]
    assert (fingers[:, 1] > 20).all()  # downwards
    assert (score[:, behind, left] > MEASURED).all()  # a hand at the chin
    np.testing.assert_allclose(points[:, behind, left : left + 21].mean(1), [(390, 277)] * 2, atol=15)


def test_nobody_there_shows_a_face_to_the_camera(seen):
    """Two are seen from behind, and the third wears a mask."""
    assert (seen.score[:, FACE] < MEASURED).all()


def test_body_and_feet_are_those_of_the_body_network(whole, scene, seen):
    body = whole.body.estimate(*scene)
    columns = [HALPE26.index(name) for name in WHOLEBODY133.names[: FEET.stop]]
    np.testing.assert_array_equal(seen.keypoints_px[:, : FEET.stop], body.keypoints_px[:, columns])
    np.testing.assert_array_equal(seen.score[:, BODY], body.score[:, BODY])
    np.testing.assert_array_equal(seen.certainty, body.score[:, BODY].mean(1))
    assert (seen.score[:, FEET] > MEASURED).all()
    below = seen.keypoints_px[:, [19, 22], 1] - seen.keypoints_px[:, [15, 16], 1]  # heels under ankles
    assert (below > 0).all()


def test_scores_are_shares_and_what_lies_outside_the_picture_has_none(seen, scene):
    assert seen.score.min() >= 0
    assert seen.score.max() <= 1
    height, width = scene[0].shape[1:3]
    rest = slice(BODY.stop, None)
    assert (seen.score[:, rest][~inside(seen.keypoints_px[:, rest], (height, width))] == 0).all()


def test_a_person_gets_the_same_bits_in_any_batch(whole, scene, seen):
    images, people = scene
    for i in range(2):
        alone = people.take(people.image == i)
        one = whole.estimate(images[i : i + 1], replace(alone, image=np.zeros(3, np.int64)))
        np.testing.assert_array_equal(one.keypoints_px, seen.keypoints_px[people.image == i])
        np.testing.assert_array_equal(one.score, seen.score[people.image == i])


@pytest.mark.parametrize(("part", "columns"), [("hands", HANDS), ("face", FACE)])
def test_hands_or_face_alone_are_those_of_the_whole_body(scene, seen, part, columns):
    some = network(2, 2, part)  # nor do threads and the size of batches matter
    poses = some.estimate(*scene)
    np.testing.assert_array_equal(poses.keypoints_px, seen.keypoints_px[:, columns])
    np.testing.assert_array_equal(poses.score, seen.score[:, columns])
    np.testing.assert_array_equal(poses.certainty, seen.certainty)
    assert len(some.skeleton) == columns.stop - columns.start
    assert len(some.sessions) == 2


def test_hidden_hands_and_faces_are_not_even_looked_for(whole, scene, monkeypatch):
    """The body network says that wrists and heads cannot be seen."""
    images, people = scene
    answer = whole.body.estimate(images, people)
    monkeypatch.setattr(whole.body, "estimate", lambda *_: answer._replace(score=np.full_like(answer.score, 0.1)))
    calls = [session.calls for session in whole.sessions]
    poses = whole.estimate(images, people)
    assert (poses.score[:, FACE.start :] == 0).all()
    assert [s.calls for s in whole.sessions] == calls
    np.testing.assert_allclose(poses.keypoints_px[:, [91, 112]], answer.keypoints_px[:, [9, 10]], atol=1e-3)
    np.testing.assert_allclose(poses.keypoints_px[:, FACE.start], answer.keypoints_px[:, 0], atol=1e-3)


def test_hands_and_faces_of_a_few_px_are_not_looked_for(whole, scene, monkeypatch):
    images, people = scene
    answer = whole.body.estimate(images, people)
    far_away = answer._replace(keypoints_px=100 + answer.keypoints_px / 40)
    monkeypatch.setattr(whole.body, "estimate", lambda *_: far_away)
    calls = [session.calls for session in whole.sessions]
    assert (whole.estimate(images, people).score[:, FACE.start :] == 0).all()
    assert [s.calls for s in whole.sessions] == calls


def sure_hands(images: np.ndarray, arms: Arms, outside: int = 0) -> Hands:
    """A stand-in that is sure of a hand at every wrist, with some of its points outside the picture."""
    points = np.repeat(arms.wrist[:, None], 21, 1)
    points[:, 21 - outside :] = (-5, 40)
    n = len(arms.image)
    return Hands(points, np.ones(n), np.full(n, 0.5), hand_module.VIEW_M * arms.px_per_m)


@pytest.mark.parametrize(("outside", "share"), [(0, 1.0), (3, 1.0), (10, 0.45), (15, 0.0)])
def test_of_a_hand_at_the_border_only_what_is_inside_is_told(whole, scene, monkeypatch, outside, share):
    monkeypatch.setattr(whole.hand, "find", lambda images, arms: sure_hands(images, arms, outside))
    images, people = scene
    man = np.array([laboratory.MAN])
    score = whole.estimate(images[:1], people.take(man)).score[0, HANDS].reshape(2, 21)
    assert (score[:, 21 - outside :] == 0).all()
    np.testing.assert_allclose(score[:, : 21 - outside], share, atol=0.01)


def test_nobody_gives_nothing(whole, scene):
    poses = whole.estimate(scene[0], Detections.empty())
    assert poses.keypoints_px.shape == (0, 133, 2)
    assert poses.score.shape == (0, 133)
