"""How the camera moves from frame to frame: pans, zooms, turns and shake, seen by what stands still.

Corners outside the boxes of people are followed in small grey pictures (`pipeline.observe.background`), from a key
picture into every later one, until too few of them are left: then the last picture becomes the key. So errors add up
from key to key and not from frame to frame. A motion is a homography (`pipeline.core.homography`) from the pixels of
the previous frame to those of this one. Each motion belongs to the number of its frame. Where the frames just before
did not decode, the motion is counted from the last frame that decoded, and the frames that did not decode have no
motion. Some pictures are stored, by which `pipeline.observe.found_again` joins chunks and takes drift out.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from typing import Any, NamedTuple

import cv2
import numpy as np

from pipeline.core.homography import STILL, normed
from pipeline.observe.background import Small, between, corners_of

WIDTH = 400  # px, of the small picture
RENEW = 0.75  # a key is replaced where a smaller share of the corners agrees of those that did at first
MARGIN = 0.1  # share of a person's box that is left out around the box
CELLS = 6  # cells along a person's box in the stored picture: a head is smaller than one cell
NEAR = 10  # frames whose boxes are hidden in the stored pictures: a detector may miss somebody in one frame
EDGE = 3  # small px around hidden boxes in which corners come from the hiding, not from things
KEPT_APART = 30  # frames between stored key pictures, at least


class _Kept(NamedTuple):
    """A picture for the disk, and the boxes to hide in it, which may still grow by those of the next frames."""

    frame: int
    picture: Small
    boxes: list[np.ndarray]
    until: int  # rows shown up to which boxes are added


class CameraMotion:
    """Follows the camera through frames of one size, in order; `motions` has one (3, 3) for each of `frames` shown."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.motions: list[np.ndarray] = []
        self._kept: list[_Kept] = []  # the first picture, and those of later keys
        self._last: Small | None = None
        self._key: tuple[Small, np.ndarray] | None = None  # with its corners
        self._at = STILL  # small px, from the key to the last picture
        self._share = 1.0  # of the key's corners that agreed in the picture after it
        self._scale = 1.0
        self._shown = 0
        self._boxes = deque[np.ndarray](maxlen=NEAR)  # small px, of the last frames

    def show(self, frame: int, image: np.ndarray, box_px: np.ndarray, faint_px: np.ndarray | None = None) -> None:
        """The next frame's number, its image (H, W, 3) u8 RGB and the boxes (n, 4) of people, who may move.

        ``faint_px`` (m, 4) are boxes in which people may be. They are hidden as well, so that nobody can be recognised
        in the stored pictures.
        """
        picture, self._scale = small(image, box_px)
        people = np.concatenate([box_px, box_px[:0] if faint_px is None else faint_px])
        pad = MARGIN * np.maximum(people[:, 2:] - people[:, :2], 0)
        boxes = np.concatenate([people[:, :2] - pad, people[:, 2:] + pad], 1) * self._scale
        self._boxes.append(boxes)
        for kept in self._kept:
            if self._shown <= kept.until:
                kept.boxes.append(boxes)
        if not self._kept:
            self._keep(int(frame), picture)
        motion = STILL if self._last is None else self._into(picture)
        self.motions.append(STILL if motion is STILL else scaled(motion, self._scale))
        self.frames.append(int(frame))
        self._last = picture
        self._shown += 1

    def leave(self) -> None:
        """The next frame shows another scene, into which there is no motion."""
        self._last = self._key = None

    def _into(self, now: Small) -> np.ndarray:
        """(3, 3) motion from the last picture to this one, small px; none where it cannot be told."""
        assert self._last is not None
        if self._key is None:
            self._renew(self._last)
        assert self._key is not None
        found = between(self._key[0], now, self._key[1], self._at)
        if (found is None or found.share < RENEW * self._share) and self._key[0] is not self._last:
            self._renew(self._last)
            found = between(self._last, now, self._key[1])
        if found is None:
            self._key = None
            return STILL
        if self._key[0] is self._last:
            self._share, self._key = found.share, (self._last, found.start)
        before, self._at = self._at, found.motion
        return STILL if self._at is before else normed(self._at @ np.linalg.inv(before))

    def _renew(self, last: Small) -> None:
        """The last picture becomes the key, and is kept where none was kept lately."""
        self._key, self._at = (last, corners_of(last)), STILL
        if self._kept and self.frames and self.frames[-1] - self._kept[-1].frame >= KEPT_APART:
            self._keep(self.frames[-1], last)

    def _keep(self, frame: int, picture: Small) -> None:
        self._kept.append(_Kept(frame, picture, [*self._boxes], self._shown + NEAR))

    def stored(self) -> str:
        """The motions, and the first, last and key pictures, by which chunks are joined and places are found again."""
        if self._last is None:
            return ""
        kept = [_hidden(*k.picture, np.concatenate(k.boxes)) for k in self._kept]
        last = _hidden(*self._last, np.concatenate(self._boxes))
        keys = {str(k.frame): packed(*picture) for k, picture in zip(self._kept[1:], kept[1:], strict=True)}
        edges = {"edges": [packed(*kept[0]), packed(*last)]}
        return json.dumps(self._rows() | edges | ({"keys": keys} if keys else {}))

    def _rows(self) -> dict[str, Any]:
        rows = [[1.0, 0.0, 0.0, 0.0] if m is STILL else [float(f"{v:.10g}") for v in m.ravel()] for m in self.motions]
        return {"frames": self.frames, "motions": rows, "scale": self._scale}

    def cut(self) -> str:
        """The motions so far, which are then forgotten. The next frame is still compared with the last one, so that no
        picture need be stored."""
        text = json.dumps(self._rows()) if self.motions else ""
        self.frames, self.motions, self._kept = [], [], self._kept[:1]
        return text


