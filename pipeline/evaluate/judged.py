"""Boxes and keypoints of networks that annotations call right or wrong: photographs in COCO's format, MOT sequences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.similarity import iou
from pipeline.core.skeleton import COCO17, mapping
from pipeline.evaluate.keypoints import read_truth
from pipeline.evaluate.mot import PEDESTRIAN, benchmark_of, read_mot
from pipeline.models.detections import Detections
from pipeline.models.protocols import Detector, PoseNetwork
from pipeline.observe.poses import body_columns
from pipeline.observe.turned import looked_again
from pipeline.video.decode import open_reader
from pipeline.video.images import read_image
from pipeline.video.index import index_video

RIGHT_IOU = 0.5  # with a person, from which a box is right
RIGHT_OKS = 0.5  # of a keypoint alone, from which it is right
_ANY_RATE = Fraction(25)  # of a folder of images: numbers count, not times
LEAST_SINGLE = 20  # pictures of one person each from which a truth names one of several people
_COVERED = 0.5  # share of a box in a crowd, or with somebody who does not count, from which it is not judged


class Picture(NamedTuple):
    """An annotated picture of people."""

    image: np.ndarray  # (H, W, 3) u8 RGB
    box_px: np.ndarray  # (N, 4) f64 x1 y1 x2 y2
    counts: np.ndarray  # (N,) bool; False: a crowd, or somebody whom the truth leaves out
    points: np.ndarray  # (N, 17, 3) f64 COCO's x, y and visibility, 0: not labelled
    area: np.ndarray  # (N,) f64 px², as OKS wants it


class Judged(NamedTuple):
    """Scores (n,) f64 and whether each is right (n,) bool."""

    score: np.ndarray
    right: np.ndarray


class Verdicts(NamedTuple):
    """What a truth says of the boxes and keypoints of each of its pictures."""

    boxes: list[Judged]
    points: list[Judged]
    single: bool  # it names one person in each picture: no box is judged


def pictures(gt: Path, images: Path, every: int) -> Iterator[Picture]:
    """The pictures of a truth: COCO's JSON with a folder, MOT's gt.txt with a video or a folder, each ``every``-th.

    Raises PoselineError for a truth or pictures that are missing or of another kind.
    """
    return _photographs(gt, images, every) if gt.suffix.lower() == ".json" else _sequence(gt, images, every)


def _photographs(gt: Path, folder: Path, every: int) -> Iterator[Picture]:
    truth = read_truth(gt)
    named = tuple(truth.category.get("keypoints") or COCO17.names)
    if truth.keypoints != len(COCO17) or named != COCO17.names:
        raise PoselineError(f"{gt}: its people do not have COCO's 17 keypoints; give COCO keypoint annotations")
    files = {image["id"]: image.get("file_name") for image in json.loads(gt.read_text(encoding="utf-8-sig"))["images"]}
    for image_id, name in list(files.items())[::every]:
        if not isinstance(name, str) or not (folder / name).is_file():
            raise PoselineError(f"{folder / str(name)}: this image of the annotations is missing; check --images")
        here = [a for a in truth.annotations.values() if a["image_id"] == image_id]
        box = np.array([a["bbox"] for a in here], np.float64).reshape(-1, 4)
        box[:, 2:] += box[:, :2]
        points = np.array([a["keypoints"] for a in here], np.float64).reshape(-1, len(COCO17), 3)
        area = np.array([a["area"] for a in here], np.float64)
        yield Picture(read_image(folder / name), box, np.array([not a["iscrowd"] for a in here], bool), points, area)


def _sequence(gt: Path, video: Path, every: int) -> Iterator[Picture]:
    truth, info = read_mot(gt), index_video(video, fps=_ANY_RATE if video.is_dir() else None)
    scored = truth.score != 0
    if truth.category is not None and benchmark_of(truth) != "mot15":
        scored &= truth.category == PEDESTRIAN
    with open_reader(info, "pyav") as reader:
        for frame in range(0, len(info), every):
            rows = truth.frame == frame + 1
            box = truth.box[rows] - [1, 1, 0, 0]
            box[:, 2:] += box[:, :2]
            none = np.zeros((len(box), len(COCO17), 3))
            for shown in reader.read(frame, frame + 1, 1):
                yield Picture(shown.image[0], box, scored[rows], none, np.zeros(len(box)))


def judged_boxes(found: Detections, truth: Picture) -> Judged:
    """The boxes found in a picture: right where they are, best first, the first on a person, with IoU .5 and more.

    A box on a crowd, or on somebody who does not count, is not judged.
    """
    order = np.argsort(-found.score, kind="stable")
    box, score = found.box_px[order].astype(np.float64), found.score[order].astype(np.float64)
    free = truth.counts.copy()
    near = iou(box, truth.box_px)
    covered = _covered(box, truth.box_px[~truth.counts]) >= _COVERED
    right, known = np.zeros(len(box), bool), np.ones(len(box), bool)
    for n in range(len(box)):
        row = np.where(free, near[n], 0)
        if row.max(initial=0) >= RIGHT_IOU:
            right[n] = True
            free[row.argmax()] = False
        else:
            known[n] = not covered[n].any()
    return Judged(score[known], right[known])


def _covered(box: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N, M) share of each box (N, 4) that lies in each other one (M, 4)."""
    low, high = np.maximum(box[:, None, :2], other[:, :2]), np.minimum(box[:, None, 2:], other[:, 2:])
    area = (box[:, 2:] - box[:, :2]).prod(1)
    share: np.ndarray = np.maximum(high - low, 0).prod(2) / np.maximum(area, 1e-9)[:, None]
    return share


