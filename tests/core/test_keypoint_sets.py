"""Keypoint sets as data: consistent in themselves, found by name and number."""

from __future__ import annotations

import re

import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.keypoint_sets import FACE106, HALPE26, HAND21, SETS, by_count, by_name


@pytest.mark.parametrize("name", sorted(SETS))
def test_limbs_and_pairs_are_of_the_sets_own_points(name):
    points = SETS[name]
    used = [k for pair in points.pairs for k in pair]
    assert len(used) == len(set(used))
    assert all(0 <= k < len(points) for pair in (*points.limbs, *points.pairs) for k in pair)
    assert all(a != b for a, b in points.limbs)
    assert all(0 < sigma < 0.2 for sigma in points.sigmas)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", n) for n in points.names)


def test_lapas_mouth_and_eyes_have_their_left_on_the_persons_left():
    # Numbers grow from the person's right to the left, and back along the lower lip.
    assert {(32, 0), (79, 66), (90, 84), (91, 95), (105, 104)} <= set(FACE106.pairs)


def test_a_single_hand_has_no_sides():
    assert HAND21.names[:2] == ("wrist", "thumb1")
    assert (HAND21.pairs, len(HAND21.limbs)) == ((), 20)


def test_by_number_and_by_name():
    assert by_count(26)[0].name == "halpe26"
    unknown, warning = by_count(5)
    assert (unknown.names[4], unknown.limbs, warning) == ("point_4", (), "its 5 keypoints have no names")
    with pytest.raises(PoselineError, match="has 17 points where the network has 26; choose halpe26"):
        by_name("ap10k", 26)


def test_halpes_body_hangs_together_and_no_line_is_drawn_twice():
    lines = {frozenset(limb) for limb in HALPE26.limbs}
    assert len(lines) == len(HALPE26.limbs)
    named = {frozenset(HALPE26.names[k] for k in limb) for limb in HALPE26.limbs}
    assert {frozenset(pair) for pair in (("head", "neck"), ("neck", "hip"), ("left_heel", "left_big_toe"))} <= named
    assert frozenset(("left_shoulder", "left_hip")) not in named  # the trunk is its middle line
    reached = {HALPE26.index("hip")}
    for _ in HALPE26.names:
        reached |= {k for line in lines if line & reached for k in line}
    face = {HALPE26.index(n) for n in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")}
    assert reached == set(range(26)) - face


def test_halpes_sides_are_mirrored_with_feet():
    pairs = {HALPE26.names[a]: HALPE26.names[b] for a, b in HALPE26.pairs}
    assert len(pairs) == 11
    assert pairs["left_small_toe"] == "right_small_toe"
    lines = {frozenset(limb) for limb in HALPE26.limbs}
    assert {frozenset(HALPE26.flip[list(limb)].tolist()) for limb in HALPE26.limbs} == lines
    assert [HALPE26.side(HALPE26.index(n)) for n in ("head", "neck", "hip", "left_heel")] == [0, 0, 0, -1]
