"""How people are dressed: colours of pose-aligned parts of the body, without a network.

Parts are the head, the torso, the upper and the lower legs, so that a person seen from behind, or half hidden, compares
with themselves part by part. Colours are CIE Lab; lightness counts little, since it changes with the light.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.skeleton import COCO17, Skeleton, mapping

PARTS = ("head", "torso", "upper legs", "lower legs")
VALUES = 4  # per part: mean L, a, b and the standard deviation of L
SIZE = len(PARTS) * VALUES
SEEN = 0.3  # keypoint score from which a part's corner counts
# How far one person's parts differ from one sighting to another, in units of Lab: L, a, b and L's spread.
SCALE = np.array([18.0, 5.0, 6.0, 9.0])
COSINE = 0.4  # 1 − cosine between two vectors of a ReID network that counts as a distance of 1
FARTHEST = 9.0  # largest squared distance of one part; larger ones are cut to this

_NOSE, _SHOULDERS, _HIPS, _KNEES, _ANKLES = 0, (5, 6), (11, 12), (13, 14), (15, 16)
_ACROSS = np.array([-1.0, 0.0, 1.0])


def describe(
    images: np.ndarray, image: np.ndarray, keypoints_px: np.ndarray, keypoint_score: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """(n, SIZE) f16 colours of the parts of people with keypoints (n, K, 2) in images (B, H, W, 3) u8 RGB.

    ``image`` (n,) says in which image each person is; nobody's colours depend on the others. A part that is not seen is
    NaN. All parts are NaN where the keypoint set has no body.
    """
    out = np.full((len(keypoints_px), len(PARTS), VALUES), np.nan)
    columns = mapping(skeleton, COCO17)
    if len(out) == 0 or (columns < 0).any():
        return out.reshape(-1, SIZE).astype(np.float16)
    p, seen = keypoints_px[:, columns].astype(np.float64), keypoint_score[:, columns] >= SEEN
    for i, (points, known) in enumerate((_head(p, seen), _torso(p, seen), *_legs(p, seen))):
        out[:, i] = _statistics(images, image, points, known)
    return out.reshape(-1, SIZE).astype(np.float16)


def distance2(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How foreign the descriptions a (…, D) and b (…, D) are to one another: (…), and their common parts (…).

    The mean over the parts that both have of their squared distance in units of `SCALE`, about 0.3 for one person; 0
    without a common part. Vectors of a ReID network (D other than SIZE) go by their cosine, and count as all parts.
    """
    if a.shape[-1] != SIZE:
        return _cosine_distance(a, b)
    apart = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    per_part = np.square(apart.reshape(*apart.shape[:-1], len(PARTS), VALUES) / SCALE).mean(-1)
    known = np.isfinite(per_part)
    common = known.sum(-1)
    return np.where(known, np.minimum(per_part, FARTHEST), 0).sum(-1) / np.maximum(common, 1), common


def _cosine_distance(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    length = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = np.einsum("...d,...d", a, b) / np.maximum(length, 1e-12)
    known = np.isfinite(cosine)
    return np.where(known, (1 - cosine) / COSINE, 0), np.where(known, len(PARTS), 0)


def _head(p: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, S, 2) from below the chin to above the eyes, along the line from the shoulders through the nose."""
    neck = p[:, _SHOULDERS].mean(1)
    up = p[:, _NOSE] - neck
    return _band(neck, up, np.linspace(0.75, 1.4, 5), 0.25), np.all(seen[:, [_NOSE, *_SHOULDERS]], axis=1)


def _torso(p: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points between shoulders and hips. From the side both shoulders coincide: then a band of the torso's width."""
    top, bottom = p[:, _SHOULDERS].mean(1), p[:, _HIPS].mean(1)
    down = bottom - top
    half = np.maximum(np.linalg.norm(p[:, _SHOULDERS[0]] - p[:, _SHOULDERS[1]], axis=1) / 2, 0.15 * _length(down))
    share = 0.7 * half / np.maximum(_length(down), 1e-6)
    return _band(top, down, np.linspace(0.1, 0.85, 7), share), np.all(seen[:, [*_SHOULDERS, *_HIPS]], axis=1)


def _legs(p: np.ndarray, seen: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Points along both thighs, and along both shanks."""
    made = []
    for upper, lower in ((_HIPS, _KNEES), (_KNEES, _ANKLES)):
        sides = zip(upper, lower, strict=True)
        points = [_band(p[:, u], p[:, v] - p[:, u], np.linspace(0.2, 0.8, 6), 0.06) for u, v in sides]
        made.append((np.concatenate(points, 1), np.all(seen[:, [*upper, *lower]], axis=1)))
    return made


def _band(start: np.ndarray, along: np.ndarray, shares: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """Points (n, 3 S, 2) on three lines: ``start + along``'s shares, and ``width`` of its length beside it."""
    beside = np.stack([-along[:, 1], along[:, 0]], -1) * np.broadcast_to(width, len(along))[:, None]
    grid = start[:, None, None] + shares[None, :, None, None] * along[:, None, None]
    return (grid + _ACROSS[None, None, :, None] * beside[:, None, None]).reshape(len(start), -1, 2)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)


def _statistics(images: np.ndarray, image: np.ndarray, points: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n, VALUES) of the colours at points (n, S, 2); NaN where not ``known`` or half is outside the picture."""
    height, width = images.shape[1:3]
    points = np.where(known[:, None, None], points, 0.0)
    x, y = np.floor(points[..., 0]).astype(int), np.floor(points[..., 1]).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    rgb = images[image[:, None], y.clip(0, height - 1), x.clip(0, width - 1)]
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float64)  # L 0…100
    weight = inside[..., None].astype(np.float64)
    total = np.maximum(weight.sum(1), 1.0)
    mean = (lab * weight).sum(1) / total
    spread = np.sqrt((np.square(lab - mean[:, None]) * weight).sum(1) / total)[:, :1]
    good = known & (inside.mean(1) >= 0.5)
    return np.where(good[:, None], np.concatenate([mean, spread], 1), np.nan)
