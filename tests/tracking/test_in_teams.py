"""Teams in the tables of a run, by themselves, by colours, and by what the user says of people."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.cli import app as cli
from pipeline.core.config import Config, with_settings
from pipeline.core.skeleton import COCO17
from pipeline.core.types import VideoInfo
from pipeline.finish import track
from pipeline.observe.appearance import SIZE
from pipeline.store.folder import RunFolder
from pipeline.store.index import write_index
from pipeline.store.manifest import Manifest, video_facts
from pipeline.store.parts import write_part
from pipeline.tracking import edits_file as edits_toml
from pipeline.tracking.edits import parse
from tests import synthetic

FPS, FRAMES = 25, 40
TIME_S = np.arange(FRAMES) / FPS
WHITE, BLACK, YELLOW = (70.0, 2.0, -2.0), (20.0, 4.0, 0.0), (80.0, -4.0, 70.0)
SHIRTS = (WHITE, BLACK) * 3 + (YELLOW,)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run of three people in white, three in black and one in yellow, who stand in a row, 1 on the left."""
    pts = np.arange(FRAMES)
    info = VideoInfo(Path("v.mp4"), (1920, 1080), 0, Fraction(1, FPS), Fraction(FPS), pts, TIME_S, pts == 0, False, "d")
    walkers = np.stack(
        [
            synthetic.walker(TIME_S, start_px=(150.0 + 250 * i, 900.0), height_px=300.0, velocity_px_s=(5.0, 0.0))
            for i in range(len(SHIRTS))
        ]
    )
    looks = np.tile(np.array([40.0, 8, 8, 8, 0, 0, 0, 8, 30, 5, 2, 6, 30, 8, 9, 6]), (len(SHIRTS), 1))
    looks[:, 4:7] = SHIRTS
    assert looks.shape[1] == SIZE
    observations = synthetic.observe(np.random.default_rng(1), TIME_S, walkers, looks=looks).observations
    run, config = RunFolder(tmp_path / "run"), with_settings(Config(), ["lift.name=none"])
    facts = {"video": video_facts(info), "keypoints": COCO17.spec(), "frames_observed": [0, FRAMES]}
    facts |= {"config": config.model_dump(mode="json"), "config_digest": config.digest(), "observe_digest": "abc"}
    run.write_manifest(Manifest(facts))
    write_index(run, info)
    write_part(run.part(0), observations, (0, FRAMES), "abc", [])
    track(run)
    return run


def teams(folder: RunFolder) -> list[str]:
    """The team of everybody, from left to right."""
    people = pd.read_csv(folder.people_csv, keep_default_na=False)
    at = [pq.read_table(folder.people / f"person_{i:04d}.parquet")["box_x1_px"][0].as_py() for i in people.person_id]
    return [str(people.team[i]) for i in np.argsort(at)]


def person(folder: RunFolder, place: int) -> int:
    """The id of who stands at a place from the left."""
    people = pd.read_csv(folder.people_csv, keep_default_na=False)
    at = [pq.read_table(folder.people / f"person_{i:04d}.parquet")["box_x1_px"][0].as_py() for i in people.person_id]
    return int(people.person_id[np.argsort(at)[place]])


def poseline(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["poseline", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_teams_are_in_all_tables_of_people(folder: RunFolder) -> None:
    found = teams(folder)
    assert found[0] == found[2] == found[4] != found[1] == found[3] == found[5]
    assert {*found} == {"A", "B", "other"}
    assert found[6] == "other"
    row = pd.read_parquet(folder.people_parquet).iloc[0]
    assert row.team == "A"
    assert row.team_certainty > 0.9
    metadata = pq.read_schema(folder.people / "person_0001.parquet").metadata
    assert metadata[b"team"] == b"A"
    assert float(metadata[b"team_certainty"]) == row.team_certainty
    told = folder.manifest()["teams"]
    assert told["others"] == 1
    assert {kit["people"] for kit in told["kits"].values()} == {3}


def test_the_user_names_teams_and_corrects_people(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert poseline(monkeypatch, "track", folder.path, "--teams", "Home=white,Away=black") == 0
    assert teams(folder) == ["Home", "Away"] * 3 + ["other"]
    assert "teams Home (#" in capsys.readouterr().out
    one, two = person(folder, 0), person(folder, 1)
    assert poseline(monkeypatch, "track", folder.path, "--teams", f"X={two},Y={one}") == 0
    assert teams(folder) == ["Y", "X"] * 3 + ["other"]
    assert poseline(monkeypatch, "track", folder.path, "--teams", "off") == 0
    assert "team" not in pd.read_csv(folder.people_csv).columns
    assert folder.manifest()["teams"] == {"found": False, "why": "not asked for"}


def test_what_the_user_says_of_people_holds_at_each_tracking(folder: RunFolder) -> None:
    before = folder.tracks.read_bytes()
    one, two, last = person(folder, 0), person(folder, 1), person(folder, 6)
    lines = edits_toml.add(folder, parse(teams=[f"Reds={two},Blues={one}", f"Reds={last}"]))
    assert lines == [f"person {two} is in team Reds, person {one} is in team Blues", f"person {last} is in team Reds"]
    for _ in range(2):
        track(folder)
        assert teams(folder) == ["Blues", "Reds"] * 3 + ["Reds"]
    assert folder.manifest()["edits"] == [f"teams Reds={two},Blues={one}", f"teams Reds={last}"]
    edits_toml.undo(folder)
    track(folder)
    assert teams(folder) == ["Blues", "Reds"] * 3 + ["other"]
    edits_toml.undo(folder)
    track(folder)
    assert folder.tracks.read_bytes() == before


@pytest.mark.parametrize(
    ("command", "text", "words"),
    [
        ("track", "A=red", "two teams are wanted, not 1"),
        ("track", "A=rde,B=white", "rde is no colour of"),
        ("people", "A=red,B=white", "here people are named; poseline track"),
        ("people", "A=99,B=1", "there is no person 99"),
        ("people", "A", "write it like A=3,B=7"),
    ],
)
def test_a_mistake_ends_with_one_line_and_status_2(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, command, text, words
) -> None:
    assert poseline(monkeypatch, command, folder.path, "--teams", text) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_teams_that_are_told_in_vain_are_a_warning(folder: RunFolder) -> None:
    config = with_settings(Config(), ["lift.name=none", "teams.kits=A=50,B=60"])
    track(folder, config)
    assert any("--teams: there are no two teams" in line for line in folder.manifest()["warnings"])
