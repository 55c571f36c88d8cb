"""Edits of people: what each does, what is refused, and that they are made again at each tracking."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import PoselineError
from pipeline.cli import app as cli
from pipeline.core.config import Config, with_settings
from pipeline.core.skeleton import COCO17
from pipeline.core.types import MEASURED, VideoInfo
from pipeline.finish import track
from pipeline.prepare import start_over
from pipeline.store.folder import RunFolder
from pipeline.store.index import write_index
from pipeline.store.manifest import Manifest, video_facts
from pipeline.store.parts import read_part, write_part
from pipeline.store.settings import render_digest, stored_config
from pipeline.tracking import edits_file as edits_toml
from pipeline.tracking.edited import People, apply
from pipeline.tracking.edits import Edit, Suspicion, parse
from tests import synthetic

FPS, FRAMES = 25, 100
TIME_S = np.arange(FRAMES) / FPS
# Who is seen when, by first appearance: a visitor of 0.4 s, one early, one throughout, and one who comes late.
SPANS = ((0, 10), (2, 40), (4, 100), (60, 100))


def video_info() -> VideoInfo:
    pts = np.arange(FRAMES)
    return VideoInfo(Path("v.mp4"), (1920, 1080), 0, Fraction(1, FPS), Fraction(FPS), pts, TIME_S, pts == 0, False, "d")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run of four people, tracked, in two parts."""
    starts = ((100.0, 500.0), (400.0, 900.0), (900.0, 850.0), (1500.0, 950.0))
    heights = (150.0, 400.0, 300.0, 400.0)
    walkers = np.stack(
        [
            synthetic.walker(TIME_S, start_px=s, height_px=h, velocity_px_s=(20.0, 0.0))
            for s, h in zip(starts, heights, strict=True)
        ]
    )
    present = np.zeros((4, FRAMES), bool)
    for row, (low, high) in zip(present, SPANS, strict=True):
        row[low:high] = True
    observations = synthetic.observe(np.random.default_rng(1), TIME_S, walkers, present=present).observations
    run, info, config = RunFolder(tmp_path / "run"), video_info(), settings("track.min_length_s=0.2")
    facts = {"video": video_facts(info), "keypoints": COCO17.spec(), "frames_observed": [0, FRAMES]}
    facts |= {"config": config.model_dump(mode="json"), "config_digest": config.digest(), "observe_digest": "abc"}
    run.write_manifest(Manifest(facts))
    write_index(run, info)
    for number, low in enumerate((0, 50)):
        rows = (observations.frame >= low) & (observations.frame < low + 50)
        write_part(run.part(number), observations.take(rows), (low, low + 50), "abc", [])
    track(run)
    assert spans(run) == {i: SPANS[i - 1] for i in (1, 2, 3, 4)}
    return run


def settings(*sets: str) -> Config:
    # No linking of people and no idea of their looks: what is tested is edits.
    return with_settings(Config(), ["track.relink=false", *sets])


def spans(folder: RunFolder) -> dict[int, tuple[int, int]]:
    """First frame and one past the last of each person."""
    tracks = pd.read_parquet(folder.tracks)
    return {int(i): (int(t.frame.min()), int(t.frame.max()) + 1) for i, t in tracks.groupby("person_id")}


def names(folder: RunFolder) -> dict[int, str]:
    people = pd.read_csv(folder.people_csv, keep_default_na=False)
    return {int(i): n for i, n in zip(people.person_id, people.name, strict=True)} if len(people) else {}


