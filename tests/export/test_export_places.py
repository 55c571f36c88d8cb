"""Where exports go: default places, --out, nobody in the run, and the command."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import PoselineError
from pipeline.cli import app as cli
from pipeline.core.skeleton import COCO17
from pipeline.export.run import FORMATS, Each, export_run
from pipeline.store.folder import RunFolder
from pipeline.store.tracks import tracks_schema
from tests.export.runs import make_run, person, times

T = times(30)
ANGLE = ["left_knee_flexion_deg"]
# netCDF4 before 1.7.4, which movement 0.15 asks for, was built for an earlier numpy.
pytestmark = pytest.mark.filterwarnings("ignore:numpy.ndarray size changed:RuntimeWarning")
PER_PERSON = [name for name, form in FORMATS.items() if isinstance(form, Each)]
FILES = {"csv": "everybody.csv", "movement": "movement.nc", "mot": "mot.txt", "coco": "coco.json"}


@pytest.fixture
def two(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run", [person(i, range(20), T, quantities=ANGLE) for i in (1, 12)], T)


@pytest.fixture
def nobody(tmp_path: Path) -> RunFolder:
    folder = make_run(tmp_path / "empty", [], T)
    pq.write_table(tracks_schema(COCO17, folder.manifest()["video"], "c").empty_table(), folder.tracks)
    return folder


def test_every_format_is_tried_here() -> None:
    assert sorted(PER_PERSON) == ["c3d", "sto", "trc"]
    assert sorted([*PER_PERSON, *FILES, "openpose"]) == sorted(FORMATS)


@pytest.mark.parametrize("form", PER_PERSON)
def test_a_file_per_person_in_a_folder(two: RunFolder, tmp_path: Path, form: str) -> None:
    both = [f"person_0001.{form}", f"person_0012.{form}"]
    stale = two.path / form / f"person_0003.{form}"
    stale.parent.mkdir()
    for file in (stale, stale.with_name("notes.txt")):
        file.write_text("old")
    assert export_run(two, form) == two.path / form
    assert sorted(p.name for p in (two.path / form).iterdir()) == ["notes.txt", *both]
    mine = tmp_path / "new" / "mine"
    assert export_run(two, form, mine) == mine
    assert sorted(p.name for p in mine.iterdir()) == both
    with pytest.raises(PoselineError, match=rf"one\.{form}: is one file, and the run has 2 people; name a folder"):
        export_run(two, form, tmp_path / f"one.{form}")
    (tmp_path / "file").write_text("")
    with pytest.raises(PoselineError, match="--out"):
        export_run(two, form, tmp_path / "file")


@pytest.mark.parametrize("form", PER_PERSON)
def test_the_only_person_goes_into_the_file_that_is_named(tmp_path: Path, form: str) -> None:
    folder = make_run(tmp_path / "run", [person(4, range(20), T, quantities=ANGLE)], T)
    out = tmp_path / "deep" / f"Ann's walk.{form}"
    assert export_run(folder, form, out) == out
    assert [p.name for p in out.parent.iterdir()] == [out.name]
    export_run(folder, form)
    assert out.stat().st_size == pytest.approx((folder.path / form / f"person_0004.{form}").stat().st_size, abs=20)


@pytest.mark.parametrize("form", [*FILES, "openpose"])
def test_one_place_for_everybody(two: RunFolder, nobody: RunFolder, tmp_path: Path, form: str) -> None:
    folder = nobody if form in ("mot", "coco") else two  # which read tracks.parquet
    default = folder.path / FILES.get(form, form)
    assert export_run(folder, form) == default
    assert export_run(folder, form, tmp_path / "there" / "mine") == tmp_path / "there" / "mine"
    names = [p.name for p in (tmp_path / "there").rglob("*") if p.is_file()]
    assert len(names) == (30 if form == "openpose" else 1)
    assert not any(name.endswith(".tmp") for name in names)


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"movement"}))  # which refuses
def test_nobody_leaves_what_any_reader_takes(nobody: RunFolder, form: str) -> None:
    path = export_run(nobody, form)
    if form in PER_PERSON:
        assert list(path.iterdir()) == []
    elif form == "csv":
        with open(path, newline="") as file:
            (header,) = csv.reader(file)
        assert header[:4] == ["person_id", "name", "frame", "time_s"]
        assert "left_ankle_x_px" in header
    elif form == "openpose":
        contents = [json.loads(p.read_text()) for p in path.iterdir()]
        assert contents == [{"version": 1.3, "people": []}] * 30
    elif form == "coco":
        content = json.loads(path.read_text())
        assert (len(content["images"]), content["annotations"]) == (30, [])
    else:
        assert path.read_text() == ""


def test_the_plane_is_for_markers_only(two: RunFolder) -> None:
    with pytest.raises(PoselineError, match="--plane: --format sto has no markers"):
        export_run(two, "sto", plane=True)


def test_an_unknown_format_names_all(two: RunFolder) -> None:
    with pytest.raises(PoselineError, match="csv, trc, sto, c3d, openpose, movement, mot, coco"):
        export_run(two, "fbx")


def test_the_command_prints_the_place_and_warns_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"px_per_m": "240", "px_per_m_from": "assumed height 1.70 m"}
    folder = make_run(tmp_path / "run", [person(1, range(20), T, facts=facts, metres=True)], T)
    out = tmp_path / "plane.trc"
    command = ["poseline", "export", str(folder.path), "--format", "trc", "--plane", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as status:
        cli.main()
    printed = capsys.readouterr()
    assert (status.value.code or 0) == 0
    assert printed.out == f"{out}\n"
    assert printed.err.count("\n") == 1
    assert "assumed height 1.70 m" in printed.err
