"""Where a person's feet are in the picture."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure.scale import ANKLE, running_px

# Heel and toe points above the floor, in standing heights: RTMPose-s has .013 in sandals, .035 in shoes under trousers.
_SOLE = 0.02
_FEET = (("heel", "big_toe"), ("heel", "foot_index"), ("heel", "toe"), ("ankle",))  # points of a foot, best first
_BORDER = 0.005  # share of the picture's height: foot points this near the lower border may be cut off


def feet_px(
    motion: Motion, skeleton: Skeleton, size_px: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left and right foot: points (L, 2, 2) px f64, standard deviation per axis (L, 2) px, height (2,) above the floor
    as a share of the standing height.

    A foot's point is the middle of heel and toe where the keypoints have them, else the ankle. The point is NaN where
    the foot is not seen or is cut off below.
    """
    feet, feet_var = np.full((len(motion), 2, 2), np.nan), np.full((len(motion), 2), np.nan)
    lift = np.full(2, ANKLE)
    most = np.inf if size_px is None else size_px[1] * (1 - _BORDER)
    for side, name in enumerate(("left", "right")):
        best = 0
        for parts in _FEET:
            ids = [skeleton.names.index(f"{name}_{p}") for p in parts if f"{name}_{p}" in skeleton.names]
            points = motion.keypoints_px[:, ids].astype(np.float64)
            seen = np.all(np.isfinite(points[..., 0]) & (points[..., 1] <= most), axis=1)
            if len(ids) == len(parts) and seen.sum() > 2 * best:  # ankles must be seen twice as often as heel and toe
                best, lift[side] = int(seen.sum()), _SOLE if len(parts) > 1 else ANKLE
                feet[:, side] = np.where(seen[:, None], points.mean(1), np.nan)
                var = np.square(motion.jitter_px()[:, ids].astype(np.float64))
                feet_var[:, side] = np.where(seen, var.mean(1) / len(ids), np.nan)
    return feet, np.sqrt(feet_var), lift


def stand_px(motion: Motion, skeleton: Skeleton, size_px: tuple[int, int] | None = None) -> np.ndarray:
    """(L, 2) f64 px where a person stands in the picture: the middle of the feet, lowered to the floor; NaN unknown."""
    feet, _, lift = feet_px(motion, skeleton, size_px)
    feet[..., 1] += lift * np.nan_to_num(running_px(motion, skeleton))[:, None]
    known = np.isfinite(feet)
    count = known.sum(1)
    return np.where(count > 0, np.where(known, feet, 0).sum(1) / np.maximum(count, 1), np.nan)
