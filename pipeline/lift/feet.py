"""Feet that stand do not slide: the body is moved a little, and the legs are bent a little, so that they hold still.

A foot stands while its ankle keeps its place in the picture and is not fast in space. This test needs a camera that
stands still. It holds for people who walk or stand on the ground, but not on a treadmill, whose belt carries the foot.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d

from pipeline.core.types import MEASURED, SWAPPED, Motion
from pipeline.motion.person import body_length

SIDES = ("left", "right")
FOOT = ("heel", "toe", "foot_index", "big_toe", "small_toe")
STILL_LEN_S, STILL_M_S = 0.2, 2.0  # an ankle slower than this in the picture (body lengths/s) and in space stands
LEAST_S = 0.1  # shortest time for which a foot stands
_CALM_S = 0.3  # standard deviation of the window over which the hips' path is averaged
_FINEST = 20  # points of a grid of even steps for each row, at most, however uneven those are
_OFF_M = 0.02  # standard deviation of standing feet about their place
_PUSH_M_S2 = 1.0  # standard deviation of the acceleration of the body's correction
_ACROSS_M, _ALONG = 0.005, 0.03  # the same of the correction across the line of sight, and along it as distance share
_LASTS_S = 0.5  # time over which the correction counts as one independent value
_MOST_MOVED = 0.06  # heights by which an ankle is moved at most against the hip
_EASE_S = 0.15  # time before and after the stand over which the correction of the leg fades


class Stand(NamedTuple):
    """One foot on the ground."""

    side: int  # 0 left, 1 right
    rows: slice


def held(
    joints: np.ndarray,
    motion: Motion,
    names: tuple[str, ...],
    height_m: float,
    up: np.ndarray,
    still: np.ndarray | None,
) -> np.ndarray:
    """Joints (L, J, 3) m in the camera's axes, named by ``motion.names_m``, with feet that do not slide.

    Args:
        names: (K,) of the keypoints.
        height_m: of the person.
        up: (3,) unit vector, the floor's normal in the camera's axes.
        still: (L,) whether the camera kept still from the row before to this one; None: it always did.
    """
    named = motion.names_m
    wanted = [f"{side}_{part}" for part in ("hip", "knee", "ankle") for side in SIDES]
    if not set(wanted) <= set(named) or len(joints) < 3:
        return joints
    hips, ankles = (joints[:, [named.index(w) for w in wanted[i : i + 2]]] for i in (0, 4))
    middle = hips.mean(1)
    stands = standing(motion, names, ankles - middle[:, None] + _calm(middle, motion)[:, None], still)
    if not stands:
        return joints
    moved = joints + steadied(ankles, middle, stands, motion.time_s)[:, None]
    return planted(moved, named, stands, motion.time_s, height_m, up)


def _calm(hips: np.ndarray, motion: Motion) -> np.ndarray:
    """The path of the hips (L, 3) without its jitter, which comes from the uncertain distance of small people."""
    out = np.full(hips.shape, np.nan)
    known = np.isfinite(hips).all(-1)
    apart = (np.diff(motion.frame) > 1) | (np.diff(motion.time_s) > 3 * _CALM_S)
    for rows in np.split(np.arange(len(hips)), np.flatnonzero(apart) + 1):
        mine = rows[known[rows]]
        if len(mine):
            out[rows] = _averaged(motion.time_s[rows], motion.time_s[mine], hips[mine])
    return out


def _averaged(time_s: np.ndarray, known_s: np.ndarray, path: np.ndarray) -> np.ndarray:
    """(n, 3) at times (n,) of a path (m, 3) known at times (m,), averaged over `_CALM_S`: on a grid of even steps."""
    if len(time_s) < 2:
        return path
    span = time_s[-1] - time_s[0]
    step = max(float(np.median(np.diff(time_s))), span / (_FINEST * len(time_s)))
    grid = time_s[0] + step * np.arange(round(span / step) + 1)
    even = np.stack([np.interp(grid, known_s, values) for values in path.T], 1)
    calm = gaussian_filter1d(even, max(_CALM_S / step, 0.1), axis=0, mode="nearest")
    return np.stack([np.interp(time_s, grid, values) for values in calm.T], 1)


def standing(motion: Motion, names: tuple[str, ...], ankles: np.ndarray, still: np.ndarray | None) -> list[Stand]:
    """When each foot stands; empty for a foot whose ankle the keypoints lack.

    Args:
        names: (K,) of the keypoints.
        ankles: (L, 2, 3) m, left and right, of a body that is placed before the camera without haste.
        still: (L,) whether the camera kept still from the row before to this one; None: it always did.
    """
    rate = 1 / np.maximum(np.diff(motion.time_s), 1e-3)
    joined = np.diff(motion.frame) == 1
    size = body_length(motion.box_px)
    out = []
    for i, side in enumerate(SIDES):
        if f"{side}_ankle" not in names:
            continue
        k = names.index(f"{side}_ankle")
        seen = np.isin(motion.provenance[:, k], (MEASURED, SWAPPED)) & np.isfinite(ankles[:, i]).all(-1)
        step = np.linalg.norm(np.diff(motion.keypoints_px[:, k], axis=0), axis=-1) * rate / size[1:]
        race = np.linalg.norm(np.diff(ankles[:, i], axis=0), axis=-1) * rate
        good = joined & seen[1:] & seen[:-1] & (step < STILL_LEN_S) & (race < STILL_M_S)
        if still is not None:
            good &= still[1:]
        edges = np.flatnonzero(np.diff(np.r_[False, good, False]))
        for first, last in edges.reshape(-1, 2):
            if motion.time_s[last] - motion.time_s[first] >= 0.99 * LEAST_S:
                out.append(Stand(i, slice(int(first), int(last) + 1)))
    return out


def steadied(ankles: np.ndarray, hips: np.ndarray, stands: list[Stand], time_s: np.ndarray) -> np.ndarray:
    """(L, 3) m by which the body is to be moved so that the ankles (L, 2, 3) that stand hold still.

    Each ankle is held at its mean place over the stand, so that no walk becomes longer or shorter. The correction is
    found by least squares: smooth in time, and small across the line of sight to the hips (L, 3). NaN where the hips
    are not known.
    """
    n = len(time_s)
    step = np.maximum(np.diff(time_s), 1e-3)
    known = np.isfinite(hips).all(-1)
    hips = np.where(known[:, None], hips, [0.0, 0.0, 1.0])
    # Blocks of 3 × 3 on the diagonal and the next two: a row with itself, with the next row, with the row after that.
    blocks, wanted = np.zeros((3, n, 3, 3)), np.zeros((n, 3))
    distance = np.linalg.norm(hips, axis=-1)
    along = hips / distance[:, None]
    project = along[:, :, None] * along[:, None, :]
    share = np.gradient(time_s)[:, None, None] / _LASTS_S if n > 1 else np.ones((1, 1, 1))
    blocks[0] += share * (np.eye(3) - project) / _ACROSS_M**2
    blocks[0] += share * project / (_ALONG * distance[:, None, None]) ** 2
    for side, rows in stands:
        weight = share[rows, 0, 0] * _LASTS_S / LEAST_S / _OFF_M**2
        blocks[0][rows] += weight[:, None, None] * np.eye(3)
        wanted[rows] += weight[:, None] * (_mean_place(ankles[rows, side], time_s[rows]) - ankles[rows, side])
    if n > 2:
        # The acceleration at each row except the ends, from the row's two steps, which need not be even.
        before, after = step[:-1], step[1:]
        both = (before + after) / 2
        factor = (1 / (before * both), -2 / (before * after), 1 / (after * both))
        push = both / (_PUSH_M_S2**2 * LEAST_S)
        for i in range(3):
            for j in range(i, 3):
                blocks[j - i][i : n - 2 + i] += (push * factor[i] * factor[j])[:, None, None] * np.eye(3)
    return solveh_banded(_banded(blocks), wanted.ravel(), lower=True).reshape(n, 3)


def _mean_place(places: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """(3,) mean over time of places (n, 3); each place counts until halfway to its neighbours."""
    if len(time_s) < 2:
        return places.mean(0)
    return np.average(places, axis=0, weights=np.maximum(np.gradient(time_s), 1e-6))


def _banded(blocks: np.ndarray) -> np.ndarray:
    """The lower bands (9, 3 n) of a symmetric matrix of 3 × 3 blocks (3, n, 3, 3)."""
    n = blocks.shape[1]
    bands = np.zeros((9, 3 * n))
    for away in range(3):
        for i in range(3):
            for j in range(3):
                down = 3 * away + i - j
                if down >= 0:
                    bands[down, j::3][: n - away] = blocks[away, : n - away, j, i]
    return bands


def planted(
    joints: np.ndarray,
    names: tuple[str, ...],
    stands: list[Stand],
    time_s: np.ndarray,
    height_m: float,
    up: np.ndarray,
) -> np.ndarray:
    """Joints (L, J, 3) in which each standing ankle stays over one place of the floor; feet move with their ankles.

    The leg is turned about the hip, and the ankle goes up or down a little (``up`` (3,) is the floor's normal), so that
    the knee's angle stays. The knee is bent only where turning is not enough. Thigh and shank keep their lengths. An
    ankle is moved by at most `_MOST_MOVED`.
    """
    out = joints.astype(np.float64)
    for i, side in enumerate(SIDES):
        hip, knee, ankle = (names.index(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        foot = [j for j, name in enumerate(names) if name in {f"{side}_{part}" for part in FOOT}]
        off = _offsets(out[:, ankle], [s.rows for s in stands if s.side == i], time_s)
        far = np.linalg.norm(off, axis=-1, keepdims=True)
        off *= np.minimum(1, _MOST_MOVED * height_m / np.maximum(far, 1e-9))
        rows = np.flatnonzero((off != 0).any(-1) & np.isfinite(out[:, [hip, knee, ankle]]).all((1, 2)))
        if not len(rows):
            continue
        leg = out[rows, hip], out[rows, knee], out[rows, ankle]
        bent, end = bent_leg(*leg, _level(leg[0], leg[2], leg[2] + off[rows], up))
        out[rows[:, None], foot] += (end - leg[2])[:, None]
        out[rows, knee], out[rows, ankle] = bent, end
    return out.astype(np.float32)


def _offsets(ankle: np.ndarray, stands: list[slice], time_s: np.ndarray) -> np.ndarray:
    """(L, 3) m from an ankle (L, 3) to the place where it stands; fades smoothly before and after the stand."""
    out = np.zeros(ankle.shape)
    for rows in stands:
        off = _mean_place(ankle[rows], time_s[rows]) - ankle[rows]
        for edge, part in ((0, slice(None, rows.start)), (-1, slice(rows.stop, None))):
            away = np.abs(time_s[part] - time_s[rows][edge]) / _EASE_S
            near = np.flatnonzero(away < 1)
            out[part][near] += (0.5 + 0.5 * np.cos(np.pi * away[near]))[:, None] * off[edge]
        out[rows] += off
    return out


def _level(hip: np.ndarray, ankle: np.ndarray, target: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Targets (n, 3) raised or lowered a little, so that they are as far from the hip as the ankle is, if possible."""
    reach = target - hip
    height = reach @ up
    rest = height**2 - np.square(reach).sum(-1) + np.square(ankle - hip).sum(-1)
    rise = -height + np.sign(height) * np.sqrt(np.maximum(rest, 0))
    most = np.linalg.norm(target - ankle, axis=-1)
    return target + np.clip(rise, -most, most)[:, None] * up


def bent_leg(hip: np.ndarray, knee: np.ndarray, ankle: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Knee and ankle, (n, 3) each, of a leg of the same lengths whose ankle is at the target, or as near as it reaches.

    The knee stays in the plane of hip, ankle and the knee as it was (two-bone inverse kinematics, law of cosines).
    """
    thigh, shank = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(ankle - knee, axis=-1)
    reach = target - hip
    long = np.linalg.norm(reach, axis=-1)
    far = np.clip(long, np.abs(thigh - shank) + 1e-6, (thigh + shank) * (1 - 1e-9))
    way = reach / np.maximum(long, 1e-9)[:, None]
    aside = knee - hip
    aside = aside - (aside * way).sum(-1, keepdims=True) * way
    size = np.linalg.norm(aside, axis=-1, keepdims=True)
    aside = aside / np.maximum(size, 1e-9)
    along = (thigh**2 + far**2 - shank**2) / (2 * far)
    height = np.sqrt(np.maximum(thigh**2 - along**2, 0))
    return hip + along[:, None] * way + height[:, None] * aside, hip + far[:, None] * way
