"""The command line as a user meets it: one line and status 2 for a mistake, results on standard output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.cli.output import parse_people
from pipeline.core.errors import PoselineError
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "data" / "laboratory.mp4"
QUICK = ["--end", "0.1", "--no-render"]


def poseline(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command's result; warnings of numpy are errors, since nothing would keep them from the user, even with -q."""
    strict = ("-W", "error::RuntimeWarning")
    command = [sys.executable, *strict, "-m", "pipeline.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment})


def assert_one_line(result: subprocess.CompletedProcess[str], *words: object) -> None:
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("poseline: ")
    for word in words:
        assert str(word) in lines[0]


def audio_only(path: Path) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), format="fltp", layout="mono")
        frame.rate = 48000
        for packet in [*stream.encode(frame), *stream.encode()]:
            out.mux(packet)
    return path


def test_bad_inputs_give_one_line_that_names_the_file(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.touch()
    text.write_text("hello " * 500)
    sound, folder = audio_only(tmp_path / "sound.mp4"), tmp_path / "folder"
    folder.mkdir()
    for path in (tmp_path / "missing.mp4", empty, text, sound, folder):
        assert_one_line(poseline("run", path, "--out", tmp_path / "out", "-q"), path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "track.max_gap=2"], ["track.max_gap", "max_gap_s"]),
        (["--set", "tracking.x=2"], ["tracking", "track"]),
        (["--set", "track.max_gap_s=soon"], ["track.max_gap_s", "soon"]),
        (["--set", "nonsense"], ["nonsense"]),
        (["--config", "slow"], ["slow", "fast"]),
        (["--detector", "yolo"], ["yolo", "yolox-tiny"]),
        (["--detector", "nanodet"], ["nanodet", "yolox-tiny replaces it"]),
        (["--pose", "nobody"], ["nobody", "rtmpose-s"]),
        (["--pose", "movenet-thunder"], ["movenet-thunder", "rtmpose-s replaces it"]),
        (["--lifter", "blazepose"], ["blazepose", "poseline replaces it"]),
        (["--set", "observe.detect_every=2"], ["detect_every", "detect_every_s, in seconds, replaces it"]),
        (["--decoder", "opencv"], ["opencv"]),
        (["--start", "99"], ["99", "laboratory.mp4"]),
        (["--fps", "0"], ["--fps"]),
        (["--no-such-option"], ["--no-such-option"]),
        (["--start", "early"], ["early"]),
    ],
)
def test_bad_options_give_one_line_that_names_the_value(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    assert_one_line(poseline("run", CLIP, "--out", tmp_path, "-q", *arguments), *words)


def test_a_bad_config_file_names_the_file_and_the_key(tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text("[track]\nmax_gap = 2\n")
    assert_one_line(poseline("run", CLIP, "--out", tmp_path, "--config", config), config, "track.max_gap")
    config.write_text("[track\n")
    assert_one_line(poseline("run", CLIP, "--out", tmp_path, "--config", config), config)


def test_an_output_that_is_a_file_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    assert_one_line(poseline("run", CLIP, "--out", tmp_path / "out", "-q", *QUICK), tmp_path / "out", "--out")


def test_commands_on_a_folder_that_is_no_run(tmp_path: Path) -> None:
    assert_one_line(poseline("track", tmp_path), tmp_path)
    assert_one_line(poseline("render", tmp_path), tmp_path)


def test_run_then_track_then_render(tmp_path: Path) -> None:
    result = poseline("run", CLIP, "--out", tmp_path, *QUICK)
    assert result.returncode == 0
    assert "people in 6 frames" in result.stdout
    assert "6/6 frames" in result.stderr  # plain lines where there is no terminal
    folder = tmp_path / "laboratory"
    assert poseline("track", folder, "--set", "track.max_gap_s=0.5", "-q").returncode == 0
    assert json.loads((folder / "run.json").read_text())["config"]["track"]["max_gap_s"] == 0.5
    exported = poseline("export", folder, "--format", "mot").stdout.strip()
    scored = poseline("eval", "mot", "--gt", exported, "--pred", exported, "--json")
    assert json.loads(scored.stdout)["HOTA"] == 100
    exported = poseline("export", folder, "--format", "coco").stdout.strip()
    scored = poseline("eval", "pose-track", "--gt", exported, "--pred", exported, "--json")
    assert json.loads(scored.stdout)["IDF1"] == 100
    assert_one_line(poseline("eval", "mot", "--gt", folder / "run.json", "--pred", exported), folder / "run.json")
    assert_one_line(poseline("eval", "keypoints", "--gt", exported), "--images", "--pred")
    assert_one_line(poseline("track", folder, "--set", "pose.name=wholebody"), "pose.name", "poseline run")
    assert poseline("render", folder).stdout.strip() == str(folder / "annotated.mp4")
    with av.open(str(folder / "annotated.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 6


def test_quiet_says_nothing(tmp_path: Path) -> None:
    result = poseline("run", CLIP, "--out", tmp_path, "-q", *QUICK)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_models_and_doctor_name_every_network() -> None:
    listed = poseline("models").stdout
    for name in ("yolox-tiny", "rtmpose-s", "wholebody", "hands", "face", "onnx:FILE"):
        assert name in listed
    checked = poseline("doctor")
    assert checked.returncode == 0, checked.stdout
    assert "opencv-python-headless" in checked.stdout


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "run", str(CLIP), "--out", str(tmp_path), "--no-render"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stderr is not None
        assert any("observe" in line for line in iter(process.stderr.readline, ""))
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert rest.strip().splitlines()[-1] == "poseline: stopped; run the same command again to go on"


def test_a_stop_that_nobody_hears_ends_all_the_same() -> None:
    """As where the interrupt falls into a callback, which swallows it, or a thread waits without end."""
    from pipeline.cli.app import PATIENCE_S

    assert PATIENCE_S < 10
    deaf = """if True:
        import sys, time
        from pipeline.cli import app as cli
        def hang(**options):
            print("ready", flush=True)
            while True:
                try:
                    time.sleep(60)
                except KeyboardInterrupt:
                    pass
        cli.app, cli.PATIENCE_S = hang, 0.2
        cli.main()
    """
    with subprocess.Popen(
        [sys.executable, "-c", deaf], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "poseline: stopped; run the same command again to go on"


def test_doctor_fails_when_something_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from pipeline.cli import app as cli
    from pipeline.cli import doctor

    monkeypatch.setattr(doctor, "checks", lambda: iter([(False, "opencv", "2 distributions")]))
    monkeypatch.setattr(sys, "argv", ["poseline", "doctor"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 1
    assert "FAIL" in capsys.readouterr().out


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = poseline("run", tmp_path / "missing.mp4", "--debug")
    assert "Traceback" in result.stderr
    assert result.returncode == 1


def test_without_a_command_the_help_is_shown_and_nothing_else() -> None:
    for words in ((), ("eval",)):
        shown = poseline(*words)
        assert shown.returncode == 2
        assert "Usage: " in shown.stdout + shown.stderr
        assert "poseline:" not in shown.stdout + shown.stderr


def test_a_number_is_an_id_and_a_name_that_several_have_is_none(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_manifest(Manifest({"names": {"1": "Anna", "4": "Anna", "7": "3", "2": "Ben"}}))
    assert parse_people(folder, "3, 7,Ben") == [3, 7, 2]
    with pytest.raises(PoselineError, match="--people 3,Anna: persons 1 and 4 are called 'Anna'; write the id"):
        parse_people(folder, "3,Anna")
    with pytest.raises(PoselineError, match="'Carl' is no person; write ids such as 1,3; names are Anna, 3, Ben"):
        parse_people(folder, "Carl", "--person")
