"""The drawing surface: an RGB picture, or the three planes of a 4:2:0 picture as encoders take them.

Points are in px of the picture, pixel centres at .5, whatever the resolution of the layer below. Drawing in the
encoder's own planes saves converting every pixel to RGB and back, which costs more than the drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

Colour = tuple[int, int, int]  # RGB
EDGE: Colour = (25, 25, 25)  # of marks that must be visible on any background
Ink = tuple[int, ...]  # a colour in one layer's own components

BITS = 4  # cv2 takes coordinates in 1/16 px, so that slow movements do not jump from pixel to pixel


class Patch(NamedTuple):
    """A small picture with opacity, to be put on canvases: (h, w, 3) f32 RGB times alpha; alpha (h, w, 1) in 0…1."""

    colour: np.ndarray
    alpha: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """(w, h)"""
        return self.alpha.shape[1], self.alpha.shape[0]


class Canvas:
    """Layers of one picture that are drawn on alike, in place.

    Args:
        layers: (h, w, 3) u8 RGB alone; or y (h, w), u and v (h/2, w/2) u8, limited range.
        weights: the weights of red and blue in luma; None for RGB.
    """

    def __init__(self, layers: Sequence[np.ndarray], weights: tuple[float, float] | None = None) -> None:
        self.layers = tuple(layers)
        self.weights = weights
        self.height, self.width = layers[0].shape[:2]
        self._steps = (1,) if weights is None else (1, 2, 2)  # picture px per layer px

    @classmethod
    def of(cls, picture: np.ndarray | Canvas) -> Canvas:
        """The canvas itself, or one on an RGB picture."""
        return picture if isinstance(picture, Canvas) else cls((picture,))

    @property
    def size_px(self) -> tuple[int, int]:
        return self.width, self.height

    def inks(self, colour: Colour) -> tuple[Ink, ...]:
        """The colour in each layer."""
        return (colour,) if self.weights is None else _yuv(colour, self.weights)

    def polygons(self, corners: np.ndarray, colours: Sequence[Colour]) -> None:
        """Filled convex polygons (n, k, 2), one after another."""
        for layer, step, inks in self._each(colours):
            for points, ink in zip(fixed(corners, step), inks, strict=True):
                cv2.fillConvexPoly(layer, points, ink, cv2.LINE_AA, BITS)

    def discs(self, at: np.ndarray, radii: np.ndarray, colours: Sequence[Colour]) -> None:
        """Filled circles at (n, 2) of radii (n,)."""
        for layer, step, inks in self._each(colours):
            sizes = np.maximum(np.rint((radii / step - 0.3) * (1 << BITS)), 1).astype(int).tolist()
            for point, radius, ink in zip(fixed(at, step).tolist(), sizes, inks, strict=True):
                cv2.circle(layer, point, radius, ink, -1, cv2.LINE_AA, BITS)

    def ring(self, at: np.ndarray, radius: float, width: float, colour: Colour) -> None:
        """A circle whose line of ``width`` ends at ``radius``."""
        for layer, step, inks in self._each([colour]):
            line = max(1, round(width / step))
            middle = max(round((radius / step - 0.5 * line) * (1 << BITS)), 1)
            cv2.circle(layer, fixed(at, step).tolist(), middle, inks[0], line, cv2.LINE_AA, BITS)

    def lines(self, paths: Sequence[np.ndarray], width: float, colours: Sequence[Colour], edge: float = 0.0) -> None:
        """Open lines (n, 2) of one width, one after another, each with a dark edge where ``edge`` is more than 0."""
        ends = np.cumsum([len(path) for path in paths])[:-1]
        together = np.concatenate(paths) if len(paths) else np.zeros((0, 2))
        below = self.inks(EDGE)[0]
        for layer, step, inks in self._each(colours):
            thick, thin = max(1, round((width + 2 * edge) / step)), max(1, round(width / step))
            for points, ink in zip(np.split(fixed(together, step), ends), inks, strict=bool(len(paths))):
                if edge > 0 and layer is self.layers[0]:
                    cv2.polylines(layer, [points], False, below, thick, cv2.LINE_AA, BITS)
                cv2.polylines(layer, [points], False, ink, thin, cv2.LINE_AA, BITS)

    def _each(self, colours: Sequence[Colour]) -> Iterator[tuple[np.ndarray, int, list[Ink]]]:
        """Each layer with its step and the colours in it. Edges are so dark that they are drawn in luma only."""
        inks = [self.inks(colour) for colour in colours]
        layers = self.layers[:1] if all(colour == EDGE for colour in colours) else self.layers
        for i, (layer, step) in enumerate(zip(layers, self._steps, strict=False)):
            yield layer, step, [ink[i] for ink in inks]

    def fill(self, x1: int, y1: int, x2: int, y2: int, colour: Colour) -> None:
        """A rectangle of whole px, its right and lower edges not included."""
        for layer, step, ink in zip(self.layers, self._steps, self.inks(colour), strict=True):
            rows, columns = _span(y1, y2, step, layer.shape[0]), _span(x1, x2, step, layer.shape[1])
            layer[rows, columns] = ink if len(ink) > 1 else ink[0]

    def frame(self, x1: int, y1: int, x2: int, y2: int, line: int, colour: Colour) -> None:
        """The lines around a rectangle."""
        for layer, step, inks in self._each([colour]):
            corners = (x1 // step, y1 // step), (x2 // step, y2 // step)
            cv2.rectangle(layer, *corners, inks[0], max(1, round(line / step)))

    def shade(self, x1: int, y1: int, x2: int, y2: int, colour: Colour, opacity: float) -> None:
        """A rectangle of a see-through colour."""
        for layer, step, ink in zip(self.layers, self._steps, self.inks(colour), strict=True):
            part = layer[_span(y1, y2, step, layer.shape[0]), _span(x1, x2, step, layer.shape[1])]
            if part.size:
                ground = np.empty_like(part)
                ground[:] = ink if len(ink) > 1 else ink[0]
                cv2.addWeighted(part, 1 - opacity, ground, opacity, 0, dst=ground)
                part[:] = ground

    def put(self, patch: Patch, x: int, y: int) -> None:
        """A patch with its top left corner at (x, y), which on planes becomes even; what is outside is cut off."""
        if self.weights is not None:
            x, y = x // 2 * 2, y // 2 * 2
        for layer, step, (colour, through) in zip(self.layers, self._steps, self._prepared(patch), strict=True):
            left, top = x // step, y // step
            h, w = through.shape[:2]
            if 0 <= left <= layer.shape[1] - w and 0 <= top <= layer.shape[0] - h:
                part = layer[top : top + h, left : left + w]
                np.add(part * through, colour, out=part, casting="unsafe")
                continue
            rows = slice(max(top, 0), min(top + h, layer.shape[0]))
            columns = slice(max(left, 0), min(left + w, layer.shape[1]))
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue
            inner = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
            part = layer[rows, columns]
            part[:] = part * through[inner] + colour[inner]

    def _prepared(self, patch: Patch) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        if self.weights is None:
            return ((patch.colour + 0.5, 1 - patch.alpha),)
        return _plane_patches(_Key(patch), self.weights)

    def part(self, x1: int, y1: int, x2: int, y2: int) -> Canvas:
        """A rectangle of even px as a canvas of its own, at whose border drawing ends."""
        return Canvas(self.parts(x1, y1, x2, y2), self.weights)

    def parts(self, x1: int, y1: int, x2: int, y2: int) -> list[np.ndarray]:
        """Views of a rectangle in each layer."""
        return [
            layer[_span(y1, y2, step, layer.shape[0]), _span(x1, x2, step, layer.shape[1])]
            for layer, step in zip(self.layers, self._steps, strict=True)
        ]

    def rgb(self) -> np.ndarray:
        """The picture (h, w, 3) u8 RGB: a copy where it is made of planes."""
        if self.weights is None:
            return self.layers[0]
        y, u, v = (layer.astype(np.float64) for layer in self.layers)
        y = (y - 16) / 219
        u, v = ((cv2.resize(c, self.size_px, interpolation=cv2.INTER_LINEAR) - 128) / 224 for c in (u, v))
        kr, kb = self.weights
        red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
        green = (y - kr * red - kb * blue) / (1 - kr - kb)
        return np.clip(255 * np.stack([red, green, blue], -1) + 0.5, 0, 255).astype(np.uint8)


def fixed(points: np.ndarray, step: int = 1) -> np.ndarray:
    """Points in px, pixel centres at .5, as cv2's fixed-point integers, pixel centres at 0; ``step`` picture px per
    layer px."""
    return np.rint(points * ((1 << BITS) / step) - (1 << BITS) / 2).astype(np.int32)


def to_yuv(rgb: np.ndarray, weights: tuple[float, float]) -> np.ndarray:
    """RGB (…, 3) in 0…255 as Y, U, V of limited range, without the offsets 16, 128, 128."""
    kr, kb = weights
    red, green, blue = (rgb[..., i] / 255 for i in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    return np.stack([219 * luma, 112 * (blue - luma) / (1 - kb), 112 * (red - luma) / (1 - kr)], -1)


@lru_cache(maxsize=4096)
def _yuv(colour: Colour, weights: tuple[float, float]) -> tuple[Ink, ...]:
    levels = to_yuv(np.array(colour, np.float64), weights) + np.array([16, 128, 128])
    y, u, v = levels.round().astype(int).tolist()
    return (y,), (u,), (v,)


class _Key:
    """A patch as the key of a cache, by identity: patches are made once and kept."""

    def __init__(self, patch: Patch) -> None:
        self.patch = patch

    def __hash__(self) -> int:
        return id(self.patch.alpha)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.patch.alpha is self.patch.alpha


@lru_cache(maxsize=2048)
def _plane_patches(key: _Key, weights: tuple[float, float]) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The added colour (with half a level, for rounding) and the transparency of each plane; means over 2 × 2 px."""
    colour, alpha = key.patch
    odd = ((0, alpha.shape[0] % 2), (0, alpha.shape[1] % 2), (0, 0))
    colour, alpha = np.pad(colour, odd), np.pad(alpha, odd)[..., 0]
    yuv = to_yuv(colour, weights)  # the conversion is linear, so premultiplied colours may be converted
    small = cv2.resize(alpha, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    out = [((yuv[..., 0] + 16 * alpha + 0.5).astype(np.float32), 1 - alpha)]
    for i in (1, 2):
        half = cv2.resize(yuv[..., i].astype(np.float32), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        out.append((half + 128 * small + 0.5, 1 - small))
    return tuple(out)


def _span(low: int, high: int, step: int, length: int) -> slice:
    """The px [low, high) of the picture in a layer, cut to it."""
    return slice(min(max(low // step, 0), length), min(max(-(-high // step), 0), length))
