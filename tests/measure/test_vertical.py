"""Leans against the true vertical: of a rolled camera, said or calibrated; and what is said of the fitted one."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from pipeline.core.config import load_config
from pipeline.core.errors import PoselineError
from pipeline.core.settings import Calibration, Ground, MetresConfig
from pipeline.core.skeleton import COCO17
from pipeline.lift.world import World
from pipeline.measure.kinematics import kinematics
from pipeline.measure.measure import measure
from pipeline.measure.vertical import roll_deg, roll_warnings, up_of
from tests import synthetic
from tests.measure.test_frontal import NAMES, body, in_camera
from tests.motion.motions import exact

T = np.arange(0, 2, 1 / 30)
MIDDLE = np.array([960.0, 540.0])


def _rolled(points: np.ndarray, deg: float) -> np.ndarray:
    """Points (…, 2+) clockwise in the picture by ``deg``, about its middle: what a camera rolled the other way sees."""
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    out = points.copy()
    out[..., :2] = (points[..., :2] - MIDDLE) @ np.array([[c, s], [-s, c]]) + MIDDLE
    return out


def _calibrated(roll: float, down: float = 0.0) -> MetresConfig:
    """A camera 2 m above the floor in which what is upright leans to the right, and which looks down."""
    a, b = np.radians(roll), np.radians(down)
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    pitch = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ pitch @ level
    camera = Calibration(
        size_px=(1920, 1080),
        matrix=((1500, 0, 960), (0, 1500, 540), (0, 0, 1)),
        rotation=tuple(cv2.Rodrigues(turn)[0].ravel()),
        translation_m=tuple(-turn @ np.array([0, 0, 2.0])),
    )
    return MetresConfig(ground=Ground(camera=camera))


@pytest.mark.parametrize("roll", [6.0, -20.0])
@pytest.mark.parametrize("way", [1.0, -1.0])
def test_a_roll_that_is_known_gives_the_leans_of_a_level_camera(roll: float, way: float) -> None:
    walk = synthetic.walker(T, velocity_px_s=(200 * way, 0))
    rolled = exact(T, _rolled(walk, roll))
    level = kinematics(exact(T, walk), COCO17)
    for metres in (MetresConfig(roll_deg=roll), _calibrated(roll)):
        found = kinematics(rolled, COCO17, up=up_of(metres))
        for name in [n for n in level if n.endswith(("_deg", "_deg_s"))]:
            np.testing.assert_allclose(found[name], level[name], atol=0.1, err_msg=name)
        for name in ("com_x_px", "nose_vx_px_s"):  # places and speeds stay the picture's
            np.testing.assert_array_equal(found[name], kinematics(rolled, COCO17)[name])
    off = np.median(kinematics(rolled, COCO17)["trunk_lean_deg"] - level["trunk_lean_deg"])
    assert off == pytest.approx(way * roll, abs=0.1)


def test_people_seen_from_the_front_lean_against_the_true_vertical() -> None:
    frame = np.stack([np.concatenate([p[:2] * 300 + MIDDLE]) for p in in_camera(body()).values()])
    names = list(in_camera(body()))
    px = np.full((len(T), 17, 2), np.nan)
    for name, place in zip(names, frame, strict=True):
        if name in COCO17.names:
            px[:, COCO17.index(name)] = place
    rolled = exact(T, _rolled(px, 10.0))
    for name in ("trunk_lateral_lean_deg", "shoulders_lean_deg", "pelvis_lean_deg"):
        assert abs(np.median(kinematics(rolled, COCO17)[name])) == pytest.approx(10, abs=0.5)
        assert np.median(kinematics(rolled, COCO17, up=up_of(MetresConfig(roll_deg=10)))[name]) == pytest.approx(
            np.median(kinematics(exact(T, px), COCO17)[name]), abs=0.1
        )


@pytest.mark.parametrize(("roll", "down"), [(12.0, 0.0), (-12.0, 30.0), (0.0, 88.0)])
def test_leans_in_space_are_against_the_vertical_of_a_calibrated_camera(roll: float, down: float) -> None:
    up = up_of(_calibrated(roll, down))
    upright = in_camera(body(), 40.0)
    still = np.array([list(upright.values())] * 2)
    turn = cv2.Rodrigues(_calibrated(roll, down).ground.camera.rotation)[0] @ np.array(
        [[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]
    )
    motion = exact(T[:2], np.full((2, 17, 2), np.nan))
    there = dataclasses.replace(motion, keypoints_m=(still @ turn.T).astype(np.float32), names_m=NAMES)
    level = kinematics(dataclasses.replace(there, keypoints_m=still.astype(np.float32)), COCO17)
    found = kinematics(there, COCO17, up=up)
    for name in [n for n in level if n.endswith("_3d_deg")]:
        np.testing.assert_allclose(found[name], level[name], atol=0.05, err_msg=name)


def test_a_roll_by_hand_counts_before_a_calibration_and_reaches_the_table() -> None:
    walk = exact(T, _rolled(synthetic.from_the_side(synthetic.walker(T)), 6.0))
    both = _calibrated(20.0).model_copy(update={"roll_deg": 6.0})
    lean = [
        np.median(measure(walk, COCO17, m, (1920, 1080)).motion.quantities["trunk_lean_deg"])
        for m in (both, _calibrated(6.0), MetresConfig())
    ]
    assert lean[0] == pytest.approx(lean[1], abs=0.1)
    assert lean[2] == pytest.approx(lean[0] + 6, abs=0.1)


@pytest.mark.parametrize("roll", [-7.0, -2.5, 0.0, 2.5, 7.0])
def test_a_fitted_world_that_is_rolled_is_told_once_with_the_remedy(roll: float) -> None:
    up = up_of(MetresConfig(roll_deg=roll))
    across = np.cross(up, [0, 0, 1.0])
    world = World(np.stack([across, np.cross(up, across), up]), np.zeros(3))
    assert roll_deg(up) == pytest.approx(roll)
    lines = roll_warnings(world, MetresConfig())
    assert len(lines) == (abs(roll) > 3)
    assert all(f"--roll {roll:.0f};" in line for line in lines)
    assert not roll_warnings(world, MetresConfig(roll_deg=0.0)) + roll_warnings(world, _calibrated(9.0))
    assert not roll_warnings(None, MetresConfig())


def test_a_roll_out_of_range_is_refused() -> None:
    with pytest.raises(PoselineError, match="roll_deg"):
        load_config("default", ["metres.roll_deg=90"])
