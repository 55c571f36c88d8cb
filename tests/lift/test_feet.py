"""Feet that stand hold still, and nothing else becomes worse, on walks whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.skeleton import COCO17
from pipeline.core.types import Motion
from pipeline.evaluate.mocap import joints_of
from pipeline.lift.feet import Stand, _averaged, bent_leg, held, standing, steadied
from pipeline.lift.joints import JOINTS
from pipeline.measure.angles_3d import angles_3d
from tests.lift.test_our_lifter import FOCAL, FPS, motion_of
from tests.lift.walkers import SPEED_M_S, STRIDE_S, walker

N, SPEED = 180, 0.7
ANKLES = [JOINTS.index("left_ankle"), JOINTS.index("right_ankle")]
HIPS = [JOINTS.index("left_hip"), JOINTS.index("right_hip")]
UP = np.array([0.0, -1.0, 0.0])


def walk() -> tuple[np.ndarray, np.ndarray]:
    """(N, J, 3) m somebody who walks across, 8 m in front of the camera, and (N, 2) when each ankle stands.

    An ankle swings for .4 of a stride and then stands exactly.
    """
    time_s = np.arange(N) / FPS
    places = joints_of(walker(N, np.pi / 2, FPS)[None])[0].astype(np.float64)
    places[:, :, 0] += ((SPEED - SPEED_M_S) * time_s)[:, None]
    stands = np.zeros((N, 2), bool)
    for side, part in enumerate(("left", "right")):
        hip, knee, ankle = (JOINTS.index(f"{part}_{p}") for p in ("hip", "knee", "ankle"))
        phase = time_s / STRIDE_S + side / 2
        swing = np.clip((phase % 1) / 0.4, 0, 1)
        stands[:, side] = phase % 1 > 0.4
        along = SPEED * STRIDE_S * (np.floor(phase) + (0.5 - 0.5 * np.cos(np.pi * swing)) - side / 2 - 0.3)
        target = places[:, ankle].copy()
        target[:, 0], target[:, 1] = along, 0.1 + 0.1 * np.sin(np.pi * swing)
        bent, end = bent_leg(places[:, hip], places[:, knee], places[:, ankle], target)
        assert np.abs(end - target).max() < 0.02
        places[:, knee], places[:, ankle] = bent, end
    return (places * [1, -1, -1] + [-2.0, 1.5, 8.0]), stands


def wavering(places: np.ndarray) -> np.ndarray:
    """What a lifter makes of them: the distance wavers, and so do the legs, by some centimetres."""
    time_s = np.arange(N) / FPS
    wave = 0.006 * np.sin(2 * np.pi * time_s / 0.9) + 0.02 * np.sin(2 * np.pi * time_s / 2.3)
    out = places * (1 + wave)[:, None, None]
    for side, part in enumerate(("left", "right")):
        hip, knee, ankle = (JOINTS.index(f"{part}_{p}") for p in ("hip", "knee", "ankle"))
        push = 0.03 * np.sin(2 * np.pi * time_s / 0.7 + side)[:, None] * np.array([0, 0, 1.0])
        out[:, knee], out[:, ankle] = bent_leg(out[:, hip], out[:, knee], out[:, ankle], out[:, ankle] + push)
    return out.astype(np.float32)


def motion(places: np.ndarray) -> Motion:
    return replace(motion_of(places.astype(np.float32)), names_m=JOINTS)


def slide(places: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """Speeds in m/s, over the floor, of ankles that stand."""
    speed = np.linalg.norm(np.diff(places[:, ANKLES], axis=0)[..., [0, 2]], axis=-1) * FPS
    return speed[stands[1:] & stands[:-1]]


def off(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(found - truth, axis=-1).mean())


def test_stands_are_found() -> None:
    truth, true = walk()
    found = np.zeros((N, 2), bool)
    for side, rows in standing(motion(truth), COCO17.names, truth[:, ANKLES], None):
        found[rows, side] = True
    assert (found & true).sum() > 0.9 * true.sum()
    assert (found & ~true).sum() < 0.15 * found.sum()


def test_feet_hold_still_and_the_truth_comes_nearer() -> None:
    truth, stands = walk()
    before = wavering(truth)
    after = held(before, motion(truth), COCO17.names, 1.7, UP, None)
    assert np.median(slide(before, stands)) > 0.3
    assert np.median(slide(after, stands)) < 0.02
    assert np.percentile(slide(after, stands), 95) < 0.3
    assert off(after, truth) < 0.85 * off(before, truth)
    assert off(after[:, ANKLES], truth[:, ANKLES]) < 0.85 * off(before[:, ANKLES], truth[:, ANKLES])


def test_limbs_and_knees_stay_as_they_are_and_joints_on_their_rays() -> None:
    truth, _ = walk()
    before = wavering(truth)
    after = held(before, motion(truth), COCO17.names, 1.7, UP, None)
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"), ("ankle", "toe")):
        i, j = JOINTS.index(f"left_{a}"), JOINTS.index(f"left_{b}")
        length = [np.linalg.norm(p[:, i] - p[:, j], axis=-1) for p in (before, after)]
        np.testing.assert_allclose(length[1], length[0], rtol=1e-3)
    knees = [angles_3d(p, JOINTS)["left_knee_flexion_3d_deg"] for p in (before, after)]
    assert np.abs(knees[1] - knees[0]).max() < 2
    seen = [p[..., :2] / p[..., 2:] for p in (truth, before, after)]
    px = [FOCAL * np.linalg.norm(s - seen[0], axis=-1).mean() for s in seen[1:]]
    assert px[1] < px[0] + 0.01 * np.ptp(seen[0][0, :, 1]) * FOCAL


def test_a_moving_camera_and_a_treadmill_lock_nothing() -> None:
    truth, _ = walk()
    before = wavering(truth)
    np.testing.assert_array_equal(held(before, motion(truth), COCO17.names, 1.7, UP, np.zeros(N, bool)), before)
    treadmill = truth - [SPEED / FPS, 0, 0] * np.arange(N)[:, None, None]
    same = wavering(treadmill)
    np.testing.assert_array_equal(held(same, motion(treadmill), COCO17.names, 1.7, UP, None), same)


def test_somebody_who_stands_does_not_drift() -> None:
    truth = np.repeat(walk()[0][60:61], N, 0)
    before = wavering(truth)
    after = held(before, motion(truth), COCO17.names, 1.7, UP, None)
    assert np.ptp(after[:, ANKLES], axis=0)[:, [0, 2]].max() < 2e-3
    assert np.ptp(before[:, ANKLES], axis=0)[:, 2].min() > 0.2
    assert np.std(after[:, HIPS, 2], axis=0).max() < 0.3 * np.std(before[:, HIPS, 2], axis=0).min()


def test_uneven_steps_steady_as_even_ones_do() -> None:
    even = np.arange(401) / 100
    places = np.stack([0.1 * np.sin(3 * even), 0 * even, 0.2 * np.cos(2 * even)], 1)
    ankles, hips = np.stack([places, places], 1), np.tile([0.0, 0.0, 5.0], (401, 1))
    some = np.flatnonzero(np.isin(np.arange(401) % 12, (0, 1, 2, 6)))
    found = []
    for rows in (np.arange(401), some):
        edges = [np.searchsorted(even[rows], edge) for edge in (0.6, 1.5, 2.4, 3.0)]
        stands = [Stand(0, slice(*edges[:2])), Stand(1, slice(*edges[2:]))]
        found.append(steadied(ankles[rows], hips[rows], stands, even[rows]))
    assert np.abs(found[0]).max() > 0.05
    assert np.abs(found[1] - found[0][some]).max() < 0.05 * np.abs(found[0]).max()


def test_a_path_is_averaged_over_time_and_not_over_rows() -> None:
    time_s = np.cumsum(np.where(np.arange(90) < 60, 0.01, 0.1))
    path = np.stack([time_s, np.square(time_s), np.sin(time_s)], 1)
    even = np.arange(time_s[0], time_s[-1], 0.01)
    whole = _averaged(even, even, np.stack([even, np.square(even), np.sin(even)], 1))
    found = _averaged(time_s, time_s, path)
    at = np.stack([np.interp(time_s, even, values) for values in whole.T], 1)
    assert np.abs(found - at)[:-5].max() < 0.01
    worst = np.array([0.0, 1e-5, 2e-5, 0.9, 1.8])  # a grid as fine as the usual step would have 180,000 points
    np.testing.assert_allclose(_averaged(worst, worst, np.ones((5, 3))), 1)


def test_keypoint_sets_without_ankles_say_of_no_foot_that_it_stands() -> None:
    truth, _ = walk()
    without = tuple(name.replace("ankle", "shin") for name in COCO17.names)
    assert standing(motion(truth), without, truth[:, ANKLES], None) == []


def test_what_is_not_known_stays_unknown() -> None:
    truth, _ = walk()
    before = wavering(truth)
    before[50:60] = np.nan
    after = held(before, motion(truth), COCO17.names, 1.7, UP, None)
    np.testing.assert_array_equal(np.isnan(after), np.isnan(before))
    assert steadied(truth[:, ANKLES], np.full((N, 3), np.nan), [], np.arange(N) / FPS) == pytest.approx(
        np.zeros((N, 3))
    )


def test_a_leg_reaches_its_target_with_its_lengths() -> None:
    rng = np.random.default_rng(0)
    hip = rng.normal(size=(50, 3))
    knee = hip + [0, -0.42, 0.05] + 0.05 * rng.normal(size=(50, 3))
    ankle = knee + [0, -0.40, -0.08] + 0.05 * rng.normal(size=(50, 3))
    target = ankle + 0.05 * rng.normal(size=(50, 3))
    bent, end = bent_leg(hip, knee, ankle, target)
    for a, b, c, d in ((hip, knee, hip, bent), (knee, ankle, bent, end)):
        np.testing.assert_allclose(np.linalg.norm(c - d, axis=-1), np.linalg.norm(a - b, axis=-1), rtol=1e-6)
    reach = np.linalg.norm(target - hip, axis=-1) <= np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(
        ankle - knee, axis=-1
    )
    np.testing.assert_allclose(end[reach], target[reach], atol=1e-6)
    far = bent_leg(hip, knee, ankle, hip - np.array([0, 3.0, 0]))[1]
    np.testing.assert_allclose((far - hip)[:, [0, 2]], 0, atol=1e-9)
