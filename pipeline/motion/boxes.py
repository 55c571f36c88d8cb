"""Boxes that fit the person: the detector's and the pose's own, together."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import COCO17, Skeleton, mapping

SEEN = 0.3  # keypoint score from which a point counts
LEAST = 8  # points of the body that must be seen, so that the pose spans the person
SHARE = 0.6  # weight of the pose's box in the mean with the detector's box
STEADY_S = 0.1  # standard deviation of the window in which boxes are made steady
# How far a person reaches beyond the outermost keypoints, as shares of the detector's box height: beside, above, below.
BESIDE, ABOVE, BELOW = 0.057, 0.095, 0.08


def fitted(box_px: np.ndarray, keypoints_px: np.ndarray, keypoint_score: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(N, 4) f32 boxes of people with a detector's boxes (N, 4) and keypoints (N, K, 2), scores (N, K).

    A weighted mean of both where head, an ankle and most of the body are seen, else the detector's. The margins are
    medians over boxes drawn by hand around people with these networks' keypoints.
    """
    columns = mapping(skeleton, COCO17)
    box = box_px.astype(np.float32)
    if len(box) == 0 or (columns < 0).any():
        return box
    p, seen = keypoints_px[:, columns].astype(np.float64), keypoint_score[:, columns] >= SEEN
    whole = (seen.sum(1) >= LEAST) & seen[:, :5].any(1) & seen[:, 15:17].any(1)
    low = np.where(seen[..., None], p, np.inf).min(1)
    high = np.where(seen[..., None], p, -np.inf).max(1)
    height = (box[:, 3] - box[:, 1]).astype(np.float64)
    edges = np.concatenate([low, high], 1) + height[:, None] * np.array([-BESIDE, -ABOVE, BESIDE, BELOW])
    mixed = (1 - SHARE) * box + SHARE * np.where(whole[:, None], edges, 0)
    return np.where(whole[:, None], mixed, box).astype(np.float32)


def steady(time_s: np.ndarray, box_px: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(L, 4) f32 boxes without the detector's jitter: locally weighted lines over time (Cleveland 1979), no lag.

    ``time_s (L,)`` ascends; ``weight (L,)`` says how sure each box is; a box of NaN stays, and counts for nothing.
    """
    known = np.isfinite(box_px).all(1)
    value = np.where(known[:, None], box_px, 0).astype(np.float64)
    w0 = np.where(known, weight, 0.0).astype(np.float64)
    sums = [np.zeros(len(box_px)) for _ in range(3)]  # of weights, and of weights times dt and dt²
    of_box, of_slope = np.zeros_like(value), np.zeros_like(value)
    for step in range(-_reach(time_s), _reach(time_s) + 1):
        at = np.arange(len(box_px)) + step
        inside = (at >= 0) & (at < len(box_px))
        at = at.clip(0, len(box_px) - 1)
        dt = time_s[at] - time_s
        w = np.where(inside & (np.abs(dt) <= 3 * STEADY_S), w0[at] * np.exp(-0.5 * np.square(dt / STEADY_S)), 0.0)
        for power, total in enumerate(sums):
            total += w * dt**power
        of_box += w[:, None] * value[at]
        of_slope += (w * dt)[:, None] * value[at]
    # A ridge keeps the slope near 0 where a row has hardly any neighbours.
    ridge = 0.1 * STEADY_S**2 * sums[0]
    determinant = sums[0] * (sums[2] + ridge) - sums[1] ** 2
    line = ((sums[2] + ridge)[:, None] * of_box - sums[1][:, None] * of_slope) / np.maximum(determinant, 1e-12)[:, None]
    return np.where(known[:, None] & (determinant > 1e-12)[:, None], line, box_px).astype(np.float32)


def _reach(time_s: np.ndarray) -> int:
    """How many rows lie within three standard deviations, where rows are densest."""
    if len(time_s) < 2:
        return 0
    return int((np.searchsorted(time_s, time_s + 3 * STEADY_S, "right") - np.arange(len(time_s))).max()) - 1