def poseline(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["poseline", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def edited(folder: RunFolder, **options: list) -> list[str]:
    lines = edits_toml.add(folder, parse(**options))
    track(folder)
    return lines


# --- the pure part ---------------------------------------------------------------------------------------------------


def rows(*people: tuple[int, range, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ids, frames and boxes of people (id, frames, x) in order of the frames; boxes are 10 x 20 px."""
    seen = sorted((f, i, x) for i, frames, x in people for f in frames)
    box = np.array([(x, 0, x + 10, 20) for _, _, x in seen], np.float32)
    return np.array([i for _, i, _ in seen], np.int32), np.array([f for f, _, _ in seen]), box


def anchored(edit: Edit, *where: tuple[int, float]) -> Edit:
    boxes = tuple((x, 0.0, x + 10, 20.0) for _, x in where)
    return replace(edit, frames=tuple(f for f, _ in where), boxes_px=boxes)


def test_an_edit_means_who_is_where_its_anchor_is() -> None:
    ids, frame, box = rows((1, range(20), 0), (2, range(20), 100), (-1, range(20), 200))
    drop = Edit("drop", (7,))
    for x, left in ((1, [2]), (99, [1])):
        out = apply([anchored(drop, (10, x))], ids, frame, box, TIME_S)
        assert (sorted(set(out.ids[out.ids > 0].tolist())), out.warnings) == (left, [])
    for nowhere in ((10, 200), (10, 6), (50, 0)):  # nobody's, overlapping too little, not in that frame
        out = apply([anchored(drop, nowhere)], ids, frame, box, TIME_S)
        assert (out.ids == ids).all()
        assert out.warnings == [f"edit 1 (drop 7) is skipped: nobody is where person 7 was seen in frame {nowhere[0]}"]


def test_edits_apply_in_order_and_leave_their_input_alone() -> None:
    ids, frame, box = rows((1, range(10), 0), (2, range(10, 20), 0), (3, range(20), 100))
    before = ids.copy()
    first = [anchored(parse(name=["2=Ann"])[0], (15, 0)), anchored(parse(merge=["1 2"])[0], (5, 0), (15, 0))]
    out = apply([*first, anchored(parse(split=["3@0.4"])[0], (3, 100))], ids, frame, box, TIME_S)
    assert (ids == before).all()
    assert out.names == {1: "Ann"}  # comes along
    assert {int(i): sorted(frame[out.ids == i].tolist()) for i in set(out.ids.tolist())} == {
        1: list(range(20)),
        3: list(range(10)),
        4: list(range(10, 20)),
    }
    again = apply([*first, first[1]], ids, frame, box, TIME_S)
    assert again.warnings == []  # one person already, as it should be


def test_what_cannot_be_done_at_a_later_tracking_is_skipped() -> None:
    ids, frame, box = rows((1, range(24), 0), (2, range(9, 40), 100))
    merge = anchored(parse(merge=["4 5"])[0], (5, 0), (15, 100))
    split = anchored(parse(split=["5@3"])[0], (15, 100))
    out = apply([merge, split, parse(keep=["height=30"])[0]], ids, frame, box, TIME_S)
    assert (out.ids == ids).all()
    assert [line.split(":")[0] for line in out.warnings] == [
        "edit 1 (merge 4 5) is skipped",
        "edit 2 (split 5@3) is skipped",
        "edit 3 (keep height=30) is skipped",
    ]
    assert "0.360 s" in out.warnings[0]


@pytest.mark.parametrize(
    ("rule", "left"),
    [("longest=1", [2]), ("longest=9", [1, 2, 3]), ("region=0,0,60,60", [1, 3]), ("height=20", [1, 2, 3])],
)
def test_keep_rules(rule: str, left: list[int]) -> None:
    ids, frame, box = rows((1, range(10), 0), (2, range(20), 100), (3, range(5, 10), 50))
    out = apply(parse(keep=[rule]), ids, frame, box, TIME_S)
    assert sorted(set(out.ids[out.ids > 0].tolist())) == left


def test_an_anchor_is_an_observation_of_the_person() -> None:
    people = People(*rows((1, range(10), 0), (2, range(20), 100)), TIME_S)
    edit = people.anchored(parse(merge=["2 1"])[0])
    assert edit.frames == (10, 5)
    assert edit.boxes_px == ((100, 0, 110, 20), (0, 0, 10, 20))
    assert people.owners(edit) == [2, 1]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("merge", "3"), ("merge", "3 --drop"), ("merge", "3 3"), ("merge", "3 4 5"), ("split", "5"),
        ("split", "5@soon"), ("split", "5@nan"), ("name", "Ann"), ("name", "3="), ("name", "3=A\nB"),
        ("name", "3=A\x07"), ("keep", "best=1"), ("keep", "longest=0"), ("keep", "longest=1.5"),
        ("keep", "region=1,2,3"), ("keep", "height="), ("keep", "height"),
        ("teams", "A"), ("teams", "A=red"), ("teams", "A=3,B=3"), ("teams", "=3"),
    ],
)  # fmt: skip
def test_malformed_options_name_the_value_and_the_remedy(option: str, value: str) -> None:
    with pytest.raises(PoselineError, match=rf"--{option} .*write it like --{option}") as caught:
        parse(**{option: [value]})
    assert " ".join(value.split()) in str(caught.value)
    assert "\n" not in str(caught.value)


# --- in a run folder -------------------------------------------------------------------------------------------------


def test_merge_split_drop_and_name_change_the_tables(folder: RunFolder) -> None:
    lines = edited(folder, merge=["2 4"], split=["3@2.0"], drop=[1], name=["3=Zoë = 李\u200d"])
    assert spans(folder) == {2: (2, 100), 3: (4, 50), 5: (50, 100)}
    assert "person 5" in lines[1]
    assert names(folder) == {2: "", 3: "Zoë = 李\u200d", 5: ""}
    manifest = folder.manifest()
    assert manifest["names"] == {"3": "Zoë = 李\u200d"}
    assert manifest["edits"] == ["merge 2 4", "split 3@2", "drop 1", "name 3=Zoë = 李\u200d"]
    assert manifest["people"] == 3
    assert {p.stem for p in folder.people.iterdir()} == {"person_0002", "person_0003", "person_0005"}
    before = folder.tracks.read_bytes()
    track(folder)
    assert folder.tracks.read_bytes() == before
    edited(folder, split=["2@2"], name=["2=early", "6=late"])  # ids as they are now
    assert names(folder) == {2: "early", 3: "Zoë = 李\u200d", 5: "", 6: "late"}


def test_an_overlap_is_resolved_and_told_at_each_tracking(folder: RunFolder) -> None:
    said = edited(folder, merge=["1 2"])  # both are seen in frames 2 to 9, 0.32 s
    assert "8 observations dropped, as both were seen from 0.080 s on" in said[0]
    assert spans(folder) == {1: (0, 40), 3: (4, 100), 4: (60, 100)}
    assert folder.manifest()["edits_dropped"] == [8]
    assert edits_toml.listing(folder)[-1] == "edit 1: merge 1 2 (8 dropped, where both were seen)"
    tracks = pd.read_parquet(folder.tracks)
    assert not tracks.duplicated(["person_id", "frame"]).any()
    track(folder, settings("track.min_length_s=1.0"))  # the visitor is nobody
    assert folder.manifest()["edits_dropped"] == [0]


def test_join_swap_and_assign_change_the_tables_until_undone(folder: RunFolder) -> None:
    before = folder.tracks.read_bytes()
    edited(folder, join=["2 4"], swap=["2 3@3"], assign=["3@3.4-3.6=1"])
    tracks = pd.read_parquet(folder.tracks)
    frames = {int(i): set(t.frame[t.state == MEASURED]) for i, t in tracks.groupby("person_id")}
    assert frames[1] == {*range(10), *range(85, 91)}
    assert {*range(2, 40), *range(60, 100)} == frames[2]
    assert frames[3] == {*range(4, 85), *range(91, 100)}
    assert folder.manifest()["edits"] == ["join 2 4", "swap 2 3@3", "assign 3@3.4-3.6=1"]
    track(folder, settings("track.min_length_s=1.0"))  # the visitor is nobody: the others have other ids
    assert spans(folder) == {1: (2, 100), 2: (4, 100)}
    (skipped,) = folder.manifest()["edits_skipped"]
    assert skipped.startswith("edit 3 (assign 3@3.4-3.6=1) is skipped: nobody is where person 1 was seen")
    track(folder, settings("track.min_length_s=0.2"))
    for _ in range(3):
        edits_toml.undo(folder)
    track(folder)
    assert folder.tracks.read_bytes() == before


def test_undo_takes_back_one_edit_after_another(folder: RunFolder) -> None:
    before = folder.tracks.read_bytes()
    edited(folder, drop=[1], keep=["longest=1"])
    assert spans(folder) == {3: (4, 100)}
    assert str(edits_toml.undo(folder)) == "keep longest=1"
    track(folder)
    assert spans(folder) == {2: (2, 40), 3: (4, 100), 4: (60, 100)}
    edits_toml.undo(folder)
    assert not edits_toml.edits_file(folder).exists()
    assert folder.tracks.read_bytes() != before
    track(folder)
    assert folder.tracks.read_bytes() == before
    with pytest.raises(PoselineError, match="no edits"):
        edits_toml.undo(folder)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"merge": ["2 3"]}, ["--merge 2 3", "0.160 s", "two places"]),
        ({"drop": [1], "name": ["9=Ann"]}, ["--name 9=Ann", "no person 9", "poseline people"]),
        ({"drop": [-1]}, ["no person -1"]),
        ({"split": ["4@2.4"]}, ["--split 4@2.4", "2.400 to 3.960"]),
        ({"split": ["4@99"]}, ["2.400 to 3.960"]),
        ({"keep": ["region=0,0,1,1"]}, ["--keep region=0,0,1,1", "nobody"]),
        ({"drop": [1], "name": ["1=Ann"]}, ["no person 1"]),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_stored(folder: RunFolder, options: dict, words: list) -> None:
    with pytest.raises(PoselineError) as caught:
        edits_toml.add(folder, parse(**options))
    assert all(word in str(caught.value) for word in words), caught.value
    assert not edits_toml.edits_file(folder).exists()


def test_edits_survive_tracking_with_other_settings(folder: RunFolder) -> None:
    edited(folder, merge=["2 4"], name=["3=Ann", "2=Bo"], drop=[1])
    track(folder, settings("track.min_length_s=1.0"))  # the visitor is nobody: the others have other ids
    assert spans(folder) == {1: (2, 100), 2: (4, 100)}
    assert names(folder) == {1: "Bo", 2: "Ann"}
    skipped = [line for line in folder.manifest()["warnings"] if line.startswith("edit ")]
    assert len(skipped) == 1
    assert skipped[0].startswith("edit 2 (drop 1) is skipped")
    edited(folder, split=["1@2"])
    assert spans(folder) == {1: (2, 40), 2: (4, 100), 4: (60, 100)}
    track(folder, settings("track.min_length_s=0.2"))
    assert spans(folder) == {2: (2, 40), 3: (4, 100), 5: (60, 100)}


def test_the_video_is_stale_after_an_edit_and_only_then(folder: RunFolder) -> None:
    def stands_for() -> str:
        return render_digest(folder.manifest(), stored_config(folder))

    before = stands_for()
    edited(folder, drop=[1])
    assert stands_for() != before
    edits_toml.undo(folder)
    track(folder)
    assert stands_for() == before


def test_doubts_go_with_the_observations_they_are_about(folder: RunFolder) -> None:
    ids = edits_toml._tabled(folder)
    edits_toml.add(folder, parse(merge=["2 4"], split=["3@2"], drop=[1]))
    given = [(0.0, 1, "dropped"), (1.0, 3, "stays"), (2.4, 4, "merged"), (3.0, 3, "split")]
    after, told, *_ = edits_toml.apply_stored(folder, ids, [Suspicion(*each) for each in given], TIME_S)
    assert told == [Suspicion(*each) for each in ((1.0, 3, "stays"), (2.4, 2, "merged"), (3.0, 5, "split"))]
    assert set(after.tolist()) == {-1, 2, 3, 5}


def test_a_return_is_told_with_the_ids_after_edits_until_it_is_settled(folder: RunFolder) -> None:
    ids = edits_toml._tabled(folder)
    returns = [Suspicion(3.0, 4, "may be {other}: --merge {other} {own}", other) for other in (1, 2, 3)]

    def told() -> list[str]:
        return [each.told for each in edits_toml.apply_stored(folder, ids, returns, TIME_S).moments]

    assert told() == [f"may be {other}: --merge {other} 4" for other in (1, 2, 3)]
    edits_toml.add(folder, parse(merge=["2 4"], drop=[1]))  # 1 is nobody, and 4 is 2: only 3 is left
    assert told() == ["may be 3: --merge 3 2"]


def test_starting_over_leaves_the_edits(folder: RunFolder) -> None:
    edited(folder, drop=[1])
    cycles = (folder.gait_cycles, folder.gait_means, folder.cycles_csv, folder.jumps_csv)
    assert all(path.is_file() for path in cycles)
    start_over(folder)
    assert not any(path.is_file() for path in cycles)
    assert [str(e) for e in edits_toml.load(folder)] == ["drop 1"]


def test_anchors_are_boxes_as_they_were_observed(folder: RunFolder) -> None:
    edited(folder, drop=[2])
    edit = edits_toml.load(folder)[0]
    seen = read_part(folder.part(0))
    here = seen.box_px[seen.frame == edit.frames[0]].round(2).tolist()
    assert [round(float(v), 2) for v in edit.boxes_px[0]] in [[round(v, 2) for v in box] for box in here]


def test_the_file_is_toml_and_comes_back_as_it_was(folder: RunFolder) -> None:
    edits = [
        Edit("merge", (3, 7), frames=(1, 2), boxes_px=((0.25, 1, 2, 3), (4, 5, 6, 7))),
        Edit("split", (5,), values=(0.1 + 0.2,), frames=(1,), boxes_px=((0, 0, 1, 1),)),
        Edit("keep", text="region", values=(0, 1.5, 2, 1e17)),
        Edit("name", (3,), 'a "quoted" \\ \U0001f600', frames=(1,), boxes_px=((0, 0, 1, 1),)),
        Edit("teams", (3, 7), "Reds,other", frames=(1, 2), boxes_px=((0, 0, 1, 1), (4, 5, 6, 7))),
    ]
    edits_toml.save(folder, edits)
    assert edits_toml.load(folder) == edits
    assert len(tomllib.loads(edits_toml.edits_file(folder).read_text(encoding="utf-8"))["edit"]) == 5
    assert str(edits[-1]) == "teams Reds=3,other=7"


@pytest.mark.parametrize(
    "text",
    [
        "[[edit]", "edit = 3", "edit = [3]", "[[edit]]\npeople = [1]", "[[other]]\nkind = 'drop'", "\xff",
        "[[edit]]\nkind = 'melt'", "[[edit]]\nkind = 'drop'\npeople = [1]", "[[edit]]\nkind = ['drop']",
        "[[edit]]\nkind = 'drop'\npeople = ['x']\nframes = [1]\nboxes_px = [[1, 2, 3, 4]]",
        "[[edit]]\nkind = 'drop'\npeople = [1]\nframes = [1]\nboxes_px = [[1, 2, 3]]",
        "[[edit]]\nkind = 'keep'\ntext = 'longest'\nvalues = [-1]",
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "edits.toml").write_text(text, encoding="latin-1")
    with pytest.raises(PoselineError, match=r"edits\.toml: damaged") as caught:
        edits_toml.load(RunFolder(tmp_path))
    assert "\n" not in str(caught.value)


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_edits_lists_and_undoes(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    folder.video.touch()
    status = poseline(
        monkeypatch, "people", folder.path, "--split", "3@1", "--merge", 2, 4, "--merge", 1, 5, "--name", "2=Ann"
    )
    assert status == 2  # there is no 5 before the split, which comes after merges
    assert "--merge 1 5: there is no person 5" in capsys.readouterr().err
    assert poseline(monkeypatch, "people", folder.path, "--split", "3@1", "--merge", 2, 4, "--name", "2=Ann") == 0
    out = capsys.readouterr().out
    assert "person 4 is person 2 now" in out
    assert "person 3 is person 5 from 1.000 s on" in out
    assert f"poseline render {folder.path}" in out
    assert poseline(monkeypatch, "people", folder.path) == 0
    out = capsys.readouterr().out
    assert "Ann" in out
    assert "edit 2: split 3@1" in out
    assert poseline(monkeypatch, "people", folder.path, "--undo", "-q") == 0
    assert names(folder)[2] == ""
    assert capsys.readouterr().out == ""
    assert len(edits_toml.load(folder)) == 2


def test_edits_take_names(folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert poseline(monkeypatch, "people", folder.path, "--name", "2=Ann Lee") == 0
    assert poseline(monkeypatch, "people", folder.path, "--merge", "Ann Lee", 4) == 0
    assert "person 4 is person 2 now" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--merge", "2", "3"], ["--merge", "2"], ["--merge"], ["--drop", "x"], ["--drop", "77"], ["--undo"],
        ["--undo", "--drop", "1"], ["--split", "3"], ["--name", "3"], ["--keep", "tallest=1"], ["--nonsense"],
    ],
)  # fmt: skip
def test_a_mistake_ends_with_one_line_and_status_2(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, arguments: list[str]
) -> None:
    before = folder.tracks.read_bytes()
    assert poseline(monkeypatch, "people", folder.path, *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("poseline: ")
    assert err.count("\n") == 1
    assert folder.tracks.read_bytes() == before
    assert not edits_toml.edits_file(folder).exists()


def test_edits_that_the_tables_do_not_show_yet_come_first(folder: RunFolder) -> None:
    edits_toml.add(folder, parse(drop=[1]))  # stopped before the tables were made
    with pytest.raises(PoselineError, match=r"edits\.toml: newer than the tables; run poseline track"):
        edits_toml.add(folder, parse(drop=[2]))
    track(folder)
    edits_toml.add(folder, parse(drop=[2]))
    assert json.loads(folder.manifest_file.read_text(encoding="utf-8"))["edits"] == ["drop 1"]
