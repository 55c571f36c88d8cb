"""The exact best sequence of bits under costs of three in a row, for all stretches of a long sequence at once.

Viterbi's recursion is sequential in time, and a loop of Python over millions of rows is slow. Over the semiring
(min, +) it is associative: the sequence is cut into stretches, each is solved for every state it may begin in, side by
side, and a short recursion over the stretches picks the states at their borders. The result is the plain recursion's.
"""

from __future__ import annotations

import numpy as np


def best_bits(cost: np.ndarray) -> tuple[np.ndarray, float]:
    """(L,) bool bits b that minimise ``Σ_t cost[t, b[t−2], b[t−1], b[t]]``, and the least sum minus that of zeros.

    Before the first, b[−2] = b[−1] = 0.

    Args:
        cost: (L, 2, 2, 2), finite.
    """
    n = len(cost)
    if n == 0:
        return np.zeros(0, bool), 0.0
    width = max(int(np.ceil(np.sqrt(n))), 1)
    lanes = -(-n // width)
    padded = np.zeros((lanes * width, 2, 2, 2), cost.dtype)
    padded[:n] = cost
    steps = padded.reshape(lanes, width, 2, 2, 2).swapaxes(0, 1)  # (W, B, …)
    value, choice = _stretches(steps)
    begin, total = _borders(value)
    # Walk each stretch backwards from the state it ends in: that in which the next one begins.
    lane = np.arange(lanes)
    start, state = begin[:-1], begin[1:].copy()
    bits = np.empty((width, lanes), bool)
    for t in range(width - 1, -1, -1):
        before, now = state // 2, state % 2
        bits[t] = now
        state = 2 * choice[t, lane, start, before, now] + before
    return bits.T.reshape(-1)[:n], min(total - float(cost[:, 0, 0, 0].sum(dtype=np.float64)), 0.0)


def _stretches(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least costs (B, 4, 4) from state to state of each stretch, and the choices (W, B, 4, 2, 2) that make them.

    A state is two bits in a row, 2 · earlier + later. ``steps (W, B, 2, 2, 2)`` are the costs.
    """
    width, lanes = steps.shape[:2]
    value = np.full((lanes, 4, 2, 2), np.inf, steps.dtype)
    for state in range(4):
        value[:, state, state // 2, state % 2] = 0.0
    choice = np.empty((width, lanes, 4, 2, 2), np.int8)
    for t in range(width):
        # value[…, b(t−2), b(t−1)] → value[…, b(t−1), b(t)]
        zero = value[:, :, 0, :, None] + steps[t][:, None, 0]
        one = value[:, :, 1, :, None] + steps[t][:, None, 1]
        choice[t] = one < zero
        value = np.minimum(zero, one)
    return value.reshape(lanes, 4, 4), choice


def _borders(value: np.ndarray) -> tuple[np.ndarray, float]:
    """(B + 1,) states in which the stretches begin, and the last ends, of the best sequence from state 0; its cost."""
    lanes = len(value)
    value = value.astype(np.float64)  # sums over long sequences
    total = np.array([0.0, np.inf, np.inf, np.inf])
    came = np.empty((lanes, 4), np.int64)
    for i in range(lanes):
        through = total[:, None] + value[i]
        came[i] = through.argmin(0)
        total = through.min(0)
    begin = np.empty(lanes + 1, np.int64)
    begin[-1] = int(total.argmin())
    for i in range(lanes - 1, -1, -1):
        begin[i] = came[i, begin[i + 1]]
    return begin, float(total.min())
