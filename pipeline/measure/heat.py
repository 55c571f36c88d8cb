"""Where people were: seconds per cell of the floor in metres, or of the picture in px, as a table and a picture.

People come one by one, and only the cells that somebody stood in are kept, so memory does not grow with the video.
"""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from pipeline.core.pitches import PITCHES
from pipeline.core.settings import Ground
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.measure.scale import row_seconds
from pipeline.measure.stance import stand_px
from pipeline.store.atomic import atomic
from pipeline.store.checked import CHECKED_PAGES

FILES = ("heatmap.png", "heatmap.csv", "heatmap.parquet")
_FINE = {"m": 0.1, "px": 4.0}  # side of the cells in which seconds are gathered
_COARSER = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # factors on that side for the cells that are shown
_MOST_CELLS = 100  # cells shown along the longer side, at most
_SIDE_PX, _LEAST_PX = 900, 120  # longer side of the map in the picture, and least length of the shorter side
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 130, 50, 70  # margins, px
_INK, _GREY, _ZONE, _PITCH = (40, 40, 40), (225, 225, 225), (160, 110, 0), (90, 140, 60)  # BGR
_FONT = cv2.FONT_HERSHEY_SIMPLEX

Extent = tuple[float, float, float, float]  # x1, y1, x2, y2


