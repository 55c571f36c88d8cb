"""Pictures as the networks in ONNX files want them: fitted or cropped, in planes of floats, in batches.

Geometry and pixel values follow mmdet's and mmpose's own pipelines to the bit, also where those count pixel centres
from 0: only then are poseline's results equal to theirs.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.models.runtime import Device, Session

STEP = 32  # px, the coarsest stride of detectors
# Pixels of a detector's input for a picture of VGA's size, and the exponent with which they grow with the picture's.
# scripts/tune.py on three sequences: one size for all is as good; growth is for small people in 1080p, not measured.
USUAL_PIXELS, VGA, GROWTH = 196_608, 640 * 480, 0.12
PAD = 114  # grey beside a picture that does not fill the input


class Pixels(NamedTuple):
    """Values that a network wants: (pixel - mean) / std, in the order of its planes."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    rgb: bool  # red first; else blue first


# Pixel values of the published configs of mmdet and mmpose, by layout. rtmlib feeds its pose networks blue first though
# the configs swap the order (bgr_to_rgb); poseline follows the configs.
PIXELS = {
    "rtmdet": Pixels((103.53, 116.28, 123.675), (57.375, 57.12, 58.395), False),
    "yolox": Pixels((0, 0, 0), (1, 1, 1), False),
    "rtmo": Pixels((0, 0, 0), (1, 1, 1), False),
    "simcc": Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), True),
    "heatmap": Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), True),
}


class Planes:
    """Pictures to planes of floats, by a table of the 256 values of each channel."""

    def __init__(self, pixels: Pixels):
        values = np.arange(256, dtype=np.float32)
        scales = np.array([pixels.mean, pixels.std], np.float32).T
        tables = [(values - mean) / std for mean, std in scales]  # in f32, as torch computes them
        self.channels = list(zip((0, 1, 2) if pixels.rgb else (2, 1, 0), tables, strict=True))
        self._rooms = threading.local()  # one for each lane

    def empty(self, count: int, size: tuple[int, int]) -> np.ndarray:
        """Planes (count, 3, h, w) f32 to fill, in the memory of this thread's earlier ones: new pages cost more than
        the filling."""
        need = count * 3 * size[0] * size[1]
        room: np.ndarray | None = getattr(self._rooms, "planes", None)
        if room is None or len(room) < need:
            room = self._rooms.planes = np.empty(need, np.float32)
        return room[:need].reshape(count, 3, size[1], size[0])

    def fill(self, image: np.ndarray, planes: np.ndarray) -> None:
        """Write an image (h, w, 3) u8 RGB into planes (3, h, w) f32."""
        split = cv2.split(image)
        for plane, (channel, table) in zip(planes, self.channels, strict=True):
            cv2.LUT(split[channel], table, dst=plane)


def size_for(height: int, width: int, pixels: int | None = None) -> tuple[int, int]:
    """(w, h) in multiples of 32 of a detector's input for pictures of this shape, with about so many ``pixels``.

    Without ``pixels`` larger pictures get larger inputs, as people fill a smaller share of them: see ``USUAL_PIXELS``.
    """
    wanted = pixels or USUAL_PIXELS * (height * width / VGA) ** GROWTH
    scale = (wanted / (height * width)) ** 0.5 / STEP
    return max(round(width * scale), 1) * STEP, max(round(height * scale), 1) * STEP


def fitted(images: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Images (B, H, W, 3) scaled to fit ``size`` (w, h), at the top left of grey; and the scale (2,) of x and y.

    Sides are rounded as mmcv rounds them, so that the two scales differ a little.
    """
    b, height, width = images.shape[:3]
    scale = min(size[0] / width, size[1] / height)
    w, h = int(width * scale + 0.5), int(height * scale + 0.5)
    out = np.full((b, size[1], size[0], 3), PAD, np.uint8)
    for i in range(b):
        out[i, :h, :w] = cv2.resize(images[i], (w, h), interpolation=cv2.INTER_LINEAR)
    return out, np.array([w / width, h / height], np.float32)


def views(box: np.ndarray, size: tuple[int, int], padding: float) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 2) and sides (N, 2) in image px of crops around boxes (N, 4), of the shape of ``size`` (w, h).

    Crops are ``padding`` times the box on the side that fills them.
    """
    box = box.astype(np.float32)
    side = (box[:, 2:] - box[:, :2]) * np.float32(padding)
    centre = (box[:, 2:] + box[:, :2]) * np.float32(0.5)
    ratio = size[0] / size[1]
    w, h = side[:, :1], side[:, 1:]
    wide = w > h * np.float32(ratio)
    return centre, np.where(wide, np.hstack([w, w / np.float32(ratio)]), np.hstack([h * np.float32(ratio), h]))


def matrices(centre: np.ndarray, side: np.ndarray, size: tuple[int, int], udp: bool) -> np.ndarray:
    """(N, 2, 3) maps from the image to crops of ``size`` (w, h), pixel centres counted from 0.

    With ``udp`` the outermost pixel centres coincide (Huang et al. 2020, "The Devil Is in the Details"). Without
    ``udp`` the middles coincide, and the scale of the width holds for both axes.
    """
    if udp:
        scale = (np.array(size) - 1) / side  # (N, 2)
        shift = scale * (0.5 * side - centre)
        out = np.zeros((len(centre), 2, 3), np.float32)
        out[:, 0, 0], out[:, 1, 1], out[:, :, 2] = scale[:, 0], scale[:, 1], shift
        return out
    source = np.empty((len(centre), 3, 2), np.float32)
    source[:, 0], source[:, 1] = centre, centre
    source[:, 1, 0] -= side[:, 0] / 2
    # The third point lies at a right angle, as far away.
    source[:, 2] = source[:, 1]
    source[:, 2, 1] += source[:, 0, 0] - source[:, 1, 0]
    w, h = size
    target = np.array([[w / 2, h / 2], [0, h / 2], [0, h / 2 + w / 2]], np.float32)
    return np.array([cv2.getAffineTransform(s, target) for s in source]).reshape(-1, 2, 3)


def to_image(points: np.ndarray, centre: np.ndarray, side: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Points (N, K, 2) of crops of ``size`` (w, h) in image px, f32."""
    out = points.astype(np.float64) / np.array(size) * side[:, None] + centre[:, None] - 0.5 * side[:, None]
    return out.astype(np.float32)


def tasks(device: Device, count: int, fixed: int | None, cpu_batch: int, most: int) -> list[range]:
    """Rows of ``count`` inputs that a network takes at once. The outputs do not depend on it.

    ``fixed`` is the batch size of an input with a fixed one. Otherwise a CPU takes ``cpu_batch`` inputs at once, since
    more would not fit its caches, or less where that keeps all lanes busy; other devices take ``most``.
    """
    step = fixed or (min(cpu_batch, most, -(-count // device.lanes)) if device.on_cpu else most)
    return [range(start, min(start + step, count)) for start in range(0, count, step or 1)]


def outputs(session: Session, planes: np.ndarray, fixed: int | None) -> dict[str, np.ndarray]:
    """Outputs of a network for planes (N, 3, h, w), with rows of zeros behind them where the batch size is fixed."""
    if fixed and len(planes) < fixed:
        planes = np.concatenate([planes, np.zeros((fixed - len(planes), *planes.shape[1:]), np.float32)])
    return session.run(planes)
