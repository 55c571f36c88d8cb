"""Tracks against true tracks: boxes in MOTChallenge text files by IoU, poses in COCO-style JSON by OKS.

The scores are those of `pipeline.evaluate.hota`, which follows TrackEval 1.3. Where the truth has classes, as MOT16, 17
and 20 do, people who walk are scored, and a prediction may match somebody who stands, rides or is a reflection without
harm. In other files all scored rows of the truth are people.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.core.errors import PoselineError
from pipeline.core.similarity import iou, oks
from pipeline.evaluate.hota import score_similarities
from pipeline.evaluate.keypoints import KeypointTruth, load_json, oks_sigmas, read_truth
from pipeline.evaluate.sequence import EPS, THRESHOLD, Frame

MOT_COLUMNS = "frame, id, x, y, w, h, conf"
PEDESTRIAN, MOST_CLASS = 1, 13
# Classes of the truth that a prediction may match without harm, of each benchmark, as TrackEval has them: people on
# vehicles, who stand or sit, who only look like people, and reflections; MOT20 adds vehicles without motors.
HARMLESS = {"mot15": (), "mot16": (2, 7, 8, 12), "mot17": (2, 7, 8, 12), "mot20": (2, 6, 7, 8, 12)}
_FRAME_KEYS = ("frame_id", "frame_index", "frame")  # the names that data sets use for an image's place in its video


@dataclass(frozen=True)
class MotTable:
    """Rows of a MOTChallenge file by rising frame, within a frame as in the file."""

    frame: np.ndarray  # (R,) i64, from 1
    id: np.ndarray  # (R,) i64, once per frame
    box: np.ndarray  # (R, 4) f64 x y w h in px; the top left pixel of the image is 1, 1
    score: np.ndarray  # (R,) f64; in a truth file 0 marks rows that are not scored
    category: np.ndarray | None = None  # (R,) i64 classes of MOT16 and later, 1: a pedestrian; None: the file has none

    def take(self, rows: np.ndarray) -> MotTable:
        """The rows of a mask (R,) bool."""
        category = None if self.category is None else self.category[rows]
        return MotTable(self.frame[rows], self.id[rows], self.box[rows], self.score[rows], category)


def read_mot(path: Path | str) -> MotTable:
    """The rows of a MOTChallenge text file: frame, id, x, y, w, h, conf and more, with commas or blanks between.

    An empty file is a sequence without people. Raises PoselineError with file and line for anything else than such
    rows, for a frame that is not a whole number from 1 on, and for an id that is twice in a frame.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise PoselineError(f"{path}: cannot be read ({error.strerror}); expected a MOTChallenge text file") from error
    except UnicodeDecodeError as error:
        raise PoselineError(f"{path}: not text ({error.reason}); expected a MOTChallenge text file") from error
    rows: list[tuple[float, ...]] = []
    classes: list[int | None] = []
    seen: dict[tuple[float, ...], int] = {}  # frame and id → line
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _mot_row(line, f"{path}: line {number}")
        first = seen.setdefault(row[:2], number)
        if first != number:
            who = f"id {row[1]:.0f} of frame {row[0]:.0f}"
            raise PoselineError(f"{path}: line {number}: {who} is also in line {first}; expected each id once a frame")
        rows.append(row)
        classes.append(_class_of(line))
    table = np.array(rows, np.float64).reshape(-1, 7)
    order = np.argsort(table[:, 0], kind="stable")
    table = table[order]
    category = None if not rows or None in classes else np.array(classes, np.int64)[order]
    return MotTable(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:6], table[:, 6], category)


def _class_of(line: str) -> int | None:
    """The class of a row of truth as MOT16 and later have it, between the flag and the visibility; None without one."""
    fields = line.split(",") if "," in line else line.split()
    told = fields[7].strip() if len(fields) == 9 else ""
    return int(told) if told.isdecimal() and 1 <= int(told) <= MOST_CLASS else None


