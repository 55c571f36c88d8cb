"""Rows in blocks: for less memory, and for medians and other quantiles of all blocks at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def blocks(n: int, size: int = 1 << 12) -> Iterator[slice]:
    """``n`` rows as slices of ``size`` rows, so that what is worked out for each row alone takes the memory of few."""
    return (slice(first, first + size) for first in range(0, n, size))


def in_blocks(values: np.ndarray, block: np.ndarray) -> np.ndarray:
    """(B, M) the values (L, D) of each block, NaN where a block has fewer than others.

    Args:
        block: (L,) number of each row's block, rising from 0 by steps of 0 or 1.
    """
    rows = np.bincount(block)
    within = np.arange(len(block)) - (np.cumsum(rows) - rows)[block]
    out = np.full((len(rows), rows.max(), values.shape[1]), np.nan)
    out[block, within] = values
    return out.reshape(len(rows), -1)


def quantile(values: np.ndarray, q: float) -> np.ndarray:
    """(B,) quantile ``q`` of the non-NaN values (B, M) per row, linearly interpolated; NaN for a row without values."""
    order = np.sort(values, axis=1)  # NaN comes last
    at = q * np.maximum(np.isfinite(values).sum(1) - 1, 0)
    low = at.astype(np.int64)
    share, row = at - low, np.arange(len(values))
    high = np.where(share > 0, low + 1, low)
    return (order[row, low] * (1 - share) + order[row, high] * share).astype(values.dtype)
