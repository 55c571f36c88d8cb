"""observe: frames to observations. A pure function of (video, chunk, networks, config): no state outside the chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline import appearance
from pipeline.camera import Camera
from pipeline.config import Config
from pipeline.errors import PoselineError
from pipeline.models.base import People, Poses
from pipeline.models.registry import Models
from pipeline.skeleton import COCO17, Skeleton, mapping
from pipeline.track.similarity import box_area, common_points, iou, oks
from pipeline.types import Frames, Observations, VideoInfo

# Area of a person as a share of the box, as OKS wants it (the mean ratio of segment to box area in COCO).
BODY_SHARE = 0.53
SECOND_OPINION = 0.3  # weight of the detector's own keypoints where they agree with the pose network's
AGREE = 0.1  # of √box area: keypoints closer than this agree
FALLBACK_OKS = 0.4  # the detector's own pose is a person of its own when less alike than this
FALLBACK_DISCOUNT = 0.8
LEAST_POINTS = 3  # that two people must both have, to be told apart by their poses rather than boxes


class Chunk(NamedTuple):
    """A run of frames that one observation part holds."""

    number: int
    start: int  # first frame, a row of the pts table
    stop: int  # one past the last


def frame_range(info: VideoInfo, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    """Frames shown from ``start_s`` up to and without ``end_s``, in seconds after the first frame.

    Raises PoselineError when nothing lies between them.
    """
    seconds = info.time_s - info.time_s[0]
    low = 0 if start_s is None else int(np.searchsorted(seconds, start_s, "left"))
    high = len(info) if end_s is None else int(np.searchsorted(seconds, end_s, "left"))
    if low >= high:
        wanted = f"--start {start_s or 0:g}" + ("" if end_s is None else f" --end {end_s:g}")
        raise PoselineError(f"{info.path}: no frame for {wanted}; its frames lie between 0 and {seconds[-1]:.3f} s")
    return low, high


def plan_chunks(frames: tuple[int, int], chunk_frames: int) -> list[Chunk]:
    """Chunks of at most ``chunk_frames`` frames that cover [first, last) in order."""
    starts = range(frames[0], frames[1], chunk_frames)
    return [Chunk(n, s, min(s + chunk_frames, frames[1])) for n, s in enumerate(starts)]


def process_chunk(
    batches: Iterable[Frames], chunk: Chunk, models: Models, config: Config, camera: Camera | None = None
) -> Observations:
    """Detect, pose and score the people of a chunk's frames, which arrive in order in batches of any size.

    ``camera``, a new one, is shown all frames.
    """
    width = models.reid.width if models.reid else appearance.SIZE
    parts = [Observations.empty(len(models.skeleton), models.skeleton.name, models.has_world, width)]
    for index, images, people in _detected(batches, chunk.start, models, config.observe.detect_every):
        for low in range(0, len(index), config.runtime.batch_frames):
            high = min(low + config.runtime.batch_frames, len(index))
            some = people.take((people.image >= low) & (people.image < high))
            some = People(some.image - low, some.box_px, some.score, some.keypoints_px, some.keypoint_score)
            if camera is not None:
                for i, image in enumerate(images[low:high]):
                    camera.show(image, some.of(i).box_px)
            parts.append(pose_people(images[low:high], index[low:high], some, models, config))
    return Observations.concat(parts)


def _detected(
    batches: Iterable[Frames], start: int, models: Models, every: int
) -> Iterator[tuple[np.ndarray, np.ndarray, People]]:
    """Frame indices (B,), images (B, H, W, 3) and their people, detected on every Nth frame after ``start``."""
    held_index, held_image = np.zeros(0, np.int64), np.zeros((0, 0, 0, 3), np.uint8)
    before: People | None = None  # people of the frame before the held ones
    for batch in batches:
        index = np.concatenate([held_index, batch.index])
        image = np.concatenate([held_image, batch.image]) if len(held_index) else batch.image
        rows = np.flatnonzero((index - start) % every == 0)
        cut = int(rows[-1]) + 1 if len(rows) else 0
        if cut:
            people = _between_detections(image[:cut], rows, before, models)
            before = people.of(cut - 1)
            yield index[:cut], image[:cut], people
        held_index, held_image = index[cut:], image[cut:].copy() if cut else image[cut:]
    if len(held_index):
        rows = np.array([len(held_index) - 1])  # the last frame of a chunk is always detected
        yield held_index, held_image, _between_detections(held_image, rows, before, models)


def _between_detections(images: np.ndarray, rows: np.ndarray, before: People | None, models: Models) -> People:
    """People of all images: detected on ``rows`` (ascending, the last one included), interpolated between."""
    found = models.detector.detect(images[rows])
    parts, previous, previous_row = [], before, -1
    for n, row in enumerate(rows):
        here = found.of(n)
        for r in range(previous_row + 1, row):
            people = (
                between(previous, here, (r - previous_row) / (row - previous_row)) if previous is not None else here
            )
            parts.append(_moved(people, r))
        parts.append(_moved(here, int(row)))
        previous, previous_row = here, int(row)
    return People.concat(parts)


def _moved(people: People, image: int) -> People:
    return People(
        np.full(len(people), image, np.int64), people.box_px, people.score, people.keypoints_px, people.keypoint_score
    )


def between(a: People, b: People, t: float) -> People:
    """People at time ``t`` in 0…1 between two detections: paired by IoU, interpolated; others of the nearer side."""
    overlap = iou(a.box_px, b.box_px)
    i, j = linear_sum_assignment(-overlap)
    paired = overlap[i, j] > 0.1
    i, j = i[paired], j[paired]

    def mix(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ((1 - t) * x[i] + t * y[j]).astype(np.float32)

    both = People(
        a.image[i],
        mix(a.box_px, b.box_px),
        mix(a.score, b.score),
        mix(a.keypoints_px, b.keypoints_px),
        np.minimum(a.keypoint_score[i], b.keypoint_score[j]),
    )
    nearer, used = (a, i) if t < 0.5 else (b, j)
    alone = np.setdiff1d(np.arange(len(nearer)), used)
    return People.concat([_moved(both, 0), _moved(nearer.take(alone), 0)])


def pose_people(images: np.ndarray, frame: np.ndarray, people: People, models: Models, config: Config) -> Observations:
    """Observations of the people of images (B, H, W, 3), which are the frames ``frame`` (B,)."""
    skeleton = models.skeleton
    if models.pose is None:
        people = people.take(np.any(people.keypoint_score, axis=1))
        poses = Poses(people.keypoints_px, people.keypoint_score)
    else:
        people = as_coco(people, models.detector.skeleton)
        poses = models.pose.estimate(images, people)
        if models.seconded:
            poses = second_opinion(poses, people)
    keypoints, score, world = poses[:3]
    # score[:, tracked] would lie in memory by columns, and the mean's last bit depend on how many people there are.
    posed = np.take(score, _judged(skeleton), axis=1).mean(1) if poses.certainty is None else poses.certainty
    certainty = np.sqrt(posed * people.score) if len(people) else people.score
    spare = people if config.pose.decode == "person" else People.from_boxes(people.image, people.box_px, people.score)
    keep = np.zeros(len(people), bool)
    for i in range(len(images)):
        rows = np.flatnonzero((people.image == i) & (certainty >= config.pose.min_score))
        keep[_distinct(rows, keypoints, score, certainty, spare, models, config.pose.duplicate_oks)] = True
    return Observations(
        frame=frame[people.image[keep]].astype(np.int64),
        box_px=people.box_px[keep].astype(np.float32),
        score=certainty[keep].astype(np.float32),
        keypoints_px=keypoints[keep].astype(np.float32),
        keypoint_score=score[keep].clip(0, 1).astype(np.float32),
        skeleton=skeleton.name,
        world_m=world[keep] if world is not None else None,
        appearance=_described(images, people.take(keep), keypoints[keep], score[keep], models, config),
    )


def _described(
    images: np.ndarray, people: People, keypoints: np.ndarray, score: np.ndarray, models: Models, config: Config
) -> np.ndarray:
    """(N, D) f16 appearance of people, by the ReID network if there is one."""
    if models.reid is not None:
        return models.reid.describe(images, people.image, people.box_px, config.runtime.batch_people)
    parts = []
    for i in range(len(images)):
        rows = people.image == i
        parts.append(appearance.describe(images[i], keypoints[rows], score[rows], models.skeleton))
    return np.concatenate(parts)


def as_coco(people: People, skeleton: Skeleton) -> People:
    """People whose keypoints, of ``skeleton``, are given as COCO-17 hints; a point that it lacks has a score of 0."""
    if skeleton is COCO17:
        return people
    columns = mapping(skeleton, COCO17)
    score = np.where(columns >= 0, people.keypoint_score[:, columns], 0).astype(np.float32)
    return People(people.image, people.box_px, people.score, people.keypoints_px[:, columns], score)


def _judged(skeleton: Skeleton) -> np.ndarray:
    """Indices of the points whose mean score says how well a person is seen: the COCO body where there is one."""
    columns = mapping(skeleton, COCO17)
    return columns if (columns >= 0).all() else skeleton.tracked


def second_opinion(poses: Poses, people: People) -> Poses:
    """Poses whose body (the first 17 points) is averaged with the detector's own where both agree; scores stay."""
    keypoints, score = poses.keypoints_px[:, : len(COCO17)], poses.score[:, : len(COCO17)]
    side = np.sqrt(box_area(people.box_px))[:, None]
    agree = np.linalg.norm(keypoints - people.keypoints_px, axis=2) < AGREE * side
    weight = np.where(agree, SECOND_OPINION * people.keypoint_score, 0)[..., None]
    own = score[..., None] + 1e-6
    mixed = poses.keypoints_px.copy()
    mixed[:, : len(COCO17)] = (keypoints * own + people.keypoints_px * weight) / (own + weight)
    return poses._replace(keypoints_px=mixed)


