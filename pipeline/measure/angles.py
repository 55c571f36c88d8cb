"""Named points over time, segment and joint angles in the picture plane, and their velocities.

A point is a *state*, (6, L) f64: x, y, their velocities and their accelerations; unknown values are NaN. Differences
and means of states are states again, so that an angle and its velocity come from the same two points. Picture axes: x
right, y down, px. Segment angles are Winter's (2009, Biomechanics and Motor Control of Human Movement, ch. 3): counter-
clockwise from the horizontal as one looks at the picture, from the distal end to the proximal one. Joint angles are
differences of segment angles, turned by the side the person faces. L rows of one person; degrees.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion

State = np.ndarray  # (6, L) f64
SIDES = ("left", "right")
# The names of each point in other sets; the first name that a set has counts.
_ALSO = {
    **{f"{s}_toe": (f"{s}_foot_index", f"{s}_big_toe", f"{s}_toe") for s in SIDES},
    **{f"{s}_knuckle": (f"{s}_middle_finger1", f"{s}_index") for s in SIDES},
    "head": ("head", "head_top", "top_head"),  # the top of the head
}
_POINTS = (
    "nose",
    "neck",
    *(f"{s}_{p}" for p in ["ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel"] for s in SIDES),
)
# Each segment from its distal to its proximal end; foot, trunk and head are special.
LIMBS = {
    f"{s}_{name}": (f"{s}_{distal}", f"{s}_{proximal}")
    for name, distal, proximal in (
        ("thigh", "knee", "hip"), ("shank", "ankle", "knee"), ("upper_arm", "elbow", "shoulder"),
        ("forearm", "wrist", "elbow"),
    )
    for s in SIDES
}  # fmt: skip
# Joint: (segment, minus segment, offset, lower end of its full turn). Angle = facing · difference + offset.
JOINTS = {
    f"{s}_{name}": (f"{s}_{a}", b if b == "trunk" else f"{s}_{b}", offset, low)
    for name, a, b, offset, low in (
        ("knee_flexion", "thigh", "shank", 0.0, -180.0),
        ("hip_flexion", "thigh", "trunk", 0.0, -180.0),
        ("ankle_dorsiflexion", "foot", "shank", -90.0, -180.0),
        ("elbow_flexion", "forearm", "upper_arm", 0.0, -180.0),
        ("shoulder_flexion", "upper_arm", "trunk", 0.0, -90.0),
    )
    for s in SIDES
}
SEGMENTS = (*(f"{s}_{n}" for n in ["thigh", "shank", "foot", "upper_arm", "forearm"] for s in SIDES), "trunk", "head")
# Angle of the line from toe to ankle above the sole: the ankle lies .039 of the height above the sole (Winter 2009,
# figure 4.1), and three quarters of the foot's length of .152 behind the tip.
ANKLE_TOE_DEG = float(np.degrees(np.arctan2(0.039, 0.75 * 0.152)))
LEAST_HIPS = 0.2  # trunk lengths between the hips in the picture, below which their line says nothing
LOW_SEGMENT = -90.0  # a segment's angle starts in (−90, 270]: upright and hanging are 90, a foot 0 or 180


def points(
    motion: Motion, skeleton: Skeleton, rows: slice = slice(None), *, places_only: bool = False
) -> dict[str, State]:
    """The points of the body that the set has, by COCO's names, ``left_toe``, ``left_knuckle``, ``neck``, ``head``.

    With ``places_only`` each point has the first two rows of its state only, (2, L).
    """
    return {name: state(motion, k, rows, places_only=places_only) for name, k in sources(skeleton).items()}


def sources(skeleton: Skeleton) -> dict[str, int]:
    """The keypoint of each point of `points`."""
    named = ((name, [n for n in _ALSO.get(name, (name,)) if n in skeleton.names]) for name in (*_POINTS, *_ALSO))
    return {name: skeleton.index(known[0]) for name, known in named if known}


def state(motion: Motion, k: int, rows: slice = slice(None), *, places_only: bool = False) -> State:
    """Keypoint ``k`` with its velocity and acceleration in some rows: (6, L) f64, or (2, L)."""
    if places_only:
        return motion.keypoints_px[rows, k].T.astype(np.float64, order="C")
    out = np.full((6, len(motion.frame[rows])), np.nan)
    for i, values in enumerate((motion.keypoints_px, motion.velocity_px_s, motion.acceleration_px_s2)):
        if values is not None:
            out[2 * i : 2 * i + 2] = values[rows, k].T
    return out


def mid(a: State | None, b: State | None) -> State | None:
    """The mean of two states; where one is not known, the other: from the side left and right nearly coincide."""
    if a is None or b is None:
        return b if a is None else a
    return np.where(np.isnan(a[0]), b, np.where(np.isnan(b[0]), a, (a + b) / 2))


def minus(a: State | None, b: State | None) -> State | None:
    """a − b, None when either is missing."""
    return None if a is None or b is None else a - b


def trunk(p: dict[str, State]) -> State | None:
    """The vector from hips to shoulders: the mean of both sides, or the one side that is known."""
    sides = [minus(p.get(f"{s}_shoulder"), p.get(f"{s}_hip")) for s in SIDES]
    return mid(*sides)


def breaks(frame: np.ndarray) -> np.ndarray:
    """(L,) bool: rows that start a stretch of consecutive frames."""
    return np.append(True, np.diff(frame) != 1)[: len(frame)]


def segments(p: dict[str, State]) -> dict[str, State]:
    """The vectors of the segments that can be made, from their distal to their proximal ends (trunk and head: up).

    The head's segment goes from the neck to the top of the head. In sets that lack one of these points, the segment
    goes from the middle of the shoulders to the middle of the ears, or else to the top of the head. A foot without a
    heel goes from its toe to the ankle, see ``ANKLE_TOE_DEG``.
    """
    out = {name: minus(p.get(proximal), p.get(distal)) for name, (distal, proximal) in LIMBS.items()}
    for s in SIDES:
        out[f"{s}_foot"] = minus(p.get(f"{s}_heel", p.get(f"{s}_ankle")), p.get(f"{s}_toe"))
    out["trunk"] = trunk(p)
    out["head"] = minus(p.get("head"), p.get("neck"))
    if out["head"] is None:
        ears, shoulders = (mid(p.get(f"left_{n}"), p.get(f"right_{n}")) for n in ("ear", "shoulder"))
        out["head"] = minus(p.get("head") if ears is None else ears, shoulders)
    return {name: vector for name in SEGMENTS if (vector := out[name]) is not None}


def segment_deg(vector: np.ndarray) -> np.ndarray:
    """(L,) counter-clockwise angle in (−180, 180] of vectors (2+, L) with y down; NaN for one of no length."""
    angle = np.degrees(np.arctan2(-vector[1], vector[0]))
    return np.where((vector[0] == 0) & (vector[1] == 0), np.nan, angle)


def segment_deg_s(vector: State) -> np.ndarray:
    """(L,) deg/s, the angle's rate of change: dθ/dt = −(x·vy − y·vx)/(x² + y²), as y points down."""
    x, y, vx, vy = vector[:4]
    with np.errstate(invalid="ignore", divide="ignore"):
        return -np.degrees((x * vy - y * vx) / (x * x + y * y))


