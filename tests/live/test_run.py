"""poseline live from end to end on a stream on 127.0.0.1, with a detector that finds the clip's white figure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

import pipeline.live.run as live_run
from pipeline import read_run
from pipeline.core.config import load_config
from pipeline.core.errors import PoselineError
from pipeline.core.keypoint_sets import HALPE26
from pipeline.export.run import export_run
from pipeline.finish import track
from pipeline.live import engine
from pipeline.live.finish import finish_segment, unfinished
from pipeline.models.detections import Detections
from pipeline.models.registry import Models
from pipeline.store.folder import RunFolder
from tests.live.station import Station, write_clip

_PLACES = np.random.default_rng(5).uniform(0.1, 0.9, (len(HALPE26), 2))


class FigureDetector:
    """Finds bright blocks, each a person whose keypoints lie at fixed places of the box."""

    skeleton = HALPE26
    sessions = ()

    def __init__(self, slow_s: float = 0.0) -> None:
        self.slow_s = slow_s

    def detect(self, images: np.ndarray) -> Detections:
        time.sleep(self.slow_s)
        parts = []
        for i, image in enumerate(images):
            count, _, stats, _ = cv2.connectedComponentsWithStats((image[..., 1] > 130).astype(np.uint8))
            boxes = [[x, y, x + w, y + h] for x, y, w, h, area in stats[1:count] if area > 200]
            box = np.array(boxes, np.float32).reshape(-1, 4)
            points = box[:, None, :2] + (box[:, None, 2:] - box[:, None, :2]) * _PLACES[None]
            n = len(box)
            sure = np.full(n, 0.9, np.float32)
            known = np.full(points.shape[:2], 0.8, np.float32)
            parts.append(Detections(np.full(n, i), box, sure, points.astype(np.float32), known))
        return Detections.concat(parts)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "a.ts")


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "short.ts", frames=40)


@pytest.fixture
def detector(monkeypatch):
    """The figure's detector in place of the networks, and segments finished in this process at the end."""
    made = FigureDetector()

    def wait(self):
        for path in self._paths:
            finish_segment(path)

    monkeypatch.setattr(engine, "build_models", lambda config: Models(made, None, HALPE26))
    monkeypatch.setattr(engine.Finishers, "poll", lambda self: None)
    monkeypatch.setattr(engine.Finishers, "wait", wait)
    return made


@pytest.fixture
def follow(detector, monkeypatch, tmp_path):
    """Follows a source into the folder ``cam`` until ``done`` of the run is so."""

    def run(source, config, done=lambda run: False, **options):
        class Watched(engine.LiveEngine):
            def _housekeeping(self):
                super()._housekeeping()
                if done(self):
                    self.stopping = "done"

        monkeypatch.setattr(live_run, "LiveEngine", Watched)
        return live_run.live(str(source), tmp_path, config, max_seconds=60, name="cam", **options)

    return run


def settings(**live):
    sets = ["live.retry_s=0.05", "live.retry_most_s=0.2", "live.gap_s=0.5", "live.timeout_s=1", "lift.name=none"]
    sets += ["report.enabled=false", "observe.detect_every_s=0"]
    sets += [f"live.{key}={value}" for key, value in live.items()]
    return load_config("fast", sets)


def books_of(folder: Path) -> dict:
    books = json.loads((folder / "run.json").read_text())
    assert books["received"] == books["processed"] + books["dropped"]
    assert books["dropped"] == sum(books["dropped_by_reason"].values())
    assert books["waiting"] == 0
    return books


def segments_of(folder: Path) -> list[Path]:
    return sorted((folder / "segments").iterdir())


def pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_stream_becomes_segments_that_are_whole_runs(clip, follow, tmp_path):
    lines = tmp_path / "people.jsonl"

    def third(run):
        return run.number == 3 and run.segment is not None and len(run.segment) >= 10

    with Station(clip) as station:
        folder = follow(station.url, settings(segment_s=1), third, jsonl=str(lines))
    books = books_of(folder)
    assert books["finished"]
    assert books["latency_s"]["median"] > 0
    segments = segments_of(folder)
    assert len(segments) == 3
    total, last_s = 0, -1.0
    for path in segments:
        tables = read_run(path)
        observed = tables["manifest"]["frames_observed"][1]
        total += observed
        assert tables["people"]["person_id"].tolist() == [1]
        motion = tables["motion"][1]
        assert motion["time_s"].is_monotonic_increasing
        assert motion["time_s"].iloc[0] > last_s
        last_s = motion["time_s"].iloc[-1]
        assert pictures(path / "annotated.mp4") == observed
        assert tables["manifest"]["live"]["processed"] == observed
        export_run(RunFolder(path), "coco", tmp_path / f"{path.name}.json")
    assert total == books["processed"]
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert told[0]["keypoints"][0] == "nose"
    assert len(told) - 1 == books["processed"]
    assert {p["id"] for line in told[1:] for p in line["people"]} == {1}


