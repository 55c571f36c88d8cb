"""Top-down networks in ONNX files: RTMPose, RTMW and all SimCC networks, and heatmap networks.

Jiang et al. 2023, "RTMPose"; Li et al. 2022, "SimCC": a keypoint's x and y are classified apart, in bins of a fraction
of a pixel. Xiao et al. 2018, "Simple Baselines": a keypoint is its heatmap's highest cell, a quarter cell towards the
higher neighbour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.models.detections import Detections, Poses
from pipeline.models.onnx.input import Pixels, Planes, matrices, outputs, tasks, to_image, views
from pipeline.models.runtime import Session, in_lanes

CPU_BATCH = 4  # people that a CPU takes at once
Decoder = Callable[[dict[str, np.ndarray], tuple[int, int]], tuple[np.ndarray, np.ndarray]]


class Crop(NamedTuple):
    """How a network's input is cropped around a person."""

    size: tuple[int, int]  # w, h
    pixels: Pixels
    padding: float = 1.25  # size of the crop over the size of the box
    udp: bool = False


class TopDownOnnx:
    """The pose of each person from a crop around the box. Keypoints are those of `mmpose.apis.inference_topdown`.

    Its coordinates are not shifted: mmpose counts pixel centres from 0 where the rest of poseline has them at .5.
    """

    def __init__(
        self,
        session: Session,
        skeleton: Skeleton,
        crop: Crop,
        decode: Decoder,
        batch: int,
        fixed: int | None,
        flip_test: bool = False,
    ):
        self.sessions, self.skeleton, self.crop = [session], skeleton, crop
        self.decode, self.batch, self.fixed, self.flip_test = decode, batch, fixed, flip_test
        self.planes = Planes(crop.pixels)

    def estimate(self, images: np.ndarray, people: Detections) -> Poses:
        """Keypoints (N, K, 2) px and scores (N, K) f32 of people in images (B, H, W, 3) u8 RGB."""
        n, k, size, device = len(people), len(self.skeleton), self.crop.size, self.sessions[0].device
        points, score = np.zeros((n, k, 2), np.float32), np.zeros((n, k), np.float32)
        centre, side = views(people.box_px, size, self.crop.padding)
        matrix = matrices(centre, side, size, self.crop.udp)
        some = tasks(device, n, self.fixed, CPU_BATCH, self.batch)
        found = in_lanes(device, lambda rows: self._posed(images, people.image[rows], matrix[rows]), some)
        for rows, (place, sure) in zip(some, found, strict=True):
            points[rows], score[rows] = place[: len(rows)], sure[: len(rows)]
        return Poses(to_image(points, centre, side, size), np.nan_to_num(score).clip(0, 1))

    def _posed(self, images: np.ndarray, image: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points in crop px and scores of the crops that ``matrix`` (n, 2, 3) cuts from the images ``image`` (n,)."""
        planes, session, size = self.planes.empty(len(image), self.crop.size), self.sessions[0], self.crop.size
        for into, row, cut in zip(planes, image, matrix, strict=True):
            self.planes.fill(cv2.warpAffine(images[row], cut, size, flags=cv2.INTER_LINEAR), into)
        out = outputs(session, planes, self.fixed)
        if self.flip_test:
            other = outputs(session, np.ascontiguousarray(planes[..., ::-1]), self.fixed)
            out = both_ways(out, other, self.skeleton.flip, size[0])
        return self.decode(out, size)


def both_ways(
    out: dict[str, np.ndarray], mirrored: dict[str, np.ndarray], flip: np.ndarray, width: int
) -> dict[str, np.ndarray]:
    """The mean of a network's outputs for crops of ``width`` px and, mirrored back, for their mirror images.

    ``flip`` (K,) exchanges left and right. Pixel i is pixel width - 1 - i of the mirror image, so that bin b of n,
    which lies at b · width / n, is bin n - n / width - b.
    """
    if len(out) == 1:  # heatmaps
        return {name: (maps + mirrored[name][:, flip, :, ::-1]) / 2 for name, maps in out.items()}
    (x, y), (other_x, other_y) = axes(out), axes(mirrored)
    shift = max(x.shape[2] // width - 1, 0)
    turned = np.concatenate([other_x[:, flip, ::-1][..., shift:], np.zeros_like(x[..., :shift])], 2)
    return {"simcc_x": (x + turned) / 2, "simcc_y": (y + other_y[:, flip]) / 2}


def simcc(out: dict[str, np.ndarray], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (N, K, 2) in crop px and scores (N, K) of the less sure axis, f32.

    A point that neither axis finds lies at bin -1, as in mmpose.
    """
    return _placed(out, size, lambda bins: bins.argmax(2))


def refined_simcc(out: dict[str, np.ndarray], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Like `simcc`, between the bins: each value is the top of a parabola through the highest bin and its neighbours.

    On COCO's photographs this raises AP by .002 with given boxes, and a path has no steps of half a crop pixel.
    """
    return _placed(out, size, _tops)


def _placed(
    out: dict[str, np.ndarray], size: tuple[int, int], top: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    x, y = axes(out)
    place = np.stack([top(x), top(y)], -1).astype(np.float32)
    score = np.minimum(x.max(2), y.max(2))
    place[score <= 0] = -1
    return place / (np.array([x.shape[2], y.shape[2]], np.float32) / np.array(size, np.float32)), score


def _tops(bins: np.ndarray) -> np.ndarray:
    """(N, K) positions of the maxima of bins (N, K, W), in fractional bins."""
    best = bins.argmax(2)
    if bins.shape[2] < 3:
        return best
    middle = best.clip(1, bins.shape[2] - 2)
    low, high, top = (np.take_along_axis(bins, (middle + d)[..., None], 2)[..., 0] for d in (-1, 1, 0))
    with np.errstate(invalid="ignore"):  # a network may return infinity
        bend = low - 2 * top + high
        shift = np.where(bend < 0, 0.5 * (low - high) / np.where(bend < 0, bend, 1), 0).clip(-0.5, 0.5)
    return np.where(middle == best, best + np.nan_to_num(shift), best)


def axes(out: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The bins (N, K, Wx), (N, K, Wy) of x and y, by name, else in their order."""
    if "simcc_x" in out and "simcc_y" in out:
        return out["simcc_x"], out["simcc_y"]
    first, second = list(out.values())[:2]
    return first, second


def heatmap(out: dict[str, np.ndarray], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (N, K, 2) in crop px and scores (N, K) from heatmaps (N, K, h, w), f32."""
    (maps,) = out.values()
    n, k, h, w = maps.shape
    flat = maps.reshape(n, k, h * w)
    score = flat.max(2)
    y, x = np.divmod(flat.argmax(2), w)
    place = np.stack([x, y], -1).astype(np.float32)
    place[score <= 0] = -1
    i, j = np.ogrid[:n, :k]
    inside = (x > 0) & (x < w - 1) & (y > 0) & (y < h - 1)
    across = maps[i, j, y, (x + 1).clip(max=w - 1)] - maps[i, j, y, (x - 1).clip(min=0)]
    down = maps[i, j, (y + 1).clip(max=h - 1), x] - maps[i, j, (y - 1).clip(min=0), x]
    towards = np.sign(np.stack([across, down], -1)) * np.float32(0.25)
    place += np.where((inside & (score > 0))[..., None], towards, 0).astype(np.float32)
    return place * (np.array(size, np.float32) / np.array([w, h], np.float32)), score
