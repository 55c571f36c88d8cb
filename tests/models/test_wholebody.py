"""Whole bodies: keypoint sets, turned crops, what speaks against a hand, foot or face, and the networks themselves."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pipeline.models import hand as hand_module
from pipeline.models.base import People, Poses
from pipeline.models.face import FaceNetwork, Faces, facing, stretched, views_of_faces, views_of_heads
from pipeline.models.hand import Arms, HandNetwork, Hands, views_of_arms, views_of_hands
from pipeline.models.runtime import pick_device
from pipeline.models.turned import Views, rotation, to_image, turned_crops
from pipeline.models.wholebody import (
    WholeBody,
    arms_of,
    face_scores,
    feet,
    hand_scores,
    inside,
    px_per_metre,
    same_body,
    without_doubles,
)
from pipeline.models.wholebody_sets import BODY, FACE, FACE68, FEET, HANDS, HANDS42, WHOLEBODY133
from pipeline.skeleton import BLAZEPOSE33, COCO17, Skeleton, mapping
from pipeline.video.decode import open_reader
from tests import treadmill

ANGLES = [0, 37, 90, 180, -140]
MEASURED = 0.3  # score from which later stages take a point as measured


def turned(points: np.ndarray, angle_deg: float, at=(0.0, 0.0)) -> np.ndarray:
    return points @ rotation(np.deg2rad([angle_deg]))[0].T + np.array(at)


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


# --- turned crops ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("angle_deg", ANGLES)
def test_a_point_of_a_turned_crop_maps_back(angle_deg):
    image = np.zeros((1, 240, 320, 3), np.uint8)
    cv2.circle(image[0], (140, 100), 4, (255, 255, 255), -1, cv2.LINE_AA)  # cv2 counts pixel centres from 0
    view = Views(np.array([[150.0, 110.0]]), np.array([90.0]), np.deg2rad([angle_deg]))
    crop = turned_crops(image, np.array([0]), view, 128)[0, ..., 0]
    ys, xs = np.mgrid[:128, :128] + 0.5
    middle = np.array([(xs * crop).sum(), (ys * crop).sum()]) / crop.sum()
    np.testing.assert_allclose(to_image(middle[None, None], view, 128)[0, 0], [140.5, 100.5], atol=0.2)


def arm(angle_deg: float, reach: float = 40.0, px_per_m: float = 500.0) -> Arms:
    """A forearm that points upwards, and then is turned; the knuckles are ``reach`` px ahead of the wrist."""
    points = turned(np.array([[0.0, 120.0], [0.0, 0.0], [0.0, -reach]]), angle_deg, (200, 150))
    elbow, wrist, knuckles = points[:, None]
    return Arms(np.array([0]), np.array([False]), elbow, wrist, knuckles, np.array([px_per_m]))


@pytest.mark.parametrize("angle_deg", ANGLES)
@pytest.mark.parametrize("reach", [40.0, 0.0])
def test_a_hand_is_looked_for_ahead_of_the_wrist(angle_deg, reach):
    """Also where the fingers point at the camera, and only the forearm tells the direction."""
    view = views_of_arms(arm(angle_deg, reach))
    crop_px = 100
    wrist = np.array([[[crop_px / 2, crop_px * 0.75]]])  # below the middle, so the fingers point up
    np.testing.assert_allclose(to_image(wrist, view, crop_px)[0, 0], [200, 150], atol=1e-6)


FLAT_HAND = np.array(
    [(0, 0)] + [(x, -y) for x, ys in ((-40, (20, 35, 50, 60)), (-25, (80, 110, 125, 140)), (0, (85, 120, 138, 155)),
                                      (20, (80, 110, 125, 140)), (40, (70, 90, 100, 110))) for y in ys], float
)  # fmt: skip


@pytest.mark.parametrize("angle_deg", ANGLES)
def test_the_second_look_stands_upright_around_the_palm(angle_deg):
    points = turned(FLAT_HAND, angle_deg, (300, 200))
    view = views_of_hands(points[None])
    assert np.cos(view.angle[0] - np.deg2rad(angle_deg)) == pytest.approx(1, abs=0.01)
    local = turned(points - view.centre[0], -np.rad2deg(view.angle[0])) / view.side[0] + 0.5
    assert (local > 0).all()
    assert (local < 1).all()
    assert local[0, 1] > 0.7  # the wrist below, the fingers above
    assert local[12, 1] < 0.3


@pytest.mark.parametrize("angle_deg", ANGLES)
def test_the_second_look_at_a_face_turns_with_it(angle_deg):
    rng = np.random.default_rng(0)
    mesh = rng.uniform(-50, 50, (468, 2))
    mesh[33], mesh[263] = (-20, 0), (20, 0)
    upright, leaning = (views_of_faces(turned(mesh, a, (200, 200))[None]) for a in (0, angle_deg))
    assert np.cos(leaning.angle[0] - np.deg2rad(angle_deg)) == pytest.approx(1)
    assert leaning.side[0] == pytest.approx(upright.side[0])
    np.testing.assert_allclose(leaning.centre[0] - 200, turned(upright.centre[0] - 200, angle_deg), atol=1e-6)


def test_the_far_cheek_of_a_turned_head_is_not_seen():
    sides = np.array([[[-70.0, 0, 0], [70.0, 0, 0]]])
    points = np.array([[[0.0, 0, -80], [-70, 0, 0], [70, 0, 0]]])  # nose and the sides before the ears
    np.testing.assert_allclose(facing(points, sides)[0], 1)
    a = np.deg2rad(50)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    near, far = facing(points @ turn.T, sides @ turn.T)[0, 1:][::-1]
    assert (near, far) == (1, 0) or (near, far) == (0, 1)
    depth = (points @ turn.T)[0, 1:, 2]
    assert facing(points @ turn.T, sides @ turn.T)[0, 1 + depth.argmin()] == 1  # z points away from the camera
    assert facing(points @ turn.T, sides @ turn.T)[0, 0] == 1


# --- what speaks against a point -------------------------------------------------------------------------------------

PX_PER_M = 300.0


def poses(points: dict[str, tuple[float, float]], skeleton: Skeleton, score: float = 1.0) -> Poses:
    """One person of whom these points are known; the others lie far away with a score of 0."""
    xy, s = np.full((1, len(skeleton), 2), 900.0, np.float32), np.zeros((1, len(skeleton)), np.float32)
    for name, point in points.items():
        xy[0, skeleton.index(name)], s[0, skeleton.index(name)] = point, score
    return Poses(xy, s, np.zeros((1, len(skeleton), 3), np.float32))


LEG = {"left_ankle": (100.0, 200.0), "left_heel": (95.0, 215.0), "left_foot_index": (130.0, 212.0)}


def test_feet_need_an_ankle_that_both_networks_see():
    scale = np.array([PX_PER_M])
    blaze = poses(LEG, BLAZEPOSE33)

    def left(ankle: tuple[float, float], score: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
        points, scores = feet(poses({"left_ankle": ankle}, COCO17, score), blaze, scale)
        assert (scores[0, 3:] == 0).all()  # of the other foot nothing is known
        return points[0, :3], scores[0, :3]

    points, score = left((100, 200))
    np.testing.assert_allclose(score, [1, 0, 1])  # the small toe is not known to any network
    np.testing.assert_allclose(points[[0, 2]], [LEG["left_foot_index"], LEG["left_heel"]])
    assert left((110, 200))[0][0].tolist() == [135, 212]  # half of the way to the other opinion
    assert (left((100, 200), 0.1)[1] == 0).all()
    assert (left((100 + 0.3 * PX_PER_M, 200))[1] == 0).all()


def found(wrist=(100.0, 100.0), presence=1.0, right=0.0, side=90.0) -> Hands:
    return Hands(np.tile(np.array(wrist), (1, 21, 1)), np.array([presence]), np.array([right]), np.array([side]))


def hanging(px_per_m: float = PX_PER_M, right: bool = False) -> Arms:
    at = np.array([[100.0, 100.0]])
    return Arms(np.array([0]), np.array([right]), at - (0, 70), at, at - (0, -20), np.array([px_per_m]))


def hand_score(hands: Hands, arms: Arms, visible: float = 1.0) -> float:
    return float(hand_scores(hands, arms, np.array([visible]))[0])


def test_a_hand_loses_what_speaks_against_it():
    assert hand_score(found(), hanging()) == 1
    assert hand_score(found(presence=0.6), hanging()) == pytest.approx(0.6)
    assert hand_score(found(), hanging(), visible=0.0) == 0
    assert hand_score(found(), hanging(), visible=0.06) < MEASURED  # behind the back
    assert hand_score(found(wrist=(100 + 0.3 * PX_PER_M, 100)), hanging()) == 0  # somebody else's
    assert hand_score(found(side=20), hanging()) == 0
    assert hand_score(found(side=250), hanging()) == 0
    assert hand_score(found(side=6), hanging(20)) == 0  # a hand of 4 px


@pytest.mark.parametrize("right", [False, True])
def test_the_other_sides_hand_is_trusted_less(right):
    mine, unsure, other = (hand_score(found(right=abs(right - p)), hanging(right=right)) for p in (0.02, 0.5, 0.98))
    assert mine == unsure == 1
    assert other == pytest.approx(0.35)


def test_one_hand_that_is_taken_for_both_counts_once():
    points = np.zeros((3, 2, 21, 2))
    points[1, 1] += 0.5 * PX_PER_M
    score = np.array([[0.9, 0.6], [0.9, 0.6], [0.5, 0.8]])
    out = without_doubles(points, score, np.full(3, PX_PER_M))
    assert out.tolist() == [[0.9, 0], [0.9, 0.6], [0, 0.8]]


def face_at(middle=(100.0, 100.0), presence=1.0, side=120.0) -> Faces:
    """A face of 80 px whose eyes are 20 px above the nose's tip."""
    points = np.tile(np.array(middle), (1, 68, 1))
    points[0, 36:42] += (-15, -20)
    points[0, 42:48] += (15, -20)
    return Faces(points, np.array([presence]), np.ones((1, 68)), np.array([side]))


