"""MediaPipe's face mesh (Google, Apache-2.0): 468 points of one face in a crop, of which 68 are kept.

Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs": the crop stands upright
on the eyes and is 1.5 times as large as the face. The first crop comes from the body's eyes and ears, the second one
from the mesh found in the first. The network was made for faces that look at the camera: profiles get a presence
near 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.models.embedded.turned import Views, rotation, to_image, turned_crops
from pipeline.models.runtime import ASSETS, Device, Session, in_lanes

SIZE = 192  # px, side of the crop
N_MESH = 468
VIEW_M = 0.28  # side of the first crop, for an adult's face
BELOW_M = 0.02  # the first crop's middle lies so far below the middle of eyes and ears
NECK_M = 0.05  # weight of the line from neck to top of the head; the weight of the eyes' line is their distance
MARGIN = 1.5  # side of the second crop over the face's extent
AGAIN = 0.05  # presence from which a face is looked at again
LEAST_RANGE = 0.25  # smallest brightness range, 0…1, that is stretched; a smaller range is noise
# The 68 points of 300-W (jaw, brows, nose, eyes, mouth; the person's right side first), each the middle of two mesh
# vertices: along jaw and nose no single vertices lie as evenly as the 68 points do.
MESH68 = np.array([
    *((127, 127), (234, 234), (93, 132), (132, 58), (58, 172), (136, 136), (150, 149), (176, 148), (152, 152)),
    *((400, 377), (379, 378), (365, 365), (288, 397), (361, 288), (323, 361), (454, 454), (356, 356)),
    *((v, v) for v in (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)),
    *((168, 168), (6, 197), (195, 5), (4, 4)),
    *((v, v) for v in (98, 97, 2, 326, 327)),
    *((v, v) for v in (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)),
    *((v, v) for v in (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 78, 81, 13, 311, 308, 402, 14, 178)),
])  # fmt: skip
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners
_SIDES = [234, 454]  # vertices in front of the ears
# Cosines between a point's outward direction and the direction to the camera: a point is hidden below the first value
# and plainly seen above the second one.
_HIDDEN, _SEEN = -0.7, -0.3


class Heads(NamedTuple):
    """N heads as a body's pose shows them, in px of their pictures."""

    left_eye: np.ndarray  # (N, 2)
    right_eye: np.ndarray  # (N, 2)
    left_ear: np.ndarray  # (N, 2)
    right_ear: np.ndarray  # (N, 2)
    top: np.ndarray  # (N, 2)
    neck: np.ndarray  # (N, 2)
    px_per_m: np.ndarray  # (N,)


class Faces(NamedTuple):
    """M faces that were looked for."""

    points_px: np.ndarray  # (M, 68, 2) f64
    presence: np.ndarray  # (M,) 0…1: a face is there, from both crops
    facing: np.ndarray  # (M, 68) 0…1: the point is on the side that the camera sees
    side_px: np.ndarray  # (M,) of the last crop


