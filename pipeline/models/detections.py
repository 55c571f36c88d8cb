"""What detectors and pose networks share: people of a batch of images, poses, scaling, crops, suppression."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.similarity import iou

# The classes of COCO (Lin et al. 2014), in the order of its detectors.
_COCO_CLASSES = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, "
    "stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, "
    "backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, "
    "baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, "
    "banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, "
    "potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, "
    "oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush"
)
COCO_CLASSES = tuple(_COCO_CLASSES.split(", "))


@dataclass(frozen=True)
class Detections:
    """N people in a batch of images, sorted by image. Poses are of the detector's keypoint set; a score of 0 means that
    no pose is known."""

    image: np.ndarray  # (N,) i64, row in the batch
    box_px: np.ndarray  # (N, 4) f32 x1 y1 x2 y2
    score: np.ndarray  # (N,) f32, the detector's own
    keypoints_px: np.ndarray  # (N, K, 2) f32, K = 17 for a detector of boxes
    keypoint_score: np.ndarray  # (N, K) f32

    def __len__(self) -> int:
        return len(self.image)

    @classmethod
    def from_boxes(cls, image: np.ndarray, box_px: np.ndarray, score: np.ndarray, k: int = 17) -> Detections:
        """People of whom only boxes are known, with room for K keypoints."""
        n = len(image)
        return cls(
            np.asarray(image, np.int64),
            np.asarray(box_px, np.float32).reshape(n, 4),
            np.asarray(score, np.float32),
            np.zeros((n, k, 2), np.float32),
            np.zeros((n, k), np.float32),
        )

    @classmethod
    def empty(cls, k: int = 17) -> Detections:
        """Nobody."""
        return cls.from_boxes(np.zeros(0), np.zeros((0, 4)), np.zeros(0), k)

    @classmethod
    def concat(cls, parts: list[Detections]) -> Detections:
        """All parts after one another, then sorted by image (stable)."""
        if not parts:
            return cls.empty()
        joined = cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))
        return joined.take(np.argsort(joined.image, kind="stable"))

    def take(self, rows: np.ndarray) -> Detections:
        """The given rows (mask or indices)."""
        return Detections(*(getattr(self, f.name)[rows] for f in fields(self)))

    def placed(self, box_px: np.ndarray) -> Detections:
        """The same people at other boxes (N, 4)."""
        return Detections(self.image, box_px.astype(np.float32), self.score, self.keypoints_px, self.keypoint_score)

    def shifted(self, x_px: float, y_px: float) -> Detections:
        """The same people in a picture in which this one begins at (x, y) px."""
        by = np.array([x_px, y_px], np.float32)
        box, points = self.box_px + np.tile(by, 2), self.keypoints_px + by
        return Detections(self.image, box, self.score, points, self.keypoint_score)

    def in_image(self, image: int) -> Detections:
        """The same people as those of one image of a batch."""
        rows = np.full(len(self), image, np.int64)
        return Detections(rows, self.box_px, self.score, self.keypoints_px, self.keypoint_score)

    def moved_on(self, images: int) -> Detections:
        """The same people with so many images before theirs."""
        return Detections(self.image + images, self.box_px, self.score, self.keypoints_px, self.keypoint_score)

    def of(self, image: int) -> Detections:
        """The people of one image."""
        low, high = np.searchsorted(self.image, [image, image + 1])
        return self.take(np.arange(low, high))

    def clipped(self, height: int, width: int) -> Detections:
        """Boxes cut at the picture's border; people without any area left are dropped."""
        box = self.box_px.copy()
        box[:, 0::2] = box[:, 0::2].clip(0, width)
        box[:, 1::2] = box[:, 1::2].clip(0, height)
        keep = (box[:, 2] - box[:, 0] > 1) & (box[:, 3] - box[:, 1] > 1)
        return Detections(self.image, box, self.score, self.keypoints_px, self.keypoint_score).take(keep)


class Poses(NamedTuple):
    """What a pose network says of N people."""

    keypoints_px: np.ndarray  # (N, K, 2) f32
    score: np.ndarray  # (N, K) f32, 0…1
    certainty: np.ndarray | None = None  # (N,) f32, 0…1: that a person is there, where keypoint scores cannot tell

    def take(self, rows: np.ndarray) -> Poses:
        """The given rows (mask or indices)."""
        certainty = None if self.certainty is None else self.certainty[rows]
        return Poses(self.keypoints_px[rows], self.score[rows], certainty)


def class_rows(wanted: tuple[str, ...], known: tuple[str, ...], network: str) -> np.ndarray:
    """(C,) indices of the wanted classes among the known ones; PoselineError for one that the network lacks."""
    for name in wanted:
        if name not in known:
            some = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
            raise PoselineError(f"--classes {name}: {network} has no such class; it knows {some}")
    if not wanted:
        raise PoselineError("--classes: name at least one class, such as person")
    return np.array([known.index(name) for name in wanted])


def suppress(box: np.ndarray, score: np.ndarray, threshold: float) -> np.ndarray:
    """Indices kept by greedy non-maximum suppression, best first; IoUs above ``threshold`` count as overlaps."""
    order = np.argsort(-score, kind="stable")
    above = iou(box[order], box[order]) > threshold
    kept = np.ones(len(order), bool)
    for i in range(len(order)):
        if kept[i]:
            kept[i + 1 :] &= ~above[i, i + 1 :]
    return order[kept]