HEAD = {"nose": (100.0, 100.0), "left_eye": (115.0, 80.0), "right_eye": (85.0, 80.0)}


def test_a_face_has_to_lie_where_both_bodies_have_it():
    body, blaze = poses(HEAD, COCO17), poses(HEAD, BLAZEPOSE33)
    elsewhere = {name: (x + 60, y) for name, (x, y) in HEAD.items()}
    assert face_scores(face_at(), body, blaze) == pytest.approx(1)
    assert face_scores(face_at(presence=0.4), body, blaze) == pytest.approx(0.4)
    assert (face_scores(face_at(), poses(elsewhere, COCO17), blaze) == 0).all()
    assert (face_scores(face_at(), body, poses(elsewhere, BLAZEPOSE33)) == 0).all()
    assert face_scores(face_at(), poses(elsewhere, COCO17, 0.1), blaze) == pytest.approx(1)  # an unsure one has no say
    assert (face_scores(face_at(), body, poses(HEAD, BLAZEPOSE33, 0.05)) < MEASURED).all()
    assert (face_scores(face_at(side=12), body, blaze) == 0).all()
    hidden = face_at()._replace(facing=np.linspace(0, 1, 68)[None])
    np.testing.assert_allclose(face_scores(hidden, body, blaze), hidden.facing)


