"""A detector and a pose network that know the truth: tiny pictures hold their frame's number, from which they see.

People are stick figures of 17 points. The detector gives their boxes; the pose network gives the points of whoever is
nearest to the box it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from pipeline.core.skeleton import COCO17
from pipeline.core.types import Frames, Observations
from pipeline.models.detections import Detections, Poses
from pipeline.models.registry import Models
from tests import synthetic

FIGURE = synthetic.walker(np.zeros(1), height_px=200, start_px=(0.0, 0.0))[0]  # (17, 2) px about the feet
SIZE_PX = (640, 480)
Truth = Callable[[int], np.ndarray]  # frame -> (P, 17, 2) px


def walkers(frame: int) -> np.ndarray:
    """Two people who walk past each other, 5 and 3 px a frame; one bobs, one comes nearer."""
    one = FIGURE + np.array([40 + 5 * frame, 300 + 4 * np.sin(frame)])
    two = FIGURE * (0.6 + 0.01 * frame) + np.array([600 - 3 * frame, 400])
    return np.stack([one, two])


def frames(index: np.ndarray | range, time_s: np.ndarray | None = None, batch: int = 4) -> list[Frames]:
    """Pictures whose pixels hold their frame's number, at 30 frames/s unless told otherwise, in batches."""
    index = np.asarray(index)
    time_s = index / 30 if time_s is None else time_s
    image = np.zeros((len(index), SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    image[:, 0, 0, 0], image[:, 0, 0, 1] = index % 256, index // 256
    image[index % 2 == 1, -40:, -40:] = 255  # something happens in every frame
    parts = [slice(low, low + batch) for low in range(0, len(index), batch)]
    return [Frames(index=index[p], time_s=time_s[p], image=image[p]) for p in parts]


def numbers(images: np.ndarray) -> list[int]:
    """The frames that pictures are of."""
    low, high = images[:, 0, 0, :2].astype(int).T
    return (low + 256 * high).tolist()


class Detector:
    """Sees everybody's box, and notes in which frames it was asked."""

    sessions: list = []  # noqa: RUF012
    skeleton = COCO17

    def __init__(self, truth: Truth = walkers, score: float = 0.9):
        self.truth, self.score = truth, score
        self.asked: list[int] = []
        self.calls = 0

    def detect(self, images: np.ndarray) -> Detections:
        self.calls += 1
        parts = []
        for i, frame in enumerate(numbers(images)):
            self.asked.append(frame)
            box = synthetic.boxes(self.truth(frame)).reshape(-1, 4)
            parts.append(Detections.from_boxes(np.full(len(box), i), box, np.full(len(box), self.score)))
        return Detections.concat(parts).clipped(*images.shape[1:3])


class Pose:
    """Sees the points of whoever is nearest to a box. ``scores`` (frame, person) -> score of all points."""

    sessions: list = []  # noqa: RUF012
    skeleton = COCO17

    def __init__(self, truth: Truth = walkers, scores: Callable[[int, int], float] = lambda frame, who: 0.8):
        self.truth, self.scores = truth, scores

    def estimate(self, images: np.ndarray, people: Detections) -> Poses:
        points = np.zeros((len(people), 17, 2), np.float32)
        score = np.zeros((len(people), 17), np.float32)
        number = numbers(images)
        for row in range(len(people)):
            frame = number[people.image[row]]
            there, box = self.truth(frame), people.box_px[row]
            if len(there):
                middles = synthetic.boxes(there).reshape(-1, 2, 2).mean(1)
                who = int(np.linalg.norm(middles - (box[:2] + box[2:]) / 2, axis=1).argmin())
                points[row], score[row] = there[who], self.scores(frame, who)
        return Poses(points, score)


def models(truth: Truth = walkers, **pose: Callable[[int, int], float]) -> Models:
    return Models(Detector(truth), Pose(truth, **pose), COCO17)


def assert_same_bits(a: Observations, b: Observations) -> None:
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        assert (x.tobytes() == y.tobytes()) if isinstance(x, np.ndarray) else x == y, f.name
