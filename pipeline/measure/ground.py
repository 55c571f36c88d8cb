"""The floor: where people stand on it in metres, how far and how fast they go, and how long they are in which zone.

A floor maps undistorted picture coordinates to metres by a homography (Hartley and Zisserman 2004, ch. 4 and 8.1.1),
from point pairs or from a calibrated camera. A person stands between their two feet. A foot that swings is lifted, and
would seem far away; it is therefore taken to go straight from where it stood to where it stands next.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import least_squares

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure.ground_file import ASSUMED_HEIGHT_M, Camera, Ground, zone_column
from pipeline.measure.scale import ANKLE, LINK_S, SMOOTH_S, line_fits, of_way, path, row_seconds, running_px
from pipeline.motion import repair

GROUND_COLUMNS = ("ground_x_m", "ground_y_m", "ground_speed_m_s", "ground_distance_m")
# Lower bounds in m/s, 7.2, 14.4, 19.8 and 25.2 km/h: Bradley et al. 2009, J. Sports Sci. 27(2):159–168, whose standing
# (below 0.7 km/h) is part of walking here.
SPEED_ZONES = {"walking": 0.0, "jogging": 2.0, "running": 4.0, "high_speed_running": 5.5, "sprinting": 7.0}
_FOOT_S = 0.08  # deviation of the Gaussian under which a foot's speed is taken
_FLAT = 2e-3  # smallest singular value over the largest, of point pairs, below which they lie on a line
_MOST_STD_M = 1.0  # near the horizon: places less certain than this are not known
# Heel and toe points above the floor, in standing heights: RTMPose-s has .013 in sandals, .035 in shoes under trousers.
_SOLE = 0.02
_FEET = (("heel", "big_toe"), ("heel", "foot_index"), ("heel", "toe"), ("ankle",))  # what a foot is, best first
_BORDER = 0.005  # of the picture's height: foot points so near its lower border may be cut off
_STILL_SHARE = 0.6  # a foot stands that is slower than so much of the body's speed,
_STILL_LEN_S = 0.15  # or than so many standing heights / s,
_STANCE_S = 0.2  # for so long at least
_SWING_STD = 5.0  # a swinging foot's place is so much less certain
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-10)


@dataclass(frozen=True)
class Floor:
    """A level at some height above the floor, as a camera sees it. Picture coordinates are px, pixel centres at .5."""

    to_plane: np.ndarray  # (3, 3) undistorted picture coordinates to metres; the third is positive below the horizon
    camera: Camera | None = None  # its lens; None: px are undistorted as they are

    def to_m(self, px: np.ndarray) -> np.ndarray:
        """Places (…, 2) in metres of points (…, 2) in px; NaN at and above the horizon."""
        q = _homogeneous(self._seen(px)) @ self.to_plane.T
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(q[..., 2:] > 0, q[..., :2] / q[..., 2:], np.nan)

    def to_px(self, m: np.ndarray) -> np.ndarray:
        """Points (…, 2) in px of places (…, 2) in metres; NaN behind the camera."""
        q = _homogeneous(np.asarray(m, np.float64)) @ np.linalg.inv(self.to_plane).T
        with np.errstate(divide="ignore", invalid="ignore"):
            seen = np.where(q[..., 2:] > 0, q[..., :2] / q[..., 2:], np.nan)
        return seen if self.camera is None else _distorted(self.camera, seen)

    def m_per_px(self, px: np.ndarray) -> np.ndarray:
        """(…) how far a place moves at most when its point moves by 1 px; NaN above the horizon.

        The largest singular value of the derivative, by differences of half a px.
        """
        px = np.asarray(px, np.float64)
        steps = [self.to_m(px + half) - self.to_m(px - half) for half in np.diag([0.5, 0.5])]
        a, b = (np.square(s).sum(-1) for s in steps)
        ab = (steps[0] * steps[1]).sum(-1)
        return np.sqrt((a + b + np.sqrt(np.square(a - b) + 4 * ab**2)) / 2)

    def _seen(self, px: np.ndarray) -> np.ndarray:
        px = np.asarray(px, np.float64)
        return px if self.camera is None else undistorted(self.camera, px)


def floor_of(ground: Ground, height_m: float = 0.0) -> Floor:
    """The level ``height_m`` above the floor, which takes a camera: point pairs know the floor only.

    Raises:
        ValueError: the point pairs fix no plane.
    """
    if ground.camera is None:
        return Floor(_fitted(np.array(ground.image_px, np.float64), np.array(ground.plane_m, np.float64)))
    r = cv2.Rodrigues(np.array(ground.camera.rotation, np.float64))[0]
    t = np.array(ground.camera.translation_m, np.float64)
    return Floor(np.linalg.inv(np.stack([r[:, 0], r[:, 1], t + height_m * r[:, 2]], 1)), ground.camera)


def fit_error_px(ground: Ground) -> np.ndarray:
    """(N,) distance in px of each point from where its place on the plane is seen; ValueError as `floor_of`."""
    return np.linalg.norm(floor_of(ground).to_px(np.array(ground.plane_m)) - np.array(ground.image_px), axis=1)


def camera_height_m(camera: Camera) -> float:
    """How high a camera is above the floor; negative where its world's z points down."""
    r = cv2.Rodrigues(np.array(camera.rotation, np.float64))[0]
    return float(-(r.T @ np.array(camera.translation_m))[2])