def standing(at=(100.0, 100.0)) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(1)
    return {
        name: (x + at[0], y + at[1]) for name, (x, y) in zip(COCO17.names, rng.uniform(0, 300, (17, 2)), strict=True)
    }


def test_the_neighbours_body_is_not_this_persons():
    body = poses(standing(), COCO17, 0.7)
    scale = np.array([PX_PER_M])
    assert same_body(body, poses(standing(), BLAZEPOSE33), scale) == 1
    assert same_body(body, poses(standing((105, 100)), BLAZEPOSE33), scale) == 1
    assert same_body(body, poses(standing((320, 100)), BLAZEPOSE33), scale) == 0


def test_the_scale_comes_from_the_bodys_metres():
    rng = np.random.default_rng(2)
    metres = rng.normal(0, 0.4, (2, 33, 3)).astype(np.float32)
    pixels = (metres[..., :2] * np.array([250, 40])[:, None, None] + (300, 200)).astype(np.float32)
    scale = px_per_metre(Poses(pixels, np.ones((2, 33), np.float32), metres))
    np.testing.assert_allclose(scale, [250, 40], rtol=1e-5)


def test_points_outside_the_picture_are_told():
    points = np.array([[[0, 0], [319, 239], [320, 10], [5, 240], [-1, 5]]], float)
    assert inside(points, (240, 320)).tolist() == [[True, True, False, False, False]]


# --- the networks ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def face() -> FaceNetwork:
    return FaceNetwork(pick_device("cpu", 1), 4)


