"""Small pictures of all frames, stored with the observations: shots are found in them (`pipeline.observe.shots`).

A picture has about `CELLS` places, each the mean colour of its part of the frame. People whose boxes are many places
long are reduced to the means of a few, as in the pictures of `pipeline.observe.camera`: nobody can be recognised.
"""

from __future__ import annotations

import base64
import json
import zlib

import cv2
import numpy as np

CELLS = 576  # places of a picture: 32 × 18 at 16 : 9
SAMPLES = 8  # pixels along a place from which its mean is taken
ALONG = 6  # places along a person's box that are kept: a head is smaller than one


class Thumbs:
    """Takes the frames of one size, in order."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self._pictures: list[np.ndarray] = []

    def show(self, frame: int, image: np.ndarray, box_px: np.ndarray) -> None:
        """The next frame's number, its image (H, W, 3) u8 RGB and the boxes (n, 4) of who may be in it."""
        small = thumb(image)
        scale = np.tile([small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]], 2)
        _hide(small, box_px * scale)
        self.frames.append(int(frame))
        self._pictures.append(small)

    def cut(self) -> str:
        """The pictures so far as text, which are then forgotten; empty without any."""
        if not self._pictures:
            return ""
        pictures = np.stack(self._pictures)
        steps = np.diff(pictures, axis=0, prepend=np.zeros_like(pictures[:1]))  # modulo 256: little changes, often 0
        data = base64.b64encode(zlib.compress(steps.tobytes(), 6)).decode()
        text = json.dumps({"frames": self.frames, "size": pictures.shape[1:3], "pictures": data})
        self.frames, self._pictures = [], []
        return text


def stored_thumbs(text: str) -> tuple[np.ndarray, np.ndarray]:
    """The frames (n,) i64 and their pictures (n, h, w, 3) u8 in Y, Cr and Cb, of what `Thumbs` stored."""
    if not text:
        return np.zeros(0, np.int64), np.zeros((0, 1, 1, 3), np.uint8)
    told = json.loads(text)
    frames = np.array(told["frames"], np.int64)
    steps = np.frombuffer(zlib.decompress(base64.b64decode(told["pictures"])), np.uint8)
    return frames, np.cumsum(steps.reshape(len(frames), *told["size"], 3), axis=0, dtype=np.uint8)


def thumb(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) u8 in Y, Cr and Cb: a small picture of an image (H, W, 3) u8 RGB."""
    height, width = image.shape[:2]
    high = max(round((CELLS * height / width) ** 0.5), 4)
    wide = max(round(CELLS / high), 4)
    step = max(min(width // (wide * SAMPLES), height // (high * SAMPLES)), 1)  # not every pixel need be read
    some = np.ascontiguousarray(image[step // 2 :: step, step // 2 :: step])
    small = cv2.resize(some, (wide, high), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)


def _hide(small: np.ndarray, boxes: np.ndarray) -> None:
    """Reduce the boxes (n, 4), in places, that are longer than `ALONG` places."""
    low, high = np.floor(boxes[:, :2]).clip(0).astype(int), np.ceil(boxes[:, 2:]).clip(0).astype(int)
    for (x1, y1), (x2, y2) in zip(low, high, strict=True):
        part = small[y1:y2, x1:x2]
        long = max(part.shape[:2])
        if part.size and long > ALONG:
            height, width = part.shape[:2]
            size = max(round(width / long * ALONG), 1), max(round(height / long * ALONG), 1)
            few = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            part[:] = cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST)
