"""Tables of strides and repetitions: gait_cycles.parquet (curves), gait_means.parquet (mean and deviation), cycles.csv.

All are written person by person and block by block, so that hours of walking take the memory of a few minutes.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.atomic import atomic
from pipeline.store.checked import CHECKED_PAGES
from pipeline.store.columns import unit_of
from pipeline.store.folder import RunFolder
from pipeline.store.people_csv import shown

CYCLE_COLUMNS = (
    "person_id", "movement", "side", "cycle", "start_time_s", "end_time_s", "duration_s", "measured_share", "in_mean",
)  # fmt: skip
_ROWS = 10_000  # that wait to be written together, about 15 MB
_KEYS = (("person_id", pa.int32()), ("movement", pa.string()), ("side", pa.string()))
POINTS = 101  # of a curve: 0 to 100 %


def unit_of_cycles(column: str) -> str:
    """The unit of a column of these tables.

    ``_mean``, ``_mean_std``, ``_sd``, ``_min``, ``_max`` and ``_range`` have their base's.
    """
    if column in ("movement", "side", "cycle", "cycles", "in_mean", "measured_share", "person_id"):
        return "1"
    if column == "percent":
        return "%"
    for end in ("_mean_std", "_mean", "_sd", "_min", "_max", "_range"):
        column = column.removesuffix(end)
    return unit_of(column.removesuffix("_std"))


def angles_of(quantities: Sequence[str]) -> list[str]:
    """The angles among some quantities."""
    return [q for q in quantities if q.endswith("_deg")]


def _schema(keys: Sequence[tuple[str, pa.DataType]], quantities: Sequence[str], metadata: dict[str, str]) -> pa.Schema:
    columns = [*keys, *((name, pa.float32()) for name in quantities)]
    return pa.schema([pa.field(n, t, metadata={"unit": unit_of_cycles(n)}) for n, t in columns], metadata=metadata)


class CyclesFiles:
    """The three tables while they are written; made by `cycles_files`."""

    def __init__(self, stack: contextlib.ExitStack, folder: RunFolder, metadata: dict[str, str]) -> None:
        self._stack, self._metadata = stack, metadata
        self._paths = [stack.enter_context(atomic(path)) for path in (folder.gait_cycles, folder.gait_means)]
        text = stack.enter_context(atomic(folder.cycles_csv))
        self._csv = csv.writer(stack.enter_context(text.open("w", newline="", encoding="utf-8")))
        self._quantities: tuple[str, ...] | None = None
        self._waiting: dict[pq.ParquetWriter, list[pa.Table]] = {}

    def begin(self, quantities: Sequence[str]) -> tuple[str, ...]:
        """Say before the first `add` which quantities the tables have; returns those that were said first."""
        if self._quantities is not None:
            return self._quantities
        self._quantities = tuple(quantities)
        keys = [*_KEYS, ("cycle", pa.int32()), ("in_mean", pa.bool_())]
        keys += [("percent", pa.int16()), ("time_s", pa.float64())]
        mean_keys = [*_KEYS, ("percent", pa.int16()), ("cycles", pa.int32())]
        both = [f"{q}_{end}" for q in self._quantities for end in ("mean", "sd")]
        both += [f"{q}_mean_std" for q in angles_of(self._quantities)]
        self._curve_schema = _schema(keys, self._quantities, self._metadata)
        self._mean_schema = _schema(mean_keys, both, self._metadata)
        self._angles = [
            i for i, q in enumerate(self._quantities) if q.endswith("_deg") and not q.endswith("segment_deg")
        ]
        named = [self._quantities[i] for i in self._angles]
        self._csv.writerow([*CYCLE_COLUMNS, *(f"{q}_{end}" for q in named for end in ("min", "max", "range"))])
        options = {"compression": "zstd", "use_dictionary": ["movement", "side"], **CHECKED_PAGES}
        schemas = (self._curve_schema, self._mean_schema)
        self._curves, self._means = (
            self._stack.enter_context(pq.ParquetWriter(path, schema, **options))
            for path, schema in zip(self._paths, schemas, strict=True)
        )
        return self._quantities

    def add(self, person_id: int, cycles: Mapping[str, np.ndarray], time_s: np.ndarray, values: np.ndarray) -> None:
        """Write cycles of one person, movement and side.

        Args:
            cycles: (C,) arrays movement, side, cycle, start_s, end_s, measured_share, in_mean.
            time_s: (C, 101) f64.
            values: (Q, C, 101) f32.
        """
        n = len(cycles["cycle"])
        keys = self._keys(person_id, str(cycles["movement"][0]), str(cycles["side"][0]), n * POINTS)
        keys |= {name: np.repeat(cycles[name], POINTS) for name in ("cycle", "in_mean")}
        keys |= {"percent": np.tile(np.arange(POINTS, dtype=np.int16), n), "time_s": time_s.ravel()}
        flat = values.reshape(len(values), -1)
        self._add(self._curves, self._curve_schema, keys | dict(zip(self._quantities or (), flat, strict=True)))
        low, high = values[self._angles].min(-1), values[self._angles].max(-1)  # (A, C), NaN where not wholly known
        spread = np.stack([low, high, high - low], 1).astype(np.float64)
        for i in range(n):
            start, end = float(cycles["start_s"][i]), float(cycles["end_s"][i])
            row: list[Any] = [person_id, str(cycles["movement"][i]), str(cycles["side"][i]), int(cycles["cycle"][i])]
            row += [start, end, end - start, float(cycles["measured_share"][i]), bool(cycles["in_mean"][i])]
            self._csv.writerow([shown(value) for value in [*row, *spread[..., i].ravel().tolist()]])

    def add_mean(
        self, person_id: int, movement: str, side: str, cycles: int, mean: np.ndarray, sd: np.ndarray, std: np.ndarray
    ) -> None:
        """Write mean and standard deviation, (Q, 101) f64, over so many cycles of one movement and side.

        ``std`` (A, 101) are the deviations of the means of the angles.
        """
        keys = self._keys(person_id, movement, side, POINTS)
        keys |= {"percent": np.arange(POINTS, dtype=np.int16), "cycles": np.full(POINTS, cycles, np.int32)}
        for i, name in enumerate(self._quantities or ()):
            keys |= {f"{name}_mean": mean[i].astype(np.float32), f"{name}_sd": sd[i].astype(np.float32)}
        named = angles_of(self._quantities or ())
        keys |= {f"{name}_mean_std": std[i].astype(np.float32) for i, name in enumerate(named)}
        self._add(self._means, self._mean_schema, keys)

    def _add(self, writer: pq.ParquetWriter, schema: pa.Schema, columns: Mapping[str, Any]) -> None:
        """Add rows; they are written together, since hundreds of columns of few rows cost far more."""
        arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema]
        waiting = self._waiting.setdefault(writer, [])
        waiting.append(pa.table(arrays, schema=schema))
        if sum(len(table) for table in waiting) >= _ROWS:
            self._write(writer)

    def _write(self, writer: pq.ParquetWriter) -> None:
        if waiting := self._waiting.pop(writer, []):
            whole = pa.concat_tables(waiting)
            writer.write_table(whole, row_group_size=len(whole))

    def end(self) -> None:
        """Write what still waits."""
        self.begin(())
        for writer in [*self._waiting]:
            self._write(writer)

    @staticmethod
    def _keys(person_id: int, movement: str, side: str, rows: int) -> dict[str, Any]:
        return {"person_id": np.full(rows, person_id, np.int32), "movement": [movement] * rows, "side": [side] * rows}


@contextlib.contextmanager
def cycles_files(folder: RunFolder, metadata: dict[str, str]) -> Iterator[CyclesFiles]:
    """The tables of a run's strides and repetitions, which are there once the block ends well, also without cycles."""
    with contextlib.ExitStack() as stack:
        files = CyclesFiles(stack, folder, metadata)
        yield files
        files.end()
