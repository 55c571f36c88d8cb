"""Small pictures in the picture: everybody's way on the floor from above, and skeletons in space."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.draw.canvas import Canvas, Colour
from pipeline.draw.colours import GRID, OUTLINE, PALE, PANEL, person_colour
from pipeline.draw.text import word

_SIDE, _SIDE_UPRIGHT = 0.30, 0.36  # of the picture's shorter side
_OPACITY = 0.78
_STEPS_M = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_MOST_LINES = 8  # of the grid, across
_SWAY_DEG, _SWAY_S, _TILT_DEG = 40.0, 14.0, 16.0  # the camera of the space inset goes to and fro

Box = tuple[int, int, int, int]


class Extent(NamedTuple):
    """The part of the floor that an inset shows, m, and how high the space above it is."""

    low: np.ndarray  # (2,)
    high: np.ndarray  # (2,)
    top: float = 2.0

    @property
    def step_m(self) -> float:
        """Distance of grid lines."""
        longest = float((self.high - self.low).max())
        return next((s for s in _STEPS_M if longest / s <= _MOST_LINES), _STEPS_M[-1])

    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Where grid lines are, along x and along y."""
        low = np.ceil(self.low / self.step_m - 1e-6).astype(int)
        high = np.floor(self.high / self.step_m + 1e-6).astype(int)
        return tuple(np.arange(a, b + 1) * self.step_m for a, b in zip(low, high, strict=True))  # type: ignore[return-value]


def extent_of(places_m: np.ndarray, heights_m: np.ndarray) -> Extent | None:
    """The floor around places (N, 2) m, square, without the few that lie far off; None without any.

    ``heights_m`` (N,) are those of shoulders, say: the space reaches half a metre above them.
    """
    places_m = places_m[np.isfinite(places_m).all(1)]
    if not len(places_m):
        return None
    low, high = np.percentile(places_m, [5, 95], axis=0)
    side = max(float((high - low).max()) * 1.3, 2.0)
    middle = (low + high) / 2
    heights_m = heights_m[np.isfinite(heights_m)]
    top = float(np.percentile(heights_m, 98)) + 0.5 if len(heights_m) else 2.0
    return Extent(middle - side / 2, middle + side / 2, max(top, 2.0))


def corner(size_px: tuple[int, int], place: int) -> Box:
    """The even px of inset ``place``: 0 in the lower right corner, 1 in the upper right one."""
    width, height = size_px
    side = 2 * round(min(size_px) * (_SIDE if width >= height else _SIDE_UPRIGHT) / 2)
    gap = 2 * round(0.012 * min(size_px))
    x = (width - gap - side) // 2 * 2
    y = (height - gap - side) // 2 * 2 if place == 0 else gap
    return x, y, x + side, y + side


class FloorInset:
    """The floor from above, what is far on top: a dot for everybody there, and their way of the last seconds."""

    def __init__(self, box: Box, extent: Extent, trail_s: float) -> None:
        self._box, self._extent, self._trail_s = box, extent, max(trail_s, 2.0)
        self._ways: dict[int, deque[tuple[float, np.ndarray]]] = {}

    def draw(self, canvas: Canvas, time_s: float, places_m: dict[int, np.ndarray]) -> None:
        """Draw people at places (2,) m, x to the right and y away."""
        _panel(canvas, self._box)
        x_lines, y_lines = self._extent.lines()
        low, high, _ = self._extent
        grid = [np.array([(x, low[1]), (x, high[1])]) for x in x_lines]
        grid += [np.array([(low[0], y), (high[0], y)]) for y in y_lines]
        canvas.lines([self._px(line) for line in grid], 1, [GRID] * len(grid))
        side = self._box[2] - self._box[0]
        for person_id, place in places_m.items():
            if np.isfinite(place).all():
                self._ways.setdefault(person_id, deque()).append((time_s, place))
        for person_id, way in list(self._ways.items()):
            while way and time_s - way[0][0] > self._trail_s:
                way.popleft()
            if not way:
                del self._ways[person_id]
                continue
            path = self._px(np.array([place for _, place in way]))
            if len(path) > 1:
                canvas.lines([path], max(0.009 * side, 1), [person_colour(person_id)])
        for person_id, place in places_m.items():
            if self._inside(place):
                at, radius = self._px(place[None]).repeat(2, 0), max(0.026 * side, 3.0)
                radii = np.array([radius + max(0.006 * side, 1), radius])
                canvas.discs(at, radii, [OUTLINE, person_colour(person_id)])
        _scale_bar(canvas, self._box, f"{self._extent.step_m:g} m")

    def _px(self, places_m: np.ndarray) -> np.ndarray:
        x1, y1, x2, y2 = self._box
        share = (np.clip(places_m, self._extent.low, self._extent.high) - self._extent.low) / (
            self._extent.high - self._extent.low
        )
        return np.stack([x1 + share[:, 0] * (x2 - x1), y2 - share[:, 1] * (y2 - y1)], 1)

    def _inside(self, place: np.ndarray) -> bool:
        with np.errstate(invalid="ignore"):
            return bool((place >= self._extent.low).all() and (place <= self._extent.high).all())


