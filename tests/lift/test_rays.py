"""Joints onto their rays."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluate.lifting import distance
from pipeline.evaluate.mocap import joints_of
from pipeline.lift.body import lengths_told, limb_lengths, with_lengths
from pipeline.lift.joints import HIPS, JOINTS, J, K
from pipeline.lift.rays import on_rays
from tests.lift.walkers import walker

FRAMES = 40


@pytest.fixture
def body() -> tuple[np.ndarray, np.ndarray]:
    """Joints (L, J, 3) about the hips of somebody who walks, limbs of constant length; the hips' way (L, 3)."""
    joints = joints_of(walker(FRAMES)[None])[0].astype(np.float64)
    joints = (joints - joints[:, HIPS].mean(1, keepdims=True)) * np.array([1, -1, -1])
    joints = with_lengths(joints, limb_lengths(joints))
    hips = np.array([0.4, 0.2, 6.0]) + np.linspace(0, 1, FRAMES)[:, None] * np.array([0.5, 0, 0.3])
    return joints, hips


def seen(joints: np.ndarray, hips: np.ndarray) -> np.ndarray:
    """Rays (L, K, 2) to the joints."""
    places = (joints + hips[:, None])[:, :K]
    return places[..., :2] / places[..., 2:]


def off_rays(joints: np.ndarray, hips: np.ndarray, rays: np.ndarray) -> float:
    """Mean distance in m of the joints from their rays."""
    places = (joints + hips[:, None])[:, :K]
    return float(np.linalg.norm(places[..., :2] - rays * places[..., 2:], axis=-1).mean())


def test_true_joints_stay(body: tuple[np.ndarray, np.ndarray]) -> None:
    joints, hips = body
    std, score = np.full(joints.shape, 0.05), np.ones((FRAMES, K))
    found = on_rays(joints, std, seen(joints, hips), score, hips, limb_lengths(joints))
    assert np.abs(found - joints).max() < 1e-4


def test_errors_shrink_across_and_in_depth(body: tuple[np.ndarray, np.ndarray]) -> None:
    joints, hips = body
    rng = np.random.default_rng(0)
    wrong = joints + rng.normal(0, [0.03, 0.03, 0.06], joints.shape)
    wrong -= wrong[:, HIPS].mean(1, keepdims=True)
    std = np.broadcast_to(np.array([0.03, 0.03, 0.06]), joints.shape)
    rays = seen(joints, hips)
    found = on_rays(wrong, std, rays, np.ones((FRAMES, K)), hips, limb_lengths(joints))
    assert off_rays(found, hips, rays) < 0.4 * off_rays(wrong, hips, rays)
    assert distance(found, joints).mean() < 0.8 * distance(wrong, joints).mean()
    assert np.abs(found - joints)[..., 2].mean() < 0.95 * np.abs(wrong - joints)[..., 2].mean()


def test_points_that_are_hardly_seen_hardly_pull(body: tuple[np.ndarray, np.ndarray]) -> None:
    joints, hips = body
    std, score = np.full(joints.shape, 0.05), np.ones((FRAMES, K))
    wrist = JOINTS.index("left_wrist")
    rays = seen(joints, hips)
    rays[:, wrist] += 0.2 / 6
    moved = []
    for said in (0.0, 0.3, 0.6, 1.0):
        score[:, wrist] = said
        found = on_rays(joints, std, rays, score, hips, limb_lengths(joints))
        moved.append(float(distance(found, joints)[:, wrist].mean()))
    assert moved[0] < 1e-4
    assert moved[1] < 0.01
    assert moved == sorted(moved)
    assert moved[3] > 0.05


def test_what_is_not_known_stays_so(body: tuple[np.ndarray, np.ndarray]) -> None:
    joints, hips = body
    std, score = np.full(joints.shape, 0.05), np.ones((FRAMES, K))
    rays = seen(joints, hips)
    rays[3, 5] = np.nan
    joints[7] = np.nan
    hips[9] = np.nan
    found = on_rays(joints, std, rays, score, hips, limb_lengths(joints))
    assert np.isnan(found[7]).all()
    np.testing.assert_array_equal(found[9], joints[9])
    assert np.isfinite(found[3]).all()
    assert found.shape == (FRAMES, J, 3)


