"""Standard deviations of joints in space along each axis of the camera."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion


def along_axes(motion: Motion, skeleton: Skeleton, rows: slice) -> np.ndarray | None:
    """(L, J, 3) m of the joints about the hips in some rows; None where the lifter tells no deviations.

    A lifter tells one deviation a joint, over the three axes together. Across the line of sight a joint is as well
    known as its keypoint; the rest of the variance lies along the line.
    """
    if motion.about_std_m is None or motion.keypoints_m is None:
        return None
    std = motion.about_std_m[rows].astype(np.float64)
    across = np.full_like(std, np.inf)
    joints, points = _common(motion.names_m, skeleton)
    px_per_m = _scale(motion.keypoints_px[rows][:, points], motion.keypoints_m[rows][:, joints, :2])
    across[:, joints] = motion.jitter_px()[rows][:, points] / px_per_m[:, None]
    across = np.where(across < std, across, std)  # where it is not known, all axes alike
    depth = np.sqrt(3 * np.square(std) - 2 * np.square(across))
    return np.stack([across, across, depth], -1)


def _common(names_m: tuple[str, ...], skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Indices of the joints that are keypoints too, among the joints and among the keypoints."""
    both = [(j, skeleton.index(name)) for j, name in enumerate(names_m) if name in skeleton.names]
    return [j for j, _ in both], [k for _, k in both]


def _scale(px: np.ndarray, metres: np.ndarray) -> np.ndarray:
    """(L,) px per m, from the spread of the same points (L, C, 2) in both; NaN where they have none."""
    known = np.isfinite(px).all(-1) & np.isfinite(metres).all(-1)
    count = np.maximum(known.sum(1), 1)[:, None]

    def spread(places: np.ndarray) -> np.ndarray:
        inside = np.where(known[..., None], places, 0.0).astype(np.float64)
        off = np.where(known[..., None], inside - (inside.sum(1) / count)[:, None], 0.0)
        return np.sqrt(np.square(off).sum((1, 2)))

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known.sum(1) > 1, spread(px) / spread(metres), np.nan)
