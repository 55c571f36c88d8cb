"""Columns from a person's motion in the picture: facing, joint angles, speeds, centre of mass, 3D angles.

All functions are pure functions of a `Motion`; docs/kinematics.md defines every column. L rows of one person, S the
person's size in px.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.settings import SmoothConfig
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import VALID, Motion
from pipeline.lift.world import CAMERAS_UP
from pipeline.measure.angles import (
    LOW_SEGMENT,
    SIDES,
    State,
    angles,
    breaks,
    continued,
    mid,
    minus,
    points,
    sources,
    state,
    trunk,
    unwrap,
)
from pipeline.measure.angles_3d import angles_3d
from pipeline.measure.deviations import Doubt, angle_std, com_velocity_std, doubts, nearest_step_s
from pipeline.measure.frontal import frontal
from pipeline.measure.frontal_3d import PELVIS_ROTATION, frontal_3d
from pipeline.measure.mass import centre_of_mass
from pipeline.measure.space_std import along_axes
from pipeline.measure.validity import Sight, in_picture, in_space, known_only, with_jumps
from pipeline.measure.vertical import levelled
from pipeline.motion.person import body_length

# Each cue of the facing: the value at full strength, in sizes of the person (pelvis: per s), and the cue's weight.
_CUES = {"toes": (0.10, 1.0), "face": (0.05, 0.6), "knees": (0.04, 0.6), "pelvis": (0.5, 0.4)}
TURN_S = 0.25  # seconds of full evidence that one change of side costs; half of it doubles the time
LEAST_SUPPORT, UNSURE_S = 0.35, 1.0  # evidence below .35 for longer than 1 s: the person faces neither side
_SPEED_S = 0.25  # time to either side over which the pelvis's velocity is taken
_LONGEST_STEP_S = 0.1  # a row counts for no longer than this, however low the frame rate
_BLOCK = 1 << 12  # rows whose columns are worked out at once: some 10 MB

JOINTS = ("nose", *(f"{s}_{p}" for p in ["shoulder", "elbow", "wrist", "hip", "knee", "ankle"] for s in SIDES))
FEET = tuple(f"{s}_{p}" for p in ["heel", "foot_index", "big_toe", "small_toe", "toe"] for s in SIDES)

WHOLE_TURNS = ("_segment_deg", "trunk_lean_deg", "trunk_lean_3d_deg")  # angles that go on beyond a turn


def kinematics(
    motion: Motion,
    skeleton: Skeleton,
    side: np.ndarray | None = None,
    view: Sight | None = None,
    noise_len: float = SmoothConfig().noise_len,
    up: np.ndarray = CAMERAS_UP,
) -> dict[str, np.ndarray]:
    """All columns of kinematics in table order, (L,) f32 each, NaN = not known; see docs/kinematics.md.

    The columns ``…_state`` are (L,) u8, codes of `pipeline.core.types.ANGLE_STATES`. Columns whose points the keypoint
    set lacks are left out. All velocities are NaN where ``motion.velocity_px_s`` is None.
    Foot contacts are made by `pipeline.measure.gait.contacts`.

    Args:
        side: (L,) from `facing`, if it has been computed before.
        view: how the camera sees the person; None: from the side throughout, with segments of any length.
        noise_len: standard deviation of a measurement of score 1, in body lengths.
        up: (3,) the way up in the camera's axes, see `pipeline.measure.vertical`.
    """
    side, start = facing(motion, skeleton) if side is None else side, breaks(motion.frame)
    seen = Sight(side, np.ones(len(motion), bool), np.full(len(motion), np.nan)) if view is None else view
    told = _Told(motion, skeleton, seen, body_length(motion.box_px), nearest_step_s(motion.time_s), noise_len, up)
    out: dict[str, np.ndarray] = {}
    there = _velocities(motion, skeleton)
    for first in range(0, max(len(motion), 1), _BLOCK):
        rows = slice(first, first + _BLOCK)
        for name, values in _of_rows(told, rows).items():
            if not first:
                out[name] = there[name] if name in there else np.empty(len(motion), values.dtype)
            if name not in there:
                out[name][rows] = values
    turned = start | (np.diff(seen.side, prepend=seen.side[:1]) != 0)  # a lean changes its sign there
    for name in out:
        if name.endswith(WHOLE_TURNS):
            lean = not name.endswith("_segment_deg")
            angle = unwrap(out[name], turned if lean else start, -180.0 if lean else LOW_SEGMENT)
            out[name] = (continued(angle, turned) if lean else angle).astype(np.float32)
    if PELVIS_ROTATION in out:
        out[PELVIS_ROTATION] = unwrap(out[PELVIS_ROTATION], start, -180.0).astype(np.float32)
    return out | with_jumps(out, {n: v for n, v in out.items() if n.endswith("_state")}, motion.time_s, start)


def _velocities(motion: Motion, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """The columns that the motion holds as they are: views (L,) f32, which take no memory."""
    if motion.velocity_px_s is None:
        return {}
    points = [(name, skeleton.index(name)) for name in (*JOINTS, *FEET) if name in skeleton.names]
    axes = enumerate(("vx", "vy"))
    return {f"{name}_{v}_px_s": motion.velocity_px_s[:, k, i] for i, v in axes for name, k in points}


class _Told(NamedTuple):
    """What the columns of any rows are made of."""

    motion: Motion
    skeleton: Skeleton
    view: Sight
    size_px: np.ndarray  # (L,)
    step_s: np.ndarray  # (L,)
    noise_len: float
    up: np.ndarray  # (3,)


def _of_rows(told: _Told, rows: slice) -> dict[str, np.ndarray]:
    """The columns of some rows, f32 but for the angles in whole turns, which are not unwrapped yet, and for states."""
    motion, skeleton = told.motion, told.skeleton
    p, view = points(motion, skeleton, rows), told.view.at(rows)
    level = levelled(p, told.up)
    doubt = doubts(motion, skeleton, told.size_px, told.step_s, told.noise_len, rows)
    out = angles(level, view.side) | frontal(level) | angle_std(p, doubt)
    states = in_picture(out, p, view)
    for name in (*JOINTS, *FEET):
        if name in skeleton.names:
            out |= speeds(name, state(motion, skeleton.index(name), rows))
    com = centre_of_mass(p)
    if com is not None:
        out |= {"com_x_px": com[0], "com_y_px": com[1]} | speeds("com", com)
    out |= _speed_std(doubt, skeleton, com)
    if motion.keypoints_m is not None:
        std_m = along_axes(motion, skeleton, rows)
        space = angles_3d(motion.keypoints_m[rows], motion.names_m, std_m, told.up)
        space |= frontal_3d(motion.keypoints_m[rows], motion.names_m, std_m, told.up)
        surely = _no_surer(space, out, states)
        states |= in_space(space)  # as in the picture, what lasts does not count here
        out |= space | surely
    out = known_only(out, states) | states
    return {n: v if n.endswith((*WHOLE_TURNS, "_state")) else v.astype(np.float32) for n, v in out.items()}


def _no_surer(
    space: dict[str, np.ndarray], picture: dict[str, np.ndarray], states: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Deviations in space that are at least those in the picture, where the angle is known there: it is one picture."""
    out: dict[str, np.ndarray] = {}
    for name, std in space.items():
        flat = name.replace("_3d_deg_std", "_deg_std")
        if name.endswith("_3d_deg_std") and flat in picture:
            known = states[flat.removesuffix("_deg_std") + "_state"] == VALID
            out[name] = np.where(known, np.fmax(std, picture[flat]), std)
    return out