def _fitted(px: np.ndarray, m: np.ndarray) -> np.ndarray:
    """(3, 3) homography from px (N, 2) to metres (N, 2): normalised direct linear transform, then least px errors."""
    (a, scale_a), (b, scale_b) = _normal(px), _normal(m)
    ones, zeros = _homogeneous(b), np.zeros((len(b), 3))
    rows = np.concatenate([np.hstack([ones, zeros, -a[:, :1] * ones]), np.hstack([zeros, ones, -a[:, 1:] * ones])])
    _, singular, v = np.linalg.svd(rows)
    if singular[7] < _FLAT * singular[0]:
        raise ValueError("the points fix no plane, since too many of them lie on a line or at one place")
    h = v[-1].reshape(3, 3)

    def seen(h: np.ndarray) -> np.ndarray:
        q = ones @ h.reshape(3, 3).T
        return q[:, :2] / q[:, 2:]

    def errors(h: np.ndarray) -> np.ndarray:
        return (seen(h) - a).ravel()

    if len(px) > 4:
        h = least_squares(errors, h.ravel(), method="trf", xtol=1e-14).x.reshape(3, 3)
    depth = ones @ h[2]
    if depth.min() * depth.max() <= 0:
        raise ValueError("the points lie on both sides of the horizon, so that some px and m are not of one another")
    return np.linalg.inv(scale_b) @ np.linalg.inv(h * np.sign(depth[0])) @ scale_a


def _normal(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) moved and scaled to mean 0 and mean square 2, and the (3, 3) that does it."""
    mean, size = points.mean(0), max(float(points.std()), 1e-12)
    return (points - mean) / size, np.array([[1 / size, 0, -mean[0] / size], [0, 1 / size, -mean[1] / size], [0, 0, 1]])


def _homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones_like(points[..., :1])], -1)


def undistorted(camera: Camera, px: np.ndarray) -> np.ndarray:
    """Points (…, 2) in px to x/z and y/z; OpenCV's pixel centres are whole numbers. NaN stays NaN."""
    flat = px.reshape(-1, 1, 2) - 0.5
    known = np.isfinite(flat).all((1, 2))
    out = np.full((len(flat), 2), np.nan)
    if known.any():
        undistort = cv2.fisheye.undistortPoints if camera.fisheye else cv2.undistortPoints
        lens = np.array(camera.distortions or (0.0,) * 4)
        out[known] = undistort(flat[known], np.array(camera.matrix), lens, criteria=_CRITERIA)[:, 0]
    return out.reshape(px.shape)


