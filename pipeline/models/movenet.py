"""MoveNet (Google, Apache-2.0): Thunder and Lightning for one person in a crop, MultiPose for all people at once.

All three predict, on maps of stride 4, person centres, a rough keypoint guess regressed from each centre, keypoint
heatmaps and sub-cell offsets; a keypoint is the strongest heatmap cell near its guess.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.models.base import People, Poses, letterbox, long_side, square_crops
from pipeline.models.runtime import ASSETS, Device, Session
from pipeline.skeleton import COCO17
from pipeline.track.similarity import box_area, iou, oks, suppress_duplicates

STRIDE = 4  # input px per cell of the maps
SOFTEN = 1.8  # cells; a heatmap is weighted by 1 / (distance to the guess + 1.8)
SIGMAS = np.array(COCO17.sigmas)
MOST_PEOPLE = 100  # of one image and scale
SINGLE = {"movenet-thunder": 256, "movenet-lightning": 192}  # network: crop side in px
CROP_PAD = 1.25  # crop side over the box's longer side
CANDIDATES = 4  # people weighed in one crop
SAME = 0.5  # OKS, or between scales IoU, from which two are one
OUTSIDE = 0.1  # weight of heatmap cells outside the person's box


def refine(heat: np.ndarray, offset: np.ndarray, guess: np.ndarray, weight: np.ndarray | None = None):
    """Keypoints of one person from its guesses.

    heat (h, w, K), offset (h, w, K, 2) as (y, x), guess (K, 2) as (y, x) in cells, weight (h, w) of the cells.
    Returns positions (K, 2) as (y, x) in cells and scores (K,), the heatmaps' own.
    """
    h, w, k = heat.shape
    dy = np.arange(h, dtype=np.float32)[:, None] - guess[:, 0].astype(np.float32)  # (h, K)
    dx = np.arange(w, dtype=np.float32)[:, None] - guess[:, 1].astype(np.float32)  # (w, K)
    near = heat / (np.sqrt((dy**2)[:, None] + (dx**2)[None]) + np.float32(SOFTEN))  # (h, w, K)
    if weight is not None:
        near *= weight[..., None]
    y, x = np.divmod(near.reshape(h * w, k).argmax(0), w)
    index = np.arange(k)
    return np.stack([y, x], 1) + offset[y, x, index], heat[y, x, index]


class MultiPose:
    """People of a whole image with boxes and poses; also a one-stage pose network.

    Large people break into parts when the input is large, small ones vanish when it is small. The first scale is the
    one to trust; the others add whom it did not see.
    """

    skeleton = COCO17

    def __init__(self, device: Device, long_sides: tuple[tuple[float, int, int], ...], threshold: float):
        self.sessions = [Session(ASSETS / "movenet-multipose.onnx", device)]
        self.long_sides, self.threshold = long_sides, threshold

    def detect(self, images: np.ndarray) -> People:
        """People in images (B, H, W, 3) u8 RGB."""
        people: People | None = None
        for px in dict.fromkeys(long_side(images, *limits) for limits in self.long_sides):
            found = self._seen(images, px)
            if people is None:
                people = found
            else:
                people = People.concat([with_added(people.of(i), found.of(i)) for i in range(len(images))])
        return People.empty() if people is None else people

    def _seen(self, images: np.ndarray, px: int) -> People:
        """People at one scale, whose longer side is ``px``."""
        scaled, scale = letterbox(images, px)
        out = self.sessions[0].run(scaled.astype(np.float32))
        parts = []
        for i in range(len(images)):
            box, score, keypoints, keypoint_score = decode_all({k: v[i] for k, v in out.items()}, self.threshold)
            image = np.full(len(box), i, np.int64)
            parts.append(People(image, box / scale, score, keypoints / scale, keypoint_score))
        people = People.concat(parts).clipped(*images.shape[1:3])
        return People.concat([_distinct(people.of(i)) for i in range(len(images))])


def with_added(people: People, more: People) -> People:
    """The people of one image, and those of another scale who are none of them.

    The added have half of their score, as most are parts of people and clutter; a second detector makes up for it.
    """
    if len(people) and len(more):
        seen = [np.ones_like(p.keypoint_score) for p in (people, more)]
        area = 0.53 * box_area(people.box_px)
        alike = oks(people.keypoints_px, seen[0], more.keypoints_px, seen[1], area, SIGMAS)  # (N, M)
        more = more.take(np.maximum(alike, iou(people.box_px, more.box_px)).max(0) <= SAME)
    halved = People(more.image, more.box_px, more.score / 2, more.keypoints_px, more.keypoint_score)
    return People.concat([people, halved])


def _distinct(people: People) -> People:
    """Without people seen twice, as two peaks."""
    rank = people.score * people.keypoint_score.mean(1)
    # The network's guesses at hidden points tell people apart as well: all points count.
    seen = np.ones_like(people.keypoint_score)
    area = 0.53 * box_area(people.box_px)
    return people.take(suppress_duplicates(people.keypoints_px, seen, rank, area, SIGMAS, SAME))


def decode_all(maps: dict[str, np.ndarray], threshold: float) -> tuple[np.ndarray, ...]:
    """All people of one image from MultiPose's maps, in input px.

    Returns boxes (N, 4), scores (N,), keypoints (N, 17, 2), keypoint scores (N, 17), all f32.
    """
    centre = maps["center"][..., 0]
    peaks = (centre == cv2.dilate(centre, np.ones((3, 3), np.uint8))) & (centre > threshold)
    ys, xs = np.nonzero(peaks)
    order = np.argsort(-centre[ys, xs], kind="stable")[:MOST_PEOPLE]
    ys, xs = ys[order], xs[order]
    height, width = centre.shape
    size = maps["box_scale"][ys, xs]  # (N, 2) h, w in cells
    middle = np.stack([ys, xs], 1) + maps["box_offset"][ys, xs]
    box = np.concatenate([middle - size / 2, middle + size / 2], 1)  # (N, 4) y1 x1 y2 x2
    guess = maps["kpt_regress"][ys, xs].reshape(-1, 17, 2) + np.stack([ys, xs], 1)[:, None]
    margin = 0.1 * size.max(1, initial=0) + 1
    low = np.clip(np.floor(box[:, :2] - margin[:, None]), 0, [height - 1, width - 1]).astype(int)
    high = np.maximum(np.clip(np.ceil(box[:, 2:] + margin[:, None]) + 1, 0, [height, width]).astype(int), low + 1)
    keypoints = np.zeros((len(ys), 17, 2), np.float32)
    score = np.zeros((len(ys), 17), np.float32)
    for n, ((y0, x0), (y1, x1)) in enumerate(zip(low, high, strict=True)):
        window = np.s_[y0:y1, x0:x1]
        offset = maps["kpt_offset"][window].reshape(y1 - y0, x1 - x0, 17, 2)
        yx, score[n] = refine(maps["kpt_heatmap"][window], offset, guess[n] - low[n])
        keypoints[n] = (yx + low[n])[:, ::-1] * STRIDE
    return (box[:, [1, 0, 3, 2]] * STRIDE).astype(np.float32), centre[ys, xs], keypoints, score


class SinglePose:
    """Thunder or Lightning: the pose of each person from a crop around the box."""

    skeleton = COCO17

    def __init__(self, device: Device, name: str, batch: int, prior_only: bool = False):
        self.sessions = [Session(ASSETS / f"{name}.onnx", device)]
        self.size, self.batch, self.prior_only = SINGLE[name], batch, prior_only

    def estimate(self, images: np.ndarray, people: People) -> Poses:
        """Keypoints (N, 17, 2) f32 in image px and scores (N, 17) f32 of people in images (B, H, W, 3) u8 RGB."""
        keypoints = np.zeros((len(people), 17, 2), np.float32)
        score = np.zeros((len(people), 17), np.float32)
        for start in range(0, len(people), self.batch):
            rows = np.arange(start, min(start + self.batch, len(people)))
            box = people.box_px[rows].astype(np.float64)
            crops, scale, centre = square_crops(images, people.image[rows], box, self.size, CROP_PAD)
            out = self.sessions[0].run(crops)
            corners = (box.reshape(-1, 2, 2) - centre[:, None]) * scale[:, None, None] + self.size / 2
            cells = corners.reshape(-1, 4) / STRIDE
            for j, n in enumerate(rows):
                xy, score[n] = decode_one({k: v[j] for k, v in out.items()}, cells[j], self.prior_only)
                keypoints[n] = (xy * STRIDE - self.size / 2) / scale[j] + centre[j]
        return Poses(keypoints, score)


def decode_one(maps: dict[str, np.ndarray], box: np.ndarray, prior_only: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The person of a crop whose box is (4,) x1 y1 x2 y2 in cells: keypoints (17, 2) x, y in cells, scores (17,).

    MoveNet's own rule takes the strongest centre after weighting by the distance to the crop's middle, and jumps to the
    neighbour when two people overlap (``prior_only`` keeps to it). Here each of the best centres is a candidate; its
    guesses are held inside the box, cells outside count a tenth, and the candidate whose guesses and keypoints fill the
    box best, weighted by the keypoints' strength, is the person.
    """
    centre, heat = maps["center"][..., 0], maps["kpt_heatmap"]
    cells = centre.shape[0]
    offset = maps["kpt_offset"].reshape(cells, cells, 17, 2)
    axis = np.arange(cells, dtype=np.float32)
    middle, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    weighted = centre / (np.hypot(axis[:, None] - middle[1], axis[None] - middle[0]) + SOFTEN)
    if prior_only:
        guess = _guess(maps, int(np.argmax(weighted)))
        yx, score = refine(heat, offset, guess)
        return yx[:, ::-1], score
    reach = 0.1 * size + 1
    inside_x = (axis >= box[0] - reach[0]) & (axis <= box[2] + reach[0])
    inside_y = (axis >= box[1] - reach[1]) & (axis <= box[3] + reach[1])
    weight = np.where(inside_y[:, None] & inside_x[None], np.float32(1), np.float32(OUTSIDE))
    hold = 0.05 * size
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for cell in _candidates(centre, weighted):
        raw = _guess(maps, cell)
        guess = raw.clip((box[:2] - hold)[::-1], (box[2:] + hold)[::-1])
        yx, score = refine(heat, offset, guess, weight)
        fit = (_fill(yx[score > 0.2], box) + _fill(raw, box)) * (0.3 + float(score.mean()))
        if best is None or fit > best[0]:
            best = (fit, yx, score)
    assert best is not None
    return best[1][:, ::-1], best[2]


def _guess(maps: dict[str, np.ndarray], cell: int) -> np.ndarray:
    """(17, 2) y, x in cells: the keypoints regressed from one centre."""
    y, x = divmod(cell, maps["center"].shape[1])
    return maps["kpt_regress"][y, x].reshape(17, 2) + np.array([y, x], np.float32)


def _candidates(centre: np.ndarray, weighted: np.ndarray) -> list[int]:
    """Flat indices of the best centre peaks, the strongest weighted cell always among them."""
    peaks = np.flatnonzero((centre == cv2.dilate(centre, np.ones((5, 5), np.uint8))) & (centre > 0.05))
    order = peaks[np.argsort(-weighted.ravel()[peaks], kind="stable")][:CANDIDATES]
    first = int(np.argmax(weighted))
    return [first, *(int(p) for p in order if p != first)]


def _fill(yx: np.ndarray, box: np.ndarray) -> float:
    """IoU of the points' extent with the box; 0 for fewer than two points."""
    if len(yx) < 2:
        return 0.0
    extent = np.concatenate([yx.min(0)[::-1], yx.max(0)[::-1]])
    return float(iou(extent[None], box[None])[0, 0])
