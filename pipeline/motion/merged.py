"""Both limbs of a pair put on one of them by the network, for a few frames: the one that is not there is not measured.

L rows of one person, K keypoints, px and seconds.
"""

from __future__ import annotations

import numpy as np

_TOGETHER = 0.08  # body lengths between left and right up to which they may be one
_APART = 0.16  # body lengths between them just before and after
_LONGEST_S = 0.3  # longer than that it may be true


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
        if len(both) < 3:
            continue
        point = keypoints_px[both][:, pair].astype(np.float64)  # (n, 2, 2)
        apart = (point[:, 0] - point[:, 1]) / size_px[both, None]
        near = np.linalg.norm(apart, axis=1) < _TOGETHER
        edge = np.flatnonzero(np.diff(near, prepend=False, append=False))
        for begin, end in edge.reshape(-1, 2):
            if begin == 0 or end == len(both):
                continue
            a, b = begin - 1, end
            if time_s[both[b]] - time_s[both[a]] > _LONGEST_S or apart[a] @ apart[b] <= 0:
                continue
            t = time_s[both]
            u = ((t[begin:end] - t[a]) / (t[b] - t[a]))[:, None]
            if np.linalg.norm((1 - u) * apart[a] + u * apart[b], axis=1).min() < _APART:
                continue
            # The limb that is there is the one near its own way.
            off = [
                np.linalg.norm(point[begin:end, i] - (1 - u) * point[a, i] - u * point[b, i], axis=1).sum()
                for i in (0, 1)
            ]
            out[both[begin:end], pair[int(np.argmax(off))]] = True
    return out
