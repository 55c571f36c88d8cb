"""Small pictures in the picture: everybody's path on the floor from above, and skeletons in space."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.render.draw.canvas import Canvas, Colour
from pipeline.render.draw.colours import GRID, OUTLINE, OWN, PALE, PANEL, Palette
from pipeline.render.draw.text import word

_SIDE, _SIDE_UPRIGHT = 0.30, 0.36  # of the picture's shorter side
_OPACITY = 0.78
_LEAST_PERSON = 0.26  # of the panel: smaller people in space are enlarged to this height
_PERSON_M = 1.7
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

    ``heights_m`` (N,) are heights of joints such as shoulders: the space reaches half a metre above them.
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


def corners(size_px: tuple[int, int]) -> tuple[Box, ...]:
    """The even px of insets in the corners of a picture: lower right, upper right, upper left, lower left."""
    width, height = size_px
    side = 2 * round(min(size_px) * (_SIDE if width >= height else _SIDE_UPRIGHT) / 2)
    gap = 2 * round(0.012 * min(size_px))
    right, lower = (width - gap - side) // 2 * 2, (height - gap - side) // 2 * 2
    return tuple((x, y, x + side, y + side) for x, y in ((right, lower), (right, gap), (gap, gap), (gap, lower)))


def emptiest(boxes: Sequence[Box], people_px: np.ndarray) -> list[int]:
    """The indices of ``boxes``, the least covered by the boxes (N, 4) px of people first; ties keep their order."""
    people_px = people_px[np.isfinite(people_px).all(1)]
    covered = []
    for box in np.array(boxes, np.float64):
        common = np.minimum(people_px[:, 2:], box[2:]) - np.maximum(people_px[:, :2], box[:2])
        area = np.maximum(common, 0).prod(1).sum() / (box[2:] - box[:2]).prod()
        covered.append(round(float(area) / max(len(people_px), 1), 2))
    return sorted(range(len(boxes)), key=lambda i: (covered[i], i))


class FloorInset:
    """The floor from above, far places on top: a dot for each person, and the person's path of the last seconds."""

    def __init__(
        self, box: Box, extent: Extent, trail_s: float, pitch: Sequence[np.ndarray] = (), colours: Palette = OWN
    ) -> None:
        """``pitch``: the lines (N, 2) m of the pitch."""
        self._box, self._extent, self._trail_s = box, extent, max(trail_s, 2.0)
        self._pitch, self._colours = pitch, colours
        self._ways: dict[int, deque[tuple[float, np.ndarray]]] = {}

    def draw(self, canvas: Canvas, time_s: float, places_m: dict[int, np.ndarray]) -> None:
        """Draw people at places (2,) m, x to the right and y away."""
        canvas, side = _panel(canvas, self._box)
        x_lines, y_lines = self._extent.lines()
        low, high, _ = self._extent
        grid = [np.array([(x, low[1]), (x, high[1])]) for x in x_lines]
        grid += [np.array([(low[0], y), (high[0], y)]) for y in y_lines]
        canvas.lines([self._px(line, side) for line in grid], _grid_line(side), [GRID] * len(grid))
        canvas.lines([self._px(line, side) for line in self._pitch], _grid_line(side), [PALE] * len(self._pitch))
        for person_id, place in places_m.items():
            if np.isfinite(place).all():
                self._ways.setdefault(person_id, deque()).append((time_s, place))
        for person_id, way in list(self._ways.items()):
            while way and time_s - way[0][0] > self._trail_s:
                way.popleft()
            if not way:
                del self._ways[person_id]
                continue
            path = self._px(np.array([place for _, place in way]), side)
            if len(path) > 1:
                canvas.lines([path], max(0.009 * side, 1), [self._colours.of(person_id)])
        for person_id, place in places_m.items():
            if self._inside(place):
                at, radius = self._px(place[None], side).repeat(2, 0), max(0.026 * side, 3.0)
                radii = np.array([radius + max(0.006 * side, 1), radius])
                canvas.discs(at, radii, [OUTLINE, self._colours.of(person_id)])
        _scale_bar(canvas, f"{self._extent.step_m:g} m")

    def _px(self, places_m: np.ndarray, side: int) -> np.ndarray:
        low, high, _ = self._extent
        share = (np.clip(places_m, low - 1e3, high + 1e3) - low) / (high - low)
        return np.stack([share[:, 0], 1 - share[:, 1]], 1) * side

    def _inside(self, place: np.ndarray) -> bool:
        with np.errstate(invalid="ignore"):
            return bool((place >= self._extent.low).all() and (place <= self._extent.high).all())


