"""The shape of pictures: pixels that are not square, and how a stored picture is made to stand upright."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np

from pipeline.video.media import fraction

MOST_ASPECT = 10  # wider or higher pixels are an error of the file


def pixel_aspect(stream: av.VideoStream) -> Fraction:
    """Width of a stored pixel by its height; 1 where the file says nothing or nonsense."""
    said = stream.sample_aspect_ratio
    aspect = fraction(said) if said else Fraction(1)
    return aspect if Fraction(1, MOST_ASPECT) <= aspect <= MOST_ASPECT else Fraction(1)


def square_size(stored_px: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """(w, h) of a stored picture in square pixels: the side that gets more pixels is made longer, to an even length."""
    width, height = stored_px
    if aspect > 1:
        return 2 * round(width * aspect / 2), height
    return (width, height) if aspect == 1 else (width, 2 * round(height / aspect / 2))


def orientation(frame: av.VideoFrame, tag: str = "0") -> tuple[int, bool]:
    """The clockwise turn in degrees (0, 90, 180, 270) that makes the picture upright, and whether to mirror it then.

    Args:
        tag: the stream's old "rotate" tag, which counts where the picture has no matrix.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return round(_number(tag) / 90) * 90 % 360, False
    # (x, y) of a stored pixel is shown at (a x + c y, b x + d y); y points down.
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(np.float64)
    mirrored = bool(a * d - b * c < 0)
    return round(np.degrees(np.arctan2(b, -a if mirrored else a)) / 90) * 90 % 360, mirrored


def upright(picture: np.ndarray, rotation_deg: int, mirrored: bool) -> np.ndarray:
    """A view of a stored picture or plane (h, w, …), turned clockwise and then mirrored left to right."""
    turned = np.rot90(picture, -rotation_deg // 90)
    return turned[:, ::-1] if mirrored else turned


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if np.isfinite(value) else 0.0
