"""Two threads of one process: the lock of a run folder, temporary names, runs side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline import PoselineError, load_config, run
from pipeline.store.atomic import atomic, remove_leftovers, temporary_name, write_text
from pipeline.store.folder import RunFolder
from pipeline.store.lock import NAME, locked, locked_for
from pipeline.store.manifest import Manifest, video_facts
from pipeline.video.index import index_video

CLIP = Path(__file__).resolve().parents[2] / "data" / "laboratory.mp4"
QUICK = ["detect.pixels=65536", "observe.chunk_frames=4", "lift.name=none", "report.enabled=false"]


def in_another_thread(act: Callable[[], None]) -> BaseException | None:
    """What ``act`` raises in another thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act).exception()


def take(folder: Path) -> None:
    with locked(folder):
        pass


def no_locks(*_: object) -> None:
    raise OSError(38, "Function not implemented")


@pytest.mark.parametrize("kernel", [True, False], ids=["kernel's locks", "no locks"])
def test_a_run_folder_is_held_against_other_threads(tmp_path: Path, monkeypatch, kernel: bool) -> None:
    if not kernel:
        monkeypatch.setattr("fcntl.flock", no_locks)
    with locked(tmp_path):
        error = in_another_thread(lambda: take(tmp_path))
        assert isinstance(error, PoselineError)
        assert "another thread of this process) is at work in this run folder; wait for it" in str(error)
        assert "\n" not in str(error)
        take(tmp_path)  # by the thread that holds it
        assert isinstance(in_another_thread(lambda: take(tmp_path)), PoselineError)
        assert in_another_thread(lambda: take(tmp_path / "other")) is None
    assert in_another_thread(lambda: take(tmp_path)) is None
    assert (tmp_path / NAME).exists() is not kernel


def test_a_file_that_is_put_into_a_run_folder_needs_the_folder(tmp_path: Path) -> None:
    run_folder, said = tmp_path / "run", list[str]()
    with locked(run_folder):
        for out in (None, run_folder / "x.csv", run_folder / "sub" / ".." / "deep" / "x.csv"):
            held = locked_for(run_folder, out, said.append)
            assert isinstance(in_another_thread(held.__enter__), PoselineError)
        for out in (tmp_path / "x.csv", tmp_path / "run2" / "x.csv"):
            assert in_another_thread(locked_for(run_folder, out).__enter__) is None


def test_a_lock_that_cannot_be_taken_is_not_held(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):
        with pytest.raises(PoselineError, match="is not a folder"):
            take(tmp_path / "file")


def test_two_threads_write_one_file_one_after_the_other(tmp_path: Path) -> None:
    """Both are inside at once; whoever ends last is what stays, whole."""
    both = threading.Barrier(2)

    def write(text: str) -> None:
        with atomic(tmp_path / "x.txt") as temporary:
            temporary.write_text(text)
            both.wait(5)
            assert temporary.read_text() == text

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, ["one" * 1000, "two" * 1000]))
    assert (tmp_path / "x.txt").read_text() in ("one" * 1000, "two" * 1000)
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_a_video_has_a_temporary_name_of_its_own() -> None:
    path = Path("out/a.mp4")
    assert temporary_name(path, "partial") != temporary_name(path, "partial")


def test_leftovers_of_all_versions_are_known(tmp_path: Path) -> None:
    gone = [".x.1.tmp", ".x.csv.1-20.tmp", ".x.mp4.1-3.partial", ".x.c3d.1-3.tmp.c3d", ".a\nb.1-3.tmp"]
    stay = [".x.tmp", ".notes.tmp.txt", ".live.mp4.1-3.partial", "x.1-3.tmp", ".x.a-3.tmp"]
    for name in [*gone, *stay]:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, alone=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(stay)


def test_runs_in_a_thread_pool_come_out_as_alone(tmp_path: Path) -> None:
    """Two threads in folders of their own, and one that asks for one of these at the same time."""
    config = load_config("default", QUICK)

    def one(out: str) -> bytes | str:
        try:
            return run(CLIP, tmp_path / out, config, end_s=0.2, render=False)[0].tracks.read_bytes()
        except PoselineError as error:
            return str(error)

    alone = one("alone")
    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(one, ["a", "b", "a"]))
    assert isinstance(alone, bytes)
    assert all(result == alone or "is at work in this run folder" in str(result) for result in results)
    for out in ("a", "b"):
        folder = RunFolder(tmp_path / out / "laboratory")
        assert folder.manifest()["finished"]
        assert folder.tracks.read_bytes() == alone
        assert not [path for path in folder.path.rglob(".*") if path.is_file()]


def test_files_of_text_by_many_threads_are_whole(tmp_path: Path) -> None:
    texts = [str(i) * 5000 for i in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda text: write_text(tmp_path / "t", text), texts * 4))
    assert (tmp_path / "t").read_text() in texts


def test_a_run_folder_that_another_video_took_meanwhile_is_left_to_it(tmp_path: Path, monkeypatch) -> None:
    theirs = {"video": {**video_facts(index_video(CLIP)), "digest": "another", "path": "/elsewhere/laboratory.mp4"}}

    def late(folder: Path, say: Callable[[str], None]):
        if folder.name == "laboratory":
            RunFolder(folder).write_manifest(Manifest(theirs))
        return locked(folder, say)

    monkeypatch.setattr("pipeline.workflow.locked", late)
    (folder,) = run(CLIP, tmp_path, load_config("default", QUICK), end_s=0.1, render=False)
    assert folder.path.name.startswith("laboratory-")
    assert RunFolder(tmp_path / "laboratory").manifest()["video"]["digest"] == "another"
