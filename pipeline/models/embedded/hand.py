"""MediaPipe's hand landmarks (Google, Apache-2.0): 21 points of one hand in a crop.

Zhang et al. 2020, "MediaPipe Hands: On-device Real-time Hand Tracking": the crop is turned so that the fingers point up
and is twice as large as the palm with the fingers' first joints. The first crop comes from the arm, the second one
from the points that were found in the first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.models.embedded.turned import Views, rotation, to_image, turned_crops
from pipeline.models.runtime import ASSETS, Device, Session, in_lanes

SIZE = 224  # px, side of the crop
K = 21  # wrist, then four points of each finger from the thumb on: COCO-WholeBody's order too
VIEW_M = 0.255  # side of the first crop, for an adult's hand
# From the wrist to the first crop's middle along the forearm: for a forearm towards the camera, and across the picture.
AHEAD_M = (0.025, 0.075)
FOREARM_M = 0.25
MARGIN = 2.0  # side of the second crop over the palm's extent
SHIFT = 0.1  # shift of the second crop's middle towards the fingers, as a share of the palm's extent
AGAIN = 0.05  # presence from which a hand is looked at again
_PALM = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]  # all points but the fingertips and the joints next to them
_INDEX, _MIDDLE, _RING = 6, 10, 14  # second joints, which give the hand's direction


class Arms(NamedTuple):
    """M arms as a body's pose shows them, in px of their pictures."""

    image: np.ndarray  # (M,) row in the batch
    right: np.ndarray  # (M,) bool
    elbow: np.ndarray  # (M, 2)
    wrist: np.ndarray  # (M, 2)
    px_per_m: np.ndarray  # (M,)


class Hands(NamedTuple):
    """M hands that were looked for."""

    points_px: np.ndarray  # (M, 21, 2) f64
    presence: np.ndarray  # (M,) 0…1: a hand is there, from the second crop
    right: np.ndarray  # (M,) 0…1: the hand is a right one
    side_px: np.ndarray  # (M,) of the last crop


class HandNetwork:
    """The points of hands at the ends of arms."""

    def __init__(self, device: Device):
        self.sessions = [Session(ASSETS / "handlandmark-full.onnx", device.exact())]

    def find(self, images: np.ndarray, arms: Arms) -> Hands:
        """The hands of arms in images (B, H, W, 3) u8 RGB; a second crop where the first one found a hand."""
        hands = self._look(images, arms.image, views_of_arms(arms))
        rows = np.flatnonzero(hands.presence >= AGAIN)
        again = self._look(images, arms.image[rows], views_of_hands(hands.points_px[rows]))
        for value, better in zip(hands, again, strict=True):
            value[rows] = better
        return hands

    def _look(self, images: np.ndarray, image: np.ndarray, views: Views) -> Hands:
        points = np.zeros((len(image), K, 2))
        presence, right = np.zeros(len(image)), np.zeros(len(image))

        def look(n: int) -> dict[str, np.ndarray]:
            # One at a time: this network's last bits depend on what else is in the batch, and a batch saves little.
            return self.sessions[0].run(turned_crops(images, image[n : n + 1], views.take(slice(n, n + 1)), SIZE))

        for n, out in enumerate(in_lanes(self.sessions[0].device, look, range(len(image)))):
            place = out["landmarks"].reshape(1, K, 3)[..., :2].astype(np.float64)
            points[n] = to_image(place, views.take(slice(n, n + 1)), SIZE)[0]
            presence[n], right[n] = out["presence"].item(), out["handedness"].item()
        return Hands(points, presence, right, views.side.copy())


def views_of_arms(arms: Arms) -> Views:
    """Views of the hands at the ends of arms, where the forearm and the body's size let hands be expected."""
    forearm = arms.wrist - arms.elbow
    length = np.linalg.norm(forearm, axis=1)
    share = (length / (FOREARM_M * arms.px_per_m)).clip(0, 1)
    ahead = (AHEAD_M[0] + (AHEAD_M[1] - AHEAD_M[0]) * share) * arms.px_per_m
    centre = arms.wrist + forearm * (ahead / np.maximum(length, 1e-6))[:, None]
    return Views(centre, VIEW_M * arms.px_per_m, np.arctan2(forearm[:, 0], -forearm[:, 1]))


def views_of_hands(points: np.ndarray) -> Views:
    """Views around hands whose points (N, 21, 2) are known."""
    ahead = points[:, _INDEX] / 4 + points[:, _MIDDLE] / 2 + points[:, _RING] / 4 - points[:, 0]
    angle = np.arctan2(ahead[:, 0], -ahead[:, 1])
    turn = rotation(angle)
    upright = np.einsum("nji,nkj->nki", turn, points[:, _PALM])
    low, high = upright.min(1), upright.max(1)
    extent = np.maximum((high - low).max(1), 1e-3)
    centre = (low + high) / 2
    centre[:, 1] -= SHIFT * extent
    return Views(np.einsum("nij,nj->ni", turn, centre), MARGIN * extent, angle)
