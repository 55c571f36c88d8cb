"""The floor found from feet, and the world of a calibrated camera."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.settings import Calibration, Ground, MetresConfig
from pipeline.core.skeleton import COCO17
from pipeline.evaluate.mocap import joints_of
from pipeline.lift.joints import JOINTS
from pipeline.lift.placed import Video, in_world
from pipeline.lift.world import Stands, World, fitted, of_camera, on_floor, size_on_floor, stands
from tests.lift.test_our_lifter import motion_of
from tests.lift.walkers import walker

CAMERA_HEIGHT_M = 2.6


def looked_at(heading_rad: float, pitch_rad: float, away_m: float) -> np.ndarray:
    """A walk (150, J, 3) in the axes of a camera that looks down by the pitch."""
    up = joints_of(walker(150, heading_rad, 30.0)[None])[0]
    down = (up - [0, CAMERA_HEIGHT_M, 0]) * [-1, -1, 1] + [0, 0, away_m]
    c, s = np.cos(pitch_rad), np.sin(pitch_rad)
    return (down @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T).astype(np.float32)


@pytest.mark.parametrize("pitch_rad", [0.0, 0.3, 0.6])
def test_the_floor_is_found_from_feet(pitch_rad: float) -> None:
    walks = [looked_at(h, pitch_rad, z) for h, z in ((0.3, 6), (2.0, 9), (4.0, 12))]
    time_s = np.arange(150) / 30
    world = fitted([stands(w, JOINTS, time_s, 1.70) for w in walks])
    assert world is not None
    np.testing.assert_allclose(world.turn @ world.turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(world.turn) == pytest.approx(1)
    true_up = np.array([0, -np.cos(pitch_rad), -np.sin(pitch_rad)])
    assert np.degrees(np.arccos(world.turn[2] @ true_up)) < 2
    assert world.shift_m[2] == pytest.approx(CAMERA_HEIGHT_M, abs=0.12)
    for walk in walks:
        placed = world.of(walk)
        feet = np.minimum(placed[:, JOINTS.index("left_ankle"), 2], placed[:, JOINTS.index("right_ankle"), 2])
        assert abs(np.median(feet) - 0.1) < 0.1
        hips = placed[:, JOINTS.index("left_hip")]
        speed = np.linalg.norm(hips[-1, :2] - hips[0, :2]) / (149 / 30)
        assert speed == pytest.approx(1.3, rel=0.05)


def test_one_place_is_enough_with_upright_trunks() -> None:
    walk = looked_at(0.3, 0.2, 7)
    hips = walk[:, [JOINTS.index("left_hip")]]
    on_the_spot = walk - hips + hips[:1]
    world = fitted([stands(on_the_spot, JOINTS, np.arange(150) / 30, 1.70)])
    assert world is not None
    assert np.degrees(np.arccos(world.turn[2] @ [0, -np.cos(0.2), -np.sin(0.2)])) < 6


def test_nobody_makes_no_floor() -> None:
    assert fitted([]) is None
    assert fitted([Stands(np.zeros((0, 3)), np.zeros(0, int), np.zeros(3))]) is None


def test_the_calibration_is_the_world(tmp_path: Path) -> None:
    camera = Calibration(
        size_px=(1280, 720),
        matrix=((800.0, 0.0, 640.0), (0.0, 800.0, 360.0), (0.0, 0.0, 1.0)),
        rotation=(np.pi / 2, 0.0, 0.0),
        translation_m=(0.0, 1.5, 4.0),
    )
    world = of_camera(camera)
    np.testing.assert_allclose(world.of(np.array([0.0, 1.5, 4.0])), [0, 0, 0], atol=1e-6)
    walk = looked_at(0.3, 0.0, 6)
    motion = motion_of(walk)
    k = motion.provenance.shape[1]
    walk, names = walk[:, [*range(k), JOINTS.index("neck")]], (*JOINTS[:k], "neck")
    sure = np.zeros((len(motion), k + 1), np.float32)
    lifted = replace(motion, keypoints_m=walk, keypoint_std_m=sure, names_m=names)
    flat = replace(motion, keypoints_m=walk, names_m=names)  # about the hips, for all that is known
    metres = MetresConfig(ground=Ground(camera=camera), height_m=1.7)
    placed, left = in_world(iter([lifted, flat]), metres, {}, tmp_path, Video(COCO17.names))
    assert placed.keypoints_m is not None
    np.testing.assert_allclose(placed.world_m, world.of(placed.keypoints_m), atol=1e-6)
    assert left.world_m is None


def test_motions_without_metres_come_back_unchanged(tmp_path: Path) -> None:
    motions = [motion_of(looked_at(0.1 * i, 0.1, 6)) for i in range(3)]
    out = list(in_world(iter(motions), MetresConfig(), {}, tmp_path, Video(COCO17.names)))
    assert [id(m) for m in out] == [id(m) for m in motions]


def test_people_are_placed_on_their_floor_and_nothing_is_left_behind(tmp_path: Path) -> None:
    walks = [looked_at(h, 0.3, 8) for h in (0.3, 2.0)]
    k = motion_of(walks[0]).provenance.shape[1]
    names = (*JOINTS[:k], "neck")
    rows = [*range(k), JOINTS.index("neck")]
    lifted = [
        replace(
            motion_of(w),
            person_id=i,
            keypoints_m=w[:, rows],
            keypoint_std_m=np.zeros((150, k + 1), np.float32),
            names_m=names,
        )
        for i, w in enumerate(walks, 1)
    ]
    out = list(in_world(iter(lifted), MetresConfig(), {}, tmp_path, Video(COCO17.names)))
    assert [m.person_id for m in out] == [1, 2]
    for motion in out:
        assert motion.world_m is not None
        assert abs(np.median(motion.world_m[:, names.index("left_hip"), 2]) - 0.9) < 0.15
    assert not list(tmp_path.iterdir())


def test_a_picture_on_the_wall_does_not_lift_the_floor(tmp_path: Path) -> None:
    walk = looked_at(0.3, 0.3, 8)
    poster = np.repeat(walk[:1], 150, axis=0) + np.array([1.0, -1.2, 0], np.float32)
    rows = [*range(17), JOINTS.index("neck")]
    sure, names = np.zeros((150, 18), np.float32), (*JOINTS[:17], "neck")

    def world_of(*places: np.ndarray) -> World | None:
        people = [
            replace(motion_of(w), person_id=i, keypoints_m=w[:, rows], keypoint_std_m=sure, names_m=names)
            for i, w in enumerate(places, 1)
        ]
        told: list[World | None] = []
        list(in_world(iter(people), MetresConfig(), {}, tmp_path, Video(COCO17.names), told.append))
        assert len(told) == 1
        return told[0]

    alone, beside, only = world_of(walk), world_of(walk, poster), world_of(poster)
    assert alone is not None
    assert beside is not None
    np.testing.assert_allclose(beside.turn, alone.turn)
    np.testing.assert_allclose(beside.shift_m, alone.shift_m)
    assert only is not None


def test_somebody_of_unknown_height_is_as_tall_as_stands_on_the_floor() -> None:
    walks = [looked_at(h, 0.3, z) for h, z in ((0.3, 6), (2.0, 9), (4.0, 12), (5.0, 8))]
    time_s = np.arange(150) / 30
    world = fitted([stands(w, JOINTS, time_s, 1.70) for w in walks])
    assert world is not None
    for wrong in (0.92, 1.0, 1.08):  # too small and too near, or too large and too far: seen alike
        factor = size_on_floor(stands(walks[0] * wrong, JOINTS, time_s, 1.70), world)
        assert factor is not None
        assert factor * wrong == pytest.approx(1, abs=0.045)
    low = World(world.turn, np.array([0, 0, 0.02]))
    assert size_on_floor(stands(walks[0] * 1.1, JOINTS, time_s, 1.70), low) == 1


def test_a_distance_that_wavers_is_steadied_by_the_floor() -> None:
    walk = looked_at(0.3, 0.3, 10)
    time_s = np.arange(150) / 30
    world = World(np.array([[1.0, 0, 0], [0, -np.sin(0.3), np.cos(0.3)], [0, -np.cos(0.3), -np.sin(0.3)]]), np.zeros(3))
    world = World(world.turn, np.array([0, 0, CAMERA_HEIGHT_M]))
    hips = walk[:, [JOINTS.index("left_hip"), JOINTS.index("right_hip")]].mean(1)
    off = (0.025 * np.sin(2 * np.pi * time_s / 8))[:, None] * hips
    wavering = (walk + off[:, None]).astype(np.float32)
    moved = on_floor(hips + off, stands(wavering, JOINTS, time_s, 1.70), time_s, world)
    assert np.std((off + moved)[:, 2]) < 0.75 * np.std(off[:, 2])


def test_somebody_who_cannot_stand_on_the_floor_has_no_height(tmp_path: Path) -> None:
    walks = [looked_at(h, 0.3, z) for h, z in ((0.3, 6), (2.0, 9), (4.0, 12), (5.0, 8), (1.0, 7))]
    walks[4] = walks[4] * 0.55  # seen as on the roof of a shed: no height of people reaches the floor
    k = motion_of(walks[0]).provenance.shape[1]
    names, rows = (*JOINTS[:k], "neck"), [*range(k), JOINTS.index("neck")]
    sure = np.full((150, k + 1), 0.02, np.float32)
    lifted = [
        replace(motion_of(w), person_id=i, keypoints_m=w[:, rows], keypoint_std_m=sure, names_m=names)
        for i, w in enumerate(walks, 1)
    ]
    out = list(in_world(iter(lifted), MetresConfig(), {}, tmp_path, Video(COCO17.names)))
    assert np.isnan(out[4].figures["height_3d_m"])
    tall = [m.figures["height_3d_m"] for m in out[:4]]
    assert all(1.5 < h < 1.95 for h in tall)
    assert out[4].keypoints_m is not None
    assert np.isfinite(out[4].keypoints_m).all()


def test_somebody_who_lies_does_not_tell_the_way_up() -> None:
    time_s = np.arange(150) / 30
    walk = looked_at(0.3, 0.2, 7)
    hips = walk[:, [JOINTS.index("left_hip")]]
    lying = (walk - hips)[..., [1, 0, 2]] * np.float32([1, -1, 1]) + np.float32([0, 2.4, 7])  # head to the left
    alone = fitted([stands(lying, JOINTS, time_s, 1.70)])
    assert alone is not None
    placed = alone.of(lying)
    trunk = placed[:, JOINTS.index("neck")] - placed[:, JOINTS.index("left_hip")]
    assert (np.abs(trunk[:, 2]) < 0.35 * np.linalg.norm(trunk, axis=1)).mean() > 0.95
    assert np.median(placed[..., 1]) > 5
    lowest = np.nanmin(placed[:, [JOINTS.index(f"{s}_{p}") for s in ("left", "right") for p in ("hip", "shoulder")]], 1)
    assert np.median(lowest[:, 2]) < 0.5
    beside = fitted([stands(one, JOINTS, time_s, 1.70) for one in (walk, lying, lying)])
    only = fitted([stands(walk, JOINTS, time_s, 1.70)])
    assert beside is not None
    assert only is not None
    np.testing.assert_allclose(beside.turn, only.turn)


def test_a_handstand_is_on_the_hands() -> None:
    time_s = np.arange(150) / 30
    walk = looked_at(0.3, 0.0, 7)
    turned = (walk - walk.mean(1, keepdims=True)) * [-1, -1, 1] + [0, 1.6, 7]
    world = fitted([stands(turned.astype(np.float32), JOINTS, time_s, 1.70)])
    assert world is not None
    placed = world.of(turned)
    assert np.median(placed[:, JOINTS.index("left_ankle"), 2]) > np.median(placed[:, JOINTS.index("neck"), 2]) + 1
    arms = [JOINTS.index(f"{s}_{p}") for s in ("left", "right") for p in ("wrist", "shoulder")]
    resting = [*arms, JOINTS.index("head_top")]
    assert np.median(placed[:, resting, 2].min(1)) == pytest.approx(0.05 * 1.7, abs=0.06)


def test_feet_of_small_people_tell_the_floor_better():
    rng = np.random.default_rng(0)
    feet = np.stack([rng.uniform(-2, 2, 40), np.full(40, 1.0), rng.uniform(4, 8, 40)], 1)
    up = np.array([0.0, -10.0, 0.0])
    adult = Stands(feet, np.arange(40), up, 1.7)
    child = Stands(feet - np.array([0, 0.03, 0]), np.arange(40), up, 0.85)
    world = fitted([adult, child])
    assert world is not None
    of_adult, of_child = (float(np.median(world.of(p.feet_m)[:, 2])) for p in (adult, child))
    assert abs(of_child) < abs(of_adult) / 2
    hips = np.tile([0.0, 0.5, 6.0], (40, 1))
    low = Stands(feet + np.array([0, 0.05, 0]), np.arange(40), up, 1.7)
    moved = [on_floor(hips, low._replace(height_m=h), np.arange(40) / 2, world) for h in (1.7, 0.85)]
    assert abs(moved[1][0, 2]) > 1.5 * abs(moved[0][0, 2])


def test_people_stand_on_the_floor_though_their_ankles_are_found_too_high_and_tremble():
    walk = looked_at(0.3, 0.3, 10)
    time_s = np.arange(150) / 30
    axes = np.array([[1.0, 0, 0], [0, -np.sin(0.3), np.cos(0.3)], [0, -np.cos(0.3), -np.sin(0.3)]])
    world = World(axes, np.array([0, 0, CAMERA_HEIGHT_M]))
    trembling = walk + np.random.default_rng(0).normal(0, 0.01, walk.shape) + 0.025 * axes[2]
    hips = trembling[:, [JOINTS.index("left_hip"), JOINTS.index("right_hip")]].mean(1)
    person = stands(trembling, JOINTS, time_s, 1.70, axes[2])
    placed = trembling + on_floor(hips, person, time_s, world)[:, None]
    height = world.of(placed)[:, [JOINTS.index("left_ankle"), JOINTS.index("right_ankle")], 2].min(1)
    assert np.quantile(height, 0.25) == pytest.approx(0.039 * 1.7, abs=0.004)
    roof = walk + 0.6 * axes[2]  # no floor is drawn up to somebody who stands on something else
    moved = roof + on_floor(hips, stands(roof, JOINTS, time_s, 1.70, axes[2]), time_s, world)[:, None]
    assert np.median(world.of(moved)[:, JOINTS.index("left_ankle"), 2]) > 0.2