def test_each_frame_for_itself(body: tuple[np.ndarray, np.ndarray]) -> None:
    joints, hips = body
    wrong = joints + np.random.default_rng(1).normal(0, 0.03, joints.shape)
    rest = np.full(joints.shape, 0.05), seen(joints, hips), np.ones((FRAMES, K)), hips
    lengths = limb_lengths(joints)
    whole = on_rays(wrong, *rest, lengths)
    part = on_rays(wrong[10:13], *(a[10:13] for a in rest), lengths)
    np.testing.assert_allclose(part, whole[10:13], atol=1e-9)


def test_points_count_more_where_the_network_is_surer(body: tuple[np.ndarray, np.ndarray]) -> None:
    joints, hips = body
    rays, score = seen(joints, hips) + 0.01 / 6, np.full((FRAMES, K), 0.8)
    # All deviations alike: what differs is how exact the network takes the points to be.
    off = []
    for std in (0.01, 0.02, 0.04):
        found = on_rays(joints, np.full(joints.shape, std), rays, score, hips, limb_lengths(joints))
        off.append(off_rays(found, hips, rays) / off_rays(joints, hips, rays))
    np.testing.assert_allclose(off, off[0], atol=0.05)


def test_a_point_far_astray_hardly_pulls(body: tuple[np.ndarray, np.ndarray]) -> None:
    joints, hips = body
    wrist, moved = JOINTS.index("left_wrist"), []
    for astray_m in (0.05, 0.4):
        rays = seen(joints, hips)
        rays[:, wrist, 0] += astray_m / 6
        std = np.full(joints.shape, 0.03)
        found = on_rays(joints, std, rays, np.full((FRAMES, K), 0.7), hips, limb_lengths(joints))
        moved.append(float(distance(found, joints)[:, wrist].mean()))
    assert moved[1] < 3 * moved[0]  # eight times as far astray
    assert moved[1] < 0.05


def test_limbs_get_the_length_that_the_surest_rows_tell(body: tuple[np.ndarray, np.ndarray]) -> None:
    joints, _ = body
    true = limb_lengths(joints)
    arm = JOINTS.index("left_wrist"), JOINTS.index("left_elbow")
    side = np.arange(FRAMES) < FRAMES // 4  # rows in which the forearm lies across the line of sight
    length = np.linalg.norm(joints[0, arm[0]] - joints[0, arm[1]])
    bone = np.where(side[:, None], [length, 0, 0], [0, 0, 0.6 * length])  # else along it, and seen too short
    joints[:, arm[0]] = joints[:, arm[1]] + bone
    joints[:, JOINTS.index("right_wrist")] = joints[:, JOINTS.index("right_elbow")] + bone
    std = np.broadcast_to(np.array([0.01, 0.01, 0.1]), joints.shape)
    told = lengths_told(joints, std, np.zeros((FRAMES, 2)))
    assert limb_lengths(joints)["left_wrist"] == pytest.approx(0.6 * true["left_wrist"], rel=0.02)
    assert limb_lengths(joints, told)["left_wrist"] == pytest.approx(true["left_wrist"], rel=0.02)
    assert limb_lengths(joints, np.ones_like(told))["left_knee"] == pytest.approx(true["left_knee"], rel=1e-3)


def test_a_joint_that_is_never_known_has_no_length(body: tuple[np.ndarray, np.ndarray]) -> None:
    joints, _ = body
    joints[:, JOINTS.index("left_wrist")] = np.nan
    told = lengths_told(joints, np.full(joints.shape, 0.05), np.zeros((FRAMES, 2)))
    assert np.isnan(limb_lengths(joints, told)["left_wrist"])
    assert limb_lengths(joints, told)["left_knee"] == pytest.approx(limb_lengths(joints)["left_knee"], rel=1e-3)