def _mot_row(line: str, where: str) -> tuple[float, ...]:
    """The first seven numbers of a line."""
    fields = line.split(",") if "," in line else line.split()
    if len(fields) < 7:
        raise PoselineError(f"{where}: expected at least 7 columns ({MOT_COLUMNS}), got {len(fields)}")
    try:
        row = tuple(float(field) for field in fields[:7])
    except ValueError:
        raise PoselineError(f"{where}: expected numbers ({MOT_COLUMNS}), got {line.strip()[:60]!r}") from None
    if not all(map(math.isfinite, row)):
        raise PoselineError(f"{where}: expected finite numbers ({MOT_COLUMNS}), got {line.strip()[:60]!r}")
    if row[0] < 1 or row[0] % 1 or row[1] % 1:
        got = f"{fields[0].strip()} and {fields[1].strip()}"
        raise PoselineError(f"{where}: expected a whole frame from 1 and a whole id, got {got}")
    return row


def benchmark_of(gt: MotTable, asked: str = "auto") -> str:
    """The name in `HARMLESS` whose rules hold: the one asked for, else mot17 where the truth has classes, else mot15.

    Raises PoselineError for another name, and where classes are asked for that the truth does not have.
    """
    if asked == "auto":
        return "mot15" if gt.category is None else "mot17"
    if asked not in HARMLESS:
        raise PoselineError(f"--classes {asked}: no such rules; choose auto, {', '.join(HARMLESS)}")
    if HARMLESS[asked] and gt.category is None and len(gt.frame):
        columns = "frame, id, x, y, w, h, flag, class, visibility"
        raise PoselineError(f"--classes {asked}: the truth has no classes; expected {columns}")
    return asked


def score_mot(gt: MotTable, pred: MotTable, benchmark: str = "auto") -> dict[str, float]:
    """Scores of predicted boxes by IoU, as `score_similarities` returns them.

    True rows with score 0 are left out, and where the truth has classes, all who are no pedestrians. A prediction there
    is a false alarm, but for one that matches a harmless class. All frames of both tables count, also frames that only
    the prediction has. ``benchmark``: as `benchmark_of` takes it.
    """
    rules = benchmark_of(gt, benchmark)
    if not HARMLESS[rules] or gt.category is None:
        return score_similarities(_mot_frames(gt.take(gt.score != 0), pred))
    pred = pred.take(~_harmless(gt, pred, HARMLESS[rules]))
    return score_similarities(_mot_frames(gt.take((gt.score != 0) & (gt.category == PEDESTRIAN)), pred))


def _harmless(gt: MotTable, pred: MotTable, classes: tuple[int, ...]) -> np.ndarray:
    """(R,) bool: predictions whose best partner among all rows of the truth, scored or not, is of these classes."""
    assert gt.category is not None  # the caller looked
    out = np.zeros(len(pred.frame), bool)
    row = np.arange(len(gt.frame)), np.arange(len(pred.frame))
    numbered = MotTable(gt.frame, row[0], gt.box, gt.score), MotTable(pred.frame, row[1], pred.box, pred.score)
    for true, found, similarity in _mot_frames(*numbered):
        score = np.where(similarity < THRESHOLD - EPS, 0.0, similarity)
        rows, cols = linear_sum_assignment(-score)
        hit = score[rows, cols] > EPS
        out[found[cols[hit]]] = np.isin(gt.category[true[rows[hit]]], classes)
    return out


def _mot_frames(truth: MotTable, found: MotTable) -> Iterator[Frame]:
    """The frames where somebody is."""
    frames = np.union1d(truth.frame, found.frame)
    sides = []
    for table in (truth, found):
        ends = np.searchsorted(table.frame, [frames, frames + 1])  # (2, F) first row and one past the last
        corners = np.concatenate([table.box[:, :2], table.box[:, :2] + table.box[:, 2:]], axis=1)
        sides.append([(table.id[a:b], corners[a:b]) for a, b in ends.T])
    for (truth_id, truth_box), (found_id, found_box) in zip(*sides, strict=True):
        yield Frame(truth_id, found_id, iou(truth_box, found_box))