def _distinct(
    rows: np.ndarray,
    keypoints: np.ndarray,
    score: np.ndarray,
    certainty: np.ndarray,
    people: People,
    models: Models,
    threshold: float,
) -> list[int]:
    """The rows of one frame that are people of their own, best first kept.

    Where two overlap, the pose network may see the same one twice. The weaker then falls back on the detector's own
    pose if that is another person's; ``keypoints``, ``score`` and ``certainty`` are changed in place for it.
    """
    skeleton, body = models.skeleton, slice(len(COCO17))
    kept: list[int] = []
    area = BODY_SHARE * box_area(people.box_px)
    # A network that knows a point cannot be seen gives it a score of 0, and no place.
    chosen, placed = skeleton.tracked, score > 0
    sigmas = np.array(skeleton.sigmas)[chosen]

    def likeness(points: np.ndarray, row: int) -> float:
        if not kept:
            return 0.0
        least = np.minimum(area[kept], area[row])
        seen = placed[row, chosen][None].astype(float)
        others = placed[kept][:, chosen].astype(float)
        alike = oks(keypoints[kept][:, chosen], others, points[None, chosen], seen, least, sigmas)[:, 0]
        told = common_points(others, seen)[:, 0] >= LEAST_POINTS
        boxes = iou(people.box_px[kept], people.box_px[row : row + 1])[:, 0]
        return float(np.where(told, alike, boxes).max())

    for row in rows[np.argsort(-certainty[rows], kind="stable")]:
        if likeness(keypoints[row], row) > threshold:
            if not models.seconded or not people.keypoint_score[row].any():
                continue
            own = keypoints[row].copy()
            own[body] = people.keypoints_px[row]
            if likeness(own, row) > FALLBACK_OKS:
                continue
            keypoints[row], score[row] = own, 0
            score[row, body] = people.keypoint_score[row]
            certainty[row] *= FALLBACK_DISCOUNT
        kept.append(int(row))
    return kept
