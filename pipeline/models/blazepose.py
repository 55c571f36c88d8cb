"""BlazePose heavy (Google, Apache-2.0): 33 keypoints with feet, and single-frame 3D in metres about the hips.

Bazarevsky et al. 2020, "BlazePose: On-device Real-time Body Pose tracking": the crop is centred on the hips, as
large as the circle around the body times 1.25, and turned so that the torso points up.
"""

from __future__ import annotations

import numpy as np

from pipeline.models.base import People, Poses
from pipeline.models.runtime import ASSETS, Device, Session
from pipeline.models.turned import Views, rotation, to_image, turned_crops
from pipeline.skeleton import BLAZEPOSE33, COCO17

SIZE = 256  # px, side of the crop
PAD = 1.25
N_OUT, K = 39, 33  # the network's points; the last six are its own alignment points
SURE = 0.2  # score from which a detector's keypoint may place the crop
_HIPS = [COCO17.index("left_hip"), COCO17.index("right_hip")]
_SHOULDERS = [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]


class BlazePose:
    """The pose of each person from a turned crop around the hips."""

    skeleton = BLAZEPOSE33

    def __init__(self, device: Device, batch: int):
        self.sessions = [Session(ASSETS / "blazepose-heavy.onnx", device)]
        self.batch = batch

    def estimate(self, images: np.ndarray, people: People) -> Poses:
        """Keypoints (N, 33, 2) px, scores (N, 33) and world (N, 33, 3) m, all f32, of people in images (B, H, W, 3)."""
        views = crop_frames(people)
        keypoints = np.zeros((len(people), K, 2), np.float32)
        score = np.zeros((len(people), K), np.float32)
        world = np.zeros((len(people), K, 3), np.float32)
        for start in range(0, len(people), self.batch):
            rows = np.arange(start, min(start + self.batch, len(people)))
            crops = turned_crops(images, people.image[rows], views.take(rows), SIZE)
            out = self.sessions[0].run(crops)
            points = out["landmarks"].reshape(-1, N_OUT, 5)[:, :K]
            metres = out["world"].reshape(-1, N_OUT, 3)[:, :K]
            keypoints[rows] = to_image(points[..., :2], views.take(rows), SIZE)
            turn = rotation(views.angle[rows])  # (n, 2, 2) crop axes in the image
            world[rows, :, :2] = np.einsum("nij,nkj->nki", turn, metres[..., :2])
            world[rows, :, 2] = metres[..., 2]
            seen = _sigmoid(points[..., 3]) * _sigmoid(points[..., 4])
            score[rows] = seen * out["presence"].reshape(-1, 1).clip(0, 1)
        return Poses(keypoints, score, world)


def crop_frames(people: People) -> Views:
    """The view of each person's crop.

    From the detector's pose where hips and shoulders are seen, else upright around the box.
    """
    box = people.box_px.astype(np.float64)
    centre = (box[:, :2] + box[:, 2:]) / 2
    side = np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]) * PAD
    angle = np.zeros(len(people))
    points, seen = people.keypoints_px.astype(np.float64), people.keypoint_score > SURE
    for n in np.flatnonzero(seen[:, _HIPS + _SHOULDERS].all(1)):
        hips, shoulders = points[n, _HIPS].mean(0), points[n, _SHOULDERS].mean(0)
        up = shoulders - hips
        if np.hypot(*up) < 0.1 * side[n]:  # seen along the torso: no direction in the picture
            continue
        reach = np.max(np.hypot(*(points[n, seen[n]] - hips).T))
        edge = np.max(np.abs(box[n].reshape(2, 2) - hips))
        centre[n], side[n] = hips, 2 * max(reach, min(edge, 1.3 * reach)) * PAD
        angle[n] = np.arctan2(up[0], -up[1])
    return Views(centre, side, angle)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
