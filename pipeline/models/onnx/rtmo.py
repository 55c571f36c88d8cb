"""RTMO (Lu et al. 2024) in ONNX files: people and their poses together from the whole picture.

Outputs: ``dets`` (B, N, 5) x1 y1 x2 y2 score and ``keypoints`` (B, N, K, 3) x y score in network px, as MMDeploy writes
them; or those of all B images in one row, suppression done, with ``image`` (N,), as `poseline models export` does.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.models.detections import Detections, suppress
from pipeline.models.onnx.input import PAD, Pixels, Planes, batches, matrices, to_image
from pipeline.models.onnx.rtmdet import CPU_BATCH
from pipeline.models.runtime import Session

MOST_PEOPLE = 300  # of one image, before suppression


class OnnxRTMO:
    """A detector that carries poses. People are those of `mmpose.apis.inference_bottomup`."""

    def __init__(
        self,
        session: Session,
        skeleton: Skeleton,
        size: tuple[int, int],
        pixels: Pixels,
        fixed: int | None,
        threshold: float,
        nms_iou: float,
    ):
        self.sessions, self.skeleton, self.size, self.fixed = [session], skeleton, size, fixed
        self.planes, self.threshold, self.nms_iou = Planes(pixels), threshold, nms_iou

    def detect(self, images: np.ndarray) -> Detections:
        """People with poses in images (B, H, W, 3) u8 RGB."""
        centre, side = whole(images.shape[1:3], self.size)
        (matrix,) = matrices(centre, side, self.size, udp=False)
        planes = self.planes.empty(len(images), self.size)
        for image, into in zip(images, planes, strict=True):
            grey = (PAD, PAD, PAD)
            fitted = cv2.warpAffine(image, matrix, self.size, flags=cv2.INTER_LINEAR, borderValue=grey)
            self.planes.fill(fitted, into)
        parts = [Detections.empty(len(self.skeleton))]
        for pictures, out in batches(self.sessions[0], planes, self.fixed, CPU_BATCH):
            for i, picture in enumerate(pictures):
                dets, points = outputs(out, i)
                rows = chosen(dets, self.threshold, None if "image" in out else self.nms_iou)
                box = to_image(dets[rows, :4].reshape(-1, 2, 2), centre, side, self.size).reshape(-1, 4)
                place = to_image(points[rows, :, :2], centre, side, self.size)
                sure = np.nan_to_num(points[rows, :, 2]).clip(0, 1)
                parts.append(Detections(np.full(len(rows), picture), box, dets[rows, 4].clip(0, 1), place, sure))
        return Detections.concat(parts).clipped(*images.shape[1:3])


def whole(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Centre (1, 2) and sides (1, 2) in image px of a view of ``size`` (w, h) with an image (H, W) in its middle."""
    height, width = shape
    ratio = width / height
    w, h = min(size[0], size[1] * ratio), min(size[1], size[0] / ratio)
    side = np.array([[width * size[0] / w, height * size[1] / h]], np.float32)
    return np.array([[width / 2, height / 2]], np.float32), side


def outputs(out: dict[str, np.ndarray], image: int) -> tuple[np.ndarray, np.ndarray]:
    """``dets`` (N, 5) and ``keypoints`` (N, K, 3) of one image, by name, else by their ranks."""
    if "image" in out:  # all people in one row
        here = out["image"] == image
        return out["dets"][0, here], out["keypoints"][0, here]
    flat, deep = (out["dets"], out["keypoints"]) if "dets" in out else sorted(out.values(), key=np.ndim)
    return flat[image], deep[image]


def chosen(dets: np.ndarray, threshold: float, nms_iou: float | None) -> np.ndarray:
    """Rows of dets (N, 5) that are people, best first; with ``nms_iou`` None they are suppressed already."""
    rows = np.flatnonzero(dets[:, 4] > threshold)
    rows = rows[np.argsort(-dets[rows, 4], kind="stable")][:MOST_PEOPLE]
    return rows if nms_iou is None else rows[suppress(dets[rows, :4], dets[rows, 4], nms_iou)]