def _speed_std(doubt: Doubt, skeleton: Skeleton, com: State | None) -> dict[str, np.ndarray]:
    """``…_speed_px_s_std`` of each point that has a speed: along any direction of the picture."""
    where = {k: name for name, k in sources(skeleton).items()}
    out: dict[str, np.ndarray] = {}
    for name in (*JOINTS, *FEET):
        if name in skeleton.names and skeleton.index(name) in where:
            out[f"{name}_speed_px_s_std"] = doubt.velocity_px_s[where[skeleton.index(name)]]
    if com is not None:
        out["com_speed_px_s_std"] = np.where(np.isnan(com[2]), np.nan, com_velocity_std(doubt))
    return out


def speeds(name: str, point: State) -> dict[str, np.ndarray]:
    """Columns of one point's velocity (picture axes: y down), speed and acceleration (magnitudes)."""
    return {
        f"{name}_vx_px_s": point[2],
        f"{name}_vy_px_s": point[3],
        f"{name}_speed_px_s": np.hypot(point[2], point[3]),
        f"{name}_acceleration_px_s2": np.hypot(point[4], point[5]),
    }


# --- which way the person faces --------------------------------------------------------------------------------------


def facing(motion: Motion, skeleton: Skeleton) -> np.ndarray:
    """(L,) f32 the side the person faces: +1 right, −1 left, NaN where seen from the front or behind.

    The side is that of the upright body: it does not change when the picture, or the person in it, is turned.

    The result is the most likely sequence of sides (Viterbi), given the toes, the nose against the ears, the side to
    which the knees bend, and the pelvis's velocity (with the least weight: people walk backwards, and on treadmills). A
    change of side costs about half a second of clear evidence. Where the evidence for the side stays weak for longer
    than ``UNSURE_S``, the person has no side; over shorter doubts the side before and after continues.
    """
    evidence, start = side_evidence(motion, points(motion, skeleton, places_only=True)), breaks(motion.frame)
    step = steps_s(motion.time_s)
    side = decide(evidence, step, start, TURN_S)
    sure = decide(evidence * side - LEAST_SUPPORT, step, start, LEAST_SUPPORT * UNSURE_S)
    return np.where(sure > 0, side, np.nan).astype(np.float32)


