"""Keypoint accuracy against labelled images: OKS average precision and recall as in COCO, and PCK.

Matching and the headline numbers come from pycocotools, the reference implementation of Lin et al. 2014, so they are
the published metric and not a re-implementation. The bootstrap takes pycocotools' matches of each image and repeats
only the accumulation, which is where an image's weight enters.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.keypoint_sets import HALPE26, SETS
from pipeline.core.skeleton import BLAZEPOSE33, COCO17
from pipeline.evaluate.pck import pck

STATS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")  # in pycocotools' order
BOX_TO_AREA = 0.53  # a person's area over that of the box; for data sets without areas (CrowdPose, AI Challenger)

# OKS sigmas by name, for data sets that carry none; CrowdPose's head and neck count like the shoulders.
_SIGMA_OF = {
    **dict(zip(HALPE26.names, HALPE26.sigmas, strict=True)),
    **dict(zip(BLAZEPOSE33.names, BLAZEPOSE33.sigmas, strict=True)),
    **dict(zip(COCO17.names, COCO17.sigmas, strict=True)),
    **dict.fromkeys(("head", "neck"), 0.079),
}


def score_keypoints(
    gt: Path | dict[str, Any],
    results: Path | Sequence[dict[str, Any]],
    image_ids: Iterable[int] | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    sigmas: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Score predicted keypoints against COCO-style annotations.

    ``gt`` is a COCO keypoint file or its content, ``results`` a COCO result list (dicts with image_id, keypoints as
    3 K numbers x y score, score; category_id may be left out) or a file with one. ``image_ids`` restricts the scoring
    to some images. ``sigmas`` (K,) are the OKS sigmas; by default those that the category carries, else those of the
    keypoints' names, else COCO's for 17 points. Annotations without ``area`` get 0.53 × the box's. Crowds, and people
    without a labelled keypoint, are neither to be found nor false alarms, as in COCO; 20 results an image count.

    Returns, all in 0…1 and NaN where no person counts:

    - ``AP AP50 AP75 APM APL AR AR50 AR75 ARM ARL``: as COCO defines them (M: area 32²–96² px², L: above 96²).
    - ``AP_interval``: [low, high], the 95 % percentile bootstrap interval of AP over images (``bootstrap`` draws).
    - ``PCK``: of the labelled keypoints of the people found (matched at OKS ≥ .5), the fraction predicted within 0.2 ×
      the torso: the longer labelled diagonal from a shoulder to the opposite hip. People without one are left out;
      where the keypoint set itself has none, the longer side of the box takes the torso's place.
    - ``images``, ``people``: how many were scored.

    Raises PoselineError when an input has another form or pycocotools is not installed.
    """
    truth = read_truth(gt)
    found = _read_results(results, truth)
    images = _choose_images(truth, image_ids)
    variances = oks_sigmas(truth, sigmas)
    evaluator = _evaluate(truth, found, images, variances)
    scores: dict[str, Any] = dict(zip(STATS, _summary(evaluator), strict=True))
    matches = collect_matches(evaluator)
    scores["AP_interval"] = bootstrap_ap(matches, bootstrap, seed)
    scores["PCK"] = pck(evaluator, truth.category, truth.annotations, found)
    return {**scores, "images": len(images), "people": int(matches.people.sum())}


@dataclass(frozen=True)
class KeypointTruth:
    """Checked ground truth of one category. ``annotations`` are copies that pycocotools may write to."""

    name: str  # for messages: the file's name
    images: list[int]
    categories: set[int]
    category: dict[str, Any]
    keypoints: int  # K
    annotations: dict[int, dict[str, Any]]  # by a new id from 1 on: pycocotools takes id 0 for "not matched"
    notes: tuple[str, ...] = ()  # for the user, a line each


def load_json(source: Any, wanted: str) -> tuple[Any, str]:
    """The parsed JSON of a path, or the value itself; and the name of the source for messages."""
    if not isinstance(source, str | Path):
        return source, wanted
    try:
        return json.loads(Path(source).read_text(encoding="utf-8-sig")), str(source)
    except OSError as error:
        raise PoselineError(f"{source}: cannot be read ({error.strerror}); expected {wanted}") from error
    except ValueError as error:
        raise PoselineError(f"{source}: not JSON ({error}); expected {wanted}") from error


