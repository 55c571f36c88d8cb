"""What stands still in two small grey pictures: the motion from one to the other.

Corners of the first picture (Shi and Tomasi 1994) are followed into the second one (Lucas and Kanade in pyramids,
Bouguet 2000). A similarity that most of them agree with (RANSAC) tells whether the picture moves at all; a homography
is then fitted, where enough corners all over the picture agree with it.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.homography import STILL, corners, moved, normed

CORNERS = 144  # that are followed at most, spread over cells of the picture: a homography needs them everywhere
COLUMNS, ROWS = 4, 3
QUALITY, _ALL = 0.01, 800  # least strength of a corner, as a share of the strongest one's; corners to choose from
STRONG, _FLAT = 25.0, 9  # grey levels off the mean around it, in so many px, from which contrast hardly adds strength
FIXED_PX, MOVES_PX = 0.3, 1.0  # a corner keeps its place in the picture; a corner moves
LEAST = 12  # corners that must agree
AGREE = 0.3  # share of the corners that must agree
AT_ODDS = 2.0  # times as many must agree with a motion as keep to their places: else these are the background
AGREE_PX = 1.0  # small px: a corner agrees when it lies this near to where the motion puts it
STILL_PX = 0.3  # small px: where no corner of the picture moves farther, the camera counts as still
AT_REST_PX, AT_REST = 0.15, 0.8  # where so many of the corners move by less, nothing need be fitted
LEAST_HOMOGRAPHY = 24  # corners that fix a homography,
SPREAD = 0.4  # and the share of width and height over which they must lie
_WINDOW, _LEVELS = (15, 15), 3


class Small(NamedTuple):
    """A small grey picture, and where corners may be."""

    grey: np.ndarray  # (h, w) u8
    free: np.ndarray  # (h, w) u8, 255 where corners may be


class Found(NamedTuple):
    """A motion between two small pictures, and the share of the first one's corners that agree with it."""

    motion: np.ndarray  # (3, 3) small px
    share: float
    start: np.ndarray  # (N, 2) the corners, without those of writing on the picture


def corners_of(picture: Small) -> np.ndarray:
    """(N, 2) f32 small px of the corners to follow, at pixel centres of whole numbers."""
    smooth = cv2.blur(picture.grey, (_FLAT, _FLAT))
    level = cv2.subtract(picture.grey, smooth, dtype=cv2.CV_32F)
    even = np.tanh(level / STRONG)  # writing on the picture is no better a corner than a line on a lawn
    found = cv2.goodFeaturesToTrack(even, _ALL, QUALITY, 7, mask=picture.free)
    if found is None:
        return np.zeros((0, 2), np.float32)
    points = found[:, 0]  # the strongest first
    height, width = picture.grey.shape
    cell = (points * (COLUMNS / width, ROWS / height)).astype(int) @ (1, COLUMNS)
    before = np.array([(cell[:i] == one).sum() for i, one in enumerate(cell)])
    return np.asarray(points[before < CORNERS // (COLUMNS * ROWS)])


def between(before: Small, now: Small, start: np.ndarray | None = None, guess: np.ndarray = STILL) -> Found | None:
    """The motion from ``before`` to ``now``; None where too few corners agree.

    Args:
        start: (N, 2) corners of ``before``, if they are known.
        guess: (3, 3) about the motion. Where the picture moves on from it by next to nothing, it is the answer.
    """
    if before.grey.shape != now.grey.shape:
        return None
    start = corners_of(before) if start is None else start
    if np.array_equal(before.grey, now.grey):
        return Found(STILL, 1.0, start)
    if len(start) < LEAST:
        return None
    height, width = now.grey.shape
    likely = moved(start, guess).astype(np.float32)
    inside = ((likely >= 0) & (likely < (width, height))).all(1)  # NaN is outside
    if inside.sum() < LEAST:
        return None
    first, expected = start[inside], likely[inside]
    ends, status, _ = cv2.calcOpticalFlowPyrLK(
        before.grey, now.grey, first[:, None], expected[:, None].copy(), winSize=_WINDOW, maxLevel=_LEVELS,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )  # fmt: skip
    end = ends[:, 0]
    at = np.rint(end).astype(int)
    good = (status.ravel() == 1) & (at >= 0).all(1) & (at < (width, height)).all(1)
    good[good] &= now.free[at[good, 1], at[good, 0]] > 0  # people may stand before it now
    if good.sum() < LEAST:
        return None
    keep = np.ones(len(start), bool)
    keep[np.flatnonzero(inside)[good]] = _without_writing(first[good], end[good], (width, height))
    good &= keep[inside]
    fitted = _fitted(first[good], expected[good], end[good], guess, (width, height))
    return None if fitted is None else Found(fitted[0], fitted[1] / keep.sum(), start[keep])


def _without_writing(first: np.ndarray, end: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(N,) bool the corners to fit: without those that keep their places while most of the picture moves.

    A clock or a logo on the picture keeps its place. It covers less of the picture than what moves as one behind it.
    """
    fixed = np.abs(end - first).max(1) < FIXED_PX
    whole = np.ones(len(first), bool)
    if not fixed.any() or (~fixed).sum() < LEAST:
        return whole
    matrix, agree = cv2.estimateAffinePartial2D(
        first[~fixed], end[~fixed], ransacReprojThreshold=AGREE_PX, maxIters=200
    )
    if matrix is None or agree.sum() < LEAST:
        return whole
    moves = np.flatnonzero(~fixed)[agree.ravel() > 0]
    far = np.median(np.abs(end[moves] - first[moves]).max(1)) > MOVES_PX
    wide = _cells(first[moves], size) > _cells(first[fixed], size)
    return ~fixed if far and wide and len(moves) > AGREE * (~fixed).sum() else whole


def _cells(points: np.ndarray, size: tuple[int, int]) -> int:
    """In how many cells of the picture at least two of the points (N, 2) lie."""
    cell = (points * (COLUMNS / size[0], ROWS / size[1])).astype(int) @ (1, COLUMNS)
    return int((np.bincount(cell, minlength=COLUMNS * ROWS) > 1).sum())


def _fitted(
    first: np.ndarray, expected: np.ndarray, end: np.ndarray, guess: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, int] | None:
    """(3, 3) motion of corners (N, 2) that were ``expected`` and found at ``end``, and how many of them agree.

    ``guess`` itself where they keep to it; None where too few agree.
    """
    off = np.abs(end - expected).max(1)
    if (off < AT_REST_PX).mean() >= AT_REST:
        return guess, int((off < AGREE_PX).sum())
    matrix, agree = cv2.estimateAffinePartial2D(expected, end, ransacReprojThreshold=AGREE_PX, maxIters=500)
    if matrix is None or agree.sum() < max(LEAST, AGREE * len(first)):
        return None
    if agree.sum() < AT_ODDS * (off < FIXED_PX).sum():
        return guess, int((off < AGREE_PX).sum())
    step = np.vstack([matrix, [0, 0, 1]])
    ends = corners(size)
    similar = normed(step @ guess), int(agree.sum())
    if np.abs(moved(ends, step) - ends).max() < STILL_PX:
        return guess, similar[1]
    whole, its = cv2.findHomography(first, end, cv2.RANSAC, AGREE_PX, maxIters=500)
    if whole is None or np.linalg.det(whole) <= 0:
        return similar
    chosen = end[its.ravel() > 0]
    spread = np.ptp(chosen, axis=0) if len(chosen) else np.zeros(2)
    enough = len(chosen) >= max(LEAST_HOMOGRAPHY, similar[1]) and (spread >= SPREAD * np.array(size)).all()
    return (normed(whole), len(chosen)) if enough else similar