@pytest.fixture(scope="module")
def hand() -> HandNetwork:
    return HandNetwork(pick_device("cpu", 1))


EYES, MOUTH, CHIN = ((130, 150), (190, 150)), (160, 218), 258
FACE_SCALE = np.array([850.0])


def drawn_face() -> np.ndarray:
    """A cartoon (320, 320, 3) that looks at the camera, symmetrical but for the nose's shadow."""
    image = np.full((320, 320, 3), (70, 90, 120), np.uint8)
    dark = (60, 35, 30)

    def ellipse(at, axes, colour, width=-1, start=0, end=360):
        cv2.ellipse(image, at, axes, 0, start, end, colour, width, cv2.LINE_AA)

    ellipse((160, 150), (82, 100), (70, 45, 35))
    ellipse((160, 170), (70, CHIN - 170), (224, 172, 140))
    for x, y in EYES:
        ellipse((x, y), (14, 7), (245, 245, 245))
        ellipse((x, y), (6, 6), dark)
        ellipse((x, y - 14), (18, 5), dark, 4, 180)
    ellipse((160, 190), (12, 6), (180, 120, 95), 3, 0, 180)
    cv2.line(image, (156, 155), (150, 188), (200, 145, 115), 2, cv2.LINE_AA)
    ellipse(MOUTH, (24, 8), (190, 80, 85))
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def look(face: FaceNetwork, image: np.ndarray, angle_deg: float = 0) -> Faces:
    middle = (160, 160)
    eyes, mouth = (turned(np.array([p], float) - middle, angle_deg, middle) for p in ((160, 150), MOUTH))
    return face.find(image[None], np.array([0]), views_of_heads(eyes, mouth, FACE_SCALE))


@pytest.mark.parametrize("angle_deg", [0, 25, -60])
def test_the_68_points_lie_on_the_face(face, angle_deg):
    matrix = cv2.getRotationMatrix2D((159.5, 159.5), -angle_deg, 1)
    found = look(face, cv2.warpAffine(drawn_face(), matrix, (320, 320), borderMode=cv2.BORDER_REPLICATE), angle_deg)
    assert found.presence[0] > 0.9
    points = turned(found.points_px[0] - 160, -angle_deg, (160, 160))
    right_eye, left_eye = points[36:42].mean(0), points[42:48].mean(0)
    np.testing.assert_allclose([right_eye, left_eye], EYES, atol=4)
    np.testing.assert_allclose(points[48:60].mean(0), MOUTH, atol=4)
    assert points[48, 0] < points[54, 0]
    np.testing.assert_allclose(points[8], (160, CHIN), atol=6)
    assert (np.diff(points[:17, 0]) > -3).all()  # the jaw from the person's right, the picture's left
    steps = np.linalg.norm(np.diff(points[:17], axis=0), axis=1)
    assert steps.max() < 1.6 * steps.min()
    assert (np.diff(points[27:31, 1]) > 5).all()  # down the nose
    assert (points[17:27, 1] < right_eye[1]).all()
    mirrored = points[FACE68.flip] * (-1, 1) + (320, 0)
    np.testing.assert_allclose(mirrored, points, atol=6)


def test_there_is_no_face_in_noise_or_in_hair(face):
    noise = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    head = np.full_like(noise, 90)
    cv2.ellipse(head, (160, 150), (82, 100), 0, 0, 360, (70, 45, 35), -1, cv2.LINE_AA)
    for nothing in (noise, np.full_like(noise, 128), head):
        assert look(face, nothing).presence[0] < 0.01


def test_faces_against_the_light_are_stretched_to_the_full_range():
    rng = np.random.default_rng(3)
    crops = np.ones((3, 64, 64, 3), np.float32)  # bright around the face
    crops[0, 16:48, 16:48] = rng.uniform(0.1, 0.4, (32, 32, 3))
    crops[1, 16:48, 16:48] = 0.2 + 0.02 * rng.uniform(size=(32, 32, 3))
    crops[2] = rng.uniform(0, 1, (64, 64, 3))
    out = stretched(crops)
    assert out.dtype == np.float32
    assert out.min() == 0
    assert out.max() == 1
    middle = out[:, 16:48, 16:48].reshape(3, -1)
    np.testing.assert_allclose(np.percentile(middle[0], [3, 97]), [0, 1], atol=0.03)
    assert np.ptp(middle[1]) < 0.1  # what is nearly even is not blown up
    np.testing.assert_allclose(out[2], crops[2], atol=0.05)
    np.testing.assert_array_equal(stretched(crops[:1]), out[:1])


