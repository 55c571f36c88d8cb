"""Tracklets that are a second view of one person: counted frame by frame, and left out at the end of the video."""

from __future__ import annotations

import numpy as np

from pipeline.core.settings import TrackConfig
from pipeline.core.similarity import box_area, oks
from pipeline.tracking.tracks import Tracklets


class Doubles:
    """Counts, per pair of tracklets, the frames in which both look like one person."""

    def __init__(self, threshold: float, sigmas: np.ndarray) -> None:
        self.threshold, self.sigmas = threshold, sigmas
        self.frames: dict[tuple[int, int], int] = {}

    def add(self, ids: np.ndarray, box_px: np.ndarray, keypoints_px: np.ndarray, keypoint_score: np.ndarray) -> None:
        """One frame's observations with their tracklets: (n,), (n, 4), (n, K, 2), (n, K)."""
        low, high = box_px[:, None, :2], box_px[None, :, 2:]
        near = np.triu((low < high).all(-1) & (low < high).all(-1).T, 1) & (ids > 0)[:, None] & (ids > 0)
        if not near.any():  # in most frames no two boxes touch; then no OKS is needed
            return
        rows = np.flatnonzero(near.any(0) | near.any(1))
        kp, seen = keypoints_px[rows], keypoint_score[rows]
        alike = oks(kp, seen, kp, seen, box_area(box_px[rows].astype(np.float64)), self.sigmas, min_points=3)
        double = (np.minimum(alike, alike.T) > self.threshold) & near[np.ix_(rows, rows)]
        for i, j in zip(*np.nonzero(double), strict=True):
            pair = sorted((int(ids[rows[i]]), int(ids[rows[j]])))
            self.frames[pair[0], pair[1]] = self.frames.get((pair[0], pair[1]), 0) + 1


def single(t: Tracklets, doubles: dict[tuple[int, int], int], config: TrackConfig) -> np.ndarray:
    """Ids of the tracklets that are not another view of somebody."""
    good = np.ones(len(t.id), bool)
    row = {int(i): r for r, i in enumerate(t.id)}
    for (a, b), frames in sorted(doubles.items()):
        if a not in row or b not in row:
            continue
        # The better of two tracklets is the one with more observations; of equal ones, the earlier.
        keep, drop = sorted((row[a], row[b]), key=lambda r: (-t.score_sum[r], r))
        if good[keep] and good[drop] and frames >= config.duplicate_overlap * min(t.hits[keep], t.hits[drop]):
            good[drop] = False
    return t.id[good]
