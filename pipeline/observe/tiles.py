"""Large pictures in tiles: equal parts of the picture that overlap, each looked at like a picture of its own.

The whole picture is looked at, too, for people who are larger than the overlap; `pipeline.observe.seams` joins what was
found. A tile in which nothing happens keeps what was found there and is looked at once a second, as whole pictures are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.models.detections import Detections
from pipeline.observe.activity import Activity
from pipeline.observe.looks import LOOKOUT_S
from pipeline.observe.seams import Glance, joined

OVERLAP = 0.2  # of a tile's side
LEAST_PX = 64  # of a tile's side
SIDE_PX, MOST = 1280, 12  # auto: longest side of a tile, and the most tiles, which are larger then
GROWN = 1.1  # steps in which they become larger
FEW = 480  # pixels across a tile by which it is known whether something happens there, at least
LARGE_PX, LONG_PX = 2_600_000, 2600  # auto: pixels and longer side of a picture from which tiles are thought of

Graded = Callable[[np.ndarray], tuple[Detections, Detections]]  # images (B, H, W, 3) -> people, and faint ones


class Layout(NamedTuple):
    """Columns and rows of tiles."""

    columns: int
    rows: int

    def side_px(self, size_px: tuple[int, int]) -> tuple[int, int]:
        """(w, h) px of a tile of a picture of a size (w, h)."""
        w, h = (math.ceil(_side(px, n)) for px, n in zip(size_px, self, strict=True))
        return w, h

    def places(self, size_px: tuple[int, int]) -> np.ndarray:
        """(T, 4) px x1, y1, x2, y2 of the tiles of a picture of a size (w, h), row by row."""
        w, h = self.side_px(size_px)
        x = np.linspace(0, size_px[0] - w, self.columns).round().astype(int)
        y = np.linspace(0, size_px[1] - h, self.rows).round().astype(int)
        return np.array([(left, top, left + w, top + h) for top in y for left in x])

    def overlap_px(self, size_px: tuple[int, int]) -> tuple[float, float]:
        """Pixels by which neighbours overlap at least, across and down; inf where there is one tile."""
        sides = zip(size_px, self.side_px(size_px), self, strict=True)
        across, down = ((n * side - px) / (n - 1) - 1 if n > 1 else math.inf for px, side, n in sides)
        return across, down

    def __str__(self) -> str:
        return f"{self.columns}x{self.rows}"


def _side(px: int, count: int) -> float:
    return px / (1 + (1 - OVERLAP) * (count - 1))


def asked(setting: str | int, size_px: tuple[int, int], path: object) -> Layout | None:
    """The layout that ``detect.tiles`` asks for; None for auto, off and one tile.

    Raises:
        PoselineError: the tiles of this picture would be too small.
    """
    if setting in ("auto", "off"):
        return None
    if isinstance(setting, int):
        divisors = [n for n in range(1, setting + 1) if setting % n == 0]
        fits = {n: _side(size_px[0], n) / _side(size_px[1], setting // n) for n in divisors}
        squarest = min(fits, key=lambda n: abs(math.log(fits[n])))
        layout = Layout(squarest, setting // squarest)
    else:
        layout = Layout(*map(int, setting.split("x")))
    if min(layout.side_px(size_px)) < LEAST_PX:
        raise PoselineError(
            f"detect.tiles={setting}: tiles of {path}, whose picture has {size_px[0]} × {size_px[1]} px, would have"
            f" sides below {LEAST_PX} px; ask for fewer"
        )
    return None if layout == (1, 1) else layout


def is_large(config: Config, size_px: tuple[int, int]) -> bool:
    """Whether ``detect.tiles = "auto"`` may mean tiles for pictures of a size (w, h)."""
    return config.detect.tiles == "auto" and (math.prod(size_px) > LARGE_PX or max(size_px) > LONG_PX)


def usual(size_px: tuple[int, int]) -> Layout:
    """The layout that auto thinks of for pictures of a size (w, h)."""
    longest: float = SIDE_PX
    while True:
        across, down = (max(math.ceil((px / longest - 1) / (1 - OVERLAP)) + 1, 1) for px in size_px)
        if across * down <= MOST:
            return Layout(across, down)
        longest *= GROWN


class Tiles:
    """Looks into the tiles of a chunk's frames, in order. Its state is what the earlier frames showed."""

    def __init__(self, layout: Layout | None, config: Config) -> None:
        self._layout, self._config = layout, config
        self._size_px: tuple[int, int] | None = None
        self.looked = self.all = 0

    @property
    def on(self) -> bool:
        """Whether there are tiles."""
        return self._layout is not None

    def forget(self) -> None:
        """The next frame has nothing to do with the last one."""
        self._size_px = None

    def moving(self, image: np.ndarray, time_s: float) -> np.ndarray:
        """(T,) bool, the tiles of the next image (H, W, 3) u8 RGB in which something happens, or happened before."""
        if self._layout is None:
            return np.zeros(0, bool)
        self._begin((image.shape[1], image.shape[0]))
        step = max((self._places[0, 2] - self._places[0, 0]) // FEW, 1)
        cut = zip(self._places, self._activity, strict=True)
        return np.array([a.active_at(image[y1:y2:step, x1:x2:step], time_s) for (x1, y1, x2, y2), a in cut], bool)

    def found(
        self, look: Graded, image: np.ndarray, time_s: float, moving: np.ndarray, whole: Glance
    ) -> tuple[Detections, Detections]:
        """The people of an image that was shown to `moving`, and faint ones.

        ``whole`` is what the whole picture shows.
        """
        assert self._layout is not None
        due = moving | (time_s - self._last_s > LOOKOUT_S)
        self.looked, self.all = self.looked + int(due.sum()), self.all + len(due)
        self._last_s[due] = time_s
        for tile, seen in zip(np.flatnonzero(due), glances(look, image, self._places[due]), strict=True):
            self._seen[tile] = seen
        overlap = self._layout.overlap_px(self._size_px or (0, 0))
        return joined(whole, [seen for seen in self._seen if seen], overlap, self._config.detect.nms_iou)

    def _begin(self, size_px: tuple[int, int]) -> None:
        if self._layout is None or size_px == self._size_px:
            return
        self._size_px, self._places = size_px, self._layout.places(size_px)
        self._activity = [Activity(self._config.observe.activity == "auto") for _ in self._places]
        self._last_s = np.full(len(self._places), -np.inf)
        self._seen: list[Glance | None] = [None] * len(self._places)

    def cut(self) -> str:
        """What a part stores, counted anew from here: the layout, the tiles of the frames that were searched, and those
        that were looked at; empty without tiles."""
        told = {"layout": str(self._layout), "tiles": self.all, "searched": self.looked}
        self.looked = self.all = 0
        return json.dumps(told) if self.on else ""


def glances(look: Graded, image: np.ndarray, places: np.ndarray) -> list[Glance]:
    """What tiles of an image (H, W, 3) at places (T, 4) show, in one call of the detector; boxes in px of the image."""
    if not len(places):
        return []
    found, faint = look(np.stack([image[y1:y2, x1:x2] for x1, y1, x2, y2 in places]))
    size_px = image.shape[1], image.shape[0]
    return [
        Glance(_shifted(found, i, place), _shifted(faint, i, place), place, size_px) for i, place in enumerate(places)
    ]


def _shifted(people: Detections, tile: int, place: np.ndarray) -> Detections:
    return people.of(tile).in_image(0).shifted(place[0], place[1])


def told(stored: list[str]) -> dict[str, dict[str, int | str]]:
    """The entry of run.json, by what a run's parts stored: the layout, and the sums of the counts; else none."""
    parts = [json.loads(text) for text in stored if text]
    if not parts:
        return {}
    counts = {key: sum(part[key] for part in parts) for key in ("tiles", "searched")}
    return {"tiles": {"layout": parts[-1]["layout"], **counts}}
