"""Sightings of people without a track, and sights between which somebody may have gone unseen.

A stray is a sighting without a track: hidden where it was seen, and for a while before and after. A sighting continues
in the next frame where its tracklet is, or where one that has no other neighbour in time is near. A stray without such
a neighbour begins or ends there, and its region is held, the larger the further away in time. Where a sighting ended
and another one began within walking distance, the way between the two is hidden, whoever they are.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

LEAD_S = 0.6  # a person is hidden for so long before the first and after the last sight
STEP_S = 0.3  # a step between two frames counts no longer than this, so that `LEAD_S` spans at least two frames
GROWTH_BEYOND = 1.5  # growth in radii per second before the first and after the last sight, where the other end is open
MOST_UNSEEN_S = 1.0  # a region grows no longer than this
SLACK_S = 1e-6  # times that differ by less are equal
STRAY, FAINT = -1, -2  # a sighting without a track; a box in which somebody may be
_NEAR = 2.5  # radii of a head, or half sides of a box, from one frame to the next
_WAY_RADII_S, _WAY_SIDES_S = 16.0, 3.0  # radii of a head, or half sides of a box, per second: the pace of a runner
_WAY_GROWTH = 0.6  # growth in radii per second on the way between two sights


class _StrayFrame(NamedTuple):
    """Sightings of one frame. ``ends`` is filled when the next frame is known, True before."""

    time_s: float
    clock_s: float  # as `clock` has it
    shape: np.ndarray  # (n, 5) capsules or (n, 4) boxes
    who: np.ndarray  # (n,) the tracklet, `STRAY` or `FAINT`
    begins: np.ndarray  # (n,) bool
    ends: np.ndarray  # (n,) bool


class _Break(NamedTuple):
    """A sighting that ends or begins."""

    time_s: float
    shape: np.ndarray  # (5,) or (4,)
    stray: bool


class Strays:
    """The sightings of the last and the next frames of a video or stream, added frame after frame.

    Args:
        hold_s: how long a stray's region is held after the last sight.
        all_ways: hide also the ways between sightings of which none is a stray.
    """

    def __init__(self, hold_s: float = LEAD_S, all_ways: bool = False) -> None:
        self._hold_s, self._all_ways = hold_s, all_ways
        self._frames: deque[_StrayFrame] = deque()

    def add(self, time_s: float, shape: np.ndarray, who: np.ndarray) -> None:
        """The next frame: the regions (n, S) of everybody seen, NaN rows do not count, and who they are (n,)."""
        rows = np.isfinite(shape).all(1)
        shape, who = shape[rows], who[rows]
        begins, clock_s = np.ones(len(shape), bool), 0.0
        if self._frames:
            before = self._frames[-1]
            clock_s = before.clock_s + min(time_s - before.time_s, STEP_S)
            ends, begins = _breaks(before, shape, who)
            self._frames[-1] = before._replace(ends=ends)
        self._frames.append(_StrayFrame(time_s, clock_s, shape, who, begins, np.ones(len(shape), bool)))

    def held(self, time_s: float) -> list[np.ndarray]:
        """The regions that other frames hold in the frame at ``time_s``, without that frame's own sightings."""
        times = [frame.time_s for frame in self._frames]
        here, out = times.index(time_s), []
        ended: list[_Break] = []
        begun: list[_Break] = []
        for i, frame in enumerate(self._frames):
            unseen, far = abs(frame.time_s - time_s), abs(frame.clock_s - self._frames[here].clock_s) - SLACK_S
            if i > here and far <= LEAD_S:
                out += [grown(row, unseen) for row in frame.shape[frame.begins & (frame.who < 0)]]
                begun += _rows(frame, frame.begins)
            elif i < here and far <= self._hold_s:
                out += [grown(row, unseen) for row in frame.shape[frame.ends & (frame.who < 0)]]
                ended += _rows(frame, frame.ends) if far <= LEAD_S else []
        return out + _ways(ended, begun, time_s, self._all_ways)

    def forget(self, time_s: float) -> None:
        """Forget the frames before this time."""
        at = next((frame.clock_s for frame in self._frames if frame.time_s >= time_s), 0.0)
        while len(self._frames) > 1 and self._frames[0].clock_s + SLACK_S < at - self._hold_s:
            self._frames.popleft()


def clock(time_s: np.ndarray) -> np.ndarray:
    """(T,) s: times of frames (T,) on a clock by which no frame is more than `STEP_S` after the one before."""
    return np.concatenate([np.zeros(1), np.cumsum(np.minimum(np.diff(time_s), STEP_S))])[: len(time_s)]


