"""What joints can do: the angles and angular velocities beyond which a value comes from misplaced points.

All limits are bounds that we chose, generously. Beside the limits of a joint's angle stands the range of motion that a
source has published; the limits are wider, since some people are more mobile than those measured, and keypoints are not
joint centres. The limits hold for angles in the picture plane and in space. A trunk and the segments may have any
direction; only their speed is limited.

Published ranges are the largest means of any group of people, or, of plantarflexion, a normal value:

- Soucie et al. 2011, *Haemophilia* 17:500-507 (674 people of 2 to 69 years, measured passively; the largest means are
  those of children of 2 to 8 years): hip, knee, dorsiflexion of the ankle.
- Norkin and White 2016, *Measurement of Joint Motion*, 5th ed., table A.1: the arm. Children of up to 2 years (Watanabe
  et al.), women of 18 to 59 years (Macedo and Magee).
- *Merck Manual*, normal values for range of motion of joints: plantarflexion of the ankle.
- Troke et al. 2005, *Manual Therapy* 10:198-206: the lumbar spine bends by up to 73° and extends by up to 29°.

No limit of a velocity is a published maximum, and most rest on no source. Elbows extend at up to 1900°/s in javelin
throws (Mero et al. 1994, *J. Appl. Biomech.* 10:166-177) and at more than 2000°/s when baseballs are pitched (Fleisig
et al. 1999, *J. Biomech.* 32:1371-1375). In kicks thigh, shank and foot turn fastest one after another (Kellis and
Katis 2007, *J. Sports Sci. Med.* 6:154-165), so that segments farther out get larger limits.
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
    source: str  # of the published range; "ours" where the limits have none


_ANY = (float("-inf"), float("inf"))
LIMITS: dict[str, Limit] = {
    "knee_flexion": Limit(-15, 160, 2500, (-5, 153), "Soucie et al., girls"),
    "hip_flexion": Limit(
        -60, 165, 1500, (-28, 141),
        "Soucie et al., boys' extension, girls' flexion. Against the trunk, so that the lumbar spine adds its own, as"
        " far as belly and thigh allow (Troke et al.)",
    ),
    "ankle_dorsiflexion": Limit(
        -90, 55, 2000, (-50, 25),
        "Merck Manual, plantarflexion; Soucie et al., girls' dorsiflexion without load. Load adds to dorsiflexion, the"
        " foot's own joints to plantarflexion",
    ),
    "elbow_flexion": Limit(0, 160, 3000, (0, 158), "Norkin and White: Watanabe's largest mean"),
    "shoulder_flexion": Limit(
        -90, 200, 3000, (-89, 188), "Norkin and White: Watanabe's largest mean of extension, Macedo and Magee's flexion"
    ),
    "trunk_lean": Limit(*_ANY, 1500, None, "ours: four somersaults a second"),
    "pelvis_lean": Limit(*_ANY, 1500, None, "ours"),
    "shoulder_abduction": Limit(-90, 200, 3000, (-75, 180), "180: AAOS (Norkin and White); -75 not checked"),
    "hip_abduction": Limit(
        -60, 120, 1500, (-30, 45), "45: Merck; -30 not checked; splits look wider: chosen by us"
    ),
    "knee_valgus": Limit(
        -60, 60, 1500, None, "chosen by us: of a knee that bends, a turned view shows flexion as valgus or varus"
    ),
    "trunk_lateral_lean": Limit(*_ANY, 1500, None, "ours; cartwheels"),
    "shoulders_lean": Limit(*_ANY, 1500, None, "ours, as the trunk"),
    "shoulder_elevation": Limit(0, 180, 3000, (0, 180), "AAOS (Norkin and White); speed as flexion's"),
    "shoulder_plane": Limit(-180, 180, 9000, None, "a direction; speed chosen by us: flexion's over the least sine"),
    "trunk_rotation": Limit(-100, 100, 2000, (-45, 45), "said to be AAOS's, not checked; throwers turn further: ours"),
    "pelvis_rotation": Limit(*_ANY, 1500, None, "ours"),
    "trunk_segment": Limit(*_ANY, 1500, None, "ours, as the lean"),
    "head_segment": Limit(*_ANY, 2000, None, "ours"),
    "thigh_segment": Limit(*_ANY, 2000, None, "ours"),
    "shank_segment": Limit(*_ANY, 3000, None, "ours; the thigh and the knee"),
    "foot_segment": Limit(*_ANY, 4000, None, "ours; the shank and the ankle"),
    "upper_arm_segment": Limit(*_ANY, 3000, None, "ours, as the shoulder"),
    "forearm_segment": Limit(*_ANY, 4500, None, "ours; elbow and upper arm together"),
}  # fmt: skip


def limit_of(angle: str) -> Limit:
    """The limits of an angle, such as ``left_knee_flexion_deg`` or ``left_knee_flexion_3d``. KeyError for others."""
    return LIMITS[re.sub(r"^(left|right)_|(_3d)?(_deg)?$", "", angle)]
