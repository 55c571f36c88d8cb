"""What tiles and the whole picture show, joined: everybody once, and nobody cut by a tile's edge.

Whoever is smaller than the overlap is whole in some tile: what tiles say of such people counts, and what the whole
picture says of larger ones. A box at an edge inside the picture is cut off there, and is left out. Of two boxes of one
person that counts whose look sees more around it: that depends on places alone, so that boxes do not flicker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.similarity import box_area
from pipeline.models.detections import Detections

TOUCH = 0.01  # of a tile's side: boxes so near to an edge are cut by it
NEAR = 0.25  # of a box's longer side: one so near to an edge may be cut,
INSIDE = 0.6  # and is where so much of it lies in another look's box


class Glance(NamedTuple):
    """What a tile or the whole picture shows; boxes in px of the picture."""

    found: Detections
    faint: Detections
    place: np.ndarray  # (4,) px x1 y1 x2 y2 of the tile
    size_px: tuple[int, int]  # (w, h) of the picture

    def clear_px(self, box: np.ndarray) -> np.ndarray:
        """(N,) px from boxes (N, 4) to the nearest edge inside the picture; inf where there is none."""
        outer = np.concatenate([self.place[:2] <= 0, self.place[2:] >= self.size_px])
        off = np.concatenate([box[:, :2] - self.place[:2], self.place[2:] - box[:, 2:]], 1)
        return np.asarray(np.where(outer, np.inf, off).min(1))

    @property
    def touch_px(self) -> float:
        """The distance from an edge at which a box is cut."""
        return TOUCH * float((self.place[2:] - self.place[:2]).max())


def joined(
    whole: Glance, tiles: Sequence[Glance], overlap_px: tuple[float, float], nms_iou: float
) -> tuple[Detections, Detections]:
    """The people of an image, and places where somebody may be besides, both best first.

    Args:
        overlap_px: by which tiles overlap, across and down.
        nms_iou: boxes of two looks that overlap more are one person.
    """
    looks = [whole, *tiles]
    every = Detections.concat([look.found for look in looks])  # all of image 0: in the order of the looks
    number = np.repeat(np.arange(len(looks)), [len(look.found) for look in looks])
    clear = np.concatenate([look.clear_px(look.found.box_px) for look in looks])
    touch = max((look.touch_px for look in tiles), default=0.0)
    side = every.box_px[:, 2:] - every.box_px[:, :2]
    counts = (side <= np.array(overlap_px) - 2 * touch).all(1) == (number > 0)
    cut = clear < touch
    kept = _first_of_each(every, number, clear, counts, cut, nms_iou)
    people = every.take(kept[np.argsort(-every.score[kept], kind="stable")])
    unsure = Detections.concat([every.take(cut), *(look.faint for look in looks)])
    return people, _besides(unsure, people)


def _first_of_each(
    every: Detections, number: np.ndarray, clear: np.ndarray, counts: np.ndarray, cut: np.ndarray, nms_iou: float
) -> np.ndarray:
    """The rows of one box for each person. ``number`` (N,) is each box's look, ``counts`` whether the look counts."""
    doubtful = ~counts | (clear < NEAR * (every.box_px[:, 2:] - every.box_px[:, :2]).max(1))
    shared, area = _shared(every.box_px, every.box_px), box_area(every.box_px)
    union = area[:, None] + area - shared
    # a part of a larger box of the whole picture, or of a tile; and what the whole picture took for one small person
    least = np.where((number == 0)[:, None], np.minimum(area[:, None], area), area[:, None])
    same = (shared > nms_iou * union) | (doubtful[:, None] & (shared > INSIDE * least))
    same &= number[:, None] != number
    kept: list[int] = []
    for row in np.lexsort((-every.score, -clear, ~counts)):
        if not cut[row] and not same[row, kept].any():
            kept.append(int(row))
    return np.array(kept, np.int64)


def _besides(unsure: Detections, people: Detections) -> Detections:
    """The boxes that do not lie inside a person's or a better one of them."""
    order = unsure.take(np.argsort(-unsure.score, kind="stable"))
    box = np.concatenate([people.box_px, order.box_px])
    inside = _shared(order.box_px, box) > INSIDE * box_area(order.box_px)[:, None]
    kept = list(range(len(people)))
    for row in range(len(order)):
        if not inside[row, kept].any():
            kept.append(len(people) + row)
    return order.take(np.array(kept[len(people) :], np.int64) - len(people))


def _shared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N, M) px² that boxes (N, 4) share with boxes (M, 4)."""
    low, high = np.maximum(one[:, None, :2], other[:, :2]), np.minimum(one[:, None, 2:], other[:, 2:])
    return np.asarray((high - low).clip(0).prod(-1))
