"""A detector that also returns faint detections: people of a low score, whom poseline hides but does not track."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.models.detections import Detections
from pipeline.models.protocols import Detector, PoseNetwork, Timed

FAINT = 0.03  # least score of a faint detection; chosen on 113 heads in photographs, of which .02 finds no more


class Over:
    """What a network over another has of the one below it."""

    network: Detector | PoseNetwork

    @property
    def sessions(self) -> Sequence[Timed]:
        return self.network.sessions

    @property
    def skeleton(self) -> Skeleton:
        return self.network.skeleton


class Graded(Over):
    """A detector built with the threshold ``FAINT``. Above ``least`` it finds the boxes of one built with ``least``.

    This holds because weaker boxes never change what suppression does to better ones.
    """

    def __init__(self, network: Detector, least: float) -> None:
        self.network: Detector = network
        self._least = least

    def over(self, network: Detector) -> Graded:
        """The same threshold over another network."""
        return Graded(network, self._least)

    def detect(self, images: np.ndarray) -> Detections:
        """The people of images (B, H, W, 3) u8 RGB that score more than ``least``."""
        return self.graded(images)[0]

    def graded(self, images: np.ndarray) -> tuple[Detections, Detections]:
        """The people that score more than ``least``, and all fainter ones."""
        every = self.network.detect(images)
        sure = every.score > self._least
        return every.take(sure), every.take(~sure)
