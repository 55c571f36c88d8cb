"""The CSV of everybody, read back by pandas and by Python's own reader, against the people's tables."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.export.run import export_run
from pipeline.store import person_table
from tests.export.runs import make_run, person, times

T = times(60)
NAMES = {1: 'Ann "the 1st", O\'Hara', 2: "Zoë"}


@pytest.mark.parametrize("row_group", [7, 4096])
def test_every_row_and_all_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_group: int) -> None:
    monkeypatch.setattr(person_table, "ROW_GROUP", row_group)
    first = person(1, [*range(5, 20), *range(40, 60)], T, quantities=["left_knee_flexion_deg"])
    second = person(2, range(12, 30), T, quantities=["trunk_lean_deg"])
    folder = make_run(tmp_path, [first, second, replace(second, person_id=10, quantities={})], T, NAMES)
    path = export_run(folder, "csv")
    assert path == tmp_path / "everybody.csv"
    table = pd.read_csv(path)
    assert list(table.columns[:4]) == ["person_id", "name", "frame", "time_s"]
    assert table["person_id"].tolist() == [1] * 35 + [2] * 18 + [10] * 18
    assert table["name"].fillna("").tolist() == [NAMES[1]] * 35 + [NAMES[2]] * 18 + [""] * 18
    for person_id in (1, 2, 10):
        own = pd.read_parquet(folder.people / f"person_{person_id:04d}.parquet")
        here = table[table["person_id"] == person_id].reset_index(drop=True)
        for column in own:
            if own[column].dtype.kind == "f":
                np.testing.assert_array_equal(here[column].astype(own[column].dtype), own[column])
            else:
                assert here[column].tolist() == own[column].tolist()
        others = set(table.columns) - set(own) - {"person_id", "name"}
        assert here[list(others)].isna().all(axis=None)
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 71
    assert (rows[0]["name"], rows[0]["trunk_lean_deg"], rows[-1]["name"]) == (NAMES[1], "", "")
