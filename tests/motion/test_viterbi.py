"""The blocked recursion against trying every sequence."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.motion.viterbi import best_states


def _cost(cost: np.ndarray, states: tuple[int, ...]) -> float:
    return sum(float(cost[t, before, now]) for t, (before, now) in enumerate(zip((0, *states), states, strict=False)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 6), st.integers(2, 4), st.integers(0, 10_000))
def test_no_other_sequence_costs_less(n: int, count: int, seed: int) -> None:
    cost = np.random.default_rng(seed).normal(size=(n, count, count))
    found, total = best_states(cost)
    least = min(_cost(cost, states) for states in product(range(count), repeat=n))
    assert found.shape == (n,)
    np.testing.assert_allclose([total, _cost(cost, tuple(found))], least, atol=1e-12)


def test_long_sequences_end_as_they_should() -> None:
    rng = np.random.default_rng(0)
    truth = np.cumsum(rng.uniform(size=5000) < 0.01) % 3
    cost = np.where(truth[:, None, None] == np.arange(3), 0.0, 1.0).repeat(3, 1)
    np.testing.assert_array_equal(best_states(cost)[0], truth)