def _triplets(values: Any, count: int, owner: str) -> np.ndarray:
    """(K, 3) x, y and visibility or score; PoselineError unless they are 3 K finite numbers."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (3 * count,) or not np.isfinite(array).all():
        got = f"{len(values)} values" if isinstance(values, list | tuple) else type(values).__name__
        raise PoselineError(f"{owner}: keypoints must be {3 * count} finite numbers (x, y, v for {count}), got {got}")
    return array.reshape(count, 3)


def read_truth(source: Path | dict[str, Any], name: str | None = None) -> KeypointTruth:
    """Checked annotations of a COCO keypoint file or its content; PoselineError with ``name`` for any other content."""
    data, found = load_json(source, "a COCO keypoint annotation file")
    name = name or found
    lists = ("images", "annotations", "categories")
    if not isinstance(data, dict) or not all(isinstance(data.get(key), list) for key in lists):
        raise PoselineError(f"{name}: not COCO keypoint annotations; expected lists {', '.join(lists)}")
    try:
        images = list(dict.fromkeys(image["id"] for image in data["images"]))
        categories = {category["id"] for category in data["categories"]}
        category = _person_category(data["categories"], name)
        raw = [ann for ann in data["annotations"] if ann["category_id"] == category["id"]]
        count = len(category.get("keypoints") or ()) or next(
            (len(ann["keypoints"]) // 3 for ann in raw if ann.get("keypoints")), 0
        )
        if not count:
            raise PoselineError(f"{name}: category {category['id']} has no keypoints; expected keypoint annotations")
        annotations = {i: _annotation(ann, i, count, name) for i, ann in enumerate(raw, 1)}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PoselineError(f"{name}: not COCO keypoint annotations; an entry lacks or misuses {error}") from error
    notes: tuple[str, ...] = ()
    if annotations and all(ann["area"] <= 0 for ann in annotations.values()):
        notes = (
            f"{name}: the areas of all its people are 0, so that no pose counts as found, as with pycocotools; without"
            f" area {BOX_TO_AREA} of each box would be taken",
        )
    return KeypointTruth(name, images, categories, category, count, annotations, notes)


def _person_category(categories: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The category with keypoints: the only one, or the one called person."""
    having = [c for c in categories if c.get("keypoints")] or categories
    chosen = having if len(having) == 1 else [c for c in having if c.get("name") == "person"]
    if len(chosen) != 1:
        raise PoselineError(f"{name}: {len(having)} categories with keypoints; expected one, or one named person")
    return chosen[0]


def _annotation(ann: dict[str, Any], new_id: int, count: int, name: str) -> dict[str, Any]:
    """A checked copy, completed by the fields that pycocotools needs and some data sets leave out."""
    owner = f"{name}: annotation {ann.get('id', new_id)}"
    points = _triplets(ann.get("keypoints") or [0] * (3 * count), count, owner)
    labelled = points[points[:, 2] > 0, :2]
    box = ann.get("bbox")
    if box is None and len(labelled):
        box = [*labelled.min(0), *np.ptp(labelled, axis=0)]
    if box is None or len(box) != 4:
        raise PoselineError(f"{owner}: expected a bbox [x, y, width, height] or labelled keypoints")
    return {
        "id": new_id,
        "image_id": ann["image_id"],
        "category_id": ann["category_id"],
        "keypoints": points.ravel(),
        "num_keypoints": ann.get("num_keypoints", len(labelled)),
        "bbox": [float(v) for v in box],
        "area": float(ann.get("area", BOX_TO_AREA * box[2] * box[3])),
        "iscrowd": int(ann.get("iscrowd", 0)),
    }


def _read_results(source: Path | Sequence[dict[str, Any]], truth: KeypointTruth) -> dict[int, dict[str, Any]]:
    """Checked copies of the results, by a new id. As in pycocotools a result's area is that of its points' extent."""
    data, name = load_json(source, "a COCO keypoint result list")
    if not isinstance(data, list | tuple) or not all(isinstance(r, dict) for r in data):
        raise PoselineError(f"{name}: expected a list of results with image_id, keypoints and score")
    images, found = set(truth.images), {}
    for i, result in enumerate(data):
        owner = f"{name}: result {i}"
        category, score = result.get("category_id", truth.category["id"]), result.get("score")
        if result.get("image_id") not in images:
            raise PoselineError(f"{owner}: image_id {result.get('image_id')} is not in {truth.name}")
        if category not in truth.categories:
            raise PoselineError(f"{owner}: category_id {category} is not in {truth.name}")
        if category != truth.category["id"]:
            continue
        if not isinstance(score, int | float) or not np.isfinite(score):
            raise PoselineError(f"{owner}: score must be a finite number, got {score}")
        points = _triplets(result.get("keypoints"), truth.keypoints, owner)
        area = float(np.prod(np.ptp(points[:, :2], axis=0)))
        entry = {"id": i + 1, "image_id": result["image_id"], "category_id": category, "score": score, "area": area}
        found[i + 1] = {**entry, "keypoints": points.ravel()}
    return found


def _choose_images(truth: KeypointTruth, image_ids: Iterable[int] | None) -> list[int]:
    """The images to score, each once, ascending as in pycocotools."""
    chosen = set(truth.images) if image_ids is None else set(image_ids)
    unknown = sorted(chosen - set(truth.images))
    if unknown:
        raise PoselineError(f"{truth.name}: has no image {unknown[0]} ({len(unknown)} of the image ids are unknown)")
    if not chosen:
        raise PoselineError(f"{truth.name}: no images to score")
    return sorted(chosen)


