"""Runs in object storage: whole files, run.json last, resumed from what is there. S3 is moto's server on loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import PoselineError, load_config, run
from pipeline.engines.base import Options
from pipeline.store.cloud import Store, UploadedRun, is_remote
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest
from pipeline.store.people_table import write_people

fsspec = pytest.importorskip("fsspec")
CLIP = Path(__file__).resolve().parents[2] / "data" / "laboratory.mp4"
QUICK = ["detect.pixels=65536", "observe.chunk_frames=4"]
MEMORY = "memory://place/runs"


def quick(out: str | Path, work: Path | None = None, end_s: float = 0.2, **options: Any) -> RunFolder:
    return run(CLIP, out, load_config("default", QUICK), end_s=end_s, render=False, work=work, **options)[0]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return quick(tmp_path_factory.mktemp("done"))


@pytest.fixture
def memory() -> Iterator[Any]:
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Endpoint of an S3 with the bucket ``runs``."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for key, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(key, value)
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    if not S3FileSystem().exists("runs"):  # what the server holds outlives it
        S3FileSystem().mkdir("runs")
    yield f"http://{host}:{port}"
    S3FileSystem.clear_instance_cache()
    server.stop()


def names(fs: Any, root: str) -> set[str]:
    return {path.partition(root)[2].lstrip("/") for path in map(str, fs.find(root))}


def local_names(folder: RunFolder) -> set[str]:
    return {p.relative_to(folder.path).as_posix() for p in folder.path.rglob("*") if p.is_file()}


def test_what_is_an_address() -> None:
    assert is_remote("s3://bucket/prefix")
    assert not any(map(is_remote, ("outputs", "/tmp/a://b", Path("a/b"), "C:/runs")))


def test_a_run_lands_in_s3_whole_and_nothing_stays_here(s3: str, done: RunFolder, tmp_path: Path) -> None:
    folder = quick("s3://runs/night", tmp_path)
    assert isinstance(folder, UploadedRun)
    assert folder.url == "s3://runs/night/laboratory"
    assert folder.manifest()["people"] == 3
    fs = fsspec.filesystem("s3")
    assert names(fs, "runs/night/laboratory") == local_names(done)
    assert fs.cat("runs/night/laboratory/tracks.parquet") == done.tracks.read_bytes()
    assert json.loads(fs.cat("runs/night/laboratory/run.json"))["finished"]
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    ("url", "variables", "words"),
    [
        ("s3://nowhere/x", {}, "no such bucket"),
        ("s3://runs/x", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "AWS_ACCESS_KEY_ID"),
        ("s3://runs/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "127.0.0.1:9"),
    ],
)
def test_storage_that_cannot_be_written_to_is_one_line_before_any_work(
    s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, variables: dict[str, str], words: str
) -> None:
    from s3fs import S3FileSystem

    for key, value in variables.items():
        monkeypatch.setenv(key, value) if value else monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path))  # no credentials of whoever runs this
    S3FileSystem.clear_instance_cache()
    with pytest.raises(PoselineError, match=words) as caught:
        quick(url, tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "work").exists()


def test_refused_access_is_one_line(memory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("The AWS Access Key Id you provided does not exist in our records.")

    monkeypatch.setattr(type(memory), "pipe_file", refuse)
    with pytest.raises(PoselineError, match=r"access is refused \(The AWS Access Key Id .*AWS_PROFILE"):
        Store(MEMORY, tmp_path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PoselineError, match=r"Protocol not known: nosuch.*s3://BUCKET/PREFIX"):
        Store("nosuch://x/y")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(PoselineError, match=r"pip install 'poseline\[cloud\]'"):
        Store("s3://x/y")


def test_run_json_is_written_last_and_says_before_that_it_is_not_finished(
    memory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put, order = type(memory).put_file, []

    def noted(self: Any, here: str, there: str, **options: Any) -> None:
        order.append(
            (Path(there).name, json.loads(Path(here).read_text())["finished"] if "run.json" in there else None)
        )
        put(self, here, there, **options)

    monkeypatch.setattr(type(memory), "put_file", noted)
    quick(MEMORY, tmp_path)
    assert order[0] == ("run.json", False)
    assert order[-1] == ("run.json", True)
    assert len(order) == len(set(order))  # nothing twice


def test_a_run_that_stopped_goes_on_on_another_machine(
    memory: Any, monkeypatch: pytest.MonkeyPatch, done: RunFolder, tmp_path: Path
) -> None:
    import pipeline.engines.work as work

    plain, seen = work.process_chunk, []

    def breaks(batches: Any, chunk: Any, *rest: Any) -> Any:
        if chunk.number == 2:
            raise PoselineError("power cut")
        return plain(batches, chunk, *rest)

    monkeypatch.setattr(work, "process_chunk", breaks)
    with pytest.raises(PoselineError, match="power cut"):
        quick(MEMORY, tmp_path / "one")
    there = names(memory, "/place/runs/laboratory")
    assert there == {"run.json", "observations/part-00000.parquet", "observations/part-00001.parquet"}
    monkeypatch.setattr(
        work, "process_chunk", lambda b, chunk, *rest: seen.append(chunk.number) or plain(b, chunk, *rest)
    )
    quick(MEMORY, tmp_path / "two")
    assert seen == [2]
    assert memory.cat("/place/runs/laboratory/tracks.parquet") == done.tracks.read_bytes()
    quick(MEMORY, tmp_path / "three", end_s=0.1)  # fewer frames: parts and rows of the longer run go
    assert json.loads(memory.cat("/place/runs/laboratory/run.json"))["frames_observed"] == [0, 6]
    assert "observations/part-00002.parquet" not in names(memory, "/place/runs/laboratory")


def test_an_upload_that_fails_leaves_the_run_here(
    memory: Any, monkeypatch: pytest.MonkeyPatch, done: RunFolder, tmp_path: Path
) -> None:
    put = type(memory).put_file

    def cut(self: Any, here: str, there: str, **options: Any) -> None:
        if there.endswith("people.csv"):
            raise ConnectionError("the line is dead")
        put(self, here, there, **options)

    monkeypatch.setattr(type(memory), "put_file", cut)
    with pytest.raises(PoselineError, match=r"the line is dead.*run the same command again"):
        quick(MEMORY, tmp_path)
    assert not json.loads(memory.cat("/place/runs/laboratory/run.json"))["finished"]
    monkeypatch.undo()
    quick(MEMORY, tmp_path)
    assert json.loads(memory.cat("/place/runs/laboratory/run.json"))["finished"]
    assert names(memory, "/place/runs/laboratory") == local_names(done)


def test_worker_processes_and_storage_go_together(memory: Any, done: RunFolder, tmp_path: Path) -> None:
    quick(MEMORY, tmp_path, engine=Options("process", 2))
    assert memory.cat("/place/runs/laboratory/tracks.parquet") == done.tracks.read_bytes()


def test_where_files_grow_in_place_they_are_renamed(tmp_path: Path, done: RunFolder) -> None:
    folder = quick(f"file://{tmp_path}/there", tmp_path / "work")
    assert isinstance(folder, UploadedRun)
    assert local_names(RunFolder(tmp_path / "there" / "laboratory")) == local_names(done)


def test_addresses_have_work_folders_of_their_own(memory: Any, tmp_path: Path) -> None:
    urls = ["memory://b/p", "memory://b_p", "memory://b/_p", "memory://b:p", "memory://" + "x" * 300]
    folders = {Store(url, tmp_path).work for url in urls}
    assert len(folders) == len(urls)
    assert all(folder.parent == tmp_path and len(folder.name.encode()) < 200 for folder in folders)
    assert Store("memory://b/p", tmp_path).work == Store("memory://b/p/", tmp_path).work  # goes on where it stopped


def test_what_a_user_put_into_the_runs_prefix_stays_there(memory: Any, tmp_path: Path) -> None:
    at = "/place/runs/laboratory"
    mine = {"people_consent/form.pdf", "observations_by_hand/a.parquet", "people/notes.txt", "observations/why.md"}
    old = {"observations/part-00099.parquet", "observations-01234567/part-00000.parquet"}
    for name in mine | old:
        memory.pipe_file(f"{at}/{name}", b"x")
    store = Store(MEMORY, tmp_path)
    folder = RunFolder(store.work / "laboratory")
    store.fetch(folder, parts=True, video=False)
    assert local_names(folder) == old
    for name in old:
        (folder.path / name).unlink(missing_ok=True)
    folder.path.mkdir(exist_ok=True)
    folder.write_manifest(Manifest({}))
    store.upload(folder)
    assert names(memory, at) == mine | {"run.json"}


def test_of_stored_tables_only_those_that_a_run_wrote_go(memory: Any, tmp_path: Path) -> None:
    at, header = "/place/runs/laboratory", b"frame,time_s,box_x1_px,box_y1_px,box_x2_px,box_y2_px,score\n"
    before = RunFolder(tmp_path / "before")
    before.path.mkdir()
    write_people(before, [{"person_id": 7, "name": ""}])
    memory.pipe_file(f"{at}/people.parquet", before.people_parquet.read_bytes())
    mine = {"person_0099.csv": b"day,mass_kg\n1,70\n", "person_0098.csv": b""}
    old = {"person_0007.csv": b"damaged", "person_0008.csv": header, "person_0009.parquet": b"damaged"}
    for name, content in (mine | old).items():
        memory.pipe_file(f"{at}/people/{name}", content)
    store = Store(MEMORY, tmp_path / "work")
    folder = RunFolder(store.work / "laboratory")
    folder.path.mkdir(parents=True)
    folder.write_manifest(Manifest({}))
    write_people(folder, [])
    store.upload(folder)
    assert names(memory, f"{at}/people") == set(mine)
    assert all(memory.cat(f"{at}/people/{name}") == content for name, content in mine.items())
    assert not [*store.work.iterdir()]
