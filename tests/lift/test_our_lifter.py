"""The embedded lifter on a made walk: sizes, places, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26, MPII16
from pipeline.core.settings import Calibration, Ground, MetresConfig
from pipeline.core.skeleton import BLAZEPOSE33, COCO17, Skeleton
from pipeline.core.types import MEASURED, MISSING, Motion
from pipeline.evaluate.lifting import aligned, distance
from pipeline.evaluate.mocap import joints_of
from pipeline.evaluate.mocap_types import TRUE
from pipeline.lift import body
from pipeline.lift.joints import FURTHER, HIPS, JOINTS, POINTS, name_in
from pipeline.lift.lifter import PoselineLifter, rays_of
from pipeline.lift.pictured import pictured
from pipeline.lift.protocol import InSpace
from pipeline.lift.registry import build_lifter
from tests.lift.walkers import walker

SIZE, FOV_DEG, FPS = (1280, 720), 60.0, 30.0
FOCAL = SIZE[0] / 2 / np.tan(np.radians(FOV_DEG) / 2)
CAMERA_M = np.array([6.0, 1.3, 2.0])  # beside the way, looking along -x


def space(n: int = 150) -> np.ndarray:
    """(n, J, 3) m, the walk in the axes of a camera at its side."""
    turn = np.array([[0, 0, -1.0], [0, -1, 0], [-1, 0, 0]])
    return (joints_of(walker(n, fps=FPS)[None])[0] - CAMERA_M) @ turn.T


def pictured_walk(n: int = 150) -> np.ndarray:
    """(n, J, 3) m, `space` with the first K where a pose network marks them."""
    places = space(n)
    return np.concatenate([pictured(places), places[:, len(POINTS) :]], 1)


def motion_of(places: np.ndarray, skeleton: Skeleton = COCO17) -> Motion:
    """Keypoints of somebody at these places (n, J, 3): of COCO, or of the set at whose points they are."""
    n, k = len(places), len(skeleton)
    px = (places[:, :k, :2] / places[:, :k, 2:] * FOCAL + np.array(SIZE) / 2).astype(np.float32)
    box = np.concatenate([px.min(1), px.max(1)], 1)
    return Motion(
        person_id=1,
        frame=np.arange(n),
        time_s=np.arange(n) / FPS,
        box_px=box,
        score=np.ones(n, np.float32),
        state=np.full(n, MEASURED, np.uint8),
        keypoints_px=px,
        keypoint_score=np.full((n, k), 0.9, np.float32),
        keypoint_std_px=np.ones((n, k), np.float32),
        provenance=np.full((n, k), MEASURED, np.uint8),
        raw_px=px,
    )


@pytest.fixture(scope="module")
def lifter() -> PoselineLifter:
    made = build_lifter(Config.model_validate({"lift": {"fov_deg": FOV_DEG}}))
    assert isinstance(made, PoselineLifter)
    return made


@pytest.fixture(scope="module")
def lifted(lifter: PoselineLifter) -> InSpace:
    return lifter.lift(motion_of(pictured_walk()), COCO17, SIZE, 1.70)


def test_a_walk_comes_back(lifter: PoselineLifter, lifted: InSpace) -> None:
    names = [n for n in lifter.names if n in TRUE]
    found = lifted.joints_m[:, [lifter.names.index(n) for n in names]]
    truth = space()[:, [JOINTS.index(n) for n in names]]
    assert distance(aligned(found, truth), truth).mean() < 0.08
    root = [names.index("left_hip"), names.index("right_hip")]
    about = distance(found - found[:, root].mean(1, keepdims=True), truth - truth[:, root].mean(1, keepdims=True))
    assert about.mean() < 0.12
    place, there = found[:, root].mean(1), truth[:, root].mean(1)
    np.testing.assert_allclose(place[:, 2], there[:, 2], rtol=0.12)
    np.testing.assert_allclose(np.ptp(place[:, 0]), np.ptp(there[:, 0]), rtol=0.12)


def test_limbs_keep_their_lengths_and_sides_are_alike(lifter: PoselineLifter, lifted: InSpace) -> None:
    at = {name: lifted.joints_m[:, j] for j, name in enumerate(lifter.names)}
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
        left, right = (np.linalg.norm(at[f"{s}_{a}"] - at[f"{s}_{b}"], axis=-1) for s in ("left", "right"))
        assert np.ptp(left) < 1e-4
        np.testing.assert_allclose(left, right, atol=1e-4)


@pytest.mark.parametrize("height_m", [0.5, 1.02, 2.04, 2.3])
def test_everything_in_space_goes_with_the_height(lifter: PoselineLifter, lifted: InSpace, height_m: float) -> None:
    other, factor = lifter.lift(motion_of(pictured_walk()), COCO17, SIZE, height_m), height_m / 1.70
    np.testing.assert_allclose(other.joints_m, factor * lifted.joints_m, rtol=1e-3, atol=1e-3)
    assert other.std_m is not None
    np.testing.assert_allclose(other.std_m, factor * lifted.std_m, rtol=1e-3)


def test_joints_lie_near_their_rays(lifter: PoselineLifter, lifted: InSpace) -> None:
    k = len(COCO17)
    found = lifted.joints_m[:, :k]
    px = found[..., :2] / found[..., 2:] * FOCAL + np.array(SIZE) / 2
    off = np.linalg.norm(px - motion_of(pictured_walk()).keypoints_px, axis=-1)
    tall = np.median(np.ptp(motion_of(pictured_walk()).keypoints_px[..., 1], axis=1))
    assert np.median(off) < 0.03 * tall
    assert lifted.figures["reprojection_px"] == pytest.approx(np.median(off), rel=0.02)
    assert 0 < lifted.figures["lift_std_m"] < 0.2


def test_people_in_a_group_are_as_each_alone(lifter: PoselineLifter, lifted: InSpace) -> None:
    other = motion_of(pictured_walk(60)[10:])
    together = lifter.lift_all([motion_of(pictured_walk()), other], COCO17, SIZE, [1.70, None])
    for found, alone in zip(together, [lifted, lifter.lift(other, COCO17, SIZE)], strict=True):
        np.testing.assert_array_equal(found.joints_m, alone.joints_m)
        np.testing.assert_array_equal(found.std_m, alone.std_m)


def test_what_the_picture_does_not_show_is_not_known(lifter: PoselineLifter) -> None:
    motion = motion_of(pictured_walk(60))
    wrist, state = POINTS.index("left_wrist"), motion.provenance.copy()
    state[20:40, wrist] = MISSING
    points = np.where((state == MISSING)[..., None], np.nan, motion.keypoints_px).astype(np.float32)
    out = lifter.lift(replace(motion, keypoints_px=points, provenance=state), COCO17, SIZE)
    missing = np.isnan(out.joints_m[:, lifter.names.index("left_wrist")]).all(-1)
    np.testing.assert_array_equal(np.flatnonzero(missing), np.arange(20, 40))
    assert np.isfinite(out.joints_m[:, lifter.names.index("right_wrist")]).all()
    assert out.std_m is not None
    np.testing.assert_array_equal(np.isnan(out.std_m), np.isnan(out.joints_m[..., 0]))
    hidden = np.full_like(points, np.nan)
    nothing = lifter.lift(replace(motion, keypoints_px=hidden, provenance=0 * state + MISSING), COCO17, SIZE)
    assert np.isnan(nothing.joints_m).all()


def test_a_gap_does_not_mix_what_lies_on_its_sides(lifter: PoselineLifter) -> None:
    motion = motion_of(pictured_walk(120))
    rows = np.r_[0:50, 80:120]
    parted = replace(motion, **{name: getattr(motion, name)[rows] for name in (
        "frame", "time_s", "box_px", "score", "state", "keypoints_px", "keypoint_score", "keypoint_std_px",
        "provenance", "raw_px")})  # fmt: skip
    out = lifter.lift(parted, COCO17, SIZE).joints_m
    assert np.isfinite(out).all()


def test_rays_by_the_field_of_view_or_the_calibration() -> None:
    px = np.array([[0.0, 360.0], [640.0, 360.0]])
    edge = rays_of(px, SIZE, 90.0, MetresConfig())
    np.testing.assert_allclose(edge, [[-1, 0], [0, 0]], atol=1e-12)
    camera = Calibration(
        size_px=SIZE,
        matrix=((800.0, 0.0, 639.5), (0.0, 800.0, 359.5), (0.0, 0.0, 1.0)),
        rotation=(np.pi / 2, 0.0, 0.0),
        translation_m=(0.0, 1.5, 4.0),
    )
    by_camera = rays_of(px, SIZE, None, MetresConfig(ground=Ground(camera=camera)))
    np.testing.assert_allclose(by_camera, [[-0.8, 0], [0, 0]], atol=1e-9)


def test_places_are_exact_on_exact_rays() -> None:
    true = space(40)
    middle = true[:, HIPS].mean(1)
    rays = true[..., :2] / true[..., 2:]
    found = body.places(true - middle[:, None], rays, np.ones(rays.shape[:2]), middle[:, :2] / middle[:, 2:], 1e9)
    np.testing.assert_allclose(found, middle, rtol=1e-4)


def halpe(joints: np.ndarray) -> np.ndarray:
    """(n, 26, 3) m: Halpe's points of somebody with these joints (n, J, 3), in the axes of `space`."""
    at = {name: joints[:, j] for j, name in enumerate(JOINTS)}
    hip = (at["left_hip"] + at["right_hip"]) / 2
    beside = (at["left_hip"] - at["right_hip"]) * 0.35
    at |= {"hip": hip, "neck": at["neck"] - [0, 0.05, 0], "head": at["head_top"] - [0, 0.12, 0]}
    for side, sign in (("left", 1), ("right", -1)):
        at |= {f"{side}_big_toe": at[f"{side}_toe"], f"{side}_small_toe": at[f"{side}_toe"] + sign * beside}
    return np.stack([at[name] for name in HALPE26.names], 1)


