"""Angles in the frontal plane of people who are seen from the front or from behind.

All are differences of segment angles (`pipeline.measure.angles`), turned so that they have the same sign on both sides
of the body, and from the front and from behind. They are NaN where the shoulders are too close together in the picture
for the frontal plane to be the picture's. Each row is computed alone. L rows of one person; degrees.
"""

from __future__ import annotations

import numpy as np

from pipeline.measure.angles import SIDES, State, minus, segment_deg, segment_deg_s, segments, wrap

# Shoulders lie .7 to .85 trunk lengths apart from the front (RTMPose-s, people upright): .55 is a turn of about 45°,
# where angles away from the midline look up to 30 % smaller. Hips lie .35 to .5 apart.
LEAST_SHOULDERS, LEAST_HIPS = 0.55, 0.2  # trunk lengths
LEAST_LIMB = 0.35  # trunk lengths in the picture below which a thigh or shank points too much at the camera
_SIGNS = {"left": 1.0, "right": -1.0}  # of the side's way outward in the picture, from the front


def frontal(p: dict[str, State]) -> dict[str, np.ndarray]:
    """Columns of the frontal plane that the points allow, (L,) f64, and their velocities; NaN = not known.

    Args:
        p: points as `pipeline.measure.angles.points` has them, (6, L) each.
    """
    pelvis, shoulders = (minus(p.get(f"left_{n}"), p.get(f"right_{n}")) for n in ("hip", "shoulder"))
    limbs = segments(p)
    if pelvis is None or shoulders is None or "trunk" not in limbs:
        return {}
    view = seen_from(shoulders, pelvis, limbs["trunk"])
    out: dict[str, np.ndarray] = {}
    size = np.hypot(*limbs["trunk"][:2])
    theta = {name: segment_deg(v) for name, v in limbs.items()}
    rate = {name: segment_deg_s(v) for name, v in limbs.items()}
    theta["pelvis"] = 90.0 + segment_deg(view * pelvis)  # upwards, at a right angle to the line of the hips
    rate["pelvis"] = segment_deg_s(pelvis)
    for name, far, near in (
        ("shoulder_abduction", "upper_arm", "trunk"), ("hip_abduction", "thigh", "pelvis"),
        ("knee_valgus", "shank", "thigh"),
    ):  # fmt: skip
        for s in SIDES:
            a, b = f"{s}_{far}", near if near in ("trunk", "pelvis") else f"{s}_{near}"
            if a in theta and b in theta:
                outward = _SIGNS[s] * view * _long(limbs, (a, b), size)
                low = -90.0 if name == "shoulder_abduction" else -180.0
                out[f"{s}_{name}_deg"] = wrap(outward * (theta[a] - theta[b]), low)
                out[f"{s}_{name}_deg_s"] = outward * (rate[a] - rate[b])
    out["trunk_lateral_lean_deg"] = wrap(view * (theta["trunk"] - 90.0), -180.0)
    out["trunk_lateral_lean_deg_s"] = view * rate["trunk"]
    out["shoulders_lean_deg"] = view * segment_deg(view * shoulders)  # from behind the picture is mirrored
    out["shoulders_lean_deg_s"] = view * segment_deg_s(shoulders)
    return out


def seen_from(shoulders: np.ndarray, pelvis: np.ndarray, trunk: np.ndarray) -> np.ndarray:
    """(L,) 1 where the person is seen from the front, −1 from behind, NaN from the side or where it is not clear.

    Args:
        shoulders, pelvis: (2+, L) vectors from the right to the left joint in the picture.
        trunk: (2+, L) vector from the hips to the shoulders.
    """
    size = np.hypot(trunk[0], trunk[1])
    with np.errstate(invalid="ignore"):
        wide = (np.abs(shoulders[0]) >= LEAST_SHOULDERS * size) & (np.abs(pelvis[0]) >= LEAST_HIPS * size)
        agreed = (np.sign(shoulders[0]) == np.sign(pelvis[0])) & (size > 0)
    return np.where(wide & agreed, np.sign(shoulders[0]), np.nan)


def _long(limbs: dict[str, State], names: tuple[str, str], size: np.ndarray) -> np.ndarray:
    """(L,) 1 where the thighs and shanks among these segments are long enough in the picture, else NaN."""
    out = np.ones(len(size))
    for name in names:
        if name.endswith(("thigh", "shank")):
            with np.errstate(invalid="ignore"):
                out[~(np.hypot(*limbs[name][:2]) >= LEAST_LIMB * size)] = np.nan
    return out
