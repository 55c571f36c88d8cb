"""STO files, read back by pandas and, where it is installed, by OpenSim itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import PoselineError
from pipeline.export.run import export_run
from tests.export.runs import make_run, person, times

T = times(60)
COLUMNS = ("left_knee_flexion_deg", "left_knee_flexion_deg_s", "com_x_px", "trunk_lean_deg", "left_hip_flexion_3d_deg")
ANGLES = ["left_knee_flexion_deg", "trunk_lean_deg", "left_hip_flexion_3d_deg"]
AWAY = [*range(5, 20), *range(40, 55)]


def expected(motion) -> np.ndarray:
    out = np.full((50, len(ANGLES)), np.nan)
    out[motion.frame - 5] = np.stack([motion.quantities[name] for name in ANGLES], 1)
    return out


def test_angles_and_nothing_else_at_the_containers_times(tmp_path: Path) -> None:
    there = person(1, AWAY, T, quantities=COLUMNS)
    path = export_run(make_run(tmp_path, [there], T), "sto")
    assert path == tmp_path / "sto"
    text = (path / "person_0001.sto").read_text()
    head, _, body = text.partition("endheader\n")
    assert head.splitlines() == ["person_0001", "version=1", "nRows=50", "nColumns=4", "inDegrees=yes"]
    assert body.count("\n") == 51
    table = pd.read_csv(path / "person_0001.sto", sep="\t", skiprows=6)
    assert list(table.columns) == ["time", *ANGLES]
    np.testing.assert_array_equal(table["time"], T[5:55])
    np.testing.assert_allclose(table[ANGLES], expected(there), atol=6e-7)
    assert "\tnan" in body


def test_gaps_are_announced_once(tmp_path: Path) -> None:
    said: list[str] = []
    people = [person(i, AWAY, T, quantities=COLUMNS) for i in (1, 2)]
    export_run(make_run(tmp_path, people, T), "sto", say=said.append)
    assert len(said) == 1
    assert "nan" in said[0]
    whole = person(1, [6, 7], T, quantities=COLUMNS)  # frames in which every curve is known
    export_run(make_run(tmp_path / "whole", [whole], T), "sto", say=said.append)
    assert len(said) == 1


def test_uneven_frames_are_resampled_at_their_median_rate(tmp_path: Path) -> None:
    time_s = 1 + np.cumsum(np.tile([0.02, 0.05, 0.03], 20))
    there, said = person(1, range(60), time_s, quantities=COLUMNS), list[str]()
    turning = np.mod(time_s * 300 + 180, 360) - 180  # passes 180° on the way
    there.quantities["trunk_lean_deg"][:] = turning
    path = export_run(make_run(tmp_path, [there], time_s), "sto", say=said.append) / "person_0001.sto"
    table = pd.read_csv(path, sep="\t", skiprows=6)
    np.testing.assert_allclose(np.diff(table["time"]), 0.03, atol=1e-9)
    assert any("unevenly spaced; resampled to 33.33" in line for line in said)
    off = np.mod(table["trunk_lean_deg"] - table["time"] * 300 + 180, 360) - 180
    assert np.abs(off).max() < 1e-3
    assert f"nRows={len(table)}" in path.read_text()


def test_a_run_without_angles_names_the_remedy(tmp_path: Path) -> None:
    folder = make_run(tmp_path, [person(1, range(9), T)], T)
    with pytest.raises(PoselineError, match=r"has no angles; make them with poseline track"):
        export_run(folder, "sto")


def test_opensim_reads_it(tmp_path: Path) -> None:
    opensim = pytest.importorskip("opensim")
    opensim.Logger.setLevelString("error")
    there = person(1, AWAY, T, quantities=COLUMNS)
    table = opensim.TimeSeriesTable(str(export_run(make_run(tmp_path, [there], T), "sto") / "person_0001.sto"))
    assert list(table.getColumnLabels()) == ANGLES
    assert table.getTableMetaDataString("inDegrees") == "yes"
    np.testing.assert_array_equal(table.getIndependentColumn(), T[5:55])
    rows = np.array([table.getRowAtIndex(i).to_numpy() for i in range(table.getNumRows())])
    np.testing.assert_allclose(rows, expected(there), atol=6e-7)
