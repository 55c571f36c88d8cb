"""YOLOX (Ge et al. 2021) as its own exporter writes it: one output (B, N, 5 + C), cells of three strides, undecoded."""

from __future__ import annotations

from functools import cache

import numpy as np

from pipeline.models.onnx.rtmdet import Candidates

STRIDES = (8, 16, 32)


@cache
def cells(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Column and row (N, 2) and stride (N, 1) of every cell of an input of ``size`` (w, h), row by row."""
    places, strides = [], []
    for stride in STRIDES:
        y, x = np.divmod(np.arange(size[0] // stride * (size[1] // stride)), size[0] // stride)
        places.append(np.stack([x, y], 1))
        strides.append(np.full((len(x), 1), stride))
    return np.concatenate(places).astype(np.float32), np.concatenate(strides).astype(np.float32)


def from_cells(
    out: dict[str, np.ndarray], image: int, wanted: np.ndarray, threshold: float, size: tuple[int, int]
) -> Candidates:
    """A row is middle x, y from the cell's corner in cells, log width and height in cells, objectness, classes.

    A box has the one class that it fits best.
    """
    (rows,) = out.values()
    row, place, stride = rows[image], *cells(size)
    label = row[:, 5:].argmax(1)
    score = row[:, 4] * row[np.arange(len(row)), 5 + label]
    keep = np.isin(label, wanted) & (score > threshold)
    middle = (row[keep, :2] + place[keep]) * stride[keep]
    half = np.exp(row[keep, 2:4]) * stride[keep] / 2
    return Candidates(np.concatenate([middle - half, middle + half], 1), score[keep], label[keep])