def oks_sigmas(truth: KeypointTruth, sigmas: Sequence[float] | None) -> np.ndarray:
    """(K,) OKS sigmas, the first of: given, the category's, the named set's, each name's, COCO's for 17 points."""
    names = truth.category.get("keypoints") or ()
    if sigmas is None:
        sigmas = truth.category.get("sigmas")
    if sigmas is None:
        sigmas = next((known.sigmas for known in SETS.values() if known.names == tuple(names)), None)
    if sigmas is None and names and all(name in _SIGMA_OF for name in names):
        sigmas = [_SIGMA_OF[name] for name in names]
    if sigmas is None and truth.keypoints == len(COCO17):
        sigmas = COCO17.sigmas
    if sigmas is None:
        raise PoselineError(f"{truth.name}: no OKS sigmas are known for its {truth.keypoints} keypoints; pass sigmas")
    array = np.asarray(sigmas, np.float64)
    if array.shape != (truth.keypoints,) or not (array > 0).all():
        raise PoselineError(f"{truth.name}: sigmas must be {truth.keypoints} positive numbers, got shape {array.shape}")
    return array


def _evaluate(truth: KeypointTruth, found: dict[int, dict[str, Any]], images: list[int], sigmas: np.ndarray) -> Any:
    """A pycocotools COCOeval after its matching and accumulation; what it prints is dropped."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise PoselineError("scoring keypoints needs pycocotools: pip install poseline[eval]") from error
    apis = []
    with contextlib.redirect_stdout(io.StringIO()):
        for annotations in (truth.annotations, found):
            api = COCO()
            api.dataset = {
                "images": [{"id": i} for i in truth.images],
                "categories": [{"id": truth.category["id"], "name": "person"}],
                "annotations": list(annotations.values()),
            }
            api.createIndex()
            apis.append(api)
        evaluator = COCOeval(*apis, iouType="keypoints")
        evaluator.params.imgIds = images
        evaluator.params.kpt_oks_sigmas = sigmas
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator


def _summary(evaluator: Any) -> list[float]:
    """COCO's ten numbers; NaN instead of pycocotools' -1 where no person counts."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.summarize()
    return [float(v) if v >= 0 else float("nan") for v in evaluator.stats]


@dataclass(frozen=True)
class Matches:
    """The matches of people of any size for accumulation: I images, D results by falling score, T OKS thresholds."""

    people: np.ndarray  # (I,) people to be found
    image: np.ndarray  # (D,) index of the result's image
    hit: np.ndarray  # (T, D) bool; a result that is ignored at a threshold is neither hit nor false
    false: np.ndarray  # (T, D) bool
    recalls: np.ndarray  # (R,) recall levels at which precision is read


def collect_matches(evaluator: Any) -> Matches:
    """The per-image matches of an evaluated COCOeval with one category, for people of any size."""
    params = evaluator.params
    per_image = evaluator.evalImgs[: len(params.imgIds)]  # all areas come first
    people = [0 if e is None else int(np.count_nonzero(e["gtIgnore"] == 0)) for e in per_image]
    used = [(i, e) for i, e in enumerate(per_image) if e is not None]
    empty = np.zeros((len(params.iouThrs), 0))
    matched = np.concatenate([empty, *(e["dtMatches"] for _, e in used)], axis=1) != 0
    ignored = np.concatenate([empty, *(e["dtIgnore"] for _, e in used)], axis=1) != 0
    image = np.repeat([i for i, _ in used], [len(e["dtScores"]) for _, e in used]).astype(np.int64)
    score = np.concatenate([np.zeros(0), *(np.asarray(e["dtScores"], np.float64) for _, e in used)])
    order = np.argsort(-score, kind="mergesort")  # ties stay in the order of the images, as in pycocotools
    hit, false = (matched & ~ignored)[:, order], (~matched & ~ignored)[:, order]
    return Matches(np.array(people), image[order], hit, false, np.asarray(params.recThrs))


def average_precision(matches: Matches, weights: np.ndarray) -> float:
    """COCO's AP where image i counts ``weights[i]`` times; all ones give pycocotools' number. NaN without people.

    Equal to scoring a data set with repeated images: within a run of repeats recall and precision rise together
    or precision falls alone, so that the maximum of the precision to the right of a recall level is the same.
    """
    people = float(weights @ matches.people)
    if people == 0:
        return float("nan")
    if matches.image.size == 0:
        return 0.0
    weight = weights[matches.image].astype(np.float64)
    hits = np.cumsum(matches.hit * weight, axis=1)  # (T, D)
    falses = np.cumsum(matches.false * weight, axis=1)
    precision = hits / (hits + falses + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.pad(precision, ((0, 0), (0, 1)))  # 0 at the recall levels that are not reached
    levels = [np.searchsorted(row, matches.recalls, side="left") for row in hits / people]
    return float(np.mean([row[level] for row, level in zip(padded, levels, strict=True)]))


def bootstrap_ap(matches: Matches, draws: int, seed: int) -> list[float]:
    """[low, high]: the 95 % percentile interval of AP when images are drawn with replacement; NaN without draws."""
    rng = np.random.default_rng(seed)
    count = len(matches.people)
    scores = np.array(
        [average_precision(matches, rng.multinomial(count, np.full(count, 1 / count))) for _ in range(draws)]
    )
    scores = scores[~np.isnan(scores)]  # a draw without any person has no AP
    return [float(v) for v in np.percentile(scores, (2.5, 97.5))] if scores.size else [float("nan")] * 2
