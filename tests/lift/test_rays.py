"""Joints onto their rays."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluate.lifting import distance
from pipeline.evaluate.mocap import joints_of
from pipeline.lift.body import limb_lengths, with_lengths
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
