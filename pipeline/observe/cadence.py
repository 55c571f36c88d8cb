"""How often the detector looks for people, and where their boxes are in the frames between: moved by their poses.

The detector looks at the first frame of a chunk, and at each frame that is ``observe.detect_every_s`` seconds after the
last one it looked at; at every frame where that setting is 0. Where everybody is surely seen and stands apart from the
others, it looks every ``observe.detect_apart_s`` only, and more seldom where nothing happens
(`pipeline.observe.looks`). In the frames between, each box of the last detection moves with its person's pose: every
edge of the box moves as far as the outermost keypoints on that side moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.config import Config
from pipeline.core.types import Observations
from pipeline.models.detections import Detections, Poses
from pipeline.models.graded import Graded
from pipeline.models.registry import Models
from pipeline.observe.activity import Activity
from pipeline.observe.choice import Choice
from pipeline.observe.faint import Faint
from pipeline.observe.looks import Looks
from pipeline.observe.poses import nothing, observations, posed
from pipeline.observe.seams import Glance
from pipeline.observe.tiles import Tiles

SEEN = 0.3  # keypoint score from which a point moves the box
LEAST_POINTS = 4  # seen in both frames; with fewer the box stays


class _Found(NamedTuple):
    """The people of the last detection, and their boxes in the frame before this one."""

    people: Detections
    poses: Poses
    box_px: np.ndarray  # (N, 4) f32


class _Shown(NamedTuple):
    """Images that follow one another."""

    images: np.ndarray  # (B, H, W, 3)
    time_s: np.ndarray  # (B,)
    moving: list[np.ndarray]  # of each the tiles in which something moves


class Detected(NamedTuple):
    """What the detector found in a batch of images."""

    due: np.ndarray  # (B,) bool: the images that it looked at
    found: Detections  # rows of those
    faint: Detections  # rows of those
    quiet: np.ndarray  # (B,) bool: the images in which nothing happens

    @classmethod
    def joined(cls, parts: Sequence[Detected]) -> Detected:
        """What was found in images that follow one another."""
        before = np.cumsum([0, *(part.due.sum() for part in parts)])[:-1].tolist()
        found, faint = (
            Detections.concat([own.moved_on(n) for own, n in zip(some, before, strict=True)])
            for some in ([part.found for part in parts], [part.faint for part in parts])
        )
        return cls(np.concatenate([p.due for p in parts]), found, faint, np.concatenate([p.quiet for p in parts]))


_NO_POSES = Poses(np.zeros((0, 1, 2), np.float32), np.zeros((0, 1), np.float32))
_NOBODY = _Found(Detections.empty(), _NO_POSES, np.zeros((0, 4)))


class PeopleSearch:
    """The people of frames that come in order. Its state is what the last frames showed."""

    def __init__(
        self,
        models: Models,
        config: Config,
        faint: Faint | None = None,
        activity: Activity | None = None,
        tiles: Tiles | None = None,
    ) -> None:
        self._models, self._config, self.faint = models, config, faint or Faint()
        self._activity = activity or Activity(config.observe.activity == "auto")
        self.tiles = tiles or Tiles(None, config)
        self._choice = Choice(config)
        self._found = _NOBODY
        # A network that finds people and poses together looks at every frame.
        self._looks = Looks(config.observe) if models.pose is not None else None

    def forget(self) -> None:
        """The next frame has nothing to do with the last one."""
        if self._looks is not None:
            self._looks.forget()
        self.tiles.forget()

    def look(self, images: np.ndarray, frame: np.ndarray, time_s: np.ndarray) -> Observations:
        """Observations of images (B, H, W, 3) u8 RGB, which are the frames ``frame`` (B,) at ``time_s`` (B,)."""
        return self.posed(images, frame, self.detected(images, time_s))

    def detected(self, images: np.ndarray, time_s: np.ndarray) -> Detected:
        """The people of those images at ``time_s`` (B,) that the detector is due to look at.

        It needs only this function's earlier calls, so that it may run ahead of `posed`.
        """
        if self._looks is None:
            return self._detected(*self._watched(images, time_s))
        parts = []
        for rows in self._looks.blocks(len(images)):
            shown, active = self._watched(images[rows], time_s[rows])
            due = np.array([self._looks.due(float(t), a) for t, a in zip(time_s[rows], active, strict=True)], bool)
            parts.append(self._detected(shown, active, due))
            self._looks.found(parts[-1].found, int(due.sum()))
        return parts[0] if len(parts) == 1 else Detected.joined(parts)

    def _watched(self, images: np.ndarray, time_s: np.ndarray) -> tuple[_Shown, np.ndarray]:
        """The images (B, H, W, 3) with their times and moving tiles, and whether something happens in each (B,)."""
        moving = [self.tiles.moving(*one) for one in zip(images, time_s.tolist(), strict=True)]
        shown = _Shown(images, time_s, moving)
        nobody = self._looks is not None and self._looks.nobody
        active = [self._activity.active_at(i, float(t), bool(m.any()), nobody) for i, t, m in zip(*shown, strict=True)]
        return shown, np.array(active, bool)

    def _detected(self, shown: _Shown, active: np.ndarray, due: np.ndarray | None = None) -> Detected:
        """The people of those of B images that are ``due`` (B,); of all of them without."""
        images = shown.images
        due = np.ones(len(images), bool) if due is None else due
        self._activity.searched += int(due.sum())
        if not due.any():
            return Detected(due, Detections.empty(), Detections.empty(), ~active)
        found, faint = graded(self._models, images[due])
        if self.tiles.on:
            some = [one for one, is_due in zip(zip(*shown, strict=True), due, strict=True) if is_due]
            found, faint = self._in_tiles([(i, float(t), m) for i, t, m in some], found, faint)
        if self._choice.idle:
            return Detected(due, found, faint, ~active)
        chosen = self._choice.chosen(found, int(due.sum()), (images.shape[2], images.shape[1]))
        left = found.take(~chosen)  # hidden like faint ones, where people are
        return Detected(due, found.take(chosen), Detections.concat([faint, left]) if len(left) else faint, ~active)

    def _in_tiles(
        self, shown: list[tuple[np.ndarray, float, np.ndarray]], found: Detections, faint: Detections
    ) -> tuple[Detections, Detections]:
        """People and faint ones of images, their times and moving tiles, to those found in the whole images."""
        parts = []
        for i, (image, time_s, moving) in enumerate(shown):
            size_px = image.shape[1], image.shape[0]
            whole = Glance(found.of(i).in_image(0), faint.of(i).in_image(0), np.array([0, 0, *size_px]), size_px)
            both = self.tiles.found(lambda some: graded(self._models, some), image, time_s, moving, whole)
            parts.append([part.in_image(i) for part in both])
        sure, unsure = (Detections.concat(list(part)) for part in zip(*parts, strict=True))
        return sure, unsure

    def posed(self, images: np.ndarray, frame: np.ndarray, look: Detected) -> Observations:
        """Observations of images (B, H, W, 3), which are the frames ``frame`` (B,), after the detector's look."""
        due, found, detected = look.due, look.found, np.cumsum(look.due) - 1
        for i, number in enumerate(frame[due]):
            self.faint.add(int(number), look.faint.of(i).box_px)
        if due.all():
            return self._observed(images, frame, found)
        parts = [nothing(self._models)]
        for i in range(len(images)):
            one = slice(i, i + 1)
            if due[i]:
                parts.append(self._observed(images[one], frame[one], found.of(int(detected[i])).in_image(0)))
            elif len(self._found.people):
                parts.append(self._between(images[one], frame[one]))
        return Observations.concat(parts)

    def _left_out(self, frame: np.ndarray, people: Detections, rows: np.ndarray) -> None:
        """Keep the boxes of detections outside ``rows`` as faint: their poses were refused, but they may be people."""
        left = people.take(np.delete(np.arange(len(people)), rows))
        for i, box in zip(left.image, left.box_px, strict=True):
            self.faint.add(int(frame[i]), box[None])

    def _observed(self, images: np.ndarray, frame: np.ndarray, people: Detections) -> Observations:
        """Observations of people detected in these images; the people of the last image are carried on."""
        rows, poses, certainty = posed(images, people, self._models, self._config)
        self._left_out(frame, people, rows)
        people = people.take(rows)
        last = np.flatnonzero(people.image == len(images) - 1)
        there = people.take(last).in_image(0)
        self._found = _Found(there, poses.take(last), there.box_px)
        return observations(images, frame, people, poses, certainty, self._models, self._config)

    def _between(self, image: np.ndarray, frame: np.ndarray) -> Observations:
        """Observations of one image without detection."""
        people, poses, certainty = self._carried(image, frame)
        return observations(image, frame, people, poses, certainty, self._models, self._config)

    def _carried(self, image: np.ndarray, frame: np.ndarray) -> tuple[Detections, Poses, np.ndarray]:
        """Detections, poses and certainties in a frame without detection."""
        found = self._found
        carried = found.people.placed(found.box_px)
        rows, poses, certainty = posed(image, carried, self._models, self._config)
        self._left_out(frame, carried, rows)
        then = _Found(found.people.take(rows), found.poses.take(rows), found.box_px[rows])
        height, width = image.shape[1:3]
        box = moved(then.people.box_px, then.poses, poses, then.box_px).clip(0, [width, height, width, height])
        keep = np.flatnonzero((box[:, 2:] - box[:, :2] > 1).all(1))
        self._found = _Found(then.people.take(keep), then.poses.take(keep), box[keep])
        return then.people.placed(box).take(keep), poses.take(keep), certainty[keep]


def graded(models: Models, images: np.ndarray) -> tuple[Detections, Detections]:
    """The people of images (B, H, W, 3) u8 RGB, and faint ones."""
    if isinstance(models.detector, Graded):
        return models.detector.graded(images)
    return models.detector.detect(images), Detections.empty()


def moved(box_px: np.ndarray, then: Poses, now: Poses, last_px: np.ndarray) -> np.ndarray:
    """(N, 4) f32 boxes now of people with ``box_px`` then, moved by their poses; ``last_px`` where a pose has too few
    points."""
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