class FaceNetwork:
    """The points of faces."""

    def __init__(self, device: Device, batch: int):
        self.sessions = [Session(ASSETS / "facemesh.onnx", device.exact())]
        self.batch = batch

    def find(self, images: np.ndarray, image: np.ndarray, views: Views) -> Faces:
        """Faces in images (B, H, W, 3) u8 RGB; ``image`` (M,) and the views give the first crops."""
        mesh, presence = self._look(images, image, views)
        side = views.side.copy()
        rows = np.flatnonzero(presence >= AGAIN)
        again = views_of_faces(mesh[rows, :, :2])
        mesh[rows], second = self._look(images, image[rows], again)
        # Small profiles are taken for faces now and then, but hardly in both crops.
        presence[rows] *= second
        side[rows] = again.side
        points = (mesh[:, MESH68[:, 0]] + mesh[:, MESH68[:, 1]]) / 2
        return Faces(points[..., :2], presence, facing(points, mesh[:, _SIDES]), side)

    def _look(self, images: np.ndarray, image: np.ndarray, views: Views) -> tuple[np.ndarray, np.ndarray]:
        """Meshes (M, 468, 3) f64 in px of the picture, z to the back, and presences (M,)."""
        mesh, presence = np.zeros((len(image), N_MESH, 3)), np.zeros(len(image))
        device = self.sessions[0].device
        most = min(self.batch, max(-(-len(image) // device.lanes), 1))
        some = [range(n, min(n + most, len(image))) for n in range(0, len(image), most)]

        def look(rows: range) -> dict[str, np.ndarray]:
            chosen = np.asarray(rows)
            return self.sessions[0].run(stretched(turned_crops(images, image[chosen], views.take(chosen), SIZE)))

        for rows, out in zip(map(np.asarray, some), in_lanes(device, look, some), strict=True):
            points = out["landmarks"].reshape(-1, N_MESH, 3).astype(np.float64)
            mesh[rows, :, :2] = to_image(points[..., :2], views.take(rows), SIZE)
            mesh[rows, :, 2] = points[..., 2] * (views.side[rows] / SIZE)[:, None]
            presence[rows] = out["presence"].reshape(-1)
        return mesh, presence


def stretched(crops: np.ndarray) -> np.ndarray:
    """Crops (N, S, S, 3) f32, 0…1, of faces against the light or in shade, brought to the full range of brightness.

    The range is taken from the middle of each crop, where the face is. Stretching doubles the
    presence of dark faces, and does not change the presence at backs of heads.
    """
    s = crops.shape[1]
    middle = crops[:, s // 4 : 3 * s // 4, s // 4 : 3 * s // 4]
    out = np.empty_like(crops)
    for n, crop in enumerate(crops):
        low, high = np.percentile(middle[n], [2, 98])
        reach = max(high - low, LEAST_RANGE)
        np.clip((crop - np.float32(low)) / np.float32(reach), 0, 1, out=out[n])
    return out


def views_of_heads(heads: Heads) -> Views:
    """Views of the faces of heads, where the body's points and size let faces be expected.

    The up direction comes from neck and top of the head, and also from the line of the eyes where the two agree, which
    they do not for a head seen from behind.
    """
    up = heads.top - heads.neck
    up /= np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-6)
    x, y = (heads.left_eye - heads.right_eye).T
    across = np.stack([y, -x], 1)
    agree = (across * up).sum(1, keepdims=True) > 0
    up = up * (NECK_M * heads.px_per_m)[:, None] + np.where(agree, across, 0)
    up /= np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-6)
    middle = (heads.left_eye + heads.right_eye + heads.left_ear + heads.right_ear) / 4
    centre = middle - up * (BELOW_M * heads.px_per_m)[:, None]
    return Views(centre, VIEW_M * heads.px_per_m, np.arctan2(up[:, 0], -up[:, 1]))


def views_of_faces(mesh: np.ndarray) -> Views:
    """Views around faces whose mesh (N, 468, 2) is known."""
    across = mesh[:, _LEFT_EYE] - mesh[:, _RIGHT_EYE]
    angle = np.arctan2(across[:, 1], across[:, 0])
    turn = rotation(angle)
    upright = np.einsum("nji,nkj->nki", turn, mesh)
    low, high = upright.min(1), upright.max(1)
    extent = np.maximum((high - low).max(1), 1e-3)
    return Views(np.einsum("nij,nj->ni", turn, (low + high) / 2), MARGIN * extent, angle)


def facing(points: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """(N, K) 0…1: how well points (N, K, 3) of faces, z to the back, are turned to the camera.

    A head is modelled as a ball around the middle of its two ``sides`` (N, 2, 3) in front of the ears, which is exact
    enough to find the far cheek.
    """
    outward = points - sides.mean(1, keepdims=True)
    cosine = -outward[..., 2] / np.maximum(np.linalg.norm(outward, axis=2), 1e-6)
    return ((cosine - _HIDDEN) / (_SEEN - _HIDDEN)).clip(0, 1)
