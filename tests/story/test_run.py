"""The whole pipeline on the real clip: what it writes, that it resumes, and that nothing changes its bytes."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline import PoselineError, load_config, read_run, run, track, workflow
from pipeline.core.progress import Progress
from pipeline.engines.base import Ended, Job
from pipeline.report.methods import write_methods
from pipeline.store.folder import RunFolder
from pipeline.store.lock import locked
from pipeline.store.manifest import Manifest
from pipeline.store.parts import read_part
from pipeline.video.index import index_video
from tests.report.runs import facts_of

CLIP = Path(__file__).resolve().parents[2] / "data" / "laboratory.mp4"
# Few pixels and small chunks: what is tested here is the engine, not the accuracy.
QUICK = ["detect.pixels=65536", "observe.chunk_frames=6"]
END_S = 0.4  # 24 frames


def quick(out: Path, *sets: str, **options: object) -> RunFolder:
    return run(CLIP, out, load_config("default", [*QUICK, *sets]), end_s=END_S, render=False, **options)[0]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return quick(tmp_path_factory.mktemp("done"))


def test_default_run_on_the_real_clip_finds_its_three_people(tmp_path: Path) -> None:
    folder = run(CLIP, tmp_path, end_s=0.25)[0]
    tables = read_run(folder.path)
    assert tables["manifest"]["finished"]
    assert sorted(tables["people"]["person_id"]) == [1, 2, 3]
    assert (tables["people"]["coverage"] > 0.9).all()
    assert all(isinstance(text, str) for text in tables["people"]["warnings"])
    for motion in tables["motion"].values():  # standing people: head above hips above ankles
        middle = motion.iloc[len(motion) // 2]
        assert middle["nose_y_px"] < middle["left_hip_y_px"] < middle["left_ankle_y_px"]
    info, drawn = index_video(CLIP), index_video(folder.video)
    assert len(drawn) == 15
    np.testing.assert_allclose(drawn.time_s, info.time_s[:15], atol=1e-9)
    assert drawn.size_px == info.size_px


@pytest.mark.parametrize(
    ("setting", "word"), [("detect.score=1.0", "nobody was found in any frame"), ("track.high_score=1.0", "sightings")]
)
def test_a_run_without_people_says_so(tmp_path: Path, setting: str, word: str) -> None:
    manifest = quick(tmp_path, setting, report=False).manifest()
    assert manifest["people"] == 0
    assert any(word in line for line in manifest["warnings"])


def test_tracks_have_the_documented_columns_and_times(done: RunFolder) -> None:
    table = pq.read_table(done.tracks)
    assert [(f.name, str(f.type)) for f in table.schema] == [
        ("person_id", "int32"),
        ("frame", "int64"),
        ("time_s", "double"),
        ("box_px", "fixed_size_list<element: float>[4]"),
        ("score", "float"),
        ("keypoints_px", "fixed_size_list<element: float>[52]"),
        ("keypoint_score", "fixed_size_list<element: float>[26]"),
        ("state", "uint8"),
    ]
    assert all(f.metadata[b"unit"] for f in table.schema)
    meta = table.schema.metadata
    assert meta[b"skeleton"] == b"halpe26"
    assert meta[b"video"] == b"laboratory.mp4"
    assert meta[b"fps"] == b"60"
    frame = table.to_pandas()
    assert frame[["person_id", "frame"]].apply(tuple, axis=1).is_monotonic_increasing
    np.testing.assert_array_equal(frame["time_s"], index_video(CLIP).time_s[frame["frame"]])


def test_the_methods_section_of_a_run_follows_its_tables(done: RunFolder, tmp_path: Path) -> None:
    copy = RunFolder(shutil.copytree(done.path, tmp_path / "run"))
    digests = {**copy.manifest()["networks"], **copy.manifest()["lifter"]["networks"]}
    text = write_methods(copy).text
    assert all(digest in text for digest in digests.values())
    assert "Of its 100 frames, those from 1 to 24 were used." in text
    assert "detect.pixels = 65536" in text
    assert f"Python {platform.python_version()}" in text
    assert "Kalman smoother" in text
    track(copy, load_config("default", [*QUICK, "smooth.method=savgol", "lift.name=none", "metres.height_m=1.8"]))
    text = copy.methods_txt.read_text(encoding="utf-8")
    assert "Savitzky–Golay" in text
    assert "No third dimension was estimated." in text
    assert "given standing height of 1.80 m" in text
    assert text == facts_of(copy.report)["methods"]["text"]


def test_person_files_and_tracks_agree(done: RunFolder) -> None:
    tables = read_run(done.path)
    for person, motion in tables["motion"].items():
        mine = tables["tracks"][tables["tracks"]["person_id"] == person]
        np.testing.assert_array_equal(mine["frame"], motion["frame"])
        raw = np.stack(mine["keypoints_px"])[:, 0]
        seen = mine["state"].to_numpy() == 1
        np.testing.assert_array_equal(raw[seen], motion["nose_x_px_raw"].to_numpy()[seen])
        csv = pd.read_csv(done.people / f"person_{person:04d}.csv")
        assert list(csv.columns) == list(motion.columns)


@pytest.mark.parametrize(
    "sets",
    [
        ["runtime.threads=1"],
        ["runtime.decoder=pyav"],
        ["runtime.batch_frames=1", "runtime.batch_people=1", "runtime.queue_batches=1"],
    ],
)
def test_what_may_not_change_a_result_does_not(done: RunFolder, tmp_path: Path, sets: list[str]) -> None:
    assert quick(tmp_path, *sets).tracks.read_bytes() == done.tracks.read_bytes()


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(done: RunFolder, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "run", str(CLIP), "--out", str(tmp_path), "--no-render", "-q"]
    command += ["--end", str(END_S), *(f"--set={s}" for s in QUICK)]
    part = tmp_path / "laboratory" / "observations" / "part-00001.parquet"
    process = subprocess.Popen(command, cwd=CLIP.parent.parent)
    while not part.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "laboratory" / "tracks.parquet").exists()
    before = part.stat().st_mtime_ns
    part.with_name(f".part-00002.parquet.{process.pid}.tmp").write_bytes(b"half")  # as a kill may leave it
    subprocess.run(command, cwd=CLIP.parent.parent, check=True)
    assert part.stat().st_mtime_ns == before  # what was whole is not made again
    assert (tmp_path / "laboratory" / "tracks.parquet").read_bytes() == done.tracks.read_bytes()
    assert not list((tmp_path / "laboratory").rglob("*.tmp"))


def test_damaged_and_foreign_parts_are_made_again(done: RunFolder, tmp_path: Path) -> None:
    folder = quick(tmp_path)
    folder.part(1).write_bytes(folder.part(1).read_bytes()[:-20])
    folder.part(2).write_bytes(folder.part(0).read_bytes())
    assert quick(tmp_path).tracks.read_bytes() == done.tracks.read_bytes()


def test_other_settings_keep_the_old_observations_and_take_them_back(tmp_path: Path) -> None:
    first = quick(tmp_path)
    stamp = first.part(0).stat().st_mtime_ns
    quick(tmp_path, "observe.chunk_frames=12")
    assert len(first.parts()) == 2
    assert len(list(first.path.glob("observations-*"))) == 1
    (first.observations / "notes.md").write_text("mine")
    quick(tmp_path)
    assert len(first.parts()) == 4
    assert first.part(0).stat().st_mtime_ns == stamp
    (aside,) = first.path.glob("observations-*")
    assert sorted(p.name for p in aside.iterdir()) == ["index.parquet", "part-00000.parquet", "part-00001.parquet"]
    assert (first.observations / "notes.md").read_text() == "mine"


def test_force_starts_over_but_leaves_foreign_files(tmp_path: Path) -> None:
    folder = quick(tmp_path)
    mine = [folder.path / "notes.txt", folder.people / "person_notes.md", folder.observations / "part-list.txt"]
    for path in mine:
        path.write_text("mine")
    stamp = folder.part(0).stat().st_mtime_ns
    quick(tmp_path, force=True)
    assert folder.part(0).stat().st_mtime_ns != stamp
    assert [path.read_text() for path in mine] == ["mine"] * 3


def test_tracking_removes_its_own_tables_only(done: RunFolder, tmp_path: Path) -> None:
    folder = RunFolder(shutil.copytree(done.path, tmp_path / "run"))
    mine = [folder.people / name for name in ("person_0001_filtered.csv", "person_notes.md", "person_0001.xlsx")]
    old = [folder.people / name for name in ("person_0099.csv", "person_12345.parquet")]
    for path in mine:
        path.write_text("mine")
    for path in old:
        shutil.copy((folder.people / "person_0001").with_suffix(path.suffix), path)
    track(folder.path)
    assert [path.read_text() for path in mine] == ["mine"] * 3
    assert not any(path.exists() for path in old)


def test_track_uses_stored_observations_only(done: RunFolder, tmp_path: Path) -> None:
    clip = tmp_path / "laboratory.mp4"
    clip.write_bytes(CLIP.read_bytes())
    folder = run(clip, tmp_path, load_config("default", QUICK), end_s=END_S, render=False)[0]
    clip.unlink()
    before = folder.tracks.read_bytes()
    assert track(folder.path).tracks.read_bytes() == before
    with_nobody = load_config("default", [*QUICK, "track.min_mean_score=1.0"])
    track(folder.path, with_nobody)
    assert len(pd.read_parquet(folder.tracks)) == 0
    assert not list(folder.people.glob("person_*"))
    assert folder.people_csv.read_text().startswith("person_id,")


def test_observations_come_in_chunks_that_cover_the_frames(done: RunFolder) -> None:
    frames = [json.loads(pq.read_schema(p).metadata[b"frames"]) for p in done.parts()]
    assert frames == [[0, 6], [6, 12], [12, 18], [18, 24]]
    for (low, high), part in zip(frames, done.parts(), strict=True):
        assert ((read_part(part).frame >= low) & (read_part(part).frame < high)).all()


def test_start_and_end_keep_the_frames_numbers_and_times(tmp_path: Path) -> None:
    folder = run(CLIP, tmp_path, load_config("default", QUICK), start_s=0.5, end_s=0.8, render=True)[0]
    tracks = pd.read_parquet(folder.tracks)
    assert tracks["frame"].min() == 30
    assert tracks["time_s"].max() < 0.8
    assert len(index_video(folder.video)) == 18


def test_a_video_that_is_up_to_date_is_not_drawn_again(tmp_path: Path) -> None:
    config = load_config("default", QUICK)

    def draw(*sets: str) -> int:
        folder = run(CLIP, tmp_path, load_config("default", [*QUICK, *sets]), end_s=0.1)[0]
        return folder.video.stat().st_mtime_ns

    first = draw()
    assert draw() == first
    assert draw("render.crf=30") != first
    second = draw()
    track(tmp_path / "laboratory", load_config("default", [*QUICK, "track.min_mean_score=1.0"]))
    assert run(CLIP, tmp_path, config, end_s=0.1)[0].video.stat().st_mtime_ns == second  # same tables again
    (tmp_path / "laboratory" / "annotated.mp4").unlink()
    assert draw() != second


def test_a_video_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video at all" * 100)
    with pytest.raises(PoselineError, match=r"bad\.mp4.*1 of 2"):
        run([bad, CLIP], tmp_path / "out", load_config("default", QUICK), end_s=0.1, render=False)
    assert (tmp_path / "out" / "laboratory" / "tracks.parquet").exists()


def test_two_videos_of_one_name_get_two_folders(tmp_path: Path) -> None:
    other = tmp_path / "laboratory.mp4"
    data = CLIP.read_bytes()
    other.write_bytes(data + b"\0" * 8)  # another file, the same pictures
    config = load_config("default", QUICK)
    folders = run([CLIP, other], tmp_path / "out", config, end_s=0.1, render=False)
    assert len({f.path for f in folders}) == 2


class Ahead:
    """An engine that has all jobs before it does the first one, and does nothing."""

    jobs: list[Job]

    def map(self, jobs: Iterator[Job], *_: object) -> Iterator[Ended]:
        self.jobs = list(jobs)
        yield from map(Ended, self.jobs)

    def close(self) -> None:
        pass


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Ahead:
    engine = Ahead()
    monkeypatch.setattr(workflow, "start_engine", lambda options, config: engine)
    return engine


class Said(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_two_inputs_that_are_the_same_video_are_done_once(ahead: Ahead, tmp_path: Path) -> None:
    same, other = tmp_path / "a" / "laboratory.mp4", tmp_path / "b" / "laboratory.mp4"
    for path, end in ((same, b""), (other, b"\0" * 8)):
        path.parent.mkdir()
        path.write_bytes(CLIP.read_bytes() + end)
    said = Said()
    folders = run([CLIP, other, same, other], tmp_path / "out", end_s=0.1, progress=said)
    assert len({job.folder.path for job in ahead.jobs}) == len(ahead.jobs) == len(folders) == 2
    told = [line for line in said.lines if "done once" in line]
    assert told == [
        f"{same}: the same video as {CLIP}; done once, in {tmp_path / 'out' / 'laboratory'}",
        f"{other}: the same video as {other}; done once, in {ahead.jobs[1].folder.path}",
    ]


def test_a_folder_that_became_anothers_before_it_was_held_is_not_taken(
    ahead: Ahead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(CLIP, tmp_path, end_s=0.1)
    theirs = RunFolder(tmp_path / "laboratory").manifest()
    theirs["video"] |= {"digest": "another", "path": "/another/laboratory.mp4"}
    shutil.rmtree(tmp_path / "laboratory")

    @contextmanager
    def late(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
        if folder.name == "laboratory":  # somebody else has begun and ended meanwhile
            RunFolder(folder).write_manifest(Manifest(theirs))
        with locked(folder, say):
            yield

    monkeypatch.setattr(workflow, "locked", late)
    folder = run(CLIP, tmp_path, end_s=0.1)[0]
    assert folder.path.name.startswith("laboratory-")
    assert RunFolder(tmp_path / "laboratory").manifest() == theirs
    assert not list(tmp_path.rglob(".lock"))


def test_two_pipes_of_one_name_are_refused(tmp_path: Path) -> None:
    pipes = [tmp_path / name / "video.fifo" for name in "ab"]
    for pipe in pipes:
        pipe.parent.mkdir()
        os.mkfifo(pipe)
    with pytest.raises(PoselineError, match=r"b/video\.fifo: another pipe of this name"):
        run(pipes, tmp_path / "out")


def test_progress_is_told_every_frame(tmp_path: Path) -> None:
    class Count(Progress):
        frames = 0
        stages: list[str] = []  # noqa: RUF012

        def start(self, stage: str, total: int, done: int) -> None:
            self.stages.append(stage)

        def advance(self, frames: int) -> None:
            self.frames += frames

    count = Count()
    quick(tmp_path, progress=count)
    assert count.frames == 24
    assert count.stages == ["observe", "track"]


def test_a_full_disk_ends_with_one_line_and_keeps_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pipeline.store.checked as store

    real, calls = store.pq.write_table, []

    def full(table: object, where: object, **options: object) -> None:
        calls.append(where)
        if len(calls) == 4:  # the index, two parts, and then the disk is full
            raise OSError(28, "No space left on device")
        real(table, where, **options)

    monkeypatch.setattr(store.pq, "write_table", full)
    with pytest.raises(PoselineError, match="disk is full") as caught:
        quick(tmp_path)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    folder = RunFolder(tmp_path / "laboratory")
    assert len(folder.parts()) == 2
    assert len(quick(tmp_path).parts()) == 4


def test_a_pipe_is_read_like_a_file(done: RunFolder, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "run", "-", "--out", str(tmp_path), "--no-render", "-q"]
    command += ["--end", str(END_S), *(f"--set={s}" for s in QUICK)]
    with open(CLIP, "rb") as clip:
        subprocess.run(command, stdin=clip, cwd=CLIP.parent.parent, check=True)
    piped = pd.read_parquet(tmp_path / "stdin" / "tracks.parquet")
    pd.testing.assert_frame_equal(piped, pd.read_parquet(done.tracks))
