"""Whether a large picture is looked at in tiles (``detect.tiles = "auto"``): where tiles find people whom it hides.

The detector looks at some pictures of the video, whole and in tiles. That is done once a run, from pictures that are
the same for every worker; `poseline live` takes the first pictures of the stream in which there is anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.similarity import iou
from pipeline.core.types import VideoInfo
from pipeline.observe.seams import Glance, joined
from pipeline.observe.tiles import Graded, Layout, glances, usual

PICTURES = 6  # spread over the video; such that can be decoded alone
FIRST_S, FIRST = 0.5, 3  # of a video without: so many pictures from its first one on, one in so many seconds
SURE = 0.5  # score of a person that counts,
SEEN, SAME_IOU = 0.4, 0.4  # and score and overlap of a box by which the whole picture shows the person, too
MORE, MORE_SHARE = 0.5, 0.1  # people a picture, and as a share of those found without tiles, that are worth tiles
AGAIN_S, ENOUGH = 1.0, 3  # live: from one look to the next, and looks with people that decide


class Counts(NamedTuple):
    """People a picture that were found in some pictures."""

    whole: float
    tiled: float

    @property
    def worth_it(self) -> bool:
        """Whether tiles find enough people whom the whole pictures hide."""
        return self.tiled - self.whole >= max(MORE, MORE_SHARE * self.whole)


class Tiling(NamedTuple):
    """What was decided."""

    layout: Layout | None
    counts: Counts | None = None  # None: nothing had to be counted

    def said(self, path: object, size_px: tuple[int, int]) -> str:
        """One line for the user, where auto has chosen tiles; else empty."""
        if self.layout is None or self.counts is None:
            return ""
        (w, h), (columns, rows), (whole, tiled) = size_px, self.layout, self.counts
        return (
            f"{path}: people are small in its picture of {w} × {h} px: {whole:.1f} a frame are found in the whole and"
            f" {tiled:.1f} with {columns} × {rows} tiles, which are looked at, too; detect.tiles=off leaves them out"
        )


def some_frames(info: VideoInfo, frames: tuple[int, int]) -> list[int]:
    """The frames [first, last) of a video by which it is decided, ascending: the same for every worker."""
    low, high = frames
    keys = low + np.flatnonzero(info.is_key[low:high])
    spread = keys[np.unique(np.linspace(0, len(keys) - 1, PICTURES).round().astype(int))] if len(keys) else keys
    if len(spread) < FIRST:
        early = info.time_s[low] + FIRST_S * np.arange(FIRST)
        spread = np.concatenate([spread, np.searchsorted(info.time_s[low:high], early).clip(0, high - low - 1) + low])
    return np.unique(spread).tolist()


def decided(look: Graded, config: Config, images: Sequence[np.ndarray]) -> Tiling:
    """The decision by images (H, W, 3) u8 RGB of a video."""
    each = np.array([_both(look, config, image) for image in images])
    counts = Counts(*each.mean(0).tolist())
    return Tiling(usual((images[0].shape[1], images[0].shape[0])) if counts.worth_it else None, counts)


def _both(look: Graded, config: Config, image: np.ndarray) -> tuple[int, int]:
    """How many of the people who are surely found with tiles the whole image shows, too; and how many they are."""
    size_px = image.shape[1], image.shape[0]
    layout, whole = usual(size_px), Glance(*look(image[None]), np.array([0, 0, *size_px]), size_px)
    tiled, _ = joined(
        whole, glances(look, image, layout.places(size_px)), layout.overlap_px(size_px), config.detect.nms_iou
    )
    sure = tiled.box_px[tiled.score >= SURE]
    seen = iou(sure, whole.found.box_px[whole.found.score >= SEEN]).max(1, initial=0) >= SAME_IOU
    return int(seen.sum()), len(sure)


class Deciding:
    """The decision for a stream, whose pictures come one after another."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._each: list[tuple[int, int]] = []
        self._last_s = -np.inf

    def decided(self, look: Graded, image: np.ndarray, time_s: float) -> Tiling | None:
        """The decision once there is one, by the images (H, W, 3) u8 RGB in which there is anybody; else None."""
        if time_s - self._last_s < AGAIN_S:
            return None
        self._last_s = time_s
        both = _both(look, self._config, image)
        self._each += [both] if any(both) else []
        if len(self._each) < ENOUGH:
            return None
        counts = Counts(*np.mean(self._each, 0).tolist())
        return Tiling(usual((image.shape[1], image.shape[0])) if counts.worth_it else None, counts)
