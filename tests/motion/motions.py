"""Motions made from paths with known truth, as the filters would hand them on."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.core.types import MEASURED, Motion
from tests import synthetic


def exact(
    time_s: np.ndarray, points_px: np.ndarray, skeleton: Skeleton = COCO17, frame: np.ndarray | None = None
) -> Motion:
    """A motion that is at ``points_px (L, K, 2)``, with differences as velocities."""
    n, k = points_px.shape[:2]
    velocity = np.gradient(points_px, time_s, axis=0) if n > 1 else np.zeros_like(points_px)
    acceleration = np.gradient(velocity, time_s, axis=0) if n > 1 else np.zeros_like(points_px)
    return Motion(
        person_id=1,
        frame=np.arange(n) if frame is None else frame,
        time_s=time_s,
        box_px=synthetic.boxes(points_px).astype(np.float32),
        score=np.full(n, 0.8, np.float32),
        state=np.full(n, MEASURED, np.uint8),
        keypoints_px=points_px.astype(np.float32),
        keypoint_score=np.full((n, k), 0.8, np.float32),
        keypoint_std_px=np.full((n, k), 2.0, np.float32),
        provenance=np.full((n, k), MEASURED, np.uint8),
        raw_px=points_px.astype(np.float32),
        skeleton=skeleton.name,
        velocity_px_s=velocity.astype(np.float32),
        acceleration_px_s2=acceleration.astype(np.float32),
    )
