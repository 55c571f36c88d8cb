"""Crops of hands and faces, where they are looked for, and what the two networks find."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.core.wholebody_sets import FACE68
from pipeline.models.embedded import hand as hand_module
from pipeline.models.embedded.face import FaceNetwork, Faces, Heads, facing, stretched, views_of_faces, views_of_heads
from pipeline.models.embedded.hand import Arms, HandNetwork, Hands, views_of_arms, views_of_hands
from pipeline.models.embedded.turned import Views, rotation, to_image, turned_crops
from pipeline.models.embedded.wholebody import hand_scores
from pipeline.models.runtime import pick_device

ANGLES = [0, 37, 90, 180, -140]


def turned(points: np.ndarray, angle_deg: float, at=(0.0, 0.0)) -> np.ndarray:
    return points @ rotation(np.deg2rad([angle_deg]))[0].T + np.array(at)


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


# --- hands -----------------------------------------------------------------------------------------------------------


def arm(angle_deg: float, length: float = 125.0, px_per_m: float = 500.0) -> Arms:
    """A forearm of ``length`` px that points upwards, and then is turned."""
    elbow, wrist = turned(np.array([[0.0, length], [0.0, 0.0]]), angle_deg, (200, 150))[:, None]
    return Arms(np.array([0]), np.array([False]), elbow, wrist, np.array([px_per_m]))


@pytest.mark.parametrize("angle_deg", ANGLES)
@pytest.mark.parametrize(("length", "ahead_m"), [(125.0, 0.075), (200.0, 0.075), (62.5, 0.05), (1.0, 0.0254)])
def test_a_hand_is_looked_for_ahead_of_the_wrist(angle_deg, length, ahead_m):
    """Nearer to it where the forearm points at the camera, since then the hand mostly does, too."""
    view = views_of_arms(arm(angle_deg, length))
    wrist = np.array([[[50.0, 50 + 100 * ahead_m / hand_module.VIEW_M]]])  # below the middle, so the fingers point up
    np.testing.assert_allclose(to_image(wrist, view, 100)[0, 0], [200, 150], atol=1e-6)


def test_an_arm_without_a_length_has_its_hand_at_the_wrist():
    view = views_of_arms(arm(0, 0.0))
    np.testing.assert_allclose(view.centre[0], [200, 150])
    assert np.isfinite(view.angle).all()


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


# --- faces -----------------------------------------------------------------------------------------------------------


def head(angle_deg: float = 0, apart: float = 30.0, middle=(160.0, 150.0), px_per_m: float = 600.0) -> Heads:
    """A head that looks at the camera and leans by an angle: its eyes ``apart`` px to both sides of their middle."""
    points = [(apart, 0), (-apart, 0), (1.6 * apart, 5), (-1.6 * apart, 5), (0, -90), (0, 120)]
    return Heads(*(turned(np.array([p], float), angle_deg, middle) for p in points), np.array([px_per_m]))


@pytest.mark.parametrize("angle_deg", ANGLES)
@pytest.mark.parametrize("apart", [30.0, 0.0, -30.0])  # at the camera, from the side, from behind
def test_a_face_is_looked_for_upright_below_the_eyes(angle_deg, apart):
    view = views_of_heads(head(angle_deg, apart))
    assert np.cos(view.angle[0] - np.deg2rad(angle_deg)) == pytest.approx(1)
    below = turned(view.centre[0] - (160, 150), -angle_deg)
    np.testing.assert_allclose(below, [0, 2.5 + 12], atol=1e-6)
    assert view.side[0] == pytest.approx(168)


def test_a_head_that_leans_out_of_its_neck_is_upright_between_neck_and_eyes():
    leaning = head(30)._replace(top=np.array([[160.0, 60]]), neck=np.array([[160.0, 270]]))
    assert 10 < np.rad2deg(views_of_heads(leaning).angle[0]) < 30


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


# --- the networks ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def face() -> FaceNetwork:
    return FaceNetwork(pick_device("cpu", 1), 4)


@pytest.fixture(scope="module")
def hand() -> HandNetwork:
    return HandNetwork(pick_device("cpu", 1))


SCALE = np.array([850.0])
EYES, MOUTH, CHIN = ((130, 150), (190, 150)), (160, 218), 258


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
    points = turned(np.array([(0.0, -10), (0, -110), (0, 140)]), angle_deg, (160, 160))
    middle, top, neck = points[:, None]
    across = turned(np.array([[30.0, 0.0]]), angle_deg)
    heads = Heads(middle + across, middle - across, middle + 2 * across, middle - 2 * across, top, neck, SCALE)
    return face.find(image[None], np.array([0]), views_of_heads(heads))


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
        assert hand_scores(hand.find(images, arms), arms, np.ones(1))[0] < 0.05


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
    np.testing.assert_allclose(out.side_px, [seen[1].side[0], 500 * hand_module.VIEW_M])
