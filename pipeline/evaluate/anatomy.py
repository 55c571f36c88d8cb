"""Motion capture whose skeletons bend what people keep straight: what is off, and the correction.

A skeleton that was fitted to markers bends a knee by an angle of its own, in every frame, for each subject and side. In
CMU's data it is 0 to 25°: stance comes out at 10 to 25° where gait laboratories find 0 to 8°, and the swing's peak at
64 to 76° where they find 54 to 66°, so that one number a knee is off through the whole range.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.evaluate.mocap_types import AT, Mocap

SIDES = ("left", "right")
# The joints before and after one that bends one way only, and what moves with its far end.
LIMBS = {"knee": ("hip", "ankle", ("ankle", "ball", "toe")), "elbow": ("shoulder", "wrist", ("wrist", "knuckles"))}
# The knee of level walking (Winter 2009; Kadaba et al. 1990): 0 to 8° at heel strike and late in stance, so that about
# a tenth of the stance is below 4; the swing's peak is 57 to 64 with a standard deviation of 6. The figures ascribed to
# Kadaba (40 young adults) were not checked in the paper, whose abstract has none.
STANCE_DEG, STANCE_SHARE = 4.0, 0.1
STILL_M_S, HIGH = 0.4, 0.93  # an ankle that stands; hips above it, as a share of the leg
USUAL_DEG, SPREAD_DEG = 12.0, 5.0  # of the offsets of the subjects who walk; the prior of the others
MOST_DEG = 25.0
LEAST_FRAMES, TRUSTED_FRAMES = 20, 100  # of stance: fewer say nothing; as many weigh as much as the prior
SOFT_DEG = 2.0  # how softly a knee stops at straight
# A leap of the recording: the hips' acceleration (12 g; landings from jumps stay below 8), and the speed of a joint
# against the hips (a thrown ball's hand reaches 20 m/s against the ground).
LEAP_M_S2, LEAP_M_S = 120.0, 20.0
LEAST_S = 1.0  # shorter pieces between leaps are left out


class Offset(NamedTuple):
    """What is taken out of a subject's knee."""

    deg: float
    frames: int  # of stance that say so


def flexion(points: np.ndarray, side: str, joint: str = "knee") -> np.ndarray:
    """(...) degrees, 0 = straight, of the knees, or elbows, of points (..., 23, 3)."""
    before, after, _ = LIMBS[joint]
    first, middle, last = (points[..., AT[f"{side}_{j}"], :] for j in (before, joint, after))
    across = np.linalg.norm(np.cross(middle - first, last - middle), axis=-1)
    return np.degrees(np.arctan2(across, ((middle - first) * (last - middle)).sum(-1)))


def stance(points: np.ndarray, fps: float, side: str) -> np.ndarray:
    """(n,) bool: frames of one trial (n, 23, 3) in which the leg stands, its hip nearly as high as the leg is long."""
    hip, knee, ankle = (points[:, AT[f"{side}_{j}"]].astype(float) for j in ("hip", "knee", "ankle"))
    speed = np.linalg.norm(np.gradient(ankle, axis=0), axis=-1) * fps
    long = np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)
    return (speed < STILL_M_S) & (hip[:, 1] - ankle[:, 1] > HIGH * long)


def offsets(mocap: Mocap) -> dict[tuple[str, str], Offset]:
    """By subject and side: the angle that puts a tenth of the stance below `STANCE_DEG`, drawn towards the usual."""
    out = {}
    for subject in sorted(set(mocap.subject.tolist())):
        trials = [mocap.trial(int(i)) for i in np.flatnonzero(mocap.subject == subject)]
        for side in SIDES:
            seen = np.concatenate([flexion(p, side)[stance(p, mocap.fps, side)] for p in trials if len(p) > 1])
            if len(seen) < LEAST_FRAMES:
                out[subject, side] = Offset(USUAL_DEG, len(seen))
                continue
            own = float(np.quantile(seen, STANCE_SHARE)) - STANCE_DEG
            trust = len(seen) / (len(seen) + TRUSTED_FRAMES)
            out[subject, side] = Offset(float(np.clip(USUAL_DEG + trust * (own - USUAL_DEG), 0, MOST_DEG)), len(seen))
    return out


