"""Where the network puts both limbs of a pair, or points of both feet, on one limb: the wrong ones count as unmeasured.

L rows of one person, K keypoints, px and seconds.
"""

from __future__ import annotations

import numpy as np

_TOGETHER = 0.08  # body lengths between left and right up to which they may be one
_ON_ONE = 0.04  # the same if one limb passes the other meanwhile: RTMPose-s's noise is then a third of it
# A limb leaves its way when it is off by more than _TOGETHER, and by more than this share of the way by which one limb
# passes the other: ways are curved.
_LEAVES = 0.25
_APART = 0.16  # body lengths between left and right just before and after
_LONGEST_S = 0.3  # left and right that stay together for longer may truly be together
_STRAYS = 1.5  # usual lengths from the ankle to a point of the foot beyond which it may be the other foot's
# And body lengths: RTMPose-s on walkers, 97 of 100 heels and toes are nearer than .063 and .136.
FOOT = {"heel": 0.07, "toe": 0.14}
_ONE = 0.5  # the true limb is at most this share of the other's distance off its own way: else both limbs moved


def merged(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    pairs: list[tuple[int, int]],
    passing: bool = False,
) -> np.ndarray:
    """(L, K) bool measurements that belong to the other side: left and right jump together, and then apart as before.

    A person who truly brings the feet together does so gradually; feet that truly pass end on opposite sides.

    Args:
        time_s: (L,) rising.
        keypoints_px, measured: (L, K, 2) and (L, K) bool, exchanges undone.
        size_px: (L,) body length.
        pairs: (left, right) of the joints looked at.
        passing: look for limbs that pass each other meanwhile; one of them then leaves its way and lies on the other.
    """
    out = np.zeros(measured.shape, bool)
    for pair in pairs:
        both = np.flatnonzero(measured[:, pair].all(1))
        point, t, size = keypoints_px[both][:, pair], time_s[both], size_px[both]
        for begin, end in _runs(t, (point[:, 0] - point[:, 1]) / size[:, None], passing):
            a, b = begin - 1, end
            u = ((t[begin:end] - t[a]) / (t[b] - t[a]))[:, None, None]
            way = (1 - u) * point[a] + u * point[b]  # (rows, 2, 2) px of both limbs on lines from before to after
            off = np.linalg.norm(point[begin:end] - way, axis=2).mean(0) / size[begin]
            apart = np.linalg.norm(way[:, 0] - way[:, 1], axis=1).min() / size[begin]
            passes = np.linalg.norm(np.diff(point[b] - point[a], axis=0)) / size[begin]
            told = off.max() > max(_TOGETHER, _LEAVES * passes) if passing else apart >= _APART
            if told and off.min() <= _ONE * off.max():
                out[both[begin:end], pair[int(np.argmax(off))]] = True
    return out


def _runs(time_s: np.ndarray, apart: np.ndarray, passing: bool) -> np.ndarray:
    """(R, 2) begins and ends of short runs of rows together. Over a run the vector ``apart (n, 2)``, in body lengths,
    turns round if ``passing``, else not."""
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
    """(L, K) bool measurements of foot points that lie on the other foot: too far from their own ankle, near the other.

    Args:
        keypoints_px, measured: (L, K, 2) and (L, K) bool, exchanges undone.
        size_px: (L,) body length.
        ankles, feet: (left, right).
        longest: body lengths from the ankle to these points that are always allowed, see ``FOOT``.
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
