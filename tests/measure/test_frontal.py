"""Angles of the frontal plane and of the trunk, of bodies posed by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.skeleton import COCO17
from pipeline.measure.angles import points
from pipeline.measure.frontal import frontal
from pipeline.measure.frontal_3d import frontal_3d
from pipeline.measure.kinematics import kinematics
from pipeline.render.plot import _joints_of
from tests.motion.motions import exact

NAMES = tuple(f"{s}_{n}" for n in ("hip", "knee", "ankle", "shoulder", "elbow") for s in ("left", "right"))
# Body axes: ahead, up, to the right; metres about the middle of the hips.
REST = {"hip": (0, 0, 0.1), "knee": (0, -0.4, 0.1), "ankle": (0, -0.8, 0.1), "shoulder": (0, 0.5, 0.2),
        "elbow": (0, 0.2, 0.2)}  # fmt: skip


def body(**moved: tuple[float, float, float]) -> dict[str, np.ndarray]:
    """Joints of an upright body (ahead, up, right), some of them elsewhere."""
    out = {}
    for name in NAMES:
        s, n = name.split("_")
        out[name] = np.array(REST[n], float) * (1, 1, 1 if s == "right" else -1)
    return out | {name: np.array(place, float) for name, place in moved.items()}


def about(axis: str, deg: float) -> np.ndarray:
    """(3, 3) right-handed turn about an axis of the body: x ahead, y up, z right."""
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    out = np.eye(3)
    out[j, j] = out[k, k] = c
    out[j, k], out[k, j] = -s, s
    return out


def in_camera(joints: dict[str, np.ndarray], yaw_deg: float = 0.0) -> dict[str, np.ndarray]:
    """The joints before a camera, into which the person looks at a yaw of 0; turned to the left by it."""
    turned = {name: about("y", yaw_deg) @ place for name, place in joints.items()}
    return {name: np.array([-right, -up, 4 - ahead]) for name, (ahead, up, right) in turned.items()}


def of_picture(joints: dict[str, np.ndarray], yaw_deg: float = 0.0) -> dict[str, float]:
    """The columns of one row in the picture, 200 px a metre, from afar."""
    points_px = np.full((1, len(COCO17), 2), np.nan)
    for name, place in in_camera(joints, yaw_deg).items():
        points_px[0, COCO17.index(name)] = 500 + 200 * place[:2]
    return {k: float(v[0]) for k, v in frontal(points(exact(np.zeros(1), points_px), COCO17)).items()}


def of_space(joints: dict[str, np.ndarray], yaw_deg: float = 0.0) -> dict[str, float]:
    placed = in_camera(joints, yaw_deg)
    m = np.array([[placed[name] for name in NAMES]])
    return {k: float(v[0]) for k, v in frontal_3d(m, NAMES).items()}


def away(of: str, length: float, deg: float, side: str) -> np.ndarray:
    """A joint below another one of the resting body, turned outward."""
    start = body()[f"{side}_{of}"]
    out = 1 if side == "right" else -1
    return start + length * np.array([0, -np.cos(np.radians(deg)), out * np.sin(np.radians(deg))])


def leaning(deg: float) -> dict[str, np.ndarray]:
    """A body whose trunk and arms lean to the right."""
    return {n: about("x", deg) @ p if n.endswith(("shoulder", "elbow")) else p for n, p in body().items()}


@pytest.mark.parametrize("yaw_deg", [0.0, 180.0])
@pytest.mark.parametrize("side", ["left", "right"])
def test_signs_are_the_bodys_from_the_front_and_from_behind(side: str, yaw_deg: float) -> None:
    for deg in (-20, 0, 40, 90, 150):
        told = of_picture(body(**{f"{side}_elbow": away("shoulder", 0.3, deg, side)}), yaw_deg)
        assert told[f"{side}_shoulder_abduction_deg"] == pytest.approx(deg, abs=1e-3)
    for deg in (-15, 0, 30):
        told = of_picture(body(**{f"{side}_knee": away("hip", 0.4, deg, side)}), yaw_deg)
        assert told[f"{side}_hip_abduction_deg"] == pytest.approx(deg, abs=1e-3)
    knock = body(**{f"{side}_knee": away("hip", 0.4, -10, side)})
    shank = 0.4 * np.array([0, -np.cos(np.radians(5)), (1 if side == "right" else -1) * np.sin(np.radians(5))])
    knock[f"{side}_ankle"] = knock[f"{side}_knee"] + shank
    assert of_picture(knock, yaw_deg)[f"{side}_knee_valgus_deg"] == pytest.approx(15, abs=1e-3)
    for deg in (-25, 0, 12):
        told = of_picture(leaning(deg), yaw_deg)
        assert told["trunk_lateral_lean_deg"] == pytest.approx(deg, abs=1e-3)
        assert told["shoulders_lean_deg"] == pytest.approx(deg, abs=1e-3)


def test_nothing_is_said_from_the_side_or_of_limbs_that_point_at_the_camera() -> None:
    assert all(np.isfinite(v) for k, v in of_picture(body(), 30).items() if k.endswith("_deg"))
    for yaw_deg in (60, 90, 120, -90):
        assert all(np.isnan(v) for v in of_picture(body(), yaw_deg).values())
    seated = body(left_knee=(0.4, 0, -0.1), left_ankle=(0.4, -0.4, -0.1))
    told = of_picture(seated)
    assert np.isnan(told["left_knee_valgus_deg"])
    assert np.isnan(told["left_hip_abduction_deg"])
    assert told["right_knee_valgus_deg"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("yaw_deg", [0.0, 50.0, 180.0, -100.0])
def test_angles_in_space_are_those_of_the_body_from_everywhere(yaw_deg: float) -> None:
    for side in ("left", "right"):
        told = of_space(body(**{f"{side}_elbow": away("shoulder", 0.3, 70, side)}), yaw_deg)
        assert told[f"{side}_shoulder_abduction_3d_deg"] == pytest.approx(70)
        assert told[f"{side}_shoulder_elevation_3d_deg"] == pytest.approx(70)
        assert told[f"{side}_shoulder_plane_3d_deg"] == pytest.approx(0, abs=1e-6)
        ahead = body()[f"{side}_shoulder"] + (0.3, 0, 0)
        told = of_space(body(**{f"{side}_elbow": ahead}), yaw_deg)
        assert told[f"{side}_shoulder_plane_3d_deg"] == pytest.approx(90)
        assert np.isnan(told[f"{side}_shoulder_abduction_3d_deg"])
        told = of_space(body(**{f"{side}_knee": away("hip", 0.4, 25, side)}), yaw_deg)
        assert told[f"{side}_hip_abduction_3d_deg"] == pytest.approx(25)
        told = of_space(body(**{f"{side}_ankle": away("knee", 0.4, 9, side)}), yaw_deg)
        assert told[f"{side}_knee_valgus_3d_deg"] == pytest.approx(9)
        bent = body(**{f"{side}_ankle": body()[f"{side}_knee"] - (0.4, 0, 0)})  # flexion is no valgus
        assert not abs(of_space(bent, yaw_deg)[f"{side}_knee_valgus_3d_deg"]) > 1e-6
    told = of_space(leaning(20), yaw_deg)
    assert told["trunk_lateral_lean_3d_deg"] == pytest.approx(20)
    assert told["shoulders_lean_3d_deg"] == pytest.approx(20)
    assert told["pelvis_lean_3d_deg"] == pytest.approx(0, abs=1e-6)
    tilted = {n: about("x", 8) @ p if n.endswith("hip") else p for n, p in body().items()}
    assert of_space(tilted, yaw_deg)["pelvis_lean_3d_deg"] == pytest.approx(8)
    turned = {n: about("y", 30) @ p if n.endswith(("shoulder", "elbow")) else p for n, p in body().items()}
    told = of_space(turned, yaw_deg)
    assert told["trunk_rotation_3d_deg"] == pytest.approx(30)  # to the left
    assert abs(told["pelvis_rotation_3d_deg"]) == pytest.approx(abs(yaw_deg), abs=1e-6)
    assert np.sign(told["pelvis_rotation_3d_deg"]) == np.sign(yaw_deg) or yaw_deg in (0, 180)


def test_rotation_of_the_trunk_is_not_changed_by_its_bending() -> None:
    bend = about("z", -35) @ about("x", 10) @ about("y", -25)  # forward, to the right, then about its own axis
    turned = {n: bend @ p if n.endswith(("shoulder", "elbow")) else p for n, p in body().items()}
    assert of_space(turned)["trunk_rotation_3d_deg"] == pytest.approx(-25)


def test_columns_come_with_the_others_and_velocities_are_slopes() -> None:
    t = np.arange(0, 2, 1 / 60)
    swing = 40 + 30 * np.sin(3 * t)
    frames = [in_camera(body(left_elbow=away("shoulder", 0.3, deg, "left"))) for deg in swing]
    px = np.full((len(t), len(COCO17), 2), np.nan)
    for name in NAMES:
        px[:, COCO17.index(name)] = 500 + 200 * np.array([f[name][:2] for f in frames])
    columns = kinematics(exact(t, px), COCO17)
    np.testing.assert_allclose(columns["left_shoulder_abduction_deg"], swing, atol=0.01)
    np.testing.assert_allclose(columns["left_shoulder_abduction_deg_s"][2:-2], 90 * np.cos(3 * t)[2:-2], atol=1)
    assert columns["trunk_lateral_lean_deg"].dtype == np.float32


def test_the_pelvis_turns_on_past_half_a_turn() -> None:
    t = np.arange(0, 4, 1 / 30)
    places = [in_camera(body(), yaw) for yaw in 120 * t]
    m = np.array([[f[name] for name in NAMES] for f in places], np.float32)
    motion = exact(t, np.full((len(t), len(COCO17), 2), 100.0))
    turned = kinematics(dataclasses.replace(motion, keypoints_m=m, names_m=NAMES), COCO17)
    np.testing.assert_allclose(turned["pelvis_rotation_3d_deg"], 120 * t, atol=0.01)


def test_what_the_columns_rest_on() -> None:
    assert set(_joints_of("left_knee_valgus_deg")) == {"left_knee", "left_hip", "left_ankle"}
    assert set(_joints_of("right_hip_abduction_deg")) == {"right_hip", "right_knee"}
