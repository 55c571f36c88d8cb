"""Every engine leaves the same bytes, replaces workers that die, and ends without leaving any."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline import PoselineError, load_config, run
from pipeline.core.progress import Progress
from pipeline.engines import local
from pipeline.engines.base import Options, division
from pipeline.engines.start import start_engine
from pipeline.engines.work import Networks
from pipeline.store.folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "data" / "laboratory.mp4"
QUICK = ["detect.pixels=65536", "observe.chunk_frames=4"]
END_S = 0.4  # 24 frames, 6 chunks
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray")
FAR = ["process", pytest.param("ray", marks=needs_ray)]


class Told(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def quick(out: Path, engine: Options) -> RunFolder:
    return run(CLIP, out, load_config("default", QUICK), end_s=END_S, render=False, engine=engine)[0]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return quick(tmp_path_factory.mktemp("done"), Options())


def assert_same(folder: RunFolder, done: RunFolder) -> None:
    assert folder.tracks.read_bytes() == done.tracks.read_bytes()
    assert [p.name for p in folder.parts()] == [p.name for p in done.parts()]
    for mine, theirs in zip(folder.parts(), done.parts(), strict=True):
        assert mine.read_bytes() == theirs.read_bytes()
    assert not list(folder.path.rglob("*.tmp"))


@pytest.mark.parametrize("name", FAR)
def test_same_bytes_with_two_workers(done: RunFolder, tmp_path: Path, name: str) -> None:
    folder = quick(tmp_path, Options(name, workers=2))
    assert_same(folder, done)
    assert folder.manifest()["people"] == done.manifest()["people"]


def test_after_a_long_observing_the_networks_are_given_back(
    done: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[object] = []
    plain = Networks.release

    def release(self: Networks) -> None:
        plain(self)
        held.append(self._models)

    monkeypatch.setattr(Networks, "release", release)
    monkeypatch.setattr(local, "RELOAD_S", 0.0)
    other = tmp_path / "other.mp4"
    other.write_bytes(CLIP.read_bytes() + b"\0" * 8)
    first, _ = run([CLIP, other], tmp_path, load_config("default", QUICK), end_s=END_S, render=False)
    assert held == [None, None]
    assert_same(first, done)


# --- killed workers --------------------------------------------------------------------------------------------------


def descendants(process: int) -> dict[int, str]:
    """Process ids below this one with their command lines."""
    parents, commands = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
                commands[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if stat.rpartition(")")[2].split()[0] != "Z":
                parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found, level = {}, {process}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        found |= {child: commands[child] for child in level}
    return found


def workers_of(process: int) -> list[int]:
    """Those that hold networks."""
    marks = ("pipeline.engines.process", "ray::RayWorker")
    return sorted(p for p, command in descendants(process).items() if any(mark in command for mark in marks))


def poseline(out: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline.cli", "run", str(CLIP), "--out", str(out), "--no-render"]
    command += ["--end", str(END_S), *(f"--set={s}" for s in QUICK), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Until it holds; fails when the process has ended or two minutes are over."""
    for _ in range(12_000):
        if condition():
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def assert_nobody_left(before: dict[int, str]) -> None:
    for _ in range(500):
        left = [p for p in before if Path(f"/proc/{p}").exists()]
        if not left:
            return
        time.sleep(0.02)
    raise AssertionError({p: before[p] for p in left})


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended with the test, however it ends."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.parametrize("name", FAR)
def test_a_worker_killed_half_way_is_replaced(
    done: RunFolder, tmp_path: Path, name: str, started: list[subprocess.Popen[str]]
) -> None:
    process = poseline(tmp_path, "--engine", name, "--workers", 2)
    started.append(process)
    folder = RunFolder(tmp_path / "laboratory")
    wait_for(lambda: len(folder.parts()) >= 2, process)
    everybody = descendants(process.pid)
    victim = workers_of(process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "done again" in said
    assert_same(folder, done)
    assert_nobody_left(everybody)


@pytest.mark.parametrize("name", FAR)
def test_ctrl_c_stops_all_workers_and_the_run_goes_on_later(
    done: RunFolder, tmp_path: Path, name: str, started: list[subprocess.Popen[str]]
) -> None:
    process = poseline(tmp_path, "--engine", name, "--workers", 2)
    started.append(process)
    folder = RunFolder(tmp_path / "laboratory")
    wait_for(lambda: len(folder.parts()) >= 2, process)
    everybody = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.strip().splitlines()[-1] == "poseline: stopped; run the same command again to go on"
    assert "Traceback" not in said
    assert_nobody_left(everybody)
    stamps = {p: p.stat().st_mtime_ns for p in folder.parts()}
    assert_same(quick(tmp_path, Options()), done)
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in stamps.items())


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path, started: list[subprocess.Popen[str]]) -> None:
    process = poseline(tmp_path, "--engine", "process", "--workers", 2)
    started.append(process)
    wait_for(RunFolder(tmp_path / "laboratory").parts, process)
    everybody = descendants(process.pid)
    assert workers_of(process.pid)
    process.kill()
    process.communicate()
    assert_nobody_left(everybody)


