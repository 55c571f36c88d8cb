"""One row per person: people.parquet, which poseline reads, and people.csv beside it for people and spreadsheets.

Every column has the same type in every run: text, count or, for all other columns, double; null means not known.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PoselineError
from pipeline.store.atomic import atomic
from pipeline.store.checked import CHECKED_PAGES, TableFile
from pipeline.store.columns import person_name, unit_of
from pipeline.store.folder import RunFolder
from pipeline.store.people_csv import PEOPLE_COLUMNS, people_columns, text_of, write_people_csv

TEXTS = frozenset({"name", "suspicious", "px_per_m_from", "metres_from", "walks_or_runs", "team", "warnings"})
COUNTS = frozenset({"person_id", "frames_measured", "frames_interpolated", "gaps"})


def write_people(folder: RunFolder, people: list[dict[str, Any]]) -> None:
    """Write people.parquet and people.csv of these rows: `PEOPLE_COLUMNS`, figures, warnings."""
    table = _typed(people_columns(people), people)
    with atomic(folder.people_parquet) as temporary:
        pq.write_table(table, temporary, compression="zstd", **CHECKED_PAGES)
    write_people_csv(folder.people_csv, people)


def people_table(folder: RunFolder) -> pa.Table:
    """The people of a run, a row each in order of their ids; runs of earlier versions have people.csv only.

    The table always has all `PEOPLE_COLUMNS`. PoselineError where the table is missing or damaged.
    """
    if not folder.people_parquet.is_file():
        return _from_csv(folder)
    with TableFile(folder.people_parquet) as file:
        table = file.whole()
    if "person_id" not in table.column_names or table["person_id"].type != pa.int64():
        raise _damaged(folder.people_parquet, folder)
    return table


def people_rows(folder: RunFolder) -> list[dict[str, Any]]:
    """The same as dicts of int, float, str and, where a figure is not known, None."""
    return people_table(folder).to_pylist()


def people_names(folder: RunFolder) -> dict[int, str]:
    """The names that the user gave to people, by id; people without a name are left out."""
    return {row["person_id"]: row["name"] for row in people_rows(folder) if row["name"]}


def people_teams(folder: RunFolder) -> dict[int, str]:
    """The team of people, by id; people without a team are left out."""
    return {row["person_id"]: row["team"] for row in people_rows(folder) if row.get("team")}


def named_tables(folder: RunFolder) -> set[str]:
    """Stems of the tables of the people of a run; none where the table of people is missing or damaged."""
    try:
        return {person_name(row["person_id"]) for row in people_rows(folder)}
    except PoselineError:
        return set()


def _type_of(column: str, cells: Sequence[Any]) -> pa.DataType:
    if column in TEXTS:
        return pa.string()
    if column in COUNTS:
        return pa.int64()
    told = column not in PEOPLE_COLUMNS and any(isinstance(cell, str) and cell for cell in cells)
    return pa.string() if told else pa.float64()


def _typed(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table; an empty cell is an empty text, or a figure that is not known."""
    arrays, fields = [], []
    for name in columns:
        cells = [row.get(name, "") for row in rows]
        kind = _type_of(name, cells)
        if kind != pa.string():
            cells = [None if cell == "" else cell for cell in cells]
        arrays.append(pa.array(cells, kind))
        fields.append(pa.field(name, kind, metadata=None if kind == pa.string() else {"unit": _unit(name)}))
    return pa.table(arrays, schema=pa.schema(fields))


def _unit(column: str) -> str:
    if column.endswith("_percent"):
        return "%"
    try:
        return unit_of(column)
    except ValueError:
        return "1"


def _from_csv(folder: RunFolder) -> pa.Table:
    path = folder.people_csv
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle, restval="")
            found, rows = list(reader.fieldnames or []), list(reader)
        if "person_id" not in found:
            raise KeyError("person_id")
        columns = [*found, *(name for name in PEOPLE_COLUMNS if name not in found)]
        return _typed(columns, [{name: _cell(name, row.get(name, "")) for name in columns} for row in rows])
    except (OSError, csv.Error, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise _damaged(path, folder) from error


def _cell(column: str, text: str) -> str | int | float:
    """A cell of people.csv; ValueError for a text where every run has a number."""
    if column in TEXTS:
        return text_of(text)
    if column in COUNTS:
        return int(text) if text or column == "person_id" else ""
    try:
        return float(text) if text else ""
    except ValueError:
        if column in PEOPLE_COLUMNS:
            raise
        return text_of(text)


def _damaged(path: Any, folder: RunFolder) -> PoselineError:
    return PoselineError(f"{path}: missing or damaged; poseline track {folder.path} makes it again")
