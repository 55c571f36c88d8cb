"""Frontal plane and rotations in space, by the axes of the ISB (Wu et al. 2002, 2005: X forward, Y up, Z right).

Keypoints give no bony landmarks of pelvis and thorax, so that the axes are those of joint centres: Z of the pelvis goes
through the hips, Z of the thorax through the shoulders, Y of both from the hips to the shoulders, and Z comes first for
the pelvis, Y for the thorax. The vertical is that of `pipeline.measure.vertical`. Each row is computed alone.
L rows; camera axes: x right, y down, z away from the camera; vectors (3, L); degrees.
"""

from __future__ import annotations

import numpy as np

from pipeline.lift.world import CAMERAS_UP
from pipeline.measure.angles import SIDES, wrap
from pipeline.measure.angles_3d import LEAST_SAGITTAL, Points, Weights, vector

PELVIS_ROTATION = "pelvis_rotation_3d_deg"  # runs on past ±180°
_STEEP = 0.98  # cos 11°
LEAST_ELEVATION = 0.34  # sin 20°: an arm nearer to hanging or upright has no plane of elevation
_RIGHTWARD = {"left": -1.0, "right": 1.0}  # of the side's way outward along Z


_LIMBS = (("upper_arm", "shoulder", "elbow"), ("thigh", "hip", "knee"), ("shank", "knee", "ankle"))
# The vectors of the body by their joints: hips and shoulders to the right, the trunk upwards, limbs downwards.
_VECTORS: dict[str, Weights] = {
    "hips": {"right_hip": 1.0, "left_hip": -1.0},
    "shoulders": {"right_shoulder": 1.0, "left_shoulder": -1.0},
    "along": {f"{s}_{n}": w for s in SIDES for n, w in (("shoulder", 0.5), ("hip", -0.5))},
    **{f"{s}_{limb}": {f"{s}_{far}": 1.0, f"{s}_{near}": -1.0} for limb, near, far in _LIMBS for s in SIDES},
}
# Vectors that are moved at once for derivatives: those of both sides have no angle in common.
_TOGETHER = (
    ("hips",), ("shoulders",), ("along",),
    *(tuple(f"{s}_{limb}" for s in SIDES) for limb, _, _ in _LIMBS),
)  # fmt: skip
_STEP_M = 1e-6  # by which vectors are moved for derivatives


def frontal_3d(
    keypoints_m: np.ndarray, names: tuple[str, ...], std_m: np.ndarray | None = None, up: np.ndarray = CAMERAS_UP
) -> Points:
    """Columns of the frontal plane and of rotations in space, (L,) f64, NaN = not known.

    Args:
        keypoints_m: (L, J, 3) metres.
        names: (J,) with ``left_hip`` and so on; without hips and shoulders there are no columns.
        std_m: (L, J, 3) standard deviations of the joints about the hips, along each axis; with it, each angle has a
            column ``…_3d_deg_std``.
        up: (3,) the vertical, in the camera's axes.
    """
    p = {name: keypoints_m[:, j].T.astype(np.float64) for j, name in enumerate(names)}
    if not all(f"{s}_{n}" in p for s in SIDES for n in ("hip", "shoulder")):
        return {}
    vectors = {name: vector(p, w) for name, w in _VECTORS.items() if set(w) <= set(p)}
    out = _columns(vectors, up, strict=True)
    return out if std_m is None else out | _deviations(vectors, {n: std_m[:, j].T for j, n in enumerate(names)}, up)


def _deviations(vectors: Points, std: Points, up: np.ndarray) -> Points:
    """``…_3d_deg_std`` (L,) by differences; also where an angle is empty since a limb points the wrong way.

    Args:
        std: (3, L) m of each joint.
    """
    here = _columns(vectors, up, strict=False)
    slopes: dict[str, Points] = {name: {} for name in here}  # (3, L) deg/m by joint
    for group in _TOGETHER:
        moved = [name for name in group if name in vectors]
        for axis in range(3 if moved else 0):
            step = np.zeros((3, 1))
            step[axis] = _STEP_M
            there = _columns(vectors | {name: vectors[name] + step for name in moved}, up, strict=False)
            for column, value in there.items():
                side = [v for v in moved if len(moved) == 1 or v[:5] == column[:5]]
                for joint, weight in _VECTORS[side[0]].items() if side else ():
                    of = slopes[column].setdefault(joint, np.zeros((3, value.shape[0])))
                    of[axis] += weight * wrap(value - here[column], -180.0) / _STEP_M
    return {
        f"{name}_std": np.sqrt(np.sum([np.square(of * std[joint]).sum(0) for joint, of in by.items()], 0))
        for name, by in slopes.items()
    }


