"""Accuracy of the networks on annotated photographs: the same detect-and-pose step that videos go through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Config
from pipeline.errors import PoselineError
from pipeline.evaluate.keypoints import score_keypoints
from pipeline.models.base import People
from pipeline.models.registry import Models, build_models
from pipeline.observe import pose_people
from pipeline.skeleton import COCO17, mapping
from pipeline.video.index import read_image


def evaluate_images(gt: Path, folder: Path, config: Config, gt_boxes: bool) -> dict[str, Any]:
    """OKS AP, AR and PCK on COCO-17 annotations; ``gt_boxes`` gives the pose network the true boxes.

    A keypoint set of more points is scored on the 17 it shares with COCO by name. Raises PoselineError for a missing
    or foreign annotation file, a missing image, or a pose network that lacks COCO's points.
    """
    try:
        truth = json.loads(gt.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PoselineError(f"{gt}: cannot be read as JSON ({error}); give COCO keypoint annotations") from error
    if not isinstance(truth, dict) or "images" not in truth or "annotations" not in truth:
        raise PoselineError(f"{gt}: has no images and annotations; give COCO keypoint annotations")
    if gt_boxes:  # each box is a person: none may be dropped as a duplicate or for its score
        every = config.pose.model_copy(update={"duplicate_oks": 1.0, "min_score": 0.0})
        config = config.model_copy(update={"pose": every})
    models = build_models(config)
    columns = mapping(models.skeleton, COCO17)
    if (columns < 0).any():
        raise PoselineError(f"--pose {config.pose.name}: lacks COCO's {COCO17.names[int(np.argmin(columns))]}")
    if gt_boxes and models.pose is None:
        raise PoselineError(f"--gt-boxes: {config.pose.name} finds its people itself; choose another --pose")
    results = []
    for image in truth["images"]:
        results += _results(image, _people(image, truth, folder, models, config, gt_boxes), columns)
    return score_keypoints(truth, results)


def _people(image: dict[str, Any], truth: dict[str, Any], folder: Path, models: Models, config: Config, given: bool):
    path = folder / image["file_name"]
    if not path.is_file():
        raise PoselineError(f"{path}: this image of the annotations is missing; check --images")
    pixels = read_image(path)[None]
    if not given:
        return pose_people(pixels, np.zeros(1, np.int64), models.detector.detect(pixels), models, config)
    boxes = [
        a["bbox"]
        for a in truth["annotations"]
        if a["image_id"] == image["id"] and a.get("num_keypoints", 1) and not a.get("iscrowd", 0)
    ]
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    people = People.from_boxes(np.zeros(len(boxes)), corners, np.ones(len(boxes)))
    return pose_people(pixels, np.zeros(1, np.int64), people, models, config)


def _results(image: dict[str, Any], people: Any, columns: np.ndarray) -> list[dict[str, Any]]:
    """COCO's result format."""
    points = np.concatenate([people.keypoints_px, people.keypoint_score[..., None]], 2)[:, columns]
    return [
        {"image_id": image["id"], "category_id": 1, "keypoints": p.ravel().tolist(), "score": float(s)}
        for p, s in zip(points, people.score, strict=True)
    ]
