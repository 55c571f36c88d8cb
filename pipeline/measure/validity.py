"""What is known of each angle in each row, after `pipeline.core.types.ANGLE_STATES`; values that are not known go.

An angle is empty where its points are missing; where the side that the person faces is not known; where the sagittal
plane is not that of the picture, or for angles of the frontal plane this one; where a segment points towards the camera
or away; where the interval that holds 95 % of what changes between frames is wider than `WIDEST_DEG`; and where no
joint can have the angle (`pipeline.measure.limits`). A value that changes faster than the joint can stays, with the
state ``too_fast``. What lasts of an error moves a curve as a whole; it makes no angle empty.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.types import (
    FORESHORTENED,
    IMPOSSIBLE,
    NO_POINTS,
    NO_SIDE,
    OUT_OF_PLANE,
    TOO_FAST,
    UNCERTAIN,
    VALID,
)
from pipeline.measure.angles import JOINTS, State, segments
from pipeline.measure.frontal import FRONTAL, lines, short_limbs
from pipeline.measure.limits import limit_of
from pipeline.measure.scale import SHANK, THIGH, TRUNK

WIDEST_DEG = 40.0  # of the interval that holds 95 %
MOST_STD_DEG = WIDEST_DEG / 2 / 1.96
LEAST_LENGTH = 0.6  # share of its length that a segment has in the picture; at less it points 53° out of the picture
# Lengths as shares of the standing height: Winter 2009, figure 4.1; the foot from heel or ankle
# to toe, of feet that turn outwards.
_LENGTHS = {"thigh": THIGH, "shank": SHANK, "upper_arm": 0.186, "forearm": 0.146, "foot": 0.09, "trunk": TRUNK}
_SIDELESS = ("elbow_flexion", "pelvis_lean", "_segment")  # angles without a sagittal plane
Columns = dict[str, np.ndarray]


class Sight(NamedTuple):
    """How the camera sees a person, row by row."""

    side: np.ndarray  # (L,) +1 right, −1 left, NaN neither: `pipeline.measure.kinematics.facing`
    plane: np.ndarray  # (L,) bool: the sagittal plane is near that of the picture: `pipeline.measure.plane`
    height_px: np.ndarray  # (L,) standing height, NaN = not known

    def at(self, rows: slice) -> Sight:
        """Some of the rows."""
        return Sight(self.side[rows], self.plane[rows], self.height_px[rows])


def in_picture(columns: Columns, p: dict[str, State], view: Sight) -> Columns:
    """``…_state`` (L,) u8 of each angle of ``columns``, which hold the deviations and angular velocities too.

    Args:
        p: the points, see `pipeline.measure.angles.points`.
    """
    vectors = segments(p)
    short, across = _short(vectors, view.height_px), np.isnan(sum(v[0] for v in lines(p).values()))
    limbs = short_limbs(vectors) | {"trunk": short.get("trunk", np.zeros(1, bool))}
    out: Columns = {}
    for column in [name for name in columns if name.endswith("_deg")]:
        name = column.removesuffix("_deg")
        value, jitter = columns[column], columns[f"{column}_jitter"]
        none, whole = np.zeros(len(value), bool), np.isnan(value)
        if name in FRONTAL:
            parts = [limbs[part] for part in FRONTAL[name] if part in limbs]
            reasons = [(NO_POINTS, np.isnan(jitter) | across), (OUT_OF_PLANE, whole)]
        else:
            sagittal = not name.endswith(_SIDELESS)
            parts = [] if name.endswith("_segment") else [short[part] for part in _parts(name) if part in short]
            reasons = [
                (NO_POINTS, np.isnan(jitter)),
                (NO_SIDE, sagittal & np.isnan(view.side)),
                (OUT_OF_PLANE, (sagittal & ~view.plane) | whole),
            ]
        reasons.append((FORESHORTENED, np.any([none, *(none | part for part in parts)], 0)))
        out[f"{name}_state"] = _state(name, value, jitter, columns[f"{column}_s"], reasons)
    return out


def in_space(columns: Columns) -> Columns:
    """``…_state`` (L,) u8 of each angle in space of ``columns``; deviations count where there are some."""
    out: Columns = {}
    for column in [name for name in columns if name.endswith("_3d_deg")]:
        name, value = column.removesuffix("_deg"), columns[column]
        std = columns.get(f"{column}_std", np.where(np.isnan(value), np.nan, 0.0))
        reasons = [(NO_POINTS, np.isnan(std)), (OUT_OF_PLANE, np.isnan(value))]
        out[f"{name}_state"] = _state(name, value, std, np.zeros(len(value)), reasons)
    return out


def _state(
    name: str, value: np.ndarray, std: np.ndarray, rate: np.ndarray, reasons: list[tuple[int, np.ndarray]]
) -> np.ndarray:
    """(L,) u8: the first of the reasons that holds, and of those that hold for every angle."""
    limit = limit_of(name)
    with np.errstate(invalid="ignore"):
        reasons = [
            *reasons,
            (UNCERTAIN, std > MOST_STD_DEG),
            (IMPOSSIBLE, (value < limit.low_deg) | (value > limit.high_deg)),
            (TOO_FAST, np.abs(rate) > limit.fastest_deg_s),
        ]
    return np.select([holds for _, holds in reasons], [code for code, _ in reasons], VALID).astype(np.uint8)


def _short(vectors: dict[str, State], height_px: np.ndarray) -> dict[str, np.ndarray]:
    """(L,) bool, where each segment is foreshortened."""
    out = {}
    for name, vector in vectors.items():
        share = _LENGTHS.get(name.removeprefix("left_").removeprefix("right_"))
        if share is not None:
            with np.errstate(invalid="ignore"):
                out[name] = np.hypot(vector[0], vector[1]) < LEAST_LENGTH * share * height_px
    return out


def _parts(name: str) -> tuple[str, ...]:
    """The segments of an angle that has a joint or is the trunk's."""
    return JOINTS[name][:2] if name in JOINTS else ("trunk",) if name == "trunk_lean" else ()


