"""The camera's turns and zoom about a fixed place, from the homographies of a picture whose background stands still.

Between two frames of a camera that turns by R and whose focal length goes from f to f', the background moves by
H = K' R K⁻¹ with K = diag(f, f, 1) about the middle of the picture (Hartley and Zisserman 2004, ch. 8.4), which tells
f' and R from f and H. Where the camera travels, turns do not explain how the picture's corners move. T frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pipeline.core.homography import corners, jacobian, moved, stands

LOOK = 0.1  # of the picture's width: the motion over which turns are held against homographies
EXPLAINED = 0.15  # share of that motion that turns may leave unexplained, in the median
OFF, WIDTHS = 0.03, 0.35  # the same where the focal length is right; spread of the logarithm of focal lengths
FACTORS = 1.25 ** np.arange(-2, 8)  # of the usual focal length that are tried
LEARNED = 3000  # frames from which the focal length is learned
MOST_ZOOM = 20.0  # times nearer or farther than at first


class Turning(NamedTuple):
    """Where the camera looks in each frame, against the first frame of its shot."""

    focal_px: float  # in the first frame of each shot
    turn: np.ndarray  # (T, 3, 3) from the camera's axes in the frame to those in the shot's first frame
    zoom: np.ndarray  # (T,) focal length, as a share of that in the shot's first frame


def turning(
    motions: np.ndarray, first: Iterable[int], focal_px: float, size_px: tuple[int, int], sure: bool = True
) -> Turning | None:
    """The camera's turns from its motions (T, 3, 3) into each frame; None where turns do not explain them.

    Args:
        first: first frames of shots, in each of which the focal length is ``focal_px``.
        sure: whether that is known; else the focal length near it that explains the motions best is taken, for a wide
            picture is distorted by a turn, and a narrow one only shifts.
    """
    to_middle = np.array([[1, 0, -size_px[0] / 2], [0, 1, -size_px[1] / 2], [0, 0, 1]])
    about, cuts = to_middle @ motions @ np.linalg.inv(to_middle), {0, *first}
    if not sure:
        begin = int(np.argmin(stands(motions)))
        some, its = about[begin : begin + LEARNED], {cut - begin for cut in cuts} | {0}
        costs = [_off(some, _chained(some, its, focal_px * k), its, size_px) for k in FACTORS]
        focal_px *= FACTORS[int(np.argmin(np.square(np.array(costs) / OFF) + np.square(np.log(FACTORS) / WIDTHS)))]
    found = _chained(about, cuts, focal_px)
    return found if _off(about, found, cuts, size_px) <= EXPLAINED else None


def _chained(about: np.ndarray, cuts: set[int], focal_px: float) -> Turning:
    """The turns and zooms of motions (T, 3, 3) about the middle of the picture, one after another."""
    turn, zoom = np.empty_like(about), np.ones(len(about))
    now, nearer = np.eye(3), 1.0
    for t, still in enumerate(stands(about)):
        if t in cuts:
            now, nearer = np.eye(3), 1.0
        elif not still:
            step, more = _step(about[t], nearer * focal_px)
            now, nearer = now @ step.T, min(max(nearer * more, 1 / MOST_ZOOM), MOST_ZOOM)
        turn[t], zoom[t] = now, nearer
    return Turning(focal_px, turn, zoom)


def _step(motion: np.ndarray, focal_px: float) -> tuple[np.ndarray, float]:
    """(3, 3) turn from the axes of one frame to those of the next, and how many times longer the focal length is.

    Both follow from the motion about the middle of the picture, which is known better than at the borders: the old
    line of sight lies c off the new one, and areas there grow by (f' / f)² / cos³ c.
    """
    middle = np.zeros(2)
    place, step = moved(middle, motion), jacobian(middle, motion)
    grown = float(np.linalg.det(step))
    nearer = np.sqrt(grown)
    for _ in range(3):
        cosine = 1 / np.sqrt(1 + np.square(place / (focal_px * nearer)).sum())
        nearer = np.sqrt(grown * cosine**3)
    angle = np.arctan2(step[1, 0] - step[0, 1], step[0, 0] + step[1, 1])
    (x, y), z = place / (focal_px * nearer) * cosine, cosine
    across = np.array(
        [[1 - x * x / (1 + z), -x * y / (1 + z), x], [-x * y / (1 + z), 1 - y * y / (1 + z), y], [-x, -y, z]]
    )
    c, s = np.cos(angle), np.sin(angle)
    return across @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), float(nearer)


def _off(about: np.ndarray, found: Turning, cuts: set[int], size_px: tuple[int, int]) -> float:
    """The share of motions over about `LOOK` of the width that turns leave unexplained: the median over the video."""
    ends = corners(size_px) - np.array(size_px) / 2
    shares, since, total = list[float](), 0, np.eye(3)
    for t, still in enumerate(stands(about)):
        if t in cuts:
            since, total = t, np.eye(3)
            continue
        if still:
            continue
        total = about[t] @ total
        place = moved(ends, total)
        far = np.abs(place - ends).max()
        if not far <= LOOK * size_px[0]:
            before, after = (np.diag([1, 1, found.focal_px * zoom]) for zoom in found.zoom[[since, t]])
            turned = np.linalg.inv(after) @ found.turn[t].T @ found.turn[since] @ before
            off = float(np.abs(moved(ends, turned) - place).max() / far)
            shares.append(off if np.isfinite(off) else np.inf)
            since, total = t, np.eye(3)
    return float(np.median(shares)) if shares else 0.0
