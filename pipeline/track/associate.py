"""Which observation belongs to which tracklet in one frame: similarity, gates, costs, optimal assignment.

M tracklets, N observations. A cost is a negative log likelihood ratio, so that costs of well known and of long lost
tracklets compare: a lost one may be anywhere in a wide area, hence says little by lying right on an observation.
"""

from __future__ import annotations

import lap
import numpy as np

from pipeline.track.similarity import VISIBLE, common_points, iou, oks

_BOX_POINTS = 3.0  # IoU counts as much as this many keypoints; with no common keypoints it decides alone


def shift(
    points: np.ndarray, point_score: np.ndarray, other: np.ndarray, other_score: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean displacement from each tracklet's points to each observation's, over points both see.

    Unlike the displacement of box centres it stays put when the feet leave the picture or an arm is raised.

    Args:
        points, other: ``(M, P, 2)`` and ``(N, P, 2)`` px.
        point_score, other_score: ``(M, P)`` and ``(N, P)``.
        weight: ``(P,)``, high for points that move with the body.

    Returns:
        displacement ``(M, N, 2)`` px and the weight it rests on ``(M, N)``.
    """
    w = weight * (point_score >= VISIBLE)  # (M, P)
    seen = (other_score >= VISIBLE).astype(np.float64)  # (N, P)
    total = w @ seen.T
    ahead = np.tensordot(w, seen[..., None] * other, axes=(1, 1))  # (M, N, 2)
    behind = np.swapaxes(np.tensordot(seen, w[..., None] * points, axes=(1, 1)), 0, 1)
    return (ahead - behind) / np.maximum(total, 1e-12)[..., None], total


def similarity(
    keypoints: np.ndarray,
    keypoint_score: np.ndarray,
    box: np.ndarray,
    other: np.ndarray,
    other_score: np.ndarray,
    other_box: np.ndarray,
    area: np.ndarray,
    sigmas: np.ndarray,
    extra_var: np.ndarray,
) -> np.ndarray:
    """OKS and IoU as one number in 0…1 per pair: (M, N).

    Keypoints weigh by how many both sides see, so that a person of whom little is seen goes by the box. ``extra_var
    (M,)`` px² is the variance of the tracklets' predicted positions; see `pipeline.track.similarity.oks`.
    """
    n = common_points(keypoint_score, other_score)
    points = oks(keypoints, keypoint_score, other, other_score, area, sigmas, extra_var=extra_var)
    return (n * points + _BOX_POINTS * iou(box, other_box)) / (n + _BOX_POINTS)


def cost(
    similar: np.ndarray, distance2: np.ndarray, spread: np.ndarray, *, min_similarity: float, gate_sigma: float
) -> np.ndarray:
    """Assignment costs (M, N), infinite outside the gates.

    ``−ln(similarity) + ln(1 + spread)``: the second term is the normaliser of a Gaussian in two dimensions, with
    ``spread (M,)`` the variance of the prediction in units of the variance of a known person's points.

    Args:
        similar: ``(M, N)`` from `similarity`; pairs below ``min_similarity`` are out.
        distance2: ``(M, N)`` squared Mahalanobis distances; pairs above ``gate_sigma²`` are out.
    """
    value = np.log1p(spread)[:, None] - np.log(np.maximum(similar, 1e-12))
    return np.where((similar >= min_similarity) & (distance2 <= gate_sigma**2), value, np.inf)


def match(costs: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of least total cost, where leaving a pair unmatched costs ``limit``: rows and columns, rows ascending.

    Jonker and Volgenant's shortest augmenting paths (``lap.lapjv``) on the rectangular matrix ``costs (M, N)``;
    infinite costs are never matched.
    """
    m, n = costs.shape
    if m == 0 or n == 0 or not (costs < limit).any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    finite = np.minimum(costs, 2.0 * limit + 1.0)
    _, column, _ = lap.lapjv(np.ascontiguousarray(finite), extend_cost=True, cost_limit=float(limit))
    rows = np.flatnonzero(column >= 0)
    columns = column[rows].astype(np.int64)
    good = costs[rows, columns] < limit
    return rows[good], columns[good]
