"""Whoever never moves: a picture of a person, a dummy, a statue.

People who stand still sway: their head, shoulders and hips move by 2 mm and more in half a second, and a pose network
adds its own jitter. A picture keeps its place to a fraction of that, but for the moments in which somebody passes
before it, or in which the video is encoded anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.types import Motion
from pipeline.motion.person import body_length

NEVER_MOVES = "never moves: a picture or a dummy? --drop-still leaves such people out"
LEAST_S, PART_S = 3.0, 0.5  # shortest presence that tells; of the parts whose medians are compared
# Of the body's length, from one part to the next, median over the points: a picture, which somebody passed, moved by
# .0005 in a quarter of its parts; of 38 people in 8 clips nobody moved by less than .0028 in any.
_AT_REST = 0.0007
_NEAR, _SHARE_NEAR = 0.03, 0.9  # body lengths from the usual place; share of the parts that must be so near
_WANDERS = 0.2  # body lengths between the quartiles of the box's middle, above which nothing more is looked at
_LEAST_PARTS, _LEAST_POINTS = 4, 4
_LEAST_STILL = 0.95  # share of rows in which the camera keeps still
_POINTS = ("nose", *(f"{s}_{n}" for n in ("ear", "shoulder", "hip") for s in ("left", "right")))


def never_moves(motion: Motion, names: tuple[str, ...], still: np.ndarray | None) -> bool:
    """Whether somebody is there for `LEAST_S` or longer and never moves; False where that cannot be told.

    Args:
        names: (K,) of the keypoints.
        still: (T,) bool, the camera kept still since the frame before; None: always.
    """
    if not len(motion) or motion.time_s[-1] - motion.time_s[0] < LEAST_S:
        return False
    if still is not None and still[motion.frame].mean() < _LEAST_STILL:
        return False
    points = [names.index(name) for name in _POINTS if name in names]
    size = float(np.median(body_length(motion.box_px)))
    middle = (motion.box_px[:, :2] + motion.box_px[:, 2:]) / 2
    low, high = np.quantile(middle, [0.25, 0.75], axis=0)
    if len(points) < _LEAST_POINTS or not size > 0 or np.max(high - low) > _WANDERS * size:
        return False
    places = _medians(motion, points) / size
    known = np.isfinite(places).all(-1)
    places = places[known.sum(1) >= _LEAST_POINTS]
    if len(places) < _LEAST_PARTS:
        return False
    off = np.nanmedian(np.linalg.norm(places - np.nanmedian(places, axis=0), axis=-1), axis=1)
    step = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    step = np.nanmedian(step[np.isfinite(step).sum(1) >= _LEAST_POINTS], axis=1)
    if len(step) < _LEAST_PARTS - 1:
        return False
    return bool(np.quantile(step, 0.25) <= _AT_REST and np.mean(off <= _NEAR) >= _SHARE_NEAR)


def left_out(ids: np.ndarray, kept: Sequence[int]) -> list[str]:
    """The line that says who was left out because they never move; none for nobody.

    Args:
        ids: (N,) of all observations, those that are nobody's below 1.
        kept: the people who have tables.
    """
    people = np.setdiff1d(ids[ids > 0], kept).tolist()
    if not people:
        return []
    who = "person" if len(people) == 1 else "people"
    return [f"--drop-still left out {who} {', '.join(str(i) for i in people)}, who never moved"]


def _medians(motion: Motion, points: list[int]) -> np.ndarray:
    """(parts, points, 2) px: the median of the measured places in each part; NaN where less than half are measured."""
    part = ((motion.time_s - motion.time_s[0]) / PART_S).astype(int)
    out = []
    for rows in np.split(np.arange(len(part)), np.flatnonzero(np.diff(part)) + 1):
        raw = motion.raw_px[rows][:, points].astype(np.float64)
        seen = np.isfinite(raw).all(-1)
        enough = seen.mean(0) >= 0.5
        raw[:, ~enough] = 0.0
        out.append(np.where(enough[:, None], np.nanmedian(raw, axis=0), np.nan))
    return np.array(out)
