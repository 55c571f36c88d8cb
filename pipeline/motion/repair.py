"""Gaps of one person's path: the rows to make, and lines across the rows that were not measured.

L rows (frames of one person), K keypoints. Gaps are bridged by lines, not splines: a spline overshoots by its noisy
slope at the ends times the length of the gap. Over a second this error is larger than the curvature a line cuts off.
"""

from __future__ import annotations

import numpy as np

EPS_S = 1e-6  # slack of comparisons between time differences


def rows(frame: np.ndarray, time_s_table: np.ndarray, max_gap_s: float) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a person seen in ``frame (n,)``: their frames (L,) i64 and observations (L,) i64, −1 in gaps.

    Every frame of the pts table between two sightings at most ``max_gap_s`` apart gets a row; longer gaps get none.

    Raises:
        ValueError: frames that do not rise, or lie outside the table ``time_s_table (T,)``.
    """
    if len(frame) and (frame[0] < 0 or frame[-1] >= len(time_s_table)):
        raise ValueError(f"frames {frame[0]}…{frame[-1]} lie outside the pts table of {len(time_s_table)} frames")
    step = np.diff(frame)
    if np.any(step <= 0):
        raise ValueError("a person's frames must rise: two observations of one person in one frame?")
    short = np.diff(time_s_table[frame]) <= max_gap_s + EPS_S
    count = np.append(np.where(short, step, 1), 1)[: len(frame)]  # rows from each sighting up to the next
    first = np.cumsum(count) - count
    owner = np.repeat(np.arange(len(frame)), count)
    offset = np.arange(len(owner)) - first[owner]
    return (frame[owner] + offset).astype(np.int64), np.where(offset == 0, owner, -1)


def neighbours(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest known row at or before, and at or after, each row of ``known (L, …)``: i64, −1 and L where none."""
    n = len(known)
    index = np.arange(n).reshape((n,) + (1,) * (known.ndim - 1))
    before = np.maximum.accumulate(np.where(known, index, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, index, n)[::-1], axis=0)[::-1]
    return before, after


def gap_s(time_s: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(L,) length in s of the gap each row of ``known (L,)`` lies in: 0 where known, ∞ outside first and last."""
    before, after = neighbours(known)
    inside = (before >= 0) & (after < len(known))
    span = time_s[np.minimum(after, len(known) - 1)] - time_s[np.maximum(before, 0)]
    return np.where(inside, span, np.inf)


def bridge(
    time_s: np.ndarray, values: np.ndarray, known: np.ndarray, max_gap_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lines over time across the unknown rows of ``values (L, D)``: filled values and the rows filled (L,) bool.

    Rows become NaN in gaps longer than ``max_gap_s``, before the first known row and after the last.
    """
    span = gap_s(time_s, known)
    fill = ~known & (span <= max_gap_s + EPS_S)
    out = np.where(known[:, None], values, np.nan).astype(values.dtype)
    if fill.any():
        at, anchors = time_s[fill], time_s[known]
        for d in range(values.shape[1]):
            out[fill, d] = np.interp(at, anchors, values[known, d])
    return out, fill


def bridge_var(time_s: np.ndarray, var: np.ndarray, known: np.ndarray, fill: np.ndarray, density: np.ndarray) -> None:
    """Put the variance of a Brownian bridge into the filled rows of ``var (L,)`` in px², in place.

    Between ends at s and e it is ``(1−u)² var_s + u² var_e + density (t−s)(e−t)/(e−s)`` with ``u = (t−s)/(e−s)``.

    Args:
        known, fill: (L,) bool, as for and from `bridge`.
        density: (L,) px²/s, how fast the true path strays from the line.
    """
    if not fill.any():
        return
    before, after = neighbours(known)
    s, e = before[fill], after[fill]
    span = np.maximum(time_s[e] - time_s[s], EPS_S)
    u = (time_s[fill] - time_s[s]) / span
    var[fill] = (1 - u) ** 2 * var[s] + u**2 * var[e] + density[fill] * u * (1 - u) * span
