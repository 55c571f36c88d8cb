"""Joint angles in space from ``keypoints_m``: camera axes, x right, y down, z away from the camera; degrees.

Knee, elbow and ankle are plain angles between two segments. Hip and shoulder are flexion in the trunk's sagittal
plane: the limb is projected onto the plane of "up" (hips to shoulders) and "forward" (the line through the hips, for
the arms that through the shoulders, × up), after the axes of the ISB (Wu et al. 2002, 2005: X forward, Y up, Z right).
A limb that points sideways has no flexion: in a lateral raise the projection shrinks to nothing and then turns over.

Every angle comes with its derivatives by the vectors that it is made of, which propagate the joints' deviations.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.lift.world import CAMERAS_UP
from pipeline.measure.angles import SIDES, wrap

LEAST_SAGITTAL = 0.5  # sin 30°: a limb nearer to the sideways axis has no flexion
_TOES = ("toe", "foot_index", "big_toe")
_UP = {f"{s}_{n}": w for s in SIDES for n, w in (("shoulder", 0.5), ("hip", -0.5))}
# Errors of a limb's ends have much in common: its angles have this share of what independent errors would give. On
# motion capture kept aside, 95 % lie within 1.96 of, without noise and with noise like the networks': knee .59 and .68,
# elbow .64 and .59, ankle .37 and .71, shoulder .60 and .70; hip .68 and .98, trunk .56 and .95.
COMMON, _COMMON = 0.65, ("knee_flexion", "elbow_flexion", "ankle_dorsiflexion", "shoulder_flexion")
Weights = dict[str, float]  # of joints in a vector
Points = dict[str, np.ndarray]  # (3, L) m


class Bend(NamedTuple):
    """An angle and its derivatives, one for each vector that it is made of."""

    rad: np.ndarray  # (L,)
    slopes: tuple[tuple[Weights, np.ndarray], ...]  # (3, L) rad/m
    across: bool = False  # 0…180: a joint that bends out of its plane only ever seems to bend more


def angles_3d(
    keypoints_m: np.ndarray, names: tuple[str, ...], std_m: np.ndarray | None = None, up: np.ndarray = CAMERAS_UP
) -> Points:
    """Columns of the 3D angles whose joints have points, (L,) f64 degrees, NaN = not known.

    Args:
        keypoints_m: (L, J, 3) metres.
        names: (J,) of COCO, BlazePose, or Human3.6M as the lifters call them: all say ``left_hip`` and so on.
        std_m: (L, J, 3) standard deviations of the joints about the hips, along each axis; with it, each angle has a
            column ``…_3d_deg_std``.
        up: (3,) the vertical, in the camera's axes.
    """
    p, std = _named(keypoints_m, names), None if std_m is None else _named(std_m, names)
    out: dict[str, np.ndarray] = {}
    deviations: dict[str, np.ndarray] = {}
    for name, bend in _bends(p, up).items():
        degrees = np.degrees(bend.rad)
        if name.endswith("ankle_dorsiflexion"):
            degrees = 90.0 - degrees
        elif not bend.across:
            degrees = wrap(degrees, -90.0 if name.endswith("shoulder_flexion") else -180.0)
        out[f"{name}_3d_deg"] = degrees
        if std is not None:
            share = COMMON if name.endswith(_COMMON) else 1.0
            deviations[f"{name}_3d_deg_std"] = share * np.degrees(_std(bend, std))
    return out | deviations


def _named(values: np.ndarray, names: tuple[str, ...]) -> Points:
    p = {name: values[:, j].T.astype(np.float64) for j, name in enumerate(names)}
    for s in SIDES:
        p |= {f"{s}_toe": p[f"{s}_{t}"] for t in _TOES if f"{s}_{t}" in p}
    return p


def vector(p: Points, weights: Weights) -> np.ndarray:
    """(3, L) m, a sum of joints."""
    return np.asarray(sum(w * p[name] for name, w in weights.items()))


def _bends(p: Points, up: np.ndarray) -> dict[str, Bend]:
    """The angles by name, in table order."""
    out: dict[str, Bend] = {}
    for joint, near, far in (("knee", "hip", "ankle"), ("elbow", "shoulder", "wrist")):
        for s in SIDES:
            a = {f"{s}_{joint}": 1.0, f"{s}_{near}": -1.0}
            b = {f"{s}_{far}": 1.0, f"{s}_{joint}": -1.0}
            if {*a, *b} <= set(p):
                out[f"{s}_{joint}_flexion"] = _between(p, a, b)
    for s in SIDES:
        shank, foot = {f"{s}_knee": 1.0, f"{s}_ankle": -1.0}, {f"{s}_toe": 1.0, f"{s}_heel": -1.0}
        if {*shank, *foot} <= set(p):
            out[f"{s}_ankle_dorsiflexion"] = _between(p, shank, foot)
    return out | _against_trunk(p, up) if set(_UP) <= set(p) else out


def _against_trunk(p: Points, up: np.ndarray) -> dict[str, Bend]:
    """Flexion of hips and shoulders in the trunk's frame, and the trunk's own lean."""
    out: dict[str, Bend] = {}
    for name, far in (("hip", "knee"), ("shoulder", "elbow")):
        left = {f"left_{name}": 1.0, f"right_{name}": -1.0}
        for s in SIDES:
            if f"{s}_{far}" in p:
                limb = {f"{s}_{far}": 1.0, f"{s}_{name}": -1.0}
                vectors = [vector(p, w) for w in (limb, _UP, left)]
                rad, slopes = _flexion(*vectors)
                out[f"{s}_{name}_flexion"] = Bend(rad, tuple(zip((limb, _UP, left), slopes, strict=True)))
    # The trunk's lean is its turn forward from the vertical about the line through hips and shoulders. The hanging limb
    # that `flexion` needs is the trunk upside down.
    down = {name: -w for name, w in _UP.items()}
    left = {"left_hip": 1.0, "right_hip": -1.0, "left_shoulder": 1.0, "right_shoulder": -1.0}
    vertical = np.broadcast_to(up[:, None], p["left_hip"].shape)
    rad, (of_limb, _, of_left) = _flexion(vector(p, down), vertical, vector(p, left))
    return out | {"trunk_lean": Bend(-rad, ((down, of_limb), (left, of_left)))}


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(L,) angle 0…180 between vectors (3, L); by atan2, since arccos loses half the digits near 0 and 180."""
    return np.degrees(_angle(a, b))


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cross = np.cross(a, b, axis=0)
    angle = np.arctan2(np.sqrt(np.sum(cross * cross, 0)), np.sum(a * b, 0))
    return np.where((np.sum(a * a, 0) == 0) | (np.sum(b * b, 0) == 0), np.nan, angle)


