"""Whether anything happens in front of a still camera, so that empty frames need not be searched.

A small grey picture of each frame is compared with a background that is learned slowly. A frame is active where a few
neighbouring cells differ by more than noise, light and compression make them differ there; and for ``HOLD_S`` after.
In frames that are not active the detector looks every second only, or every three where nobody is: that confirms who
stands still, whose pose is estimated in every frame as always, and catches whom the differences miss
(`pipeline.observe.looks`). A moving camera makes every frame active.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import cv2
import numpy as np

WIDTH = 160  # cells across the picture
SAMPLES = 4  # pixels along a cell's side that are looked at, at most
HOLD_S, START_S = 1.0, 0.3  # after the last change; after the first frame, which has nothing to be compared with
LEARN_S, ABSORB_S = 4.0, 30.0  # time constants of the background where nothing, and where something differs
LEAST, SIGMAS = 5.0, 5.0  # grey levels, and standard deviations of a cell's noise, that count as different
START_NOISE, MOST_NOISE = 1.0, 12.0  # grey levels
NEIGHBOURS = 5  # of the 9 cells of a square that must differ


class _Background(NamedTuple):
    """What is learned."""

    grey: np.ndarray  # (h, w) f32
    variance: np.ndarray  # (h, w) f32


class Activity:
    """Looks at a chunk's frames, in order. Its state is what the earlier frames showed."""

    def __init__(self, on: bool = True) -> None:
        self._on = on
        self._background: _Background | None = None
        self._last_s = self._active_s = -np.inf
        self.frames = self.active = self.searched = 0

    def active_at(self, image: np.ndarray, time_s: float, tiles: bool = False) -> bool:
        """Whether something happens in the next image (H, W, 3) u8 RGB, or in one of its ``tiles``, or happened just
        before."""
        self.frames += 1
        first = self._background is None
        changed = not self._on or self._changed(image, time_s) or tiles
        if changed:
            self._active_s = time_s - (HOLD_S - START_S if first else 0.0)
        active = changed or time_s - self._active_s <= HOLD_S
        self.active += active
        return active

    def _changed(self, image: np.ndarray, time_s: float) -> bool:
        grey, step = _cells(image), time_s - self._last_s
        known, self._last_s = self._background, time_s
        if known is None or known.grey.shape != grey.shape or step > LEARN_S:
            self._background = _Background(grey, np.full(grey.shape, START_NOISE**2, np.float32))
            return True
        off = grey - known.grey
        off -= np.median(off)  # light, or the camera's exposure
        differs = np.abs(off) > np.maximum(LEAST, SIGMAS * np.sqrt(known.variance))
        share = np.where(differs, step / ABSORB_S, min(step / LEARN_S, 1)).astype(np.float32)
        variance = known.variance + share * (np.minimum(off**2, MOST_NOISE**2) - known.variance)
        self._background = _Background(known.grey + share * (grey - known.grey), variance)
        near = cv2.boxFilter(differs.astype(np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return bool(near.max() > NEIGHBOURS - 0.5)

    def stored(self) -> str:
        """The counts that a part stores: frames, those with activity, and those that were searched."""
        return json.dumps({"frames": self.frames, "active": self.active, "searched": self.searched})


def _cells(image: np.ndarray) -> np.ndarray:
    """(h, w) f32 means of the green of some pixels of each cell; green is most of the luma, and there already."""
    step = max(image.shape[1] // (WIDTH * SAMPLES), 1)
    some = cv2.extractChannel(image, 1) if step == 1 else np.ascontiguousarray(image[::step, ::step, 1])
    width = min(WIDTH, some.shape[1])
    height = max(round(some.shape[0] * width / some.shape[1]), 1)
    return cv2.resize(some, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def counted(stored: list[str]) -> dict[str, int]:
    """The sums of the counts of a run's parts; parts of earlier versions have none."""
    told = [json.loads(text) for text in stored if text]
    return {key: sum(part[key] for part in told) for key in ("frames", "active", "searched")} if told else {}
