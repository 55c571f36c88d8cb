"""Places of labels: near the named person, inside the picture, and where possible beside labels already placed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from pipeline.render.draw.canvas import Canvas, Patch

_KEEP = 0.35  # share of a label's area that may be covered before the label leaves its place of the last frame


class Placer:
    """Places labels of one video. A label placed in a frame is not moved for later ones; `start` begins a frame."""

    def __init__(self) -> None:
        self._taken: list[tuple[int, int, int, int]] = []
        self._before: dict[Hashable, int] = {}
        self._now: dict[Hashable, int] = {}

    def start(self, taken: Sequence[tuple[int, int, int, int]] = ()) -> None:
        """Begin the next frame, in which these rectangles are taken: x1, y1, x2, y2."""
        self._taken, self._before, self._now = list(taken), self._now, {}

    def put(self, canvas: Canvas, patch: Patch, places: Sequence[tuple[float, float]], key: Hashable) -> bool:
        """Put the patch's top left corner at the best of some places, the preferred first; False: patch too large.

        The patch keeps its place of the last frame while that place is free enough, so that labels do not jump.
        """
        width, height = patch.size
        if width > canvas.width or height > canvas.height:
            return False
        room = np.array([canvas.width - width, canvas.height - height])
        spots = np.clip(np.rint(np.array(places)), 0, room).astype(int)
        covered = self._covered(spots, width, height)
        last = self._before.get(key)
        if last is not None and last < len(spots) and covered[last] <= _KEEP * min(1.0, 0.3 + covered[0]):
            best = last
        else:
            best = int(np.argmin(covered + 0.02 * np.arange(len(spots))))
        self._now[key] = best
        x, y = spots[best].tolist()
        self._taken.append((x, y, x + width, y + height))
        canvas.put(patch, x, y)
        return True

    def _covered(self, spots: np.ndarray, width: int, height: int) -> np.ndarray:
        """Share (n,) of a label's area that is taken, at each of the spots (n, 2)."""
        if not self._taken:
            return np.zeros(len(spots))
        taken, low = np.array(self._taken), spots[:, None]
        overlap = np.minimum(low + np.array([width, height]), taken[:, 2:]) - np.maximum(low, taken[:, :2])
        return np.maximum(overlap, 0).prod(2).sum(1) / (width * height)
