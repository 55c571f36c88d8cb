"""The measured keypoints of one person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Trajectories(NamedTuple):
    """One person's keypoints in L rows; positions that are not measured do not matter."""

    time_s: np.ndarray  # (L,) rising
    keypoints_px: np.ndarray  # (L, K, 2)
    keypoint_score: np.ndarray  # (L, K)
    measured: np.ndarray  # (L, K) bool
    size_px: np.ndarray  # (L,) body length
    swapped: np.ndarray  # (L, K) bool: the point comes from the other side

    def of(self, points: np.ndarray) -> Trajectories:
        """Some of the points."""
        some = {
            name: getattr(self, name)[:, points] for name in ("keypoints_px", "keypoint_score", "measured", "swapped")
        }
        return self._replace(**some)

    def places(self, points: int | Sequence[int]) -> np.ndarray:
        """(L, …, 2) f64 px of some of the points, NaN where they are not measured."""
        return np.where(self.measured[:, points][..., None], self.keypoints_px[:, points], np.nan).astype(np.float64)
