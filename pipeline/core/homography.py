"""Homographies of the picture: where what stands still in one frame is in another.

A motion is a (3, 3) matrix H of determinant 1: a pixel p = (u, v, 1) of one frame is at H p, divided by its third
coordinate, in the other (Hartley and Zisserman 2004, ch. 2 and 8.4). A camera that turns and zooms about a fixed centre
moves the whole scene by one homography. T frames; px.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

STILL = np.eye(3)


def of_rows(rows: Iterable[Iterable[float]]) -> np.ndarray:
    """(T, 3, 3) motions from rows as they are stored: nine numbers, or four of a similarity (a, b, x, y), which brings
    (u, v) to (a u − b v + x, b u + a v + y)."""
    out = []
    for row in (np.array(r, np.float64) for r in rows):
        if len(row) == 4:
            a, b, x, y = row
            row = np.array([a, -b, x, b, a, y, 0, 0, 1])
        out.append(row.reshape(3, 3))
    return np.array(out).reshape(-1, 3, 3)


def stands(motions: np.ndarray) -> np.ndarray:
    """(…) bool: which motions (…, 3, 3) are none at all."""
    return np.asarray((motions == STILL).all((-2, -1)))


def normed(motion: np.ndarray) -> np.ndarray:
    """Motions (…, 3, 3) of determinant 1: the third coordinate is then positive for what is before both cameras."""
    return np.asarray(motion / np.cbrt(np.linalg.det(motion))[..., None, None])


def moved(points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Points (…, 2) of one frame in the other; ``motion`` is (3, 3), or (…, 3, 3) with one for each point.

    Points that are behind the other camera are NaN.
    """
    if (motion == STILL).all():
        return points.astype(np.float64)
    u, v = points[..., 0], points[..., 1]
    x, y, w = (motion[..., i, 0] * u + motion[..., i, 1] * v + motion[..., i, 2] for i in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        w = np.where(w > 0, w, np.nan)
        return np.stack([x / w, y / w], -1)


def jacobian(points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """(…, 2, 2) how steps about points (…, 2) are turned and stretched by a motion (3, 3) or (…, 3, 3)."""
    u, v = points[..., 0], points[..., 1]
    w = motion[..., 2, 0] * u + motion[..., 2, 1] * v + motion[..., 2, 2]
    at = moved(points, motion)
    return (motion[..., :2, :2] - at[..., :, None] * motion[..., 2:, :2]) / w[..., None, None]


def poses(motions: np.ndarray, shots: Iterable[int] = ()) -> np.ndarray:
    """(T, 3, 3) motion from each frame to the first frame of its shot, from the motions (T, 3, 3) into each frame.

    ``shots`` are the first frames of shots; the first frame of all begins one.
    """
    out, cuts, last = np.empty_like(motions), {0, *shots}, STILL
    for i, motion in enumerate(motions):
        if i in cuts:
            last = STILL
        elif not (motion == STILL).all():
            last = normed(last @ np.linalg.inv(motion))
        out[i] = last
    return out


def similarities(motions: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """(T, 3, 3) the similarity nearest to each motion (T, 3, 3) about the middle of a picture of ``size_px``.

    A long pan adds up in them to a strip without end, whereas homographies to one frame end where the camera has
    turned by 90°.
    """
    middle = np.array(size_px) / 2
    j, at = jacobian(np.broadcast_to(middle, (len(motions), 2)), motions), moved(middle, motions)
    a, b = (j[:, 0, 0] + j[:, 1, 1]) / 2, (j[:, 1, 0] - j[:, 0, 1]) / 2
    out = np.tile(STILL, (len(motions), 1, 1))
    out[:, 0, 0], out[:, 0, 1], out[:, 1, 0], out[:, 1, 1] = a, -b, b, a
    out[:, :2, 2] = at - np.einsum("tij,j->ti", out[:, :2, :2], middle)
    out[stands(motions)] = STILL
    return out


def corners(size: tuple[float, float]) -> np.ndarray:
    """(4, 2) px of the corners of a picture."""
    width, height = size
    return np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)


def travels(motions: np.ndarray, size_px: tuple[int, int], most: float) -> bool:
    """Whether the motions (T, 3, 3) carry a corner of the picture farther than ``most`` of its longer side."""
    place = ends = corners(size_px)
    for motion in motions[~stands(motions)]:
        place = moved(place, motion)
        if not np.abs(place - ends).max() <= most * max(size_px):
            return True
    return False
