"""Assignment: optimal, limited, gated, and the same whatever the order."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.settings import TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.observe import appearance
from pipeline.tracking import match as associate
from pipeline.tracking.tracks import Sighting, spawn
from tests import synthetic


def _best(costs: np.ndarray, limit: float) -> float:
    m, n = costs.shape
    padded = np.full((m, n + m), limit)  # row i may go unmatched in a column of its own
    padded[:, :n] = np.minimum(costs, limit)
    return min(sum(padded[i, c] for i, c in enumerate(p)) for p in permutations(range(n + m), m))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(1, 3), st.integers(1, 3))
def test_match_is_optimal(seed: int, m: int, n: int) -> None:
    costs = np.random.default_rng(seed).uniform(0, 10, (m, n))
    rows, columns = associate.match(costs, 6.0)
    total = costs[rows, columns].sum() + 6.0 * (m - len(rows))
    assert total == pytest.approx(_best(costs, 6.0))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(1, 9), st.integers(1, 9))
def test_match_does_not_depend_on_the_order(seed: int, m: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.uniform(0, 10, (m, n))
    costs[rng.uniform(size=(m, n)) < 0.3] = np.inf
    a, b = rng.permutation(m), rng.permutation(n)
    plain = set(zip(*map(np.ndarray.tolist, associate.match(costs, 6.0)), strict=True))
    rows, columns = associate.match(costs[np.ix_(a, b)], 6.0)
    assert {(int(a[r]), int(b[c])) for r, c in zip(rows, columns, strict=True)} == plain
    assert len(set(rows.tolist())) == len(rows)
    assert len(set(columns.tolist())) == len(columns)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(1, 8))
def test_most_is_gained_as_by_the_dense_solver(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    gain = rng.uniform(0.01, 10, (size, size))
    rows, columns = np.nonzero(rng.uniform(size=(size, size)) < 0.5)
    chosen = associate.most_gained(rows, columns, gain[rows, columns], size)
    costs = np.full((size, size), np.inf)
    costs[rows, columns] = 20.0 - gain[rows, columns]
    dense = associate.match(costs, 20.0)
    assert set(zip(rows[chosen], columns[chosen], strict=True)) == set(zip(*dense, strict=True))


def test_nothing_above_the_limit_or_outside_the_gates() -> None:
    rows, columns = associate.match(np.array([[7.0, np.inf], [np.inf, 1.0]]), 6.0)
    assert (rows.tolist(), columns.tolist()) == ([1], [1])
    for shape in ((0, 3), (3, 0)):
        assert len(associate.match(np.zeros(shape), 6.0)[0]) == 0
    costs = associate.cost(
        np.array([[0.9, 0.05, 0.9]]), np.array([[1.0, 1.0, 20.0]]), np.zeros(1), min_similarity=0.1, gate_sigma=4.0
    )
    assert np.isfinite(costs).tolist() == [[True, False, False]]


def test_a_lost_tracklet_does_not_steal_from_a_known_one() -> None:
    # Both lie equally well on the only observation; the lost one might have been anywhere.
    costs = associate.cost(
        np.array([0.95, 0.9]), np.zeros(2), np.array([20.0, 0.1]), min_similarity=0.1, gate_sigma=4.0
    )
    rows, _ = associate.match(costs[:, None], 6.0)
    assert rows.tolist() == [1]


def test_shift_follows_the_points_both_see() -> None:
    rng = np.random.default_rng(0)
    points, score = rng.uniform(0, 100, (2, 5, 2)), np.ones((2, 5))
    other, other_score = points + np.array([7.0, -3.0]), np.ones((2, 5))
    other_score[:, 4] = 0.1
    other[:, 4] += 1000
    offset, total = associate.shift(points, score, other, other_score, np.array([1.0, 1, 0.5, 0.5, 1]))
    np.testing.assert_allclose(offset, [[7, -3]] * 2)
    np.testing.assert_allclose(total, 3.0)
    (offset,), _ = associate.shift(points[:1], score[:1], other[1:], other_score[1:], np.array([1.0, 1, 0.5, 0.5, 1]))
    np.testing.assert_allclose(offset, np.average(other[1, :4] - points[0, :4], axis=0, weights=[1, 1, 0.5, 0.5]))


def test_near_pairs_are_all_that_are_near() -> None:
    rng = np.random.default_rng(1)
    place, other, reach = rng.uniform(0, 100, (9, 2)), rng.uniform(0, 100, (7, 2)), rng.uniform(5, 60, 9)
    found = set(zip(*map(np.ndarray.tolist, associate.near(place, other, reach)), strict=True))
    every = {(i, j) for i in range(9) for j in range(7) if np.abs(place[i] - other[j]).max() <= reach[i]}
    assert found == every
    assert 0 < len(found) < 63


def _people(x: list[float], clothes: list[float]) -> Sighting:
    """Sightings of people in a row, so far to the right and with clothes of such a lightness."""
    body = synthetic.walker(np.zeros(1), start_px=(0.0, 900.0))[0]
    points = np.concatenate([body, synthetic.boxes(body).reshape(2, 2)]) + np.array([[[at, 0.0]] for at in x])
    look = np.repeat(np.array(clothes)[:, None], appearance.SIZE, 1)
    return Sighting(points, np.ones(points.shape[:2]), np.full(len(x), 0.8), look)


@pytest.mark.parametrize("lost_far_away", [0, 1, 3])
def test_clothes_choose_among_candidates_whoever_else_is_lost(lost_far_away: int) -> None:
    known = _people([500.0, *[1200.0 + 100 * k for k in range(lost_far_away)]], [20.0, *[20.0] * lost_far_away])
    tracks = spawn(1, 0, 0.0, known, TrackConfig())
    seen = _people([505.0, 490.0], [60.0, 20.0])  # the nearer one is somebody else
    rows, columns = associate.associate(tracks, seen, 0.04, associate.body_of(COCO17), TrackConfig(), 0.3, 4.0)
    assert (rows.tolist(), columns.tolist()) == ([0], [1])


@pytest.mark.parametrize(
    ("unseen_s", "lightness", "found"),
    [(0.2, 60.0, 1), (0.5, 60.0, 0), (0.5, 25.0, 1), (0.2, np.nan, 1), (0.5, np.nan, 0)],
)
def test_whoever_was_lost_for_long_does_not_come_back_in_other_clothes(
    unseen_s: float, lightness: float, found: int
) -> None:
    tracks = spawn(1, 0, 0.0, _people([500.0], [20.0]), TrackConfig())
    rows, _ = associate.associate(
        tracks, _people([505.0], [lightness]), unseen_s, associate.body_of(COCO17), TrackConfig(), 0.3, 4.0
    )
    assert len(rows) == found
