"""Where a tracklet may go over to somebody else: its clothes change, or somebody comes or goes behind it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipeline.observe.appearance import distance2
from pipeline.tracking.glimpses import SPAN_S, Glimpses

BODY_AREA = 0.4  # area of a standing person's box in squared body lengths, as in the tracker
BORDER_LEN = 0.3  # body lengths that are away from the picture's border
_SIDE = 6  # glimpses on either side of a cut that are compared
_CUT = 0.6  # distance of clothes before and after from which a tracklet is cut
_MET_LEN = 0.5  # body lengths between two people who may be taken for one another


def changes(g: Glimpses) -> np.ndarray:
    """(G,) bool: glimpses from which on a tracklet wears other clothes."""
    out = np.zeros(len(g), bool)
    edges = np.append(np.flatnonzero(np.diff(g.tracklet, prepend=-1)), len(g))
    for start, stop in pairwise(edges.tolist()):
        here = start
        while there := _change(g, here, stop):
            out[list(there)] = True
            here = there[1]
    return out


def meetings(g: Glimpses) -> np.ndarray:
    """(G,) bool: glimpses that follow, or begin with, somebody's vanishing or appearing behind the tracklet.

    Where two people are one for a moment, the one who is still seen afterwards may be the other.
    """
    out = np.zeros(len(g), bool)
    start = np.flatnonzero(np.diff(g.tracklet, prepend=-1))
    stop = np.append(start[1:], len(g))[: len(start)]
    length = g.length / np.sqrt(BODY_AREA)
    inside = g.edge > BORDER_LEN * length
    by_time = np.argsort(g.time_s, kind="stable")
    time_s = g.time_s[by_time]
    for rows, at_s in ((start, g.first_s[start]), (stop - 1, g.last_s[stop - 1])):
        for row, at in zip(rows[inside[rows]], at_s[inside[rows]], strict=True):
            around = by_time[slice(*np.searchsorted(time_s, (at - SPAN_S, at + SPAN_S)))]
            near = np.square(g.place[around] - g.place[row]).sum(1) < np.square(_MET_LEN * length[row])
            for other in np.unique(g.tracklet[around[near]]):
                own = np.searchsorted(g.tracklet[start], other)
                after = start[own] + np.searchsorted(g.time_s[start[own] : stop[own]], at)
                if other != g.tracklet[row] and start[own] < after < stop[own]:
                    out[after] = True
    return out


def _change(g: Glimpses, start: int, stop: int) -> tuple[int, int] | None:
    """The first change of clothes within [start, stop): between which glimpses it lies, as little may be seen then."""
    candidates = range(start + 2, stop - 1)
    jumps = np.array([_jump(g, start, c, stop) for c in candidates])
    if not len(jumps) or jumps.max() < _CUT:
        return None
    first = int(np.argmax(jumps >= _CUT))
    peak = first + int(jumps[first : first + _SIDE].argmax())
    high = jumps >= max(_CUT, 0.8 * jumps[peak])
    low, last = peak, peak
    while low > 0 and high[low - 1]:
        low -= 1
    while last + 1 < len(high) and high[last + 1]:
        last += 1
    return candidates[low], candidates[last]


def _jump(g: Glimpses, start: int, cut: int, stop: int) -> float:
    """How much further apart the clothes before and after are than each side is within itself."""
    a, b = max(start, cut - _SIDE), min(stop, cut + _SIDE)
    before, after = mean_look(g, a, cut), mean_look(g, cut, b)
    far, common = distance2(before, after)
    if common < 2:
        return 0.0
    inside = [distance2(mean, g.look[i:j])[0].mean() for mean, i, j in ((before, a, cut), (after, cut, b))]
    return float(far - 2 * max(inside))


def mean_look(g: Glimpses, start: int, stop: int) -> np.ndarray:
    """Mean appearance (D,) of some glimpses, NaN where none has the part."""
    values, weight = g.look[start:stop], g.count[start:stop, None].astype(np.float64)
    known = np.isfinite(values)
    total = (known * weight).sum(0)
    return np.where(total > 0, np.where(known, values * weight, 0).sum(0) / np.maximum(total, 1e-9), np.nan)
