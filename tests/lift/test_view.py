"""The network's view of a person does not depend on where in the picture the person is, nor on how large."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import BLAZEPOSE33, COCO17
from pipeline.lift.joints import FEET, HIPS, JOINTS, POINTS, K, flipped, sources
from pipeline.lift.view import EXTRA, FEATURES, look_at, view


def _person(rng: np.random.Generator, t: int = 40) -> np.ndarray:
    """(t, K, 3) a wobbling cloud of joints about the hips, which lie in the origin."""
    p = 0.3 * rng.normal(size=(1, K, 3)) + 0.02 * np.cumsum(rng.normal(size=(t, K, 3)), 0)
    p[:, HIPS[0]] = -p[:, HIPS[1]]
    return p


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.9, 0.9), st.floats(-0.6, 0.6))
def test_look_at_brings_the_ray_onto_the_axis(x: float, y: float) -> None:
    turn = look_at(np.array([x, y]))
    ray = np.array([x, y, 1]) / np.sqrt(x * x + y * y + 1)
    assert turn @ ray == pytest.approx([0, 0, 1], abs=1e-12)
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    assert turn[0, 1] == pytest.approx(0)  # x stays level


def test_a_turned_camera_sees_the_same() -> None:
    rng = np.random.default_rng(0)
    person, score = _person(rng), np.ones((1, 40, K))
    straight = person + np.array([0, 0, 5.0])
    turn = look_at(np.array([0.4, -0.2]))
    aside = straight @ turn  # the same person in front of a camera that looks elsewhere
    one = view((straight[..., :2] / straight[..., 2:])[None], score, 30.0)
    two = view((aside[..., :2] / aside[..., 2:])[None], score, 30.0)
    # The middle of the two hips' rays is not quite the ray to their middle, so a little differs.
    assert np.abs(one.features[..., : 3 * K] - two.features[..., : 3 * K]).max() < 0.04
    assert two.centre[0, 0] == pytest.approx([0.4, -0.2], abs=0.01)


def test_size_is_a_feature_of_its_own() -> None:
    rng = np.random.default_rng(1)
    rays, score = 0.05 * rng.normal(size=(1, 30, K, 2)), np.ones((1, 30, K))
    small, large = view(rays, score, 30.0).features[0], view(1.02 * rays, score, 30.0).features[0]
    assert np.abs(small[:, : 3 * K] - large[:, : 3 * K]).max() < 0.01
    assert large[:, 3 * K] - small[:, 3 * K] == pytest.approx(np.full(30, np.log(1.02)), abs=1e-3)


def test_what_is_not_seen_is_zero_and_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    rays, score = 0.1 * rng.normal(size=(1, 30, K, 2)), np.ones((1, 30, K))
    score[0, 5:9, 3] = 0
    other = rays.copy()
    other[0, 5:7, 3], other[0, 7:9, 3] = 9.0, np.nan
    one, two = view(rays, score, 30.0).features, view(other, score, 30.0).features
    assert np.array_equal(one, two)
    assert one.shape == (1, 30, FEATURES) == (1, 30, 3 * K + EXTRA)
    assert not one[0, 5:9, 6:8].any()
    assert not one[0, 5:9, 2 * K + 3].any()


def test_hips_are_filled_from_the_frames_that_show_one() -> None:
    rays, score = np.zeros((1, 9, K, 2)), np.ones((1, 9, K))
    rays[0, :, HIPS, 0] = np.linspace(0, 0.8, 9)
    score[0, 3:6, HIPS] = 0
    assert view(rays, score, 30.0).centre[0, :, 0] == pytest.approx(np.linspace(0, 0.8, 9), abs=1e-6)
    score[..., HIPS] = 0
    with pytest.raises(ValueError, match="hips"):
        view(rays, score, 30.0)


def test_the_speed_of_the_hips_is_in_sizes_a_second_at_every_rate() -> None:
    rng = np.random.default_rng(3)
    shape = 0.05 * rng.normal(size=(1, 1, K, 2))
    shape[:, :, HIPS] = 0
    speeds = []
    for rate, stride in ((30.0, 1), (120.0, 4)):
        t = np.arange(int(rate)) / rate
        rays = shape + 0.04 * t[None, :, None, None] * np.array([1, 0])
        speeds.append(view(rays, np.ones(rays.shape[:3]), rate, stride).features[0, -1, -2])
    assert speeds[0] == pytest.approx(speeds[1], rel=0.02)
    assert speeds[0] > 0.3


def test_points_of_the_sets() -> None:
    assert list(sources(COCO17)) == [*range(17), -1, -1, -1, -1]
    for skeleton, toe in ((BLAZEPOSE33, "left_foot_index"), (HALPE26, "left_big_toe")):
        where = sources(skeleton)
        assert skeleton.names[where[POINTS.index("left_toe")]] == toe
        assert all(skeleton.names[where[POINTS.index(n)]] == n for n in POINTS if n not in FEET)
    other = flipped(JOINTS)
    assert JOINTS[other[JOINTS.index("left_heel")]] == "right_heel"
    assert JOINTS[other[JOINTS.index("neck")]] == "neck"
    assert list(other[other]) == list(range(len(JOINTS)))
