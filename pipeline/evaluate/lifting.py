"""Accuracy of 3D: mean per joint position error (MPJPE), after a rotation and scaling (PA), and of velocities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.config import Config
from pipeline.evaluate.anatomy import anatomical
from pipeline.evaluate.cameras import detector_noise, random_cameras
from pipeline.evaluate.mocap import heights, joints_of, load
from pipeline.evaluate.mocap_types import TRUE, Mocap
from pipeline.lift.joints import HIPS, JOINTS
from pipeline.lift.lifter import Lifted, PersonRays, finish_all, per_axis_std
from pipeline.lift.lying import lift_turned
from pipeline.lift.network import HEIGHT_M, Network
from pipeline.lift.online import LiveLifter
from pipeline.lift.pictured import lasting_shifts, pictured
from pipeline.lift.view import LEAST_SCORE, look_at, view
from pipeline.measure.angles_3d import angles_3d
from pipeline.models.runtime import pick_device

# Lifts one sequence: times (T,), rays (T, K, 2), scores (T, K) to joints (T, J, 3) m about the hips of a person
# HEIGHT_M tall, in the camera's axes, and their standard deviations (T, J) per axis.
Lift = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
Single = Callable[[np.ndarray, np.ndarray], np.ndarray]  # rays and scores to joints, each frame by itself
JUDGED = np.array([JOINTS.index(name) for name in TRUE])
NOISES = ("none", "detector")
STRAIGHT_DEG = 8.0  # a knee bent less is that of somebody who stands straight
NEAREST_M = 0.3  # points nearer to the camera, or behind it, are not seen


def aligned(found: np.ndarray, truth: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """``found`` (N, J, 3), each row aligned to ``truth`` by the best rotation, scale and shift.

    Orthogonal Procrustes without reflection (Umeyama 1991), by the joints that are ``known`` (N, J).
    """
    w = np.ones(found.shape[:2]) if known is None else known.astype(float)
    w = (w / np.maximum(w.sum(1, keepdims=True), 1))[..., None]
    middle = (w * truth).sum(1, keepdims=True)
    f, t = np.sqrt(w) * (found - (w * found).sum(1, keepdims=True)), np.sqrt(w) * (truth - middle)
    u, s, vt = np.linalg.svd(np.swapaxes(f, 1, 2) @ t)
    sign = np.sign(np.linalg.det(u @ vt))
    s, u = s.copy(), u.copy()
    s[:, 2] *= sign
    u[:, :, 2] *= sign[:, None]
    scale = s.sum(1) / np.maximum(np.square(f).sum((1, 2)), 1e-12)
    return scale[:, None, None] * (found - (w * found).sum(1, keepdims=True)) @ (u @ vt) + middle


def aligned_as_one(
    found: np.ndarray, truth: np.ndarray, rotation_only: bool = False, known: np.ndarray | None = None
) -> np.ndarray:
    """``found`` (N, J, 3) brought to ``truth`` by one rotation (and scale and shift) for all rows."""
    f, t = found.reshape(1, -1, 3), truth.reshape(1, -1, 3)
    if not rotation_only:
        return aligned(f, t, None if known is None else known.reshape(1, -1)).reshape(found.shape)
    if known is not None:
        t = t * known.reshape(1, -1, 1)
    u, _, vt = np.linalg.svd(np.swapaxes(f, 1, 2) @ t)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return (f @ (u @ vt)).reshape(found.shape)


def distance(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N, J) distances of joints."""
    return np.linalg.norm(found - truth, axis=-1)


def velocity_error(found: np.ndarray, truth: np.ndarray, fps: float) -> np.ndarray:
    """(N - 1, J) lengths of the velocity errors; a velocity is the difference of neighbouring frames (MPJVE)."""
    return np.linalg.norm(np.diff(found - truth, axis=0), axis=-1) * fps


def evaluate_embedded(path: Path, seed: int = 0, noise: str = "none", live: bool = False) -> dict[str, Any]:
    """`evaluate_mocap` of the embedded lifter on a file, with velocity errors also for frames lifted one by one.

    ``live``: each frame is lifted from that frame and earlier ones.
    """
    network, mocap = Network(pick_device("cpu")), anatomical(load(path))
    if live:
        return evaluate_mocap(mocap, lambda *seen: lift_live(network, *seen), seed, noise)
    return evaluate_mocap(
        mocap,
        lambda time_s, rays, score: lift_whole(network, time_s, rays, score),
        seed,
        noise,
        lambda rays, score: lift_single(network, rays, score),
    )


def lift_whole(
    network: Network, time_s: np.ndarray, rays: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, J, 3) and their standard deviations (T, J) as in the tables, without the place of the body."""
    joints, std, centre = lift_turned(network, time_s, rays, score)
    std = std[..., [0, 0, 1]]
    seen = PersonRays(time_s, np.arange(len(time_s)), rays, score, centre)
    return finish_all([Lifted(seen, joints, std)], Config())[0], per_axis_std(std)


def lift_live(
    network: Network, time_s: np.ndarray, rays: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, J, 3) and standard deviations (T, J) as they are known at each frame."""
    lifter = LiveLifter(network)
    frames = [lifter.update(t, [1], r[None], s[None]) for t, r, s in zip(time_s, rays, score, strict=True)]
    joints, std = np.concatenate([f.joints for f in frames]), np.concatenate([f.std for f in frames])
    known = np.isfinite(joints).all((1, 2))
    row = np.maximum.accumulate(np.where(known, np.arange(len(joints)), np.argmax(known)))
    return joints[row], per_axis_std(std[row][..., [0, 0, 1]])