def test_what_was_said_live_is_what_the_tables_hold(clip, follow, tmp_path):
    lines = tmp_path / "people.jsonl"
    with Station(clip) as station:
        folder = follow(station.url, settings(), lambda run: run.frames >= 50, jsonl=str(lines))
    motion = read_run(segments_of(folder)[0])["motion"][1].set_index("frame")
    off = []
    for line in [json.loads(text) for text in lines.read_text().splitlines()[1:]]:
        for person in line["people"]:
            row = motion.loc[line["frame"]]
            off.append(
                [person["keypoints_px"][0][0] - row["nose_x_px"], person["keypoints_px"][0][1] - row["nose_y_px"]]
            )
    assert len(off) > 15
    assert np.nanquantile(np.abs(off), 0.95) < 0.5


def test_a_cut_is_a_gap_and_the_person_stays(clip, follow):
    cuts = []
    with Station(clip) as station:

        def cut_once(run):
            if run.frames >= 20 and not cuts:
                station.cut()
                cuts.append(threading.Timer(0.8, station.resume))
                cuts[0].start()
            return run.ledger.connections > 1 and run.ledger.gap_count and len(run.segment) >= 40

        folder = follow(station.url, settings(), cut_once)
    books = books_of(folder)
    assert books["reconnects"] >= 1
    assert books["gap_count"] >= 1
    events = [json.loads(line)["what"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events[0] == "started"
    assert {"cut", "connected", "gap", "stopped"} <= set(events)
    tables = read_run(segments_of(folder)[0])
    assert len(tables["motion"]) <= 2


def test_a_slow_network_drops_frames_and_counts_them(clip, detector, follow):
    detector.slow_s = 0.3
    with Station(clip) as station:
        folder = follow(station.url, settings(queue_frames=2), lambda run: run.frames >= 8)
    books = books_of(folder)
    assert books["dropped_by_reason"]["behind"] > books["processed"]


def test_a_run_that_fails_half_way_leaves_whole_files_and_whole_books(clip, detector, follow, tmp_path, monkeypatch):
    look, calls = detector.detect, []

    def fails(images):
        calls.append(1)
        if len(calls) > 15:
            raise PoselineError("the network is gone")
        return look(images)

    monkeypatch.setattr(detector, "detect", fails)
    with Station(clip) as station, pytest.raises(PoselineError, match="the network is gone"):
        follow(station.url, settings())
    books = books_of(tmp_path / "cam")
    assert books["sessions"][-1]["end"] == "failed"
    assert books["processed"] == 15
    (path,) = segments_of(tmp_path / "cam")
    assert read_run(path)["manifest"]["frames_observed"] == [0, 15]
    assert pictures(path / "annotated.mp4") == 15


def test_another_size_of_picture_is_another_segment_with_the_same_person(clip, follow, tmp_path):
    large = write_clip(tmp_path / "large.ts", size_px=(384, 288))
    small = write_clip(tmp_path / "small.ts", frames=50)
    with Station(small) as station:

        def grown(run):
            if run.frames >= 15:
                station.clip = large
            return run.segment is not None and run.segment.size_px == (384, 288) and len(run.segment) >= 20

        folder = follow(station.url, settings(), grown)
    books_of(folder)
    tables = [read_run(path) for path in segments_of(folder)]
    assert [t["manifest"]["video"]["width_px"] for t in tables] == [192, 384]
    assert [t["people"]["person_id"].tolist() for t in tables] == [[1], [1]]
    widths = [float((m["box_x2_px"] - m["box_x1_px"]).median()) for m in (t["motion"][1] for t in tables)]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.2)


def test_a_file_ends_and_everything_of_it_is_there(clip, follow, tmp_path):
    folder = follow(clip, settings())
    books = books_of(folder)
    assert books["received"] == 100
    assert books["sessions"][-1]["end"] == "source ended"


def test_a_second_run_goes_on_in_the_same_folder(short, follow, tmp_path):
    for _ in range(2):
        follow(short, settings(), render=False)
    books = books_of(tmp_path / "cam")
    assert books["received"] == 80
    assert len(books["sessions"]) == 2
    ids = [read_run(path)["people"]["person_id"].tolist() for path in segments_of(tmp_path / "cam")]
    assert ids == [[1], [2]]
    assert not (segments_of(tmp_path / "cam")[0] / "annotated.mp4").exists()


def test_segments_can_be_tracked_again_with_the_whole_of_them_at_hand(short, follow, tmp_path):
    folder = follow(short, settings(), render=False)
    path = segments_of(folder)[0]
    track(path, load_config("fast", ["smooth.method=kalman", "lift.name=none"]))
    assert read_run(path)["people"]["person_id"].tolist() == [1]


def test_tables_of_whole_segments_are_smoothed_both_ways(short, follow, tmp_path):
    folder = follow(short, settings(tables="'whole'"), render=False)
    assert read_run(segments_of(folder)[0])["manifest"]["config"]["smooth"]["method"] == "kalman"


def test_a_live_folder_is_no_run_folder_and_says_so(short, follow, tmp_path):
    folder = follow(short, settings(), render=False)
    with pytest.raises(PoselineError, match="segments"):
        read_run(folder)


def test_filters_that_look_ahead_are_refused():
    with pytest.raises(PoselineError, match="fixed_lag"):
        live_run.causal(load_config("default", ["smooth.method=butterworth"]))


# --- as a program ----------------------------------------------------------------------------------------------------


def _third_parts(out: Path) -> list[Path]:
    return list(out.glob("cam/segments/*/observations/part-00002.parquet"))


def started(url: str, out: Path, *options: str) -> subprocess.Popen:
    """The real program with its networks, when it has processed something."""
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "live",
        url,
        "--config",
        "fast",
        "--out",
        str(out),
        "--name",
        "cam",
    ]
    command += ["--lifter", "none", "--set", "live.part_s=0.5", "--set", "report.enabled=false", *options]
    before = len(_third_parts(out))
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while len(_third_parts(out)) == before:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_whole_files(clip, tmp_path, number):
    with Station(clip) as station:
        process = started(station.url, tmp_path)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "frames received" in out
    books = books_of(tmp_path / "cam")
    assert books["sessions"][-1]["end"] == number.name
    (path,) = segments_of(tmp_path / "cam")
    tables = read_run(path)
    assert pictures(path / "annotated.mp4") == tables["manifest"]["frames_observed"][1] == books["processed"]


