"""What brings a person's motion from the picture into space."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from pipeline.skeleton import Skeleton
from pipeline.types import Motion


class Lifter(Protocol):
    """Lifts one person's motion, as a whole, to 3D."""

    names: tuple[str, ...]  # J joints
    sessions: list[Any]

    def lift(self, motion: Motion, skeleton: Skeleton, size_px: tuple[int, int]) -> np.ndarray:
        """(L, J, 3) f32 metres about the pelvis, axes of the camera (x right, y down, z forward); NaN = not known."""
        ...
