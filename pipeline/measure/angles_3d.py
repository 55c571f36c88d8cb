"""Joint angles in space from ``keypoints_m``: camera axes, x right, y down, z away from the camera; degrees.

Knee, elbow and ankle are plain angles between two segments. Hip and shoulder are flexion in the trunk's sagittal
plane: the limb is projected onto the plane of "up" (hips to shoulders) and "forward" (the line through the hips, for
the arms that through the shoulders, × up), after the axes of the ISB (Wu et al. 2002, 2005: X forward, Y up, Z right).
"""

from __future__ import annotations

import numpy as np

from pipeline.measure.angles import SIDES, wrap

LEAST_SAGITTAL = 0.17  # sin 10°: a limb nearer to the sideways axis has no flexion
_TOES = ("toe", "foot_index", "big_toe")


def angles_3d(keypoints_m: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Columns of the 3D angles whose joints have points, (L,) f64 degrees, NaN = not known.

    Args:
        keypoints_m: (L, J, 3) metres.
        names: (J,) of COCO, BlazePose, or Human3.6M as the lifters call them: all say ``left_hip`` and so on.
    """
    p = {name: keypoints_m[:, j].T.astype(np.float64) for j, name in enumerate(names)}  # (3, L)
    for s in SIDES:
        p |= {f"{s}_toe": p[f"{s}_{t}"] for t in _TOES if f"{s}_{t}" in p}
    out: dict[str, np.ndarray] = {}
    for joint, ends in (("knee", ("hip", "ankle")), ("elbow", ("shoulder", "wrist"))):
        for s in SIDES:
            if all(f"{s}_{n}" in p for n in (joint, *ends)):
                a, b = (p[f"{s}_{joint}"] - p[f"{s}_{ends[0]}"]), (p[f"{s}_{ends[1]}"] - p[f"{s}_{joint}"])
                out[f"{s}_{joint}_flexion_3d_deg"] = between(a, b)
    for s in SIDES:
        if all(f"{s}_{n}" in p for n in ("knee", "ankle", "heel", "toe")):
            shank, foot = p[f"{s}_knee"] - p[f"{s}_ankle"], p[f"{s}_toe"] - p[f"{s}_heel"]
            out[f"{s}_ankle_dorsiflexion_3d_deg"] = 90.0 - between(shank, foot)
    if all(f"{s}_{n}" in p for n in ("hip", "shoulder") for s in SIDES):
        out |= _against_trunk(p)
    return out


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(L,) angle 0…180 between vectors (3, L); by atan2, since arccos loses half the digits near 0 and 180."""
    cross = np.cross(a, b, axis=0)
    size = np.sqrt(np.sum(cross * cross, 0))
    angle = np.degrees(np.arctan2(size, np.sum(a * b, 0)))
    return np.where((np.sum(a * a, 0) == 0) | (np.sum(b * b, 0) == 0), np.nan, angle)


def _against_trunk(p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Flexion of hips and shoulders in the trunk's frame, and the trunk's own lean."""
    hips, shoulders = p["left_hip"] - p["right_hip"], p["left_shoulder"] - p["right_shoulder"]
    up = (p["left_shoulder"] + p["right_shoulder"] - p["left_hip"] - p["right_hip"]) / 2
    out: dict[str, np.ndarray] = {}
    for name, far, across, low in (("hip", "knee", hips, -180.0), ("shoulder", "elbow", shoulders, -90.0)):
        for s in SIDES:
            if f"{s}_{far}" in p:
                limb = p[f"{s}_{far}"] - p[f"{s}_{name}"]
                out[f"{s}_{name}_flexion_3d_deg"] = wrap(flexion(limb, up, across), low)
    vertical = np.zeros_like(up)
    vertical[1] = -1.0
    # The trunk's lean is its turn forward from the vertical about the line through hips and shoulders. The hanging limb
    # that `flexion` needs is the trunk upside down.
    out["trunk_lean_3d_deg"] = -flexion(-up, vertical, hips + shoulders)
    return out


def flexion(limb: np.ndarray, up: np.ndarray, left: np.ndarray) -> np.ndarray:
    """(L,) angle in (−180, 180] by which ``limb`` is turned forward from hanging down against ``up``.

    Args:
        limb, up: vectors (3, L).
        left: (3, L) towards the person's left; its part along ``up`` does not matter.

    The angle is NaN where the limb lies within 10° of the sideways axis, and where ``up`` and ``left`` are parallel.
    """
    forward = np.cross(left, up, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        forward = forward / np.sqrt(np.sum(forward * forward, 0))
        upward = up / np.sqrt(np.sum(up * up, 0))
        size = np.sqrt(np.sum(limb * limb, 0))
        ahead, down = np.sum(limb * forward, 0) / size, -np.sum(limb * upward, 0) / size
    angle = np.degrees(np.arctan2(ahead, down))
    return np.where(np.hypot(ahead, down) >= LEAST_SAGITTAL, angle, np.nan)