FATAL = """
import os, signal, sys
if any("default_worker" in word or word == "pipeline.engines.process" for word in sys.orig_argv):
    import pipeline.engines.work as work
    plain = work.observe
    def observe(folder, info, config, chunks, *rest):
        if folder.path.name == "fatal" and chunks[0].number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        plain(folder, info, config, chunks, *rest)
    work.observe = observe
"""


@pytest.mark.parametrize("name", FAR)
def test_a_chunk_that_kills_three_workers_fails_its_video_alone(
    done: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fatal, out = tmp_path / "fatal.mp4", tmp_path / "out"
    fatal.write_bytes(CLIP.read_bytes() + b"\0" * 8)
    (tmp_path / "sitecustomize.py").write_text(FATAL)  # what every Python on this path begins with, workers too
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    config, told = load_config("default", QUICK), Told()
    with pytest.raises(PoselineError, match=r"fatal: frames 4 to 7: failed 3 times.*1 of 2 inputs failed"):
        run([fatal, CLIP], out, config, end_s=END_S, render=False, engine=Options(name, workers=2), progress=told)
    assert sum("frames 4 to 7" in line and "done again" in line for line in told.lines) == 2
    assert_same(RunFolder(out / "laboratory"), done)
    left = RunFolder(out / "fatal")
    assert not left.manifest()["finished"]
    assert left.part(0).exists()
    assert not left.part(1).exists()


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAR)
def test_a_mistake_is_one_line(tmp_path: Path, name: str, started: list[subprocess.Popen[str]]) -> None:
    process = poseline(tmp_path, "--engine", name, f"--set=pose.name=onnx:{tmp_path}/none.onnx", "-q")
    started.append(process)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(said.strip().splitlines()) == 1
    assert "none.onnx" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options("dask"), "--engine dask: choose one of local, process, ray"),
        (Options("local", workers=2), "--workers 2.*--engine process"),
        (Options("process", workers=0), "--workers 0"),
        (Options("process", ray_address="head:6379"), "--ray-address head:6379.*--engine ray"),
        (Options("process", gpus_per_worker=0.5), "--gpus-per-worker 0.5.*--engine ray"),
        pytest.param(
            Options("ray", gpus_per_worker=64), "64 GPUs.*no machine of the cluster has more", marks=needs_ray
        ),
    ],
)
def test_options_that_do_not_go_together(options: Options, words: str) -> None:
    with pytest.raises(PoselineError, match=words):
        start_engine(options, load_config())


def test_without_ray_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PoselineError, match=r"Ray is not installed.*pip install 'poseline\[ray\]'"):
        start_engine(Options("ray"), load_config())


def test_the_cores_are_divided() -> None:
    assert division(2, None, 0) == (2, 1)
    assert division(16, None, 0) == (8, 2)
    assert division(16, 4, 0) == (4, 4)
    assert division(16, None, 4) == (4, 4)
    assert division(4, 8, 0) == (8, 1)
    assert division(1, 1, 3) == (1, 3)


def test_two_runs_in_a_row_of_several_videos(tmp_path: Path) -> None:
    bad, other = tmp_path / "bad.mp4", tmp_path / "other.mp4"
    bad.write_bytes(b"not a video at all" * 100)
    other.write_bytes(CLIP.read_bytes() + b"\0" * 8)
    config = load_config("default", QUICK)
    with pytest.raises(PoselineError, match=r"bad\.mp4.*1 of 3"):
        run([CLIP, bad, other], tmp_path, config, end_s=0.2, render=False, engine=Options("process", 2))
    for name in ("laboratory", "other"):
        manifest = json.loads((tmp_path / name / "run.json").read_text())
        assert manifest["finished"]
        assert manifest["people"] == 3
