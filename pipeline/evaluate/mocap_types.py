"""The form of motion capture data: trials of joint centres, and the names of the joints."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.lift.joints import JOINTS

NAMES = (
    "pelvis", "left_hip", "left_knee", "left_ankle", "left_ball", "left_toe", "right_hip", "right_knee", "right_ankle",
    "right_ball", "right_toe", "thorax", "neck", "head_base", "head_top", "left_shoulder", "left_elbow", "left_wrist",
    "left_knuckles", "right_shoulder", "right_elbow", "right_wrist", "right_knuckles",
)  # fmt: skip
AT = {name: i for i, name in enumerate(NAMES)}
# Joints of the lifter that motion capture has, too; face and heels are computed from them.
TRUE = tuple(j for j in JOINTS if j in NAMES)
# The face about the head joint, in metres to the left, up and forward, for a head of usual size.
FACE = {
    "nose": (0, -0.015, 0.11), "left_eye": (0.032, 0.02, 0.09), "right_eye": (-0.032, 0.02, 0.09),
    "left_ear": (0.075, 0, 0), "right_ear": (-0.075, 0, 0),
}  # fmt: skip


class Mocap(NamedTuple):
    """Trials one after another."""

    points: np.ndarray  # (n, 23, 3) f32 m, y up, joints in the order of NAMES
    start: np.ndarray  # (trials,) first frame of each
    length: np.ndarray  # (trials,)
    subject: np.ndarray  # (trials,) str
    fps: float

    def trial(self, i: int) -> np.ndarray:
        """(length, 23, 3) of one trial."""
        return self.points[self.start[i] : self.start[i] + self.length[i]]