def side_evidence(motion: Motion, p: dict[str, State]) -> np.ndarray:
    """(L,) −1…1: each row's evidence that the person faces right; 0 where nothing is known.

    Of people who lie or stand on their hands, right is the side that would be on the right if they stood up.
    """
    size = body_length(motion.box_px).astype(np.float64) if len(motion) else np.zeros(0)
    ears, pelvis = (mid(p.get(f"left_{n}"), p.get(f"right_{n}")) for n in ("ear", "hip"))
    cues: dict[str, State | None] = {
        "toes": mid(*(_foot(p, s) for s in SIDES)),
        "face": _ahead(minus(p.get("nose"), ears), minus(ears, pelvis)),
        "knees": mid(*(_knee(p, s) for s in SIDES)),
    }
    if pelvis is not None:
        velocity = np.stack([drift(motion.time_s, x, _SPEED_S) for x in pelvis[:2]])
        cues["pelvis"] = _ahead(velocity, trunk(p))
    total = np.zeros(len(motion))
    for name, cue in cues.items():
        if cue is not None:
            full, weight = _CUES[name]
            total += weight * np.nan_to_num(np.clip(cue[0] / (full * size), -1, 1))
    return np.clip(total, -1, 1)


def _ahead(vector: State | None, up: State | None) -> State | None:
    """(1, L) px by which a vector points to the right of ``up``, the body's own; without it, of the picture's."""
    if vector is None or up is None:
        return vector
    length = np.hypot(up[0], up[1])
    return ((up[0] * vector[1] - up[1] * vector[0]) / np.where(length > 0, length, np.nan))[None]


def _foot(p: dict[str, State], s: str) -> State | None:
    """(1, L) px by which a foot points to the right of its shank."""
    foot = minus(p.get(f"{s}_toe"), p.get(f"{s}_heel", p.get(f"{s}_ankle")))
    return _ahead(foot, minus(p.get(f"{s}_knee"), p.get(f"{s}_ankle")))


def _knee(p: dict[str, State], s: str) -> np.ndarray | None:
    """(1, L) px by which a knee lies to the right of the line from hip to ankle, of a leg that hangs down."""
    if not all(f"{s}_{n}" in p for n in ("hip", "knee", "ankle")):
        return None
    leg, thigh = p[f"{s}_ankle"] - p[f"{s}_hip"], p[f"{s}_knee"] - p[f"{s}_hip"]
    length = np.hypot(leg[0], leg[1])
    return ((thigh[0] * leg[1] - thigh[1] * leg[0]) / np.where(length > 0, length, np.nan))[None]


def drift(time_s: np.ndarray, x: np.ndarray, reach_s: float) -> np.ndarray:
    """(L,) mean velocity of ``x (L,)`` from ``reach_s`` before each row to as long after it; NaN = not known."""
    n = len(x)
    if n < 2:
        return np.full(n, np.nan)
    k = max(round(reach_s / float(np.median(np.diff(time_s)))), 1)
    low, high = np.maximum(np.arange(n) - k, 0), np.minimum(np.arange(n) + k, n - 1)
    return (x[high] - x[low]) / (time_s[high] - time_s[low])


def steps_s(time_s: np.ndarray) -> np.ndarray:
    """(L,) seconds that each row stands for."""
    if len(time_s) < 2:
        return np.full(len(time_s), _LONGEST_STEP_S)
    return np.minimum(np.diff(time_s, prepend=2 * time_s[0] - time_s[1]), _LONGEST_STEP_S)


def decide(evidence: np.ndarray, step_s: np.ndarray, start: np.ndarray, cost_s: float) -> np.ndarray:
    """(L,) ±1: the signs with the highest sum of sign · evidence · seconds, less ``cost_s`` · 2 for each change.

    Viterbi's algorithm for two states (1967), over each stretch by itself. The lead of + over − follows
    ``lead ← clip(lead, −c, c) + a``; such clipped sums stay clipped sums when they follow one another, so all leads
    come from log L rounds over whole arrays instead of a loop over rows.

    Args:
        evidence, step_s: (L,), finite.
        start: (L,) bool, the first row of each stretch.
    """
    n = len(evidence)
    gain = evidence * step_s
    low, high = np.where(start, gain, gain - cost_s), np.where(start, gain, gain + cost_s)
    total, hop = gain.copy(), 1
    while hop < n and np.any(low < high):  # row i becomes: x → clip(x + total, low, high) over rows i−2·hop+1…i
        s, lo, hi = total[hop:], low[hop:], high[hop:]
        new_low = np.clip(low[:-hop] + s, lo, hi)
        new_high = np.clip(high[:-hop] + s, lo, hi)
        total[hop:] = total[:-hop] + s
        low[hop:], high[hop:] = new_low, new_high
        hop *= 2
    lead = low  # the first row of a stretch is a constant, so low = high
    last = np.append(start[1:], True)[:n]
    fixed = last | (np.abs(lead) > cost_s)
    after = np.minimum.accumulate(np.where(fixed, np.arange(n), n)[::-1])[::-1]
    return np.where(lead[after] >= 0, 1.0, -1.0) if n else np.zeros(0)
