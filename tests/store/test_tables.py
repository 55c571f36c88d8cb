"""The tables people open: columns and units, CSV beside Parquet, people.csv, reading back, and people out of parts."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.config import Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import BLAZEPOSE33, COCO17, SKELETONS, Skeleton
from pipeline.core.types import INTERPOLATED, MEASURED, MISSING, STATE_NAMES, SWAPPED, Motion, Observations, VideoInfo
from pipeline.lift.protocol import InSpace
from pipeline.measure.summary import person_summary
from pipeline.motion import gather
from pipeline.people import build_people
from pipeline.store import person_table
from pipeline.store.columns import person_name, person_schema, unit_of
from pipeline.store.cursor import people_by_frame
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest, video_facts
from pipeline.store.parts import write_part
from pipeline.store.people_csv import PEOPLE_COLUMNS, write_people_csv
from pipeline.store.person_table import write_person
from pipeline.store.tracks import file_metadata
from tests import synthetic

METADATA = {"skeleton": "coco17", "fps": "30000/1001"}


def motion(
    frame: np.ndarray | range, person_id: int = 1, skeleton: Skeleton = COCO17, world: bool = False, seed: int = 0
) -> Motion:
    """A person with a row for each frame, every fourth of them bridged, and some values missing."""
    frame = np.asarray(frame, np.int64)
    rng = np.random.default_rng((seed, person_id))
    n, k = len(frame), len(skeleton)

    def numbers(*shape: int, high: float = 2000.0) -> np.ndarray:
        return rng.uniform(0, high, shape).astype(np.float32)

    seen = frame % 4 != 3
    provenance = rng.choice([MEASURED, INTERPOLATED, SWAPPED, MISSING], (n, k), p=[0.6, 0.2, 0.1, 0.1]).astype(np.uint8)
    missing = (provenance == MISSING)[..., None]
    return Motion(
        person_id=person_id,
        frame=frame,
        time_s=12.5 + frame * 1001 / 30000 + 1e-7 * frame**2,
        box_px=numbers(n, 4),
        score=np.where(seen, numbers(n, high=1.0), np.nan).astype(np.float32),
        state=np.where(seen, MEASURED, INTERPOLATED).astype(np.uint8),
        keypoints_px=np.where(missing, np.nan, numbers(n, k, 2)).astype(np.float32),
        keypoint_score=numbers(n, k, high=1.0),
        keypoint_std_px=np.where(missing[..., 0], np.nan, numbers(n, k, high=9.0)).astype(np.float32),
        provenance=provenance,
        raw_px=np.where(seen[:, None, None], numbers(n, k, 2), np.nan).astype(np.float32),
        skeleton=skeleton.name,
        keypoints_m=np.where(seen[:, None, None], numbers(n, k, 3, high=1.0), np.nan).astype(np.float32)
        if world
        else None,
        names_m=skeleton.names if world else (),
    )


# --- columns and units -----------------------------------------------------------------------------------------------


def documented(skeleton: Skeleton, world: bool) -> list[tuple[str, str, str]]:
    """(column, type, unit) of a person's table, as documented. A new column belongs here and there."""
    columns = [("frame", "int64", "1"), ("time_s", "double", "s")]
    columns += [(f"box_{side}_px", "float", "px") for side in ("x1", "y1", "x2", "y2")]
    columns += [("score", "float", "1")]
    for joint in skeleton.names:
        columns += [
            (f"{joint}_x_px", "float", "px"),
            (f"{joint}_y_px", "float", "px"),
            (f"{joint}_score", "float", "1"),
            (f"{joint}_std_px", "float", "px"),
            (f"{joint}_state", "dictionary<values=string, indices=int8, ordered=0>", "1"),
            (f"{joint}_x_px_raw", "float", "px"),
            (f"{joint}_y_px_raw", "float", "px"),
        ]
        columns += [(f"{joint}_{axis}_m", "float", "m") for axis in "xyz"] if world else []
    return columns