def bent(points: np.ndarray, joint: str, side: str, less_deg: np.ndarray | float) -> np.ndarray:
    """Points (..., 23, 3) whose ``joint``, knee or elbow, of one side bends ``less_deg`` (...) less, up to straight.

    Both bones turn in their plane. Their lengths and the line from the first joint to the last stay; what lies beyond
    moves along.
    """
    before, after, beyond = LIMBS[joint]
    first, middle, last = (points[..., AT[f"{side}_{j}"], :].astype(np.float64) for j in (before, joint, after))
    a, b = (np.linalg.norm(bone, axis=-1) for bone in (middle - first, last - middle))
    line = _unit(last - first)
    left = points[..., AT["left_hip"], :] - points[..., AT["right_hip"], :]
    ahead = _unit(np.cross(line, left)) * (1 if joint == "knee" else -1)  # where a straight one would bend to
    bone = middle - first
    square = bone - (bone * line).sum(-1, keepdims=True) * line
    square = _unit(square + 1e-3 * ahead)
    now = flexion(points.astype(np.float64), side, joint)
    wanted = np.radians(np.minimum(now, SOFT_DEG * np.logaddexp(0, (now - less_deg) / SOFT_DEG)))
    reach = np.sqrt(a**2 + b**2 + 2 * a * b * np.cos(wanted))
    turn = np.arcsin(np.clip(b * np.sin(wanted) / np.maximum(reach, 1e-9), -1, 1))[..., None]
    out = points.copy()
    out[..., AT[f"{side}_{joint}"], :] = first + a[..., None] * (np.cos(turn) * line + np.sin(turn) * square)
    moved = first + line * reach[..., None] - last
    for name in beyond:
        out[..., AT[f"{side}_{name}"], :] = points[..., AT[f"{side}_{name}"], :] + moved
    return out


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def anatomical(mocap: Mocap) -> Mocap:
    """The recordings without leaps, their knees as straight as people's."""
    whole = pieces(mocap)
    points = whole.points.copy()
    found = offsets(whole)
    for side in SIDES:
        deg = np.repeat([found[s, side].deg for s in whole.subject.tolist()], whole.length)
        points = bent(points, "knee", side, deg)
    return whole._replace(points=points)


def pieces(mocap: Mocap) -> Mocap:
    """The recordings cut at leaps; every piece is a trial of its own."""
    rows, subject = [], []
    for i in range(len(mocap.length)):
        cuts = np.flatnonzero(leaps(mocap.trial(i), mocap.fps)) + 1
        for part in np.split(np.arange(mocap.length[i]), cuts):
            if len(part) >= min(LEAST_S * mocap.fps, mocap.length[i]):
                rows.append(mocap.start[i] + part)
                subject.append(mocap.subject[i])
    length = np.array([len(r) for r in rows])
    start = np.concatenate([[0], np.cumsum(length)[:-1]])
    return Mocap(mocap.points[np.concatenate(rows)], start, length, np.array(subject), mocap.fps)


def leaps(points: np.ndarray, fps: float) -> np.ndarray:
    """(n - 1,) bool: steps of a trial (n, 23, 3) that no body makes."""
    p = points.astype(np.float64)
    hips = (p[:, AT["left_hip"]] + p[:, AT["right_hip"]]) / 2
    speed = np.linalg.norm(np.diff(p - hips[:, None], axis=0), axis=-1).max(1) * fps
    push = np.linalg.norm(np.diff(hips, 2, axis=0), axis=-1) * fps**2
    out = speed > LEAP_M_S
    out[1:] |= push > LEAP_M_S2
    out[:-1] |= push > LEAP_M_S2
    return out
