"""Times at which measurements were put aside as not the person's own, in words."""

from __future__ import annotations

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.motion.foreign import OFF_ITS_WAY, OWN, THEIRS, TOO_LONG

_PAUSE_S = 0.5  # rows nearer than this are one doubt
_LEAST_S = 0.15  # of rows put aside, below which a doubt is not named; the table's states show it
_NAMED = 3  # most joints of a doubt that are named
_WHY = {THEIRS: "on somebody else's", TOO_LONG: "too far for the limb", OFF_ITS_WAY: "off the foot's or face's way"}


def doubts(time_s: np.ndarray, why: np.ndarray, skeleton: Skeleton) -> tuple[tuple[float, str], ...]:
    """(s, reason) of each stretch of rows in which measurements were put aside, in order of time.

    Args:
        time_s: (L,) rising.
        why: (L, K) of `pipeline.motion.foreign.put_aside`.
    """
    rows = np.flatnonzero((why != OWN).any(1))
    if not len(rows):
        return ()
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    cuts = np.flatnonzero(np.diff(time_s[rows]) > _PAUSE_S) + 1
    out = []
    for some in np.split(rows, cuts):
        if len(some) * step >= _LEAST_S:
            out.append((float(time_s[some[0]]), _words(why[some], len(some) * step, skeleton)))
    return tuple(out)


def _words(why: np.ndarray, lasts_s: float, skeleton: Skeleton) -> str:
    """Which joints (n, K) were put aside, the most often so first, and why."""
    parts = []
    for code, words in _WHY.items():
        count = (why == code).sum(0)
        joints = [k for k in np.argsort(-count, kind="stable").tolist() if count[k]]
        if joints:
            names = [skeleton.names[k].replace("_", " ") for k in joints[:_NAMED]]
            more = f" and {len(joints) - _NAMED} more" if len(joints) > _NAMED else ""
            parts.append(f"{', '.join(names)}{more} {words}")
    return f"{', '.join(parts)}, left out for {lasts_s:.2g} s"