def scaled(motion: np.ndarray, scale: float) -> np.ndarray:
    """(3, 3) motion in px of the picture, from that in px of the small one, whose corners lie at whole numbers."""
    to_small = np.array([[scale, 0, -0.5], [0, scale, -0.5], [0, 0, 1]])
    return normed(np.linalg.inv(to_small) @ motion @ to_small)


def small(image: np.ndarray, box_px: np.ndarray) -> tuple[Small, float]:
    """The grey picture at most `WIDTH` wide, and its scale."""
    height, width = image.shape[:2]
    scale = min(1.0, WIDTH / max(width, height))
    step = max(int(0.75 / scale), 1)  # not every pixel of the large picture need be read
    grey = np.ascontiguousarray(image[::step, ::step, 1])  # green is nearly grey
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)
    free = np.full(grey.shape, 255, np.uint8)
    pad = MARGIN * np.maximum(box_px[:, 2:] - box_px[:, :2], 0)
    low, high = np.floor((box_px[:, :2] - pad) * scale), np.ceil((box_px[:, 2:] + pad) * scale)
    for (x1, y1), (x2, y2) in zip(low.clip(0).astype(int), high.clip(0).astype(int), strict=True):
        free[y1:y2, x1:x2] = 0
    return Small(grey, free), scale


def _hidden(grey: np.ndarray, free: np.ndarray, boxes: np.ndarray) -> Small:
    """A small picture for the disk: each box (n, 4) is reduced to the means of a few cells, without any corners."""
    grey, free = grey.copy(), free.copy()
    low, high = np.floor(boxes[:, :2]).clip(0).astype(int), np.ceil(boxes[:, 2:]).clip(0).astype(int)
    for (x1, y1), (x2, y2) in zip(low, high, strict=True):
        part = grey[y1:y2, x1:x2]
        if part.size:
            height, width = part.shape
            cells = max(round(width / max(part.shape) * CELLS), 1), max(round(height / max(part.shape) * CELLS), 1)
            part[:] = cv2.resize(cv2.resize(part, cells, interpolation=cv2.INTER_AREA), (width, height))
            free[max(y1 - EDGE, 0) : y2 + EDGE, max(x1 - EDGE, 0) : x2 + EDGE] = 0
    return Small(grey, free)


def packed(grey: np.ndarray, free: np.ndarray) -> list[str]:
    """A picture as texts."""
    return [
        base64.b64encode(cv2.imencode(kind, picture)[1].tobytes()).decode()
        for kind, picture in ((".jpg", grey), (".png", free))
    ]


def unpacked(pictures: list[str]) -> Small:
    """A picture from its stored texts."""
    data = [np.frombuffer(base64.b64decode(text), np.uint8) for text in pictures]
    grey, free = (np.asarray(cv2.imdecode(d, cv2.IMREAD_GRAYSCALE)) for d in data)
    return Small(grey, free)
