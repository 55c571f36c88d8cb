"""Regions to hide in the pictures of a stream, from the people seen in the frames before and just after."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Observations
from pipeline.render.privacy import Privacy
from pipeline.render.regions import Regions
from pipeline.render.strays import FAINT, LEAD_S, SLACK_S, STEP_S, Strays, clock

HOLD_S = 3.0  # a region is held so long after the last sight, since the person may come back
_ANOTHER = 1.25  # a box so many times larger or smaller than at the last sight is another person's
_MOST_SIZES = 1000  # most remembered tracklets; beyond it tracklets out of sight are forgotten
_FIRST_PART = 1 << 24  # above all tracklets


class _WatchedPerson(NamedTuple):
    """The regions of the people seen in a frame, and their tracklets."""

    time_s: float
    shape: np.ndarray  # (n, 5) capsules of heads or (n, 4) boxes of people
    tracklet: np.ndarray  # (n,), `STRAY` or `FAINT` for none


class Hidden:
    """The frames of the last seconds of a stream, with the regions of people to hide.

    A tracked person's region is held through gaps and for `HOLD_S` after the last sight, while it grows and moves on
    in the person's direction. The region of an untracked person is held, too, and grows in its place.
    """

    def __init__(self, privacy: Privacy, skeleton: Skeleton) -> None:
        self._privacy, self._skeleton = privacy, skeleton
        self._frames: deque[_WatchedPerson] = deque()
        self._strays = Strays(HOLD_S, all_ways=True)
        self._sizes: dict[int, tuple[float, int]] = {}  # tracklet → its last size, and its number here
        self._parts = 0
        self._past_s = 0.0  # how long frames have been added, by the `clock`
        self._sure_from_s = np.inf  # the first frame before which everybody was looked for long enough

    def add(self, time_s: float, obs: Observations, ids: np.ndarray, faint_px: np.ndarray) -> None:
        """The observations (n, …) of the next frame, and their tracklets (n,), −1 for none; faint boxes (m, 4)."""
        shape = np.concatenate([self._privacy.shapes(obs, self._skeleton), self._privacy.faint_shapes(faint_px)])
        ids = self._one_size(obs.box_px, ids)
        ids = np.concatenate([ids, np.full(len(faint_px), FAINT, ids.dtype)])
        known = np.isfinite(shape).all(1)
        shape, ids = shape[known], ids[known]
        if self._frames:
            self._past_s += min(time_s - self._frames[-1].time_s, STEP_S)
        if self._past_s > LEAD_S + SLACK_S:
            self._sure_from_s = min(self._sure_from_s, time_s)
        self._frames.append(_WatchedPerson(time_s, shape, ids))
        if len(self._sizes) > _MOST_SIZES:
            here = {int(i) for frame in self._frames for i in frame.tracklet}
            self._sizes = {i: last for i, last in self._sizes.items() if last[1] in here}
        self._strays.add(time_s, shape, ids)

    def _one_size(self, box_px: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Tracklets (n,), with a new number where a box (n, 4) suddenly has another size.

        There the tracker switched to another person: the first is hidden before the switch, the second after it.
        """
        out = ids.copy()
        for row in np.flatnonzero(ids >= 0):
            i, size = int(ids[row]), float((box_px[row, 2:] - box_px[row, :2]).max())
            before, part = self._sizes.get(i, (size, i))
            if max(size, before) > _ANOTHER * max(min(size, before), 1e-6):
                self._parts, part = self._parts + 1, _FIRST_PART + self._parts
            self._sizes[i], out[row] = (size, part), part
        return out

    def is_ahead_of(self, time_s: float) -> bool:
        """Whether all later frames that affect the frame at ``time_s`` were added."""
        ahead = clock(np.array([frame.time_s for frame in self._frames if frame.time_s >= time_s]))
        return len(ahead) > 1 and ahead[-1] > LEAD_S + SLACK_S

    def is_behind(self, time_s: float) -> bool:
        """Whether all earlier frames that affect the frame at ``time_s`` were added; not so where the stream begins."""
        return time_s >= self._sure_from_s

    def at(self, time_s: float) -> list[np.ndarray]:
        """The regions to hide in a frame that was added; frames `HOLD_S` before it are then forgotten."""
        self._strays.forget(time_s)
        before = [frame.time_s for frame in self._frames if frame.time_s <= time_s]
        for _ in range(int((clock(np.array(before)) + HOLD_S + SLACK_S < clock(np.array(before))[-1]).sum())):
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
