"""Accuracy of the networks on annotated photographs: the same detect-and-pose step that videos go through."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17, mapping
from pipeline.core.types import Observations
from pipeline.evaluate.keypoints import KeypointTruth, read_truth, score_keypoints
from pipeline.models.detections import Detections
from pipeline.models.registry import build_models
from pipeline.observe.poses import pose_people
from pipeline.video.images import read_image


def evaluate_images(
    gt: Path, folder: Path, config: Config, gt_boxes: bool, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """OKS AP, AR and PCK on COCO-17 annotations; ``gt_boxes`` gives the pose network the true boxes.

    A keypoint set of more points is scored on the 17 it shares with COCO by name. ``say`` is told when nobody was
    found. Raises PoselineError for a missing or foreign annotation file, a missing image, or a pose network that lacks
    COCO's points.
    """
    truth = read_truth(gt)  # errors of the file are raised before the networks run
    if truth.keypoints != len(COCO17) or tuple(truth.category.get("keypoints") or COCO17.names) != COCO17.names:
        raise PoselineError(f"{gt}: its people do not have COCO's 17 keypoints; give COCO keypoint annotations")
    files = {image["id"]: image.get("file_name") for image in json.loads(gt.read_text(encoding="utf-8-sig"))["images"]}
    for image_id, name in files.items():
        if not isinstance(name, str):
            raise PoselineError(f"{gt}: image {image_id} has no file_name; give COCO keypoint annotations")
        if not (folder / name).is_file():
            raise PoselineError(f"{folder / name}: this image of the annotations is missing; check --images")
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
    for image_id, name in files.items():
        pixels = read_image(folder / name)[None]
        people = _true_people(truth, image_id) if gt_boxes else models.detector.detect(pixels)
        found = pose_people(pixels, np.zeros(1, np.int64), people, models, config)
        results += _results(image_id, found, columns)
    if not results:
        say(
            f"nobody was found in any picture by {config.detect.name} with {config.pose.name}: check the network (an"
            " onnx: file may need detect.layout)"
        )
    return score_keypoints(gt, results)


def _true_people(truth: KeypointTruth, image_id: int) -> Detections:
    """The annotated people of an image; crowds and people without keypoints or without a box's area are not scored."""
    here = [a for a in truth.annotations.values() if a["image_id"] == image_id]
    boxes = [a["bbox"] for a in here if a["num_keypoints"] and not a["iscrowd"] and min(a["bbox"][2:]) > 0]
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return Detections.from_boxes(np.zeros(len(boxes)), corners, np.ones(len(boxes)))


def _results(image_id: int, people: Observations, columns: np.ndarray) -> list[dict[str, Any]]:
    """The people of an image in COCO's result format."""
    points = np.concatenate([people.keypoints_px, people.keypoint_score[..., None]], 2)[:, columns]
    return [
        {"image_id": image_id, "keypoints": p.ravel().tolist(), "score": float(s)}
        for p, s in zip(points, people.score, strict=True)
    ]
