"""What frames of a stream show, as they come: people, the camera's motion, and cuts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.types import Observations
from pipeline.models.registry import Models
from pipeline.observe.cadence import PeopleSearch, graded
from pipeline.observe.camera import CameraMotion
from pipeline.observe.faint import Faint
from pipeline.observe.online_cuts import OnlineCuts
from pipeline.observe.tiles import Tiles, asked, is_large
from pipeline.observe.tiling import Deciding


class Sights(NamedTuple):
    """What B frames show."""

    found: Observations
    motions: list[np.ndarray]  # (3, 3) each, of the camera into the frame
    cuts: list[bool]  # whether the frame begins another shot


class Eyes:
    """Detection and pose of frames in order, the camera's motion, and cuts."""

    def __init__(self, models: Models, config: Config, say: Callable[[str], None] = lambda line: None) -> None:
        self.faint, self.camera = Faint(), CameraMotion()
        self._models, self._config, self._say = models, config, say
        self._search = PeopleSearch(models, config, self.faint)
        self._cuts = OnlineCuts() if config.track.shots != "off" else None
        self._deciding: Deciding | None = None
        self._size_px = (0, 0)

    def forget(self) -> None:
        """The next frame has another size."""
        self._search.forget()
        if self._cuts is not None:
            self._cuts.forget()

    @property
    def tiles(self) -> Tiles:
        """The tiles that are looked at now."""
        return self._search.tiles

    def _choose_tiles(self, image: np.ndarray, time_s: float) -> None:
        """Choose the tiles for pictures like this one, at once or, where auto must decide, by this and later ones."""
        size_px, setting = (image.shape[1], image.shape[0]), self._config.detect.tiles
        if size_px != self._size_px:
            self._size_px = size_px
            self._deciding = Deciding(self._config) if is_large(self._config, size_px) else None
            self._search.tiles = Tiles(asked(setting, size_px, "the stream"), self._config)
        if self._deciding is None:
            return
        tiling = self._deciding.decided(partial(graded, self._models), image, time_s)
        if tiling is not None:
            self._deciding, self._search.tiles = None, Tiles(tiling.layout, self._config)
            if line := tiling.said("live", size_px):
                self._say(line)

    def look(self, images: np.ndarray, frame: np.ndarray, time_s: np.ndarray) -> Sights:
        """What frames (B, H, W, 3) at times (B,) show."""
        self._choose_tiles(images[0], float(time_s[0]))
        cuts = [self._cuts is not None and self._cuts.show(*one) for one in zip(images, time_s.tolist(), strict=True)]
        found, motions = [], []
        for rows in np.split(np.arange(len(frame)), np.flatnonzero(cuts)):
            if not len(rows):
                continue
            if cuts[rows[0]]:
                self._search.forget()
                self.camera.leave()
            found.append(self._search.look(images[rows], frame[rows], time_s[rows]))
            for row in rows.tolist():
                here = found[-1].box_px[found[-1].frame == frame[row]]
                self.camera.show(int(frame[row]), images[row], here, self.faint.of(int(frame[row])))
                motions.append(self.camera.motions[-1])
        return Sights(Observations.concat(found), motions, cuts)
