"""The centre of mass of the body from its segments.

Masses and centres of mass of segments: de Leva 1996, "Adjustments to Zatsiorsky-Seluyanov's segment inertia
parameters", J. Biomech. 29(9), table 4, the mean of women and men. The trunk goes from the middle of the shoulders to
that of the hips (MIDS–MIDH). The head's centre lies between the top of the head and the neck (VERT–CERV, whose length
of .140 of the height the points of Halpe have within 6 %). Without these points the head's centre lies between the ears
(Winter 2009, table 4.1: at the ear canal).
"""

from __future__ import annotations

import numpy as np

from pipeline.measure.angles import SIDES, State, mid

# Share of the body's mass in percent: women, men.
_MASS = {
    "head": (6.68, 6.94), "trunk": (42.57, 43.46), "upper_arm": (2.55, 2.71), "forearm": (1.38, 1.62),
    "hand": (0.56, 0.61), "thigh": (14.78, 14.16), "shank": (4.81, 4.33), "foot": (1.29, 1.37),
}  # fmt: skip
# Centre of mass from the proximal end in percent of the length: women, men. Trunk MIDS–MIDH, upper arm SJC–EJC, forearm
# EJC–WJC, hand WJC–MET3, thigh HJC–KJC, shank KJC–AJC, foot heel–toe, head VERT–CERV.
_CENTRE = {
    "head": (48.41, 50.02),
    "trunk": (37.82, 43.10), "upper_arm": (57.54, 57.72), "forearm": (45.59, 45.74), "hand": (74.74, 79.00),
    "thigh": (36.12, 40.95), "shank": (43.52, 43.95), "foot": (40.14, 44.15),
}  # fmt: skip
_HAND_MM, _FOREARM_MM = (78.0, 86.2), (264.3, 268.9)  # WJC–MET3 and EJC–WJC: women, men
_ANKLE_SHANK = 0.039 / 0.246  # height of the ankle in lengths of the shank (Winter 2009, figure 4.1)
_TOTAL = sum(sum(m) * (1 if name in ("head", "trunk") else 2) for name, m in _MASS.items())
LEAST_MASS = 0.85  # share of the mass whose segments are known, below which the centre is not

MASS = {name: sum(m) / _TOTAL for name, m in _MASS.items()}  # share of the whole; limbs: of one side
CENTRE = {name: sum(c) / 200.0 for name, c in _CENTRE.items()}
# Without points of its own a hand lies on the forearm's line beyond the wrist, a foot on the shank's beyond the ankle.
HAND_BEYOND = 1.0 + CENTRE["hand"] * sum(_HAND_MM) / sum(_FOREARM_MM)
FOOT_BEYOND = 1.0 + _ANKLE_SHANK / 2


def along(p: dict[str, State], proximal: str, distal: str, share: float) -> State | None:
    """The point at ``share`` of the way from one point to another; None when the set lacks one of them."""
    if proximal not in p or distal not in p:
        return None
    return p[proximal] + share * (p[distal] - p[proximal])


def parts(p: dict[str, State]) -> list[tuple[float, State]]:
    """(share of the mass, its centre) of the segments that the set has points for."""
    ears = mid(p.get("left_ear"), p.get("right_ear"))
    p = dict(p)
    for name in ("shoulder", "hip"):
        middle = mid(p.get(f"left_{name}"), p.get(f"right_{name}"))
        if middle is not None:
            p[f"mid_{name}"] = middle
    found: list[tuple[str, State | None]] = [
        ("head", _first(along(p, "head", "neck", CENTRE["head"]), ears, p.get("nose"), p.get("head"))),
        ("trunk", along(p, "mid_shoulder", "mid_hip", CENTRE["trunk"])),
    ]
    for s in SIDES:
        hand = along(p, f"{s}_wrist", f"{s}_knuckle", CENTRE["hand"])
        foot = along(p, f"{s}_heel", f"{s}_toe", CENTRE["foot"])
        found += [
            ("upper_arm", along(p, f"{s}_shoulder", f"{s}_elbow", CENTRE["upper_arm"])),
            ("forearm", along(p, f"{s}_elbow", f"{s}_wrist", CENTRE["forearm"])),
            ("hand", _first(hand, along(p, f"{s}_elbow", f"{s}_wrist", HAND_BEYOND))),
            ("thigh", along(p, f"{s}_hip", f"{s}_knee", CENTRE["thigh"])),
            ("shank", along(p, f"{s}_knee", f"{s}_ankle", CENTRE["shank"])),
            ("foot", _first(foot, along(p, f"{s}_knee", f"{s}_ankle", FOOT_BEYOND))),
        ]
    return [(MASS[name], centre) for name, centre in found if centre is not None]


def _first(*states: State | None) -> State | None:
    """Row by row the first state that is known."""
    out: State | None = None
    for s in states:
        if s is not None:
            out = s if out is None else np.where(np.isnan(out[0]), s, out)
    return out


def centre_of_mass(p: dict[str, State]) -> State | None:
    """The state of the centre of mass, NaN where less than ``LEAST_MASS`` of the mass is known; None if it never can.

    Unknown segments count as lying at the centre of the known ones: the masses of the known segments are scaled to one.
    """
    known = parts(p)
    if sum(mass for mass, _ in known) < LEAST_MASS:
        return None
    total, mass = np.zeros_like(known[0][1]), np.zeros(known[0][1].shape[1])
    for share, centre in known:
        here = np.isfinite(centre[0])
        mass += share * here
        total += share * np.where(here, centre, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mass >= LEAST_MASS, total / mass, np.nan)
