"""Feet whose direction is hardly known hang from the shank as the person's feet usually do.

A foot is short, so that errors of a few centimetres at heel and toe turn it by tens of degrees, and an error out of the
plane of the leg always makes it point away from the shin. The angle between foot and shank is therefore mixed with the
person's usual one, by how well it is known.
"""

from __future__ import annotations

import numpy as np

from pipeline.lift.body import AT
from pipeline.lift.joints import K

_SPREAD_DEG = 10.0  # standard deviation of the angle between foot and shank about the person's usual one
# Deviation of the angle, as a share of what independent errors of heel and toe would make, where the network's
# deviations across the line of sight are `_USUAL_STD_M` in the mean over the points; they are small where points are
# exact, and then say too much of the foot.
_SHARE, _USUAL_STD_M, _POWER = 0.3, 0.035, 1.5
_SIDES = ("left", "right")


def with_usual_feet(joints: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Joints (L, J, 3) m with heels and toes turned about the ankles, in the plane of foot and shank; NaN stays.

    Args:
        std: (L, J, 3) m, the network's standard deviations.
    """
    knee, ankle, heel, toe = ([AT[f"{side}_{name}"] for side in _SIDES] for name in ("knee", "ankle", "heel", "toe"))
    foot = joints[:, toe] - joints[:, heel]  # (L, 2, 3)
    angle, axis = _between(joints[:, knee] - joints[:, ankle], foot)
    ends = np.sqrt(np.square(std[:, heel]).mean(-1) + np.square(std[:, toe]).mean(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = _SHARE * (std[:, :K, 0].mean(1, keepdims=True) / _USUAL_STD_M) ** _POWER
        var = np.square(factor * ends / np.linalg.norm(foot, axis=-1))
    known = np.isfinite(angle) & np.isfinite(axis).all(-1) & np.isfinite(var)
    if not known.any():
        return joints
    spread = np.radians(_SPREAD_DEG) ** 2
    usual = np.average(angle[known], weights=1 / (var[known] + spread))
    more = np.where(known, (usual - angle) * var / (var + spread), 0)
    out = joints.copy()
    for end in (heel, toe):
        turned = joints[:, ankle] + _turned(joints[:, end] - joints[:, ankle], axis, more)
        out[:, end] = np.where(known[..., None], turned, joints[:, end])
    return out


def _between(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(...) rad between vectors (..., 3), and the unit vectors (..., 3) about which ``b`` turns away from ``a``."""
    axis = np.cross(a, b)
    across = np.linalg.norm(axis, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.arctan2(across, (a * b).sum(-1)), axis / across[..., None]


def _turned(v: np.ndarray, axis: np.ndarray, rad: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned about unit vectors (..., 3) by angles (...), by Rodrigues' formula."""
    c, s = np.cos(rad)[..., None], np.sin(rad)[..., None]
    return v * c + np.cross(axis, v) * s + axis * (axis * v).sum(-1, keepdims=True) * (1 - c)
