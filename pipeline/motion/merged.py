"""Both limbs of a pair, or points of both feet, put on one of them by the network: what is not there is not measured.

L rows of one person, K keypoints, px and seconds.
"""

from __future__ import annotations

import numpy as np

_TOGETHER = 0.08  # body lengths between left and right up to which they may be one
_ON_ONE = 0.04  # and that if one passes the other meanwhile: RTMPose-s's noise is then a third of it
_LEAVES = 0.25  # of the way that one goes past the other, and as far as _TOGETHER, it is off its way: ways are curved
_APART = 0.16  # body lengths between them just before and after
_LONGEST_S = 0.3  # longer than that it may be true
_STRAYS = 1.5  # usual lengths from the ankle to a point of the foot beyond which it may be the other foot's
# And body lengths: RTMPose-s on walkers, 97 of 100 heels and toes are nearer than .063 and .136.
FOOT = {"heel": 0.07, "toe": 0.14}
_ONE = 0.5  # the limb that is there is at most so far from its way as the other one: else both of them moved


def merged(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    pairs: list[tuple[int, int]],
    passing: bool = False,
) -> np.ndarray:
    """(L, K) bool measurements that are the other side's: left and right jump together, and apart again as they were.

    Who brings the feet together, or lets one pass the other, does so gradually, or comes out on the other side.

    Args:
        time_s: (L,) rising.
        keypoints_px, measured: (L, K, 2) and (L, K) bool, exchanges undone.
        size_px: (L,) body length.
        pairs: (left, right) of the joints looked at.
        passing: look for limbs that pass each other meanwhile, one of which then leaves its way to be on the other.
    """
    out = np.zeros(measured.shape, bool)
    for pair in pairs:
        both = np.flatnonzero(measured[:, pair].all(1))
        point, t, size = keypoints_px[both][:, pair], time_s[both], size_px[both]
        for begin, end in _runs(t, (point[:, 0] - point[:, 1]) / size[:, None], passing):
            a, b = begin - 1, end
            u = ((t[begin:end] - t[a]) / (t[b] - t[a]))[:, None, None]
            way = (1 - u) * point[a] + u * point[b]  # (rows, 2, 2) of both limbs, had they been seen
            off = np.linalg.norm(point[begin:end] - way, axis=2).mean(0) / size[begin]
            apart = np.linalg.norm(way[:, 0] - way[:, 1], axis=1).min() / size[begin]
            passes = np.linalg.norm(np.diff(point[b] - point[a], axis=0)) / size[begin]
            told = off.max() > max(_TOGETHER, _LEAVES * passes) if passing else apart >= _APART
            if told and off.min() <= _ONE * off.max():
                out[both[begin:end], pair[int(np.argmax(off))]] = True
    return out


def _runs(time_s: np.ndarray, apart: np.ndarray, passing: bool) -> np.ndarray:
    """(R, 2) begins and ends of short runs of rows together; ``apart (n, 2)`` body lengths turns over them, or not."""
    together, least, ends = (_ON_ONE, _TOGETHER, np.maximum) if passing else (_TOGETHER, _APART, np.minimum)
    square = (apart * apart).sum(1)
    near = square < together**2
    run = np.flatnonzero(np.diff(near, prepend=False, append=False)).reshape(-1, 2)
    run = run[(run[:, 0] > 0) & (run[:, 1] < len(near))]
    before, after = run[:, 0] - 1, run[:, 1]
    short = time_s[after] - time_s[before] <= _LONGEST_S
    away = ends(square[before], square[after]) > least**2
    turned = (apart[before] * apart[after]).sum(1) <= 0
    return run[short & away & (turned == passing)]


def strayed(
    keypoints_px: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    ankles: tuple[int, int],
    feet: list[tuple[int, int]],
    longest: float,
) -> np.ndarray:
    """(L, K) bool measurements of points of a foot that lie on the other: too far from their ankle, not from that one.

    Args:
        keypoints_px, measured: (L, K, 2) and (L, K) bool, exchanges undone.
        size_px: (L,) body length.
        ankles, feet: (left, right).
        longest: body lengths from the ankle to these points at least allowed, see ``FOOT``.
    """
    out = np.zeros(measured.shape, bool)
    for pair in feet:
        known = measured[:, [*pair, *ankles]].all(1)
        point, ankle = keypoints_px[known][:, pair], keypoints_px[known][:, ankles]
        own, other = (np.linalg.norm(point - end, axis=2) / size_px[known, None] for end in (ankle, ankle[:, ::-1]))
        if len(own):
            far = max(_STRAYS * float(np.median(own)), longest)
            out[np.ix_(known, np.array(pair))] = (own > far) & (other < far)
    return out
