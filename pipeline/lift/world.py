"""One world for all people: z up, the floor at z = 0, its origin under the camera, y away from it, x to the right.

With a calibrated camera (``--ground``) the world is that of the calibration. Else the floor is fitted to the places
where the feet of all people stand over the whole video. People's trunks also tell which way is up, since feet that keep
to one place or to one line do not determine it.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.rows import blocks
from pipeline.core.settings import ASSUMED_HEIGHT_M, Calibration
from pipeline.lift.doubt import DISTANCE, FLOOR_M, HEIGHTS, trust_in_floor

ANKLE = 0.039  # height of the ankle's centre, as a share of a person's (Winter 2009)
_FLESH = 0.05  # of a joint's centre above the floor on which it rests, as a share of the height: a hip's 8 cm
_ANKLES = ("left_ankle", "right_ankle")
_SIDES = ("left", "right")
_RESTING = (*(f"{s}_{p}" for p in ("wrist", "elbow", "shoulder", "hip", "knee") for s in _SIDES), "head_top")
CAMERAS_UP = np.array([0.0, -1.0, 0.0])
_ROLLED_DEG, _LOOKS_UP_DEG, _LEAST_UPRIGHT = 45.0, 45.0, 0.2  # see `upright`; share of the rows that tells the way up
_WINDOW_S = 0.5  # time within which at least one foot stands
_LOW = 4  # the ankle stands at the height below which it is in a quarter of the window: the lowest is low by chance
_STAND_M = 0.1  # scatter of a usual person's standing feet about the floor, few of which are independent
_TILT = np.tan(np.radians(5.0))  # how far the mean trunk may be off the vertical
_LEAST_STANDS = 4
_MOST_OFF = 3  # standard deviations of people's heights beyond which a height is not believed

_STEADY_S = 0.7  # standard deviation of the window in which stands count
_FAR, _REACH_S, _BLOCK = 1e-12, 8 * _STEADY_S, 256  # weight of stands more than _REACH_S from a block of rows


class World(NamedTuple):
    """The world's axes and origin: world = turn @ camera + shift."""

    turn: np.ndarray  # (3, 3)
    shift_m: np.ndarray  # (3,)

    def of(self, places: np.ndarray) -> np.ndarray:
        """Places (..., 3) f32 m in the world, from places in the camera's axes."""
        out = np.empty(places.shape, np.float32)
        for rows in blocks(len(places)):
            out[rows] = places[rows] @ self.turn.T + self.shift_m
        return out


class Stands(NamedTuple):
    """The evidence of one person about the floor."""

    feet_m: np.ndarray  # (n, 3) places of ankles that stand, lowered to the floor along the camera's y by ANKLE
    row: np.ndarray  # (n,) of the motion
    up: np.ndarray  # (3,) sum of unit vectors along the trunk in upright rows; 0 where there are too few
    height_m: float = ASSUMED_HEIGHT_M  # of the person; errors of feet are a share of it


def of_camera(camera: Calibration) -> World:
    """The world of a calibrated camera."""
    turn = cv2.Rodrigues(np.array(camera.rotation, np.float64))[0].T
    return World(turn, -turn @ np.array(camera.translation_m))


