"""Networks by name on the command line: listed, added, verified, asked for; nothing is fetched without a yes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.cli import wanted
from pipeline.cli.doctor import _kept
from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.models import fetch
from pipeline.models.runtime import ASSETS

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "data" / "laboratory.mp4"
# Ends the process with status 99 at the first socket, name look-up or connection.
NO_SOCKETS = (
    "import os, sys\n"
    "sys.addaudithook(lambda event, told: event.startswith('socket.') and os._exit(99))\n"
    "from pipeline.cli.app import main\nmain()"
)


def poseline(models: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in a process that may open no socket."""
    command = [sys.executable, "-c", NO_SOCKETS, *map(str, arguments)]
    told = {**os.environ, "POSELINE_MODELS": str(models)}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=told, stdin=subprocess.DEVNULL)


def test_a_network_by_name_runs_and_no_socket_is_opened(tmp_path):
    models, run = tmp_path / "models", ("run", CLIP, "--end", "0.1", "--no-render", "--no-report", "--no-3d")
    added = poseline(models, "models", "add", ASSETS / "rtmpose-s.onnx", "--name", "mine", "--like", "rtmpose-s-feet")
    assert added.returncode == 0, added.stderr
    done = poseline(models, *run, "--pose", "mine", "--offline", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert '"mine.onnx"' in (tmp_path / "out" / "laboratory" / "run.json").read_text()
    refused = poseline(models, *run, "--pose", "rtmpose-m-feet")
    assert refused.returncode == 2
    line = "rtmpose-m-feet: is not on this machine (52 MB, Apache-2.0); poseline models fetch rtmpose-m-feet"
    assert refused.stderr == f"poseline: {line}\n"
    fetched = poseline(models, *run, "--pose", "rtmpose-m-feet", "--fetch")
    assert fetched.returncode == 99  # the hook of this test works


def test_offline_refuses_addresses(tmp_path):
    refused = poseline(tmp_path, "run", CLIP, "--out", "s3://bucket/runs", "--offline")
    assert refused.returncode == 2
    assert "s3://bucket/runs: --offline forbids it" in refused.stderr


def test_lists_and_verifies(tmp_path):
    assert poseline(tmp_path, "models", "add", ASSETS / "rtmpose-s.onnx", "--name", "mine").returncode == 0
    listed = poseline(tmp_path, "models", "list").stdout
    assert "rtmpose-m-feet" in listed
    assert "needs --trust" in listed
    assert "mine " in listed
    assert poseline(tmp_path, "models", "verify").returncode == 0
    (tmp_path / "mine.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    verified = poseline(tmp_path, "models", "verify")
    assert verified.returncode == 1
    assert "FAIL  mine" in verified.stdout


def test_doctor_names_what_lies_among_the_networks(tmp_path, monkeypatch):
    monkeypatch.setenv("POSELINE_MODELS", str(tmp_path))
    fetch.add(ASSETS / "rtmpose-s.onnx", "mine", "")
    (tmp_path / "page.onnx").write_text("<!DOCTYPE html>")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "end2end.onnx").write_bytes(b"1")
    (tmp_path / "bad.json").write_text("{}")
    told = {name: (good, detail) for good, name, detail in _kept()}
    assert told["mine"] == (True, "pose, as fetched")
    assert "is a web page" in told["page.onnx"][1]
    assert "give the file in it" in told["folder"][1]
    assert "record of a network is damaged" in told["bad"][1]


@pytest.mark.parametrize(("answer", "fetched"), [("\n", True), ("y\n", True), ("n\n", False), ("", False)])
def test_at_a_terminal_the_user_is_asked(monkeypatch, capsys, answer, fetched):
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    got = []
    monkeypatch.setattr(fetch, "fetch", lambda name, *more: got.append(name))
    settings = Config.model_validate({"pose": {"name": "rtmpose-m-feet"}})
    given = SimpleNamespace(fetch=False, offline=False)
    with pytest.raises(PoselineError, match="poseline models fetch rtmpose-m-feet"):
        wanted.provide(SimpleNamespace(fetch=False, offline=True), settings)
    if fetched:
        wanted.provide(given, settings, True)
    else:
        with pytest.raises(PoselineError, match="poseline models fetch rtmpose-m-feet"):
            wanted.provide(given, settings, True)
    assert got == ["rtmpose-m-feet"] * fetched
    assert "fetch rtmpose-m-feet, 52 MB, Apache-2.0" in capsys.readouterr().err


def test_what_needs_trust_or_a_folder_is_never_fetched_by_a_run():
    for name, said in (("rtmw-s", "--trust"), ("pp-tinypose", "--from DIR")):
        settings = Config.model_validate({"pose": {"name": name}})
        with pytest.raises(PoselineError, match=said):
            wanted.provide(SimpleNamespace(fetch=True, offline=False), settings)
    with pytest.raises(PoselineError, match="--offline says otherwise"):
        wanted.provide(SimpleNamespace(fetch=True, offline=True), settings)
