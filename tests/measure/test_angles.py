"""Angles of stick figures, exact and in every orientation; facing; speeds."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import BLAZEPOSE33, COCO17
from pipeline.core.types import NO_POINTS, Motion
from pipeline.measure.angles import angles, points, unwrap, wrap
from pipeline.measure.angles_3d import angles_3d
from pipeline.measure.kinematics import facing, kinematics
from pipeline.measure.metres import InMetres
from tests import synthetic
from tests.motion.exchanges import halpe
from tests.motion.motions import exact

SIDES = ("left", "right")


def _figure(way: int, *, hip: float, knee: float, ankle: float, shoulder: float, elbow: float, lean: float) -> dict:
    """Points (6, 1) of a figure that faces ``way``, with these angles in degrees on both sides."""
    a = np.deg2rad

    def turned(degrees: float) -> np.ndarray:
        """Unit vector that hangs down and is turned forwards by so many degrees."""
        return np.array([way * np.sin(a(degrees)), np.cos(a(degrees))])

    p: dict[str, np.ndarray] = {}
    pelvis = np.array([500.0, 400.0])
    neck = pelvis - 120 * turned(-lean)
    for s in SIDES:
        p[f"{s}_hip"], p[f"{s}_shoulder"] = pelvis, neck
        p[f"{s}_knee"] = pelvis + 100 * turned(hip - lean)
        p[f"{s}_ankle"] = p[f"{s}_knee"] + 90 * turned(hip - lean - knee)
        p[f"{s}_heel"] = p[f"{s}_ankle"] + 5 * turned(hip - lean - knee)
        p[f"{s}_toe"] = p[f"{s}_heel"] + 40 * turned(hip - lean - knee + 90 + ankle)
        p[f"{s}_elbow"] = neck + 70 * turned(shoulder - lean)
        p[f"{s}_wrist"] = p[f"{s}_elbow"] + 60 * turned(shoulder - lean + elbow)
    return {name: np.concatenate([xy, np.zeros(4)])[:, None] for name, xy in p.items()}


@pytest.mark.parametrize("way", [1, -1])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.floats(-30, 120),
    st.floats(-10, 150),
    st.floats(-40, 30),
    st.floats(-60, 170),
    st.floats(0, 150),
    st.floats(-30, 60),
)
def test_joint_angles_are_exact(
    way: int, hip: float, knee: float, ankle: float, shoulder: float, elbow: float, lean: float
) -> None:
    p = _figure(way, hip=hip, knee=knee, ankle=ankle, shoulder=shoulder, elbow=elbow, lean=lean)
    out = angles(p, np.array([float(way)]))
    for s in SIDES:
        for name, value in (
            ("hip_flexion", hip), ("knee_flexion", knee), ("ankle_dorsiflexion", ankle), ("shoulder_flexion", shoulder),
            ("elbow_flexion", elbow),
        ):  # fmt: skip
            np.testing.assert_allclose(out[f"{s}_{name}_deg"], value, atol=1e-6)
    np.testing.assert_allclose(out["trunk_lean_deg"], lean, atol=1e-6)


def test_velocities_are_the_derivatives() -> None:
    t = np.arange(0, 2, 1e-3)
    truth = synthetic.walker(t, height_px=400)
    out = kinematics(exact(t, truth), COCO17)
    inner = slice(5, -5)
    for name in (
        "left_knee_flexion_deg",
        "right_hip_flexion_deg",
        "left_elbow_flexion_deg",
        "trunk_lean_deg",
        "left_shank_segment_deg",
    ):
        slope = np.gradient(out[name].astype(np.float64), t)
        error = out[f"{name}_s"][inner] - slope[inner]
        assert np.median(np.abs(error)) < 0.01 * np.ptp(slope) + 1.0, name


def test_a_walker_bends_as_made_whichever_way() -> None:
    t = np.arange(0, 6, 1 / 60)
    for speed in (250.0, -250.0):
        out = kinematics(exact(t, synthetic.walker(t, velocity_px_s=(speed, 0))), COCO17)
        swing = 2 * np.pi * 0.95 * t
        knee = 55 * (0.15 + 0.85 * np.maximum(np.cos(swing + 0.3), 0) ** 2)
        np.testing.assert_allclose(out["left_knee_flexion_deg"][30:-30], knee[30:-30], atol=0.1)
        assert np.nanmax(out["left_hip_flexion_deg"][30:-30]) == pytest.approx(25, abs=2)


def test_facing_survives_a_treadmill_and_follows_a_turn() -> None:
    t = np.arange(0, 4, 1 / 30)
    there, back = (synthetic.walker(t, velocity_px_s=(v, 0)) for v in (200.0, -200.0))
    assert (facing(exact(t, there), COCO17) == 1).all()
    assert (facing(exact(t, back), COCO17) == -1).all()
    mill = there - there[:, [11]] + np.array([900.0, 500.0])
    assert (facing(exact(t, mill), COCO17) == 1).all()
    both = np.concatenate([there, back])
    found = facing(exact(np.arange(len(both)) / 30, both), COCO17)
    assert (found[:100] == 1).all()
    assert (found[140:] == -1).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.floats(0.3, 3.0), st.floats(-500, 500), st.integers(0, 1000))
def test_angles_do_not_depend_on_place_size_or_mirror(scale: float, offset: float, seed: int) -> None:
    t = np.arange(0, 1.5, 1 / 30)
    truth = synthetic.walker(t, phase=seed / 1000)
    one = kinematics(exact(t, truth), COCO17)
    other = kinematics(exact(t, truth * scale + offset), COCO17)
    mirrored = kinematics(exact(t, truth * [-1, 1] + [2000, 0]), COCO17)
    for name in ("left_knee_flexion_deg", "right_hip_flexion_deg", "trunk_lean_deg", "left_shoulder_flexion_deg"):
        np.testing.assert_allclose(one[name], other[name], atol=0.05)
        np.testing.assert_allclose(one[name], mirrored[name], atol=0.05)


def test_speeds_in_px_and_metres() -> None:
    t = np.arange(0, 2, 1 / 50)
    points_px = np.zeros((len(t), 17, 2)) + np.arange(17)[:, None] * [3.0, 11.0]
    points_px += np.stack([300 * t, -40 * t], -1)[:, None]
    out = InMetres(kinematics(exact(t, points_px), COCO17), 200.0)
    np.testing.assert_allclose(out["left_ankle_vx_px_s"], 300, rtol=1e-3)
    np.testing.assert_allclose(out["left_ankle_vy_px_s"], -40, rtol=1e-2)
    np.testing.assert_allclose(out["com_speed_m_s"], np.hypot(300, 40) / 200, rtol=1e-3)
    assert len(out) == len(list(out)) == len(dict(out)) > len(kinematics(exact(t, points_px), COCO17))


def test_only_what_the_points_allow() -> None:
    t = np.arange(10) / 30
    assert "left_ankle_dorsiflexion_deg" not in kinematics(exact(t, synthetic.walker(t)), COCO17)
    full = np.random.default_rng(0).uniform(0, 500, (10, 33, 2))
    assert "left_ankle_dorsiflexion_deg" in kinematics(exact(t, full, BLAZEPOSE33), BLAZEPOSE33)
    motion: Motion = exact(t, np.full((10, 17, 2), np.nan))
    none = kinematics(motion, COCO17)
    assert all(np.isnan(v).all() for name, v in none.items() if not name.endswith("_state"))
    assert all((v == NO_POINTS).all() for name, v in none.items() if name.endswith("_state"))
    assert set(points(motion, COCO17)) >= {"left_hip", "nose"}


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_ankles_of_26_points_from_heel_and_big_toe_in_space_as_in_the_plane(way: float) -> None:
    t = np.arange(0, 3, 1 / 60)
    body = halpe(synthetic.walker(t, velocity_px_s=(250 * way, 0)), 400, way)
    bent = 20 * np.sin(2 * np.pi * t)  # the foot turned about the ankle, toes up
    for s, sign in (("left", 1), ("right", -1)):
        ankle = body[:, HALPE26.index(f"{s}_ankle")]
        turn = np.deg2rad(-way * sign * bent)
        for part in ("heel", "big_toe", "small_toe"):
            x, y = (body[:, HALPE26.index(f"{s}_{part}")] - ankle).T
            body[:, HALPE26.index(f"{s}_{part}")] = ankle + np.stack(
                [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], -1
            )
    out = kinematics(exact(t, body, HALPE26), HALPE26)
    sole = np.degrees(np.arctan2(0.005, 0.155))  # from heel to big toe, as made: toes up
    space = np.concatenate([body / 235, np.full((len(t), 26, 1), 4.0)], -1)
    in_space = angles_3d(space, HALPE26.names)
    for s, sign in (("left", 1), ("right", -1)):
        np.testing.assert_allclose(out[f"{s}_ankle_dorsiflexion_deg"][20:-20], (sole + sign * bent)[20:-20], atol=0.1)
        np.testing.assert_allclose(in_space[f"{s}_ankle_dorsiflexion_3d_deg"], sole + sign * bent, atol=0.1)
        assert {f"{s}_{p}_speed_px_s" for p in ("heel", "big_toe", "small_toe")} <= set(out)


def test_a_foot_that_points_backwards_has_no_angle() -> None:
    t = np.arange(0, 2, 1 / 60)
    body = halpe(synthetic.walker(t), 400)
    heel, toe = HALPE26.index("left_heel"), HALPE26.index("left_big_toe")
    body[30:40, [heel, toe]] = body[30:40, [toe, heel]]
    out = kinematics(exact(t, body, HALPE26), HALPE26)
    lost = np.isin(np.arange(len(t)), np.arange(30, 40))
    for end in ("deg", "deg_s"):
        np.testing.assert_array_equal(np.isnan(out[f"left_ankle_dorsiflexion_{end}"]), lost)
    assert np.isfinite(out["right_ankle_dorsiflexion_deg"]).all()


def test_the_heads_segment_goes_from_neck_to_top_where_a_set_has_them() -> None:
    t = np.arange(10) / 30
    body = halpe(synthetic.walker(t), 400)
    body[:, HALPE26.index("head")] = body[:, HALPE26.index("neck")] + (20, -20)
    np.testing.assert_allclose(kinematics(exact(t, body, HALPE26), HALPE26)["head_segment_deg"], 45, atol=0.01)
    ears = kinematics(exact(t, body[:, :17]), COCO17)["head_segment_deg"]
    assert np.isfinite(ears).all()
    assert np.abs(ears - 45).min() > 1


def test_wrap_and_unwrap() -> None:
    np.testing.assert_allclose(wrap(np.array([190.0, -180.0, 180.0]), -180.0), [-170.0, 180.0, 180.0])
    turning = np.linspace(0, 1500, 400)
    turned = unwrap(wrap(turning, -180.0), np.arange(400) == 0)
    np.testing.assert_allclose(turned - turned[0], turning, atol=1e-9)


def test_columns_do_not_depend_on_the_rows_worked_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    t = np.arange(0, 300, 1 / 30)
    motion = exact(t, synthetic.walker(t, velocity_px_s=(2.0, 0.0)))
    whole, side = kinematics(motion, COCO17), facing(motion, COCO17)
    monkeypatch.setattr("pipeline.measure.kinematics._BLOCK", 700)
    tracemalloc.start()
    parts = kinematics(motion, COCO17, side)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(parts) == list(whole)
    for name, values in whole.items():
        np.testing.assert_array_equal(parts[name], values, err_msg=name)
    columns = sum(values.nbytes for values in parts.values())
    assert peak < 2 * columns  # what the rows at once need is small beside the result
