"""How often people are looked for, and where they are in between: carried by their own poses.

The detector looks at a frame where ``observe.detect_every_s`` have passed since it looked last, at the first frame of a
chunk, and always where that is 0. In the frames between, each box found last moves with its person's pose: every edge
goes as far as the outermost points on its side went.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.config import Config
from pipeline.models.base import People, Poses
from pipeline.models.registry import Models
from pipeline.poses import observations, pose_people, posed
from pipeline.types import Observations

SEEN = 0.3  # keypoint score from which a point moves the box
LEAST_POINTS = 4  # seen in both frames; with fewer the box stays


class _Found(NamedTuple):
    """The people of the last detection, and their boxes in the frame before this one."""

    people: People
    poses: Poses
    box_px: np.ndarray  # (N, 4) f32


class Search:
    """The people of frames that come in order. Its state is what the last frames showed."""

    def __init__(self, models: Models, config: Config) -> None:
        self._models, self._config = models, config
        self._found: _Found | None = None
        self._detected_s = self._before_s = -np.inf

    def forget(self) -> None:
        """The next frame has nothing to do with the last one."""
        self._found = None

    def look(self, images: np.ndarray, frame: np.ndarray, time_s: np.ndarray) -> Observations:
        """Observations of images (B, H, W, 3) u8 RGB, which are the frames ``frame`` (B,) at ``time_s`` (B,)."""
        if self._config.observe.detect_every_s == 0:
            people = self._models.detector.detect(images)
            return pose_people(images, frame, people, self._models, self._config)
        rows = range(len(images))
        return Observations.concat([self._one(images[i : i + 1], frame[i : i + 1], float(time_s[i])) for i in rows])

    def _one(self, image: np.ndarray, frame: np.ndarray, time_s: float) -> Observations:
        models, config = self._models, self._config
        if self._found is None or self._due(time_s):
            people = models.detector.detect(image)
            rows, poses, certainty = posed(image, people, models, config)
            people = people.take(rows)
            self._found, self._detected_s = _Found(people, poses, people.box_px), time_s
        else:
            people, poses, certainty = self._carried(image, self._found)
        self._before_s = time_s
        return observations(image, frame, people, poses, certainty, models, config)

    def _due(self, time_s: float) -> bool:
        """Half a frame early is in time: steps of a video's clock are not even."""
        step = time_s - self._before_s
        return time_s - self._detected_s > self._config.observe.detect_every_s - step / 2

    def _carried(self, image: np.ndarray, found: _Found) -> tuple[People, Poses, np.ndarray]:
        """People, poses and certainties in a frame without detection."""
        rows, poses, certainty = posed(image, found.people.placed(found.box_px), self._models, self._config)
        then = _Found(found.people.take(rows), found.poses.take(rows), found.box_px[rows])
        height, width = image.shape[1:3]
        box = moved(then.people.box_px, then.poses, poses, then.box_px).clip(0, [width, height, width, height])
        keep = np.flatnonzero((box[:, 2:] - box[:, :2] > 1).all(1))
        self._found = _Found(then.people.take(keep), then.poses.take(keep), box[keep])
        return then.people.placed(box).take(keep), poses.take(keep), certainty[keep]


def moved(box_px: np.ndarray, then: Poses, now: Poses, last_px: np.ndarray) -> np.ndarray:
    """(N, 4) f32 boxes now of people with ``box_px`` then, by their poses; ``last_px`` where these say nothing."""
    both = (then.score >= SEEN) & (now.score >= SEEN)
    enough = both.sum(1) >= LEAST_POINTS
    step = _extent(now.keypoints_px, both) - _extent(then.keypoints_px, both)
    return np.where(enough[:, None], box_px + np.where(enough[:, None], step, 0), last_px).astype(np.float32)


def _extent(points: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(N, 4) least x, y and greatest x, y of the chosen points (N, K, 2); 0 where none is."""
    low = np.where(chosen[..., None], points, np.inf).min(1)
    high = np.where(chosen[..., None], points, -np.inf).max(1)
    extent = np.concatenate([low, high], 1)
    return np.where(np.isfinite(extent), extent, 0.0)