class SpaceInset:
    """Skeletons in space above a floor, seen by a camera that goes slowly to and fro."""

    def __init__(self, box: Box, extent: Extent, limbs: Sequence[tuple[int, int]]) -> None:
        self._box, self._extent, self._limbs = box, extent, limbs

    def draw(
        self, canvas: Canvas, time_s: float, people: list[tuple[np.ndarray, dict[int, Colour], Sequence[int]]]
    ) -> None:
        """Draw people: joints (J, 3) m, z up; the colours of sides; the side of each limb."""
        _panel(canvas, self._box)
        turn = np.radians(_SWAY_DEG) * np.cos(2 * np.pi * time_s / _SWAY_S)
        low, high, _ = self._extent
        x_lines, y_lines = self._extent.lines()
        grid = [np.array([(x, low[1], 0), (x, high[1], 0)]) for x in x_lines]
        grid += [np.array([(low[0], y, 0), (high[0], y, 0)]) for y in y_lines]
        canvas.lines([self._px(line, turn)[0] for line in grid], 1, [GRID] * len(grid))
        side = self._box[2] - self._box[0]
        width = max(0.012 * side * min(1.0, 4.0 / float((high - low).max()) + 0.35), 1.0)
        drawn = []
        for joints, colours, sides in people:
            at, depth = self._px(joints, turn)
            for (a, b), limb_side in zip(self._limbs, sides, strict=True):
                if np.isfinite(at[[a, b]]).all():
                    drawn.append((depth[a] + depth[b], at[[a, b]], colours[limb_side]))
        drawn.sort(key=lambda item: -item[0])
        paths = [np.clip(line, self._box[:2], self._box[2:]) for _, line, _ in drawn]
        canvas.lines(paths, width, [colour for _, _, colour in drawn], edge=0.8)
        _scale_bar(canvas, self._box, f"{self._extent.step_m:g} m")

    def _px(self, places: np.ndarray, turn: float) -> tuple[np.ndarray, np.ndarray]:
        """Places (N, 3) m as px (N, 2), and how far away they are."""
        low, high, top = self._extent
        span = float((high - low).max())
        middle = (low + high) / 2
        x, y = places[:, 0] - middle[0], places[:, 1] - middle[1]
        across, away = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
        tilt = np.radians(_TILT_DEG)
        up = places[:, 2] * np.cos(tilt) + away * np.sin(tilt)
        x1, y1, x2, y2 = self._box
        # The floor's turned square and people on it fit the panel.
        least, most = -0.72 * span * np.sin(tilt), 0.72 * span * np.sin(tilt) + top
        scale = min((x2 - x1) / (1.25 * span), 0.94 * (y2 - y1) / (most - least))
        centre = (least + most) / 2
        return np.stack([(x1 + x2) / 2 + across * scale, (y1 + y2) / 2 - (up - centre) * scale], 1), away


def _panel(canvas: Canvas, box: Box) -> None:
    canvas.shade(*box, PANEL, _OPACITY)
    canvas.frame(*box, 2, GRID)


def _scale_bar(canvas: Canvas, box: Box, text: str) -> None:
    """What a square of the grid measures, in the lower left corner."""
    height = max(round(0.085 * (box[2] - box[0])), 12)
    patch = word(f"▦ {text}", height, PALE, PANEL)
    canvas.put(patch, box[0] + height // 2, box[3] - height - height // 4)
