"""Whether a person is seen from the side: whether the plane in which legs and trunk bend is near that of the picture.

From the side one shoulder and one hip cover the other; from the front or behind they are apart by what a body is wide.
The width across the trunk, as a share of the full one, is the sine of the angle between the two planes.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Motion
from pipeline.measure.angles import SIDES, State, breaks, trunk
from pipeline.measure.kinematics import decide, steps_s

# Widths between the left and the right point as shares of the standing height, of people seen from the front and from
# behind in the bench's clips, with the keypoints of the embedded network: .21 and .115.
WIDTHS = {"shoulder": 0.21, "hip": 0.115}
MOST_SINE = 0.71  # 45° between the planes; at 30° flexion of 60° shows as 53, at 45° as 44
_FULL = 0.3  # distance of the sine from the limit at which it is full evidence
TURN_S = 0.1  # seconds of full evidence that one change costs
FLIP_S = 0.1  # who turns from one side to the other is seen from the front or behind for as long to either side


def in_plane(motion: Motion, p: dict[str, State], height_px: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(L,) bool: the person is seen nearly from the side; True where nothing is known of it.

    Args:
        p: the points, their places at least.
        height_px: (L,) standing height, NaN = not known.
        side: (L,) from `pipeline.measure.kinematics.facing`.
    """
    start = breaks(motion.frame)
    evidence = np.clip((MOST_SINE - sine(p, height_px)) / _FULL, -1, 1)
    plane = decide(np.nan_to_num(evidence), steps_s(motion.time_s), start, TURN_S) > 0
    known = np.flatnonzero(np.isfinite(side))
    turned = np.flatnonzero(np.diff(side[known]) != 0)
    for a, b in zip(known[turned], known[turned + 1], strict=True):
        low = np.searchsorted(motion.time_s, motion.time_s[a] - FLIP_S)
        plane[low : np.searchsorted(motion.time_s, motion.time_s[b] + FLIP_S, "right")] = False
    return plane


def sine(p: dict[str, State], height_px: np.ndarray) -> np.ndarray:
    """(L,) 0 from the side … 1 from the front or behind, by what is known of shoulders and hips; NaN = nothing."""
    up = trunk(p)
    if up is None:
        return np.full(len(height_px), np.nan)
    width, full = np.zeros(len(height_px)), np.zeros(len(height_px))
    with np.errstate(invalid="ignore", divide="ignore"):
        for name, share in WIDTHS.items():
            if all(f"{s}_{name}" in p for s in SIDES):
                line = p[f"left_{name}"] - p[f"right_{name}"]
                across = np.abs(line[0] * up[1] - line[1] * up[0]) / np.hypot(up[0], up[1])
                width += np.nan_to_num(across)
                full += np.where(np.isfinite(across), share, 0.0)
        return np.where(full > 0, width / (full * height_px), np.nan)
