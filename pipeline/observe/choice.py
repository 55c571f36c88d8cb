"""Whom to look at: people in a region, tall enough, and the few who matter, chosen before anybody is posed."""

from __future__ import annotations

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.similarity import box_area, iou
from pipeline.models.detections import Detections

SAME_IOU, STAY = 0.3, 1.3  # who was chosen before counts so many times as much: no change for a little


class Choice:
    """The choice among a video's people, frame after frame in order. Its state is the boxes chosen last."""

    def __init__(self, config: Config) -> None:
        self._settings = config.detect
        self._last = np.zeros((0, 4), np.float32)

    @property
    def idle(self) -> bool:
        """Whether everybody is chosen."""
        return not (self._settings.roi or self._settings.min_height_px or self._settings.max_people)

    def chosen(self, found: Detections, images: int, size_px: tuple[int, int]) -> np.ndarray:
        """(N,) bool, the people of so many ``images`` of a size (w, h) who are looked at."""
        rows = np.zeros(len(found), bool)
        if self.idle:
            return ~rows
        for image in range(images):
            here = np.flatnonzero(found.image == image)
            box = found.box_px[here]
            good = box[:, 3] - box[:, 1] >= self._settings.min_height_px
            if self._settings.roi:
                good &= inside(polygon(self._settings.roi), (box[:, :2] + box[:, 2:]) / 2)
            rows[here[good][self._first(box[good], size_px)]] = True
        return rows

    def _first(self, box: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
        """The rows of boxes (N, 4) who come first, at most ``max_people``."""
        most = self._settings.max_people
        if not most:
            return np.arange(len(box))
        if self._settings.prefer == "largest":
            worth = box_area(box)
        else:
            roi = self._settings.roi
            middle = polygon(roi).mean(0) if roi else np.array(size_px) / 2
            worth = 1 / (1 + np.linalg.norm((box[:, :2] + box[:, 2:]) / 2 - middle, axis=1))
        if len(self._last) and len(box):
            worth = np.where(iou(box, self._last).max(1) >= SAME_IOU, STAY, 1) * worth
        rows = np.sort(np.argsort(-worth, kind="stable")[:most])
        self._last = box[rows]
        return rows


def polygon(roi: tuple[float, ...]) -> np.ndarray:
    """(P, 2) px corners of a region, given as x1, y1, x2, y2 of a rectangle or as three corners and more."""
    if len(roi) == 4:
        x1, y1, x2, y2 = roi
        return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], float)
    return np.array(roi, float).reshape(-1, 2)


def inside(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N,) bool, which points (N, 2) lie in a polygon (P, 2): a ray to the right crosses its border an odd number of
    times."""
    x, y = points[:, 0, None], points[:, 1, None]
    (x1, y1), (x2, y2) = corners.T, np.roll(corners, -1, 0).T
    between = (y1 <= y) != (y2 <= y)
    with np.errstate(divide="ignore", invalid="ignore"):
        right = x < x1 + (y - y1) * (x2 - x1) / (y2 - y1)
    return (between & right).sum(1) % 2 == 1


def check_region(config: Config, path: object, size_px: tuple[int, int]) -> None:
    """Raise PoselineError for a region outside a video's picture of a size (w, h)."""
    if not config.detect.roi:
        return
    corners, given = polygon(config.detect.roi), ",".join(f"{value:g}" for value in config.detect.roi)
    if (corners.max(0) <= 0).any() or (corners.min(0) >= size_px).any():
        raise PoselineError(f"--roi {given}: lies outside {path}, whose picture has {size_px[0]} × {size_px[1]} px")
    x, y = corners.T
    if abs(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1))) < 2:
        raise PoselineError(f"--roi {given}: is a line without an area; give corners of an area, in px")