def wrap(angle: np.ndarray, low: float) -> np.ndarray:
    """The same angles in (low, low + 360]."""
    return angle - 360.0 * (np.ceil((angle - low) / 360.0) - 1.0)


def unwrap(angle: np.ndarray, start: np.ndarray, low: float = LOW_SEGMENT) -> np.ndarray:
    """Angles without jumps of a full turn between known rows of a stretch; its first angle is in (low, low + 360].

    Args:
        angle: (L,), NaN = not known.
        start: (L,) bool, the first row of each stretch.
    """
    known = np.flatnonzero(np.isfinite(angle))
    out = np.full(len(angle), np.nan)
    if not len(known):
        return out
    stretch = np.cumsum(start)[known]
    first = wrap(angle[known], low)
    fresh = np.append(True, np.diff(stretch) != 0)
    turns = np.cumsum(np.append(0.0, -np.round(np.diff(first) / 360.0)))
    base = turns[np.maximum.accumulate(np.where(fresh, np.arange(len(known)), 0))]
    out[known] = first + 360.0 * (turns - base)
    return out


def continued(angle: np.ndarray, start: np.ndarray, far: float = 135.0) -> np.ndarray:
    """Angles (L,) of which a stretch that begins beyond ±``far``, head down, begins near the end of the one before."""
    out = angle.copy()
    known = np.flatnonzero(np.isfinite(angle))
    fresh = np.flatnonzero(np.diff(np.cumsum(start)[known])) + 1
    for first, stop in zip(fresh, [*fresh, len(known)][1:], strict=True):
        here = out[known[first]]
        if abs(here) > far:
            out[known[first:stop]] += 360.0 * np.round((out[known[first - 1]] - here) / 360.0)
    return out