def _between(p: Points, first: Weights, second: Weights) -> Bend:
    """The angle between two vectors; each derivative is across its vector, in the plane of both."""
    a, b = vector(p, first), vector(p, second)
    return Bend(_angle(a, b), ((first, _towards(a, b)), (second, _towards(b, a))), across=True)


def _towards(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, L) derivative of the angle between a and b by a; where they are parallel, the plane is that of sight."""
    with np.errstate(invalid="ignore", divide="ignore"):
        square = np.sum(a * a, 0)
        off = b - a * (np.sum(a * b, 0) / square)
        straight = np.sum(off * off, 0) < 1e-12 * np.sum(b * b, 0)
        sight = -a * (a[2] / square)
        sight[2] += 1.0
        off = np.where(straight, sight, off)
        return -off / np.sqrt(np.sum(off * off, 0) * square)


def flexion(limb: np.ndarray, up: np.ndarray, left: np.ndarray) -> np.ndarray:
    """(L,) angle in (−180, 180] by which ``limb`` is turned forward from hanging down against ``up``.

    Args:
        limb, up: vectors (3, L).
        left: (3, L) towards the person's left; its part along ``up`` does not matter.

    The angle is NaN where the limb lies within 30° of the sideways axis, and where ``up`` and ``left`` are parallel.
    """
    return np.degrees(_flexion(limb, up, left)[0])


def _flexion(limb: np.ndarray, up: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """`flexion` in rad, and its derivatives (3, L) by limb, up and left.

    A turn of the trunk about its sideways axis changes the flexion by as much; turns about the other axes count by as
    much as the limb points sideways.
    """
    forward = np.cross(left, up, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        length = np.sqrt(np.sum(up * up, 0))
        upward = up / length
        width = np.sqrt(np.sum(forward * forward, 0)) / length  # of the body: the part of left that is across up
        forward = forward / (width * length)
        sideways = np.cross(upward, forward, axis=0)
        ahead, down, aside = np.sum(limb * forward, 0), -np.sum(limb * upward, 0), np.sum(limb * sideways, 0)
        square = ahead * ahead + down * down
        turn, tilt = aside * down / square, aside * ahead / square
        along = np.sum(left * upward, 0) / width
        slopes = [
            (down * forward + ahead * upward) / square,
            ((1 + turn * along) * forward + tilt * sideways) / length,
            -turn / width * forward,
        ]
        sagittal = np.sqrt(square / (square + aside * aside)) >= LEAST_SAGITTAL
    return np.where(sagittal, np.arctan2(ahead, down), np.nan), slopes


def _std(bend: Bend, std: Points) -> np.ndarray:
    """(L,) rad, the standard deviation of an angle; also where the angle itself is empty."""
    slopes: Points = {}
    for weights, slope in bend.slopes:
        for joint, weight in weights.items():
            slopes[joint] = slopes.get(joint, 0.0) + weight * slope
    within = sum(np.sum(np.square(slope * std[joint]), 0) for joint, slope in slopes.items())
    if not bend.across:
        return np.sqrt(within)
    # Errors out of the plane of bending make a joint look more bent, by half their square over the angle.
    total = sum(np.sum(np.square(slope), 0) * np.sum(np.square(std[joint]), 0) for joint, slope in slopes.items())
    beyond = np.maximum(total - within, 0.0) / 2
    least = np.maximum(np.minimum(bend.rad, np.pi - bend.rad), np.sqrt(beyond))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(within + np.where(beyond > 0, np.square(beyond / 2 / least), 0.0))
