"""Which joints lie on somebody else's: a network puts a hidden limb on the limb of whoever stands before it.

A frame alone tells only where that may be so: hands are held, and feet pass each other in the picture. So this file
measures, from the observations of whole frames, and `pipeline.motion.foreign` decides, along each person's path.

N observations of people in frames, P pairs of them, K keypoints, px.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Observations
from pipeline.motion.limbs import Limb, limbs_of

FAR = 0.3  # body lengths between two people's joints from which nothing is said
_ELSEWHERE = 0.12  # body lengths between the joints before: the two limbs come from different places
# By which the other's score is higher, chosen by us: a network is less sure of a hidden joint than of the one it takes.
_SURER = 0.05
_SEEN = 0.3  # score from which the other's joint counts


def claims(obs: Observations, skeleton: Skeleton, rows: np.ndarray | None = None) -> np.ndarray | None:
    """(N, K) f16 body lengths from each point to the same point, of either side, of another person in the frame.

    ∞ where there is none nearer than `FAR` whose limb comes from elsewhere and whose score is higher, and for points
    that are not of arms or legs. None where nothing is nearer. Rows depend on the other rows of their frame alone.

    Args:
        rows: (n,) those wanted; the result then has n rows. None: all.
    """
    out: np.ndarray | None = None
    size = np.maximum(obs.box_px[:, 2] - obs.box_px[:, 0], obs.box_px[:, 3] - obs.box_px[:, 1])
    limbs = limbs_of(skeleton)
    mine = np.ones(len(obs), bool)
    if rows is not None:
        mine[:] = False
        mine[rows] = True
    for a, b in _pairs(obs.frame, obs.box_px, mine):
        out = np.full(obs.keypoint_score.shape, np.inf, np.float16) if out is None else out
        for one, other in ((a[mine[a]], b[mine[a]]), (b[mine[b]], a[mine[b]])):
            least = np.maximum(np.minimum(size[one], size[other]), 1.0)
            for limb in limbs:
                for its in (x for x in limbs if x.leg == limb.leg and len(x.beyond) == len(limb.beyond)):
                    _measure(out, obs, (one, other), least, (limb, its))
    out = out if out is None or rows is None else out[rows]
    return out if out is not None and np.isfinite(out).any() else None


def joined(near: list[np.ndarray | None], parts: list[Observations]) -> np.ndarray | None:
    """The claims ``near`` on the rows of all ``parts``, None where there are none."""
    if all(one is None for one in near):
        return None
    return np.concatenate(
        [
            np.full(part.keypoint_score.shape, np.inf, np.float16) if one is None else one
            for one, part in zip(near, parts, strict=True)
        ]
    )


def _measure(
    out: np.ndarray,
    obs: Observations,
    rows: tuple[np.ndarray, np.ndarray],
    size_px: np.ndarray,
    limbs: tuple[Limb, Limb],
) -> None:
    """Lower the distances of the first rows' limb to what they are from the other rows' limb, in place."""
    (one, other), (mine, its) = rows, limbs
    points = (mine.root, mine.middle, mine.end, *mine.beyond), (its.root, its.middle, its.end, *its.beyond)
    gap = obs.keypoints_px[one][:, points[0]] - obs.keypoints_px[other][:, points[1]]
    apart = np.sqrt(np.square(gap).sum(2)) / size_px[:, None]
    theirs = obs.keypoint_score[other][:, points[1]]
    surer = theirs - obs.keypoint_score[one][:, points[0]] > _SURER
    elsewhere = apart[:, :2] > _ELSEWHERE  # the root, and the middle joint
    from_there = np.repeat(elsewhere.any(1)[:, None], len(points[0]), 1)
    from_there[:, 1] = elsewhere[:, 0]
    told = from_there & surer & (theirs >= _SEEN) & (apart < FAR)
    found = np.where(told, apart, np.inf).astype(np.float16)[:, 1:]
    at = np.ix_(one, np.array(points[0][1:]))
    out[at] = np.minimum(out[at], found)


def _pairs(frame: np.ndarray, box_px: np.ndarray, mine: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows of one frame whose boxes meet, one of them ``mine (N,)``, as arrays in which no row comes twice."""
    out, step = [], 1
    while step < len(frame):
        same = frame[step:] == frame[:-step]
        if not same.any():
            break
        a = np.flatnonzero(same & (mine[step:] | mine[:-step]))
        b = a + step
        low, high = np.maximum(box_px[a, :2], box_px[b, :2]), np.minimum(box_px[a, 2:], box_px[b, 2:])
        meet = (high > low).all(1)
        if meet.any():
            out.append((a[meet], b[meet]))
        step += 1
    return out