def test_noise_is_no_hand(hand):
    images = np.random.default_rng(0).integers(0, 256, (2, 300, 400, 3), dtype=np.uint8)
    images[1] = 120
    for image in (0, 1):
        arms = arm(0)._replace(image=np.array([image]))
        assert hand_score(hand.find(images, arms), arms) < 0.05


def test_a_hand_is_looked_at_again_where_the_first_look_found_something(hand, monkeypatch):
    seen = []

    def answer(images, image, views):
        seen.append(views)
        presence = np.array([0.9, 0.01])[: len(image)]
        points = np.tile(turned(FLAT_HAND, 0, (200, 150)), (len(image), 1, 1))
        return Hands(points + len(seen), presence / len(seen), np.zeros(len(image)), views.side.copy())

    monkeypatch.setattr(hand, "_look", answer)
    two = Arms(*(np.concatenate([a, a]) for a in arm(0)))
    out = hand.find(np.zeros((1, 300, 400, 3), np.uint8), two)
    assert [len(v.side) for v in seen] == [2, 1]
    np.testing.assert_allclose(out.presence, [0.45, 0.01])
    np.testing.assert_allclose(out.side_px, [seen[1].side[0], 150])
    assert hand_module.VIEW_M * 500 == 150


# --- real frames -----------------------------------------------------------------------------------------------------

FRAMES = (33, 66)


@pytest.fixture(scope="module")
def whole() -> WholeBody:
    return WholeBody(pick_device("cpu", 1), 16)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, People]:
    """Two frames of the demo clip, and boxes of the three people in each, known by eye."""
    pictures = []
    with open_reader(treadmill.clip()) as reader:
        for i in FRAMES:
            (batch,) = reader.read(i, i + 1, 1)
            pictures.append(batch.image[0].copy())
    boxes = 2 * np.array([treadmill.BOXES_PX[i] for i in FRAMES], float).reshape(-1, 4)
    return np.stack(pictures), People.from_boxes(np.repeat([0, 1], 3), boxes, np.ones(6))


@pytest.fixture(scope="module")
def seen(whole, scene) -> Poses:
    return whole.estimate(*scene)


def test_hands_sit_at_the_ends_of_the_arms_and_hidden_ones_score_nothing(seen, scene):
    score, points = seen.score.reshape(2, 3, 133), seen.keypoints_px.reshape(2, 3, 133, 2)
    left, right = HANDS.start, HANDS.start + 21
    # By eye: the man's left hand hangs, his right one is raised; the woman in front shows her back and her right hand.
    man, front = treadmill.MAN, treadmill.FRONT
    assert (score[:, man, left] > 0.6).all()
    assert (score[:, man, right] > MEASURED).all()
    assert (score[:, front, right] > MEASURED).all()
    assert (score[:, front, left] == 0).all()
    np.testing.assert_allclose(points[:, man, left : left + 21].mean(1), [(343, 455), (365, 460)], atol=20)
    np.testing.assert_allclose(points[:, man, right : right + 21].mean(1), [(193, 243), (225, 240)], atol=25)
    fingers = points[:, man, left + 12] - points[:, man, left]
    assert (fingers[:, 1] > 20).all()  # downwards


def test_nobody_there_shows_a_face_to_the_camera(seen):
    assert (seen.score[:, FACE] < MEASURED).all()


def test_feet_are_seen_but_for_the_small_toes(seen):
    feet_score = seen.score[:, FEET]
    assert (feet_score[:, [1, 4]] == 0).all()
    assert (feet_score[:, [0, 2, 3, 5]] > MEASURED).all()
    below = seen.keypoints_px[:, [19, 22], 1] - seen.keypoints_px[:, [15, 16], 1]  # heels under ankles
    assert (below > -5).all()


