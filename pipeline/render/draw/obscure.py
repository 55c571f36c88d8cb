"""Making faces and people unrecognisable: a coarse mosaic, blurred, which no filter can reverse.

Every cell of the mosaic is replaced by its mean, so that hardly more than twenty numbers a plane remain of a head; the
blur on top only smooths the edges of the cells.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from pipeline.render.draw.canvas import BITS, Canvas, fixed

CELLS = 4.5  # cells of the mosaic across a head
_LEAST_CELL = 8  # px; smaller cells would leave very small heads recognisable
SOFT = 0.12  # width of the blur's soft edge beyond the radius, in radii
CELLS_OF_PERSON = 14  # cells of the mosaic along a person


def obscure_heads(canvas: Canvas, heads: Iterable[np.ndarray]) -> None:
    """Blur heads in place, each (5,): x1, y1, x2, y2 of the ends of a capsule and its radius, px."""
    for x1, y1, x2, y2, radius in heads:
        reach = (1 + SOFT) * radius
        low, high = np.minimum((x1, y1), (x2, y2)) - reach, np.maximum((x1, y1), (x2, y2)) + reach
        box = _inside(np.concatenate([low, high]), canvas)
        if box is None:
            continue
        ends = np.array([(x1, y1), (x2, y2)], np.float64)
        _obscure(canvas, box, 2 * radius / CELLS, ends, radius)


def obscure_people(canvas: Canvas, boxes: Iterable[np.ndarray]) -> None:
    """Blur whole people in place, each (4,) x1, y1, x2, y2 px."""
    for area in boxes:
        box = _inside(area, canvas)
        if box is not None:
            _obscure(canvas, box, float(max(area[2:] - area[:2])) / CELLS_OF_PERSON)


def _inside(area: np.ndarray, canvas: Canvas) -> tuple[int, int, int, int] | None:
    """Whole even px around an area (4,), cut to the picture; None where nothing is left."""
    if not np.isfinite(area).all():
        return None
    size = np.array(canvas.size_px)
    low = np.clip(np.floor(area[:2] / 2) * 2, 0, size).astype(int)
    high = np.clip(np.ceil(area[2:] / 2) * 2, 0, size).astype(int)
    return (*low.tolist(), *high.tolist()) if (high > low).all() else None  # type: ignore[return-value]


def _obscure(
    canvas: Canvas,
    box: tuple[int, int, int, int],
    cell: float,
    ends: np.ndarray | None = None,
    radius: float = 0.0,
) -> None:
    """Blur a box, or only the capsule between ``ends`` (2, 2) in the box."""
    x1, y1, x2, y2 = box
    cell = max(cell, _LEAST_CELL)
    for part in canvas.parts(x1, y1, x2, y2):
        step = (x2 - x1) / part.shape[1]  # picture px per layer px
        coarse = _mosaic(part, cell / step)
        if ends is None:
            part[:] = coarse
            continue
        cover = _cover(part.shape[:2], (ends - (x1, y1)) / step, radius / step)
        if part.ndim == 3:
            cover = cover[..., None]
        part[:] = coarse * cover + part * (1 - cover) + 0.5


def _cover(shape: tuple[int, ...], ends: np.ndarray, radius: float) -> np.ndarray:
    """(h, w) f32: 1 within ``radius`` of the line between the ends, falling to 0 over `SOFT` of it beyond."""
    soft = SOFT * radius
    mask = np.zeros(shape, np.float32)
    middle = radius + 0.5 * soft + 1
    for end in ends:
        cv2.circle(mask, fixed(end).tolist(), round(middle * (1 << BITS)), 1.0, -1, cv2.LINE_8, BITS)
    if (ends[0] != ends[1]).any():
        cv2.fillConvexPoly(mask, fixed(_sides(ends, middle)), 1.0, cv2.LINE_8, BITS)
    return cv2.blur(mask, (max(round(soft), 1),) * 2)


def _mosaic(part: np.ndarray, cell: float) -> np.ndarray:
    """The means of cells of about ``cell`` px, blurred."""
    height, width = part.shape[:2]
    cells = max(round(width / cell), 1), max(round(height / cell), 1)
    means = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    blocks = cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST)
    return cv2.blur(blocks, (max(round(0.7 * cell), 1),) * 2, borderType=cv2.BORDER_REPLICATE)


def _sides(ends: np.ndarray, radius: float) -> np.ndarray:
    """Corners (4, 2) of the rectangle between the circles of a capsule."""
    along = (ends[1] - ends[0]) / np.hypot(*(ends[1] - ends[0]))
    across = radius * np.array([-along[1], along[0]])
    return np.array([ends[0] + across, ends[1] + across, ends[1] - across, ends[0] - across])