@pytest.mark.parametrize("world", [False, True])
@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_columns_are_the_documented_ones_in_their_order_with_their_units(tmp_path, skeleton, world):
    write_person(tmp_path, motion(range(5), 3, skeleton, world), skeleton, METADATA)
    schema = pq.read_schema(tmp_path / "person_0003.parquet")
    written = [(f.name, str(f.type), (f.metadata or {}).get(b"unit", b"none").decode()) for f in schema]
    assert written == documented(skeleton, world)
    header = (tmp_path / "person_0003.csv").read_text().splitlines()[0]
    assert header.split(",") == [name for name, _, _ in written]


def test_no_column_is_without_a_unit():
    """A length, time or angle says so in its name; what has no unit is a count, a score or a state."""
    for field in person_schema(BLAZEPOSE33, BLAZEPOSE33.names, {}):
        unit = field.metadata[b"unit"].decode()
        if unit == "1":
            assert field.name == "frame" or field.name.endswith(("score", "_state")), field.name
        else:
            assert f"_{unit}" in field.name.removesuffix("_raw")[-4:], field.name


@pytest.mark.parametrize(
    ("column", "unit"),
    [("time_s", "s"), ("left_hip_x_px_raw", "px"), ("nose_z_m", "m"), ("left_knee_deg", "deg"), ("score", "1")],
)
def test_the_unit_is_the_one_in_the_name(column, unit):
    assert unit_of(column) == unit


def test_the_file_says_whose_it_is(tmp_path):
    write_person(tmp_path, motion(range(5), 12), COCO17, METADATA)
    metadata = pq.read_schema(tmp_path / "person_0012.parquet").metadata
    assert metadata[b"person_id"] == b"12"
    assert metadata[b"fps"] == b"30000/1001"
    assert person_name(12345) == "person_12345"


# --- values ----------------------------------------------------------------------------------------------------------


