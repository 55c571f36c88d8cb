"""Frontal plane and rotations in space, by the axes of the ISB (Wu et al. 2002, 2005: X forward, Y up, Z right).

Keypoints give no bony landmarks of pelvis and thorax, so that the axes are those of joint centres: Z of the pelvis goes
through the hips, Z of the thorax through the shoulders, Y of both from the hips to the shoulders, and Z comes first for
the pelvis, Y for the thorax. Vertical is the camera's, as in `pipeline.measure.angles_3d`. Each row is computed alone.
L rows; camera axes: x right, y down, z away from the camera; vectors (3, L); degrees.
"""

from __future__ import annotations

import numpy as np

from pipeline.measure.angles import SIDES, wrap
from pipeline.measure.angles_3d import LEAST_SAGITTAL

PELVIS_ROTATION = "pelvis_rotation_3d_deg"  # runs on past ±180°
LEAST_ELEVATION = 0.34  # sin 20°: an arm nearer to hanging or upright has no plane of elevation
_RIGHTWARD = {"left": -1.0, "right": 1.0}  # of the side's way outward along Z


def frontal_3d(keypoints_m: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Columns of the frontal plane and of rotations in space, (L,) f64, NaN = not known.

    Args:
        keypoints_m: (L, J, 3) metres.
        names: (J,) with ``left_hip`` and so on; without hips and shoulders there are no columns.
    """
    p = {name: keypoints_m[:, j].T.astype(np.float64) for j, name in enumerate(names)}
    if not all(f"{s}_{n}" in p for s in SIDES for n in ("hip", "shoulder")):
        return {}
    hips, shoulders = p["right_hip"] - p["left_hip"], p["right_shoulder"] - p["left_shoulder"]
    along = (p["left_shoulder"] + p["right_shoulder"] - p["left_hip"] - p["right_hip"]) / 2
    pelvis, thorax = _axes(hips, along, first="z"), _axes(shoulders, along, first="y")
    return _limbs(p, pelvis, thorax) | _bodies(pelvis, thorax, shoulders)


def _limbs(p: dict[str, np.ndarray], pelvis: np.ndarray, thorax: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of shoulders, hips and knees; axes (3, 3, L): X, Y, Z."""
    out: dict[str, np.ndarray] = {}
    for s in SIDES:
        if f"{s}_elbow" in p:
            ahead, up, right = _along(thorax, _unit(p[f"{s}_elbow"] - p[f"{s}_shoulder"]))
            out_of = _RIGHTWARD[s] * right
            out[f"{s}_shoulder_abduction_3d_deg"] = wrap(_turn(out_of, -up, LEAST_SAGITTAL), -90.0)
            out[f"{s}_shoulder_elevation_3d_deg"] = np.degrees(np.arctan2(np.hypot(ahead, out_of), -up))
            out[f"{s}_shoulder_plane_3d_deg"] = _turn(ahead, out_of, LEAST_ELEVATION)
        if f"{s}_knee" in p:
            thigh = _along(pelvis, _unit(p[f"{s}_knee"] - p[f"{s}_hip"]))
            out[f"{s}_hip_abduction_3d_deg"] = _arcsin(_RIGHTWARD[s] * thigh[2])
            if f"{s}_ankle" in p:
                shank = _along(pelvis, _unit(p[f"{s}_ankle"] - p[f"{s}_knee"]))
                turns = [_turn(_RIGHTWARD[s] * v[2], -v[1], LEAST_ELEVATION) for v in (shank, thigh)]
                out[f"{s}_knee_valgus_3d_deg"] = wrap(turns[0] - turns[1], -180.0)
    return out


def _bodies(pelvis: np.ndarray, thorax: np.ndarray, shoulders: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of trunk and pelvis; axes (3, 3, L): X, Y, Z; the line of the shoulders to the right (3, L)."""
    vertical = np.zeros_like(shoulders)
    vertical[1] = -1.0
    level = _axes(pelvis[2], vertical, first="y")  # the pelvis's way to look, level
    lean = _along(level, thorax[1])
    # Spine, rotation about Y of the thorax against the pelvis (Z, then the floating X, then Y): the part of the turn
    # that is left when thorax and pelvis have their Y alike. The pelvis's Z seen along the thorax's X and Z.
    across = [np.sum(axis * pelvis[2], 0) for axis in (thorax[0], thorax[2])]
    return {
        "trunk_lateral_lean_3d_deg": _arcsin(lean[2]),
        "shoulders_lean_3d_deg": _arcsin(-np.sum(_unit(shoulders) * vertical, 0)),
        "pelvis_lean_3d_deg": _arcsin(-np.sum(pelvis[2] * vertical, 0)),
        "trunk_rotation_3d_deg": _turn(-across[0], across[1], LEAST_SAGITTAL),
        PELVIS_ROTATION: _turn(level[0][0], -level[0][2], LEAST_SAGITTAL),
    }


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
