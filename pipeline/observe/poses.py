"""From people's boxes to observations: poses, second boxes of one person, scores, appearance."""

from __future__ import annotations

import numpy as np

from pipeline.core.config import Config
from pipeline.core.similarity import box_area, common_points, iou, oks
from pipeline.core.skeleton import COCO17, Skeleton, mapping
from pipeline.core.types import Observations
from pipeline.models.detections import Detections, Poses
from pipeline.models.registry import Models
from pipeline.observe import appearance
from pipeline.observe.turned import looked_again

# Area of a person as a share of the box, as OKS wants it (the mean ratio of segment to box area in COCO).
BODY_SHARE = 0.53
LEAST_POINTS = 3  # common points of two people from which their poses are compared rather than their boxes


def pose_people(
    images: np.ndarray, frame: np.ndarray, people: Detections, models: Models, config: Config
) -> Observations:
    """Observations of the people of images (B, H, W, 3), which are the frames ``frame`` (B,)."""
    rows, poses, certainty = posed(images, people, models, config)
    return observations(images, frame, people.take(rows), poses, certainty, models, config)


def posed(
    images: np.ndarray, people: Detections, models: Models, config: Config
) -> tuple[np.ndarray, Poses, np.ndarray]:
    """Which rows (N,) of ``people`` are people of their own, and their poses and certainties (N,)."""
    if models.pose is None:
        poses = Poses(people.keypoints_px, people.keypoint_score)
        there = people.keypoint_score.any(1)
    else:
        poses = models.pose.estimate(images, people)
        if config.pose.turned:
            judged = body_columns(models.skeleton)
            poses = looked_again(images, people, poses, models.pose.estimate, models.skeleton, judged)
        there = np.ones(len(people), bool)
    skeleton = models.skeleton
    # score[:, tracked] would lie in memory by columns; the mean's last bit would then depend on the number of people.
    judged = np.take(poses.score, body_columns(skeleton), axis=1)
    sure = judged.mean(1) if poses.certainty is None else poses.certainty
    certainty = np.sqrt(sure * people.score) if len(people) else people.score
    keep = np.zeros(len(people), bool)
    for i in range(len(images)):
        rows = np.flatnonzero(there & (people.image == i) & (certainty >= config.pose.min_score))
        keep[distinct(rows, poses, certainty, people.box_px, skeleton, config.pose.duplicate_oks)] = True
    kept = np.flatnonzero(keep)
    return kept, poses.take(kept), certainty[kept]


def observations(
    images: np.ndarray,
    frame: np.ndarray,
    people: Detections,
    poses: Poses,
    certainty: np.ndarray,
    models: Models,
    config: Config,
) -> Observations:
    """People of images (B, H, W, 3), which are the frames ``frame`` (B,), as observations."""
    return Observations(
        frame=frame[people.image].astype(np.int64),
        box_px=people.box_px.astype(np.float32),
        score=certainty.astype(np.float32),
        keypoints_px=poses.keypoints_px.astype(np.float32),
        keypoint_score=poses.score.clip(0, 1).astype(np.float32),
        skeleton=models.skeleton.name,
        appearance=_described(images, people, poses, models, config),
    )


def nothing(models: Models) -> Observations:
    """No observations, of those networks' keypoints."""
    width = models.reid.width if models.reid else appearance.SIZE
    return Observations.empty(len(models.skeleton), models.skeleton.name, width)


def _described(images: np.ndarray, people: Detections, poses: Poses, models: Models, config: Config) -> np.ndarray:
    """(N, D) f16 appearance of people, by the ReID network if there is one."""
    if models.reid is not None:
        return models.reid.describe(images, people.image, people.box_px, config.runtime.batch_people)
    return appearance.describe(images, people.image, poses.keypoints_px, poses.score, models.skeleton)


def body_columns(skeleton: Skeleton) -> np.ndarray:
    """Indices of the points whose mean score says how well a person is seen: the COCO body where there is one."""
    columns = mapping(skeleton, COCO17)
    return columns if (columns >= 0).all() else skeleton.tracked


def distinct(
    rows: np.ndarray, poses: Poses, certainty: np.ndarray, box_px: np.ndarray, skeleton: Skeleton, threshold: float
) -> list[int]:
    """The rows of one frame that are people of their own: of two rows more alike than ``threshold``, the surer one.

    Where two people overlap, the pose network may give both boxes the pose of the same person.
    """
    kept: list[int] = []
    area = BODY_SHARE * box_area(box_px)
    # A network that knows a point cannot be seen gives it a score of 0, and no place.
    chosen, placed = skeleton.tracked, poses.score > 0
    sigmas = np.array(skeleton.sigmas)[chosen]
    for row in rows[np.argsort(-certainty[rows], kind="stable")]:
        if kept:
            least = np.minimum(area[kept], area[row])
            seen, others = placed[row, chosen][None].astype(float), placed[kept][:, chosen].astype(float)
            points = poses.keypoints_px
            alike = oks(points[kept][:, chosen], others, points[row, chosen][None], seen, least, sigmas)[:, 0]
            told = common_points(others, seen)[:, 0] >= LEAST_POINTS
            boxes = iou(box_px[kept], box_px[row : row + 1])[:, 0]
            if np.where(told, alike, boxes).max() > threshold:
                continue
        kept.append(int(row))
    return kept
