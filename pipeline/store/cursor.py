"""The people's tables frame by frame, with one row group of each in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import STATE_NAMES
from pipeline.store.checked import TableFile
from pipeline.store.columns import BOX, person_of, person_span


class PersonCursor:
    """Walks through a person's table with rising frames, holding one row group at a time.

    ``further`` are additional columns to read; a column that the table lacks is NaN.
    """

    def __init__(self, path: Path, skeleton: Skeleton, further: Sequence[str] = ()):
        self._file = TableFile(path)
        self.person_id = person_of(self._file)
        names = [f"{j}_{a}_px" for j in skeleton.names for a in "xy"]
        self._further = further
        there = set(self._file.schema.names)
        extra = [name for name in further if name in there]
        self._columns = list(
            dict.fromkeys(["frame", *BOX, *names, *(f"{j}_state" for j in skeleton.names), "score", *extra])
        )
        self._k = len(skeleton)
        self._groups = iter(range(self._file.row_groups))
        self.last = self._file.span()[1]
        self._frame = np.zeros(0, np.int64)

    def close(self) -> None:
        self._file.close()

    def at(self, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool, np.ndarray] | None:
        """Box (4,), keypoints (K, 2), state codes (K,), whether measured, and the further values, in this frame.

        None when the person is not there.
        """
        while not len(self._frame) or self._frame[-1] < frame:
            group = next(self._groups, None)
            if group is None:
                return None
            self._load(group)
        i = int(np.searchsorted(self._frame, frame))
        if self._frame[i] != frame:
            return None
        seen = bool(np.isfinite(self._score[i]))
        return self._box[i], self._keypoints[i], self._state[i], seen, self._values[i]

    def _load(self, group: int) -> None:
        table = self._file.read(group, self._columns)

        def numbers(names: list[str]) -> np.ndarray:
            return np.stack([table[n].to_numpy() for n in names], 1).astype(np.float32)

        self._frame = table["frame"].to_numpy()
        self._box = numbers(list(BOX))
        self._score = table["score"].to_numpy()
        lost = np.full(table.num_rows, np.nan, np.float32)
        further = [table[n].to_numpy() if n in table.column_names else lost for n in self._further]
        self._values = np.stack(further, 1).astype(np.float32) if further else np.zeros((table.num_rows, 0), np.float32)
        joints = [c[:-6] for c in self._columns if c.endswith("_state")]
        xy = numbers([f"{j}_{a}_px" for j in joints for a in "xy"])
        self._keypoints = xy.reshape(len(xy), self._k, 2)
        codes = {name: code for code, name in STATE_NAMES.items()}
        self._state = np.stack(
            [np.array([codes[s] for s in table[f"{j}_state"].to_pylist()], np.uint8) for j in joints], 1
        )


def people_by_frame(
    folder: Path, skeleton: Skeleton, frames: range, further: Sequence[str] = ()
) -> Iterator[list[tuple[int, np.ndarray, np.ndarray, np.ndarray, bool, np.ndarray]]]:
    """For each frame of the rising range: (id, box, keypoints, states, measured, further) of the people there."""
    spans = sorted(((*person_span(path), path) for path in folder.glob("person_*.parquet")), reverse=True)
    active: list[PersonCursor] = []
    for frame in frames:
        while spans and spans[-1][0] <= frame:
            _, last, path = spans.pop()
            if last >= frame:
                active.append(PersonCursor(path, skeleton, further))
        here = []
        for cursor in active:
            found = cursor.at(frame)
            if found is not None:
                here.append((cursor.person_id, *found))
        for cursor in [c for c in active if c.last <= frame]:
            cursor.close()
            active.remove(cursor)
        yield sorted(here, key=lambda person: person[0])
