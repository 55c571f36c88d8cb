"""Deviations of angles, angular velocities and speeds against errors that were made."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.types import Observations
from pipeline.measure.angles import angles
from pipeline.measure.angles_3d import COMMON, angles_3d
from pipeline.measure.deviations import Doubt, angle_std, share_of
from pipeline.measure.frontal import frontal
from pipeline.measure.frontal_3d import frontal_3d
from pipeline.measure.kinematics import kinematics
from pipeline.motion.person import build_motion
from tests import synthetic
from tests.motion.exchanges import halpe
from tests.motion.motions import exact

NAMES = tuple(
    f"{s}_{j}"
    for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "toe", "ear")
    for s in ("left", "right")
)


def test_in_the_plane_as_many_small_errors_say() -> None:
    rng = np.random.default_rng(0)
    rows = 60
    p = {name: rng.normal(0, 50, (6, rows)) for name in NAMES}
    p["left_shoulder"][:, :10] = np.nan  # the other side alone makes the trunk
    place = {name: rng.uniform(1e-5, 3e-5, rows) for name in NAMES}
    speed = {name: rng.uniform(1e-5, 3e-5, rows) for name in NAMES}
    found = angle_std(p, Doubt(place, speed, place))
    tries = []
    for _ in range(200):
        moved = {n: v + np.stack([place[n]] * 2 + [speed[n]] * 4) * rng.normal(size=v.shape) for n, v in p.items()}
        tries.append(angles(moved, np.ones(rows)) | frontal(moved))
    assert {"left_knee_flexion_deg_std", "left_knee_valgus_deg_std", "trunk_lateral_lean_deg_s_std"} <= set(found)
    for name, std in found.items():
        spread = np.std([out[name.removesuffix("_std").removesuffix("_jitter")] for out in tries], axis=0)
        known = np.isfinite(spread)
        assert known.any()
        np.testing.assert_allclose(np.median(spread[known] / std[known]), 1.0, atol=0.05, err_msg=name)


def test_the_whole_deviation_is_a_share_of_what_independent_errors_give_and_at_least_the_jitter() -> None:
    p = {name: np.random.default_rng(0).normal(0, 50, (6, 9)) for name in NAMES}
    small, large = ({name: np.full(9, std) for name in NAMES} for std in (1e-6, 1e-5))
    found = angle_std(p, Doubt(small, small, large))
    alone = angle_std(p, Doubt(large, large, large))
    for angle, share in (("left_knee_flexion", 0.65), ("right_shoulder_abduction", 0.9), ("trunk_lean", 0.9)):
        assert share_of(angle) == share
        np.testing.assert_allclose(found[f"{angle}_deg_std"], share * alone[f"{angle}_deg_std"])
        np.testing.assert_allclose(alone[f"{angle}_deg_std"], alone[f"{angle}_deg_jitter"])
        np.testing.assert_allclose(found[f"{angle}_deg_jitter"], alone[f"{angle}_deg_jitter"] / 10)


def test_in_space_as_many_small_errors_say() -> None:
    rng = np.random.default_rng(0)
    joints, std = rng.normal(size=(60, len(NAMES), 3)), rng.uniform(1e-6, 3e-6, (60, len(NAMES), 3))
    found = angles_3d(joints, NAMES, std) | frontal_3d(joints, NAMES, std)
    moved = [joints + std * rng.normal(size=joints.shape) for _ in range(150)]
    tries = [angles_3d(m, NAMES) | frontal_3d(m, NAMES) for m in moved]
    assert {"left_knee_valgus_3d_deg", "trunk_rotation_3d_deg"} <= set(tries[0])
    assert len(found) == 2 * len(tries[0])
    for name, values in tries[0].items():
        ratio = np.std([out[name] for out in tries], axis=0) / found[f"{name}_std"]
        assert np.isfinite(values).mean() > 0.5
        share = COMMON if "flexion" in name and "hip" not in name else 1.0  # errors of a limb's ends are alike
        np.testing.assert_allclose(share * np.nanmedian(ratio), 1.0, atol=0.05, err_msg=name)


def _seen(points: np.ndarray, truth: np.ndarray) -> Observations:
    """Points (T, 26, 2) as measured, in boxes about the true ones."""
    return Observations(
        frame=np.arange(len(points)),
        box_px=np.concatenate([truth.min(1) - 10, truth.max(1) + 10], 1).astype(np.float32),
        score=np.ones(len(points), np.float32),
        keypoints_px=points.astype(np.float32),
        keypoint_score=np.ones(points.shape[:2], np.float32),
        skeleton=HALPE26.name,
    )


@pytest.mark.parametrize("fps", [30, 120])
def test_intervals_hold_the_truth_of_a_noisy_walk(fps: int) -> None:
    rng = np.random.default_rng(1)
    t = np.arange(0, 8, 1 / fps)
    truth = halpe(synthetic.walker(t, height_px=400), 400)
    config = Config()
    obs = _seen(truth + rng.normal(0, config.smooth.noise_len * 400, truth.shape), truth)
    out = kinematics(build_motion(1, obs, t, HALPE26, config.track, config.smooth), HALPE26, np.ones(len(t)))
    exactly = kinematics(exact(t, truth, HALPE26), HALPE26, np.ones(len(t)))
    inner = slice(fps // 2, -fps // 2)
    for end, least in (("deg", 0.88), ("deg_s", 0.8)):
        for name in ("knee_flexion", "hip_flexion", "elbow_flexion"):
            column = f"left_{name}_{end}"
            off = np.abs(out[column] - exactly[column])[inner]
            std = out[f"{column}_jitter" if end == "deg" else f"{column}_std"][inner]
            assert np.mean(off <= 1.96 * std) > least, column
            assert np.median(off) > 0.2 * np.median(std), column


def test_a_row_alone_has_neither_speeds_nor_their_deviations() -> None:
    t = np.arange(0, 4, 1 / 30)
    truth = halpe(synthetic.walker(t, height_px=400), 400)
    seen = _seen(truth, truth).take(np.flatnonzero(np.isin(np.arange(len(t)), [5, *range(60, 80)])))
    columns = kinematics(build_motion(1, seen, t, HALPE26, Config().track, Config().smooth), HALPE26, np.ones(21))
    rates = {n: v for n, v in columns.items() if n.endswith(("_px_s", "_px_s2", "_deg_s", "_px_s_std", "_deg_s_std"))}
    assert len(rates) > 100
    assert {n: v[0] for n, v in rates.items() if not np.isnan(v[0])} == {}
    for name in ("com_speed_px_s_std", "left_ankle_speed_px_s_std", "left_ankle_acceleration_px_s2"):
        assert np.isfinite(rates[name][1:]).all(), name
    known = [n for n in columns if n.endswith("_flexion_deg")]
    assert known
    assert np.isfinite([columns[n][0] for n in known]).all()  # the angles themselves are known
