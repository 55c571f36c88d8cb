"""Windows of motion for `train_lifter.py`, made without end from little motion capture.

Each window is a stretch of a trial at another speed, mirrored or not, its bones made longer or shorter, at times with
the upper body of another stretch, tilted, seen by a random camera (the focal length not always known), with the noise
of a pose network, parts of the body out of sight, with or without feet.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.evaluate.anatomy import SIDES, bent, flexion
from pipeline.evaluate.cameras import detector_noise, random_cameras
from pipeline.evaluate.mocap import heights, joints_of
from pipeline.evaluate.mocap_types import AT, FACE, NAMES, Mocap
from pipeline.lift.joints import FEET, JOINTS, POINTS, flipped
from pipeline.lift.pictured import lasting_shifts, pictured
from pipeline.lift.view import look_at, view

RATE_HZ = 30.0
FRAMES = 96
HEIGHT_M = 1.70  # of everybody, after scaling
PARENTS = {
    "left_hip": "pelvis", "left_knee": "left_hip", "left_ankle": "left_knee", "left_ball": "left_ankle",
    "left_toe": "left_ball", "right_hip": "pelvis", "right_knee": "right_hip", "right_ankle": "right_knee",
    "right_ball": "right_ankle", "right_toe": "right_ball", "thorax": "pelvis", "neck": "thorax", "head_base": "neck",
    "head_top": "head_base", "left_shoulder": "thorax", "left_elbow": "left_shoulder", "left_wrist": "left_elbow",
    "left_knuckles": "left_wrist", "right_shoulder": "thorax", "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow", "right_knuckles": "right_wrist",
}  # fmt: skip
UPPER = [i for i, n in enumerate(NAMES) if n.split("_")[-1] in
         ("thorax", "neck", "base", "top", "shoulder", "elbow", "wrist", "knuckles")]  # fmt: skip
BONE_SPREAD, HEAD_TURN_RAD, FACE_SPREAD_M = 0.06, 0.45, 0.012
MIXED, TUMBLED, EXACT, WITH_FEET, UNSURE_FOCAL, CUT = 0.35, 0.07, 0.2, 0.7, 0.4, 0.15
# Athletes and dancers stand with bent knees and arms, others do not, and from the front nobody sees it: shares of the
# windows whose knees, or elbows, bend less, in degrees, by as much up to a flexion of FULL, by nothing above NONE.
STRAIGHTER = {"knee": (0.65, 5.0, 30.0), "elbow": (0.3, 0.0, 20.0)}
FULL_DEG, NONE_DEG = 40.0, 90.0
STILL = 0.12  # share of the windows in which somebody hardly moves


class Windows(NamedTuple):
    """N windows for training."""

    features: np.ndarray  # (N, T, FEATURES) f32
    joints: np.ndarray  # (N, T, J, 3) f32 m about the hips in the axes of the turned camera, of people HEIGHT_M tall
    weight: np.ndarray  # (N, T, J) f32, less where the joint is not seen


def make(mocap: Mocap, trials: np.ndarray, n: int, rng: np.random.Generator) -> Windows:
    """``n`` windows from some of the trials."""
    points = shaped(stretches(mocap, trials, n, rng), rng)
    mixed = np.flatnonzero(rng.random(n) < MIXED)
    points[mixed] = with_upper(points[mixed], stretches(mocap, trials, len(mixed), rng))
    points = straighter(points, rng)
    points *= (HEIGHT_M / np.median(heights(points), 1))[:, None, None, None]
    points = tilted(points, rng)
    slow = _smooth(rng.normal(0, HEAD_TURN_RAD, (n, FRAMES)))
    joints = joints_of(points, slow, rng.normal(0, FACE_SPREAD_M, (n, len(FACE), 3)).astype(np.float32))
    return seen(joints, rng)


def stretches(mocap: Mocap, trials: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, T, 23, 3) stretches of the trials at half to twice their speed, half of them mirrored; short ones go back."""
    length = mocap.length[trials].astype(float)
    trial = rng.choice(trials, n, p=length / length.sum())
    step = mocap.fps / RATE_HZ * np.exp(rng.uniform(np.log(0.5), np.log(2), n))
    step *= np.where(rng.random(n) < STILL, rng.uniform(0, 0.25, n), 1)
    last = mocap.length[trial] - 1
    span = step * (FRAMES - 1)
    at = (rng.random(n) * np.maximum(last - span, last * 0.2))[:, None] + step[:, None] * np.arange(FRAMES)
    at = np.mod(at, 2 * last[:, None])
    at = np.where(at > last[:, None], 2 * last[:, None] - at, at)
    low = np.minimum(at.astype(int), last[:, None] - 1)
    part = (at - low)[..., None, None].astype(np.float32)
    low = low + mocap.start[trial][:, None]
    out = mocap.points[low] * (1 - part) + mocap.points[low + 1] * part
    mirrored = rng.random(n) < 0.5
    out[mirrored] = out[mirrored][:, :, flipped(NAMES)] * np.array([-1, 1, 1], np.float32)
    backwards = rng.random(n) < 0.1
    out[backwards] = out[backwards, ::-1]
    return out


