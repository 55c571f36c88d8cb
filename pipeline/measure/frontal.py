"""Angles in the frontal plane of people who are seen from the front or from behind.

All are differences of segment angles (`pipeline.measure.angles`), turned so that they have the same sign on both sides
of the body, and from the front and from behind. They are NaN where the shoulders are too close together in the picture
for the frontal plane to be the picture's; what else makes them unknown is in `pipeline.measure.validity`. Each row is
computed alone. L rows of one person; degrees.
"""

from __future__ import annotations

import numpy as np

from pipeline.measure.angles import LOW_SEGMENT, SIDES, State, minus, segment_deg, segment_deg_s, segments, wrap

# Shoulders lie .7 to .85 trunk lengths apart from the front (RTMPose-s, people upright): .65 is a turn of about 30°,
# where angles away from the midline look up to 15 % smaller, and a knee that bends by 50° seems 25° valgus or varus.
# Hips lie .35 to .5 apart.
LEAST_SHOULDERS, LEAST_HIPS = 0.65, 0.27  # trunk lengths
# Trunk lengths in the picture below which a limb points too much at the camera: at 66° a thigh or shank, at 57° an
# upper arm. Chosen by us: single-leg squats, in which the thigh comes forward, are the usual use of these angles.
LEAST_LIMB = 0.35
_SIGNS = {"left": 1.0, "right": -1.0}  # of the side's way outward in the picture, from the front
# The segments and lines of each angle, with their signs.
FRONTAL: dict[str, dict[str, float]] = {
    **{f"{s}_shoulder_abduction": {f"{s}_upper_arm": 1.0, "trunk": -1.0} for s in SIDES},
    **{f"{s}_hip_abduction": {f"{s}_thigh": 1.0, "hips": -1.0} for s in SIDES},
    **{f"{s}_knee_valgus": {f"{s}_shank": 1.0, f"{s}_thigh": -1.0} for s in SIDES},
    "trunk_lateral_lean": {"trunk": 1.0},
    "shoulders_lean": {"shoulders": 1.0},
}


def frontal(p: dict[str, State]) -> dict[str, np.ndarray]:
    """Columns of the frontal plane that the points allow, (L,) f64, and their velocities; NaN = not known.

    Args:
        p: points as `pipeline.measure.angles.points` has them, (6, L) each.
    """
    limbs = segments(p) | lines(p)
    if not {"hips", "shoulders", "trunk"} <= set(limbs):
        return {}
    view = seen_from(limbs["shoulders"], limbs["hips"], limbs["trunk"])
    theta = {name: segment_deg(v) for name, v in limbs.items()}
    rate = {name: segment_deg_s(v) for name, v in limbs.items()}
    theta["hips"] = 90.0 + segment_deg(view * limbs["hips"])  # upwards, at a right angle to the line of the hips
    out: dict[str, np.ndarray] = {}
    for name, parts in FRONTAL.items():
        if set(parts) <= set(limbs) and len(parts) == 2:
            (a, b), outward = parts, _SIGNS[name.partition("_")[0]] * view
            low = LOW_SEGMENT if name.endswith("shoulder_abduction") else -180.0
            out[f"{name}_deg"] = wrap(outward * (theta[a] - theta[b]), low)
            out[f"{name}_deg_s"] = outward * (rate[a] - rate[b])
    out["trunk_lateral_lean_deg"] = wrap(view * (theta["trunk"] - 90.0), -180.0)
    out["trunk_lateral_lean_deg_s"] = view * rate["trunk"]
    out["shoulders_lean_deg"] = view * segment_deg(view * limbs["shoulders"])  # from behind the picture is mirrored
    out["shoulders_lean_deg_s"] = view * rate["shoulders"]
    return out


def lines(p: dict[str, State]) -> dict[str, State]:
    """The vectors ``hips`` and ``shoulders`` from the right joint to the left one, of those that the set has."""
    found = {f"{n}s": minus(p.get(f"left_{n}"), p.get(f"right_{n}")) for n in ("hip", "shoulder")}
    return {name: vector for name, vector in found.items() if vector is not None}


def short_limbs(vectors: dict[str, State]) -> dict[str, np.ndarray]:
    """(L,) bool by upper arm, thigh and shank: it is shorter in the picture than `LEAST_LIMB`.

    Args:
        vectors: of `pipeline.measure.angles.segments`; without a trunk no limb is short.
    """
    if "trunk" not in vectors:
        return {}
    least = LEAST_LIMB * np.hypot(*vectors["trunk"][:2])
    limbs = {name: v for name, v in vectors.items() if name.endswith(("upper_arm", "thigh", "shank"))}
    with np.errstate(invalid="ignore"):
        return {name: np.hypot(*vector[:2]) < least for name, vector in limbs.items()}


def seen_from(shoulders: np.ndarray, pelvis: np.ndarray, trunk: np.ndarray) -> np.ndarray:
    """(L,) 1 where the person is seen from the front, −1 from behind, NaN from the side or where it is not clear.

    The lines count across the trunk, so that the result is the same for somebody who is head down.

    Args:
        shoulders, pelvis: (2+, L) vectors from the right to the left joint in the picture.
        trunk: (2+, L) vector from the hips to the shoulders.
    """
    size = np.hypot(trunk[0], trunk[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        wide, hips = ((trunk[0] * line[1] - trunk[1] * line[0]) / size for line in (shoulders, pelvis))
        seen = (np.abs(wide) >= LEAST_SHOULDERS * size) & (np.abs(hips) >= LEAST_HIPS * size)
        agreed = (np.sign(wide) == np.sign(hips)) & (size > 0)
    return np.where(seen & agreed, np.sign(wide), np.nan)
