"""What the scores of a network without calibration mean, estimated from its own scores in some pictures of a video.

The embedded networks look at the same pictures. A box counts as right as often as YOLOX-tiny's box at its place is
right, and never where YOLOX-tiny sees nobody; a keypoint as often as RTMPose-s's where the two agree, and half as often
as RTMPose-s is wrong where they do not. Beside these, the embedded networks' own calibrations count as `PRIOR`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.config import Config
from pipeline.core.settings import DetectConfig, PoseConfig
from pipeline.core.similarity import box_area, iou
from pipeline.core.skeleton import COCO17, mapping
from pipeline.models import calibrated
from pipeline.models.calibration import ScoreMap, fitted
from pipeline.models.detections import Detections
from pipeline.models.graded import Graded
from pipeline.models.protocols import Detector, PoseNetwork
from pipeline.models.registry import Models, raw_models
from pipeline.observe.poses import BODY_SHARE

PICTURES = 12  # of a video
PRIOR = 20.0  # boxes or keypoints for which the embedded networks' calibration counts
AGREE_IOU, AGREE_OKS = 0.5, 0.5  # from which two boxes, or two points, are at one place
SURE = 0.6  # score of YOLOX-tiny's boxes in which poses are compared
_GRID = np.linspace(0.025, 0.975, 20)


def estimated(models: Models, config: Config, images: Sequence[np.ndarray]) -> Models:
    """The models with estimates for the roles that are ``unknown``, from images (H, W, 3) u8 RGB.

    What is looked for must be persons: of other classes the embedded networks know nothing, and scores stay as they
    are.
    """
    assert isinstance(models.detector, Graded)
    if config.detect.classes != ("person",) or not models.unknown:
        return models
    usual = config.model_copy(update={"detect": DetectConfig(), "pose": PoseConfig()})
    teacher, posing = raw_models(usual, calibrated.LOWEST)
    assert posing is not None
    known = [teacher.detect(image[None]) for image in images]
    finding, pose = models.detector.network, models.pose
    if "detector" in models.unknown and isinstance(finding, calibrated.Detecting):
        own = _of_boxes(finding.network, images, known)
        finding = calibrated.Detecting(finding.network, own, None, finding.least)
    if "pose" in models.unknown and pose is not None:
        pose = calibrated.posing(pose, _of_points(pose, posing, images, known))
    return models._replace(detector=models.detector.over(finding), pose=pose, unknown=())


def _of_boxes(network: Detector, images: Sequence[np.ndarray], known: Sequence[Detections]) -> ScoreMap:
    score, right = [], []
    for image, people in zip(images, known, strict=True):
        found = network.detect(image[None])
        order = np.argsort(-found.score, kind="stable")
        near = iou(found.box_px[order], people.box_px)
        sure = calibrated.EMBEDDED["detector"].probability(people.score)
        free = np.ones(len(people), bool)
        for row in near:
            there = np.where(free & (row >= AGREE_IOU), sure, 0)
            right.append(there.max(initial=0))
            if right[-1]:
                free[there.argmax()] = False
        score.append(found.score[order].astype(np.float64))
    return _fitted("detector", score, [np.array(right)])


def _of_points(
    network: PoseNetwork, usual: PoseNetwork, images: Sequence[np.ndarray], known: Sequence[Detections]
) -> ScoreMap:
    columns, theirs = mapping(network.skeleton, COCO17), mapping(usual.skeleton, COCO17)
    common = np.flatnonzero(columns >= 0)
    score, right = [], []
    for image, people in zip(images, known, strict=True):
        people = people.take(people.score >= SURE)
        own, other = network.estimate(image[None], people), usual.estimate(image[None], people)
        place, there = own.keypoints_px[:, columns[common]], other.keypoints_px[:, theirs[common]]
        spread = 2 * BODY_SHARE * box_area(people.box_px)[:, None] * np.square(2 * np.array(COCO17.sigmas)[common])
        off2 = np.square(place.astype(np.float64) - there).sum(-1)
        sure = calibrated.EMBEDDED["pose"].probability(other.score[:, theirs[common]])
        agree = np.exp(-off2 / np.maximum(spread, 1e-9)) >= AGREE_OKS
        score.append(own.score[:, columns[common]].astype(np.float64).ravel())
        right.append(np.where(agree, sure, (1 - sure) / 2).ravel())
    return _fitted("pose", score, right)


def _fitted(role: str, score: list[np.ndarray], right: list[np.ndarray]) -> ScoreMap:
    own, told = np.concatenate([*score, _GRID]), calibrated.EMBEDDED[role].probability(_GRID)
    weight = np.concatenate([np.ones(len(own) - len(_GRID)), np.full(len(_GRID), PRIOR / len(_GRID))])
    return fitted(own, np.concatenate([*right, told]), weight, "estimated from the video")
