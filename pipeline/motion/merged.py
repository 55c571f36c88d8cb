"""Both limbs of a pair put on one of them by the network, for a few frames: the one that is not there is not measured.

L rows of one person, K keypoints, px and seconds.
"""

from __future__ import annotations

import numpy as np

_TOGETHER = 0.08  # body lengths between left and right up to which they may be one
_APART = 0.16  # body lengths between them just before and after
_LONGEST_S = 0.3  # longer than that it may be true
_ONE = 0.5  # the limb that is there is at most so far from its way as the other one: else both of them moved


def merged(
    time_s: np.ndarray,
    keypoints_px: np.ndarray,
    measured: np.ndarray,
    size_px: np.ndarray,
    pairs: list[tuple[int, int]],
) -> np.ndarray:
    """(L, K) bool measurements that are the other side's: left and right jump together, and apart again as they were.

    Who brings the feet together, or lets one pass the other, does so gradually, or comes out on the other side.

    Args:
        time_s: (L,) rising.
        keypoints_px, measured: (L, K, 2) and (L, K) bool, exchanges undone.
        size_px: (L,) body length.
        pairs: (left, right) of the joints looked at.
    """
    out = np.zeros(measured.shape, bool)
    for pair in pairs:
        both = np.flatnonzero(measured[:, pair].all(1))
        point, t, size = keypoints_px[both][:, pair], time_s[both], size_px[both]
        for begin, end in _runs(t, point[:, 0] - point[:, 1], size):
            a, b = begin - 1, end
            u = ((t[begin:end] - t[a]) / (t[b] - t[a]))[:, None, None]
            way = (1 - u) * point[a] + u * point[b]  # (rows, 2, 2) of both limbs, had they been seen
            if np.linalg.norm(way[:, 0] - way[:, 1], axis=1).min() < _APART * size[begin]:
                continue
            off = np.linalg.norm(point[begin:end] - way, axis=2).sum(0)
            if off.min() > _ONE * off.max():
                continue
            out[both[begin:end], pair[int(np.argmax(off))]] = True
    return out


def _runs(time_s: np.ndarray, apart_px: np.ndarray, size_px: np.ndarray) -> np.ndarray:
    """(R, 2) begins and ends of short runs of rows together, before and after which vectors (n, 2) point one way."""
    apart = apart_px / size_px[:, None]
    near = (apart * apart).sum(1) < _TOGETHER**2
    run = np.flatnonzero(np.diff(near, prepend=False, append=False)).reshape(-1, 2)
    run = run[(run[:, 0] > 0) & (run[:, 1] < len(near))]
    before, after = apart[run[:, 0] - 1], apart[run[:, 1]]
    short = time_s[run[:, 1]] - time_s[run[:, 0] - 1] <= _LONGEST_S
    away = np.minimum((before * before).sum(1), (after * after).sum(1)) > _APART**2
    return run[short & away & ((before * after).sum(1) > 0)]
