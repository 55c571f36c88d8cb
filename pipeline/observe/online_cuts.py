"""Cuts as they come, without later frames: those of `pipeline.observe.transitions` that the frames before tell."""

from __future__ import annotations

from collections import deque

import numpy as np

from pipeline.observe import transitions as known
from pipeline.observe.thumbs import thumb
from pipeline.observe.transitions import FLASH_S, SAME_EDGES, same_edges

BRIGHTER = 40.0  # mean luma, of 255, by which a flash brightens the picture


class OnlineCuts:
    """Takes the frames of one size, in order, and tells which begin another shot.

    A frame that is much brighter than the one before may be a flash: it is a cut, told late, unless what was before
    comes back within `FLASH_S`. Dissolves, fades and wipes are not looked for.
    """

    def __init__(self) -> None:
        self._before = deque[tuple[float, np.ndarray]]()  # time and small picture, as far back as a flash lasts
        self._moving = deque[tuple[float, float]](maxlen=known.AROUND)  # time and change of the last new frames
        self._flash: tuple[float, np.ndarray] | None = None  # since when, and what was before it
        self._begun_s = 0.0  # of the shot

    def forget(self) -> None:
        """The next frame has another size."""
        self._before.clear()
        self._moving.clear()
        self._flash = None

    def show(self, image: np.ndarray, time_s: float) -> bool:
        """Whether the next frame (H, W, 3) u8 RGB begins another shot."""
        now = thumb(image).astype(np.float32)
        if not self._before:
            self._begun_s = time_s
        cut = bool(self._before) and self._cut(now, time_s)
        if cut:
            self._begun_s = time_s
        while self._before and time_s - self._before[0][0] > FLASH_S:
            self._before.popleft()
        self._before.append((time_s, now))
        return cut

    def _cut(self, now: np.ndarray, time_s: float) -> bool:
        last = self._before[-1][1]
        step = float(known.difference(now, last))
        most = max([known.FLOOR, *(change for at, change in self._moving if time_s - at <= known.AROUND_S)])
        if step >= known.MOVING:
            self._moving.append((time_s, step))
        if self._flash is not None:
            since, scene = self._flash
            if same_edges(scene, now, 2) >= SAME_EDGES:
                self._flash = None
            elif time_s - since > FLASH_S:
                self._flash = None
                return True
            return False
        if time_s - self._begun_s <= known.APART_S or step < max(known.LEAST, known.ALONE * most):
            return False
        if any(same_edges(picture, now, 2) >= SAME_EDGES for _, picture in self._before):
            return False
        if now[..., 0].mean() - last[..., 0].mean() > BRIGHTER:
            self._flash = time_s, last
            return False
        return True