@dataclass(frozen=True)
class PoseTracks:
    """Tracked poses of one video: R annotations, K keypoints."""

    coco: KeypointTruth  # name, category and K
    images: list[Any]  # ids of the images that are scored, in the order of time
    image: np.ndarray  # (R,) i64 index into images
    id: np.ndarray  # (R,) i64 track ids, once per image
    keypoints: np.ndarray  # (R, K, 3) x, y in px and visibility or score
    area: np.ndarray  # (R,) px²
    box: np.ndarray  # (R, 4) x y w h in px
    ignored: np.ndarray  # (R,) bool: crowds, and people without a labelled keypoint


def read_pose_tracks(source: Path | dict[str, Any] | list[Any], truth: PoseTracks | None = None) -> PoseTracks:
    """Tracked poses of a COCO keypoint file, or its content, whose annotations carry a whole ``track_id``.

    One file is one video. Its images are in the order of their ``frame_id`` (or ``frame_index``, or ``frame``) where
    all have one, else as listed; those with ``is_labeled: false`` are not scored. ``truth`` says that the source
    holds predictions for it: images and categories are the truth's, and a bare list of annotations will do.

    Raises PoselineError when the source is something else, or when a track is twice in an image.
    """
    data, name = load_json(source, "tracked poses")
    if truth is not None:
        data = _as_prediction(data, name, truth)
    coco = read_truth(data, name)
    raw = [ann for ann in data["annotations"] if ann["category_id"] == coco.category["id"]]
    rows = list(zip(coco.annotations.values(), raw, strict=True))
    keypoints = np.array([ann["keypoints"] for ann, _ in rows], np.float64).reshape(-1, coco.keypoints, 3)
    crowd = np.array([ann["iscrowd"] != 0 for ann, _ in rows], bool)
    ignored = (crowd | ~(keypoints[..., 2] > 0).any(1)) & (truth is None)  # every prediction counts
    images = truth.images if truth else _in_order(data["images"])
    place = {image: i for i, image in enumerate(images)}
    tracks = _check_tracks(rows, ignored, set(coco.images), name)
    kept = np.array([i for i, (ann, _) in enumerate(rows) if ann["image_id"] in place], np.int64)
    return PoseTracks(
        coco=coco,
        images=images,
        image=np.array([place[rows[i][0]["image_id"]] for i in kept], np.int64),
        id=tracks[kept],
        keypoints=keypoints[kept],
        area=np.array([rows[i][0]["area"] for i in kept], np.float64),
        box=np.array([rows[i][0]["bbox"] for i in kept], np.float64).reshape(-1, 4),
        ignored=ignored[kept],
    )


def _check_tracks(
    rows: list[tuple[dict[str, Any], dict[str, Any]]], ignored: np.ndarray, images: set[Any], name: str
) -> np.ndarray:
    """Track ids of annotations, from their checked and their original form; −1 for ignored ones, which need no id."""
    tracks = np.full(len(rows), -1, np.int64)
    seen = set()
    for i, (ann, original) in enumerate(rows):
        owner, image = f"{name}: annotation {original.get('id', ann['id'])}", ann["image_id"]
        track = original.get("track_id")
        if image not in images:
            raise PoselineError(f"{owner}: image_id {image} is not among the images")
        if ignored[i]:
            continue
        if not isinstance(track, int) or isinstance(track, bool):
            raise PoselineError(f"{owner}: expected a whole track_id, got {track!r}")
        if (image, track) in seen:
            raise PoselineError(f"{owner}: track {track} is twice in image {image}; expected once")
        seen.add((image, track))
        tracks[i] = track
    return tracks