class Heat:
    """Seconds that people stood in each cell.

    Args:
        ground: the floor, on which cells are in metres; None: cells are px of the picture.
        size_px: (w, h) of the video.
    """

    def __init__(self, ground: Ground | None, size_px: tuple[int, int]) -> None:
        self.unit = "m" if ground is not None else "px"
        self.zones = {} if ground is None else ground.zones
        self.lines = PITCHES[ground.pitch].lines if ground is not None and ground.pitch else ()
        self._size_px = size_px
        self._seconds: dict[tuple[int, int], float] = defaultdict(float)

    def add(self, motion: Motion, skeleton: Skeleton, columns: Mapping[str, np.ndarray] | None = None) -> None:
        """Add a person. On a floor ``columns`` are those of `ground_columns`, by default ``motion.quantities``."""
        if self.unit == "px":
            place = stand_px(motion, skeleton, self._size_px)
            place[((place < 0) | (place >= self._size_px)).any(1)] = np.nan
        else:
            columns = motion.quantities if columns is None else columns
            place = np.stack([columns["ground_x_m"], columns["ground_y_m"]], 1).astype(np.float64)
        spent = row_seconds(motion.time_s, np.isfinite(place).all(1))
        rows = spent > 0
        cells, which = np.unique(np.floor(place[rows] / _FINE[self.unit]).astype(np.int64), axis=0, return_inverse=True)
        for (x, y), s in zip(cells.tolist(), np.bincount(which.ravel(), spent[rows], len(cells)), strict=True):
            self._seconds[x, y] += float(s)

    def cells(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Cells where people were, by rows and columns: their centres (N, 2), their seconds (N,), and their side."""
        if not self._seconds:
            return np.zeros((0, 2)), np.zeros(0), _FINE[self.unit]
        fine = np.array([*self._seconds], np.int64)
        seconds = np.array(list(self._seconds.values()))
        x1, y1, x2, y2 = self._extent(fine)
        longer = max(x2 - x1, y2 - y1) / _FINE[self.unit]
        times = next((c for c in _COARSER if longer / c <= _MOST_CELLS), _COARSER[-1])
        cells, which = np.unique(fine[:, ::-1] // times, axis=0, return_inverse=True)
        side = _FINE[self.unit] * times
        return (cells[:, ::-1] + 0.5) * side, np.bincount(which.ravel(), seconds, len(cells)), side

    def write(self, folder: Path) -> list[Path]:
        """Write `FILES` into ``folder`` and return their paths; none, and old ones deleted, where nobody was seen."""
        paths = [folder / name for name in FILES]
        if not self._seconds:
            for path in paths:
                path.unlink(missing_ok=True)
            return []
        centre, seconds, side = self.cells()
        names = [f"x_{self.unit}", f"y_{self.unit}", "time_s"]
        units = dict(zip(names, (self.unit, self.unit, "s"), strict=True))
        fields = [pa.field(name, pa.float64(), metadata={"unit": unit}) for name, unit in units.items()]
        schema = pa.schema(fields, metadata={f"cell_{self.unit}": f"{side:g}"})
        table = pa.table([centre[:, 0].round(6), centre[:, 1].round(6), seconds.round(6)], schema=schema)
        with atomic(paths[0]) as temporary:
            temporary.write_bytes(cv2.imencode(".png", self.picture())[1].tobytes())
        with atomic(paths[1]) as temporary, open(temporary, "wb") as sink:
            sink.write((",".join(names) + "\n").encode())
            pc.write_csv(table, sink, pc.WriteOptions(include_header=False))
        with atomic(paths[2]) as temporary:
            pq.write_table(table, temporary, compression="zstd", **CHECKED_PAGES)
        return paths

    def picture(self) -> np.ndarray:
        """(H, W, 3) u8 BGR: the cells, axes, the zones' outlines, and a scale in seconds. Metres rise upwards."""
        centre, seconds, side = self.cells()
        extent = self._extent(np.array([*self._seconds] or [(0, 0)], np.int64))
        frame = _Frame(extent, upwards=self.unit == "m")
        image = np.full((frame.h + _TOP + _BOTTOM, frame.w + _LEFT + _RIGHT, 3), 255, np.uint8)
        _grid(image, frame, self.unit)
        most = float(seconds.max(initial=0.0))
        for place, colour in zip(centre, _colours(seconds / max(most, 1e-12)), strict=True):
            a, b = frame.at(place - side / 2), frame.at(place + side / 2)
            low, high = np.minimum(a, b), np.maximum(a, b)
            cv2.rectangle(image, tuple(low.tolist()), tuple((high - 1).tolist()), colour, -1)
        for line in self.lines:
            cv2.polylines(image, [np.array([frame.at(np.array(p)) for p in line])], False, _PITCH, 1, cv2.LINE_AA)
        for name, polygon in self.zones.items():
            corners = np.array([frame.at(np.array(p)) for p in polygon])
            cv2.polylines(image, [corners], True, _ZONE, 2, cv2.LINE_AA)
            _text(image, name, corners.mean(0), "middle", _ZONE)
        cv2.rectangle(image, (_LEFT, _TOP), (_LEFT + frame.w, _TOP + frame.h), _INK, 1)
        _scale(image, frame, most, side, self.unit)
        return image

    def _extent(self, fine: np.ndarray) -> Extent:
        """The area shown: the whole picture, or all cells and zones with a little room."""
        if self.unit == "px":
            return (0.0, 0.0, float(self._size_px[0]), float(self._size_px[1]))
        side = _FINE[self.unit]
        points = np.concatenate([fine * side, (fine + 1) * side, *map(np.array, (*self.zones.values(), *self.lines))])
        low, high = points.min(0), points.max(0)
        room = max(0.05 * float((high - low).max()), 0.5)
        return (*(low - room).tolist(), *(high + room).tolist())  # type: ignore[return-value]


class _Frame:
    """Where places are drawn: the same scale along both axes, y up or down."""

    def __init__(self, extent: Extent, upwards: bool) -> None:
        self.extent, self.upwards = extent, upwards
        size = np.array([extent[2] - extent[0], extent[3] - extent[1]])
        self.per_unit = _SIDE_PX / float(size.max())
        self.w, self.h = (max(round(float(s) * self.per_unit), _LEAST_PX) for s in size)

    def at(self, place: np.ndarray) -> np.ndarray:
        """(2,) i32 pixel of a place (2,)."""
        x, y = (np.asarray(place) - self.extent[:2]) * self.per_unit
        return np.array([_LEFT + round(x), _TOP + (self.h - round(y) if self.upwards else round(y))], np.int32)


def _grid(image: np.ndarray, frame: _Frame, unit: str) -> None:
    """Thin lines at round values, and the values along the axes."""
    x1, y1, x2, y2 = frame.extent
    step = _round_step(max(x2 - x1, y2 - y1) / 8)
    bottom, right = _TOP + frame.h, _LEFT + frame.w
    for value in np.arange(math.ceil(x1 / step), math.floor(x2 / step) + 1) * step:
        x = int(frame.at(np.array([value, y1]))[0])
        cv2.line(image, (x, _TOP), (x, bottom), _GREY, 1)
        _text(image, f"{value:g}", (x, bottom + 16), "middle")
    for value in np.arange(math.ceil(y1 / step), math.floor(y2 / step) + 1) * step:
        y = int(frame.at(np.array([x1, value]))[1])
        cv2.line(image, (_LEFT, y), (right, y), _GREY, 1)
        _text(image, f"{value:g}", (_LEFT - 8, y), "right")
    _text(image, f"x, {unit}", ((_LEFT + right) // 2, bottom + 45), "middle")
    _text(image, f"y, {unit}", (8, _TOP - 20), "left")


def _scale(image: np.ndarray, frame: _Frame, most: float, side: float, unit: str) -> None:
    """The colours' meaning: a bar whose length is the square root of the seconds, as the colours are."""
    x, height = _LEFT + frame.w + 30, frame.h
    shares = np.square(np.linspace(1, 0, height))
    image[_TOP : _TOP + height, x : x + 18] = np.array(_colours(shares), np.uint8)[:, None]
    cv2.rectangle(image, (x, _TOP), (x + 18, _TOP + height), _INK, 1)
    for share in (0.0, 0.0625, 0.25, 0.5625, 1.0):
        y = _TOP + round((1 - math.sqrt(share)) * height)
        _text(image, f"{share * most:.3g}", (x + 26, y), "left")
    _text(image, f"s in {side:g} {unit} x {side:g} {unit}", (image.shape[1] - 8, _TOP - 20), "right")


def _colours(share: np.ndarray) -> list[tuple[int, int, int]]:
    """BGR of shares 0…1 of the longest time, light to dark by their square root, so that short times show too."""
    level = np.round(255 - 225 * np.sqrt(np.clip(share, 0, 1))).astype(np.uint8)
    table = cv2.applyColorMap(level.reshape(-1, 1), cv2.COLORMAP_MAGMA).reshape(-1, 3)
    return [(int(b), int(g), int(r)) for b, g, r in table]


def _round_step(length: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is no less than ``length``."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(power * c for c in (1, 2, 5, 10) if power * c >= length * (1 - 1e-9))


def _text(
    image: np.ndarray, text: str, at: tuple[int, int] | np.ndarray, align: str, ink: tuple[int, int, int] = _INK
) -> None:
    """Draw small text, aligned about a point; OpenCV's letters have no accents, so accents are left out."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    (w, h), _ = cv2.getTextSize(plain, _FONT, 0.45, 1)
    x = int(at[0]) - {"left": 0, "middle": w // 2, "right": w}[align]
    cv2.putText(image, plain, (x, int(at[1]) + h // 2), _FONT, 0.45, ink, 1, cv2.LINE_AA)
