"""Whether the feet go on with the body while they should stand: a bicycle, a scooter, skates, and no gait.

In walking and running a foot stands still for the middle half of a stance. On five walks seen from the side it went by
a twentieth of the hips' way, in the median of the stances; on pedals it goes with the hips.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.motion.person import body_length

LEAST_WAY = 0.15  # body lengths that the hips go in the middle half of a stance
CARRIED = 0.5  # of the hips' way, from which the foot did not stand
LEAST_STANCES = 3
_LEAST_STILL = 0.95  # share of rows in which the camera keeps still
WORDS = (
    "the feet go on with the body where they should stand, as on a bicycle, a scooter or skates: steps, cadence and"
    " stances may be none"
)


def rolling_warning(motion: Motion, skeleton: Skeleton, steps: dict[str, np.ndarray], still: np.ndarray | None) -> str:
    """`WORDS` for somebody whose feet are carried in most stances; "" else, and where that cannot be told.

    Args:
        steps: columns of gait.csv, in the time of ``motion``.
        still: (T,) bool, the camera kept still since the frame before; None: always.
    """
    names = ("left_ankle", "right_ankle", "left_hip", "right_hip")
    if not set(names) <= set(skeleton.names) or (still is not None and still[motion.frame].mean() < _LEAST_STILL):
        return ""
    left, right, *hips = (motion.keypoints_px[:, skeleton.index(name)].astype(np.float64) for name in names)
    pelvis = (hips[0] + hips[1]) / 2
    size = float(np.median(body_length(motion.box_px)))
    shares = []
    for side, on, off in zip(steps["side"], steps["contact_time_s"], steps["off_time_s"], strict=True):
        if not np.isfinite(off):
            continue
        first, last = np.searchsorted(motion.time_s, [on + (off - on) / 4, off - (off - on) / 4])
        last = min(int(last), len(motion) - 1)
        way = np.linalg.norm(pelvis[last] - pelvis[first])
        foot = left if side == "left" else right
        if way >= LEAST_WAY * size:
            shares.append(float(np.linalg.norm(foot[last] - foot[first]) / way))
    known = np.array([share for share in shares if np.isfinite(share)])
    return WORDS if len(known) >= LEAST_STANCES and np.median(known) > CARRIED else ""