def known_only(columns: Columns, states: Columns) -> Columns:
    """The columns, NaN where an angle's state says that it is not known; so are its deviation and its velocity."""
    out = dict(columns)
    for name, state in states.items():
        gone = state > TOO_FAST
        for end in ("deg", "deg_std", "deg_jitter", "deg_s", "deg_s_std"):
            column = f"{name.removesuffix('state')}{end}"
            if column in out and gone.any():
                out[column] = np.where(gone, np.nan, out[column])
    return out


def jumps(
    angle: np.ndarray, time_s: np.ndarray, start: np.ndarray, fastest_deg_s: float, around: bool = False
) -> np.ndarray:
    """(L,) bool: rows whose angle is further from that of the row before than the joint can have moved since.

    Args:
        start: (L,) bool, rows that begin a stretch of consecutive frames.
        around: 180° and −180° are one.
    """
    if len(angle) < 2:
        return np.zeros(len(angle), bool)
    with np.errstate(invalid="ignore"):
        step = np.abs(np.diff(angle))
        step = np.minimum(step, 360.0 - step) if around else step
        far = step > fastest_deg_s * np.diff(time_s)
    return np.append(False, far) & ~start


def with_jumps(columns: Columns, states: Columns, time_s: np.ndarray, start: np.ndarray) -> Columns:
    """The states, ``too_fast`` where an angle jumps."""
    out = dict(states)
    for name, state in states.items():
        angle = name.removesuffix("_state")
        limit = limit_of(angle)
        around = limit.high_deg - limit.low_deg == 360.0
        far = jumps(columns[f"{angle}_deg"], time_s, start, limit.fastest_deg_s, around)
        out[name] = np.where(far, np.uint8(TOO_FAST), state)
    return out
