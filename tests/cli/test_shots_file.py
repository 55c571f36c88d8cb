"""--shots reads what shots.csv says, and names what it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.shots_file import read_shots
from pipeline.core.errors import PoselineError


def test_begins_and_cameras_are_read(tmp_path: Path):
    path = tmp_path / "shots.csv"
    path.write_text("shot,camera,start_s,begins\n1,1,0.0,start\n2,,4.2,cut\n", encoding="utf-8")
    assert read_shots("--shots", str(path)) == [[0.0, 1], [4.2, 0]]


def test_a_spreadsheet_with_decimal_commas_may_have_written_it(tmp_path: Path):
    path = tmp_path / "shots.csv"
    path.write_bytes("\ufeffshot;camera;start_s;begins\r\n1;1;0;start\r\n2;;4,2;cut\r\n".encode())
    assert read_shots("--shots", str(path)) == [[0.0, 1], [4.2, 0]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("first\n1\n", "has no column start_s"),
        ("start_s\n", "has no shot"),
        ("start_s\n2\n1\n", "line 3: start_s '1'"),
        ("start_s\nnan\n", "line 2: start_s 'nan'"),
        ("start_s,camera\n1,x\n", "camera 'x'"),
        ("camera;start_s\n1\n", "line 2: start_s None"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, why: str):
    path = tmp_path / "shots.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PoselineError, match=why):
        read_shots("--shots", str(path))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(PoselineError, match="cannot be read"):
        read_shots("--shots", str(tmp_path / "none.csv"))
