"""Which observation belongs to which tracklet in one frame: similarity, gates, costs, optimal assignment.

M tracklets, N observations, P pairs of a tracklet and an observation. A cost is a negative log likelihood ratio, so
that the costs of well known and of long lost tracklets can be compared: a lost person may be anywhere in a wide area,
so a predicted place right on an observation is weak evidence.
"""

from __future__ import annotations

from typing import NamedTuple

import lap
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from pipeline.core import kalman
from pipeline.core.settings import TrackConfig
from pipeline.core.similarity import VISIBLE, iou_of_pairs, oks_of_pairs
from pipeline.core.skeleton import Skeleton
from pipeline.observe import appearance
from pipeline.tracking.tracks import Sighting, Tracks, areas

_GATE_LEN = 0.03  # body lengths: floor of the gate, breathing room for a well predicted person
_LOOK_COST = 0.5  # cost of a distance of 1 between clothes, the usual one between two sightings of one person
_LEAST_PARTS = 2  # of the body that both must show
# Whoever was unseen for longer does not come back in clothes so far from theirs, nor without showing any.
_UNSEEN_S, _OTHER_CLOTHES = 0.3, 4.0
_RIGID, _FREE, _CORNER = 1.0, 0.1, 0.01  # weights of torso and head, limbs, box corners for the body's place
_LIMBS = ("elbow", "wrist", "knee", "ankle", "heel", "foot", "toe", "index", "pinky", "thumb", "hand")


class Body(NamedTuple):
    """What is compared of a skeleton: K tracked keypoints, P points (those and two box corners)."""

    chosen: np.ndarray  # (K,) keypoints
    sigmas: np.ndarray  # (K,)
    mean_var: float  # of a known person's points, in units of their area
    weight: np.ndarray  # (P,) high for points that move with the body


def body_of(skeleton: Skeleton) -> Body:
    """The tracked part of a skeleton."""
    chosen = skeleton.tracked
    sigmas = np.array(skeleton.sigmas)[chosen]
    free = [any(limb in skeleton.names[k] for limb in _LIMBS) for k in chosen]
    weight = np.append(np.where(free, _FREE, _RIGID), [_CORNER, _CORNER])
    return Body(chosen, sigmas, float(np.mean((2 * sigmas) ** 2)), weight)


def associate(
    t: Tracks, seen: Sighting, time_s: float, body: Body, config: TrackConfig, min_similarity: float, limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Matched pairs of tracklets and observations at ``time_s``, as rows of the given tracklets and observations."""
    var, length2 = t.cov[:, 0, 0], t.length2
    floor = _GATE_LEN**2 * length2
    # The places compared are those of boxes. A box may end at an occluder: so the gate is a body length wider.
    reach = config.gate_sigma * np.sqrt(var + floor) + np.sqrt(length2)
    i, j = near(t.points[:, -2:].mean(1), seen.points[:, -2:].mean(1), reach)
    mine, mine_score, other, other_score = t.points[i], t.point_score[i], seen.points[j], seen.point_score[j]
    similar = similarity(
        mine[:, :-2],
        mine_score[:, :-2],
        mine[:, -2:].reshape(-1, 4),
        other[:, :-2],
        other_score[:, :-2],
        other[:, -2:].reshape(-1, 4),
        t.area[i],
        body.sigmas,
        var[i],
        config.box_points,
    )
    # A person may be half hidden after having been seen whole, but nobody's area grows tenfold.
    grown = np.abs(np.log(np.maximum(areas(other), 1.0) / t.area[i])) > 2 * np.log(config.gate_scale)
    similar = np.where(grown, 0.0, similar)
    offset, _ = shift(mine, mine_score, other, other_score, body.weight)
    value = cost(
        similar,
        kalman.mahalanobis2(t.cov[i], offset, floor[i]),
        var[i] / (body.mean_var * t.area[i]),
        min_similarity=min_similarity,
        gate_sigma=config.gate_sigma,
    )
    several = np.bincount(i, minlength=len(t))[i] > 1  # clothes choose among a tracklet's candidates
    value[several] += _foreign(i[several], t.look[i[several]], seen.look[j[several]])
    away = np.flatnonzero(time_s - t.last_s[i] > _UNSEEN_S)
    far, common = appearance.distance2(t.look[i[away]], seen.look[j[away]])
    unlike = np.where(common > 0, far > _OTHER_CLOTHES, np.isfinite(t.look[i[away]]).any(1))
    value[away[unlike]] = np.inf
    costs = np.full((len(t), len(seen)), np.inf)
    costs[i, j] = value
    return match(costs, limit)


def near(place: np.ndarray, other: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (P,), (P,) of ``place (M, 2)`` and ``other (N, 2)`` at most ``reach (M,)`` apart in x and in y, by rows.

    In a crowd most people are far from one another, and only near pairs need be compared.
    """
    close = np.abs(place[:, :1] - other[:, 0]) <= reach[:, None]
    close &= np.abs(place[:, 1:] - other[:, 1]) <= reach[:, None]
    rows, columns = np.nonzero(close)
    return rows, columns


def shift(
    points: np.ndarray, point_score: np.ndarray, other: np.ndarray, other_score: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean displacement from tracklets' points to observations', pair by pair, over points both see.

    Unlike the displacement of box centres, this mean does not jump when the feet leave the picture or an arm is raised.

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

    OKS weighs by the number of keypoints that both sides see, and IoU as much as ``box_points`` keypoints, so that for
    a mostly hidden person the box decides. ``extra_var (P,)`` px² is the variance of the tracklets' predicted
    positions; see `pipeline.core.similarity.oks`.
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


def most_gained(row: np.ndarray, column: np.ndarray, gain: np.ndarray, size: int) -> np.ndarray:
    """Which pairs (n,) of the given ones (E,) gain most together, at most one of each row and of each column.

    Jonker and Volgenant's shortest augmenting paths on a sparse matrix. A row without a pair gains 0.

    Args:
        row, column: (E,) each below ``size``.
        gain: (E,) each above 0.
    """
    if not len(row):
        return np.zeros(0, np.int64)
    alone = np.arange(size)  # each row has a column of its own, in which it gains nothing
    rows, columns = np.concatenate([row, alone]), np.concatenate([column, size + alone])
    costs = 1.0 + gain.max() - np.concatenate([gain, np.zeros(size)])  # the solver wants them positive
    given = coo_array((costs, (rows, columns)), shape=(size, 2 * size)).tocsr()
    mate = min_weight_full_bipartite_matching(given)[1]
    return np.flatnonzero(mate[row] == column)


def _foreign(row: np.ndarray, mine: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Costs (P,) of differing clothes (P, D), less the least cost in each ``row (P,)``: only differences matter."""
    far, common = appearance.distance2(mine, seen)
    cost = np.where(common >= _LEAST_PARTS, _LOOK_COST * far, 0.0)
    least = np.full(int(row.max(initial=-1)) + 1, np.inf)
    np.minimum.at(least, row, cost)
    return cost - least[row]