def _distorted(camera: Camera, seen: np.ndarray) -> np.ndarray:
    """x/z and y/z (…, 2) to px; NaN stays NaN."""
    flat = seen.reshape(-1, 1, 2)
    known = np.isfinite(flat).all((1, 2))
    out = np.full((len(flat), 2), np.nan)
    if known.any():
        lens, matrix = np.array(camera.distortions or (0.0,) * 4), np.array(camera.matrix)
        if camera.fisheye:
            out[known] = cv2.fisheye.distortPoints(flat[known], matrix, lens)[:, 0]
        else:
            rays = _homogeneous(flat[known])
            out[known] = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), matrix, lens)[0][:, 0]
    return out.reshape(seen.shape) + 0.5


# --- people on it ----------------------------------------------------------------------------------------------------


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


def feet_px(
    motion: Motion, skeleton: Skeleton, size_px: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left and right foot: points (L, 2, 2) px f64, deviation per axis (L, 2) px, height (2,) of the standing height.

    The middle of heel and toe where the keypoints have them, else the ankle. NaN where not seen or cut off below.
    """
    points, var = motion.keypoints_px.astype(np.float64), np.square(motion.keypoint_std_px.astype(np.float64))
    feet, feet_var = np.full((len(motion), 2, 2), np.nan), np.full((len(motion), 2), np.nan)
    lift = np.full(2, ANKLE)
    most = np.inf if size_px is None else size_px[1] * (1 - _BORDER)
    for side, name in enumerate(("left", "right")):
        best = 0
        for parts in _FEET:
            ids = [skeleton.names.index(f"{name}_{p}") for p in parts if f"{name}_{p}" in skeleton.names]
            seen = np.all(np.isfinite(points[:, ids, 0]) & (points[:, ids, 1] <= most), axis=1)
            if len(ids) == len(parts) and seen.sum() > 2 * best:  # ankles must be seen twice as often as heel and toe
                best, lift[side] = int(seen.sum()), _SOLE if len(parts) > 1 else ANKLE
                feet[:, side] = np.where(seen[:, None], points[:, ids].mean(1), np.nan)
                feet_var[:, side] = np.where(seen, var[:, ids].mean(1) / len(ids), np.nan)
    return feet, np.sqrt(feet_var), lift


def stand_px(motion: Motion, skeleton: Skeleton, size_px: tuple[int, int] | None = None) -> np.ndarray:
    """(L, 2) f64 px where a person stands in the picture: the middle of the feet, lowered to the floor; NaN unknown."""
    feet, _, lift = feet_px(motion, skeleton, size_px)
    feet[..., 1] += lift * np.nan_to_num(running_px(motion, skeleton))[:, None]
    known = np.isfinite(feet)
    count = known.sum(1)
    return np.where(count > 0, np.where(known, feet, 0).sum(1) / np.maximum(count, 1), np.nan)


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


# --- how long ---------------------------------------------------------------------------------------------------------


def zone_times(columns: dict[str, np.ndarray], time_s: np.ndarray, ground: Ground | None = None) -> dict[str, float]:
    """Seconds in each speed zone (``walking_s`` …) and in each polygon of the ground file (``zone_NAME_s``).

    ``columns`` are those of `ground_columns`, or of `path_columns`, which know speed zones only.
    """
    speed = of_way(columns, "speed_m_s")
    spent = row_seconds(time_s, np.isfinite(speed))
    number = np.digitize(np.nan_to_num(speed), list(SPEED_ZONES.values())) - 1
    out = {f"{name}_s": float(spent[number == i].sum()) for i, name in enumerate(SPEED_ZONES)}
    if "ground_x_m" in columns:
        place = np.stack([columns["ground_x_m"], columns["ground_y_m"]], 1).astype(np.float64)
        for name, polygon in (ground.zones if ground else {}).items():
            out[zone_column(name)] = float(spent[inside(place, np.array(polygon))].sum())
    return out


def inside(place: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """(L,) whether places (L, 2) lie in a polygon (N, 2), by the number of edges to their right; NaN is outside."""
    x, y = place.T
    out = np.zeros(len(place), bool)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        if y1 != y2:
            out ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return out
