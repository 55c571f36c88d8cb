"""Which observation belongs to which tracklet in one frame: similarity, gates, costs, optimal assignment.

M tracklets, N observations, P pairs of one of each. A cost is a negative log likelihood ratio, so that costs of well
known and of long lost tracklets compare: a lost one may be anywhere in a wide area, hence says little by lying right on
an observation.
"""

from __future__ import annotations

import lap
import numpy as np

from pipeline.core.similarity import VISIBLE, iou_of_pairs, oks_of_pairs


def near(place: np.ndarray, other: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (P,), (P,) of ``place (M, 2)`` and ``other (N, 2)`` at most ``reach (M,)`` apart in x and in y, by rows.

    In a crowd most people are far from one another, and only near ones need be compared.
    """
    close = np.abs(place[:, :1] - other[:, 0]) <= reach[:, None]
    close &= np.abs(place[:, 1:] - other[:, 1]) <= reach[:, None]
    rows, columns = np.nonzero(close)
    return rows, columns


def shift(
    points: np.ndarray, point_score: np.ndarray, other: np.ndarray, other_score: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean displacement from tracklets' points to observations', pair by pair, over points both see.

    Unlike the displacement of box centres it stays put when the feet leave the picture or an arm is raised.

    Args:
        points, other: ``(P, K, 2)`` px.
        point_score, other_score: ``(P, K)``.
        weight: ``(K,)``, high for points that move with the body.

    Returns:
        displacement ``(P, 2)`` px and the weight it rests on ``(P,)``.
    """
    w = weight * ((point_score >= VISIBLE) & (other_score >= VISIBLE))
    total = w.sum(1)
    away = (w[:, None] @ (other - points))[:, 0]
    return away / np.maximum(total, 1e-12)[:, None], total


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
    box_points: float = 3.0,
) -> np.ndarray:
    """OKS and IoU as one number in 0…1, pair by pair: (P,).

    Keypoints weigh by how many both sides see, and IoU as much as ``box_points`` of them, so that a person of whom
    little is seen goes by the box. ``extra_var (P,)`` px² is the variance of the tracklets' predicted positions; see
    `pipeline.core.similarity.oks`.
    """
    points, n = oks_of_pairs(keypoints, keypoint_score, other, other_score, area, sigmas, extra_var)
    return (n * points + box_points * iou_of_pairs(box, other_box)) / np.maximum(n + box_points, 1e-9)


def cost(
    similar: np.ndarray, distance2: np.ndarray, spread: np.ndarray, *, min_similarity: float, gate_sigma: float
) -> np.ndarray:
    """Assignment costs of pairs (P,), infinite outside the gates.

    ``−ln(similarity) + ln(1 + spread)``: the second term is the normaliser of a Gaussian in two dimensions, with
    ``spread`` the variance of the prediction in units of the variance of a known person's points.

    Args:
        similar: from `similarity`; pairs below ``min_similarity`` are out.
        distance2: squared Mahalanobis distances; pairs above ``gate_sigma²`` are out.
    """
    value = np.log1p(spread) - np.log(np.maximum(similar, 1e-12))
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