def _as_prediction(data: Any, name: str, truth: PoseTracks) -> dict[str, Any]:
    """Predictions as a COCO data set with the images and the category of the truth."""
    annotations = data.get("annotations") if isinstance(data, dict) else data
    if not isinstance(annotations, list) or not all(isinstance(ann, dict) for ann in annotations):
        raise PoselineError(f"{name}: expected a list of annotations with image_id, keypoints and track_id")
    for i, ann in enumerate(annotations, 1):
        if ann.get("category_id", truth.coco.category["id"]) not in truth.coco.categories:
            owner = f"{name}: annotation {ann.get('id', i)}"
            raise PoselineError(f"{owner}: category_id {ann['category_id']} is not in {truth.coco.name}")
    category = truth.coco.category | {"keypoints": truth.coco.category.get("keypoints") or [""] * truth.coco.keypoints}
    return {
        "images": [{"id": image} for image in truth.coco.images],
        "categories": [category],
        "annotations": [{"category_id": category["id"], **ann} for ann in annotations],
    }


def _in_order(images: list[dict[str, Any]]) -> list[Any]:
    """Ids of the labelled images, each once, in the order of time."""
    for key in _FRAME_KEYS:
        if all(isinstance(image.get(key), int | float) for image in images):
            images = sorted(images, key=lambda image: image[key])
            break
    return list(dict.fromkeys(image["id"] for image in images if image.get("is_labeled", True)))


def score_pose_tracks(gt: PoseTracks, pred: PoseTracks, sigmas: Sequence[float] | None = None) -> dict[str, float]:
    """Scores of predicted poses by OKS over the points labelled in the truth, as `score_similarities` returns them.

    ``pred`` is what ``read_pose_tracks(…, truth=gt)`` returned; its scores and visibilities do not matter. ``sigmas``
    (K,) are as in `score_keypoints`. Crowds and people without a labelled keypoint need not be found, and predictions
    that match nobody at OKS ≥ .5 are left out where most of their points lie in the box of one of these, as
    TrackEval does with regions to ignore.
    """
    if gt.images != pred.images:
        raise PoselineError(f"{pred.coco.name}: its images are not the truth's; read it with truth=")
    return score_similarities(_pose_frames(gt, pred, oks_sigmas(gt.coco, sigmas)))


def _pose_frames(gt: PoseTracks, pred: PoseTracks, sigmas: np.ndarray) -> Iterator[Frame]:
    """The images where somebody is, in the order of time."""
    order = np.argsort(gt.image, kind="stable"), np.argsort(pred.image, kind="stable")
    for image in np.union1d(gt.image, pred.image):
        sides = zip((gt.image, pred.image), order, strict=True)
        here, found = (rows[slice(*np.searchsorted(column[rows], [image, image + 1]))] for column, rows in sides)
        true = here[~gt.ignored[here]]
        a, b = gt.keypoints[true], pred.keypoints[found]
        labelled, every = np.where(a[..., 2] > 0, 1.0, 0.0), np.ones(b.shape[:2])
        similarity = oks(a[..., :2], labelled, b[..., :2], every, gt.area[true], sigmas)  # (N, M)
        keep = ~_excused(similarity, b, gt.box[here[gt.ignored[here]]])
        yield Frame(gt.id[true], pred.id[found[keep]], similarity[:, keep])


def _excused(similarity: np.ndarray, points: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """(M,) bool: poses ``(M, K, 3)`` that match nobody and lie mostly in one of the boxes ``(I, 4)`` x y w h."""
    seen = points[..., 2] > 0
    seen[~seen.any(1)] = True
    xy = points[:, None, :, :2]  # (M, 1, K, 2)
    low, high = regions[None, :, None, :2], (regions[:, :2] + regions[:, 2:])[None, :, None]
    inside = ((xy >= low) & (xy <= high)).all(-1) & seen[:, None]  # (M, I, K)
    excused = (2 * inside.sum(-1) > seen.sum(-1)[:, None]).any(1)
    rows, cols = linear_sum_assignment(-np.where(similarity >= THRESHOLD, similarity, 0.0))
    excused[cols[similarity[rows, cols] >= THRESHOLD]] = False
    return excused
