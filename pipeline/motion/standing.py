"""A person's keypoints in a picture that stands still, where the camera moves: there they are smoothed.

The still picture is that of the person's first frame; the others are laid on it by similarities, so that a long pan is
a long strip. Paths come back in px of their own frames; velocities and accelerations there are without the camera's.
"""

from __future__ import annotations

import numpy as np

from pipeline.motion.smooth import Smoothed
from pipeline.motion.trajectories import Trajectories


def laid(frame: np.ndarray, steady: np.ndarray) -> np.ndarray:
    """(L, 2, 3) from px of frames (L,) to px of the first of them.

    Args:
        steady: (T, 3, 3) similarities from each frame to one picture, see `pipeline.core.homography.similarities`.
    """
    there = np.linalg.inv(steady[frame[0]]) @ steady[frame]
    return np.asarray(there[:, :2] / there[:, 2:, 2:])


def in_still(one: Trajectories, on: np.ndarray) -> Trajectories:
    """The measurements in the still picture; ``on`` (L, 2, 3) as `laid` has it."""
    places = np.einsum("lij,lkj->lki", on[:, :, :2], one.keypoints_px) + on[:, None, :, 2]
    size = (one.size_px * _scale(on)).astype(np.float32)
    return one._replace(keypoints_px=places.astype(one.keypoints_px.dtype), size_px=size)


def in_frames(paths: Smoothed, on: np.ndarray) -> Smoothed:
    """The paths, velocities and accelerations in px of each row's own frame."""
    back = np.linalg.inv(on[:, :, :2])

    def turned(values: np.ndarray) -> np.ndarray:
        return np.einsum("lij,lkj->lki", back, values).astype(np.float32)

    return Smoothed(
        turned(paths.position - on[:, None, :, 2]),
        turned(paths.velocity),
        turned(paths.acceleration),
        (paths.std / _scale(on)[:, None]).astype(np.float32),
        paths.used,
    )


def _scale(on: np.ndarray) -> np.ndarray:
    """(L,) how much larger the still picture is than each frame."""
    return np.sqrt(np.linalg.det(on[:, :, :2]))