def grown(shape: np.ndarray, unseen_s: float) -> np.ndarray:
    """A region (S,) grown for a time ``unseen_s`` away from its sighting."""
    share = GROWTH_BEYOND * min(unseen_s, MOST_UNSEEN_S)
    if len(shape) == 5:
        return np.concatenate([shape[:4], [shape[4] * (1 + share)]])
    margin = 0.2 * share * (shape[2:] - shape[:2])
    return np.concatenate([shape[:2] - margin, shape[2:] + margin])


def _breaks(before: _StrayFrame, shape: np.ndarray, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which sightings (n,) of a frame end there, and which (m,) of the next frame begin there.

    A sighting continues in one sighting at most, and only if both are near. A faint box continues in anybody near,
    since many of them show a part of somebody who is seen.
    """
    apart = np.linalg.norm(_middle(before.shape)[:, None] - _middle(shape)[None], axis=2)
    near_before, near_now = apart <= _NEAR * _size(before.shape)[:, None], apart <= _NEAR * _size(shape)[None]
    near = near_before & near_now
    same = (before.who[:, None] == who[None]) & (who >= 0)[None]
    others = near & ~same.any(1, keepdims=True) & ~same.any(0, keepdims=True)
    free = np.where(others, apart, np.inf)
    nearest = (free == free.min(1, keepdims=True, initial=np.inf)) & (free == free.min(0, initial=np.inf))
    goes_on = (same & near) | (others & nearest)
    ends = ~goes_on.any(1) & ~((before.who == FAINT) & near_before.any(1))
    begins = ~goes_on.any(0) & ~((who == FAINT) & near_now.any(0))
    return np.asarray(ends), np.asarray(begins)


def _rows(frame: _StrayFrame, chosen: np.ndarray) -> list[_Break]:
    return [_Break(frame.time_s, frame.shape[i], bool(frame.who[i] < 0)) for i in np.flatnonzero(chosen)]


def _ways(ended: list[_Break], begun: list[_Break], now: float, all_ways: bool) -> list[np.ndarray]:
    """The regions at the time ``now`` of everybody who may have gone from a sighting that ended to one that began."""
    if not ended or not begun:
        return []
    from_s, to_s = np.array([one.time_s for one in ended]), np.array([one.time_s for one in begun])
    a, b = np.array([one.shape for one in ended]), np.array([one.shape for one in begun])
    stray = np.array([one.stray for one in ended])[:, None] | np.array([one.stray for one in begun])[None]
    pace = _WAY_RADII_S if a.shape[1] == 5 else _WAY_SIDES_S
    size = np.maximum(_size(a)[:, None], _size(b)[None])
    apart = np.linalg.norm(_middle(a)[:, None] - _middle(b)[None], axis=2)
    may = (apart <= size * (1 + pace * (to_s[None] - from_s[:, None]))) & (stray | all_ways)
    return [_way(a[i], b[j], now - from_s[i], to_s[j] - now) for i, j in np.argwhere(may)]


def _way(a: np.ndarray, b: np.ndarray, since_s: float, until_s: float) -> np.ndarray:
    """The whole way between two heads; of two boxes the one between them by time. Grown by the time unseen."""
    unseen_s = min(since_s, until_s)
    if len(a) == 5:
        radius = max(a[4], b[4]) * (1 + _WAY_GROWTH * min(unseen_s, MOST_UNSEEN_S))
        return np.array([*((a[:2] + a[2:4]) / 2), *((b[:2] + b[2:4]) / 2), radius])
    return grown((until_s * a + since_s * b) / (since_s + until_s), unseen_s)


def _size(shapes: np.ndarray) -> np.ndarray:
    """(n,) the radius of capsules, or half the longer side of boxes."""
    return shapes[:, 4] if shapes.shape[1] == 5 else (shapes[:, 2:] - shapes[:, :2]).max(1, initial=0.0) / 2


def inside(shapes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """(n,) whether the middle of each of ``shapes`` (n, S) lies in one of ``regions`` (m, S)."""
    if not len(shapes) or not len(regions):
        return np.zeros(len(shapes), bool)
    middle = _middle(shapes)[:, None]
    a, b = regions[None, :, :2], regions[None, :, 2:4]
    if shapes.shape[1] == 4:
        within = np.all((middle >= a) & (middle <= b), axis=2)
        return np.asarray(np.any(within, axis=1))
    along = b - a
    share = ((middle - a) * along).sum(2) / np.maximum((along**2).sum(2), 1e-9)
    apart = np.linalg.norm(middle - a - share.clip(0, 1)[..., None] * along, axis=2)
    return np.asarray((apart - regions[:, 4]).min(1) <= 0)


def _middle(shapes: np.ndarray) -> np.ndarray:
    return (shapes[:, :2] + shapes[:, 2:4]) / 2
