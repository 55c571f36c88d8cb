"""Run folders: damaged, foreign and half-written files in them, two runs at once, kills, full disks, clocks, names."""

from __future__ import annotations

import contextlib
import csv
import errno
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import PoselineError, load_config, read_run, run, track
from pipeline.core.progress import Progress
from pipeline.export.run import export_run
from pipeline.finish import render_run
from pipeline.prepare import folder_name
from pipeline.render.plot import plot_person
from pipeline.render.privacy import Privacy
from pipeline.report.write import write_report
from pipeline.store.folder import RunFolder
from pipeline.store.lock import NAME, locked
from pipeline.store.manifest import Manifest
from pipeline.store.parts import part_is_whole, read_part
from pipeline.store.people_csv import cell, text_of
from pipeline.tracking.edits import parse
from pipeline.tracking.edits_file import add, listing
from pipeline.video.index import index_video

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "data" / "laboratory.mp4"
QUICK = ["detect.pixels=65536", "observe.chunk_frames=6", "lift.name=none"]
QUICK += ["report.enabled=false"]
END_S = 0.3  # 18 frames, 3 parts


class Said(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def quick(out: Path, clip: Path = CLIP, said: Said | None = None, render: bool = False, **options) -> RunFolder:
    config = load_config("default", [*QUICK, *options.pop("sets", [])])
    return run(clip, out, config, end_s=END_S, render=render, progress=said, **options)[0]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return quick(tmp_path_factory.mktemp("done"), render=True)


@pytest.fixture
def copy(done: RunFolder, tmp_path: Path) -> RunFolder:
    shutil.copytree(done.path, tmp_path / "laboratory")
    return RunFolder(tmp_path / "laboratory")


def flip(path: Path, share: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(share * (len(data) - 1))] ^= 4
    path.write_bytes(data)


def flip_a_keypoint(path: Path) -> None:
    metadata = pq.ParquetFile(path).metadata.row_group(0)
    columns = {metadata.column(i).path_in_schema.split(".")[0]: metadata.column(i) for i in range(metadata.num_columns)}
    column = columns["keypoints_px"]
    flip(path, (column.data_page_offset + column.total_compressed_size // 2) / (path.stat().st_size - 1))


# --- damaged files ---------------------------------------------------------------------------------------------------


def test_a_flipped_bit_anywhere_in_a_part_is_noticed_or_without_effect(copy: RunFolder) -> None:
    path, frames = copy.part(1), (6, 12)
    digest, good = copy.manifest()["observe_digest"], path.read_bytes()
    assert part_is_whole(path, frames, digest)
    whole, noticed = read_part(path), 0
    for i in range(60):
        flip(path, i / 60)
        if part_is_whole(path, frames, digest):
            back = read_part(path)
            for name, array in vars(whole).items():
                assert np.asarray(getattr(back, name)).tobytes() == np.asarray(array).tobytes(), name
        else:
            noticed += 1
        path.write_bytes(good)
    assert noticed > 20  # the others are in the footer: statistics, names of programs


@pytest.mark.parametrize("damage", ["flip", "cut", "foreign", "gone"])
def test_a_damaged_part_is_refused_by_track_and_observed_again_by_run(
    copy: RunFolder, done: RunFolder, damage: str
) -> None:
    path = copy.part(1)
    kept = copy.part(0).stat().st_mtime_ns
    if damage == "flip":
        flip_a_keypoint(path)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "foreign":
        path.write_bytes(copy.part(2).read_bytes())
    else:
        path.unlink()
    before = copy.tracks.read_bytes()
    for read in (lambda: track(copy), lambda: add(copy, parse(name=["1=Ann"]))):
        with pytest.raises(PoselineError, match="poseline run on the video") as caught:
            read()
        assert "\n" not in str(caught.value)
    assert copy.tracks.read_bytes() == before
    quick(copy.path.parent)
    assert copy.tracks.read_bytes() == done.tracks.read_bytes()
    assert copy.part(0).stat().st_mtime_ns == kept


def test_a_damaged_manifest_is_said_and_mended_and_no_part_is_lost(copy: RunFolder, done: RunFolder) -> None:
    stamps = [path.stat().st_mtime_ns for path in copy.parts()]
    text = copy.manifest_file.read_text()
    for content in (text[: len(text) // 2], text.replace('"max_gap_s": 1.0', '"max_gap_s": 9.0'), "[" * 100_000, "{}"):
        copy.manifest_file.write_text(content)
        if content != "{}":
            with pytest.raises(PoselineError, match=r"damaged .*poseline run on the video mends it"):
                track(copy)
        said = Said()
        quick(copy.path.parent, said=said)
        assert content == "{}" or any("run.json: damaged" in line for line in said.lines)
        assert copy.tracks.read_bytes() == done.tracks.read_bytes()
        assert [path.stat().st_mtime_ns for path in copy.parts()] == stamps


def test_a_run_of_an_earlier_version_can_be_tracked_again(copy: RunFolder, done: RunFolder) -> None:
    """Its settings name networks and thresholds that are gone, and its parts have the 3D of one of them."""
    manifest = copy.manifest()
    config = manifest["config"]
    config["lift"]["name"] = "blazepose"
    config["observe"] = {"chunk_frames": 6, "detect_every": 2}
    config["detect"] = {"name": "movenet-multipose+nanodet", "nanodet_score": 0.3, "multipose_input": [{"share": 0.4}]}
    config["pose"] |= {"name": "blazepose-heavy", "decode": "person"}
    copy.write_manifest(Manifest(manifest))
    for path in copy.parts():
        part = pq.read_table(path)
        world = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(part.num_rows * 78, np.float32)), 78)
        facts = {k: v for k, v in part.schema.metadata.items() if k != b"checksum"}
        pq.write_table(part.append_column("world_m", world).replace_schema_metadata(facts), path)
    track(copy)
    theirs, mine = pq.read_table(done.tracks), pq.read_table(copy.tracks)
    assert mine.equals(theirs)
    assert copy.manifest()["config"]["pose"]["name"] == "blazepose-heavy"  # the one that did observe
    assert copy.manifest()["lifter"]["name"] == "poseline"
    with pytest.raises(PoselineError, match="this network is gone; yolox-tiny replaces it"):
        quick(copy.path.parent, sets=["detect.name=nanodet"])


def test_settings_of_no_version_are_one_line(copy: RunFolder) -> None:
    for config in ({"observe": 7}, [1], {"observe": {"unheard_of": 1}}, {"lift": "blazepose"}, None):
        copy.write_manifest(Manifest(copy.manifest() | {"config": config}))
        with pytest.raises(PoselineError, match=r"settings of another version; run again with --force") as caught:
            track(copy)
        assert "\n" not in str(caught.value)


def test_the_videos_path_in_the_manifest_may_be_put_right(copy: RunFolder) -> None:
    manifest = json.loads(copy.manifest_file.read_text())
    manifest["video"]["path"] = "/elsewhere/laboratory.mp4"
    copy.manifest_file.write_text(json.dumps(manifest))
    assert copy.manifest()["video"]["path"] == "/elsewhere/laboratory.mp4"


def test_a_damaged_table_is_named_and_made_again(copy: RunFolder) -> None:
    person = sorted(copy.people.glob("*.parquet"))[0]
    readers = {
        person: (lambda: render_run(copy), lambda: plot_person(copy, 1), lambda: write_report(copy, Privacy())),
        copy.tracks: (lambda: export_run(copy, "mot"), lambda: export_run(copy, "coco"), lambda: read_run(copy.path)),
        copy.observations / "index.parquet": (lambda: track(copy), lambda: export_run(copy, "coco")),
        copy.people_parquet: (
            lambda: listing(copy),
            lambda: read_run(copy.path),
            lambda: write_report(copy, Privacy()),
        ),
    }
    for path, reads in readers.items():
        good = path.read_bytes()
        path.write_bytes(good[: len(good) // 3])
        for read in reads:
            with pytest.raises(PoselineError, match=path.name) as caught:
                read()
            assert "\n" not in str(caught.value)
        path.write_bytes(good)
    others = sorted(copy.people.glob("*.parquet"))
    others[0].write_bytes(others[1].read_bytes())
    with pytest.raises(PoselineError, match="no table of this person"):
        export_run(copy, "csv")
    track(copy)
    export_run(copy, "csv")


@pytest.mark.parametrize(
    "text", ["edit = 1", "[[edit]]\nkind = 7", "x = " + "[" * 50_000, "a." * 20_000 + "b = 1", "\x00"]
)
def test_damaged_or_monstrous_edits_are_one_line(copy: RunFolder, text: str) -> None:
    (copy.path / "edits.toml").write_text(text)
    with pytest.raises(PoselineError, match=r"edits\.toml: damaged") as caught:
        track(copy)
    assert len(str(caught.value)) < 1000


# --- killed runs -----------------------------------------------------------------------------------------------------


def test_killed_between_two_settings_no_finished_part_is_lost(copy: RunFolder, done: RunFolder) -> None:
    """The folders of observations are renamed before the manifest says so."""
    digest = copy.manifest()["observe_digest"]
    stamps = [path.stat().st_mtime_ns for path in copy.parts()]
    other = quick(copy.path.parent, sets=["observe.chunk_frames=9"])
    others = [path.stat().st_mtime_ns for path in other.parts()]
    aside, now = copy.path / f"observations-{digest[:8]}", other.manifest()["observe_digest"]
    copy.observations.rename(copy.path / f"observations-{now[:8]}")  # killed here …
    quick(copy.path.parent)
    assert [path.stat().st_mtime_ns for path in copy.parts()] == stamps
    assert copy.tracks.read_bytes() == done.tracks.read_bytes()
    copy.observations.rename(aside)
    (copy.path / f"observations-{now[:8]}").rename(copy.observations)  # … or here, by the manifest still the first's
    quick(copy.path.parent, sets=["observe.chunk_frames=9"])
    assert [path.stat().st_mtime_ns for path in copy.parts()] == others
    assert [path.stat().st_mtime_ns for path in sorted(aside.glob("part-*"))] == stamps


def test_force_takes_nothing_back(copy: RunFolder) -> None:
    quick(copy.path.parent, sets=["observe.chunk_frames=9"])
    stamps = {path.stat().st_mtime_ns for path in copy.path.glob("observations-*/part-*")}
    quick(copy.path.parent, force=True)
    assert not stamps & {path.stat().st_mtime_ns for path in copy.parts()}


def test_a_tracking_that_was_stopped_is_not_taken_for_finished(copy: RunFolder) -> None:
    class Stopped(Progress):
        def stage(self, name: str, done: int) -> None:
            if name == "people":  # some tables are of the new settings
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track(copy, load_config("default", [*QUICK, "smooth.method=none"]), Stopped())
    with pytest.raises(PoselineError, match="not finished"):
        export_run(copy, "csv")
    track(copy)
    export_run(copy, "csv")


def test_a_name_given_again_after_a_kill_is_one_edit(copy: RunFolder) -> None:
    for _ in range(2):
        add(copy, parse(name=["1=Ann"]))
        track(copy)
    assert [line for line in listing(copy) if line.startswith("edit ")] == [listing(copy)[-1]]


def test_the_video_of_a_killed_live_segment_is_no_leftover(copy: RunFolder) -> None:
    video = copy.path / f".live.mp4.{os.getpid()}.partial"
    video.touch()
    track(copy)
    assert video.exists()


def test_leftovers_of_any_process_go_with_the_next_command(copy: RunFolder) -> None:
    left = [copy.path / f".x.{os.getpid()}.tmp", copy.people / ".y.1.partial", copy.path / ".motions-abc"]
    left[2].mkdir()
    for path in left[:2]:
        path.touch()
    track(copy)
    assert not list(copy.path.rglob(".*"))


# --- two at once -----------------------------------------------------------------------------------------------------


def holder(folder: Path) -> subprocess.Popen[str]:
    code = f"from pathlib import Path; from pipeline.store.lock import locked\nwith locked(Path({str(folder)!r})):\n"
    code += " print(1, flush=True); import time; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_two_runs_in_one_folder_and_a_killed_owner_is_not_in_the_way(copy: RunFolder) -> None:
    owner = holder(copy.path)
    try:
        for act in (lambda: quick(copy.path.parent), lambda: track(copy), lambda: export_run(copy, "csv")):
            with pytest.raises(
                PoselineError, match=rf"another poseline \(process {owner.pid} on .*wait for it"
            ) as caught:
                act()
            assert "\n" not in str(caught.value)
        export_run(copy, "csv", out=copy.path.parent / "elsewhere.csv")
    finally:
        owner.kill()
        owner.wait()
    assert (copy.path / NAME).exists()
    track(copy)
    assert not (copy.path / NAME).exists()


def test_a_lock_may_be_taken_again_inside_and_goes_when_it_ends_badly(tmp_path: Path) -> None:
    with contextlib.suppress(ValueError), locked(tmp_path), locked(tmp_path):
        assert (tmp_path / NAME).exists()
        raise ValueError
    assert not (tmp_path / NAME).exists()


def test_where_there_are_no_locks_it_is_said_and_work_goes_on(tmp_path: Path, monkeypatch) -> None:
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    said: list[str] = []
    with locked(tmp_path, said.append):
        pass
    assert "has no locks" in said[0]


# --- disks and clocks ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to mount")
def test_a_disk_that_is_full_or_read_only_is_one_line_and_the_run_goes_on(done: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "disk"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(out)], capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        with pytest.raises(PoselineError, match=r"disk is full; free some space") as caught:
            quick(out)
        assert "\n" not in str(caught.value)
        stamps = [path.stat().st_mtime_ns for path in RunFolder(out / "laboratory").parts()]
        del caught
        for _ in range(100):  # until all is closed: the writer that failed keeps its file open until it is collected,
            gc.collect()  # and a process that another thread has just begun keeps it for a moment
            if not subprocess.run(["mount", "-o", "remount,ro,size=32m", str(out)], capture_output=True).returncode:
                break
            time.sleep(0.05)
        with pytest.raises(PoselineError, match="may not be written to"):
            quick(out)
        subprocess.run(["mount", "-o", "remount,rw", str(out)], check=True)
        folder = quick(out)
        assert [path.stat().st_mtime_ns for path in folder.parts()][: len(stamps)] == stamps
        assert folder.tracks.read_bytes() == done.tracks.read_bytes()
    finally:
        subprocess.run(["umount", "-l", str(out)], check=True)


def test_an_output_that_vanishes_is_one_line(tmp_path: Path) -> None:
    class Vandal(Progress):
        def start(self, stage: str, total: int, done: int) -> None:
            if stage == "track":
                shutil.rmtree(tmp_path / "out")

    config = load_config("default", QUICK)
    with pytest.raises(PoselineError, match=r"run\.json: gone"):
        run(CLIP, tmp_path / "out", config, end_s=END_S, render=False, progress=Vandal())


def test_nothing_depends_on_the_clock(done: RunFolder, tmp_path: Path, monkeypatch) -> None:
    jumps = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    monkeypatch.setattr(time, "time_ns", lambda: next(jumps) * 10**9)
    assert quick(tmp_path).tracks.read_bytes() == done.tracks.read_bytes()


# --- names -----------------------------------------------------------------------------------------------------------

NAMES = ["...mp4", "..mp4", ".mp4", "a\nb\x1b[31m.mp4", "-rf.mp4", "=cmd|' !A0.mp4", "q\"'$(x).mp4", "\udcff\udcfe.mp4"]
NAMES += ["ä" * 120 + ".mp4", "x" * 251 + ".mp4", " .mp4", "a%s{}.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_folder_is_one_plain_name_inside_out(tmp_path: Path, name: str) -> None:
    plain = folder_name(Path("/videos") / name)
    assert (tmp_path / plain).resolve().parent == tmp_path
    assert not any(c in plain for c in "\n\x1b\udcff/")
    (tmp_path / f"{plain}-01234567").mkdir()  # as of another video of this name


@pytest.mark.parametrize("name", ["...mp4", "a\nb.mp4", "-\udcff=x.mp4"])
def test_nothing_is_written_outside_the_run_folder(tmp_path: Path, name: str) -> None:
    source = tmp_path / "in"
    source.mkdir()
    clip = source / name
    shutil.copy(CLIP, clip)
    folder = quick(tmp_path / "out", clip)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == [folder.path.name]
    assert [p.name for p in source.iterdir()] == [name]
    track(folder)
    render_run(folder)
    assert len(index_video(folder.video)) == 18
    assert read_run(folder.path)["manifest"]["video"]["path"] == str(clip)


def test_a_texts_formula_is_a_text_in_csv_and_comes_back(copy: RunFolder) -> None:
    add(copy, parse(name=["1==cmd|' /C calc'!A0"]))
    track(copy)
    with open(copy.people_csv, newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["name"] == "'=cmd|' /C calc'!A0"
    assert copy.manifest()["names"] == {"1": "=cmd|' /C calc'!A0"}
    assert read_run(copy.path)["people"]["name"][0] == "=cmd|' /C calc'!A0"
    assert "  =cmd" in listing(copy)[1]
    everybody = export_run(copy, "csv").read_text(encoding="utf-8")
    assert "'=cmd" in everybody
    for text in ("=1", "+1", "-1", "@x", "'=1", "Ann", "", "'", "''@", "a=b"):
        assert text_of(cell(text)) == text
        assert not cell(text).startswith(("=", "+", "-", "@"))


# --- the process and its surroundings --------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "pipeline.cli", "run", str(CLIP), "--end", str(END_S), "--no-render"]
COMMAND += [f"--set={setting}" for setting in QUICK]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_in_a_line_and_a_second_one_at_once(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen([*COMMAND, "--out", str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    part = tmp_path / "laboratory" / "observations" / "part-00000.parquet"
    while not part.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    if number == signal.SIGINT:
        process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said.strip().splitlines()[-1] == "poseline: stopped; run the same command again to go on"
    assert "Traceback" not in said


def test_no_home_no_streams_no_temporary_folder_and_the_plainest_locale(done: RunFolder, tmp_path: Path) -> None:
    shell = f"exec {' '.join(map(repr, COMMAND))} --out {str(tmp_path)!r} <&- >&- 2>&-"
    plain = {"LANG": "C", "LC_ALL": "C", "TMPDIR": "/nonexistent", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    subprocess.run(["sh", "-c", shell], cwd=ROOT, env=plain, check=True)
    assert (tmp_path / "laboratory" / "tracks.parquet").read_bytes() == done.tracks.read_bytes()


def test_nobody_reads_what_is_said(done: RunFolder, tmp_path: Path) -> None:
    """Standard error that is closed on the other side stops no run."""
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run([*COMMAND, "--out", str(tmp_path)], cwd=ROOT, stderr=write, stdout=subprocess.DEVNULL)
    os.close(write)
    assert (tmp_path / "laboratory" / "tracks.parquet").read_bytes() == done.tracks.read_bytes()
    assert result.returncode in (0, 120)  # Python's own, for a stream that it could not flush at its end
