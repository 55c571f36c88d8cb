"""The interface of lifters, which bring a person's motion from the picture into space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.models.protocols import Timed


class InSpace(NamedTuple):
    """Joints of one person over L rows; NaN = not known."""

    joints_m: np.ndarray  # (L, J, 3) f32, axes of the camera (x right, y down, z forward)
    std_m: np.ndarray | None = None  # (L, J) f32 one standard deviation per axis; None where the lifter does not say
    figures: Mapping[str, float] = MappingProxyType({})  # for people.csv, units in the names


class Lifter(Protocol):
    """Lifts one person's motion, as a whole, to 3D."""

    names: tuple[str, ...]  # J joints

    @property
    def sessions(self) -> Sequence[Timed]: ...

    def lift(
        self, motion: Motion, skeleton: Skeleton, size_px: tuple[int, int], height_m: float | None = None
    ) -> InSpace:
        """The person in space.

        ``height_m`` is the person's height, if that was given. Our own lifter places people before the camera, those
        of mmpose give joints about the pelvis.
        """
        ...
