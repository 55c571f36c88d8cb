"""RTMO (Lu et al. 2024) in ONNX files: people and their poses together from the whole picture.

Outputs: ``dets`` (B, N, 5) x1 y1 x2 y2 score and ``keypoints`` (B, N, K, 3) x y score in network px, as MMDeploy writes
them; or those of all B images in one row, suppression done, with ``image`` (N,), as `poseline models export` does.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.models.detections import Detections, suppress
from pipeline.models.onnx.input import PAD, Pixels, Planes, matrices, outputs, tasks, to_image
from pipeline.models.onnx.rtmdet import CPU_BATCH
from pipeline.models.runtime import Session, in_lanes

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
        device = self.sessions[0].device
        some = tasks(device, len(images), self.fixed, CPU_BATCH, len(images))
        parts = in_lanes(device, lambda rows: self._found(images, rows), some)
        found = [Detections.empty(len(self.skeleton)), *(found for part in parts for found in part)]
        return Detections.concat(found).clipped(*images.shape[1:3])

    def _found(self, images: np.ndarray, rows: range) -> list[Detections]:
        """The people of these rows of the images, an entry for each."""
        centre, side = whole(images.shape[1:3], self.size)
        (matrix,) = matrices(centre, side, self.size, udp=False)
        planes = self.planes.empty(len(rows), self.size)
        for row, into in zip(rows, planes, strict=True):
            grey = (PAD, PAD, PAD)
            fitted = cv2.warpAffine(images[row], matrix, self.size, flags=cv2.INTER_LINEAR, borderValue=grey)
            self.planes.fill(fitted, into)
        out, parts = outputs(self.sessions[0], planes, self.fixed), []
        for i, row in enumerate(rows):
            dets, points = found_in(out, i)
            best = chosen(dets, self.threshold, None if "image" in out else self.nms_iou)
            box = to_image(dets[best, :4].reshape(-1, 2, 2), centre, side, self.size).reshape(-1, 4)
            place = to_image(points[best, :, :2], centre, side, self.size)
            sure = np.nan_to_num(points[best, :, 2]).clip(0, 1)
            parts.append(Detections(np.full(len(best), row), box, dets[best, 4].clip(0, 1), place, sure))
        return parts


def whole(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Centre (1, 2) and sides (1, 2) in image px of a view of ``size`` (w, h) with an image (H, W) in its middle."""
    height, width = shape
    ratio = width / height
    w, h = min(size[0], size[1] * ratio), min(size[1], size[0] / ratio)
    side = np.array([[width * size[0] / w, height * size[1] / h]], np.float32)
    return np.array([[width / 2, height / 2]], np.float32), side


def found_in(out: dict[str, np.ndarray], image: int) -> tuple[np.ndarray, np.ndarray]:
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
