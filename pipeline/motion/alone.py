"""Single pairs, knees or ankles, that the network exchanges for one to five frames where legs pass each other.

The search in `pipeline.motion.swap` weighs such a short exchange against the two rows in which it begins and ends, and
there an outlier costs less. Here both points are compared with cubics through the rows on either side: an exchange is
undone where it puts both points on the cubics while neither was there before.

L rows of one person, px and seconds.
"""

from __future__ import annotations

import numpy as np

_MOST_ROWS, _MOST_S = 5, 0.2  # longest exchange looked for, between the rows beside it
_BESIDE, _SPAN_S = 3, 0.45  # rows on either side of it through which the cubics go, and the most that all of them span
_OFF = 0.03  # body lengths, root mean square, by which the points must be off the cubics as they are
_EVEN = 0.3  # share of that which may remain once exchanged, and by which the rows beside may be off
_NATS = 5.0  # against the exchange, for each of its rows, that lengths and facing may give at most
_WEAK = 0.01  # body lengths between the points, below which a turn is none


def alone(
    time_s: np.ndarray, left_px: np.ndarray, right_px: np.ndarray, size_px: np.ndarray, against: np.ndarray
) -> np.ndarray:
    """(L,) bool rows in which a pair (L, 2) and (L, 2), NaN where not seen, is exchanged.

    Args:
        against: (L,) nats against exchanging the pair alone.
    """
    out = np.zeros(len(time_s), bool)
    seen = np.flatnonzero(np.isfinite(left_px[:, 0] + right_px[:, 0]))
    t, z = time_s[seen], np.concatenate([left_px[seen], right_px[seen]], 1) / size_px[seen, None]
    begin, end, gain = _clear(t, z, np.concatenate([[0.0], np.cumsum(against[seen])]))
    taken = np.zeros(len(seen), bool)
    for i in np.argsort(-gain, kind="stable"):
        # Two that share rows beside them explain the same jump: the better one is taken.
        if not taken[max(begin[i] - _BESIDE - 1, 0) : end[i] + _BESIDE + 1].any():
            taken[begin[i] : end[i]] = True
    out[seen[taken]] = True
    return out


def _clear(t: np.ndarray, z: np.ndarray, nats: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Begins and ends (R,) of runs that are clearly exchanged, and by how much they become evener.

    Args:
        z: (n, 4) body lengths, left and right point.
        nats: (n + 1,) sum of the nats against an exchange in the rows before.
    """
    apart = z[:, :2] - z[:, 2:]
    turn = 1 + np.flatnonzero((apart[1:] * apart[:-1]).sum(1) < -(_WEAK**2))
    found = [np.zeros((3, 0))]
    for rows in range(1, _MOST_ROWS + 1):
        begin = np.unique(np.concatenate([turn, turn - rows]))
        for gap in ((0, 0), (1, 0), (0, 1), (1, 1)):  # a row beside it may have both points on one limb
            first, last = begin - gap[0] - _BESIDE, begin + rows + gap[1] + _BESIDE
            inside = (first >= 0) & (last <= len(t))
            some, first, last = begin[inside], first[inside], last[inside]
            near = (t[last - 1] - t[first] <= _SPAN_S) & (t[some + rows] - t[some - 1] <= _MOST_S + 1e-6)
            some, first, last = some[near], first[near], last[near]
            if len(some):
                gain = _gain(t, z, some, rows, gap)
                gain[nats[some + rows] - nats[some] > _NATS * rows] = 0.0
                found.append(np.stack([some, some + rows, gain])[:, gain > 0])
    begin, end, gain = np.concatenate(found, 1)
    return begin.astype(np.int64), end.astype(np.int64), gain


def _gain(t: np.ndarray, z: np.ndarray, begin: np.ndarray, rows: int, gap: tuple[int, int]) -> np.ndarray:
    """(R,) sum of squares by which runs become evener if exchanged, 0 where that is not clear."""
    step = np.arange(_BESIDE)
    beside = np.concatenate([step - gap[0] - _BESIDE, step + rows + gap[1]])
    around, run = begin[:, None] + beside, begin[:, None] + np.arange(rows)
    middle = (t[begin] + t[begin + rows - 1])[:, None] / 2
    power = np.arange(4)
    a, b = (((t[at] - middle) / _SPAN_S)[..., None] ** power for at in (around, run))  # (R, 6, 4), (R, rows, 4)
    at = a.swapaxes(1, 2)
    curve = np.linalg.solve(at @ a + 1e-9 * np.eye(4), at @ z[around])
    way, off = b @ curve, z[around] - a @ curve
    kept = np.square(z[run] - way).sum(2).mean(1)
    turned = np.square(z[run][..., [2, 3, 0, 1]] - way).sum(2).mean(1)
    rest = np.square(off).sum(2).mean(1) * 3  # two of six degrees of freedom are left
    uneven = np.maximum(turned, rest)
    told = (kept > 2 * _OFF**2) & (uneven < _EVEN**2 * kept)
    return np.where(told, (kept - uneven) * rows, 0.0)