def test_the_body_is_thunders_and_the_certainty_its_mean(whole, scene, seen):
    body = whole.thunder.estimate(*scene)
    np.testing.assert_array_equal(seen.keypoints_px[:, BODY], body.keypoints_px)
    np.testing.assert_array_equal(seen.certainty, body.score.mean(1))
    assert seen.world_m is None


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
    network = WholeBody(pick_device("cpu", 2), 2, part)  # nor do threads and the size of batches matter
    poses = network.estimate(*scene)
    np.testing.assert_array_equal(poses.keypoints_px, seen.keypoints_px[:, columns])
    np.testing.assert_array_equal(poses.score, seen.score[:, columns])
    np.testing.assert_array_equal(poses.certainty, seen.certainty)
    assert len(network.skeleton) == columns.stop - columns.start
    assert len(network.sessions) == 3


def test_hidden_and_tiny_hands_are_not_even_looked_for(whole, scene, monkeypatch):
    """The people of the clip turned away: BlazePose says that their wrists and noses cannot be seen."""
    images, people = scene
    answer = whole.blazepose.estimate(images, people)
    monkeypatch.setattr(whole.blazepose, "estimate", lambda *_: answer._replace(score=np.full_like(answer.score, 0.05)))
    calls = [session.calls for session in whole.sessions]
    poses = whole.estimate(images, people)
    assert (poses.score[:, FACE.start :] == 0).all()
    assert [s.calls for s in whole.sessions][2:] == calls[2:]
    wrists = [BLAZEPOSE33.index("left_wrist"), BLAZEPOSE33.index("right_wrist")]
    np.testing.assert_allclose(poses.keypoints_px[:, [91, 112]], answer.keypoints_px[:, wrists], atol=1e-3)


def sure_hands(images: np.ndarray, arms: Arms, outside: int = 0) -> Hands:
    """A stand-in that is sure of a hand at every wrist, with some of its points outside the picture."""
    points = np.repeat(arms.wrist[:, None], 21, 1)
    points[:, 21 - outside :] = (-5, 40)
    n = len(arms.image)
    return Hands(points, np.ones(n), np.full(n, 0.5), hand_module.VIEW_M * arms.px_per_m)


def test_the_hands_of_the_neighbour_are_not_this_persons(whole, scene, monkeypatch):
    """BlazePose took the man for the woman in front and the other way around."""
    images, people = scene
    two = people.take(np.array([treadmill.FRONT, treadmill.MAN]))
    right = whole.blazepose.estimate(images, two)
    wrong = Poses(*(value[::-1].copy() for value in right[:3]))
    monkeypatch.setattr(whole.hand, "find", sure_hands)
    for answer, hands in ((right, 1.0), (wrong, 0.0)):
        monkeypatch.setattr(whole.blazepose, "estimate", lambda *_, answer=answer: answer)
        score = whole.estimate(images, two).score
        assert score[:, HANDS].max() == hands
        assert (score[:, FEET].max() > 0) == (hands > 0)


@pytest.mark.parametrize(("outside", "share"), [(0, 1.0), (3, 1.0), (10, 0.45), (15, 0.0)])
def test_of_a_hand_at_the_border_only_what_is_inside_is_told(whole, scene, monkeypatch, outside, share):
    monkeypatch.setattr(whole.hand, "find", lambda images, arms: sure_hands(images, arms, outside))
    images, people = scene
    man = np.array([treadmill.MAN])
    score = whole.estimate(images[:1], people.take(man)).score[0, HANDS].reshape(2, 21)
    assert (score[:, 21 - outside :] == 0).all()
    np.testing.assert_allclose(score[:, : 21 - outside], share, atol=0.01)


def test_nobody_gives_nothing(whole, scene):
    poses = whole.estimate(scene[0], People.empty())
    assert poses.keypoints_px.shape == (0, 133, 2)
    assert poses.score.shape == (0, 133)


def test_arms_go_by_person_then_side():
    blaze = poses({"left_wrist": (1, 2), "right_wrist": (3, 4)}, BLAZEPOSE33, 0.8)
    two = Poses(np.repeat(blaze.keypoints_px, 2, 0), np.repeat(blaze.score, 2, 0))
    arms, visible = arms_of(np.array([4, 7]), two, np.array([10.0, 20.0]))
    assert arms.image.tolist() == [4, 4, 7, 7]
    assert arms.right.tolist() == [False, True, False, True]
    assert arms.wrist.tolist() == [[1, 2], [3, 4]] * 2
    assert arms.px_per_m.tolist() == [10, 10, 20, 20]
    np.testing.assert_allclose(visible, 0.8)
