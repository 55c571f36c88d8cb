"""NanoDet (RangiLyu, Apache-2.0): boxes of people of every size, high recall, many weak ones; or of other classes."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.models.base import COCO_CLASSES, People, class_rows, letterbox, long_side, suppress
from pipeline.models.runtime import ASSETS, Device, Session
from pipeline.skeleton import COCO17

MEAN_BGR = (103.53, 116.28, 123.675)
STD_BGR = (57.375, 57.12, 58.395)
STRIDES = (8, 16, 32)
N_BINS = 11
_TABLES = [((np.arange(256) - mean) / std).astype(np.float32) for mean, std in zip(MEAN_BGR, STD_BGR, strict=True)]
MOST_BOXES = 400  # of one image, before suppression


class NanoDet:
    """The detector: images in, boxes with scores out."""

    skeleton = COCO17

    def __init__(
        self,
        device: Device,
        share: float,
        least_px: int,
        most_px: int,
        threshold: float,
        nms_iou: float,
        classes: tuple[str, ...] = ("person",),
    ):
        self.classes = class_rows(classes, COCO_CLASSES, "nanodet")
        self.sessions = [Session(ASSETS / "nanodet.onnx", device)]
        self.share, self.least_px, self.most_px = share, least_px, most_px
        self.threshold, self.nms_iou = threshold, nms_iou

    def detect(self, images: np.ndarray) -> People:
        """People in images (B, H, W, 3) u8 RGB."""
        scaled, scale = letterbox(images, long_side(images, self.share, self.least_px, self.most_px))
        out = self.sessions[0].run(normalised(scaled))
        people = []
        for i in range(len(images)):
            box, score = decode([out[f"p{s}"][i] for s in STRIDES], self.threshold, self.classes)
            keep = suppress(box, score, self.nms_iou)
            people.append(People.from_boxes(np.full(len(keep), i), box[keep] / scale, score[keep]))
        return People.concat(people).clipped(*images.shape[1:3])


def normalised(images: np.ndarray) -> np.ndarray:
    """The network's input (B, 3, H, W) f32 BGR from images (B, H, W, 3) u8 RGB, by a table of the 256 values."""
    out = np.empty((len(images), 3, *images.shape[1:3]), np.float32)
    for image, planes in zip(images, out, strict=True):
        for plane, source, table in zip(planes, reversed(cv2.split(image)), _TABLES, strict=True):
            plane[...] = cv2.LUT(source, table)
    return out


def decode(maps: list[np.ndarray], threshold: float, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of one image from its output maps [(124, H/s, W/s) for s in STRIDES], of the best of the ``classes``.

    Returns boxes (N, 4) f32 x1 y1 x2 y2 in input pixels and scores (N,), best first, before suppression of overlaps.
    A side's distance is the expectation of a softmax over 11 bins, in strides (Li et al. 2020, Generalized Focal Loss).
    """
    boxes, scores = [], []
    for stride, out in zip(STRIDES, maps, strict=True):
        score = 1 / (1 + np.exp(-out[classes].max(0)))  # (h, w)
        y, x = np.nonzero(score > threshold)
        bins = out[len(COCO_CLASSES) :, y, x].reshape(4, N_BINS, -1)
        bins = np.exp(bins - bins.max(1, keepdims=True))
        side = (bins * np.arange(N_BINS, dtype=np.float32)[:, None]).sum(1) / bins.sum(1) * stride  # (4, n) l t r b
        cx, cy = (x + 0.5) * stride, (y + 0.5) * stride
        boxes.append(np.stack([cx - side[0], cy - side[1], cx + side[2], cy + side[3]], 1))
        scores.append(score[y, x])
    box, score = np.concatenate(boxes).astype(np.float32), np.concatenate(scores)
    order = np.argsort(-score, kind="stable")[:MOST_BOXES]
    return box[order], score[order]
