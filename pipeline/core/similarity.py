"""How alike two people in two frames are: IoU of boxes, OKS of keypoints; pure functions over arrays.

N and M people, K keypoints. Coordinates are pixels, similarities lie in 0…1.
"""

from __future__ import annotations

import numpy as np

VISIBLE = 0.3  # keypoints with a lower score say little about where the person is
_EPS = np.spacing(1)  # pycocotools' guard against an area of zero


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes ``a (N, 4)`` and ``b (M, 4)``, each x1 y1 x2 y2: (N, M) f64.

    Boxes without area have an IoU of 0 with everything.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    size = np.maximum(high - low, 0.0)  # (N, M, 2)
    inter = size[..., 0] * size[..., 1]
    union = box_area(a)[:, None] + box_area(b)[None, :] - inter
    return inter / np.maximum(union, _EPS)


def box_area(box: np.ndarray) -> np.ndarray:
    """Area in px² of boxes ``(…, 4)``, 0 for inverted ones: (…,)."""
    return np.maximum(box[..., 2] - box[..., 0], 0.0) * np.maximum(box[..., 3] - box[..., 1], 0.0)


def common_points(score_a: np.ndarray, score_b: np.ndarray, min_score: float = VISIBLE) -> np.ndarray:
    """How many keypoints both sides see, from scores ``(N, K)`` and ``(M, K)``: (N, M) f64."""
    return (score_a >= min_score).astype(np.float64) @ (score_b >= min_score).astype(np.float64).T


def oks(
    a: np.ndarray,
    score_a: np.ndarray,
    b: np.ndarray,
    score_b: np.ndarray,
    area: np.ndarray,
    sigmas: np.ndarray,
    *,
    extra_var: np.ndarray | None = None,
    min_score: float = VISIBLE,
    min_points: int = 1,
) -> np.ndarray:
    """Object keypoint similarity over the points both sides see: (N, M) f64.

    ``mean_k exp(−d_k² / (2 ((2 σ_k)² area + extra_var)))``, which for ``extra_var = 0`` is the formula of the COCO
    keypoint evaluation (Lin et al. 2014; ``pycocotools.cocoeval.COCOeval.computeOks``).

    Args:
        a, b: keypoints ``(N, K, 2)`` and ``(M, K, 2)`` in px; values of unseen points do not matter and may be NaN.
        score_a, score_b: ``(N, K)`` and ``(M, K)``; a point is seen when its score is at least ``min_score``.
        area: ``(N,)`` px², the size of the people of ``a``.
        sigmas: ``(K,)`` standard deviations as fractions of √area / 2, as in ``Skeleton.sigmas``.
        extra_var: ``(N,)`` px², additional variance of each coordinate of ``a``, such as a prediction's.
        min_points: pairs with fewer common points get 0, because two people may share a point by chance.
    """
    var = (2.0 * np.asarray(sigmas, np.float64)) ** 2 * (area[:, None] + _EPS)  # (N, K)
    if extra_var is not None:
        var = var + extra_var[:, None]
    diff = a[:, None].astype(np.float64) - b[None]  # (N, M, K, 2)
    exponent = np.einsum("nmkc,nmkc->nmk", diff, diff) / (-2.0 * var[:, None])
    both = (score_a >= min_score)[:, None] & (score_b >= min_score)[None]  # (N, M, K)
    total = np.where(both, np.exp(exponent), 0.0).sum(-1)
    count = both.sum(-1)
    return np.where(count >= max(min_points, 1), total / np.maximum(count, 1), 0.0)


def iou_of_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`iou` of each box of ``a (P, 4)`` with the box of ``b (P, 4)`` in the same row: (P,)."""
    size = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0.0)
    inter = size[:, 0] * size[:, 1]
    return inter / np.maximum(box_area(a) + box_area(b) - inter, _EPS)


def oks_of_pairs(
    a: np.ndarray,
    score_a: np.ndarray,
    b: np.ndarray,
    score_b: np.ndarray,
    area: np.ndarray,
    sigmas: np.ndarray,
    extra_var: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`oks` of each person of ``a (P, K, 2)`` with the same row of ``b``, and how many points both see: (P,), (P,)."""
    var = np.square(2.0 * sigmas) * (area[:, None] + _EPS) + extra_var[:, None]
    diff = a - b
    both = (score_a >= VISIBLE) & (score_b >= VISIBLE)
    value = np.where(both, np.exp((np.square(diff[..., 0]) + np.square(diff[..., 1])) / (-2.0 * var)), 0.0)
    count = both.sum(1)
    return value.sum(1) / np.maximum(count, 1), count


def suppress_duplicates(
    keypoints: np.ndarray,
    keypoint_score: np.ndarray,
    score: np.ndarray,
    area: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.7,
    *,
    box: np.ndarray | None = None,
    iou_threshold: float = 0.8,
    min_points: int = 3,
) -> np.ndarray:
    """Greedy OKS non-maximum suppression among the N people of one frame: keep mask (N,) bool.

    People are visited in falling score, equal scores in row order; each kept person removes all later people whose OKS
    with the kept one is above ``threshold``; the OKS uses the kept person's ``area (N,)`` in px². OKS cannot compare a
    pair with fewer than ``min_points`` common points; where ``box (N, 4)`` is given, IoU compares such pairs instead.
    """
    n = len(score)
    if n < 2:
        return np.ones(n, bool)
    order = np.argsort(-np.asarray(score), kind="stable")
    kp, seen = keypoints[order], keypoint_score[order]
    double = oks(kp, seen, kp, seen, area[order], sigmas, min_points=min_points) > threshold  # (N, N)
    if box is not None:
        few = common_points(seen, seen) < min_points
        double |= few & (iou(box[order], box[order]) > iou_threshold)
    kept = np.ones(n, bool)
    for i in range(n - 1):
        if kept[i]:
            kept[i + 1 :] &= ~double[i, i + 1 :]
    keep = np.empty(n, bool)
    keep[order] = kept
    return keep
