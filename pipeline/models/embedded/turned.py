"""Square crops that are moved, scaled and turned: what the hand and face networks look at."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np


class Views(NamedTuple):
    """N square crops of pictures."""

    centre: np.ndarray  # (N, 2) f64 px
    side: np.ndarray  # (N,) f64 px
    angle: np.ndarray  # (N,) f64 rad, clockwise: an object that leans right by this angle stands upright in the crop

    def take(self, rows: np.ndarray | slice) -> Views:
        """The given rows (mask, indices or slice)."""
        return Views(self.centre[rows], self.side[rows], self.angle[rows])


def turned_crops(images: np.ndarray, image: np.ndarray, views: Views, size: int) -> np.ndarray:
    """Crops (N, size, size, 3) f32 RGB 0…1 of images (B, H, W, 3) u8; ``image`` (N,) has their rows. Black outside."""
    crops = np.empty((len(image), size, size, 3), np.float32)
    for n, i in enumerate(image):
        matrix = _to_crop(views.centre[n], views.side[n], views.angle[n], size)
        # cv2 counts pixel centres from 0, we from .5.
        matrix[:, 2] += 0.5 * matrix[:, :2].sum(1) - 0.5
        crops[n] = cv2.warpAffine(images[i], matrix, (size, size), flags=cv2.INTER_LINEAR) / 255.0
    return crops


def to_image(points: np.ndarray, views: Views, size: int) -> np.ndarray:
    """Points (N, K, 2) of crops, in crop px, as px of the pictures."""
    offset = (points - size / 2) * (views.side / size)[:, None, None]
    return np.einsum("nij,nkj->nki", rotation(views.angle), offset) + views.centre[:, None]


def rotation(angle: np.ndarray) -> np.ndarray:
    """(N, 2, 2) rotations by angle (N,) rad, clockwise in a picture whose y points down."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)


def _to_crop(centre: np.ndarray, side: float, angle: float, size: int) -> np.ndarray:
    """(2, 3) f64 affine map from image px to crop px."""
    turn = rotation(np.array([angle]))[0].T * (size / side)
    return np.concatenate([turn, (size / 2 - turn @ centre)[:, None]], 1)
