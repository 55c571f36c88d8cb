"""Faint boxes: places where the networks suspect a person but are not sure enough. Each part stores these boxes.

Tracking makes no person of faint boxes. `pipeline.render` hides faint boxes wherever it hides people.
"""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import numpy as np

from pipeline.store.parts import part_faint

_MOST_PX = 32767


class Faint:
    """The faint boxes of consecutive frames."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []

    def add(self, frame: int, box_px: np.ndarray) -> None:
        """Add the boxes (n, 4) px of a frame; they are rounded outwards to whole px."""
        whole = np.concatenate([np.floor(box_px[:, :2]), np.ceil(box_px[:, 2:])], 1).clip(0, _MOST_PX)
        self._rows.append(np.concatenate([np.full((len(box_px), 1), frame), whole], 1).astype(np.int32))

    def of(self, frame: int) -> np.ndarray:
        """(n, 4) f32 px boxes of a frame that was added and is not cut yet."""
        here = [rows for rows in self._rows if len(rows) and rows[0, 0] == frame]
        return np.concatenate(here or [np.zeros((0, 5))])[:, 1:].astype(np.float32)

    def cut(self) -> str:
        """The text that a part stores; its boxes are then forgotten."""
        rows = np.concatenate(self._rows or [np.zeros((0, 5), np.int32)]).astype("<i4")
        rows, self._rows = rows[np.argsort(rows[:, 0], kind="stable")], []
        return base64.b64encode(zlib.compress(rows.tobytes())).decode() if len(rows) else ""


def read_faint(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frames (n,) i64, ascending, and boxes (n, 4) f32 px of a part's faint boxes; older parts have none."""
    text = part_faint(path)
    data = zlib.decompress(base64.b64decode(text)) if text else b""
    rows = np.frombuffer(data, "<i4").reshape(-1, 5)
    return rows[:, 0].astype(np.int64), rows[:, 1:].astype(np.float32)
