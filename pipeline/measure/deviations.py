"""Standard deviations of angles, angular velocities and speeds in the picture, from those of the points.

Each is propagated by the Jacobian: the variances of all points of an angle, times the squared derivatives. Errors are
equal along both axes. What changes between frames is independent from point to point. What lasts is not: a network that
puts a knee too far to the front puts hip and ankle there, too. So an angle's error is smaller than the points' errors
say; by how much was measured on photographs (`SHARE`). L rows of one person.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import MEASURED, SWAPPED, Motion
from pipeline.measure.angles import JOINTS, LIMBS, SIDES, State, segments, sources
from pipeline.measure.frontal import FRONTAL, lines
from pipeline.measure.mass import centre_of_mass

UNSEEN = 0.5  # score that points without a measurement count as having
# Deviation of an angle over that which independent errors of its points would give, so that 95 % of the errors lie
# within 1.96 of it: `scripts/coverage.py fit` on annotated photographs. The largest of the limbs' was .64, of those of
# trunk and shoulders .81 (taken a tenth larger, from 30 to 70 errors each). Feet are not annotated there; they count
# as the other limbs.
SHARE, TRUNK_SHARE = 0.65, 0.9
_OF_TRUNK = ("trunk", "shoulder", "upper_arm", "head")
Weights = dict[str, np.ndarray | float]  # of points in a vector


class Doubt(NamedTuple):
    """Standard deviations of the points of `pipeline.measure.angles.points` per axis, (L,) each."""

    place_px: dict[str, np.ndarray]  # what changes between frames
    velocity_px_s: dict[str, np.ndarray]
    whole_px: dict[str, np.ndarray]  # with what lasts


def doubts(
    motion: Motion, skeleton: Skeleton, size_px: np.ndarray, step_s: np.ndarray, noise_len: float, rows: slice
) -> Doubt:
    """The deviations of some rows; see `velocity_std`.

    Args:
        size_px, step_s: (L,) body length, and seconds to the nearest row, of the whole motion.
        noise_len: standard deviation of a measurement of score 1, in body lengths.
    """
    place, velocity, whole = {}, {}, {}
    for name, k in sources(skeleton).items():
        std = motion.jitter_px()[rows, k].astype(np.float64)
        seen = np.isin(motion.provenance[rows, k], (MEASURED, SWAPPED))
        score = np.where(seen, np.clip(motion.keypoint_score[rows, k], 0.1, 1.0), UNSEEN)
        place[name], whole[name] = std, motion.keypoint_std_px[rows, k].astype(np.float64)
        off = velocity_std(std, noise_len * size_px[rows] / score, step_s[rows])
        velocity[name] = off if motion.velocity_px_s is None else off + 0 * motion.velocity_px_s[rows, k, 0]
    return Doubt(place, velocity, whole)


def velocity_std(std: np.ndarray, measured: np.ndarray, step_s: np.ndarray) -> np.ndarray:
    """(L,) standard deviation of a smoothed point's velocity, from that of its place.

    A smoother of white jerk with the cutoff ω₀ leaves ω₀·step/3 of a measurement's variance in the place, and ω₀²/2
    times that in the velocity. So the share that is left tells the cutoff. Without smoothing the velocity is that of
    central differences.

    Args:
        std, measured: (L,) standard deviation of the smoothed place and of a measurement.
        step_s: (L,) seconds between rows.
    """
    share = np.square(std / measured)
    return std * np.minimum(3 * share, 1.0) / (np.sqrt(2.0) * step_s)


def nearest_step_s(time_s: np.ndarray) -> np.ndarray:
    """(L,) seconds from each row to the nearer one of its neighbours."""
    if len(time_s) < 2:
        return np.ones(len(time_s))
    step = np.diff(time_s)
    return np.minimum(np.append(step[0], step), np.append(step, step[-1]))


class _Slope(NamedTuple):
    """Derivatives of a segment's angle and of its angular velocity by the segment's vector, (2, L) rad."""

    weights: Weights
    angle: np.ndarray
    rate: np.ndarray


def angle_std(p: dict[str, State], doubt: Doubt) -> dict[str, np.ndarray]:
    """Of all angles of `pipeline.measure.angles.angles` and `pipeline.measure.frontal.frontal`, (L,); NaN = not known.

    ``…_deg_std``: the whole deviation; ``…_deg_jitter``: the part that changes between frames; ``…_deg_s_std``: of the
    angular velocity.
    """
    vectors = segments(p) | lines(p)
    weights = weights_of(p)
    slopes = {name: _slope(weights[name], vector) for name, vector in vectors.items()}
    signs = {name: {a: 1.0, b: -1.0} for name, (a, b, _, _) in JOINTS.items()}
    signs |= {"trunk_lean": {"trunk": 1.0}, "pelvis_lean": {"hips": 1.0}}
    signs |= {f"{name}_segment": {name: 1.0} for name in vectors if name not in ("hips", "shoulders")}
    if {"hips", "shoulders", "trunk"} <= set(vectors):
        signs |= FRONTAL
    out: dict[str, np.ndarray] = {}
    for name, sign in signs.items():
        if set(sign) <= set(slopes):
            jitter, whole, rate = _propagated([(s, slopes[part]) for part, s in sign.items()], doubt)
            out[f"{name}_deg_std"] = np.degrees(np.maximum(jitter, share_of(name) * whole))
            out[f"{name}_deg_jitter"], out[f"{name}_deg_s_std"] = np.degrees(jitter), np.degrees(rate)
    return out


def share_of(angle: str) -> float:
    """`TRUNK_SHARE` or `SHARE` of an angle such as ``left_knee_flexion``."""
    return TRUNK_SHARE if angle.removeprefix("left_").removeprefix("right_").startswith(_OF_TRUNK) else SHARE


def weights_of(p: dict[str, State]) -> dict[str, Weights]:
    """The weights of the points in each vector of `pipeline.measure.angles.segments` and `lines`."""
    out: dict[str, Weights] = {name: {proximal: 1.0, distal: -1.0} for name, (distal, proximal) in LIMBS.items()}
    for s in SIDES:
        out[f"{s}_foot"] = {f"{s}_heel" if f"{s}_heel" in p else f"{s}_ankle": 1.0, f"{s}_toe": -1.0}
    sides = _halves([[f"{s}_shoulder", f"{s}_hip"] for s in SIDES], p)
    out["trunk"] = {f"{s}_{n}": w * sign for s, w in sides for n, sign in (("shoulder", 1.0), ("hip", -1.0))}
    out["head"] = {"head": 1.0, "neck": -1.0}
    if not ("head" in p and "neck" in p):
        ears, shoulders = (_halves([[f"{s}_{n}"] for s in SIDES], p) for n in ("ear", "shoulder"))
        out["head"] = {f"{s}_ear": w for s, w in ears} or {"head": 1.0}
        out["head"] |= {f"{s}_shoulder": -w for s, w in shoulders}
    for line in ("hip", "shoulder"):
        out[f"{line}s"] = {f"left_{line}": 1.0, f"right_{line}": -1.0}
    return out


def _halves(points: list[list[str]], p: dict[str, State]) -> list[tuple[str, np.ndarray]]:
    """The weights of both sides in `pipeline.measure.angles.mid`, (L,) each; of the sides that the set has."""
    known = {}
    for side, names in zip(SIDES, points, strict=True):
        if all(name in p for name in names):
            known[side] = np.isfinite(sum(p[name][0] for name in names)).astype(np.float64)
    total = np.maximum(sum(known.values(), np.zeros(1)), 1.0)
    return [(side, here / total) for side, here in known.items()]


def _slope(weights: Weights, vector: State) -> _Slope:
    """By the derivatives of −atan2(y, x) and of (y·vx − x·vy) / r²."""
    x, y, vx, vy = vector[:4]
    with np.errstate(invalid="ignore", divide="ignore"):
        inverse = 1.0 / (x * x + y * y)
        rate = (y * vx - x * vy) * inverse
        return _Slope(
            weights,
            np.stack([y, -x]) * inverse,
            np.stack([-vy - 2 * x * rate, vx - 2 * y * rate]) * inverse,
        )


def _propagated(parts: list[tuple[float, _Slope]], doubt: Doubt) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(L,) rad, rad and rad/s: deviations of a sum of segments' angles, by what changes between frames and by the
    points' whole errors if these were independent, and of its rate of change."""
    by_angle: dict[str, np.ndarray] = {}
    by_rate: dict[str, np.ndarray] = {}
    for sign, slope in parts:
        for point, weight in slope.weights.items():
            by_angle[point] = by_angle.get(point, 0.0) + sign * weight * slope.angle
            by_rate[point] = by_rate.get(point, 0.0) + sign * weight * slope.rate
    jitter, whole, rate = np.zeros(1), np.zeros(1), np.zeros(1)
    for point, slope_of in by_angle.items():
        square = np.square(slope_of).sum(0)
        used = square != 0  # a side that is not known has no weight
        place, velocity = np.square(doubt.place_px[point]), np.square(doubt.velocity_px_s[point])
        jitter = jitter + np.where(used, square * place, 0.0)
        whole = whole + np.where(used, square * np.square(doubt.whole_px[point]), 0.0)
        rate = rate + np.where(used, square * velocity + np.square(by_rate[point]).sum(0) * place, 0.0)
    return np.sqrt(jitter), np.sqrt(whole), np.sqrt(rate)


def com_velocity_std(doubt: Doubt) -> np.ndarray:
    """(L,) px/s per axis of the centre of mass of a body whose points are all known."""
    weights = _mass_weights(tuple(doubt.velocity_px_s))
    total = sum(np.square(w * doubt.velocity_px_s[name]) for name, w in weights.items() if w)
    return np.sqrt(total)


@cache
def _mass_weights(names: tuple[str, ...]) -> dict[str, float]:
    """The weight of each point in the centre of mass."""
    out = {}
    for name in names:
        there = {other: np.full((2, 1), float(other == name)) for other in names}
        found = centre_of_mass(there)
        out[name] = 0.0 if found is None else float(found[0, 0])
    return out
