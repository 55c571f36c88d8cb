"""The blocked recursion against trying every sequence."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.motion.viterbi import best_bits


def _cost(cost: np.ndarray, bits: tuple[int, ...]) -> float:
    row = (0, 0, *bits)
    return sum(float(cost[t, row[t], row[t + 1], row[t + 2]]) for t in range(len(bits)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 11), st.integers(0, 10_000))
def test_no_other_sequence_costs_less(n: int, seed: int) -> None:
    cost = np.random.default_rng(seed).normal(size=(n, 2, 2, 2))
    found, saved = best_bits(cost)
    least = min(_cost(cost, bits) for bits in product((0, 1), repeat=n))
    np.testing.assert_allclose(_cost(cost, tuple(found.astype(int))), least, atol=1e-12)
    np.testing.assert_allclose(saved, least - _cost(cost, (0,) * n), atol=1e-12)


def test_long_sequences_end_as_they_should() -> None:
    rng = np.random.default_rng(0)
    truth = np.cumsum(rng.uniform(size=5000) < 0.01) % 2 == 1
    cost = np.zeros((5000, 2, 2, 2))
    cost[..., 0] += np.where(truth, 1.0, 0.0)[:, None, None]
    cost[..., 1] += np.where(truth, 0.0, 1.0)[:, None, None]
    np.testing.assert_array_equal(best_bits(cost)[0], truth)