def lift_single(network: Network, rays: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Joints (T, J, 3) of frames lifted one by one; a frame without hips takes the joints of the last frame."""
    seen = (score > LEAST_SCORE) & np.isfinite(rays).all(-1)
    known = seen[:, HIPS].any(1)
    if not known.any():
        return np.full((len(rays), len(JOINTS), 3), np.nan, np.float32)
    found = view(rays[known, None], score[known, None], 30.0)
    joints = np.concatenate(
        [network.session.run(part)["places"] for part in np.array_split(found.features, -(-len(found.features) // 256))]
    )
    joints = (joints @ look_at(found.centre).astype(np.float32))[:, 0]
    return joints[np.maximum(np.cumsum(known) - 1, 0)]


def evaluate_mocap(
    mocap: Mocap, lift: Lift, seed: int = 0, noise: str = "none", single: Single | None = None
) -> dict[str, Any]:
    """Errors of a lifter on motion capture seen by random cameras, one for each trial.

    The camera's focal length is known. The people's height is unknown for ``mpjpe_mm`` and known for
    ``mpjpe_known_height_mm``. Joints are those of `TRUE`, about the middle of the hips, which itself does not count.
    ``angles_deg`` are mean absolute errors of the angles of the tables, ``angle_deg`` their mean; ``angles_bias_deg``
    are the mean errors. ``straight_knee_deg`` is the median of the knees found where the true ones bend less than 8°.
    ``within_95_share``: share of the coordinates, at known heights, with an error below 1.96 standard deviations.

    Args:
        noise: "none", or "detector" for 2D points with the errors of the embedded networks.
        single: lifts each frame by itself, for ``mpjve_single_frame_mm_s``.
    """
    sums: dict[str, list[np.ndarray]] = {key: [] for key in ("raw", "scaled", "pa", "velocity", "single", "within")}
    angles = []
    for i in range(len(mocap.length)):
        points = mocap.trial(i)
        truth, rays, score = seen_by_camera(points, mocap.fps, np.random.default_rng([seed, i]), noise)
        time_s = np.arange(len(points)) / mocap.fps
        found, std = lift(time_s, rays, score)
        angles.append((angles_3d(found, JOINTS), angles_3d(truth, JOINTS)))
        truth = truth[:, JUDGED]
        size = float(np.median(heights(points))) / HEIGHT_M
        sums["raw"].append(distance(found[:, JUDGED], truth))
        scaled = found[:, JUDGED] * size
        sums["scaled"].append(distance(scaled, truth))
        sums["within"].append((np.abs(scaled - truth) < 1.96 * size * std[:, JUDGED, None]).mean(-1))
        sums["pa"].append(distance(aligned(scaled, truth), truth))
        sums["velocity"].append(velocity_error(scaled, truth, mocap.fps))
        if single is not None:
            alone = single(rays, score)[:, JUDGED] * size
            sums["single"].append(velocity_error(alone, truth, mocap.fps))
    means = {key: 1000 * np.concatenate(parts).mean(0) for key, parts in sums.items() if parts}
    alone_mm_s = {"mpjve_single_frame_mm_s": float(means["single"].mean())} if "single" in means else {}
    return {
        "mpjpe_mm": float(means["raw"].mean()),
        "mpjpe_known_height_mm": float(means["scaled"].mean()),
        "pa_mpjpe_mm": float(means["pa"].mean()),
        "mpjve_mm_s": float(means["velocity"].mean()),
        **alone_mm_s,
        **angle_errors(angles),
        "within_95_share": float(means["within"].mean()) / 1000,
        "joints": {name: round(float(means["raw"][j]), 1) for j, name in enumerate(TRUE)},
        "frames": int(mocap.length.sum()),
        "trials": len(mocap.length),
    }


def angle_errors(trials: list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]) -> dict[str, Any]:
    """Errors of angles found and true, columns of each trial, where both are known; degrees, see `evaluate_mocap`."""
    off: dict[str, np.ndarray] = {}
    knees = []
    for name in trials[0][1]:
        found, truth = (np.concatenate([trial[i][name] for trial in trials]) for i in (0, 1))
        both = np.isfinite(found) & np.isfinite(truth)
        off[name.removesuffix("_3d_deg")] = (found - truth + 180)[both] % 360 - 180
        if name.endswith("_knee_flexion_3d_deg"):
            knees.append(found[both & (truth < STRAIGHT_DEG)])
    mean = {name: float(np.abs(e).mean()) for name, e in off.items() if len(e)}
    straight = np.concatenate(knees)
    return {
        "angle_deg": float(np.mean(list(mean.values()))) if mean else None,
        "angles_deg": {name: round(value, 1) for name, value in mean.items()},
        "angles_bias_deg": {name: round(float(off[name].mean()), 1) for name in mean},
        "straight_knee_deg": float(np.median(straight)) if len(straight) else None,
    }


def seen_by_camera(
    points: np.ndarray, fps: float, rng: np.random.Generator, noise: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints (T, J, 3) m about the hips in the axes of a random camera; rays (T, K, 2) to them, scores (T, K)."""
    joints = joints_of(points[None])
    hips = joints[:, :, HIPS].mean(2)
    cameras = random_cameras(hips, rng)
    space = cameras.see(joints)
    shown = cameras.see(pictured(joints, lasting_shifts(1, rng) if noise == "detector" else None))
    rays = shown[..., :2] / np.maximum(shown[..., 2:], NEAREST_M)
    score = (shown[..., 2] > NEAREST_M).astype(np.float32)
    if noise == "detector":
        rays, said = detector_noise(rays, np.array([fps]), rng, np.ones(1))
        score = np.where(score > 0, said, 0)
    space = space - space[:, :, HIPS].mean(2, keepdims=True)
    return space[0], rays[0], score[0]
