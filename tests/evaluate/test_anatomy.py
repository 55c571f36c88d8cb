"""Motion capture with the knees, and the continuity, of people."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluate import anatomy
from pipeline.evaluate.mocap_types import AT, Mocap
from tests.lift import walkers

PAIRS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"), ("ankle", "toe"))


def lengths(points: np.ndarray) -> np.ndarray:
    """(…, 10) m of the limbs of both sides."""
    return np.stack(
        [
            np.linalg.norm(points[..., AT[f"{s}_{a}"], :] - points[..., AT[f"{s}_{b}"], :], axis=-1)
            for a, b in PAIRS
            for s in anatomy.SIDES
        ],
        -1,
    )


def stander(knee_deg: float, n: int = 200) -> np.ndarray:
    """(n, 23, 3) m, y up: somebody who stands, looks along +z, and keeps both knees bent so much."""
    points = walkers.walker(n)
    points = np.repeat(points[:1], n, 0)
    for side in anatomy.SIDES:
        hip = points[:, AT[f"{side}_hip"]]
        half = np.radians(knee_deg / 2)
        knee = hip + 0.42 * np.array([0, -np.cos(half), np.sin(half)])
        ankle = knee + 0.42 * np.array([0, -np.cos(half), -np.sin(half)])
        moved = ankle - points[:, AT[f"{side}_ankle"]]
        points[:, AT[f"{side}_knee"]] = knee
        for name in ("ankle", "ball", "toe"):
            points[:, AT[f"{side}_{name}"]] += moved
    return points


def recording(*trials: np.ndarray, subjects: tuple[str, ...] | None = None) -> Mocap:
    length = np.array([len(t) for t in trials])
    names = np.array(subjects or [f"{i:02}" for i in range(len(trials))])
    return Mocap(np.concatenate(trials), np.concatenate([[0], np.cumsum(length)[:-1]]), length, names, 60.0)


@pytest.mark.parametrize("joint", ["knee", "elbow"])
def test_a_limb_bends_less_by_the_angle_and_keeps_its_lengths(joint: str) -> None:
    points = walkers.walker(120)
    before = anatomy.flexion(points, "left", joint)
    after = anatomy.bent(points, joint, "left", 6.0)
    now = anatomy.flexion(after, "left", joint)
    far = before > 16
    np.testing.assert_allclose(now[far], before[far] - 6, atol=0.1)
    assert (now >= 0).all()
    assert (now <= before + 1e-3).all()
    np.testing.assert_allclose(lengths(after), lengths(points), atol=1e-5)
    np.testing.assert_array_equal(anatomy.flexion(after, "right", joint), anatomy.flexion(points, "right", joint))
    first = "hip" if joint == "knee" else "shoulder"
    np.testing.assert_array_equal(after[:, AT[f"left_{first}"]], points[:, AT[f"left_{first}"]])


def test_a_straight_knee_stays_and_bends_forward() -> None:
    points = stander(1.0)
    after = anatomy.bent(points, "knee", "left", 25.0)
    assert anatomy.flexion(after, "left").max() < 1.01
    middle = (after[:, AT["left_hip"]] + after[:, AT["left_ankle"]]) / 2
    assert (after[:, AT["left_knee"], 2] >= middle[:, 2] - 1e-4).all()


def test_the_offset_of_each_knee_is_found_and_taken_out() -> None:
    crouched, straight = stander(22, 3000), stander(4, 3000)
    found = anatomy.offsets(recording(crouched, straight))
    assert found["00", "left"].deg == pytest.approx(18, abs=1)
    assert found["01", "right"].deg == pytest.approx(0, abs=1)
    mended = anatomy.anatomical(recording(crouched, straight))
    for i in range(2):
        for side in anatomy.SIDES:
            assert np.median(anatomy.flexion(mended.trial(i), side)) < 6


def test_a_subject_who_hardly_stands_gets_the_usual_offset() -> None:
    found = anatomy.offsets(recording(stander(22, 10)))
    assert found["00", "left"] == anatomy.Offset(anatomy.USUAL_DEG, 10)


def test_recordings_are_cut_where_they_leap() -> None:
    leaping = walkers.walker(240)
    leaping[:3] = leaping[:3] + np.array([0, 0, 0.9], np.float32)  # a first pose that is left from elsewhere
    hand = walkers.walker(240)
    hand[150:, AT["left_wrist"]] += 0.6
    cut = anatomy.pieces(recording(walkers.walker(240), leaping, hand, subjects=("a", "b", "c")))
    assert [(s, int(n)) for s, n in zip(cut.subject, cut.length, strict=True)][:2] == [("a", 240), ("b", 236)]
    assert cut.length[2:].tolist() == [150, 90]
    assert cut.start.tolist() == [0, 240, 476, 626]
    np.testing.assert_array_equal(cut.trial(2), hand[:150])


def test_a_jump_from_the_floor_is_no_leap() -> None:
    push = np.zeros(120)
    push[30:39], push[39:76], push[76:84] = 20.0, -9.81, 22.5  # m/s²: off the floor at 3 m/s, and caught
    height = np.cumsum(np.cumsum(push)) / 60**2
    points = np.repeat(walkers.walker(120)[:1], 120, 0)
    points[..., 1] += height[:, None].astype(np.float32)
    assert not anatomy.leaps(points, 60.0).any()
