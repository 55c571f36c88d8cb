"""Shared by exports of people: the list of people, and each person's columns for every frame, streamed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.store.checked import TableFile
from pipeline.store.columns import person_name, person_of
from pipeline.store.folder import RunFolder
from pipeline.store.index import real_times
from pipeline.store.people_table import people_names

BLOCK = 4096  # rows of a block, so that memory does not grow with the length of the video


@dataclass(frozen=True)
class PersonTable:
    """One person's table with its metadata. ``time_s`` (T,) f64 holds the real times of the whole video."""

    person_id: int
    name: str  # as the user named the person, else ""
    file: Path
    facts: dict[str, str]  # the file metadata
    columns: tuple[str, ...]
    time_s: np.ndarray

    @property
    def label(self) -> str:
        """The name, or the stem of the person's files where there is none."""
        return self.name or person_name(self.person_id)

    @property
    def fps(self) -> Fraction:
        """The mean number of frames recorded in a second, exact."""
        return Fraction(self.facts["fps"])

    @property
    def frames(self) -> tuple[int, int]:
        """First frame and one past the last."""
        with TableFile(self.file) as file:
            first = file.read(0, ["frame"])["frame"][0].as_py()
            return first, file.read(file.row_groups - 1, ["frame"])["frame"][-1].as_py() + 1

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Frames (n,) i64 and values (n, C) f32 of the table, a row group at a time; NaN where there is none."""
        with TableFile(self.file) as file:
            for group in range(file.row_groups):
                table = file.read(group, ["frame", *columns])
                values = np.empty((table.num_rows, len(columns)), np.float32)
                for i, name in enumerate(columns):
                    values[:, i] = table[name].to_numpy()
                yield table["frame"].to_numpy(), values

    def grid(self, columns: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `rows`, with a row for every frame from the first to the last: NaN where the person is away."""
        start: int | None = None
        for frame, values in self.rows(columns):
            low = int(frame[0]) if start is None else start
            start = int(frame[-1]) + 1
            for first in range(low, start, BLOCK):
                block = np.arange(first, min(first + BLOCK, start))
                here = slice(*np.searchsorted(frame, [block[0], block[-1] + 1]))
                filled = np.full((len(block), len(columns)), np.nan, np.float32)
                filled[frame[here] - first] = values[here]
                yield block, filled

    def column(self, name: str) -> np.ndarray:
        """One whole column (L,) f32."""
        return np.concatenate([values[:, 0] for _, values in self.rows([name])])


def everybody(folder: RunFolder) -> list[PersonTable]:
    """The people of a run in order of their ids."""
    time_s = real_times(folder)
    there = folder.people_parquet.is_file() or folder.people_csv.is_file()
    names = people_names(folder) if there else {}
    people = []
    for file in folder.people.glob("person_*.parquet"):
        with TableFile(file) as table:
            schema, person_id = table.schema, person_of(table)
        facts = {k.decode(): v.decode() for k, v in schema.metadata.items() if not k.startswith(b"ARROW:")}
        people.append(PersonTable(person_id, names.get(person_id, ""), file, facts, tuple(schema.names), time_s))
    return sorted(people, key=lambda person: person.person_id)


def decimal(rate: Fraction) -> str:
    """A rate as the shortest decimal that reads back as the same double: 30000/1001 → 29.97002997002997."""
    return repr(float(rate)).removesuffix(".0")


def optional(module: str, form: str) -> Any:
    """A package of the optional extra; where it is missing, a PoselineError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"--format {form}: needs the package {module}; install it with pip install 'poseline[export]'"
        raise PoselineError(message) from error
