"""Where labels go: each near what it names, in the picture, and beside those already placed where there is room."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from pipeline.draw.canvas import Canvas, Patch

_KEEP = 0.35  # overlap that a label bears, as a share of its area, before it leaves the place it had in the last frame


class Placer:
    """Places labels of one video. What is placed first in a frame keeps its place; `start` begins a frame."""

    def __init__(self) -> None:
        self._taken: list[tuple[float, float, float, float]] = []
        self._before: dict[Hashable, int] = {}
        self._now: dict[Hashable, int] = {}

    def start(self, taken: Sequence[tuple[int, int, int, int]] = ()) -> None:
        """Begin the next frame, in which these rectangles are taken: x1, y1, x2, y2."""
        self._taken, self._before, self._now = [(a, b, c, d) for a, b, c, d in taken], self._now, {}

    def take(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """Say that something else is there."""
        self._taken.append((x1, y1, x2, y2))

    def put(self, canvas: Canvas, patch: Patch, places: Sequence[tuple[float, float]], key: Hashable) -> bool:
        """Put the patch at the best of some places of its top left corner, the preferred first; False: too large.

        The place it had in the last frame is kept while it is free enough, so that labels do not jump.
        """
        width, height = patch.size
        if width > canvas.width or height > canvas.height:
            return False
        spots = [
            (min(max(round(x), 0), canvas.width - width), min(max(round(y), 0), canvas.height - height))
            for x, y in places
        ]
        covered = [self._covered(x, y, width, height) for x, y in spots]
        last = self._before.get(key)
        if last is not None and last < len(spots) and covered[last] <= _KEEP * min(1.0, 0.3 + covered[0]):
            best = last
        else:
            best = int(np.argmin(np.array(covered) + 0.02 * np.arange(len(spots))))
        self._now[key] = best
        x, y = spots[best]
        self.take(x, y, x + width, y + height)
        canvas.put(patch, x, y)
        return True

    def _covered(self, x: float, y: float, width: float, height: float) -> float:
        """Share of a label's area that is taken."""
        total = 0.0
        for x1, y1, x2, y2 in self._taken:
            w, h = min(x + width, x2) - max(x, x1), min(y + height, y2) - max(y, y1)
            if w > 0 and h > 0:
                total += w * h
        return total / (width * height)
