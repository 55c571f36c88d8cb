"""The seconds that 3D takes, beside the work of others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.lift.lifter import PoselineLifter
from pipeline.lift.protocol import InSpace, Lifter


class Watched:
    """An iterator of motions that measures the seconds spent on making them."""

    def __init__(self, motions: Iterator[Motion]):
        self.motions, self.spent_s = motions, 0.0

    def __iter__(self) -> Iterator[Motion]:
        return self

    def __next__(self) -> Motion:
        began = time.perf_counter()
        try:
            return next(self.motions)
        finally:
            self.spent_s += time.perf_counter() - began


class TimedLifter:
    """A lifter, or none, with the seconds that it has taken."""

    def __init__(self, lifter: Lifter | None):
        self.lifter, self.spent_s = lifter, 0.0

    def lift(
        self, motions: list[Motion], skeleton: Skeleton, size_px: tuple[int, int], heights_m: list[float | None]
    ) -> list[Motion] | None:
        """The motions in metres, None without a lifter."""
        if self.lifter is None:
            return None
        began = time.perf_counter()
        if isinstance(self.lifter, PoselineLifter):
            found = self.lifter.lift_all(motions, skeleton, size_px, heights_m)
        else:
            found = [self.lifter.lift(m, skeleton, size_px, h) for m, h in zip(motions, heights_m, strict=True)]
        self.spent_s += time.perf_counter() - began
        return [self._in_metres(motion, its) for motion, its in zip(motions, found, strict=True)]

    def _in_metres(self, motion: Motion, found: InSpace) -> Motion:
        assert self.lifter is not None
        return replace(
            motion,
            keypoints_m=found.joints_m,
            names_m=self.lifter.names,
            keypoint_std_m=found.std_m,
            about_std_m=found.std_m,
            figures=dict(found.figures),
        )
