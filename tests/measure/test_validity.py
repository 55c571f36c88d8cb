"""Angles that are not known are empty, with the reason; what changes too fast is flagged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import MetresConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import (
    ANGLE_STATES,
    FORESHORTENED,
    IMPOSSIBLE,
    NO_POINTS,
    NO_SIDE,
    OUT_OF_PLANE,
    TOO_FAST,
    UNCERTAIN,
    VALID,
    Motion,
)
from pipeline.measure.angles_3d import angles_3d
from pipeline.measure.frontal import FRONTAL
from pipeline.measure.limits import LIMITS, limit_of
from pipeline.measure.measure import measure
from pipeline.measure.plane import in_plane
from pipeline.measure.validity import in_space, jumps, known_only, with_jumps
from tests import synthetic
from tests.motion.exchanges import halpe
from tests.motion.motions import exact

T = np.arange(0, 4, 1 / 30)
HEIGHT_PX = 400.0


def walker() -> np.ndarray:
    """A walker whose left and right side nearly cover one another."""
    return halpe(synthetic.from_the_side(synthetic.walker(T, height_px=HEIGHT_PX)), HEIGHT_PX)


def measured(points: np.ndarray, std_px: float = 1.0) -> Motion:
    motion = exact(T, points, HALPE26)
    motion = replace(motion, keypoint_std_px=np.full_like(motion.keypoint_std_px, std_px))
    return measure(motion, HALPE26, MetresConfig(), (1920, 1080)).motion


def widened(points: np.ndarray, shoulders: float, hips: float) -> np.ndarray:
    """The same person with shoulders and hips apart, in standing heights."""
    out = points.copy()
    for name, width in (("shoulder", shoulders), ("hip", hips)):
        for s, sign in (("left", 0.5), ("right", -0.5)):
            out[:, HALPE26.index(f"{s}_{name}"), 0] += sign * width * HEIGHT_PX
    return out


def states(motion: Motion, name: str) -> set[str]:
    return {ANGLE_STATES[code] for code in motion.states[f"{name}_state"]}


def test_a_side_walk_is_valid_throughout() -> None:
    motion = measured(walker())
    for name, state in motion.states.items():
        if name.removesuffix("_state") in FRONTAL:
            assert (state == OUT_OF_PLANE).all(), name
        elif "pelvis" not in name and "3d" not in name:
            assert (state == VALID).mean() > 0.95, name
        angle = motion.quantities[name.replace("_state", "_deg")]
        np.testing.assert_array_equal(np.isfinite(angle), state <= TOO_FAST, err_msg=name)


def test_who_is_seen_from_the_front_has_no_sagittal_angles_but_elbows() -> None:
    motion = measured(widened(walker(), 0.2, 0.11))
    assert states(motion, "left_knee_flexion") <= {"out_of_plane", "no_side"}
    assert states(motion, "trunk_lean") <= {"out_of_plane", "no_side"}
    assert np.isnan(motion.quantities["left_knee_flexion_deg_s"]).all()
    assert (motion.states["left_elbow_flexion_state"] == VALID).any()
    assert states(measured(walker()), "pelvis_lean") == {"out_of_plane"}


def test_frontal_angles_of_who_is_seen_from_the_front() -> None:
    front = widened(walker(), 0.2, 0.11)
    motion = measured(front)
    for name in FRONTAL:
        assert (motion.states[f"{name}_state"] == VALID).mean() > 0.8, name  # this walker's knees bend sideways
        assert np.isfinite(motion.quantities[f"{name}_deg_std"]).mean() > 0.8, name
    short = front.copy()
    hip, knee = HALPE26.index("left_hip"), HALPE26.index("left_knee")
    short[:, knee] = short[:, hip] + 0.3 * (short[:, knee] - short[:, hip])  # it points at the camera
    motion = measured(short)
    for name in ("left_hip_abduction", "left_knee_valgus"):
        assert (motion.states[f"{name}_state"] == FORESHORTENED).mean() > 0.9, name
        assert np.isnan(motion.quantities[f"{name}_deg_std"]).mean() > 0.9, name
    assert (motion.states["right_hip_abduction_state"] == VALID).mean() > 0.95
    bowed = front.copy()
    bowed[:, HALPE26.index("left_ankle"), 0] += HEIGHT_PX
    assert states(measured(bowed), "left_knee_valgus") == {"impossible"}
    assert "uncertain" in states(measured(front, 0.05 * HEIGHT_PX), "left_knee_valgus")
    lost = front.copy()
    lost[:, HALPE26.index("left_shoulder")] = np.nan
    assert states(measured(lost), "trunk_lateral_lean") == {"missing"}


def test_a_plane_of_elevation_passes_behind_without_a_jump() -> None:
    t, start = np.arange(4) / 30, np.arange(4) == 0
    angle = np.array([175.0, 179, -179, -100])
    columns = {"left_shoulder_plane_3d_deg": angle, "pelvis_lean_3d_deg": angle}
    told = with_jumps(columns, {f"{c[:-4]}_state": np.full(4, VALID, np.uint8) for c in columns}, t, start)
    assert told["left_shoulder_plane_3d_state"].tolist() == [VALID] * 4
    assert told["pelvis_lean_3d_state"].tolist() == [VALID, VALID, TOO_FAST, TOO_FAST]


def test_no_plane_while_the_person_turns() -> None:
    motion = exact(T, walker(), HALPE26)
    side = np.where(T < 2, 1.0, -1.0)
    plane = in_plane(motion, {}, np.full(len(T), HEIGHT_PX), side)
    np.testing.assert_array_equal(plane, np.abs(T - 2 + 1 / 60) > 0.1 + 1 / 59)


def test_a_short_segment_is_foreshortened() -> None:
    points = walker()
    elbow, wrist = HALPE26.index("left_elbow"), HALPE26.index("left_wrist")
    points[60:, wrist] = points[60:, elbow] + 0.4 * (points[60:, wrist] - points[60:, elbow])
    state = measured(points).states["left_elbow_flexion_state"]
    assert (state[:60] == VALID).all()
    assert (state[60:] == FORESHORTENED).all()


def test_a_wide_interval_is_uncertain() -> None:
    motion = measured(walker(), 0.05 * HEIGHT_PX)
    assert states(motion, "left_knee_flexion") == {"uncertain"}
    assert states(motion, "left_thigh_segment") <= {"uncertain", "valid"}
    assert np.isnan(motion.quantities["left_knee_flexion_deg_std"]).all()


def test_a_knee_that_bends_forwards_is_impossible() -> None:
    points = walker()
    hip, ankle = (points[:, HALPE26.index(f"left_{n}")] for n in ("hip", "ankle"))
    down = ankle - hip
    behind = np.stack([-down[:, 1], down[:, 0]], 1)  # the person faces right
    points[:, HALPE26.index("left_knee")] = hip + 0.5 * down + 0.2 * behind
    motion = measured(points)
    assert "impossible" in states(motion, "left_knee_flexion")
    assert motion.states["left_knee_flexion_state"].max() == IMPOSSIBLE
    assert np.nanmin(motion.quantities["left_knee_flexion_deg"], initial=90.0) >= limit_of("left_knee_flexion").low_deg


def test_jumps_are_flagged_and_kept() -> None:
    t = np.arange(6) / 30
    angle = np.array([10.0, 12, 130, 128, np.nan, -10])
    start = np.arange(6) == 0
    np.testing.assert_array_equal(np.flatnonzero(jumps(angle, t, start, 2500)), [2])
    assert not jumps(angle, t, np.arange(6) == 2, 2500)[2]
    valid = {"left_knee_flexion_state": np.full(6, VALID, np.uint8)}
    state = with_jumps({"left_knee_flexion_deg": angle}, valid, t, start)["left_knee_flexion_state"]
    assert state.tolist() == [VALID, VALID, TOO_FAST, VALID, VALID, VALID]


def test_a_joint_faster_than_joints_are_is_flagged() -> None:
    points = walker()
    t = T / 20  # twenty times as fast
    motion = exact(t, points, HALPE26)
    motion = replace(motion, keypoint_std_px=np.ones_like(motion.keypoint_std_px))
    out = measure(motion, HALPE26, MetresConfig(), (1920, 1080)).motion
    fast = np.abs(out.quantities["left_knee_flexion_deg_s"]) > limit_of("left_knee_flexion").fastest_deg_s
    assert fast.any()
    assert (out.states["left_knee_flexion_state"][fast] == TOO_FAST).all()


def test_nothing_is_known_of_nobody() -> None:
    motion = measure(exact(T, np.full((len(T), 17, 2), np.nan)), COCO17, MetresConfig(), (1920, 1080)).motion
    assert all((state == NO_POINTS).all() for state in motion.states.values())
    assert NO_SIDE < OUT_OF_PLANE < UNCERTAIN


@pytest.mark.parametrize("forward_deg", [-15.0, 0.0, 5.0])
def test_a_lateral_raise_in_space_does_not_jump(forward_deg: float) -> None:
    """The arm goes up sideways, in a plane that is turned a little to the front or back, with some noise."""
    t = np.arange(0, 2, 1 / 30)
    up = np.deg2rad(np.interp(t, [0, 1, 2], [5, 170, 5]))
    turn = np.deg2rad(forward_deg)
    arm = np.stack([np.sin(up) * np.sin(turn), np.cos(up), np.sin(up) * np.cos(turn)], 1)  # faces right
    names = tuple(f"{s}_{n}" for s in ("left", "right") for n in ("shoulder", "elbow", "hip"))
    joints = np.zeros((len(t), 6, 3))
    for i, z in enumerate((-0.2, 0.2)):  # the left side is away from the camera's view along z
        joints[:, 3 * i] = (0, -0.5, -z)
        joints[:, 3 * i + 1] = joints[:, 3 * i] + 0.3 * arm * [1, 1, -np.sign(z)]
        joints[:, 3 * i + 2] = (0, 0, -z / 2)
    joints += np.random.default_rng(0).normal(0, 0.003, joints.shape)
    columns = angles_3d(joints, names, np.full(joints.shape, 0.01))
    state = in_space(columns)
    out = known_only(columns, state)
    start = np.arange(len(t)) == 0
    for s in ("left", "right"):
        flexion, said = out[f"{s}_shoulder_flexion_3d_deg"], state[f"{s}_shoulder_flexion_3d_state"]
        assert (said == OUT_OF_PLANE).any()
        assert np.isfinite(flexion).sum() > 10
        assert not jumps(flexion, t, start, 1000.0).any()


def test_every_limit_is_wider_than_what_was_published() -> None:
    for name, limit in LIMITS.items():
        assert limit.low_deg < limit.high_deg
        assert limit.fastest_deg_s >= 1000
        assert limit.source
        if limit.published_deg is not None:
            assert limit.low_deg <= limit.published_deg[0], name
            assert limit.high_deg >= limit.published_deg[1], name
    with pytest.raises(KeyError):
        limit_of("left_wobble_deg")
