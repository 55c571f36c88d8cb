"""Whoever never moves: a picture of a person, a dummy, a statue.

People who stand still sway: their head, shoulders and hips move by 2 mm and more in half a second, and a pose network
adds its own jitter. A picture keeps its place to a fraction of that, but for the moments in which somebody passes
before it, or in which the video is encoded anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from pipeline.core.types import INTERPOLATED, MISSING, Motion, Observations
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
_HELD = 0.01  # body lengths from the usual place, from which a point is taken for that of whoever passes
_BRIEF_S = 0.5  # longest time away from its place after which a point that came back was never away
_BESIDE_S = 0.3  # before and after somebody's box meets that of a picture: the smoother reaches so far
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


def met(parts: Iterable[Observations], ids: np.ndarray, person_id: int) -> np.ndarray:
    """(F,) frames, rising, in which another box meets this person's.

    Args:
        parts: all observations in order.
        ids: (N,) who each observation is; a box of nobody meets too.
    """
    frames, before = [np.zeros(0, np.int64)], 0
    for obs in parts:
        mine = ids[before : before + len(obs)] == person_id
        before += len(obs)
        box = np.full((int(obs.frame.max(initial=-1)) + 1, 4), np.nan, np.float32)
        box[obs.frame[mine]] = obs.box_px[mine]
        its, other = box[obs.frame], obs.box_px
        low, high = np.fmax(its[:, :2], other[:, :2]), np.fmin(its[:, 2:], other[:, 2:])
        meets = (high > low).all(1) & np.isfinite(its).all(1) & ~mine
        frames.append(np.unique(obs.frame[meets]))
    return np.concatenate(frames)


def held(motion: Motion, passed: np.ndarray) -> Motion:
    """The motion of somebody who never moves, with points at their usual place where something hides or shifts them.

    A point further than `_HELD` off its usual place is not the person's own while somebody passes before it, nor where
    it comes back within `_BRIEF_S`: it is then `INTERPOLATED`, at its median place. Doubts say when somebody passes.

    Args:
        passed: (F,) frames in which somebody may pass.
    """
    time_s, px = motion.time_s, motion.keypoints_px
    at = time_s[np.isin(motion.frame, passed)]
    near = np.searchsorted(at, time_s + _BESIDE_S, "right") > np.searchsorted(at, time_s - _BESIDE_S)
    usual = _usual(np.where(near[:, None, None] & (not near.all()), np.nan, px))
    away = np.linalg.norm(px - usual, axis=-1) > _HELD * float(np.median(body_length(motion.box_px)))
    away &= motion.provenance != MISSING
    hidden = near[:, None] & away
    off = hidden | _brief(away, time_s)
    if not off.any():
        return motion
    return replace(
        motion,
        keypoints_px=np.where(off[..., None], usual, px),
        provenance=np.where(off, np.uint8(INTERPOLATED), motion.provenance),
        velocity_px_s=_zero(motion.velocity_px_s, off),
        acceleration_px_s2=_zero(motion.acceleration_px_s2, off),
        doubts=tuple(sorted((*motion.doubts, *_when(time_s, hidden)))),
    )


def _zero(values: np.ndarray | None, off: np.ndarray) -> np.ndarray | None:
    """The values (L, K, 2), 0 where a point is held."""
    return None if values is None else np.where(off[..., None], np.float32(0), values)


def _usual(px: np.ndarray) -> np.ndarray:
    """(K, 2) f32 median places of points (L, K, 2); NaN where never known."""
    known = np.isfinite(px).all(-1).any(0)
    out = np.full(px.shape[1:], np.nan, np.float32)
    out[known] = np.nanmedian(px[:, known], axis=0)
    return out


def _brief(away: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """(L, K) bool: where a point is away (L, K) for `_BRIEF_S` at most, and in place before and after."""
    out = np.zeros_like(away)
    for k in range(away.shape[1]):
        edges = np.flatnonzero(np.diff(away[:, k]))
        for before, last in pairwise(edges):
            if away[last, k] and time_s[last + 1] - time_s[before] <= _BRIEF_S:
                out[before + 1 : last + 1, k] = True
    return out


def _when(time_s: np.ndarray, hidden: np.ndarray) -> list[tuple[float, str]]:
    """(s, reason) of each stretch of rows in which points (L, K) were hidden."""
    rows = np.flatnonzero(hidden.any(1))
    if not len(rows):
        return []
    parts = np.split(rows, np.flatnonzero(np.diff(time_s[rows]) > PART_S) + 1)
    what = "somebody passes before a person who never moves, whose points are held until"
    return [(float(time_s[some[0]]), f"{what} {time_s[some[-1]]:.2f} s") for some in parts]


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
