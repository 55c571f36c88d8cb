"""What is to be hidden in the pictures of a stream: of whom the networks saw in the frames before and just after."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Observations
from pipeline.render.privacy import Privacy
from pipeline.render.regions import Regions
from pipeline.render.strays import Strays

HOLD_S = 3.0  # a region is held so long after the last sight: nobody knows yet whether they come back


class _Frame(NamedTuple):
    """What is hidden of those who were seen in a frame, and their tracklets."""

    time_s: float
    shape: np.ndarray  # (n, 5) capsules of heads or (n, 4) boxes of people
    tracklet: np.ndarray  # (n,)


class Hidden:
    """The frames of the last seconds of a stream, in which regions of people are asked for.

    Whom the tracker follows is hidden through gaps, and after the last sight for `HOLD_S`, larger and larger, towards
    where they went; so are, where they are, those whom it does not follow.
    """

    def __init__(self, privacy: Privacy, skeleton: Skeleton) -> None:
        self._privacy, self._skeleton = privacy, skeleton
        self._frames: deque[_Frame] = deque()
        self._strays = Strays(HOLD_S)
        self.last_s = -np.inf

    def add(self, time_s: float, obs: Observations, ids: np.ndarray, faint_px: np.ndarray) -> None:
        """The observations (n, …) of the next frame, and their tracklets (n,), −1 for none; faint boxes (m, 4)."""
        shape = np.concatenate([self._privacy.shapes(obs, self._skeleton), self._privacy.faint_shapes(faint_px)])
        ids = np.concatenate([ids, np.full(len(faint_px), -1, ids.dtype)])
        known = np.isfinite(shape).all(1)
        shape, ids = shape[known], ids[known]
        self._frames.append(_Frame(time_s, shape, ids))
        self._strays.add(time_s, shape[ids < 0], shape[ids >= 0])
        self.last_s = time_s

    def at(self, time_s: float) -> list[np.ndarray]:
        """The regions to hide in a frame that was added; frames `HOLD_S` before it are then forgotten."""
        self._strays.forget(time_s)
        while len(self._frames) > 1 and self._frames[1].time_s < time_s - HOLD_S:
            self._frames.popleft()
        times = np.array([frame.time_s for frame in self._frames])
        here = int(np.searchsorted(times, time_s))
        frame = self._frames[here]
        return [*self._followed(times, here), *frame.shape[frame.tracklet < 0], *self._strays.held(time_s)]

    def _followed(self, times: np.ndarray, here: int) -> list[np.ndarray]:
        """The regions of all tracklets in the frame ``here`` of those at ``times`` (T,)."""
        row = np.concatenate([np.full(len(frame.tracklet), i) for i, frame in enumerate(self._frames)])
        tracklet = np.concatenate([frame.tracklet for frame in self._frames])
        shape = np.concatenate([frame.shape for frame in self._frames])
        out = []
        for i in np.unique(tracklet[tracklet >= 0]):
            mine = np.flatnonzero(tracklet == i)
            seen = np.ones(len(mine), bool)
            out += Regions(row[mine], times[row[mine]], shape[mine], seen, times, HOLD_S).at(here)
        return out
