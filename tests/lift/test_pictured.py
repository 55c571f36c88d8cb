"""Points of the picture beside the centres of the joints."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluate.mocap import joints_of
from pipeline.lift import pictured as module
from pipeline.lift.joints import HIPS, JOINTS, POINTS, flipped
from pipeline.lift.pictured import hips_place, lasting_shifts, pictured, rays_to_joints
from tests.lift.walkers import walker

AT = {name: i for i, name in enumerate(JOINTS)}


@pytest.fixture
def joints() -> np.ndarray:
    """(n, J, 3) m, y up, somebody who walks along +z, left towards +x."""
    return joints_of(walker(30)[None])[0].astype(np.float64)


def test_hips_lie_lower_and_wider_and_ankles_higher(joints: np.ndarray) -> None:
    off = pictured(joints) - joints[:, : len(POINTS)]
    trunk = np.linalg.norm(joints[:, [5, 6]].mean(1) - joints[:, HIPS].mean(1), axis=-1)
    hip = off[:, AT["left_hip"]] / trunk[:, None]
    np.testing.assert_allclose(hip[:, 1], module.MEAN["hip"][1], atol=0.01)
    np.testing.assert_allclose(hip[:, 0], module.MEAN["hip"][0], atol=0.01)
    assert (off[:, AT["left_ankle"], 1] > 0).all()
    assert np.abs(off[:, AT["left_wrist"]]).max() == 0
    legs = np.linalg.norm(pictured(joints)[:, 11] - pictured(joints)[:, 13], axis=-1)
    assert (legs < np.linalg.norm(joints[:, 11] - joints[:, 13], axis=-1)).all()


def test_the_points_of_a_mirror_image_are_mirrored(joints: np.ndarray) -> None:
    turned = joints[:, flipped(JOINTS)] * np.array([-1, 1, 1])
    more = lasting_shifts(1, np.random.default_rng(0))[0]
    same = (more + more[:, flipped(POINTS)]) / 2
    lone = [i for i, f in enumerate(flipped(POINTS)) if i == f]
    same[:, lone, 0] = 0  # the nose has no outwards
    back = pictured(turned, same)[:, flipped(POINTS)] * np.array([-1, 1, 1])
    np.testing.assert_allclose(back, pictured(joints, same), atol=1e-6)


def test_rays_to_points_become_rays_to_joints(joints: np.ndarray) -> None:
    about = (joints - joints[:, HIPS].mean(1, keepdims=True)) * np.array([1, -1, -1])
    hips = np.array([0.3, 0.1, 4.0]) + np.zeros((30, 3))

    def seen(p: np.ndarray) -> np.ndarray:
        return (p[..., :2] + hips[:, None, :2]) / (p[..., 2:] + hips[:, None, 2:])

    marked = pictured(about)
    marked[:, HIPS] += module._towards_camera(about, marked[:, HIPS] + hips[:, None])
    np.testing.assert_allclose(rays_to_joints(seen(marked), about, hips), seen(about[:, : len(POINTS)]), atol=1e-9)
    rays = seen(pictured(about))
    centre = rays[:, HIPS].mean(1)
    found = hips_place(about, rays, np.ones(rays.shape[:2]), centre, 1 / 30)
    np.testing.assert_allclose(found, hips, atol=0.02)


@pytest.mark.parametrize("turn_deg", [0, 30, 90, 150, 180, 210])
def test_hips_are_marked_on_the_side_that_is_seen(joints: np.ndarray, turn_deg: float) -> None:
    """From in front and behind nothing moves aside; between, both hips move to where the seen side faces."""
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    about = (joints - joints[:, HIPS].mean(1, keepdims=True)) * np.array([1, -1, -1])
    about = about @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    off = module._towards_camera(about, about[:, HIPS] + np.array([0, 0, 50.0])).mean((0, 1))
    trunk = np.linalg.norm(joints[:, [5, 6]].mean(1) - joints[:, HIPS].mean(1), axis=-1).mean()
    np.testing.assert_allclose(off[0], module.TOWARDS * trunk * s * c, atol=0.008)
    np.testing.assert_allclose(off[2], -module.TOWARDS * trunk * c * c, atol=0.01)


def test_hips_seen_from_above_are_marked_lower(joints: np.ndarray) -> None:
    about = (joints - joints[:, HIPS].mean(1, keepdims=True)) * np.array([1, -1, -1])
    lower = []
    for rise_deg in (10, 35):
        c, s = np.cos(np.radians(rise_deg)), np.sin(np.radians(rise_deg))
        tilted = about @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
        lower.append(module._towards_camera(tilted, tilted[:, HIPS] + np.array([0, 0, 50.0]))[..., 1].mean())
    assert abs(lower[0]) < 0.004
    assert lower[1] > 0.01


def test_joints_that_are_not_known_leave_their_rays(joints: np.ndarray) -> None:
    joints[3] = np.nan
    rays = np.zeros((30, len(POINTS), 2))
    hips = np.full((30, 3), 4.0)
    hips[3] = np.nan
    np.testing.assert_array_equal(rays_to_joints(rays, joints, hips)[3], rays[3])


def test_lasting_shifts_have_the_spread_and_mostly_both_sides() -> None:
    off = lasting_shifts(4000, np.random.default_rng(1))[:, 0]
    np.testing.assert_allclose(off.std(0), np.repeat(module.SPREAD_OF[:, None], 3, 1), rtol=0.1)
    left, right = off[:, AT["left_hip"], 1], off[:, AT["right_hip"], 1]
    assert np.corrcoef(left, right)[0, 1] == pytest.approx(module.ALIKE**2, abs=0.06)
