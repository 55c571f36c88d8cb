"""Trails: the path of people's feet in the picture over the last seconds."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np

from pipeline.core.homography import STILL, moved
from pipeline.render.draw.canvas import Canvas
from pipeline.render.draw.colours import OUTLINE, OWN, Palette
from pipeline.render.draw.figure import Person

_PIECES = 4  # pieces of a trail; older pieces are thinner and darker
_BREAK_S = 0.5  # longer absences interrupt a trail
_WIDTH = 0.0038  # of the picture's shorter side


class Trails:
    """Everybody's path over the last ``length_s`` seconds, moved with the camera."""

    def __init__(self, length_s: float, colours: Palette = OWN) -> None:
        self._length_s, self._colours = length_s, colours
        self._ways: dict[int, deque[tuple[float, np.ndarray]]] = {}

    def add(self, time_s: float, people: list[Person], motion: np.ndarray, scale: np.ndarray) -> None:
        """Add a frame: ``motion`` is the camera's motion into it in source px, ``scale`` (2,) our px per source px."""
        still = np.array_equal(motion, STILL)
        for person_id, way in list(self._ways.items()):
            while way and time_s - way[0][0] > self._length_s:
                way.popleft()
            if not way:
                del self._ways[person_id]
            elif not still:  # what is behind the camera now is gone
                carried = ((t, moved(at / scale, motion) * scale) for t, at in way)
                self._ways[person_id] = deque((t, at) for t, at in carried if np.isfinite(at).all())
                if not self._ways[person_id]:
                    del self._ways[person_id]
        for person in people:
            if np.isfinite(person.box_px).all():
                x1, _, x2, y2 = person.box_px.astype(np.float64)
                self._ways.setdefault(person.person_id, deque()).append((time_s, np.array([(x1 + x2) / 2, y2])))

    def draw(self, canvas: Canvas) -> None:
        """Draw all paths, also those of people who have just left."""
        width = max(_WIDTH * min(canvas.size_px), 1.5)
        for person_id, way in self._ways.items():
            pieces = self._pieces(way)
            sizes = [max(width * (1 - 0.6 * age), 1.0) for _, age in pieces]
            for (path, _), size in zip(pieces, sizes, strict=True):  # edges go below all pieces, so that pieces join
                canvas.lines([path], size + 2, [OUTLINE])
            for (path, age), size in zip(pieces, sizes, strict=True):
                red, green, blue = (int(c * (1 - 0.5 * age)) for c in self._colours.of(person_id))
                canvas.lines([path], size, [(red, green, blue)])

    def _pieces(self, way: deque[tuple[float, np.ndarray]]) -> list[tuple[np.ndarray, float]]:
        """(path (n, 2), age 0…1) of the pieces of a trail, the oldest first."""
        times, points = np.array([t for t, _ in way]), np.array([at for _, at in way])
        breaks = np.flatnonzero(np.diff(times) > _BREAK_S) + 1
        points = np.concatenate([_smooth(part) for part in np.split(points, breaks)])
        cuts = {0, len(times), *breaks.tolist()}
        ages = np.linspace(times[-1] - self._length_s, times[-1], _PIECES + 1)[1:-1]
        soft = set(np.searchsorted(times, ages).tolist())
        out, edges = [], sorted(cuts | soft)
        for a, b in pairwise(edges):
            path = points[a : b + (b not in cuts)]  # pieces meet, unless the trail is interrupted there
            if len(path) > 1:
                out.append((path, float(min((times[-1] - times[b - 1]) / self._length_s, 1.0))))
        return out


def _smooth(points: np.ndarray) -> np.ndarray:
    """A mean over five points, which removes the jitter of boxes; the ends are kept."""
    if len(points) < 5:
        return points
    padded = np.concatenate([points[:1], points[:1], points, points[-1:], points[-1:]])
    return sum((padded[i : i + len(points)] for i in range(5)), np.zeros_like(points)) / 5
