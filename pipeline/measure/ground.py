"""People on the floor: where they stand on it in metres, how far and how fast they go.

A person stands between their two feet. A foot that swings is lifted, and
would seem far away; it is therefore taken to go straight from where it stood to where it stands next.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.settings import ASSUMED_HEIGHT_M, Ground
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure.floor import floor_of
from pipeline.measure.scale import LINK_S, SMOOTH_S, line_fits, path, running_px
from pipeline.measure.stance import feet_px
from pipeline.motion import repair

GROUND_COLUMNS = ("ground_x_m", "ground_y_m", "ground_speed_m_s", "ground_distance_m")
_FOOT_S = 0.08  # deviation of the Gaussian under which a foot's speed is taken
_MOST_STD_M = 1.0  # near the horizon: places less certain than this are not known
_STILL_SHARE = 0.6  # a foot stands that is slower than so much of the body's speed,
_STILL_LEN_S = 0.15  # or than so many standing heights / s,
_STANCE_S = 0.2  # for so long at least
_SWING_STD = 5.0  # a swinging foot's place is so much less certain


def ground_columns(
    motion: Motion,
    skeleton: Skeleton,
    ground: Ground,
    size_px: tuple[int, int] | None = None,
    height_m: float | None = None,
) -> dict[str, np.ndarray]:
    """`GROUND_COLUMNS` of a person, (L,) f32 each: place, speed and way so far on the floor, as `path` has them.

    NaN where no foot is seen, where both are cut off at the lower border, and near the horizon, where a place would be
    uncertain by more than 1 m.

    Args:
        size_px: (w, h) of the video; None: feet are not checked for being cut off.
        height_m: the person's height; ankles are .039 of it above the floor.
    """
    place, std = _places(motion, skeleton, ground, size_px, height_m or ASSUMED_HEIGHT_M)
    smooth, speed, distance = path(motion.time_s, place, std)
    values = (smooth[:, 0], smooth[:, 1], speed, distance)
    return {name: v.astype(np.float32) for name, v in zip(GROUND_COLUMNS, values, strict=True)}


def _places(
    motion: Motion, skeleton: Skeleton, ground: Ground, size_px: tuple[int, int] | None, height_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where a person stands (L, 2) in m, between the feet, and its standard deviation (L,)."""
    feet, std_px, lift = feet_px(motion, skeleton, size_px)
    tall_px = np.nan_to_num(running_px(motion, skeleton))
    place, std = np.full((len(motion), 2, 2), np.nan), np.full((len(motion), 2), np.nan)
    for side in range(2):
        px = feet[:, side]
        if ground.camera is None:  # what is above the floor is seen above it in the picture
            floor, px = floor_of(ground), px + np.stack([0 * tall_px, lift[side] * tall_px], 1)
        else:
            floor = floor_of(ground, float(lift[side]) * height_m)
        uncertain = floor.m_per_px(px) * std_px[:, side]
        good = uncertain <= _MOST_STD_M
        place[good, side], std[good, side] = floor.to_m(px[good]), uncertain[good]
    place, std = _without_swing(motion.time_s, place, std, feet, tall_px)
    one = np.isfinite(place[..., 0])
    both = one.all(1)
    first, rows = np.argmax(one, 1), np.arange(len(place))
    return (
        np.where(both[:, None], place.mean(1), place[rows, first]),
        np.where(both, np.sqrt(np.square(std).mean(1) / 2), std[rows, first]),
    )


def _without_swing(
    time_s: np.ndarray, place: np.ndarray, std: np.ndarray, feet: np.ndarray, tall_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the feet (L, 2, 2) and deviations (L, 2) with lines across swings and gaps of a second at most.

    A foot swings where it moves in the picture, by its step or by being lifted, nearly as fast as the body or faster.
    Where no line can be drawn, as in the last swing, the places stay, with larger deviations.
    """
    body = _speed(time_s, np.where(np.isfinite(feet).all((1, 2))[:, None], feet.mean(1), np.nan), SMOOTH_S)
    limit = np.fmax(_STILL_SHARE * body, _STILL_LEN_S * tall_px)
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
    """``stands (L,)`` without stretches shorter than a step between others, as where a lifted foot turns."""
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
