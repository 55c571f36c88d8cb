"""People who lie, hang or stand on their hands: angles do not depend on how the body is turned in the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.measure.angles import points
from pipeline.measure.frontal import frontal
from pipeline.measure.kinematics import facing, kinematics
from tests import synthetic
from tests.measure.test_frontal import body, in_camera
from tests.motion.exchanges import halpe
from tests.motion.motions import exact

T = np.arange(0, 1.5, 1 / 30)
MIDDLE = np.array([600.0, 500.0])


def _turned(px: np.ndarray, deg: np.ndarray | float) -> np.ndarray:
    """Points (T, K, 2) clockwise by ``deg``, a number or (T,), about a place in the picture."""
    c, s = (np.broadcast_to(f(np.radians(deg)), len(px))[:, None] for f in (np.cos, np.sin))
    x, y = np.moveaxis(px - MIDDLE, -1, 0)
    return np.stack([c * x - s * y, s * x + c * y], -1) + MIDDLE


def _walk(skeleton: Skeleton, way: float, speed: float = 250.0) -> np.ndarray:
    px = synthetic.from_the_side(synthetic.walker(T, velocity_px_s=(way * speed, 0)))
    return halpe(px, 400, way) if skeleton is HALPE26 else px


@pytest.mark.parametrize("skeleton", [COCO17, HALPE26], ids=["coco", "halpe"])
@pytest.mark.parametrize("way", [1.0, -1.0])
@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.one_of(st.just(180.0), st.floats(-180, 180)))
def test_flexions_and_facing_do_not_depend_on_how_the_picture_is_turned(
    skeleton: Skeleton, way: float, deg: float
) -> None:
    px = _walk(skeleton, way)
    one, other = (exact(T, at, skeleton) for at in (px, _turned(px, deg)))
    np.testing.assert_array_equal(facing(one, skeleton), facing(other, skeleton))
    assert (facing(other, skeleton) == way).all()
    first, second = kinematics(one, skeleton), kinematics(other, skeleton)
    flexions = [n for n in first if n.endswith(("flexion_deg", "flexion_deg_s"))]
    assert len(flexions) >= 16
    for name in flexions:
        np.testing.assert_allclose(second[name], first[name], atol=0.2, err_msg=name)
    off = second["trunk_lean_deg"] - first["trunk_lean_deg"] - way * deg
    np.testing.assert_allclose(off, 360 * np.round(off / 360), atol=0.1)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.floats(-180, 180))
def test_the_frontal_plane_does_not_depend_on_how_the_picture_is_turned(deg: float) -> None:
    px = np.full((1, 17, 2), np.nan)
    for name, place in in_camera(body(left_elbow=(0.1, 0.4, -0.4), right_knee=(0.0, -0.4, 0.25))).items():
        if name in COCO17.names:
            px[0, COCO17.index(name)] = MIDDLE + 200 * place[:2]
    one, other = (frontal(points(exact(np.zeros(1), at), COCO17)) for at in (px, _turned(px, deg)))
    for name in one:
        if name.endswith(("abduction_deg", "valgus_deg")):
            np.testing.assert_allclose(other[name], one[name], atol=0.05, err_msg=name)
            assert np.isfinite(one[name]).all()


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_somebody_on_the_hands_has_a_lean_without_jumps(way: float) -> None:
    px = _turned(_walk(HALPE26, way, 0.01), 180 + 12 * np.sin(2 * np.pi * T))
    for rows in (slice(None), np.r_[0:15, 25:45]):  # with a gap, too
        motion = exact(T[rows], px[rows], HALPE26, np.arange(len(T))[rows])
        lean = kinematics(motion, HALPE26)["trunk_lean_deg"]
        assert np.isfinite(lean).all()
        assert np.abs(np.diff(lean)).max() < 25
        assert np.abs(lean).min() > 160


def test_a_cartwheel_goes_on_beyond_a_turn() -> None:
    lean = kinematics(exact(T, _turned(_walk(HALPE26, 1.0, 0.01), 400 * T), HALPE26), HALPE26)["trunk_lean_deg"]
    assert lean[-1] - lean[0] == pytest.approx(400 * (T[-1] - T[0]), abs=1)


def test_whoever_turns_round_while_head_down_keeps_the_turn() -> None:
    one, other = _walk(HALPE26, 1.0, 0.01), _walk(HALPE26, -1.0, 0.01)
    px = np.concatenate([one, other + (one - other).mean((0, 1))])
    t = np.arange(len(px)) / 30
    lean = kinematics(exact(t, _turned(px, 178.0), HALPE26), HALPE26)["trunk_lean_deg"]
    lean = lean[np.isfinite(lean)]
    assert np.abs(np.diff(lean)).max() < 10