def test_all_of_halpes_points_come_into_space() -> None:
    lifter = build_lifter(Config.model_validate({"lift": {"fov_deg": FOV_DEG}}), HALPE26)
    assert isinstance(lifter, PoselineLifter)
    assert len(set(lifter.names)) == len(lifter.names)
    assert set(HALPE26.names) | {"neck_joint", "thorax", "head_top"} == set(lifter.names)
    truth = halpe(space())
    motion = motion_of(truth, HALPE26)
    head = HALPE26.index("head")
    motion.provenance[:30, head], motion.keypoints_px[:30, head] = MISSING, np.nan
    found, std, figures = lifter.lift(motion, HALPE26, SIZE, 1.70)
    at = {name: found[:, j] for j, name in enumerate(lifter.names)}
    assert np.isnan(at["head"][:30]).all()
    assert std is not None
    np.testing.assert_array_equal(np.isfinite(std), np.isfinite(found[..., 0]))
    for name in FURTHER:
        px = at[name][30:, :2] / at[name][30:, 2:] * FOCAL + np.array(SIZE) / 2
        np.testing.assert_allclose(px, motion.keypoints_px[30:, HALPE26.index(name)], atol=0.1)
        root = (at["left_hip"] + at["right_hip"])[30:] / 2
        true = truth[30:, HALPE26.index(name)] - truth[30:, HALPE26.index("hip")]
        assert np.linalg.norm(at[name][30:] - root - true, axis=1).mean() < 0.15, name
    assert figures["reprojection_px"] > 0.5  # points put on their rays would make it smaller


def test_a_sets_own_point_keeps_its_name() -> None:
    assert [name_in(joint, MPII16) for joint in ("neck", "thorax", "head_top", "left_hip")] == [
        *("neck", "thorax_joint", "head_top_joint", "left_hip"),
    ]
    assert name_in("left_toe", HALPE26) == "left_big_toe"
    assert name_in("neck", COCO17) == "neck"


def test_sets_without_a_body_are_not_lifted() -> None:
    from pipeline.core.wholebody_sets import FACE68

    assert build_lifter(Config(), FACE68) is None
    feet = build_lifter(Config(), BLAZEPOSE33)
    assert feet is not None
    assert {"left_heel", "left_foot_index", "neck"} <= set(feet.names)
    assert not {"left_toe"} & set(feet.names)


def test_the_network_is_small_and_of_the_package() -> None:
    from pipeline.lift.network import FILE

    assert Path(FILE).stat().st_size < 12e6
