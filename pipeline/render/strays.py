"""Strays are sightings of people without a track: hidden where they were seen, and for a while before and after.

A stray has no identity. A sighting continues in the next frame where somebody is seen near it. A sighting without such
a neighbour in time begins or ends there, and its region is held, the larger the further away in time.
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
_NEAR = 2.5  # radii of a head, or half sides of a box, from one frame to the next


class _StrayFrame(NamedTuple):
    """Sightings of one frame. ``ends`` is filled when the next frame is known, True before."""

    time_s: float
    clock_s: float  # as `clock` has it
    shape: np.ndarray  # (n, 5) capsules or (n, 4) boxes
    everybody: np.ndarray  # (m, 5 or 4) of the same frame, the strays among them
    begins: np.ndarray  # (n,) bool
    ends: np.ndarray  # (n,) bool


class Strays:
    """The strays of the last and the next frames of a video or stream, added frame after frame.

    Args:
        hold_s: how long a region is held after the last sight.
    """

    def __init__(self, hold_s: float = LEAD_S) -> None:
        self._hold_s = hold_s
        self._frames: deque[_StrayFrame] = deque()

    def add(self, time_s: float, strays: np.ndarray, known: np.ndarray) -> None:
        """The next frame: its strays (n, S), and the regions (m, S) of people who are known; NaN rows do not count."""
        strays, known = (rows[np.isfinite(rows).all(1)] for rows in (strays, known))
        everybody = np.concatenate([strays, known.reshape(-1, strays.shape[1])])
        begins = np.ones(len(strays), bool)
        if self._frames:
            before = self._frames[-1]
            begins = ~near(strays, before.everybody)
            self._frames[-1] = before._replace(ends=~near(before.shape, everybody))
        clock_s = 0.0
        if self._frames:
            clock_s = self._frames[-1].clock_s + min(time_s - self._frames[-1].time_s, STEP_S)
        self._frames.append(_StrayFrame(time_s, clock_s, strays, everybody, begins, np.ones(len(strays), bool)))

    def held(self, time_s: float) -> list[np.ndarray]:
        """The regions that other frames hold in the frame at ``time_s``, without that frame's own sightings."""
        times = [frame.time_s for frame in self._frames]
        here, out = times.index(time_s), []
        for i, frame in enumerate(self._frames):
            unseen, far = abs(frame.time_s - time_s), abs(frame.clock_s - self._frames[here].clock_s) - SLACK_S
            if i > here and far <= LEAD_S:
                out += [grown(row, unseen) for row in frame.shape[frame.begins]]
            elif i < here and far <= self._hold_s:
                out += [grown(row, unseen) for row in frame.shape[frame.ends]]
        return out

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


def near(shapes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) whether one of ``others`` (m, S) lies so near each of ``shapes`` (n, S) that it may be the same person."""
    if not len(shapes) or not len(others):
        return np.zeros(len(shapes), bool)
    reach = shapes[:, 4] if shapes.shape[1] == 5 else (shapes[:, 2:] - shapes[:, :2]).max(1) / 2
    apart = np.linalg.norm(_middle(shapes)[:, None] - _middle(others)[None], axis=2)
    return np.asarray(apart.min(1) <= _NEAR * reach)


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
