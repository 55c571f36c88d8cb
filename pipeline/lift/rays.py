"""Joints onto their rays: the picture tells a joint's place across the line of sight, a limb's length tells its depth.

The network gives depths, and each limb gets one length; neither keeps the joints where the picture shows them. This
module weighs three things in every frame: rays, lengths, and the network's joints by the network's own uncertainty.
"""

from __future__ import annotations

import numpy as np

from pipeline.lift.body import AT, PARENT
from pipeline.lift.joints import HIPS, JOINTS, J, K

# Standard deviation of a joint of score 1 from its ray, where the network's own across are `_USUAL_STD_M` in the mean;
# how fast it grows as scores fall.
_ACROSS_M, _USUAL_STD_M, _TRUST = 0.015, 0.035, 5
_ASTRAY = 2  # standard deviations off its ray at which a joint's ray counts half
_LENGTH_M = 0.01  # standard deviation of a limb's length
_LEAST_STD_M, _MOST_STD_M = 0.01, 0.5  # limits of the network's standard deviations
_LOOSE = 1.2  # factor by which the network's places across are trusted less than its depths
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

    The places are the most probable ones under Gaussian errors, found by Gauss-Newton in each frame alone.

    Args:
        std: (L, J, 3) m, the network's standard deviations.
        rays: (L, K, 2) x / z and y / z of the first K joints; NaN = not seen.
        score: (L, K), 0 = not seen.
        hips: (L, 3) m, the middle of the hips before the camera.
        lengths: m from each joint to the joint on which it hangs (`pipeline.lift.body.PARENT`).
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
    near = np.where(seen, _nearness(places, std, rays, score), 0)  # (L, K)
    deep = 3 * np.arange(K) + 2
    for axis in range(2):
        across, ray = 3 * np.arange(K) + axis, np.where(seen, rays[..., axis], 0)
        matrix[:, across, across] += near
        matrix[:, across, deep] -= near * ray
        matrix[:, deep, across] -= near * ray
        matrix[:, deep, deep] += near * ray**2
    return matrix, weight * places.reshape(n, _COORDINATES)


def _nearness(places: np.ndarray, std: np.ndarray, rays: np.ndarray, score: np.ndarray) -> np.ndarray:
    """(L, K) 1 / m², how much each ray counts: one over the variance of the joint's distance from it.

    The network knows how exact the points are: its deviations across the line of sight are small where they are. A ray
    far from the network's place counts less (Cauchy), since points go astray.
    """
    across = std[:, :K, 0].astype(np.float64)
    share = across.mean(1, keepdims=True) / _USUAL_STD_M
    variance = np.square(_ACROSS_M * share) / np.clip(score, _LEAST_SCORE, 1) ** _TRUST
    off = np.square(places[:, :K, :2] - rays * places[:, :K, 2:]).sum(-1)
    astray = off / (2 * _ASTRAY**2 * (variance + across**2))
    return 1 / (variance * (1 + np.where(np.isfinite(astray), astray, 0)))


def _bones() -> np.ndarray:
    """(J, J) matrix of the differences between each joint and the joint on which it hangs."""
    out = np.eye(J)
    for j, name in enumerate(JOINTS):
        for parent in (AT[PARENT[name]],) if PARENT[name] else HIPS:
            out[j, parent] -= 1.0 if PARENT[name] else 0.5
    return out
