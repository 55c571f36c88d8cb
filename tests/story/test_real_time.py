"""Videos that play more or fewer frames a second than were recorded: real seconds in tables, the video's own beside."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline import PoselineError, load_config, read_run, run, track
from pipeline.cli.app import app
from pipeline.core.types import VideoInfo
from pipeline.export.run import export_run
from pipeline.finish import render_run
from pipeline.live.run import live
from pipeline.store.folder import RunFolder
from pipeline.store.index import stored_video
from pipeline.tracking import edits_file
from pipeline.tracking.edits import parse
from pipeline.video.index import index_video
from tests.export.runs import video

CLIP = Path(__file__).resolve().parents[2] / "data" / "laboratory.mp4"  # 60 frames/s
QUICK = ["detect.pixels=65536", "observe.chunk_frames=6"]
FRAMES, SLOW = 24, 4.0


def info_at(time_s: np.ndarray, fps: Fraction, recorded: float | None) -> VideoInfo:
    return video(time_s, fps).recorded_at(recorded)


def quick(out: Path, *sets: str, **options: object) -> RunFolder:
    config = load_config("default", [*QUICK, *sets])
    return run(CLIP, out, config, end_s=FRAMES / 60, render=False, **options)[0]


@pytest.fixture(scope="module")
def as_played(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return quick(tmp_path_factory.mktemp("played"))


@pytest.fixture(scope="module")
def slowed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return quick(tmp_path_factory.mktemp("slowed"), f"time.recorded_fps={60 * SLOW:g}")


def test_without_the_option_real_times_are_the_container_s_own() -> None:
    info = info_at(np.arange(5) / 30, Fraction(30), None)
    assert info.real_s is info.time_s
    assert info.pace == 1


def test_the_first_time_stays_and_steps_become_real() -> None:
    info = info_at(1.4 + np.arange(31) / 30, Fraction(30), 240)
    assert info.pace == Fraction(1, 8)
    np.testing.assert_allclose(info.real_s, 1.4 + np.arange(31) / 240, atol=1e-12)
    assert info.in_video_s(float(info.real_s[17])) == pytest.approx(info.time_s[17])
    assert info.in_real_s(float(info.time_s[17])) == pytest.approx(info.real_s[17])


def test_rounded_times_and_missing_frames_do_not_change_the_pace() -> None:
    frames = np.delete(np.arange(300), [20, 21, 22, 80, 81, 200])
    time_s = np.round(frames / 30, 3)  # a container of milliseconds
    info = info_at(time_s, Fraction(29), 240)  # the mean rate is lower, for the missing frames
    assert float(info.pace) == pytest.approx(1 / 8, rel=2e-4)
    assert info_at(np.round(np.arange(300) / 30, 3), Fraction(30), 240).pace == Fraction(1, 8)


def test_tables_are_in_real_seconds_with_the_video_s_own_beside(as_played: RunFolder, slowed: RunFolder) -> None:
    video, tables = index_video(CLIP), read_run(slowed.path)
    assert VIDEO_TIMES.isdisjoint(columns_of(as_played))
    for table in (tables["tracks"], *tables["motion"].values()):
        np.testing.assert_array_equal(table["video_time_s"], video.time_s[table["frame"]])
        np.testing.assert_allclose(table["time_s"], video.time_s[0] + (table["video_time_s"] - video.time_s[0]) / SLOW)
    people = tables["people"]
    np.testing.assert_allclose(
        people["duration_s"], (people["last_video_time_s"] - people["first_video_time_s"]) / SLOW, atol=1e-5
    )
    meta = pq.read_schema(slowed.tracks).metadata
    assert (meta[b"fps"], meta[b"video_fps"]) == (b"240", b"60")
    assert slowed.manifest()["time"] == {"recorded_fps": "240", "played_fps": "60", "real_s_per_video_s": 0.25}
    assert "contact_video_time_s" in (slowed.path / "gait.csv").read_text().splitlines()[0]


VIDEO_TIMES = {"video_time_s", "first_video_time_s", "last_video_time_s", "contact_video_time_s"}


def columns_of(folder: RunFolder) -> set[str]:
    paths = [folder.tracks, folder.people_parquet, *folder.people.glob("*.parquet")]
    named = {name for path in paths for name in pq.read_schema(path).names}
    return named | set((folder.path / "gait.csv").read_text().splitlines()[0].split(","))


def test_speeds_are_real(as_played: RunFolder, slowed: RunFolder) -> None:
    one, two = (read_run(folder.path)["motion"][1] for folder in (as_played, slowed))
    ratio = two["com_speed_px_s"].median() / one["com_speed_px_s"].median()
    assert 0.5 * SLOW < ratio < 2 * SLOW  # the filter knows real times, so not exactly


def test_the_rate_can_be_said_later_and_is_kept(as_played: RunFolder, slowed: RunFolder, tmp_path: Path) -> None:
    folder = quick(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.parts()}
    assert folder.tracks.read_bytes() == as_played.tracks.read_bytes()
    track(folder, load_config("default", ["time.recorded_fps=240"]))
    assert folder.tracks.read_bytes() == slowed.tracks.read_bytes()
    track(folder)
    track(folder, load_config("default", ["smooth.method=butterworth"]))
    assert stored_video(folder).recorded_fps == 240
    quick(tmp_path)  # said no longer; nobody is observed again
    assert folder.tracks.read_bytes() == as_played.tracks.read_bytes()
    assert {path: path.stat().st_mtime_ns for path in folder.parts()} == before


def test_exports_carry_real_time(slowed: RunFolder, tmp_path: Path) -> None:
    trc = sorted(export_run(slowed, "trc", tmp_path / "trc").glob("*.trc"))[0].read_text().splitlines()
    assert trc[2].split("\t")[0] == "240"
    times = [float(line.split("\t")[1]) for line in trc[6:]]
    np.testing.assert_allclose(np.diff(times), 1 / 240, atol=1e-9)
    image = json.loads(export_run(slowed, "coco", tmp_path / "coco.json").read_text())["images"][8]
    assert image["time_s"] == pytest.approx(8 / 240)
    assert image["video_time_s"] == pytest.approx(8 / 60)


def test_the_annotated_video_keeps_the_video_s_clock(slowed: RunFolder, tmp_path: Path) -> None:
    drawn = index_video(render_run(slowed, out=tmp_path / "drawn.mp4"))
    np.testing.assert_allclose(drawn.time_s, index_video(CLIP).time_s[:FRAMES], atol=1e-6)


def test_edits_are_on_the_video_s_clock_whatever_the_rate(tmp_path: Path) -> None:
    folder, frame = quick(tmp_path), 12
    at_s = index_video(CLIP).time_s[frame]
    edits_file.add(folder, parse([], [f"1@{at_s:.6f}"], [], [], []))
    for rate in (60, 240):
        track(folder, load_config("default", [f"time.recorded_fps={rate}"]))
        assert read_run(folder.path)["motion"][1]["frame"].max() == frame - 1
    assert f"{(frame - 1) / 60:.3f}" in edits_file.listing(folder)[1]


def test_plots_take_the_video_s_time(slowed: RunFolder, tmp_path: Path) -> None:
    words = ["plot", str(slowed.path), "--person", "1", "--start", "0.2", "--end", "0.3", "--what", "com_x_px"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "a.png")])
    assert result.exit_code == 0, result.exception


def test_a_live_stream_is_as_fast_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(PoselineError, match="recorded_fps"):
        live(str(CLIP), tmp_path, load_config("default", ["time.recorded_fps=240"]))


@pytest.mark.parametrize("text", ["0", "-3", "fast", "1/0"])
def test_a_rate_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["run", str(CLIP), "--out", str(tmp_path), "--recorded-fps", text])
    assert f"--recorded-fps {text}" in str(result.exception)


def test_the_small_tables_read_back(slowed: RunFolder) -> None:
    people = pd.read_csv(slowed.people_csv)
    assert (people["last_video_time_s"] > people["last_time_s"]).all()
