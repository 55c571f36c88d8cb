"""When the detector is due: by time, by what happens, and by how people stand.

Frames are taken in blocks of `BLOCK` from the first one on, so that a block can be searched at once; what was found in
a block counts from the next one on. So results do not depend on the batches in which frames come.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.core.settings import ObserveConfig
from pipeline.core.similarity import iou
from pipeline.models.detections import Detections

BLOCK = 4  # frames
LOOKOUT_S, EMPTY_LOOKOUT_S = 1.0, 3.0  # between looks where nothing happens: beside people, and where nobody was seen
SURE = 0.6  # score of a box from which a person is surely seen
ASIDE = 0.25  # of a box's width and height that must be free on each side for a person to stand apart
SAME_IOU = 0.5  # a person's boxes in two looks overlap so much where the person moves slowly
ROUNDING_S = 1e-6  # slack for rounded times: the detector is also due at a frame exactly half a step early


class Looks:
    """When the detector looks at frames that come in order. Its state is the last looks."""

    def __init__(self, settings: ObserveConfig) -> None:
        self._every_s = settings.detect_every_s
        self._apart_s = max(settings.detect_apart_s, self._every_s) if self._every_s else 0.0
        self._seen = 0
        self.forget()

    def forget(self) -> None:
        """The next frame has nothing to do with the last one."""
        self._looked_s = self._before_s = -np.inf
        self._boxes: np.ndarray | None = None  # (N, 4) of the last look
        self._waiting: list[Detections] = []  # of the looks in the block that has not ended
        self._calm = self.nobody = False  # nobody: the last two looks found none

    def blocks(self, count: int) -> Iterator[slice]:
        """The next ``count`` frames, cut where blocks end."""
        start = 0
        while start < count:
            stop = min(start + BLOCK - self._seen % BLOCK, count)
            self._seen += stop - start
            yield slice(start, stop)
            start = stop

    def due(self, time_s: float, active: bool) -> bool:
        """Whether the detector is due; its look is then noted. Half a frame early counts, since steps are uneven."""
        step = time_s - self._before_s
        every_s = self._apart_s if self._calm else self._every_s
        if not active:
            every_s = max(every_s, EMPTY_LOOKOUT_S if self.nobody else LOOKOUT_S)
        due = every_s == 0 or time_s - self._looked_s > every_s - step / 2 - ROUNDING_S
        self._before_s = time_s
        if due:
            self._looked_s = time_s
        return due

    def found(self, people: Detections, looks: int) -> None:
        """The people of the last frames' looks, so many; they count once the block has ended."""
        self._waiting += [people.of(look) for look in range(looks)]
        if self._seen % BLOCK:
            return
        for here in self._waiting:
            before, self._boxes = self._boxes, here.box_px
            slow = before is not None and _slow(before, here.box_px)
            self._calm = slow and bool((here.score >= SURE).all()) and _apart(here.box_px)
            self.nobody = slow and not len(here)
        self._waiting = []


def _slow(before: np.ndarray, now: np.ndarray) -> bool:
    """Whether two looks saw the same people at about the same places."""
    return len(before) == len(now) and (not len(now) or bool((iou(now, before).max(1) >= SAME_IOU).all()))


def _apart(box_px: np.ndarray) -> bool:
    """Whether nobody is near to anybody else, of boxes (N, 4)."""
    side = ASIDE * (box_px[:, 2:] - box_px[:, :2])
    shared = iou(np.concatenate([box_px[:, :2] - side, box_px[:, 2:] + side], 1), box_px)
    return not shared[~np.eye(len(box_px), dtype=bool)].any()