def _columns(vectors: Points, up: np.ndarray, strict: bool) -> Points:
    """The columns of vectors of the body; unless ``strict``, also of limbs that point the wrong way."""
    hips, shoulders, along = (vectors[name] for name in ("hips", "shoulders", "along"))
    pelvis, thorax = _axes(hips, along, first="z"), _axes(shoulders, along, first="y")
    sagittal, elevation = (LEAST_SAGITTAL, LEAST_ELEVATION) if strict else (0.0, 0.0)
    out: Points = {}
    for s in SIDES:
        if f"{s}_upper_arm" in vectors:
            ahead, above, right = _along(thorax, _unit(vectors[f"{s}_upper_arm"]))
            out_of = _RIGHTWARD[s] * right
            out[f"{s}_shoulder_abduction_3d_deg"] = wrap(_turn(out_of, -above, sagittal), -90.0)
            out[f"{s}_shoulder_elevation_3d_deg"] = np.degrees(np.arctan2(np.hypot(ahead, out_of), -above))
            out[f"{s}_shoulder_plane_3d_deg"] = _turn(ahead, out_of, elevation)
        if f"{s}_thigh" in vectors:
            thigh = _along(pelvis, _unit(vectors[f"{s}_thigh"]))
            out[f"{s}_hip_abduction_3d_deg"] = _arcsin(_RIGHTWARD[s] * thigh[2])
            if f"{s}_shank" in vectors:
                shank = _along(pelvis, _unit(vectors[f"{s}_shank"]))
                turns = [_turn(_RIGHTWARD[s] * v[2], -v[1], elevation) for v in (shank, thigh)]
                out[f"{s}_knee_valgus_3d_deg"] = wrap(turns[0] - turns[1], -180.0)
    return out | _bodies(pelvis, thorax, shoulders, sagittal, up)


def _bodies(pelvis: np.ndarray, thorax: np.ndarray, shoulders: np.ndarray, least: float, up: np.ndarray) -> Points:
    """Columns of trunk and pelvis; axes (3, 3, L): X, Y, Z; the line of the shoulders to the right (3, L)."""
    vertical = np.broadcast_to(up[:, None], shoulders.shape)
    level = _axes(pelvis[2], vertical, first="y")  # the pelvis's way to look, level
    lean = _along(level, thorax[1])
    # Spine, rotation about Y of the thorax against the pelvis (Z, then the floating X, then Y): the part of the turn
    # that is left when thorax and pelvis have their Y alike. The pelvis's Z seen along the thorax's X and Z.
    across = [np.sum(axis * pelvis[2], 0) for axis in (thorax[0], thorax[2])]
    return {
        "trunk_lateral_lean_3d_deg": _arcsin(lean[2]),
        "shoulders_lean_3d_deg": _arcsin(-np.sum(_unit(shoulders) * vertical, 0)),
        "pelvis_lean_3d_deg": _arcsin(-np.sum(pelvis[2] * vertical, 0)),
        "trunk_rotation_3d_deg": _turn(-across[0], across[1], least),
        PELVIS_ROTATION: _turn(*_compass(level[0], up), least),
    }


def _compass(ahead: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(L,) parts of a level direction (3, L) to the picture's right and towards the camera.

    Under a camera that looks straight down, away from the camera is towards the picture's top.
    """
    away = np.array([0.0, 0.0, 1.0]) if abs(up[2]) < _STEEP else np.array([0.0, -1.0, 0.0])
    away = away - (away @ up) * up
    away /= np.linalg.norm(away)
    return np.cross(away, up) @ ahead, -away @ ahead


def _axes(right: np.ndarray, up: np.ndarray, first: str) -> np.ndarray:
    """(3, 3, L) X, Y, Z: forward, up, right; the axis named ``first`` keeps its direction. NaN for parallel vectors."""
    forward = _unit(np.cross(up, right, axis=0))
    if first == "y":
        y = _unit(up)
        return np.stack([forward, y, np.cross(forward, y, axis=0)])
    z = _unit(right)
    return np.stack([forward, np.cross(z, forward, axis=0), z])


def _along(axes: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(3, L) parts of a vector (3, L) along axes (3, 3, L)."""
    return np.sum(axes * vector[None], 1)


def _unit(vector: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return vector / np.sqrt(np.sum(vector * vector, 0))


def _turn(over: np.ndarray, along: np.ndarray, least: float) -> np.ndarray:
    """(L,) angle of two parts of a unit vector; NaN where both together are less than ``least``."""
    with np.errstate(invalid="ignore"):
        return np.where(np.hypot(over, along) >= least, np.degrees(np.arctan2(over, along)), np.nan)


def _arcsin(part: np.ndarray) -> np.ndarray:
    return np.degrees(np.arcsin(np.clip(part, -1.0, 1.0)))
