"""MultiPose and NanoDet together: MultiPose's people are clean and come with poses, NanoDet finds those it misses.

A person both networks see is more certain than one that only one of them sees, and the mean of the two boxes fits
better than either (measured: README, "Accuracy").
"""

from __future__ import annotations

import numpy as np

from pipeline.models.base import People
from pipeline.models.movenet import MultiPose
from pipeline.models.nanodet import NanoDet
from pipeline.skeleton import COCO17
from pipeline.track.similarity import iou

SAME = 0.5  # IoU from which a NanoDet box supports a MultiPose person
TAKEN = 0.6  # IoU from which a NanoDet box is no new person


class Combined:
    """The default detector."""

    skeleton = COCO17

    def __init__(self, multipose: MultiPose, nanodet: NanoDet):
        self.multipose, self.nanodet = multipose, nanodet
        self.sessions = multipose.sessions + nanodet.sessions

    def detect(self, images: np.ndarray) -> People:
        """People in images (B, H, W, 3) u8 RGB; the score is the mean of both networks', 0 where one saw nothing."""
        posed, boxed = self.multipose.detect(images), self.nanodet.detect(images)
        return People.concat([merge(posed.of(i), boxed.of(i)) for i in range(len(images))])


def merge(posed: People, boxed: People) -> People:
    """MultiPose's and NanoDet's people of one image as one set."""
    extra = np.ones(len(boxed), bool)
    box, score = posed.box_px.copy(), posed.score / 2
    if len(posed) and len(boxed):
        overlap = iou(posed.box_px, boxed.box_px)  # (n, m)
        mate, rows = overlap.argmax(1), np.arange(len(posed))
        both = overlap[rows, mate] > SAME
        box[both] = (box[both] + boxed.box_px[mate[both]]) / 2
        score[both] += boxed.score[mate[both]] / 2
        extra = overlap.max(0) < TAKEN
    seen = People(posed.image, box, score, posed.keypoints_px, posed.keypoint_score)
    new = boxed.take(extra)
    halved = People(new.image, new.box_px, new.score / 2, new.keypoints_px, new.keypoint_score)
    return People.concat([seen, halved])
