"""The exact best sequence of states under costs of two in a row, for all stretches of a long sequence at once.

Viterbi's recursion is sequential in time, and a loop of Python over millions of rows is slow. Over the semiring
(min, +) it is associative: the sequence is cut into stretches, each is solved for every state it may begin in, side by
side, and a short recursion over the stretches picks the states at their borders. The result is the plain recursion's.
"""

from __future__ import annotations

import numpy as np


def best_states(cost: np.ndarray) -> tuple[np.ndarray, float]:
    """(L,) i64 states x that minimise ``Σ_t cost[t, x[t−1], x[t]]`` with state 0 before the first, and the least sum.

    Args:
        cost: (L, S, S), finite.
    """
    n, states = cost.shape[:2]
    width = max(int(np.ceil(np.sqrt(n))), 1)
    lanes = -(-n // width)
    padded = np.zeros((lanes * width, states, states), cost.dtype)
    padded[:n] = cost
    padded[n:] = np.where(np.eye(states, dtype=bool), 0, np.float32(1e9))
    steps = padded.reshape(lanes, width, states, states).swapaxes(0, 1)
    value = np.where(np.eye(states, dtype=bool), 0, np.inf).astype(cost.dtype)[None].repeat(lanes, 0)
    choice = np.empty((width, lanes, states, states), np.int8)
    for t in range(width):
        through = value[:, :, :, None] + steps[t][:, None]
        choice[t] = through.argmin(2)
        value = through.min(2)
    begin, total = _borders(value)
    lane = np.arange(lanes)
    start, state = begin[:-1], begin[1:].copy()
    out = np.empty((width, lanes), np.int64)
    for t in range(width - 1, -1, -1):
        out[t] = state
        state = choice[t, lane, start, state]
    return out.T.reshape(-1)[:n], total


def _borders(value: np.ndarray) -> tuple[np.ndarray, float]:
    """(B + 1,) states in which the stretches begin, and the last ends, of the best sequence from state 0; its cost."""
    lanes = len(value)
    value = value.astype(np.float64)  # sums over long sequences
    total = np.full(value.shape[1], np.inf)
    total[0] = 0.0
    came = np.empty((lanes, len(total)), np.int64)
    for i in range(lanes):
        through = total[:, None] + value[i]
        came[i] = through.argmin(0)
        total = through.min(0)
    begin = np.empty(lanes + 1, np.int64)
    begin[-1] = int(total.argmin())
    for i in range(lanes - 1, -1, -1):
        begin[i] = came[i, begin[i + 1]]
    return begin, float(total.min())
