"""The run folder: files that are whole or not there, observation parts, the index and the manifest."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17, SKELETONS
from pipeline.core.types import Observations, VideoInfo
from pipeline.store.atomic import atomic, write_text
from pipeline.store.folder import RunFolder
from pipeline.store.index import read_index, stored_video, write_index
from pipeline.store.manifest import Manifest, video_facts
from pipeline.store.parts import part_is_whole, part_warnings, read_part, write_part
from pipeline.store.tracks import file_metadata, tracks_schema

# --- atomic writes ---------------------------------------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_whole_when_the_block_ends(tmp_path):
    path = tmp_path / "deep" / "down" / "table.csv"
    with atomic(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent  # the same file system, so that the rename is one step
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert names(path.parent) == ["table.csv"]


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("failure", [ValueError("bug"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_nothing_is_left_of_a_write_that_failed(tmp_path, failure):
    path = tmp_path / "table.csv"
    path.write_text("old")
    expected = PoselineError if isinstance(failure, OSError) else type(failure)

    def write():
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise failure

    with pytest.raises(expected):
        write()
    assert names(tmp_path) == ["table.csv"]
    assert path.read_text() == "old"


def test_the_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    """After a power cut a file that has its name is whole: fsync comes before the rename."""
    steps = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (steps.append("rename"), rename(a, b)))
    write_text(tmp_path / "run.json", "{}")
    assert steps == ["fsync", "rename"]


ERRORS = [
    (errno.ENOSPC, r"table\.csv: the disk is full; free some space"),
    (errno.EDQUOT, r"table\.csv: the disk is full"),
    (errno.EACCES, r"may not be written to; choose another folder with --out"),
    (errno.EROFS, r"may not be written to"),
    (errno.EIO, r"table\.csv: cannot be written \(Input/output error\)"),
]


@pytest.mark.parametrize(("code", "message"), ERRORS)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_disk_gives_one_line_with_the_remedy(tmp_path, monkeypatch, code, message, step):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(PoselineError, match=message) as error:
        write_text(tmp_path / "table.csv", "text")
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)
    assert names(tmp_path) == []


def test_a_folder_that_may_not_be_made_is_named(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(PoselineError, match=r"new: may not be written to; choose another folder with --out"):
        write_text(tmp_path / "new" / "run.json", "{}")


@pytest.mark.parametrize("name", ["methods.md", "people/person_0001.parquet"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_a_run_folder_that_cannot_be_written_to_is_to_be_copied(tmp_path, monkeypatch, name, code):
    write_text(tmp_path / "run.json", "{}")

    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", fail)
    wanted = "copy the run folder and work on the copy, or choose another folder with --out, where the command has it"
    with pytest.raises(PoselineError, match=wanted):
        write_text(tmp_path / name, "text")


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "out").write_text("a file")
    for path in (tmp_path / "out" / "run.json", tmp_path / "out" / "people" / "run.json"):
        with pytest.raises(PoselineError, match=r"is not a folder; choose another one with --out"):
            write_text(path, "{}")
    assert (tmp_path / "out").read_text() == "a file"


# --- observation parts -----------------------------------------------------------------------------------------------


def observations(n: int, skeleton=COCO17, width: int = 0) -> Observations:
    rng = np.random.default_rng(n)
    k = len(skeleton)
    return Observations(
        frame=np.sort(rng.integers(100, 120, n)),
        box_px=rng.uniform(0, 500, (n, 4)).astype(np.float32),
        score=rng.random(n, np.float32),
        keypoints_px=rng.uniform(0, 500, (n, k, 2)).astype(np.float32),
        keypoint_score=rng.random((n, k), np.float32),
        skeleton=skeleton.name,
        appearance=rng.normal(0, 9, (n, width)).astype(np.float16) if width else None,
    )


@pytest.mark.parametrize("n", [0, 1, 50])
@pytest.mark.parametrize(("skeleton", "width"), [(COCO17, 0), (HALPE26, 16)])
def test_a_part_comes_back_as_it_was(tmp_path, n, skeleton, width):
    obs, path = observations(n, skeleton, width), tmp_path / "part-00003.parquet"
    write_part(path, obs, (100, 120), "abc", ["one frame is damaged", 'and "this"'])
    back = read_part(path)
    for f in fields(obs):
        a, b = getattr(obs, f.name), getattr(back, f.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b
    assert part_is_whole(path, (100, 120), "abc")
    assert part_warnings(path) == ["one frame is damaged", 'and "this"']


def test_the_same_observations_give_the_same_bytes(tmp_path):
    for name in "ab":
        write_part(tmp_path / name, observations(20), (100, 120), "abc", [])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def part(tmp_path) -> Path:
    path = tmp_path / "part-00000.parquet"
    write_part(path, observations(30), (100, 120), "abc", [])
    return path


def test_a_part_of_other_settings_or_frames_is_not_taken(part):
    assert not part_is_whole(part, (100, 120), "other")
    assert not part_is_whole(part, (100, 121), "abc")
    assert not part_is_whole(part, (0, 20), "abc")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_part_cut_short_is_not_whole_and_not_read(part, share):
    content = part.read_bytes()
    part.write_bytes(content[: int(share * len(content))])
    assert not part_is_whole(part, (100, 120), "abc")
    with pytest.raises(PoselineError, match=r"part-00000\.parquet: damaged observations; run poseline run") as error:
        read_part(part)
    assert "\n" not in str(error.value)


def test_foreign_files_are_no_parts(tmp_path):
    text, table, folder = tmp_path / "text", tmp_path / "table", tmp_path / "folder"
    text.write_text("no parquet at all")
    pq.write_table(pa.table({"frame": [1, 2]}), table)
    folder.mkdir()
    for path in (text, table, folder, tmp_path / "gone"):
        assert not part_is_whole(path, (0, 2), "abc")
        with pytest.raises(PoselineError, match="damaged observations"):
            read_part(path)


def test_a_part_without_a_skeleton_is_an_error(part):
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata({b"digest": b"abc"}), part)
    with pytest.raises(PoselineError, match="damaged observations"):
        read_part(part)


def test_parts_come_in_order(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.parts() == []
    for number in (11, 2, 0, 100):
        write_part(folder.part(number), observations(1), (0, 1), "abc", [])
    write_text(folder.observations / "notes.txt", "not a part")
    assert folder.parts() == [folder.part(n) for n in (0, 2, 11, 100)]


# --- the index -------------------------------------------------------------------------------------------------------


def video(n: int = 50) -> VideoInfo:
    rng = np.random.default_rng(0)
    pts = np.cumsum(rng.integers(2000, 4000, n)) - 7000
    return VideoInfo(
        path=Path("walks") / "wälk 1.mp4",
        size_px=(1080, 1920),
        rotation_deg=90,
        time_base=Fraction(1, 90000),
        fps=Fraction(30000, 1001),
        pts=pts,
        time_s=pts / 90000,
        is_key=np.arange(n) % 12 == 0,
        has_audio=True,
        digest="d1",
        codec="hevc",
        pixel_format="yuv420p",
        kind="file",
    )


def run_of(path: Path, info: VideoInfo) -> RunFolder:
    folder = RunFolder(path)
    folder.write_manifest(Manifest({"video": video_facts(info), "note": "größer"}))
    write_index(folder, info)
    return folder


def test_the_index_comes_back_as_it_was(tmp_path):
    info = video()
    pts, time_s, is_key = read_index(run_of(tmp_path, info))
    for a, b in ((pts, info.pts), (time_s, info.time_s), (is_key, info.is_key)):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_the_video_is_known_without_reading_it(tmp_path):
    info = video()
    back = stored_video(run_of(tmp_path, info))
    for f in fields(info):
        a, b = getattr(info, f.name), getattr(back, f.name)
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, f.name


def test_a_missing_or_damaged_index_is_an_error(tmp_path):
    folder = RunFolder(tmp_path)
    path = folder.observations / "index.parquet"
    with pytest.raises(PoselineError, match=r"index\.parquet: missing or damaged; run poseline run"):
        read_index(folder)
    write_index(folder, video())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(PoselineError, match="missing or damaged"):
        read_index(folder)
    pq.write_table(pa.table({"frame": [0, 1]}), path)
    with pytest.raises(PoselineError, match="missing or damaged"):
        read_index(folder)


# --- the manifest ----------------------------------------------------------------------------------------------------


def test_the_manifest_comes_back_and_is_readable(tmp_path):
    folder = run_of(tmp_path / "run", video())
    assert folder.manifest()["video"]["fps"] == "30000/1001"
    assert "größer" in folder.manifest_file.read_text(encoding="utf-8")
    assert RunFolder.existing(folder.path).manifest() == folder.manifest()
    json.loads(folder.manifest_file.read_text(encoding="utf-8"))


def test_a_folder_that_is_no_run_says_what_to_do(tmp_path):
    assert RunFolder(tmp_path).manifest() == {}
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(PoselineError, match=r"is not a run folder \(no run\.json\); make one with poseline run"):
            RunFolder.existing(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'{"video": ', b"[1, 2]", b'"text"'])
def test_a_damaged_manifest_is_an_error(tmp_path, content):
    folder = RunFolder(tmp_path)
    folder.manifest_file.write_bytes(content)
    with pytest.raises(PoselineError, match=r"run\.json: damaged .*poseline run on the video mends it") as error:
        folder.manifest()
    assert "\n" not in str(error.value)


# --- tracks.parquet --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_tracks_have_the_documented_columns_with_units(skeleton):
    k = len(skeleton)
    schema = tracks_schema(skeleton, video_facts(video()), "c0ffee")
    assert [(f.name, f.type, f.metadata[b"unit"].decode()) for f in schema] == [
        ("person_id", pa.int32(), "1"),
        ("frame", pa.int64(), "1"),
        ("time_s", pa.float64(), "s"),
        ("box_px", pa.list_(pa.float32(), 4), "px"),
        ("score", pa.float32(), "1"),
        ("keypoints_px", pa.list_(pa.float32(), 2 * k), "px"),
        ("keypoint_score", pa.list_(pa.float32(), k), "1"),
        ("state", pa.uint8(), "1"),
    ]
    assert all(f.metadata[b"description"] for f in schema)
    assert schema.metadata[b"skeleton"].decode() == skeleton.name
    assert schema.metadata[b"config_digest"] == b"c0ffee"


def test_file_metadata_names_skeleton_video_and_rate():
    info = replace(video(), digest="d9")
    facts = file_metadata(COCO17, video_facts(info), "c0ffee")
    assert facts["keypoints"].split(",") == list(COCO17.names)
    assert facts["video"] == "wälk 1.mp4"  # not where it lay
    assert (facts["video_digest"], facts["fps"], facts["config_digest"]) == ("d9", "30000/1001", "c0ffee")
    assert (facts["width_px"], facts["height_px"]) == ("1080", "1920")
    assert all(isinstance(v, str) for v in facts.values())
