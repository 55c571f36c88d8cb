"""Arrays as text that a page unpacks: quantisation, differences along time, bytes in planes, deflate, base64.

Curves of moving people change little from frame to frame, so that high bytes are nearly all zero and low ones small.
The other half of this file is ``page/decode.js``.
"""

from __future__ import annotations

import base64
import zlib
from typing import NamedTuple

import numpy as np

_STEPS = 65_000  # most quantisation steps of a column
# The quantisation step of each unit, far below the error of measurement; a column of a large range has a larger step.
_FINEST = {
    "°": 0.02, "°/s": 0.2, "°/s²": 5.0, "px": 0.05, "px/s": 0.5, "px/s²": 5.0, "m": 0.001, "m/s": 0.002, "m/s²": 0.02,
}  # fmt: skip


_MOST = 1 << 52  # limit of an integer and of a difference: the page computes in doubles


class Block(NamedTuple):
    """Numbers as text, with the facts that a reader needs to unpack them."""

    kind: str  # ints, columns or bytes, as `page/decode.js` has them
    rows: int
    columns: int
    text: str  # base64 of deflated bytes


def packed_bytes(data: bytes) -> Block:
    """Bytes as they are."""
    return Block("bytes", len(data), 1, _text(data))


def deflated_bytes(stream: bytes) -> Block:
    """The bytes of a zlib stream."""
    return Block("bytes", len(zlib.decompress(stream)), 1, base64.b64encode(stream).decode())


def packed_ints(values: np.ndarray) -> Block:
    """Integers (N,). ValueError where an integer, or its difference from the one before, is 2⁵² or more."""
    values = np.asarray(values, np.int64)
    steps: np.ndarray = np.diff(values, prepend=np.int64(0))
    extremes = [int(end) for part in (values, steps) if len(part) for end in (part.min(), part.max())]
    if any(abs(end) >= _MOST for end in extremes):
        raise ValueError(f"integers must be within 2^52 of zero and of the one before, got {extremes[:2]}")
    zigzag = ((steps << 1) ^ (steps >> 63)).astype("<u8")
    width = max(-(-int(zigzag.max(initial=0)).bit_length() // 8), 1)
    planes = zigzag.view(np.uint8).reshape(-1, 8)[:, :width].T
    return Block("ints", len(values), 1, _text(planes.tobytes()))


def packed(values: np.ndarray, units: list[str]) -> Block:
    """Columns (L, C) of numbers with these units; NaN is kept, the rest is exact to half a step.

    Laid out: lowest value and step of each column (f32), low bytes, high bytes by columns, and a bit for each value
    that says whether it is known.
    """
    values = np.asarray(values, np.float64).T  # (C, L)
    known = np.isfinite(values)
    low = np.where(known, values, np.inf).min(1, initial=np.inf)
    high = np.where(known, values, -np.inf).max(1, initial=-np.inf)
    low = np.where(np.isfinite(low), low, 0.0).astype(np.float32)
    spread = np.where(np.isfinite(high), high, 0.0) - low
    step = np.maximum(spread / _STEPS, [_FINEST.get(u, 0.001) for u in units]).astype(np.float32)
    levels = np.round((np.where(known, values, 0.0) - low[:, None]) / step[:, None])
    levels = _held(np.clip(levels, 0, 65_535).astype(np.uint16), known)
    steps = np.diff(levels, axis=1, prepend=np.uint16(0)).astype(np.int16)
    zigzag = ((steps << 1) ^ (steps >> 15)).view(np.uint16)
    planes = [(zigzag & 255).astype(np.uint8), (zigzag >> 8).astype(np.uint8), np.packbits(known.ravel())]
    text = _text(low.tobytes() + step.tobytes() + b"".join(p.tobytes() for p in planes))
    return Block("columns", values.shape[1], values.shape[0], text)


def _held(levels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(C, L) levels with the last known one in place of those that are not known."""
    last = np.maximum.accumulate(np.where(known, np.arange(levels.shape[1]), 0), axis=1)
    return np.take_along_axis(levels, last, 1)


def thinned(frame: np.ndarray, values: np.ndarray, every: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of every so many frames, in the order in which a curve passes them.

    Args:
        frame: (L,) rising.
        values: (L, C), NaN where not known.

    Returns:
        Frames (2B,) and values (2B, C), two for each of the B spans of ``every`` frames that hold a row.
    """
    span = frame // every
    starts = np.flatnonzero(np.diff(span, prepend=span[0] - 1)) if len(span) else np.zeros(0, np.intp)
    if not len(starts):
        return frame, values
    low, high = np.fmin.reduceat(values, starts, 0), np.fmax.reduceat(values, starts, 0)
    ends = np.append(starts[1:], len(span)) - 1
    falls = values[ends] < values[starts]
    pairs = np.stack([np.where(falls, high, low), np.where(falls, low, high)], 1)
    at = span[starts] * every
    frames = np.stack([at + every // 4, at + 3 * every // 4], 1)
    return frames.reshape(-1), pairs.reshape(-1, values.shape[1])


def _text(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")
