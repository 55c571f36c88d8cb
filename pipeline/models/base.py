"""What detectors and pose networks share: people of a batch of images, poses, scaling, crops, suppression."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.errors import PoselineError
from pipeline.track.similarity import iou

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
class People:
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
    def from_boxes(cls, image: np.ndarray, box_px: np.ndarray, score: np.ndarray, k: int = 17) -> People:
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
    def empty(cls, k: int = 17) -> People:
        """Nobody."""
        return cls.from_boxes(np.zeros(0), np.zeros((0, 4)), np.zeros(0), k)

    @classmethod
    def concat(cls, parts: list[People]) -> People:
        """All parts after one another, then sorted by image (stable)."""
        if not parts:
            return cls.empty()
        joined = cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))
        return joined.take(np.argsort(joined.image, kind="stable"))

    def take(self, rows: np.ndarray) -> People:
        """The given rows (mask or indices)."""
        return People(*(getattr(self, f.name)[rows] for f in fields(self)))

    def of(self, image: int) -> People:
        """The people of one image."""
        low, high = np.searchsorted(self.image, [image, image + 1])
        return self.take(np.arange(low, high))

    def clipped(self, height: int, width: int) -> People:
        """Boxes cut at the picture's border; people without any area left are dropped."""
        box = self.box_px.copy()
        box[:, 0::2] = box[:, 0::2].clip(0, width)
        box[:, 1::2] = box[:, 1::2].clip(0, height)
        keep = (box[:, 2] - box[:, 0] > 1) & (box[:, 3] - box[:, 1] > 1)
        return People(self.image, box, self.score, self.keypoints_px, self.keypoint_score).take(keep)


class Poses(NamedTuple):
    """What a pose network says of N people."""

    keypoints_px: np.ndarray  # (N, K, 2) f32
    score: np.ndarray  # (N, K) f32, 0…1
    world_m: np.ndarray | None = None  # (N, K, 3) f32 metres about the hips
    certainty: np.ndarray | None = None  # (N,) f32, 0…1: a person is there, where the keypoints cannot tell


def letterbox(images: np.ndarray, long_px: int, multiple: int = 32) -> tuple[np.ndarray, float]:
    """Images (B, H, W, 3) scaled so that the longer side is ``long_px``, padded right and below to the multiple.

    Returns the scaled batch (B, h, w, 3) u8 and the scale (network px per image px).
    """
    b, height, width = images.shape[:3]
    scale = long_px / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    out = np.zeros((b, -(-h // multiple) * multiple, -(-w // multiple) * multiple, 3), np.uint8)
    for i in range(b):
        out[i, :h, :w] = resized(images[i], w, h)
    return out, scale


def resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An image (H, W, 3) u8 at another size, without aliasing.

    Halved by area while it is more than twice as large, then bilinear: cv2 halves ten times faster than it averages
    over an area of any other ratio, and bilinear reaches as far as it needs to for the rest.
    """
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width and not (image.shape[0] | image.shape[1]) % 2:
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    far = image.shape[0] >= 2 * height  # an odd size that cannot be halved exactly
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if far else cv2.INTER_LINEAR)


def long_side(images: np.ndarray, share: float, least_px: int, most_px: int) -> int:
    """The network's longer input side for pictures of this size: a share of theirs, within limits."""
    return int(min(max(share * max(images.shape[1:3]), least_px), most_px))


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
    """Indices kept by greedy non-maximum suppression, best first; overlaps of an IoU above ``threshold`` go."""
    order = np.argsort(-score, kind="stable")
    above = iou(box[order], box[order]) > threshold
    kept = np.ones(len(order), bool)
    for i in range(len(order)):
        if kept[i]:
            kept[i + 1 :] &= ~above[i, i + 1 :]
    return order[kept]


def square_crops(
    images: np.ndarray, people_image: np.ndarray, box: np.ndarray, size: int, pad: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Square crops (N, size, size, 3) f32 RGB around boxes (N, 4), ``pad`` times their longer side.

    Returns the crops, scales (N,) in crop px per image px and centres (N, 2) in image px: a crop point p lies at
    ``(p - size / 2) / scale + centre``.
    """
    centre = (box[:, :2] + box[:, 2:]) / 2
    scale = size / (np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]) * pad)
    crops = np.empty((len(box), size, size, 3), np.float32)
    for n, (i, s, c) in enumerate(zip(people_image, scale, centre, strict=True)):
        # Pixel centres stand at .5 in image and crop; cv2 counts them from 0.
        shift = size / 2 - s * c + 0.5 * (s - 1)
        matrix = np.array([[s, 0, shift[0]], [0, s, shift[1]]], np.float32)
        crops[n] = cv2.warpAffine(images[i], matrix, (size, size), flags=cv2.INTER_LINEAR)
    return crops, scale, centre