def judged_points(network: PoseNetwork, truth: Picture, turned: bool = False) -> Judged:
    """The labelled keypoints of a picture's people in their true boxes: right where the OKS of the point is .5.

    ``turned``: whoever seems not to be upright is looked at again, as `pose.turned` has it in runs.
    """
    size = truth.box_px[:, 2:] - truth.box_px[:, :2]
    rows = np.flatnonzero(truth.counts & truth.points[..., 2].any(1) & (size > 0).all(1))
    if not len(rows):
        return Judged(np.zeros(0), np.zeros(0, bool))
    people = Detections.from_boxes(np.zeros(len(rows)), truth.box_px[rows].astype(np.float32), np.ones(len(rows)))
    columns, image = mapping(network.skeleton, COCO17), truth.image[None]
    found = network.estimate(image, people)
    if turned:
        body = body_columns(network.skeleton)
        found = looked_again(image, people, found, network.estimate, network.skeleton, body)
    place, score = found.keypoints_px[:, columns].astype(np.float64), found.score[:, columns].astype(np.float64)
    off2 = np.square(place - truth.points[rows, :, :2]).sum(-1)
    spread = 2 * truth.area[rows, None] * np.square(2 * np.array(COCO17.sigmas))
    labelled = (truth.points[rows, :, 2] > 0) & (columns >= 0)
    right = np.exp(-off2 / np.maximum(spread, 1e-9)) >= RIGHT_OKS
    return Judged(score[labelled], right[labelled])


def both(parts: list[Judged]) -> Judged:
    """All of them."""
    return Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def judged(detector: Detector, pose: PoseNetwork | None, shown: Iterator[Picture], turned: bool) -> Verdicts:
    """Boxes, and keypoints where there is a pose network, of each picture.

    Where a truth has one person in each of `LEAST_SINGLE` pictures and more, it names one of several people, as data
    sets of single poses do: what its other people's boxes are is not known, and no box is judged.
    """
    none = Judged(np.zeros(0), np.zeros(0, bool))
    boxes, points, people = [], [], []
    for picture in shown:
        boxes.append(judged_boxes(detector.detect(picture.image[None]), picture))
        points.append(judged_points(pose, picture, turned) if pose else none)
        people.append(len(picture.box_px) if picture.points[..., 2].any() else 0)
    single = len(people) >= LEAST_SINGLE and set(people) == {1}
    return Verdicts([none for _ in boxes] if single else boxes, points, single)
