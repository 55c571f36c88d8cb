"""Joints onto their rays: where the picture says where a joint is across, and a limb's length how deep it is.

The network gives depths, and limbs get one length each; neither keeps the joints where the picture has them. Here
all of it is weighed in every frame: rays, lengths, and what the network says by its own uncertainty.
"""

from __future__ import annotations

import numpy as np

from pipeline.lift.body import AT, PARENT
from pipeline.lift.joints import HIPS, JOINTS, J, K

_ACROSS_M, _TRUST = 0.015, 5  # standard deviation of a joint of score 1 from its ray; how fast it grows as scores fall
_LENGTH_M = 0.01  # of limbs
_LEAST_STD_M, _MOST_STD_M = 0.01, 0.5  # of what the network says
_LOOSE = 1.2  # the network's places across are trusted so much less than its depths
_ROUNDS, _CHUNK = 2, 512  # linearisations of the lengths; frames at once
_LEAST_SCORE = 0.05  # below it a point is not seen
_COORDINATES = 3 * J


def on_rays(
    joints: np.ndarray,
    std: np.ndarray,
    rays: np.ndarray,
    score: np.ndarray,
    hips: np.ndarray,
    lengths: dict[str, float],
) -> np.ndarray:
    """Joints (L, J, 3) m about the middle of the hips, moved towards their rays; NaN stays.

    The most probable places under Gaussian errors, by Gauss-Newton, of each frame for itself.

    Args:
        std: (L, J, 3) m, the network's standard deviations.
        rays: (L, K, 2) x / z and y / z of the first K joints; NaN = not seen.
        score: (L, K), 0 = not seen.
        hips: (L, 3) m, the middle of the hips before the camera.
        lengths: of each joint to what it hangs on (`pipeline.lift.body.PARENT`), m.
    """
    out = joints.copy()
    known = np.isfinite(joints).all((1, 2)) & np.isfinite(hips).all(1) & np.isfinite(std).all((1, 2))
    if not np.isfinite(list(lengths.values())).all():
        return out
    bones = _bones()
    wanted = np.array([lengths[name] for name in JOINTS])
    for part in np.array_split(np.flatnonzero(known), max(1, -(-int(known.sum()) // _CHUNK))):
        before = (joints[part] + hips[part, None]).astype(np.float64)
        moved = _most_probable(before, std[part], rays[part], score[part], bones, wanted)
        out[part] = moved - moved[:, HIPS].mean(1, keepdims=True)
    return out


def _most_probable(
    places: np.ndarray, std: np.ndarray, rays: np.ndarray, score: np.ndarray, bones: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Places (L, J, 3) m before the camera, by the normal equations of all their coordinates."""
    n = len(places)
    sure, pull = _said(places, std, rays, score)
    for _ in range(_ROUNDS):
        bone = bones @ places  # (L, J, 3)
        way = bone / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-6)
        slope = (bones[None, :, :, None] * way[:, :, None, :]).reshape(n, J, _COORDINATES)  # of each length
        matrix = sure + np.swapaxes(slope, 1, 2) @ slope / _LENGTH_M**2
        right = pull + (np.swapaxes(slope, 1, 2) @ (lengths / _LENGTH_M**2)[:, None])[..., 0]
        places = np.linalg.solve(matrix, right[..., None]).reshape(n, J, 3)
    return places


def _said(places: np.ndarray, std: np.ndarray, rays: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations (L, 3 J, 3 J), (L, 3 J) of the network's places and of the rays, x - r z = 0."""
    n = len(places)
    said = np.clip(std, _LEAST_STD_M, _MOST_STD_M) * np.array([_LOOSE, _LOOSE, 1])
    weight = (1 / said**2).reshape(n, _COORDINATES)
    matrix, at = np.zeros((n, _COORDINATES, _COORDINATES)), np.arange(_COORDINATES)
    matrix[:, at, at] = weight
    seen = np.isfinite(rays).all(-1) & (score > _LEAST_SCORE)
    near = np.where(seen, np.clip(score, 0, 1) ** _TRUST, 0).astype(np.float64) / _ACROSS_M**2  # (L, K)
    deep = 3 * np.arange(K) + 2
    for axis in range(2):
        across, ray = 3 * np.arange(K) + axis, np.where(seen, rays[..., axis], 0)
        matrix[:, across, across] += near
        matrix[:, across, deep] -= near * ray
        matrix[:, deep, across] -= near * ray
        matrix[:, deep, deep] += near * ray**2
    return matrix, weight * places.reshape(n, _COORDINATES)


def _bones() -> np.ndarray:
    """(J, J) differences of joints and what they hang on."""
    out = np.eye(J)
    for j, name in enumerate(JOINTS):
        for parent in (AT[PARENT[name]],) if PARENT[name] else HIPS:
            out[j, parent] -= 1.0 if PARENT[name] else 0.5
    return out
