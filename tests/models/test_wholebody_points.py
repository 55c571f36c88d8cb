"""Whole bodies: how large a body is, and what speaks against a hand or face."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.keypoint_sets import HALPE26
from pipeline.models.detections import Poses
from pipeline.models.embedded.face import Faces
from pipeline.models.embedded.hand import Arms, Hands
from pipeline.models.embedded.wholebody import (
    LENGTHS_M,
    arms_of,
    face_scores,
    hand_scores,
    heads_of,
    inside,
    px_per_metre,
    without_doubles,
)

MEASURED = 0.3  # score from which later stages take a point as measured

# --- the body's size -------------------------------------------------------------------------------------------------

PX_PER_M = 300.0
BOX = np.array([[0.0, 0, 100, 1.04 * 1.7 * 200]])


def poses(points: dict[str, tuple[float, float]], score: float = 1.0) -> Poses:
    """One person of whom these points are known; the others lie far away with a score of 0."""
    xy, s = np.full((1, 26, 2), 900.0, np.float32), np.zeros((1, 26), np.float32)
    for name, point in points.items():
        xy[0, HALPE26.index(name)], s[0, HALPE26.index(name)] = point, score
    return Poses(xy, s)


def upright(px_per_m: float = PX_PER_M) -> dict[str, tuple[float, float]]:
    """Somebody 1.70 m tall who stands before the camera."""
    metres = {"head": (0, 0.0), "neck": (0, 0.25), "left_ear": (0.08, 0.12), "right_ear": (-0.08, 0.12)}
    for side, x in (("left", 0.17), ("right", -0.17)):
        heights = {"shoulder": 0.31, "hip": 0.8, "knee": 1.216, "ankle": 1.634}
        metres |= {f"{side}_{joint}": (x, y) for joint, y in heights.items()}
    return {name: (400 + x * px_per_m, 50 + y * px_per_m) for name, (x, y) in metres.items()}


def scale_of(points: dict[str, tuple[float, float]], score: float = 1.0) -> float:
    return float(px_per_metre(poses(points, score), BOX)[0])


@pytest.mark.parametrize("px_per_m", [40.0, 300.0])
def test_the_scale_is_that_of_somebody_who_stands(px_per_m):
    assert scale_of(upright(px_per_m)) == pytest.approx(px_per_m, rel=0.02)


def test_what_points_at_the_camera_does_not_make_a_person_smaller():
    sitting = upright()
    for side in ("left", "right"):
        x, y = sitting[f"{side}_hip"]
        sitting |= {f"{side}_knee": (x, y + 20), f"{side}_ankle": (x, y + 40)}
    assert scale_of(sitting) == pytest.approx(PX_PER_M, rel=0.03)
    from_the_side = sitting | {name: (400, y) for name, (_, y) in sitting.items() if "_ear" in name or "shou" in name}
    assert scale_of(from_the_side) == pytest.approx(PX_PER_M, rel=0.03)


def test_a_misplaced_point_counts_little():
    for y in (900.0, 9000.0):
        assert PX_PER_M < scale_of(upright() | {"left_ankle": (400.0, y)}) < 1.25 * PX_PER_M


def test_only_lengths_between_seen_points_count_and_else_the_box():
    assert scale_of(upright(), 0.2) == pytest.approx(200)
    assert scale_of({}) == pytest.approx(200)
    ears = {name: at for name, at in upright().items() if "ear" in name}
    assert scale_of(ears) == pytest.approx(0.16 / 0.165 * PX_PER_M, rel=0.01)
    assert px_per_metre(Poses(np.zeros((0, 26, 2)), np.zeros((0, 26))), np.zeros((0, 4))).shape == (0,)


def test_the_lengths_are_between_points_that_there_are():
    for a, b, metres in LENGTHS_M:
        assert set(a) | set(b) <= set(HALPE26.names)
        assert 0.1 < metres < 0.6


# --- what speaks against a point -------------------------------------------------------------------------------------


def found(wrist=(100.0, 100.0), presence=1.0, right=0.0, side=90.0) -> Hands:
    return Hands(np.tile(np.array(wrist), (1, 21, 1)), np.array([presence]), np.array([right]), np.array([side]))


def hanging(px_per_m: float = PX_PER_M, right: bool = False) -> Arms:
    at = np.array([[100.0, 100.0]])
    return Arms(np.array([0]), np.array([right]), at - (0, 70), at, np.array([px_per_m]))


def hand_score(hands: Hands, arms: Arms, visible: float = 1.0) -> float:
    return float(hand_scores(hands, arms, np.array([visible]))[0])


def test_a_hand_loses_what_speaks_against_it():
    assert hand_score(found(), hanging()) == 1
    assert hand_score(found(presence=0.6), hanging()) == pytest.approx(0.6)
    assert hand_score(found(), hanging(), visible=0.2) == 0
    assert hand_score(found(), hanging(), visible=0.24) < MEASURED  # behind the back
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


def test_a_face_has_to_lie_where_the_body_has_it():
    elsewhere = {name: (x + 60, y) for name, (x, y) in HEAD.items()}
    assert face_scores(face_at(), poses(HEAD)) == pytest.approx(1)
    assert face_scores(face_at(presence=0.4), poses(HEAD)) == pytest.approx(0.4)
    assert (face_scores(face_at(), poses(elsewhere)) == 0).all()
    one = poses(HEAD)
    one.keypoints_px[0, 0], one.score[0, 0] = (300, 300), 0.3  # an unsure point has no say
    assert face_scores(face_at(), one) == pytest.approx(1)
    assert (face_scores(face_at(), poses(HEAD, 0.25)) < MEASURED).all()
    assert (face_scores(face_at(side=11), poses(HEAD)) == 0).all()
    hidden = face_at()._replace(facing=np.linspace(0, 1, 68)[None])
    np.testing.assert_allclose(face_scores(hidden, poses(HEAD)), hidden.facing)


def test_the_face_of_a_mirrored_head_is_none():
    """Of a head from behind RTMPose has the left eye on the left, where the mesh has the right one."""
    behind = {"nose": HEAD["nose"], "left_eye": HEAD["right_eye"], "right_eye": HEAD["left_eye"]}
    assert (face_scores(face_at(), poses(behind)) < 0.7).all()
    assert (face_scores(face_at(side=60), poses(behind)) == 0).all()


def test_points_outside_the_picture_are_told():
    points = np.array([[[0, 0], [319, 239], [320, 10], [5, 240], [-1, 5]]], float)
    assert inside(points, (240, 320)).tolist() == [[True, True, False, False, False]]


def test_arms_go_by_person_then_side():
    body = poses({"left_wrist": (1, 2), "right_wrist": (3, 4), "left_elbow": (5, 6), "right_elbow": (7, 8)}, 0.8)
    two = Poses(np.repeat(body.keypoints_px, 2, 0), np.repeat(body.score, 2, 0))
    arms, visible = arms_of(np.array([4, 7]), two, np.array([10.0, 20.0]))
    assert arms.image.tolist() == [4, 4, 7, 7]
    assert arms.right.tolist() == [False, True, False, True]
    assert arms.wrist.tolist() == [[1, 2], [3, 4]] * 2
    assert arms.elbow.tolist() == [[5, 6], [7, 8]] * 2
    assert arms.px_per_m.tolist() == [10, 10, 20, 20]
    np.testing.assert_allclose(visible, 0.8)


def test_heads_have_the_bodys_points():
    names = ("left_eye", "right_eye", "left_ear", "right_ear", "head", "neck")
    heads = heads_of(poses({name: (i, 2 * i) for i, name in enumerate(names)}), np.array([PX_PER_M]))
    for i, value in enumerate(heads[:6]):
        assert value.tolist() == [[i, 2 * i]]
    assert heads.px_per_m.tolist() == [PX_PER_M]