def test_values_come_back_and_missing_is_null_or_empty(tmp_path):
    person = motion(range(20, 60), world=True)
    write_person(tmp_path, person, COCO17, METADATA)
    table = pq.read_table(tmp_path / "person_0001.parquet")
    assert table["frame"].to_pylist() == list(range(20, 60))
    np.testing.assert_array_equal(table["time_s"].to_numpy(), person.time_s)
    k = COCO17.index("left_knee")
    for column, values in {
        "score": person.score,
        "box_y2_px": person.box_px[:, 3],
        "left_knee_x_px": person.keypoints_px[:, k, 0],
        "left_knee_y_px_raw": person.raw_px[:, k, 1],
        "left_knee_std_px": person.keypoint_std_px[:, k],
        "left_knee_score": person.keypoint_score[:, k],
        "left_knee_z_m": person.keypoints_m[:, k, 2],
    }.items():
        np.testing.assert_array_equal(table[column].to_numpy(), values)
        assert table[column].null_count == np.isnan(values).sum()
    assert table["left_knee_state"].to_pylist() == [STATE_NAMES[c] for c in person.provenance[:, k]]
    assert sum(table[name].null_count for name in table.column_names) > 50
    with open(tmp_path / "person_0001.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row, value in zip(rows, person.score, strict=True):
        assert (row["score"] == "") == np.isnan(value)
    text = (tmp_path / "person_0001.csv").read_text().lower()
    assert "nan" not in text
    assert '"' not in text


def test_joints_that_only_a_lifter_knows_come_last(tmp_path):
    person = motion(range(5))
    metres = np.arange(30, dtype=np.float32).reshape(5, 2, 3)
    lifted = replace(person, keypoints_m=metres, names_m=("pelvis", "left_knee"))
    write_person(tmp_path, lifted, COCO17, METADATA)
    table = pq.read_table(tmp_path / "person_0001.parquet")
    assert table.column_names[-3:] == ["pelvis_x_m", "pelvis_y_m", "pelvis_z_m"]
    assert [n for n in table.column_names if n.endswith("_m")][:3] == [f"left_knee_{axis}_m" for axis in "xyz"]
    np.testing.assert_array_equal(table["pelvis_y_m"].to_numpy(), metres[:, 0, 1])
    np.testing.assert_array_equal(table["left_knee_z_m"].to_numpy(), metres[:, 1, 2])


@pytest.mark.parametrize("row_group", [7, 4096])
def test_csv_and_parquet_say_the_same(tmp_path, monkeypatch, row_group):
    monkeypatch.setattr(person_table, "ROW_GROUP", row_group)
    write_person(tmp_path, motion(range(100, 150), world=True), COCO17, METADATA)
    parquet, text = (pd.read_parquet(tmp_path / "person_0001.parquet"), pd.read_csv(tmp_path / "person_0001.csv"))
    assert list(parquet.columns) == list(text.columns)
    assert len(parquet) == len(text) == 50
    for name in parquet:
        if name.endswith("_state"):
            assert parquet[name].astype(str).tolist() == text[name].tolist()
        elif name == "time_s":  # pandas before 3 may be off by the last bit
            np.testing.assert_allclose(text[name], parquet[name], rtol=1e-15)
        else:
            np.testing.assert_array_equal(parquet[name].to_numpy(), text[name].to_numpy(parquet[name].dtype))


def test_row_groups_change_no_value(tmp_path, monkeypatch):
    person = motion(range(50))
    write_person(tmp_path / "one", person, COCO17, METADATA)
    monkeypatch.setattr(person_table, "ROW_GROUP", 8)
    write_person(tmp_path / "many", person, COCO17, METADATA)
    one, many = (tmp_path / name / "person_0001.parquet" for name in ("one", "many"))
    assert (pq.read_metadata(one).num_row_groups, pq.read_metadata(many).num_row_groups) == (1, 7)
    assert pq.read_table(one).equals(pq.read_table(many).combine_chunks())
    assert one.with_suffix(".csv").read_bytes() == many.with_suffix(".csv").read_bytes()


def test_a_full_disk_leaves_neither_file(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(person_table, "_rows", fail)
    with pytest.raises(PoselineError, match="the disk is full"):
        write_person(tmp_path, motion(range(5)), COCO17, METADATA)
    assert list(tmp_path.iterdir()) == []


# --- people.csv ------------------------------------------------------------------------------------------------------


def summarised(frame, state, score=0.8, step_s=1 / 30) -> dict:
    frame, state = np.asarray(frame), np.asarray(state, np.uint8)
    person = motion(frame, 4)
    score = np.where(state == MEASURED, score, np.nan).astype(np.float32)
    person = replace(person, state=state, score=score, time_s=100 + frame * step_s)
    return person_summary(person, step_s)


def test_a_summary_counts_coverage_and_gaps():
    """Measured in 10…13 and 16…19, bridged between, away, and measured again in 30…39."""
    frame = [*range(10, 20), *range(30, 40)]
    state = [INTERPOLATED if f in (14, 15) else MEASURED for f in frame]
    row = summarised(frame, state, step_s=0.04)
    assert row == {
        "person_id": 4,
        "name": "",
        "first_time_s": 100.4,
        "last_time_s": 101.56,
        "duration_s": 1.16,
        "frames_measured": 18,
        "frames_interpolated": 2,
        "coverage": 0.6,
        "gaps": 2,
        "longest_gap_s": 0.44,
        "mean_score": 0.8,
        "suspicious": "",
        "warnings": "",
    }


def test_a_summary_without_gaps_and_of_one_frame():
    row = summarised(range(30), [MEASURED] * 30)
    assert (row["gaps"], row["longest_gap_s"], row["coverage"], row["warnings"]) == (0, 0.0, 1.0, "")
    row = summarised([7], [MEASURED])
    assert (row["duration_s"], row["coverage"], row["frames_measured"], row["gaps"]) == (0.0, 1.0, 1, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame": [0, 1, 20], "state": [MEASURED] * 3}, "measured in only 14% of the frames"),
        ({"frame": range(9), "state": [MEASURED] * 9, "score": 0.31}, "low mean score"),
        ({"frame": range(9), "state": [MEASURED] * 9, "step_s": 0.1}, r"low frame rate \(10 per second\)"),
    ],
)
def test_a_summary_warns(changes, message):
    warnings = summarised(**changes)["warnings"]
    assert re.search(message, warnings)
    assert ";" not in warnings


def test_people_csv_of_nobody_has_its_header_only(tmp_path):
    write_people_csv(tmp_path / "people.csv", [])
    assert (tmp_path / "people.csv").read_text().splitlines() == [",".join(PEOPLE_COLUMNS)]
    assert len(pd.read_csv(tmp_path / "people.csv")) == 0


def test_people_csv_has_a_row_for_each_person(tmp_path):
    rows = [person_summary(motion(range(40), i), 1 / 10) for i in (1, 2)]
    write_people_csv(tmp_path / "people.csv", rows)
    back = pd.read_csv(tmp_path / "people.csv", keep_default_na=False)
    assert list(back.columns) == list(PEOPLE_COLUMNS) == list(rows[0])
    assert back.to_dict("records") == rows


# --- reading back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row_group", [5, 4096])
@pytest.mark.parametrize("frames", [range(60), range(12, 33), range(47, 58), range(0, 60, 7), range(70, 75)])
def test_people_are_streamed_frame_by_frame(tmp_path, monkeypatch, row_group, frames):
    monkeypatch.setattr(person_table, "ROW_GROUP", row_group)
    everybody = [
        motion(range(3, 41), 1),
        motion([*range(10, 16), *range(30, 52)], 2),  # away in between, over several row groups
        motion([35], 3),
        motion([0, 50], 10),
        motion(range(41, 45), 11),
    ]
    for person in everybody:
        write_person(tmp_path, person, COCO17, METADATA)
    found = list(people_by_frame(tmp_path, COCO17, frames))
    assert len(found) == len(frames)
    for frame, here in zip(frames, found, strict=True):
        there = [(p, int(np.flatnonzero(p.frame == frame)[0])) for p in everybody if frame in p.frame]
        assert [person_id for person_id, *_ in here] == [p.person_id for p, _ in there]
        for (_, box, keypoints, states, measured, _), (p, row) in zip(here, there, strict=True):
            np.testing.assert_array_equal(box, p.box_px[row])
            np.testing.assert_array_equal(keypoints, p.keypoints_px[row])
            np.testing.assert_array_equal(states, p.provenance[row])
            assert states.dtype == np.uint8
            assert measured == (p.state[row] == MEASURED)


def test_streaming_nobody(tmp_path):
    assert list(people_by_frame(tmp_path, COCO17, range(4))) == [[], [], [], []]


def test_streaming_holds_one_row_group_of_a_person(tmp_path, monkeypatch):
    monkeypatch.setattr(person_table, "ROW_GROUP", 10)
    write_person(tmp_path, motion(range(100)), COCO17, METADATA)
    read: list[int] = []
    original = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda self, i, **kw: (read.append(i), original(self, i, **kw))[1]
    )
    stream = people_by_frame(tmp_path, COCO17, range(100))
    for frame in range(25):
        assert len(next(stream)) == 1
        assert read == list(range(frame // 10 + 1))
    stream.close()


# --- from parts to people --------------------------------------------------------------------------------------------

FPS = 25


def run_folder(path: Path, observations: Observations, n_frames: int, chunk: int = 20) -> tuple[RunFolder, VideoInfo]:
    """A run that has observed, and done nothing else."""
    pts = np.arange(n_frames)
    info = VideoInfo(
        path=Path("walk.mp4"),
        size_px=(1920, 1080),
        rotation_deg=0,
        time_base=Fraction(1, FPS),
        fps=Fraction(FPS),
        pts=pts,
        time_s=pts / FPS,
        is_key=np.ones(n_frames, bool),
        has_audio=False,
        digest="d",
    )
    folder = RunFolder(path)
    facts = {"video": video_facts(info), "skeleton": observations.skeleton, "frames_observed": [0, n_frames]}
    folder.write_manifest(Manifest(facts))
    for number, low in enumerate(range(0, n_frames, chunk)):
        rows = (observations.frame >= low) & (observations.frame < low + chunk)
        write_part(folder.part(number), observations.take(rows), (low, low + chunk), "abc", [])
    return folder, info


def built(folder: RunFolder, info: VideoInfo) -> list[dict]:
    return build_people(folder, info, Config(), lambda stage, done: None).rows


def contents(folder: RunFolder) -> dict[str, bytes]:
    files = [folder.tracks, folder.people_csv, *folder.people.iterdir()]
    return {f.name: f.read_bytes() for f in files}


@pytest.fixture(scope="module")
def scene() -> synthetic.Scene:
    """Three people: one stays, one leaves early and one comes late."""
    rng = np.random.default_rng(5)
    time_s = np.arange(100) / FPS
    starts = ((300.0, 900.0), (900.0, 850.0), (1500.0, 950.0))
    walkers = np.stack([synthetic.walker(time_s, start_px=s, velocity_px_s=(40.0, 0.0)) for s in starts])
    present = np.ones((3, 100), bool)
    present[1, 45:] = present[2, :30] = False
    return synthetic.observe(rng, time_s, walkers, miss_rate=0.08, miss_s=0.1, present=present)


def test_tracks_hold_everybody_sorted_by_person_and_frame(tmp_path, scene):
    folder, info = run_folder(tmp_path, scene.observations, 100)
    rows = built(folder, info)
    tracks = pq.read_table(folder.tracks)
    person, frame = tracks["person_id"].to_numpy(), tracks["frame"].to_numpy()
    assert sorted(set(person.tolist())) == [1, 2, 3] == [r["person_id"] for r in rows]
    assert (np.lexsort((frame, person)) == np.arange(len(frame))).all()
    np.testing.assert_array_equal(tracks["time_s"].to_numpy(), info.time_s[frame])
    assert {f.stem for f in folder.people.iterdir()} == {"person_0001", "person_0002", "person_0003"}
    seen = tracks["state"].to_numpy() == MEASURED
    assert (tracks["score"].to_numpy() > 0).tolist() == seen.tolist()
    measured = sorted(tuple(p) for p in tracks.filter(pa.array(seen))["keypoints_px"].to_pylist())
    assert measured == sorted(tuple(p) for p in scene.observations.keypoints_px.reshape(-1, 34).tolist())  # as they are
    summary = pd.read_csv(folder.people_csv).set_index("person_id")
    for i in (1, 2, 3):
        table = pq.read_table(folder.people / f"{person_name(i)}.parquet")
        assert table["frame"].to_pylist() == frame[person == i].tolist()
        assert summary.frames_measured[i] == (seen & (person == i)).sum()
        assert summary.frames_interpolated[i] == (~seen & (person == i)).sum()


def test_what_is_gathered_at_once_changes_no_byte(tmp_path, scene, monkeypatch):
    folder, info = run_folder(tmp_path / "all", scene.observations, 100)
    built(folder, info)
    for rows, chunk in ((1, 20), (90, 7), (150, 100)):
        monkeypatch.setattr(gather, "GATHER_ROWS", rows)
        other, info = run_folder(tmp_path / f"{rows}", scene.observations, 100, chunk)
        built(other, info)
        assert contents(other) == contents(folder)


def test_whose_limbs_are_somebody_elses_changes_with_no_chunk_or_group(tmp_path, monkeypatch):
    time_s = np.arange(100) / FPS
    truth = np.stack(
        [synthetic.walker(time_s, start_px=(x, y), phase=p) for x, y, p in ((300, 900, 0), (380, 905, 0.5))]
    )
    truth[0, 40:55, [13, 15]] = truth[1, 40:55, [13, 15]]  # the first one's left leg is the second one's
    observations = both_seen(truth)
    folder, info = run_folder(tmp_path / "all", observations, 100)
    [one, other] = built(folder, info)
    assert "left knee, left ankle on somebody else's" in one["suspicious"]
    assert other["suspicious"] == ""
    quality = pd.read_csv(folder.path / "quality.csv").set_index(["person_id", "joint"])
    assert quality.aside_share[1, "left_knee"] >= 0.15
    assert not quality.aside_share[2].any()
    for rows, chunk in ((1, 45), (150, 100)):
        monkeypatch.setattr(gather, "GATHER_ROWS", rows)
        other, info = run_folder(tmp_path / f"{rows}", observations, 100, chunk)
        built(other, info)
        assert contents(other) == contents(folder)


def both_seen(truth: np.ndarray) -> Observations:
    """Everybody (P, T, 17, 2) in every frame; the first one's legs with lower scores."""
    p, t, k, _ = truth.shape
    noisy = truth + np.random.default_rng(3).normal(size=truth.shape)
    score = np.full((t, p, k), 0.85, np.float32)
    score[:, 0, 13:] = 0.5
    return Observations(
        frame=np.repeat(np.arange(t), p),
        box_px=synthetic.boxes(truth).swapaxes(0, 1).reshape(-1, 4).astype(np.float32),
        score=np.full(p * t, 0.8, np.float32),
        keypoints_px=noisy.swapaxes(0, 1).reshape(-1, k, 2).astype(np.float32),
        keypoint_score=score.reshape(-1, k),
    )


def test_nobody_leaves_empty_tables(tmp_path):
    folder, info = run_folder(tmp_path, Observations.empty(17, "coco17"), 60)
    assert built(folder, info) == []
    assert pq.read_table(folder.tracks).num_rows == 0
    assert len(pd.read_csv(folder.people_csv)) == 0
    assert not folder.people.exists() or list(folder.people.iterdir()) == []


def test_people_of_an_earlier_tracking_go(tmp_path, scene):
    folder, info = run_folder(tmp_path, scene.observations, 100)
    write_person(folder.people, motion(range(9), 7), COCO17, METADATA)
    (folder.people / "notes.txt").write_text("mine")
    (folder.people / "person_0099.csv").write_text("day,mass_kg\n1,70\n")  # named like a table, and no table of ours
    built(folder, info)
    stems = {f.stem for f in folder.people.iterdir()}
    assert stems == {"person_0001", "person_0002", "person_0003", "person_0099", "notes"}


class Upright:
    """Lifts everybody to one knee above the pelvis."""

    names, sessions = ("pelvis", "left_knee"), ()

    def lift(self, motion, skeleton, size_px, height_m=None):
        assert height_m is None
        assert skeleton is COCO17
        assert size_px == (1920, 1080)
        metres = np.zeros((len(motion), 2, 3), np.float32)
        metres[:, 1, 1] = motion.frame
        return InSpace(metres)


def test_whoever_never_moves_is_told_and_left_out_on_demand(tmp_path):
    rng, t = np.random.default_rng(0), np.arange(120) / FPS
    walk = synthetic.walker(t)
    poster = np.repeat(synthetic.walker(t[:1], start_px=(1500.0, 600.0)), len(t), axis=0)
    scenes = [synthetic.observe(rng, t, px[None], noise_px=n).observations for px, n in ((walk, 4.0), (poster, 0.05))]
    parts = [one.take(np.flatnonzero(one.frame == f)) for f in range(len(t)) for one in scenes]
    folder, info = run_folder(tmp_path, Observations.concat(parts), 120)
    rows = built(folder, info)
    assert ["never moves" in row["warnings"] for row in rows] in ([False, True], [True, False])
    config = load_config("default", ["track.drop_still=true"])
    made = build_people(folder, info, config, lambda stage, done: None)
    assert len(made.rows) == 1
    assert "never moves" not in made.rows[0]["warnings"]
    gone = {row["person_id"] for row in rows} - {made.rows[0]["person_id"]}
    assert made.lines == [f"--drop-still left out person {gone.pop()}, who never moved"]
    assert len(list(folder.people.glob("*.parquet"))) == 1
    assert set(pq.read_table(folder.tracks)["person_id"].to_pylist()) == {made.rows[0]["person_id"]}


def test_a_lifter_sees_each_person_whole(tmp_path, scene):
    folder, info = run_folder(tmp_path, scene.observations, 100)
    build_people(folder, info, Config(), lambda stage, done: None, Upright())
    for file in folder.people.glob("*.parquet"):
        table = pd.read_parquet(file)
        assert (table["left_knee_y_m"] == table["frame"]).all()
        assert (table["pelvis_z_m"] == 0).all()
        assert "right_knee_x_m" not in table


def test_facts_of_the_run_are_in_every_table(tmp_path, scene):
    folder, info = run_folder(tmp_path, scene.observations, 100)
    built(folder, info)
    facts = file_metadata(COCO17, video_facts(info), Config().digest())
    for file in (folder.tracks, *folder.people.glob("*.parquet")):
        metadata = {k.decode(): v.decode() for k, v in pq.read_schema(file).metadata.items()}
        assert facts.items() <= metadata.items()