class SpaceInset:
    """Skeletons in space above a floor, seen by a camera that goes slowly to and fro.

    On a wide floor, where people would be specks, the people are enlarged, each at the person's place.
    """

    def __init__(self, box: Box, extent: Extent, limbs: Sequence[tuple[int, int]]) -> None:
        self._box, self._extent, self._limbs = box, extent, limbs
        span, side = float((extent.high - extent.low).max()), box[2] - box[0]
        # The floor's turned square and people on it fit the panel.
        floor = 1.44 * span * np.sin(np.radians(_TILT_DEG))
        self._scale = min(side / (1.25 * span), 0.94 * side / (floor + extent.top))
        self._larger = 1.0
        if _PERSON_M * self._scale < _LEAST_PERSON * side:
            room = (0.94 - _LEAST_PERSON) * side / (floor + extent.top - _PERSON_M)
            self._scale = min(side / (1.25 * span), room)
            self._larger = max(_LEAST_PERSON * side / (_PERSON_M * self._scale), 1.0)
        self._middle_m = (extent.top + (self._larger - 1) * _PERSON_M) / 2

    def draw(
        self, canvas: Canvas, time_s: float, people: list[tuple[np.ndarray, dict[int, Colour], Sequence[int]]]
    ) -> None:
        """Draw people: joints (J, 3) m, z up; the colours of sides; the side of each limb."""
        canvas, side = _panel(canvas, self._box)
        turn = np.radians(_SWAY_DEG) * np.cos(2 * np.pi * time_s / _SWAY_S)
        low, high, _ = self._extent
        x_lines, y_lines = self._extent.lines()
        grid = [np.array([(x, low[1], 0), (x, high[1], 0)]) for x in x_lines]
        grid += [np.array([(low[0], y, 0), (high[0], y, 0)]) for y in y_lines]
        canvas.lines([self._px(line, turn)[0] for line in grid], _grid_line(side), [GRID] * len(grid))
        width = max(0.045 * _PERSON_M * self._larger * self._scale, 1.0)
        drawn = []
        for joints, colours, sides in people:
            at, depth = self._px(self._enlarged(joints), turn)
            for (a, b), limb_side in zip(self._limbs, sides, strict=True):
                if np.isfinite(at[[a, b]]).all():
                    drawn.append((depth[a] + depth[b], at[[a, b]], colours[limb_side]))
        drawn.sort(key=lambda item: -item[0])
        paths = [np.clip(line, -10 * side, 10 * side) for _, line, _ in drawn]
        canvas.lines(paths, width, [colour for _, _, colour in drawn], edge=max(0.003 * side, 0.8))
        _scale_bar(canvas, f"{self._extent.step_m:g} m")

    def _px(self, places: np.ndarray, turn: float) -> tuple[np.ndarray, np.ndarray]:
        """Places (N, 3) m as px (N, 2), and their distances from the viewer."""
        middle, half = (self._extent.low + self._extent.high) / 2, (self._box[2] - self._box[0]) / 2
        x, y = places[:, 0] - middle[0], places[:, 1] - middle[1]
        across, away = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
        tilt = np.radians(_TILT_DEG)
        up = places[:, 2] * np.cos(tilt) + away * np.sin(tilt)
        return np.stack([half + across * self._scale, half - (up - self._middle_m) * self._scale], 1), away

    def _enlarged(self, joints: np.ndarray) -> np.ndarray:
        """Joints (J, 3) m scaled up about the place below their middle, at the height of the lowest joint."""
        known = joints[np.isfinite(joints).all(1)]
        if not len(known):
            return joints
        foot = np.array([*known[:, :2].mean(0), known[:, 2].min()])
        return foot + self._larger * (joints - foot)


def _panel(canvas: Canvas, box: Box) -> tuple[Canvas, int]:
    """The inset as a canvas of its own, and its side px."""
    line = max(round(0.006 * (box[2] - box[0])), 2)
    canvas.shade(*box, PANEL, _OPACITY)
    canvas.frame(*box, line, GRID)
    return canvas.part(*box), box[2] - box[0]


def _grid_line(side: int) -> int:
    return max(round(0.004 * side), 1)


def _scale_bar(canvas: Canvas, text: str) -> None:
    """What a square of the grid measures, in the lower left corner."""
    height = max(round(0.085 * canvas.height), 12)
    canvas.put(word(f"▦ {text}", height, PALE, PANEL), height // 2, canvas.height - height - height // 4)
