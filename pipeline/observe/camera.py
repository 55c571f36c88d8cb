"""How the camera moves from frame to frame: pans, zooms, turns and shake, seen by what stands still.

Corners outside the boxes of people are followed from one frame to the next in a small grey picture (Shi and Tomasi
1994; Lucas and Kanade in pyramids, Bouguet 2000), and a similarity is fitted that most of them agree with (RANSAC).
A motion is (a, b, x, y): a pixel (u, v) of the previous frame is at (a u − b v + x, b u + a v + y) in this one. Each
motion belongs to the number of its frame. Where the frames just before did not decode, the motion is counted from the
last frame that decoded, and the frames that did not decode have no motion.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.store.parts import part_camera

STILL = np.array([1.0, 0.0, 0.0, 0.0])
WIDTH = 400  # px, of the small picture
CORNERS = 100  # that are followed at most
LEAST = 12  # corners that must agree
AGREE = 0.4  # share of the corners that must agree
AGREE_PX = 1.0  # small px: a corner agrees when it lies this near to where the motion puts it
STILL_PX = 0.3  # small px: where no corner of the picture moves farther, the camera counts as still
TRAVEL = 0.02  # of the picture's longer side: a camera that shakes by less still stands
MARGIN = 0.1  # share of a person's box that is left out around the box
CELLS = 6  # cells along a person's box in the stored picture: a head is smaller than one cell
NEAR = 10  # frames whose boxes are hidden in the stored pictures: a detector may miss somebody in one frame
EDGE = 3  # small px around hidden boxes in which corners come from the hiding, not from things


class CameraMotion:
    """Follows the camera through frames of one size, in order; `motions` has a row for each of `frames` shown."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.motions: list[np.ndarray] = []
        self._first: tuple[np.ndarray, np.ndarray] | None = None
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._scale = 1.0
        self._size = (0, 0)
        self._first_boxes: list[np.ndarray] = []  # small px, of the first frames
        self._boxes = deque[np.ndarray](maxlen=NEAR)  # of the last ones

    def show(self, frame: int, image: np.ndarray, box_px: np.ndarray, faint_px: np.ndarray | None = None) -> None:
        """The next frame's number, its image (H, W, 3) u8 RGB and the boxes (n, 4) of people, who may move.

        ``faint_px`` (m, 4) are boxes in which people may be. They are hidden as well, so that nobody can be recognised
        in the stored pictures.
        """
        small, free, self._scale = _small(image, box_px)
        self._size = (image.shape[1], image.shape[0])
        people = np.concatenate([box_px, box_px[:0] if faint_px is None else faint_px])
        pad = MARGIN * np.maximum(people[:, 2:] - people[:, :2], 0)
        boxes = np.concatenate([people[:, :2] - pad, people[:, 2:] + pad], 1) * self._scale
        self._boxes.append(boxes)
        if len(self._first_boxes) < NEAR:
            self._first_boxes.append(boxes)
        self._first = self._first or (small, free)
        self.frames.append(int(frame))
        if self._last is None:
            self.motions.append(STILL)
        else:
            self.motions.append(_motion(self._last, (small, free), self._scale))
        self._last = small, free

    def stored(self) -> str:
        """The motions, and the first and last pictures, from which the motion to the neighbouring chunks follows."""
        if self._first is None or self._last is None:
            return ""
        first = _hidden(*self._first, np.concatenate(self._first_boxes))
        last = _hidden(*self._last, np.concatenate(self._boxes))
        return json.dumps({**self._rows(), "edges": [_packed(*first), _packed(*last)]})

    def _rows(self) -> dict[str, Any]:
        rows = [[round(float(v), 6) for v in m] for m in self.motions]
        return {"frames": self.frames, "motions": rows, "scale": self._scale}

    def cut(self) -> str:
        """The motions so far, which are then forgotten. The next frame is still compared with the last one, so that no
        picture need be stored."""
        text = json.dumps(self._rows()) if self.motions else ""
        self.frames, self.motions = [], []
        return text


