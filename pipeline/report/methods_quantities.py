"""Sentences about scales, the third dimension, and what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core.settings import ASSUMED_HEIGHT_M
from pipeline.report.methods_facts import RunFacts, capital, count, listed, number

_WAY, _FLOOR = "path_distance_m", "ground_distance_m"
_PLANE = {
    "knee_flexion": "knee flexion", "hip_flexion": "hip flexion", "ankle_dorsiflexion": "ankle dorsiflexion",
    "elbow_flexion": "elbow flexion", "shoulder_flexion": "shoulder flexion", "trunk_lean": "trunk lean",
    "pelvis_lean": "pelvis lean",
}  # fmt: skip
_FRONTAL = {
    "shoulder_abduction": "shoulder abduction", "hip_abduction": "hip abduction",
    "knee_valgus": "the frontal plane projection angle of the knee [@willson]", "trunk_lateral_lean": "lateral trunk"
    " lean",
    "shoulders_lean": "lean of the shoulders",
}  # fmt: skip
_SPACE = {
    "knee_flexion": "knee flexion", "hip_flexion": "hip flexion", "ankle_dorsiflexion": "ankle dorsiflexion",
    "elbow_flexion": "elbow flexion", "shoulder_flexion": "shoulder flexion",
    "shoulder_abduction": "shoulder abduction", "hip_abduction": "hip abduction", "knee_valgus": "knee valgus",
    "shoulder_elevation": "elevation of the upper arm and its plane", "trunk_lean": "trunk lean",
    "trunk_lateral_lean": "lateral trunk lean", "shoulders_lean": "lean of the shoulders", "pelvis_lean": "pelvis lean",
    "trunk_rotation": "rotation of thorax against pelvis", "pelvis_rotation": "rotation of the pelvis",
}  # fmt: skip


def scale(facts: RunFacts) -> list[str]:
    """Where metres in the picture plane, or on the floor, come from."""
    sources = [str(p.get("px_per_m_from") or "") for p in facts.people]
    heights = [_metres(s) for s in sources if s.startswith("height ")]
    out = []
    if heights and all(str(p.get("metres_from") or "").startswith("nothing") for p in facts.people):
        out.append("There are no metres in the picture plane, as the camera moved; positions there are in pixels.")
    elif heights:
        out.append(
            f"For {count(len(heights), 'person', 'people')} metres in the picture plane follow from the given standing"
            f" height of {tall(heights)}, by the lengths of shanks, thighs and trunk in the picture as shares of"
            " the height [@winter]."
        )
    if (length := facts.setting("metres", "length")) and "length" in sources:
        out.append(f"Metres in the picture plane follow from a line of {number(length[4])} m marked in the picture.")
    if facts.has(_FLOOR):
        out.append(_floor(facts))
    if not heights and not out and facts.people and (sources and all(s.startswith("assumed") for s in sources)):
        out.append(
            f"No scale of the picture was given; positions and speeds in the picture plane are in pixels, and"
            f" px_per_m in"
            f" people.csv rests on an assumed standing height of {ASSUMED_HEIGHT_M:.2f} m."
        )
    return out


def tall(heights_m: Sequence[float]) -> str:
    """``1.70 m``, or ``1.66 to 1.78 m``."""
    low, high = f"{min(heights_m):.2f}", f"{max(heights_m):.2f}"
    return f"{low} m" if low == high else f"{low} to {high} m"


def _metres(text: str) -> float:
    """The height of ``height 1.78 m``."""
    return float(text.split()[1])


def _floor(facts: RunFacts) -> str:
    ground: Mapping[str, Any] = facts.setting("metres", "ground") or {}
    if ground.get("camera"):
        how = "the given calibration of the camera"
    elif points := ground.get("image_px"):
        how = f"a homography from {len(points)} points of the floor whose places are known [@hartley]"
    else:
        how = "the given plane of the floor"
    return f"Places, ways and speeds on the floor were found by {how}; a person stands between the feet."


def space(facts: RunFacts) -> list[str]:
    """How 3D was estimated, what it assumes, or that there is none."""
    name, world = facts.setting("lift", "name"), facts.has("_world_x_m")
    if not (world or any(c.endswith("_z_m") for c in facts.columns)):
        return ["No third dimension was estimated."] if name == "none" or facts.people else []
    if name != "poseline":
        return [f"Joints in space about the hips were estimated from the keypoints by {_lifter(facts, name)}."]
    text = f"Joints in space were estimated from the smoothed keypoints by {_lifter(facts, name)}"
    deviations = ["<joint>_std_m states the standard deviations of the joints."] if facts.has("_std_m") else []
    known = [*_field_of_view(facts), *_heights(facts), *deviations]
    if "lift_s" not in facts.manifest:  # an earlier version, which may have done it otherwise
        return [f"{text}; depths are estimates.", *known]
    placed = (
        f"in one world, z up, {_world(facts)}; feet that stand were held in place" if world else "before the camera"
    )
    return [
        f"{text}, from each person's path over time; depths are estimates. The joints were put back on their lines of"
        f" sight, limbs got one length each, and everybody was placed {placed}.",
        *known,
    ]


def _lifter(facts: RunFacts, name: Any) -> str:
    digests = (facts.manifest.get("lifter") or {}).get("networks") or {}
    told = "; ".join(f"{key}, SHA-256 {value}…" for key, value in digests.items() if "random" not in str(value))
    if name == "poseline":
        told = "; ".join(["Apache-2.0", *(f"SHA-256 {value}…" for value in digests.values())])
        return f"poseline's own network ({told}), trained on motion capture [@cmu] alone"
    what = f"the lifter {str(name).partition('@')[0].rpartition('/')[2]}" if name else "a lifter"
    return f"{what}{f' ({told})' if told else ''}"


def _world(facts: RunFacts) -> str:
    camera = (facts.setting("metres", "ground") or {}).get("camera")
    return "that of the camera's calibration" if camera else "whose floor was fitted to everybody's feet"


def _field_of_view(facts: RunFacts) -> list[str]:
    told, given = facts.manifest.get("field_of_view") or {}, facts.setting("lift", "fov_deg")
    if (facts.setting("metres", "ground") or {}).get("camera"):
        return ["The lens was that of the camera's calibration."]
    if given is not None:
        return [f"The field of view across the picture was given as {number(given)}°."]
    if told.get("from") == "estimated":
        sure = told.get("focal_std_percent")
        doubt = f" (standard deviation of the focal length {number(sure)} %)" if sure is not None else ""
        return [
            f"The field of view across the picture, {number(told['deg'])}°, was estimated from the people in it{doubt}."
        ]
    if told.get("from") == "turns":
        return [f"The field of view, {number(told['deg'])}° across the first picture, was told by the camera's turns."]
    if told.get("from") == "assumed":
        return [f"The field of view across the picture was not known and assumed to be {number(told['deg'])}°."]
    return []


def _heights(facts: RunFacts) -> list[str]:
    metres = facts.manifest.get("config", {}).get("metres")
    if metres is None:
        return []
    everybody, some = metres.get("height_m"), metres.get("heights_m") or {}
    known = [p for p in facts.people if everybody or str(p["person_id"]) in some or (p.get("name") or "") in some]
    unknown = [p for p in facts.people if p not in known]
    out = []
    if known:
        out.append(f"Metres in space follow from the given standing height{'s' if len(known) > 1 else ''}.")
    if unknown:
        whose = f"of {count(len(unknown), 'person', 'people')} no" if known else "No"
        begin = capital(f"{whose} standing height was given")
        out.append(
            f"{begin}; people were taken to be {ASSUMED_HEIGHT_M:.2f} m tall on average{_found(unknown)}. Metres in"
            f" space"
            " rest on this assumption."
        )
    return out


def _found(unknown: Sequence[Mapping[str, Any]]) -> str:
    """The heights that the floor gives, and who kept the usual one; empty where people.csv has none."""
    told = [p["height_3d_m"] for p in unknown if "height_3d_m" in p]
    found = [float(h) for h in told if h is not None and math.isfinite(h)]
    kept = len(told) - len(found)
    if not found:
        return ""
    rest = f", and {count(kept, 'person', 'people')} kept this height" if kept else ""
    return f"; by where feet met the floor, {count(len(found), 'person', 'people')} got {tall(found)}{rest}"


def quantities(facts: RunFacts) -> list[str]:
    """What was computed, by which definitions."""
    out = [*_angles(facts)]
    if facts.has("com_x_px"):
        out.append("The centre of mass is that of the segments in sight, by segment masses after [=leva].")
    if steps := facts.total("steps"):
        out.append(
            "Foot contacts were found where a foot is farthest ahead of and behind the pelvis [@zeni], those of runners"
            f" where it goes back about as fast as the ground; {count(steps, 'contact')} {_was(steps)} found."
        )
    if n := facts.total("jumps"):
        out.append(
            f"{capital(count(n, 'jump'))} {_was(n)} found; heights follow from the flight time t as g·t²/8 [@bosco]."
        )
    if n := facts.total("repetitions"):
        out.append(f"{capital(count(n, 'repetition'))} of periodic movements {_was(n)} counted.")
    if any("sprinting_s" in p for p in facts.people):
        out.append("Time in speed zones has the bounds 2.0, 4.0, 5.5 and 7.0 m/s [@bradley].")
    return out


def _was(n: int) -> str:
    return "was" if n == 1 else "were"


def _verb(several: Sequence[str]) -> str:
    return _was(len(several))


def _there(facts: RunFacts, names: Mapping[str, str], end: str) -> list[str]:
    return [
        words for name, words in names.items() if any(c.removeprefix("left_") == f"{name}{end}" for c in facts.columns)
    ]


def _angles(facts: RunFacts) -> list[str]:
    plane, frontal = _there(facts, _PLANE, "_deg"), _there(facts, _FRONTAL, "_deg")
    deep = _there(facts, _SPACE, "_3d_deg")
    out = []
    if plane:
        out.append(
            f"In the picture plane, {listed(plane)} {_verb(plane)} computed as angles between segments, or between a"
            f" segment"
            f" and the"
            " vertical or horizontal of the picture [@winter]: 0° in upright standing with hanging arms (the ankle:"
            " foot"
            " at a right angle to the shank), flexion, dorsiflexion and forward lean positive, extension and"
            " plantarflexion negative."
        )
    if frontal:
        out.append(f"Of people seen from the front or behind, {listed(frontal)} {_verb(frontal)} computed.")
    if deep:
        out.append(
            f"In space, {listed(deep)} {_verb(deep)} computed after the axes of the ISB [@wu2002;wu2005], at the knee"
            " after [=grood], as far as joint centres, without bony landmarks, tell them."
        )
    if out and facts.has("_deg_s"):
        out.append("Angular velocities follow from the smoothed velocities of the keypoints.")
    if out and any(c.endswith("flexion_state") for c in facts.columns):
        out.append(
            "Angles were left empty where a point was missing, a segment foreshortened, their plane or side not"
            " known, the"
            " 95 % interval wider than 40°, or the value outside what joints can do."
        )
    if out and facts.has("_deg_std"):
        out.append("Standard deviations of angles were propagated from those of the keypoints.")
    return [*out, "Definitions and signs are those of docs/kinematics.md of poseline."] if out else []
