"""people.parquet and people.csv: one type a column, whoever is in the run, and old runs that have the CSV file only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import PoselineError, read_run
from pipeline.cli.output import _longest
from pipeline.export.person import everybody
from pipeline.measure.summary import person_summary
from pipeline.render.privacy import Privacy
from pipeline.report.write import write_report
from pipeline.store.folder import RunFolder
from pipeline.store.people_csv import PEOPLE_COLUMNS, cell, text_of, write_people_csv, write_rows
from pipeline.store.people_table import COUNTS, people_names, people_rows, people_table, write_people
from pipeline.tracking.edits_file import listing
from tests.export.runs import make_run, person, times

T = times(40)
NAMES = {1: "007", 2: "=cmd|' /C calc'!A0", 3: ""}
FIGURES: dict[int, dict[str, float | str]] = {
    1: {"cadence_steps_per_min": 112.5, "px_per_m_from": "height 1.70 m", "steps": 4.0, "zone_lawn_s": float("nan")},
    2: {"cadence_steps_per_min": float("nan"), "px_per_m_from": "", "steps": 0.0, "zone_lawn_s": float("nan")},
    3: {"cadence_steps_per_min": 98.0, "px_per_m_from": "length", "steps": 3.0, "zone_lawn_s": float("nan")},
}


def rows() -> list[dict[str, Any]]:
    motions = [person(i, range(i, 20 * i), T) for i in (1, 2)] + [person(3, range(5, 30), T)]
    doubts = [(0.5, "-looks like another")]
    return [person_summary(m, 1 / 30, doubts, NAMES[i], FIGURES[i]) for i, m in enumerate(motions, 1)]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = make_run(tmp_path / "run", [person(i, range(5, 30), T) for i in (1, 2, 3)], T)
    pq.write_table(pa.table({"person_id": [1]}), folder.tracks)
    write_people(folder, rows())
    return folder


@pytest.mark.parametrize("version", ["now", "earlier"])
def test_an_empty_cell_makes_no_column_a_text(folder: RunFolder, version: str) -> None:
    if version == "earlier":
        folder.people_parquet.unlink()
    people = read_run(folder.path)["people"]
    assert people["name"].tolist() == [NAMES[i] for i in (1, 2, 3)]
    assert people["px_per_m_from"].tolist() == ["height 1.70 m", "", "length"]
    assert people["suspicious"].tolist() == ["0.50 s: -looks like another"] * 3
    assert people["warnings"].map(type).eq(str).all()
    np.testing.assert_array_equal(people["cadence_steps_per_min"], [112.5, np.nan, 98.0])
    assert people["zone_lawn_s"].dtype == np.float64
    assert all(people[name].dtype == np.int64 for name in COUNTS)
    assert people["mean_score"].dtype == people["steps"].dtype == np.float64


def test_the_file_of_earlier_runs_gives_the_same_table(folder: RunFolder) -> None:
    table = people_table(folder)
    folder.people_parquet.unlink()
    assert people_table(folder).equals(table)
    assert people_table(folder).schema.equals(table.schema, check_metadata=True)


def test_the_types_do_not_depend_on_who_is_there(tmp_path: Path, folder: RunFolder) -> None:
    kinds = dict(zip(people_table(folder).column_names, people_table(folder).schema.types, strict=True))
    for people in (rows()[1:2], []):
        other = RunFolder(tmp_path / str(len(people)))
        write_people(other, people)
        table = people_table(other)
        assert set(PEOPLE_COLUMNS) <= set(table.column_names)
        assert all(kinds[field.name] == field.type for field in table.schema)


def test_figures_have_their_unit_in_the_file(folder: RunFolder) -> None:
    schema = people_table(folder).schema
    units = {f.name: (f.metadata or {}).get(b"unit", b"").decode() for f in schema}
    assert units["cadence_steps_per_min"] == "1/min"
    assert units["duration_s"] == "s"
    assert units["coverage"] == units["person_id"] == "1"
    assert units["name"] == ""


def test_everybody_reads_the_same(folder: RunFolder) -> None:
    for _ in range(2):
        assert people_names(folder) == {1: "007", 2: NAMES[2]}
        assert [p.name for p in everybody(folder)] == [NAMES[i] for i in (1, 2, 3)]
        assert [line.split("  ")[-1] for line in listing(folder)[1:3]] == ["007", NAMES[2]]
        assert people_rows(folder)[1]["cadence_steps_per_min"] is None
        assert _longest(folder) == 2
        folder.people_parquet.unlink(missing_ok=True)


@pytest.mark.parametrize("damage", ["no ids", "no number", "no text", "gone"])
def test_a_damaged_table_of_an_earlier_run_is_one_line(folder: RunFolder, damage: str) -> None:
    folder.people_parquet.unlink()
    good = folder.people_csv.read_bytes()
    bad = {
        "no ids": good.replace(b"person_id", b"x"),
        "no number": good.replace(b"\r\n1,'007,", b"\r\n1,'007,x", 1),
        "no text": good.replace(b"007", b"\xff"),
    }
    folder.people_csv.unlink()
    if damage in bad:
        assert bad[damage] != good
        folder.people_csv.write_bytes(bad[damage])
    for read in (lambda: listing(folder), lambda: read_run(folder.path), lambda: write_report(folder, Privacy())):
        with pytest.raises(PoselineError, match=r"people\.csv: missing or damaged; poseline track") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_run_of_the_first_version_lacks_columns(folder: RunFolder) -> None:
    folder.people_parquet.unlink()
    folder.people_csv.write_text("person_id,first_time_s,frames_measured\n1,0.5,7\n")
    (row,) = people_rows(folder)
    assert (row["name"], row["warnings"], row["first_time_s"], row["gaps"]) == ("", "", 0.5, None)
    assert listing(folder)[1].split() == ["1", "0.500", "7"]


def test_the_csv_file_is_what_it_was(folder: RunFolder, tmp_path: Path) -> None:
    write_people_csv(tmp_path / "alone.csv", rows())
    assert folder.people_csv.read_bytes() == (tmp_path / "alone.csv").read_bytes()


@pytest.mark.parametrize(
    "name", ["NA", "007", "1e5", "nan", "TRUE", "None", "12:30", "2026-11-29", "inf", "#N/A", "3,5"]
)
def test_names_that_look_like_something_else_are_read_as_text(name: str, tmp_path: Path) -> None:
    write_rows(tmp_path / "names.csv", ("person_id", "name"), [{"person_id": 1, "name": name}])
    read = pd.read_csv(tmp_path / "names.csv")["name"].tolist()
    assert read == [f"'{name}"]
    assert text_of(read[0]) == name


@pytest.mark.parametrize("name", ["Ann", "Nathan", "Ann 2", "n. n.", "O'Hara", "Infanta", "Z3", "player 7"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert (cell(name), text_of(name)) == (name, name)
