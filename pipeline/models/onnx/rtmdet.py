"""Detectors in ONNX files: RTMDet (Lyu et al. 2022), and the code that all detectors share.

Three kinds of outputs: ``boxes`` (B, N, 4) with ``scores`` (B, N, C) before suppression, as `poseline models export`
writes them; ``dets`` (B, N, 5) with ``labels`` (B, N) after it, as MMDeploy does; YOLOX's one (B, N, 5 + C).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17
from pipeline.models.detections import Detections, suppress
from pipeline.models.onnx.input import Pixels, Planes, fitted, outputs, tasks
from pipeline.models.runtime import Session, in_lanes

CPU_BATCH = 1  # pictures that a CPU takes at once
MOST_CANDIDATES = 2000  # of one image, before suppression
MOST_PEOPLE = 300  # of one image


class Candidates(NamedTuple):
    """Boxes of one image in network px."""

    box: np.ndarray  # (N, 4) f32 x1 y1 x2 y2
    score: np.ndarray  # (N,) f32
    label: np.ndarray  # (N,) i64

    def best(self, most: int) -> Candidates:
        """The best, best first."""
        rows = np.argsort(-self.score, kind="stable")[:most]
        return Candidates(self.box[rows], self.score[rows], self.label[rows])


# (outputs, image, wanted classes, threshold, (w, h) of the input) -> candidates
Size = tuple[int, int] | Callable[[int, int], tuple[int, int]]  # (w, h) of the input, or by a picture's height, width
Decoder = Callable[[dict[str, np.ndarray], int, np.ndarray, float, tuple[int, int]], Candidates]


class OnnxDetector:
    """Boxes of the wanted classes, equal to those of `mmdet.apis.inference_detector`, with mmdet's pixel centres."""

    skeleton = COCO17

    def __init__(
        self,
        session: Session,
        size: Size,
        pixels: Pixels,
        fixed: int | None,
        decode: Decoder,
        wanted: np.ndarray,
        threshold: float,
        nms_iou: float | None,
    ):
        self.sessions, self.size, self.planes, self.fixed = [session], size, Planes(pixels), fixed
        self.decode, self.wanted, self.threshold, self.nms_iou = decode, wanted, threshold, nms_iou

    def detect(self, images: np.ndarray) -> Detections:
        """People, or whatever the classes are, in images (B, H, W, 3) u8 RGB."""
        device = self.sessions[0].device
        some = tasks(device, len(images), self.fixed, CPU_BATCH, len(images))
        parts = in_lanes(device, lambda rows: self._found(images, rows), some)
        return Detections.concat([found for part in parts for found in part]).clipped(*images.shape[1:3])

    def _found(self, images: np.ndarray, rows: range) -> list[Detections]:
        """The people of these rows of the images, an entry for each."""
        size = self.size if isinstance(self.size, tuple) else self.size(images.shape[1], images.shape[2])
        pictures, scale = fitted(images[rows.start : rows.stop], size)
        planes = self.planes.empty(len(rows), size)
        for picture, into in zip(pictures, planes, strict=True):
            self.planes.fill(picture, into)
        out, parts = outputs(self.sessions[0], planes, self.fixed), []
        for i, row in enumerate(rows):
            found = self._candidates(out, i, size).best(MOST_CANDIDATES)
            if self.nms_iou is not None:
                found = suppressed(found, self.nms_iou)
            found = found.best(MOST_PEOPLE)
            parts.append(
                Detections.from_boxes(np.full(len(found.box), row), found.box / np.tile(scale, 2), found.score)
            )
        return parts

    def _candidates(self, out: dict[str, np.ndarray], image: int, size: tuple[int, int]) -> Candidates:
        try:
            return self.decode(out, image, self.wanted, self.threshold, size)
        except (IndexError, ValueError) as error:
            raise PoselineError(
                f"{self.sessions[0].file}: its outputs do not fit its kind of detector and an input of "
                f"{size[0]}×{size[1]} px; leave out detect.pixels, or use another file"
            ) from error


def suppressed(found: Candidates, nms_iou: float) -> Candidates:
    """The candidates without those that overlap a better one of the same class."""
    kept = [
        rows[suppress(found.box[rows], found.score[rows], nms_iou)]
        for rows in (np.flatnonzero(found.label == label) for label in np.unique(found.label))
    ]
    rows = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    return Candidates(found.box[rows], found.score[rows], found.label[rows])


def from_scores(
    out: dict[str, np.ndarray], image: int, wanted: np.ndarray, threshold: float, size: tuple[int, int]
) -> Candidates:
    """Candidates from ``boxes`` and ``scores``: a box may be of several classes."""
    score = out["scores"][image][:, wanted]
    row, column = np.nonzero(score > threshold)
    return Candidates(out["boxes"][image][row], score[row, column], wanted[column])


def from_dets(
    out: dict[str, np.ndarray], image: int, wanted: np.ndarray, threshold: float, size: tuple[int, int]
) -> Candidates:
    """Candidates from ``dets`` and ``labels``, which are suppressed already; empty rows have a score of 0."""
    dets, label = out["dets"][image], out["labels"][image].astype(np.int64)
    keep = np.isin(label, wanted) & (dets[:, 4] > threshold)
    return Candidates(dets[keep, :4], dets[keep, 4], label[keep])
