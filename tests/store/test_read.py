"""read_run gives every table of a run with types that do not depend on its rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import PoselineError, read_run
from pipeline.measure.gait import STEP_COLUMNS
from pipeline.measure.jumps import JUMP_COLUMNS
from pipeline.measure.quality import QUALITY_COLUMNS
from pipeline.store.cycles_table import cycles_files
from pipeline.store.folder import RunFolder
from pipeline.store.people_csv import write_rows
from pipeline.store.read import CSV_FILES, PARQUET_FILES
from tests.export.runs import make_run, person, times

T = times(40)
COLUMNS = {"gait": STEP_COLUMNS, "jumps": JUMP_COLUMNS}
STEP = {"person_id": 1, "side": "left", "contact_time_s": 0.5, "running": False, "backward": True}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = make_run(tmp_path / "run", [person(1, range(5, 30), T)], T)
    pq.write_table(pa.table({"person_id": [1]}), folder.tracks)
    return folder


def written(folder: RunFolder, rows: bool) -> None:
    steps, joints = ([STEP], [{"person_id": 1, "joint": "=nose", "gaps_count": 2}]) if rows else ([], [])
    write_rows(folder.path / "gait.csv", ("person_id", *STEP_COLUMNS), steps)
    write_rows(folder.jumps_csv, ("person_id", *JUMP_COLUMNS), [])
    write_rows(folder.path / "quality.csv", QUALITY_COLUMNS, joints)
    pq.write_table(pa.table({"x_px": [10.0], "y_px": [10.0], "time_s": [1.5]}), folder.path / "heatmap.parquet")
    cycle = {"movement": "walk", "side": "left", "cycle": 1, "start_s": 0.5, "end_s": 1.5}
    with cycles_files(folder, {}) as files:
        files.begin(("knee_flexion_deg",))
        if rows:
            cycles = {name: np.array([value]) for name, value in (cycle | {"measured_share": 1.0}).items()}
            values = np.zeros((1, 1, 101), np.float32)
            files.add(1, cycles | {"in_mean": np.array([True])}, np.linspace(0.5, 1.5, 101)[None], values)
            files.add_mean(1, "walk", "left", 1, values[:, 0], *np.full((2, 1, 101), np.nan))


@pytest.mark.parametrize("rows", [True, False])
def test_every_table_is_there_with_its_types(folder: RunFolder, rows: bool) -> None:
    written(folder, rows)
    tables = read_run(folder.path)
    assert {"manifest", "tracks", "people", "motion", *PARQUET_FILES, *CSV_FILES} == set(tables)
    for name, columns in COLUMNS.items():
        assert tables[name].columns.tolist() == ["person_id", *columns]
    lengths = {name: len(tables[name]) for name in ("gait", "jumps", "cycles", "gait_cycles", "gait_means", "quality")}
    assert list(lengths.values()) == ([1, 0, 1, 101, 101, 1] if rows else [0] * 6)
    for name in (*CSV_FILES, "gait_cycles", "gait_means"):
        assert np.issubdtype(tables[name]["person_id"].dtype, np.integer), name
    assert (
        tables["gait"]["running"].dtype == tables["gait"]["backward"].dtype == tables["cycles"]["in_mean"].dtype == bool
    )
    assert tables["gait"]["step_s"].dtype == tables["jumps"]["jump_height_m"].dtype == np.float64
    assert tables["quality"]["gaps_count"].dtype == np.int64
    assert tables["heatmap"]["time_s"].tolist() == [1.5]
    if rows:
        step = tables["gait"].iloc[0]
        assert (step["side"], step["backward"], np.isnan(step["step_s"])) == ("left", True, True)
        assert tables["quality"]["joint"].tolist() == ["=nose"]
        assert tables["cycles"]["knee_flexion_deg_range"].tolist() == [0.0]


def test_a_run_of_an_earlier_version_has_none(folder: RunFolder) -> None:
    tables = read_run(folder.path)
    assert [tables[name] for name in (*PARQUET_FILES, *CSV_FILES)] == [None] * 7


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gait.csv", b""),
        ("gait.csv", b"person_id,side\n1"),
        ("jumps.csv", b"person_id\nx\n"),
        ("quality.csv", b"\xff\n"),
    ],
)
def test_a_damaged_table_is_named(folder: RunFolder, name: str, content: bytes) -> None:
    (folder.path / name).write_bytes(content)
    with pytest.raises(PoselineError, match=rf"{name}: damaged; poseline track .* makes it again"):
        read_run(folder.path)