def joined(stored: list[tuple[int, str]], frames: int) -> np.ndarray:
    """(T, 4) motion of each frame of a video, from what its chunks stored in order, each with its first frame.

    The camera is taken to stand still in frames of which nothing is known. Parts of earlier versions have no frame
    numbers: their motions belong to consecutive frames, from the chunk's first frame on.
    """
    out = np.tile(STILL, (frames, 1))
    before: list[str] | None = None  # the last picture so far
    for start, text in stored:
        if not text:  # no frame of the chunk decoded
            continue
        part = json.loads(text)
        rows = np.array(part["motions"], np.float64)
        numbers = np.array(part.get("frames", np.arange(start, start + len(rows))), np.int64)
        out[numbers] = rows
        edges = part.get("edges")
        if before is not None and edges is not None:
            out[numbers[0]] = _motion(_unpacked(before), _unpacked(edges[0]), part["scale"])
        before = None if edges is None else edges[1]
    return out


def camera_motions(parts: list[Path], frames: int) -> np.ndarray:
    """(T, 4) motion of the camera into each frame, from the parts of a run."""
    return joined([part_camera(path) for path in parts], frames)


def travels(motions: np.ndarray, size_px: tuple[int, int]) -> bool:
    """Whether the motions (T, 4) carry a corner of a picture of this size farther than `TRAVEL` of its longer side."""
    width, height = size_px
    ends = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    place = ends
    for motion in motions[(motions != STILL).any(1)]:
        place = moved(place, motion)
        if np.abs(place - ends).max() > TRAVEL * max(size_px):
            return True
    return False


def compose(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    """(4,) the motion that is ``first`` followed by ``then``."""
    a, b, x, y = then
    p, q, u, v = first
    return np.array([a * p - b * q, b * p + a * q, a * u - b * v + x, b * u + a * v + y])


def moved(points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Points (…, 2) of the previous frame as they would be in this one."""
    a, b, x, y = motion
    u, v = points[..., 0], points[..., 1]
    return np.stack([a * u - b * v + x, b * u + a * v + y], -1)


def _small(image: np.ndarray, box_px: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The grey picture at most `WIDTH` wide, where corners may be (255), and its scale."""
    height, width = image.shape[:2]
    scale = min(1.0, WIDTH / max(width, height))
    step = max(int(0.75 / scale), 1)  # not every pixel of the large picture need be read
    grey = np.ascontiguousarray(image[::step, ::step, 1])  # green is nearly grey
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    free = np.full(grey.shape, 255, np.uint8)
    pad = MARGIN * np.maximum(box_px[:, 2:] - box_px[:, :2], 0)
    low, high = np.floor((box_px[:, :2] - pad) * scale), np.ceil((box_px[:, 2:] + pad) * scale)
    for (x1, y1), (x2, y2) in zip(low.clip(0).astype(int), high.clip(0).astype(int), strict=True):
        free[y1:y2, x1:x2] = 0
    return grey, free, scale


def _motion(before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray], scale: float) -> np.ndarray:
    """(4,) motion between two small pictures, in px of the large ones; no motion where too few corners agree."""
    if before[0].shape != now[0].shape or np.array_equal(before[0], now[0]):
        return STILL
    corners = cv2.goodFeaturesToTrack(before[0], CORNERS, 0.01, 8, mask=before[1])
    if corners is None or len(corners) < LEAST:
        return STILL
    guess = corners.copy()
    flow = cv2.calcOpticalFlowPyrLK(before[0], now[0], corners, guess, winSize=(15, 15), maxLevel=3)
    there, status = np.asarray(flow[0]), np.asarray(flow[1])
    good = status.ravel() == 1
    start, end = corners[good, 0], there[good, 0]
    if len(start) < LEAST:
        return STILL
    matrix, inliers = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=AGREE_PX, maxIters=500)
    if matrix is None or inliers.sum() < max(LEAST, AGREE * len(start)):
        return STILL
    motion = np.array([matrix[0, 0], matrix[1, 0], matrix[0, 2], matrix[1, 2]])
    height, width = before[0].shape
    ends = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    if np.abs(moved(ends, motion) - ends).max() < STILL_PX:
        return STILL
    motion[2:] /= scale
    return motion


def _hidden(grey: np.ndarray, free: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
    return grey, free


def _packed(grey: np.ndarray, free: np.ndarray) -> list[str]:
    return [
        base64.b64encode(cv2.imencode(kind, picture)[1].tobytes()).decode()
        for kind, picture in ((".jpg", grey), (".png", free))
    ]


def _unpacked(pictures: list[str]) -> tuple[np.ndarray, np.ndarray]:
    data = [np.frombuffer(base64.b64decode(text), np.uint8) for text in pictures]
    grey, free = (np.asarray(cv2.imdecode(d, cv2.IMREAD_GRAYSCALE)) for d in data)
    return grey, free
