"""Where a tracklet may pass from one person to another: its clothes change, or a person appears or vanishes behind."""

from __future__ import annotations

import numpy as np

from pipeline.observe.appearance import distance2
from pipeline.tracking.glimpses import SPAN_S, Glimpses

BODY_AREA = 0.4  # area of a standing person's box in squared body lengths, as in the tracker
BORDER_LEN = 0.3  # body lengths from the picture's border from which a place counts as away from the border
_SIDE = 6  # glimpses on either side of a cut that are compared
_CUT = 0.6  # distance of clothes before and after from which a tracklet is cut
_BLOCK_VALUES = 1_000_000  # of appearances that are compared at once
_MET_LEN = 0.5  # body lengths between two people within which the tracker may confuse them


def changes(g: Glimpses) -> np.ndarray:
    """(G,) bool: glimpses at which a tracklet's clothes change."""
    out = np.zeros(len(g), bool)
    if not len(g):
        return out
    edges = np.append(np.flatnonzero(np.diff(g.tracklet, prepend=-1)), len(g))
    start, stop = (np.repeat(edge, np.diff(edges)) for edge in (edges[:-1], edges[1:]))
    rows = np.arange(len(g))
    candidates = rows[(rows >= start + 2) & (rows < stop - 1)]
    jumps = np.zeros(len(g))
    jumps[candidates] = _jumps(g, candidates, start[candidates], stop[candidates])
    for first in np.unique(start[jumps >= _CUT]).tolist():
        out[_changes(g, jumps, first, int(stop[first]))] = True
    return out


def meetings(g: Glimpses) -> np.ndarray:
    """(G,) bool: glimpses that follow, or begin with, somebody's vanishing or appearing behind the tracklet.

    Where one tracklet covers two people for a moment, it may continue on the other person afterwards.
    """
    out = np.zeros(len(g), bool)
    start = np.flatnonzero(np.diff(g.tracklet, prepend=-1))
    stop = np.append(start[1:], len(g))[: len(start)]
    tracklets = g.tracklet[start]
    length = g.length / np.sqrt(BODY_AREA)
    inside = g.edge > BORDER_LEN * length
    by_time = np.argsort(g.time_s, kind="stable")
    time_s = g.time_s[by_time]
    for rows, at_s in ((start, g.first_s[start]), (stop - 1, g.last_s[stop - 1])):
        for row, at in zip(rows[inside[rows]], at_s[inside[rows]], strict=True):
            around = by_time[slice(*np.searchsorted(time_s, (at - SPAN_S, at + SPAN_S)))]
            near = np.square(g.place[around] - g.place[row]).sum(1) < np.square(_MET_LEN * length[row])
            for other in np.unique(g.tracklet[around[near]]):
                own = np.searchsorted(tracklets, other)
                after = start[own] + np.searchsorted(g.time_s[start[own] : stop[own]], at)
                if other != g.tracklet[row] and start[own] < after < stop[own]:
                    out[after] = True
    return out


def _changes(g: Glimpses, jumps: np.ndarray, start: int, stop: int) -> list[int]:
    """The changes of clothes within [start, stop), each as the two glimpses between which it lies.

    Little may be seen between the two. ``jumps (G,)`` are the jumps of all glimpses. A side never reaches over an
    earlier change, so the jumps of the next few glimpses after a change are worked out again.
    """
    found: list[int] = []
    jumps, here = jumps[start:stop].copy(), 0
    while (over := jumps[here:] >= _CUT).any():
        first = here + int(np.argmax(over))
        peak = first + int(jumps[first : first + _SIDE].argmax())
        high = max(_CUT, 0.8 * jumps[peak])
        low, last = peak, peak
        while low > 0 and jumps[low - 1] >= high:
            low -= 1
        while last + 1 < len(jumps) and jumps[last + 1] >= high:
            last += 1
        found += [start + low, start + last]
        here = last
        again = np.arange(here + 2, min(here + _SIDE, len(jumps) - 1))
        jumps[: here + 2] = 0.0
        jumps[again] = _jumps(g, start + again, np.full(len(again), start + here), np.full(len(again), stop))
    return found


def _jumps(g: Glimpses, cut: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """(n,) how much further apart the clothes before and from ``cut (n,)`` on are than each side is within itself.

    A side is the `_SIDE` glimpses next to the cut that lie within [start, stop); both bounds are (n,).
    """
    out = np.zeros(len(cut))
    block = max(_BLOCK_VALUES // (_SIDE * g.look.shape[1]), 1)
    for some in (slice(i, i + block) for i in range(0, len(cut), block)):
        near = cut[some, None] + np.arange(-_SIDE, _SIDE)
        valid = (near >= start[some, None]) & (near < stop[some, None])
        near = near.clip(0, len(g) - 1)
        before, within = _side(g, near[:, :_SIDE], valid[:, :_SIDE])
        after, within_after = _side(g, near[:, _SIDE:], valid[:, _SIDE:])
        far, common = distance2(before, after)
        out[some] = np.where(common < 2, 0.0, far - 2 * np.maximum(within, within_after))
    return out


def _side(g: Glimpses, rows: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean appearance (n, D) of the valid ones of the glimpses (n, S), and their mean distance (n,) from it."""
    values, weight = g.look[rows], (g.count[rows] * valid)[..., None].astype(np.float64)
    mean = _mean(values, weight, 1)
    far = distance2(mean[:, None], values)[0]
    return mean, np.where(valid, far, 0.0).sum(1) / np.maximum(valid.sum(1), 1)


def mean_look(g: Glimpses, start: int, stop: int) -> np.ndarray:
    """Mean appearance (D,) of some glimpses, NaN where none has the part."""
    return _mean(g.look[start:stop], g.count[start:stop, None].astype(np.float64), 0)


def _mean(values: np.ndarray, weight: np.ndarray, axis: int) -> np.ndarray:
    """Weighted mean along an axis of what is known, NaN where nothing is."""
    known = np.isfinite(values)
    total = (known * weight).sum(axis)
    return np.where(total > 0, np.where(known, values * weight, 0).sum(axis) / np.maximum(total, 1e-9), np.nan)
