"""Joint angles drawn at the joints: an arc between the segments, and the number beside the arc."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.render.draw.canvas import Canvas, Colour
from pipeline.render.draw.colours import PALE, PANEL
from pipeline.render.draw.figure import Person, Sizes, drawable
from pipeline.render.draw.labels import Placer
from pipeline.render.draw.text import plate

# The joint and the ends of the two segments of an angle; of several ends the first that the keypoint set has is used.
JOINTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "knee_flexion": ("knee", "hip", ("ankle",)),
    "hip_flexion": ("hip", "shoulder", ("knee",)),
    "ankle_dorsiflexion": ("ankle", "knee", ("foot_index", "big_toe", "toe")),
    "elbow_flexion": ("elbow", "shoulder", ("wrist",)),
    "shoulder_flexion": ("shoulder", "hip", ("elbow",)),
}
_ROOM = 15  # least length of a person, in heights of a number, at which the numbers stay apart
_LEAST_TURN = 0.2  # rad, least angle with an arc
_ARC, _AWAY = 2.6, 4.2  # radius of the arc and distance of the number, in limb widths
_SMALL = 0.78  # height of a number, relative to a label


def draw_angles(
    canvas: Canvas,
    placer: Placer,
    person: Person,
    skeleton: Skeleton,
    sizes: Sizes,
    texts: Mapping[str, str],
    colours: dict[int, Colour],
) -> None:
    """Draw texts at the joints, {``left_knee_flexion``: ``62°``}; nothing where a joint or a segment is missing."""
    height = max(round(_SMALL * sizes.label), 11)
    if sizes.person < _ROOM * height:
        return
    where = {name: k for k, name in enumerate(skeleton.names)}
    known = drawable(person, canvas.size_px)
    found = []
    for name, text in texts.items():
        side, _, angle = name.partition("_")
        joint, near, far = JOINTS[angle]
        ends = [f"{side}_{joint}", f"{side}_{near}", *(f"{side}_{f}" for f in far if f"{side}_{f}" in where)][:3]
        if len(ends) == 3 and all(end in where and known[where[end]] for end in ends):
            at, a, b = (person.keypoints_px[where[end]].astype(np.float64) for end in ends)
            colour = colours[-1 if side == "left" else 1]
            _draw_arc(canvas, at, a, b, _ARC * sizes.limb, max(0.3 * sizes.limb, 1.0), colour)
            found.append((name, text, at, _outward(at, a, b), colour))
    for name, text, at, out, colour in found:
        patch = plate(text, height, PANEL, PALE, 0.8, colour)
        half = np.array(patch.size) / 2
        away = _AWAY * sizes.limb + half[0]
        turned = np.array([-out[1], out[0]])
        directions = (out, -out, out + turned, out - turned, turned, -turned)
        places = [tuple(at + d / np.linalg.norm(d) * away - half) for d in directions]
        placer.put(canvas, patch, places, (person.person_id, name))


def _outward(at: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The unit vector that points away from both segments; at a straight joint it points to the side."""
    inward = _unit(a - at) + _unit(b - at)
    if np.hypot(*inward) < 0.2:
        along = _unit(b - a)
        return np.array([along[1], -along[0]])
    return -_unit(inward)


def _draw_arc(
    canvas: Canvas, at: np.ndarray, a: np.ndarray, b: np.ndarray, radius: float, width: float, colour: Colour
) -> None:
    """Draw the arc from the straight continuation of the near segment to the far segment."""
    straight = np.arctan2(*(at - a)[::-1])
    turn = (np.arctan2(*(b - at)[::-1]) - straight + np.pi) % (2 * np.pi) - np.pi
    if abs(turn) < _LEAST_TURN:
        return  # the arc would be a dot
    angle = straight + turn * np.linspace(0, 1, max(int(abs(turn) / 0.15), 2))
    arc = at + radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    canvas.lines([arc], width, [colour], edge=1)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.hypot(*vector)), 1e-6)