def shaped(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same movements of people with other bones."""
    n = len(points)
    spread = {
        name.removeprefix("left_").removeprefix("right_"): np.exp(rng.normal(0, BONE_SPREAD, (n, 1, 1)))
        for name in NAMES
        if not name.startswith("right_")
    }
    out = points.copy()
    out[:, :, 0] = points[:, :, 0] * spread["knee"]
    for name, parent in PARENTS.items():
        factor = spread[name.removeprefix("left_").removeprefix("right_")].astype(np.float32)
        bone = points[:, :, AT[name]] - points[:, :, AT[parent]]
        out[:, :, AT[name]] = out[:, :, AT[parent]] + factor * bone
    return out


def straighter(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same people, some of whom keep knees or elbows straighter, each side by an angle that lasts."""
    n = len(points)
    for joint, (share, low, high) in STRAIGHTER.items():
        rows = np.flatnonzero(rng.random(n) < share)
        common = rng.uniform(low, high, len(rows))
        for side in SIDES:
            less = np.clip(common + rng.normal(0, 2, len(rows)), 0, None)[:, None]
            fade = np.clip((NONE_DEG - flexion(points[rows], side, joint)) / (NONE_DEG - FULL_DEG), 0, 1)
            points[rows] = bent(points[rows], joint, side, less * fade)
    return points


def with_upper(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """People with the upper bodies of others, turned to where their own hips face."""
    if not len(points):
        return points
    others = others * (np.median(heights(points), 1) / np.median(heights(others), 1))[:, None, None, None]

    def facing(p: np.ndarray) -> np.ndarray:
        across = p[:, :, AT["left_hip"]] - p[:, :, AT["right_hip"]]
        return np.arctan2(across[..., 0], across[..., 2])

    def hips(p: np.ndarray) -> np.ndarray:
        return (p[:, :, AT["left_hip"]] + p[:, :, AT["right_hip"]])[:, :, None] / 2

    angle = _smooth(np.unwrap(facing(points) - facing(others), axis=1), 5)
    c, s = np.cos(angle)[:, :, None], np.sin(angle)[:, :, None]
    part = (others - hips(others))[:, :, UPPER]
    x, y, z = part[..., 0], part[..., 1], part[..., 2]
    out = points.copy()
    out[:, :, UPPER] = hips(points) + np.stack([c * x + s * z, y, c * z - s * x], -1)
    return out


def tilted(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The people a little off the vertical, some in any attitude at all."""
    n = len(points)
    angle = rng.normal(0, 0.06, n)
    tumbled = rng.random(n) < TUMBLED
    angle[tumbled] = rng.uniform(-np.pi, np.pi, tumbled.sum())
    about = rng.uniform(-np.pi, np.pi, n)
    axis = np.stack([np.cos(about), np.zeros(n), np.sin(about)], -1)
    cross = np.zeros((n, 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    cross -= np.swapaxes(cross, 1, 2)
    turn = np.eye(3) + np.sin(angle)[:, None, None] * cross + (1 - np.cos(angle))[:, None, None] * cross @ cross
    middle = points[:, :, :1].mean(1, keepdims=True)
    return ((points - middle) @ np.swapaxes(turn, 1, 2)[:, None] + middle).astype(np.float32)


def seen(joints: np.ndarray, rng: np.random.Generator) -> Windows:
    """What a network sees of joints (N, T, J, 3) through random cameras, and where they truly are."""
    n = len(joints)
    hips = (joints[:, :, JOINTS.index("left_hip")] + joints[:, :, JOINTS.index("right_hip")]) / 2
    cameras = random_cameras(hips, rng)
    space = cameras.see(joints)
    rate = np.full(n, RATE_HZ)
    level = np.where(rng.random(n) < EXACT, 0, rng.uniform(0.3, 1.7, n))
    points = cameras.see(pictured(joints, lasting_shifts(n, rng) * (level > 0)[:, None, None, None]))
    rays = points[..., :2] / np.maximum(points[..., 2:], 0.2)
    noisy, score = detector_noise(rays, rate, rng, level)
    score = np.where((level == 0)[:, None, None], (score > 0).astype(np.float32), score)
    score = np.where(space[..., : len(POINTS), 2] > 0.3, score, 0)
    feet = [POINTS.index(name) for name in FEET]
    score[:, :, feet] *= (rng.random(n) < WITH_FEET)[:, None, None]
    _cut(noisy, score, rng)
    wrong = np.exp(np.where(rng.random(n) < UNSURE_FOCAL, rng.normal(0, 0.25, n), 0))[:, None, None]
    has_hips = (score[..., [POINTS.index("left_hip"), POINTS.index("right_hip")]] > 0).any((1, 2))
    score[~has_hips] = 0.5
    found = view(noisy * wrong[..., None].astype(np.float32), score, rate)
    turn = look_at(found.centre / wrong).astype(np.float32)
    middle = (space[:, :, JOINTS.index("left_hip")] + space[:, :, JOINTS.index("right_hip")]) / 2
    truth = (space - middle[:, :, None]) @ np.swapaxes(turn, -1, -2)
    weight = np.full(truth.shape[:3], 1, np.float32)
    weight[..., : len(POINTS)] = np.where(score > 0, 1, 0.3)
    weight[..., feet] *= 0.3
    weight[..., :5] *= 0.3  # the face is made, not measured
    return Windows(found.features, truth.astype(np.float32), weight)


def _cut(rays: np.ndarray, score: np.ndarray, rng: np.random.Generator) -> None:
    """Some people stand behind something, or reach out of the picture, for all or a part of the window: in place."""
    n, t = score.shape[:2]
    for i in np.flatnonzero(rng.random(n) < CUT):
        axis, sign = int(rng.random() < 0.75), 1 if rng.random() < 0.75 else -1
        along = sign * rays[i, :, :, axis]
        edge = np.quantile(along, rng.uniform(0.45, 0.95))
        first, last = np.sort(rng.integers(0, t + 1, 2)) if rng.random() < 0.6 else (0, t)
        part = slice(first, last)
        score[i, part] = np.where(along[part] > edge, 0, score[i, part])


def _smooth(values: np.ndarray, reach: int = 15) -> np.ndarray:
    """(N, T) running means over 2 · reach + 1 frames, three times at less reach each, of the same variance or less."""
    for r in (reach, reach // 2 or 1):
        padded = np.pad(values, ((0, 0), (r + 1, r)), mode="edge")
        total = np.cumsum(padded, 1)
        values = (total[:, 2 * r + 1 :] - total[:, : -2 * r - 1]) / (2 * r + 1)
    return values
