"""Whether anything happens in front of a still camera, so that empty frames need not be searched.

A small grey picture of each frame is compared with a background that is learned slowly. A frame is active where a few
neighbouring cells differ by more than noise, light and compression make them differ there; and for ``HOLD_S`` after.
What stands still for long becomes background. What was behind it stays known, so that nothing is seen to happen when it
has left (two states a cell, after the mixtures of Stauffer and Grimson 1999).
In frames that are not active the detector looks every second only, or every three where nobody is: that confirms who
stands still, whose pose is estimated in every frame as always, and catches whom the differences miss
(`pipeline.observe.looks`). A moving camera makes every frame active.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import cv2
import numpy as np

WIDTH = 160  # cells across the picture, at least
SAMPLES = 4  # pixels along a cell's side that are looked at, at most
HOLD_S, START_S = 1.0, 0.1  # after the last change; after the first frame, which has nothing to be compared with
LEARN_S = 4.0  # time constant of the background
FOLLOW_S = 120.0  # time constant with which the other state follows the background, where they are the same
ABSORB_S, NOBODY_S = 10.0, 2.0  # so long must a cell show one thing to be background; where two looks found nobody
NOISE_S = 30.0  # time constant of noise where something differs
LEAST, SIGMAS = 5.0, 5.0  # grey levels, and standard deviations of a cell's noise, that count as different
START_NOISE, MOST_NOISE = 1.0, 12.0  # grey levels
NEIGHBOURS = 5  # of the 9 cells of a square that must differ


class _Background(NamedTuple):
    """What is learned."""

    grey: np.ndarray  # (h, w) f32
    variance: np.ndarray  # (h, w) f32
    other: np.ndarray  # (h, w) f32 what the cell showed before
    new: np.ndarray  # (h, w) f32 what it shows now, where that is neither
    new_s: np.ndarray  # (h, w) f32 for how long


class Activity:
    """Looks at a chunk's frames, in order. Its state is what the earlier frames showed."""

    def __init__(self, on: bool = True) -> None:
        self._on = on
        self._background: _Background | None = None
        self._last_s = self._active_s = -np.inf
        self.frames = self.active = self.searched = 0

    def active_at(self, image: np.ndarray, time_s: float, tiles: bool = False, nobody: bool = False) -> bool:
        """Whether something happens in the next image (H, W, 3) u8 RGB, or in one of its ``tiles``, or happened just
        before. ``nobody``: the last looks found nobody."""
        self.frames += 1
        first = self._background is None
        changed = not self._on or self._changed(image, time_s, NOBODY_S if nobody else ABSORB_S) or tiles
        if changed:
            self._active_s = time_s - (HOLD_S - START_S if first else 0.0)
        active = changed or time_s - self._active_s <= HOLD_S
        self.active += active
        return active

    def _changed(self, image: np.ndarray, time_s: float, absorb_s: float) -> bool:
        grey, step = _cells(image), time_s - self._last_s
        known, self._last_s = self._background, time_s
        if known is None or known.grey.shape != grey.shape or step > LEARN_S:
            self._background = _first(grey)
            return True
        self._background, differs = _learned(known, grey, step, absorb_s)
        near = cv2.boxFilter(differs.astype(np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return bool(near.max() > NEIGHBOURS - 0.5)

    def stored(self) -> str:
        """The counts that a part stores: frames, those with activity, and those that were searched."""
        return json.dumps({"frames": self.frames, "active": self.active, "searched": self.searched})


def _first(grey: np.ndarray) -> _Background:
    """What is known after one picture (h, w)."""
    return _Background(grey, np.full_like(grey, START_NOISE**2), grey, grey, np.zeros_like(grey))


def _learned(
    known: _Background, grey: np.ndarray, step_s: float, absorb_s: float = ABSORB_S
) -> tuple[_Background, np.ndarray]:
    """The background with one more picture (h, w) ``step_s`` after the last one; and which cells differ from it."""
    grey = grey - np.median((grey - known.grey)[::2, ::2])  # light, or the camera's exposure
    least = np.maximum(LEAST, SIGMAS * np.sqrt(known.variance))
    learn = np.float32(min(step_s / LEARN_S, 1))
    off = grey - known.grey
    differs = np.abs(off) > least
    if not differs.any():  # as in most pictures
        at = known.grey + learn * off
        variance = known.variance + learn * (np.minimum(off**2, MOST_NOISE**2) - known.variance)
        return _Background(at, variance, _followed(known.other, at, least, step_s), grey, np.zeros_like(grey)), differs
    back = differs & (np.abs(grey - known.other) <= least)
    at, other = np.where(back, known.other, known.grey), np.where(back, known.grey, known.other)
    off, differs = grey - at, differs & ~back
    same = differs & (np.abs(grey - known.new) <= least)
    noise = np.minimum(np.where(same, grey - known.new, off) ** 2, MOST_NOISE**2)
    share = np.where(differs, np.float32(step_s / NOISE_S), learn)
    variance = known.variance + share * (noise - known.variance)
    new = np.where(same, known.new + learn * (grey - known.new), grey)
    new_s = np.where(same, known.new_s + np.float32(step_s), np.float32(0))
    stays = new_s >= absorb_s
    learned = np.where(differs, at, at + learn * off)
    other = np.where(stays, learned, _followed(other, learned, least, step_s))
    return _Background(np.where(stays, new, learned), variance, other, new, new_s), differs


def _followed(other: np.ndarray, at: np.ndarray, least: np.ndarray, step_s: float) -> np.ndarray:
    """The other state of cells (h, w), moved towards the background ``at`` where the two are the same."""
    away = at - other
    return other + np.where(np.abs(away) <= least, np.float32(min(step_s / FOLLOW_S, 1)), np.float32(0)) * away


def _cells(image: np.ndarray) -> np.ndarray:
    """(h, w) f32 means of the green of some pixels of each cell; green is most of the luma, and there already.

    A cell is a whole number of those pixels wide and high: their mean is then four times as fast.
    """
    step = max(image.shape[1] // (WIDTH * SAMPLES), 1)
    some = cv2.extractChannel(image, 1) if step == 1 else np.ascontiguousarray(image[::step, ::step, 1])
    side = max(some.shape[1] // WIDTH, 1)
    height, width = max(some.shape[0] // side, 1), max(some.shape[1] // side, 1)
    whole = some[: height * side, : width * side]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def counted(stored: list[str]) -> dict[str, int]:
    """The sums of the counts of a run's parts; parts of earlier versions have none."""
    told = [json.loads(text) for text in stored if text]
    return {key: sum(part[key] for part in told) for key in ("frames", "active", "searched")} if told else {}
