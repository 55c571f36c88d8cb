"""What joints can do: the angles and angular velocities beyond which a value comes from misplaced points.

Each row has the range of motion that the sources give, and the limits that are used. The limits are wider: they leave
room for people more mobile than those measured, and for keypoints, which are not joint centres. They hold for angles in
the picture plane and in space. A trunk and the segments may have any direction; only their speed is limited.

Ranges: AAOS 1965, *Joint Motion: Method of Measuring and Recording*; Norkin and White 2016, *Measurement of Joint
Motion*, 5th ed., appendix A; Soucie et al. 2011, *Haemophilia* 17 (674 people of 2 to 69 years). Angular velocities:
the elbow's from Fleisig et al. 1999, *J. Biomech.* 32 (pitching, means to 2400°/s); the leg's leave the double of what
sprinters' knees reach (1000°/s and more) and what kickers' shanks reach (Kellis and Katis 2007, *J. Sports Sci. Med.*
6); the others are assumed.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Limit(NamedTuple):
    """Of one angle on either side; degrees, deg/s."""

    low_deg: float
    high_deg: float
    fastest_deg_s: float
    published_deg: tuple[float, float] | None  # range of motion
    source: str


_ANY = (float("-inf"), float("inf"))
LIMITS: dict[str, Limit] = {
    "knee_flexion": Limit(-15, 160, 2500, (-10, 153), "AAOS, 10° of hyperextension; Soucie, girls' flexion"),
    "hip_flexion": Limit(
        -60, 165, 1500, (-30, 141),
        "AAOS; Soucie, girls' flexion. Against the trunk, so that the lumbar spine adds 25 and 60° (Norkin and White)"
        " as far as belly and thigh allow",
    ),
    "ankle_dorsiflexion": Limit(
        -90, 55, 2000, (-50, 25),
        "AAOS; Soucie, dorsiflexion without load. Load adds to dorsiflexion, the foot's own joints to plantarflexion",
    ),
    "elbow_flexion": Limit(0, 160, 3000, (0, 158), "AAOS; Norkin and White, Watanabe's highest mean"),
    "shoulder_flexion": Limit(-90, 200, 3000, (-89, 187), "Norkin and White, Watanabe's highest means"),
    "trunk_lean": Limit(*_ANY, 1500, None, "assumed; somersaults"),
    "pelvis_lean": Limit(*_ANY, 1500, None, "assumed"),
    "trunk_segment": Limit(*_ANY, 1500, None, "as the lean"),
    "head_segment": Limit(*_ANY, 2000, None, "assumed"),
    "thigh_segment": Limit(*_ANY, 2000, None, "assumed"),
    "shank_segment": Limit(*_ANY, 3000, None, "kicks, Kellis and Katis"),
    "foot_segment": Limit(*_ANY, 4000, None, "assumed; ankle and shank together"),
    "upper_arm_segment": Limit(*_ANY, 3000, None, "as the shoulder"),
    "forearm_segment": Limit(*_ANY, 4500, None, "assumed; elbow and upper arm together"),
}  # fmt: skip


def limit_of(angle: str) -> Limit:
    """The limits of an angle, such as ``left_knee_flexion_deg`` or ``left_knee_flexion_3d``. KeyError for others."""
    return LIMITS[re.sub(r"^(left|right)_|(_3d)?(_deg)?$", "", angle)]