def test_after_a_kill_all_but_the_last_moment_is_there(clip, tmp_path):
    with Station(clip) as station:
        process = started(station.url, tmp_path)
        (video,) = tmp_path.glob("cam/segments/*/.live.mp4.*.partial")
        while b"moof" not in video.read_bytes():  # a fragment
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    folder = tmp_path / "cam"
    (path,) = unfinished(folder)
    assert live_run.live(str(folder)) == folder
    tables = read_run(path)
    observed = tables["manifest"]["frames_observed"][1]
    assert observed == len(np.unique(np.concatenate([range(*_frames(p)) for p in RunFolder(path).parts()])))
    assert observed >= 3
    assert pictures(path / "annotated.mp4") > 0
    assert not list(path.glob(".*"))
    with Station(clip) as station:  # the books of the killed run are closed by the next one
        live = started(station.url, tmp_path)
        live.send_signal(signal.SIGINT)
        live.communicate(timeout=60)
    books = books_of(folder)
    assert [s["end"] for s in books["sessions"]] == ["killed", "SIGINT"]


def _frames(part: Path) -> tuple[int, int]:
    return tuple(json.loads(pq.read_schema(part).metadata[b"frames"]))


def test_a_source_that_never_was_is_one_line_and_status_2(tmp_path):
    command = [sys.executable, "-m", "pipeline.cli", "live", "http://127.0.0.1:9/x", "--config", "fast", "--quiet"]
    process = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert process.stderr.startswith("poseline: http://127.0.0.1:9/x: cannot be received")
    assert not list(tmp_path.glob("*/segments"))


def test_a_pipe_is_read_as_it_comes(clip, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "live",
        "-",
        "--config",
        "fast",
        "--lifter",
        "none",
        "--no-render",
    ]
    process = subprocess.run(
        [*command, "--out", str(tmp_path), "--set", "live.queue_frames=200"],
        input=clip.read_bytes(),
        capture_output=True,
        timeout=120,
        env={**os.environ},
    )
    assert process.returncode == 0, process.stderr
    assert books_of(tmp_path / "stdin")["received"] == 100


def test_whoever_never_moves_is_left_out_of_a_segment_and_said(short, follow, monkeypatch):
    monkeypatch.setattr("pipeline.people.never_moves", lambda *given: True)
    config = settings().model_copy(update={"track": settings().track.model_copy(update={"drop_still": True})})
    tables = read_run(segments_of(follow(short, config, render=False))[0])
    assert len(tables["people"]) == 0
    assert "--drop-still left out person 1, who never moved" in tables["manifest"]["warnings"]