def stands(
    joints: np.ndarray,
    names: tuple[str, ...],
    time_s: np.ndarray,
    height_m: float | None,
    up: np.ndarray | None = None,
) -> Stands:
    """Stands from joints (L, J, 3) in the camera's axes: each window tells the lower ankle in a low row (`_LOW`).

    In rows in which the trunk is not upright, in somebody who lies or stands on the hands, any joint may be the lowest.

    Args:
        up: (3,) the way up, if it is known; else that of the trunk in upright rows, or the camera's.
    """
    at, tall = {name: joints[:, j].astype(np.float64) for j, name in enumerate(names)}, height_m or ASSUMED_HEIGHT_M
    trunk = at.get("neck_joint", at["neck"]) - (at["left_hip"] + at["right_hip"]) / 2
    erect = upright(trunk)
    if erect.sum() < _LEAST_UPRIGHT * np.isfinite(trunk).all(1).sum():
        erect[:] = False
    told = (trunk[erect] / np.linalg.norm(trunk[erect], axis=1, keepdims=True)).sum(0)
    if not {"left_ankle", "right_ankle"} <= set(names) or not np.isfinite(trunk).any():
        return Stands(np.zeros((0, 3)), np.zeros(0, int), told, tall)
    along = (told / np.linalg.norm(told) if told.any() else CAMERAS_UP) if up is None else up
    low = np.stack([at[name] for name in (*_ANKLES, *_RESTING) if name in at], 1)  # (L, N, 3)
    depth = np.where(np.isfinite(low).all(-1), -(low @ along), -np.inf)
    depth[erect, len(_ANKLES) :] = -np.inf
    rows = np.arange(len(low))
    which = np.argmax(depth, 1)
    foot, depth = low[rows, which], depth[rows, which]
    window = ((time_s - time_s[0]) / _WINDOW_S).astype(int)
    order = np.lexsort((-depth, window))
    first = np.flatnonzero(np.r_[True, np.diff(window[order]) > 0])
    known = np.add.reduceat(np.isfinite(depth[order]).astype(int), first)
    first = order[first + np.maximum(known - 1, 0) // _LOW]
    first = first[np.isfinite(depth[first])]
    above = np.where(which[first] < len(_ANKLES), ANKLE, _FLESH) * tall
    return Stands(foot[first] - above[:, None] * along, first, told, tall)


def upright(trunk: np.ndarray) -> np.ndarray:
    """(L,) bool: whether trunks (L, 3), from hips to neck in the camera's axes, may be of people who stand.

    The camera may look down by 90° and up by `_LOOKS_UP_DEG`, and be rolled by `_ROLLED_DEG` with what the trunk leans.
    """
    with np.errstate(invalid="ignore"):
        across = np.abs(trunk[:, 0]) <= np.sin(np.radians(_ROLLED_DEG)) * np.linalg.norm(trunk, axis=1)
        pitch = np.degrees(np.arctan2(-trunk[:, 2], -trunk[:, 1]))
        return across & (pitch > -_LOOKS_UP_DEG) & (pitch < 90 + _LOOKS_UP_DEG)


def size_on_floor(person: Stands, world: World) -> float | None:
    """Factor on the size and distance of a person of unknown height that brings the feet to the floor.

    None where no height that people have does so: then the person stands on something else, or the floor is wrong.

    The factor is the most probable one, given that people's heights vary by `HEIGHTS` and the feet's heights are off by
    `FLOOR_M`. The lower the camera is above the floor, the nearer the factor is to 1.
    """
    if not len(person.feet_m):
        return 1.0
    below = -float(np.median(person.feet_m @ world.turn[2]))  # of the feet under the camera, as high as that should be
    above = float(world.shift_m[2])
    if min(above, below) < FLOOR_M:
        return 1.0
    trust = trust_in_floor(HEIGHTS, above)
    off = trust * (above / below - 1)
    return float(1 + off) if abs(off) < _MOST_OFF * HEIGHTS else None


def on_floor(hips: np.ndarray, person: Stands, time_s: np.ndarray, world: World) -> np.ndarray:
    """(L, 3) m by which a person with ``hips`` (L, 3) is to be moved to stand on the floor.

    The distance from the body's size has an error of `DISTANCE`, which differs from second to second. The distance at
    which the feet stand on the floor is the better estimate, the more so the higher the camera is: the person is moved
    along the line of sight. What is then left comes from small errors of the feet and of the floor: up to `FLOOR_M` of
    a usual person, it is taken out along the floor's normal.
    """
    below, above = -(person.feet_m @ world.turn[2]), float(world.shift_m[2])
    good = (below > FLOOR_M) & (above > FLOOR_M)
    if not good.any():
        return np.zeros_like(hips)
    at, size = time_s[person.row[good]], person.height_m / ASSUMED_HEIGHT_M
    trust = trust_in_floor(DISTANCE, above / size)
    off = np.clip(trust * (above / below[good] - 1), -3 * DISTANCE, 3 * DISTANCE)
    along = hips * _near_mean(time_s, at, off)[:, None].astype(np.float32)
    left = np.nan_to_num(above - below[good] + along[person.row[good]] @ world.turn[2])
    lower = _near_mean(time_s, at, np.clip(left, -FLOOR_M * size, FLOOR_M * size))
    return along - (lower[:, None] * world.turn[2]).astype(np.float32)


def _near_mean(time_s: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(L,) mean of ``values`` (n,) at the rising times ``at`` (n,), weighted by how near each is to ``time_s`` (L,).

    Values far away weigh next to nothing, but count where no value is near. Rows are worked on in blocks, for long
    videos.
    """
    out = np.empty(len(time_s))
    for low in range(0, len(time_s), _BLOCK):
        times = time_s[low : low + _BLOCK]
        some = slice(*np.searchsorted(at, [times[0] - _REACH_S, times[-1] + _REACH_S]))
        near = np.exp(-0.5 * np.square((times[:, None] - at[some]) / _STEADY_S))
        total = near.sum(1) + _FAR * len(at)
        out[low : low + _BLOCK] = (near @ values[some] + _FAR * values.sum()) / total
    return out


def fitted(people: list[Stands]) -> World | None:
    """The world whose floor lies nearest to the standing feet; None where too few were seen.

    Least squares of the feet's heights over a plane, with Cauchy weights, and the people's trunks as a prior on up.
    People who are never upright tell neither; if nobody ever is, the camera's up is the prior.
    """
    erect = [p for p in people if p.up.any()]
    people = erect or [p._replace(up=CAMERAS_UP) for p in people]
    feet = np.concatenate([p.feet_m for p in people]) if people else np.zeros((0, 3))
    scatter = [np.full(len(p.feet_m), _STAND_M * p.height_m / ASSUMED_HEIGHT_M) for p in people]
    stand_m = np.concatenate(scatter) if people else np.zeros(0)
    up = np.sum([p.up for p in people], axis=0) if people else np.zeros(3)
    if len(feet) < _LEAST_STANDS or np.linalg.norm(up) == 0:
        return None
    up = up / np.linalg.norm(up)
    right = np.cross(np.array([0, 0, 1.0]), up)
    if np.linalg.norm(right) < 0.05:  # a camera that looks straight down
        right = np.array([1.0, 0, 0])
    right = -right / np.linalg.norm(right)
    forward = np.cross(up, right)
    middle = np.median(feet, 0)
    a = np.stack([(feet - middle) @ right, (feet - middle) @ forward, np.ones(len(feet))], 1)
    height = (feet - middle) @ up
    weight, prior = np.ones(len(feet)), np.diag([1 / _TILT**2, 1 / _TILT**2, 0])
    slope = np.zeros(3)
    for _ in range(30):
        sure = weight / stand_m**2
        slope = np.linalg.solve(a.T @ (sure[:, None] * a) + prior, a.T @ (sure * height))
        weight = 1 / (1 + np.square((height - a @ slope) / stand_m))
    normal = up - slope[0] * right - slope[1] * forward
    normal /= np.linalg.norm(normal)
    across = np.array([1.0, 0, 0]) - normal[0] * normal
    across /= np.linalg.norm(across)
    turn = np.stack([across, np.cross(normal, across), normal])
    floor = float(normal @ (middle + slope[2] * up))
    return World(turn, np.array([0, 0, -floor]))
