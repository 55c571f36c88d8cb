"""People on the floor: where they stand in metres, how far and how fast they go.

A person stands between their two feet. A swinging foot is lifted, so it would seem to be too far away on the floor;
its place is therefore taken on the straight line from its last stance to its next one.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.settings import ASSUMED_HEIGHT_M, Ground
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure.course import Course
from pipeline.measure.floor import floor_of
from pipeline.measure.scale import LINK_S, SMOOTH_S, line_fits, path, running_px
from pipeline.measure.stance import feet_px
from pipeline.motion import repair

GROUND_COLUMNS = (
    "ground_x_m", "ground_y_m", "ground_speed_m_s", "ground_speed_m_s_std", "ground_distance_m",
    "ground_distance_m_std",
)  # fmt: skip
_FOOT_S = 0.08  # standard deviation of the Gaussian under which a foot's speed is taken
_MOST_STD_M = 1.0  # largest standard deviation of a known place; places near the horizon exceed it
_STILL_SHARE = 0.6  # a foot stands while it is slower than this share of the body's speed,
_STILL_LEN_S = 0.15  # or slower than this many standing heights / s,
_STANCE_S = 0.2  # for at least this time
_SWING_STD = 5.0  # factor on the standard deviation of a swinging foot's place


def ground_columns(
    motion: Motion,
    skeleton: Skeleton,
    ground: Ground,
    size_px: tuple[int, int] | None = None,
    height_m: float | None = None,
    course: Course | None = None,
) -> dict[str, np.ndarray]:
    """`GROUND_COLUMNS` of a person, (L,) f32 each: place, speed and distance so far on the floor, as `path` has them.

    The columns are NaN where no foot is seen, where both feet are cut off at the lower border, and near the horizon,
    where a place would be uncertain by more than 1 m.

    Args:
        size_px: (w, h) of the video; None: feet are not checked for being cut off.
        height_m: the person's height; ankles are .039 of it above the floor.
        course: the floor of every frame, for a camera that moves.
    """
    place, std = _places(motion, skeleton, ground, size_px, height_m or ASSUMED_HEIGHT_M, course)
    way = path(motion.time_s, place, std)
    x, y = way.place_m.T.astype(np.float32)
    return {"ground_x_m": x, "ground_y_m": y} | way.columns("ground")


def px_per_m_on(
    ground: Ground, columns: dict[str, np.ndarray], frame: np.ndarray | None = None, course: Course | None = None
) -> float:
    """Scale of the picture at the places of `ground_columns`, px per metre along the picture's rows: the median.

    Right for a camera that is not rolled; NaN where no place is known. ``course`` is the floor in the frames (L,), for
    a camera that moves.
    """
    place = np.stack([columns["ground_x_m"], columns["ground_y_m"]], 1).astype(np.float64)
    there = np.isfinite(place).all(1)
    place, half = place[there], np.array([0.5, 0.0])
    floor = floor_of(ground) if course is None or frame is None else course.floor(frame[there])
    px = floor.to_px(place)
    m_per_px = np.linalg.norm(floor.to_m(px + half) - floor.to_m(px - half), axis=1)
    known = m_per_px[np.isfinite(m_per_px) & (m_per_px > 0)]
    return float(1 / np.median(known)) if len(known) else float("nan")


def _places(
    motion: Motion,
    skeleton: Skeleton,
    ground: Ground,
    size_px: tuple[int, int] | None,
    height_m: float,
    course: Course | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Where a person stands (L, 2) in m, between the feet, and its standard deviation (L,)."""
    feet, std_px, lift = feet_px(motion, skeleton, size_px)
    tall_px = np.nan_to_num(running_px(motion, skeleton))
    place, std = np.full((len(motion), 2, 2), np.nan), np.full((len(motion), 2), np.nan)
    for side in range(2):
        px = feet[:, side]
        if ground.camera is None:  # points above the floor appear above their floor place in the picture
            floor = floor_of(ground) if course is None else course.floor(motion.frame)
            px = px + np.stack([0 * tall_px, lift[side] * tall_px], 1)
        else:
            above_m = float(lift[side]) * height_m
            floor = floor_of(ground, above_m) if course is None else course.floor(motion.frame, above_m)
        uncertain = floor.m_per_px(px) * std_px[:, side]
        good = uncertain <= _MOST_STD_M
        place[good, side], std[good, side] = floor.to_m(px)[good], uncertain[good]
    if course is None:
        place, std = _without_swing(motion.time_s, place, std, feet, tall_px)
    else:  # the picture moves, so that only the floor tells which foot stands
        place, std = _without_swing(motion.time_s, place, std, place, np.full(len(motion), height_m))
    one = np.isfinite(place[..., 0])
    both = one.all(1)
    first, rows = np.argmax(one, 1), np.arange(len(place))
    return (
        np.where(both[:, None], place.mean(1), place[rows, first]),
        np.where(both, np.sqrt(np.square(std).mean(1) / 2), std[rows, first]),
    )


def _without_swing(
    time_s: np.ndarray, place: np.ndarray, std: np.ndarray, feet: np.ndarray, tall: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the feet (L, 2, 2) and deviations (L, 2) with lines across swings and gaps of a second at most.

    ``feet`` (L, 2, 2) and the standing height ``tall`` (L,) are both in px, or both in metres. A foot swings where its
    step or its lift moves it there nearly as fast as the body, or faster. Where no line can be drawn, as in the last
    swing, the places stay, with larger standard deviations.
    """
    body = _speed(time_s, np.where(np.isfinite(feet).all((1, 2))[:, None], feet.mean(1), np.nan), SMOOTH_S)
    limit = np.fmax(_STILL_SHARE * body, _STILL_LEN_S * tall)
    out, out_std = place.copy(), std.copy()
    for side in range(2):
        swings = np.nan_to_num(_speed(time_s, feet[:, side], _FOOT_S)) > limit
        stands = _lasting(time_s, np.isfinite(place[:, side, 0]) & ~swings)
        if stands.any():
            out[:, side], filled = repair.bridge(time_s, place[:, side], stands, LINK_S)
            out_std[:, side] = repair.bridge(time_s, std[:, side, None], stands, LINK_S)[0][:, 0]
            keep = ~stands & ~filled
            out[keep, side], out_std[keep, side] = place[keep, side], _SWING_STD * std[keep, side]
    return out, out_std


def _lasting(time_s: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """``stands (L,)`` without inner stretches shorter than `_STANCE_S`, such as those where a lifted foot turns."""
    edges = np.flatnonzero(np.diff(stands, prepend=False, append=False))
    out = stands.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if start > 0 and end < len(stands) and time_s[end] - time_s[start - 1] < _STANCE_S:
            out[start:end] = False
    return out


def _speed(time_s: np.ndarray, points: np.ndarray, sigma_s: float) -> np.ndarray:
    """(L,) speed of a point (L, 2) smoothed over ``sigma_s``; NaN where it is not known."""
    known, out = np.isfinite(points).all(1), np.full(len(points), np.nan)
    if known.any():
        slope = line_fits(time_s[known], points[known], np.ones(int(known.sum())), sigma_s)[1]
        out[known] = np.linalg.norm(slope, axis=1)
    return out