def angles(p: dict[str, State], facing: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of joint and segment angles and of their velocities, (L,) f64, NaN = not known.

    Each row is computed alone: the segments' angles, ``…_segment_deg``, are not unwrapped yet.

    Args:
        p: points, see `points`.
        facing: (L,) +1 right, −1 left, NaN = neither.
    """
    vectors = segments(p)
    rate = {name: segment_deg_s(v) for name, v in vectors.items()}
    theta = {name: segment_deg(v) for name, v in vectors.items()}
    sole = {s: theta[f"{s}_foot"] + ANKLE_TOE_DEG * facing for s in SIDES if f"{s}_foot" in theta}
    for s in sole:
        if f"{s}_heel" not in p:
            theta[f"{s}_foot"] = sole[s]
    out: dict[str, np.ndarray] = {}
    for name, (a, b, offset, low) in JOINTS.items():
        if a in theta and b in theta:
            value, speed = theta[a] - theta[b], rate[a] - rate[b]
            if name.endswith("elbow_flexion"):  # the upper arm turns about itself: no side to bend to
                value = wrap(value, low)
                out[f"{name}_deg"], out[f"{name}_deg_s"] = np.abs(value), np.sign(value) * speed
            else:
                out[f"{name}_deg"], out[f"{name}_deg_s"] = wrap(facing * value + offset, low), facing * speed
    if "trunk" in theta:
        out["trunk_lean_deg"] = wrap(facing * (90.0 - theta["trunk"]), -180.0)
        out["trunk_lean_deg_s"] = -facing * rate["trunk"]
    out |= pelvis_lean(p, vectors.get("trunk"))
    for name in theta:
        out[f"{name}_segment_deg"] = theta[name]
        out[f"{name}_segment_deg_s"] = rate[name]
    return out


def pelvis_lean(p: dict[str, State], up: State | None) -> dict[str, np.ndarray]:
    """The line through the hips against the horizontal, −90…90: + where the person's left hip is the higher one.

    The angle is the same from the front and from behind. It is NaN where the hips are less than ``LEAST_HIPS`` trunk
    lengths apart in the picture: seen from the side, one hip lies behind the other.
    """
    hips = minus(p.get("left_hip"), p.get("right_hip"))
    if hips is None or up is None:
        return {}
    side = np.where(np.hypot(hips[0], hips[1]) >= LEAST_HIPS * np.hypot(up[0], up[1]), np.sign(hips[0]), np.nan)
    side = np.where(side == 0, 1.0, side)
    value = segment_deg(np.stack([np.abs(hips[0]), hips[1]]))
    return {"pelvis_lean_deg": value + 0 * side, "pelvis_lean_deg_s": side * segment_deg_s(hips)}
