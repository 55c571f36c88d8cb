"""Networks by name: the catalogue, an HTTP server on loopback that does what servers do, zips, files of wrong kinds."""

from __future__ import annotations

import hashlib
import importlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.models import catalogue, download, fetch, kept, registry
from pipeline.models.catalogue import Known
from pipeline.models.download import Transfer
from pipeline.models.kinds import wrong
from pipeline.models.onnx import reid
from pipeline.models.unpack import unpack

onnx = pytest.importorskip("onnx")
NAME = "pose-net"
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "models"


def network(width: int = 17, seed: int = 0) -> bytes:
    """A heatmap network of ``width`` keypoints."""
    from onnx import TensorProto, helper

    pictures = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 64, 48])
    maps = helper.make_tensor_value_info("heatmap", TensorProto.FLOAT, ["batch", width, 64, 48])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [width, 3, 1, 1], [float(seed)] * width * 3)
    node = helper.make_node("Conv", ["input", "w"], ["heatmap"])
    graph = helper.make_graph([node], "net", [pictures], [maps], [weights])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return made.SerializeToString()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


class Server:
    """Files by path. ``cut`` ends each answer after so many bytes; ``moods`` are statuses to answer with first."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.cut, self.ranges, self.endless = 0, True, False
        self.moods: list[int] = []
        self.asked: list[tuple[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        asked = to.headers.get("Range", "")
        self.asked.append((to.path, asked))
        if self.moods or to.path in self.redirects or to.path not in self.files:
            status = self.moods.pop(0) if self.moods else 302 if to.path in self.redirects else 404
            to.send_response(status)
            to.send_header("Location", self.redirects.get(to.path, "/"))
            to.send_header("Content-Length", "0")
            to.end_headers()
            return
        whole = self.files[to.path]
        tag = f'"{sha256(whole)[:8]}"'
        start = int(re.findall(r"\d+", asked)[0]) if asked and self.ranges and to.headers.get("If-Range") == tag else 0
        to.send_response(206 if start else 200)
        to.send_header("ETag", tag)
        if start:
            to.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        if not self.endless:
            to.send_header("Content-Length", str(len(whole) - start))
        to.end_headers()
        to.wfile.write(whole[start : start + self.cut] if self.cut else whole[start:])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr(download, "WAIT_S", (0.0,))
    monkeypatch.setattr(download, "PIECE_BYTES", 64)
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def offer(monkeypatch: pytest.MonkeyPatch, url: str, **facts: object) -> Known:
    """Put the network into a catalogue of its own."""
    usual = catalogue.catalogue()["pp-tinypose"]
    known = replace(usual, name=NAME, url=url, exports={}, input=(48, 64), **facts)
    monkeypatch.setattr(catalogue, "catalogue", lambda: {NAME: known})
    monkeypatch.setattr(kept, "catalogue", lambda: {NAME: known})
    monkeypatch.setattr(fetch, "catalogue", lambda: {NAME: known})
    return known


def get(source: str = "", trust: bool = False) -> kept.Kept:
    return fetch.fetch(NAME, source, trust, Transfer())


def left() -> list[str]:
    """Files in the place of networks, unfinished ones included."""
    return sorted(p.name for p in kept.place().rglob("*") if p.is_file())


def test_a_true_file_is_kept_and_used_by_its_name(server, monkeypatch):
    data = network()
    server.files["/net.onnx"] = data
    offer(monkeypatch, f"{server.url}/net.onnx", sha256=sha256(data), bytes=len(data))
    made = get()
    assert made.file.read_bytes() == data
    assert left() == [f"{NAME}.json", f"{NAME}.onnx"]
    facts = registry.pose_facts(Config.model_validate({"pose": {"name": NAME}}))
    assert facts.digests == {f"{NAME}.onnx": sha256(data)[:16]}
    assert facts.skeleton.name == "coco17"
    assert kept.fault(made) == ""


def test_cut_connections_are_continued_where_they_ended(server, monkeypatch):
    data = network(width=70)
    server.files["/net.onnx"], server.cut = data, 300
    offer(monkeypatch, f"{server.url}/net.onnx", sha256=sha256(data), bytes=len(data))
    assert get().file.read_bytes() == data
    assert server.asked[0][1] == ""
    starts = [int(re.findall(r"\d+", asked)[0]) for _, asked in server.asked[1:]]
    assert starts == [256 * n for n in range(1, len(starts) + 1)]  # whole pieces of 64 bytes are kept


def test_a_later_call_continues_what_an_earlier_one_left(server, monkeypatch):
    data = network(width=70)
    server.files["/net.onnx"], server.cut = data, 500
    offer(monkeypatch, f"{server.url}/net.onnx", sha256=sha256(data), bytes=len(data))
    monkeypatch.setattr(download, "TRIES", 1)
    with pytest.raises(PoselineError, match="try again later"):
        server_dies_after(server, 1)
    server.cut, server.moods = 0, []
    assert get().file.read_bytes() == data
    assert server.asked[-1][1] == "bytes=448-"


def server_dies_after(server: Server, answers: int) -> None:
    """Fetch while the server answers so often, and then is busy."""
    plain = server.answer

    def answer(to: BaseHTTPRequestHandler) -> None:
        if len(server.asked) >= answers:
            server.moods = [503]
        plain(to)

    server.answer = answer  # type: ignore[method-assign]
    try:
        get()
    finally:
        server.answer = plain  # type: ignore[method-assign]


def test_a_server_that_cannot_continue_begins_anew(server, monkeypatch):
    data = network()
    server.files["/net.onnx"], server.cut, server.ranges = data, len(data) // 2, False
    offer(monkeypatch, f"{server.url}/net.onnx", sha256=sha256(data), bytes=len(data))
    with pytest.raises(PoselineError, match=r"net\.onnx: .*; try again later"):
        get()
    server.cut = 0
    assert get().file.read_bytes() == data


def test_a_part_of_another_file_is_not_continued(server, monkeypatch):
    old, new = network(seed=1), network(seed=2)
    server.files["/net.onnx"], server.cut = old, len(old) // 2
    offer(monkeypatch, f"{server.url}/net.onnx", sha256=sha256(new), bytes=len(new))
    monkeypatch.setattr(download, "TRIES", 1)
    with pytest.raises(PoselineError):
        server_dies_after(server, 1)
    server.files["/net.onnx"], server.cut = new, 0
    assert get().file.read_bytes() == new


def test_busy_servers_are_asked_again_and_redirects_are_followed(server, monkeypatch):
    data = network()
    server.files["/net.onnx"], server.redirects["/old.onnx"] = data, "/net.onnx"
    server.moods = [503, 429]
    offer(monkeypatch, f"{server.url}/old.onnx", sha256=sha256(data), bytes=len(data))
    assert get().file.read_bytes() == data


@pytest.mark.parametrize(("files", "redirects", "said"), [
    ({}, {}, "the server says 404"),
    ({}, {"/net.onnx": "/net.onnx"}, "Exceeded 10 redirects"),
    ({}, {"/net.onnx": "file:///etc/hostname"}, "No connection adapters"),
    ({"/net.onnx": b"<!DOCTYPE html><title>404</title>"}, {}, "is a web page"),
    ({"/net.onnx": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n"}, {}, "is a Git LFS pointer"),
    ({"/net.onnx": b"wrong bytes"}, {}, "gives another file than the catalogue tells"),
    ({"/net.onnx": b"x" * 100_000}, {}, "at most are taken"),
])  # fmt: skip
def test_what_is_not_the_network_is_refused_and_leaves_nothing(server, monkeypatch, files, redirects, said):
    data = network()
    server.files, server.redirects = files, redirects
    offer(monkeypatch, f"{server.url}/net.onnx", sha256=sha256(data), bytes=len(data))
    for endless in (False, True):
        server.endless = endless
        with pytest.raises(PoselineError, match=said) as error:
            get()
        assert "\n" not in str(error.value)
    assert [name for name in left() if name.startswith(NAME)] == []


def test_a_zip_is_read_whatever_it_names_its_files(server, monkeypatch, tmp_path):
    data = network()
    server.files["/net.zip"] = zipped({"../../outside.txt": b"x", "../../../a/end2end.onnx": data})
    offer(monkeypatch, f"{server.url}/net.zip", sha256=sha256(data), bytes=len(data))
    assert get().file.read_bytes() == data
    assert left() == [f"{NAME}.json", f"{NAME}.onnx"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["models"]


@pytest.mark.parametrize("known", [True, False])
def test_a_zip_bomb_is_refused_before_it_fills_the_disk(server, monkeypatch, known):
    data = network()
    bomb = zipped({"end2end.onnx": b"\0" * 30_000_000})
    server.files["/net.zip"] = bomb
    told = {"sha256": sha256(data), "bytes": len(data)} if known else {"archive_sha256": sha256(bomb)}
    offer(monkeypatch, f"{server.url}/net.zip", **told)
    with pytest.raises(PoselineError, match=re.escape(f"{server.url}/net.zip: unpacks to more than")):
        get()
    assert left() == []


def test_an_address_to_add_is_named_as_it_was_given():
    with pytest.raises(PoselineError, match=r"^https://example\.org/net\.onnx: is an address; download it"):
        fetch.add(Path("https://example.org/net.onnx"), "mine", "")


def test_damaged_and_ambiguous_zips_are_refused(tmp_path):
    out, good = tmp_path / "out.onnx", zipped({"a.onnx": network()})
    broken = bytearray(good)
    broken[60] ^= 255
    for name, data, said in (
        ("cut.zip", good[:-30], "damaged"),
        ("broken.zip", bytes(broken), "damaged"),
        ("two.zip", zipped({"a.onnx": b"1", "b.onnx": b"2"}), "holds 2 .onnx files"),
        ("none.zip", zipped({"a.txt": b"1"}), "holds 0 .onnx files"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PoselineError, match=said):
            unpack(tmp_path / name, out)
        assert not out.exists()
    (tmp_path / "two.zip").write_bytes(zipped({"a.onnx": b"1", "b.onnx": b"2"}))
    assert unpack(tmp_path / "two.zip", out, {sha256(b"2")}) == sha256(b"2")
    assert out.read_bytes() == b"2"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_is_damaged_inside_is_refused(tmp_path, method):
    """Each compression tells its damage by an error of its own."""
    archive, out = tmp_path / "net.zip", tmp_path / "out.onnx"
    with zipfile.ZipFile(archive, "w", method) as made:
        made.writestr("end2end.onnx", network())
    damaged = bytearray(archive.read_bytes())
    for place in range(60, 90):
        damaged[place] ^= 0x5A
    archive.write_bytes(damaged)
    with pytest.raises(PoselineError, match=r"net\.zip: is a damaged or encrypted zip archive .*; get it again"):
        unpack(archive, out)
    assert not out.exists()


def test_a_mirror_is_tried_where_the_address_fails(server, monkeypatch):
    data = network()
    server.files["/mirror/net.onnx"] = data
    offer(monkeypatch, f"{server.url}/first/net.onnx", sha256=sha256(data), bytes=len(data))
    mirrors = {f"{server.url}/first/": [f"{server.url}/mirror/"]}
    monkeypatch.setattr(catalogue, "_facts", lambda: {"mirrors": mirrors})
    assert get().source == f"{server.url}/mirror/net.onnx"
    assert get(f"{server.url}/mirror").source == f"{server.url}/mirror/net.onnx"


def test_without_a_confirmed_digest_trust_is_needed_and_pins_it(server, monkeypatch):
    server.files["/net.onnx"] = network(seed=1)
    offer(monkeypatch, f"{server.url}/net.onnx")
    with pytest.raises(PoselineError, match="--trust"):
        get()
    assert server.asked == []
    first = get(trust=True)
    server.files["/net.onnx"] = network(seed=2)
    with pytest.raises(PoselineError, match="which pose-net had before"):
        get(f"{server.url}/net.onnx", trust=True)
    assert kept.fault(first) == ""
    kept.remove(NAME)
    assert get(trust=True).sha256 == sha256(network(seed=2))


def test_what_is_here_is_not_fetched_again_and_what_is_damaged_is(server, monkeypatch):
    data = network()
    server.files["/net.onnx"] = data
    offer(monkeypatch, f"{server.url}/net.onnx", sha256=sha256(data), bytes=len(data))
    made = get()
    assert get() == made
    assert len(server.asked) == 1
    made.file.write_bytes(data[:-1])
    assert kept.fault(get()) == ""
    assert len(server.asked) == 2


def test_one_process_fetches_at_a_time_and_what_killed_ones_left_is_removed(server, monkeypatch):
    data = network()
    server.files["/net.onnx"] = data
    offer(monkeypatch, f"{server.url}/net.onnx", sha256=sha256(data), bytes=len(data))
    parts = kept.place() / fetch.PARTS
    (parts / "tmpdead").mkdir(parents=True)
    (parts / "tmpdead" / "network.onnx").write_bytes(b"1")
    (parts / "0.whole").write_bytes(b"1")
    (parts / "0.part").write_bytes(b"1")
    with ThreadPoolExecutor(1) as other, fetch._working(), pytest.raises(PoselineError, match="another poseline is"):
        other.submit(get).result()
    get()
    assert left() == ["0.part", f"{NAME}.json", f"{NAME}.onnx"]


def test_a_tar_archive_is_told_before_it_is_fetched(server, monkeypatch, tmp_path):
    data = network()
    known = offer(monkeypatch, f"{server.url}/net.tar.gz", sha256=sha256(data))
    with pytest.raises(PoselineError, match="is a tar archive; download and unpack it, then add --from FOLDER"):
        get()
    assert server.asked == []
    assert "models fetch pose-net --from DIR" in kept.not_here(known)
    (tmp_path / "any_name.onnx").write_bytes(data)
    assert get(str(tmp_path)).sha256 == sha256(data)


def test_trust_takes_no_other_file_than_the_catalogue_tells(server, monkeypatch, tmp_path):
    (tmp_path / "pose-net.onnx").write_bytes(network(seed=2))
    offer(monkeypatch, "", sha256=sha256(network(seed=1)), bytes=1)
    with pytest.raises(PoselineError, match="models add FILE --name NAME --like pose-net"):
        get(str(tmp_path), trust=True)


@pytest.mark.parametrize("name", ["pose-net.onnx", "other.onnx", "net/20230831/end2end.onnx", "net.zip"])
def test_a_folder_has_it_by_name_or_by_digest(server, monkeypatch, tmp_path, name):
    data, folder = network(), tmp_path / "mine"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(zipped({"x/end2end.onnx": data}) if name.endswith(".zip") else data)
    offer(monkeypatch, "https://example.org/net.zip", sha256=sha256(data), bytes=len(data))
    assert get(str(folder)).file.read_bytes() == data
    (tmp_path / "empty").mkdir()
    with pytest.raises(PoselineError, match="no pose-net in it"):
        get(str(tmp_path / "empty"))


def test_a_changed_file_is_not_used(server, monkeypatch, tmp_path):
    data = network()
    (tmp_path / "pose-net.onnx").write_bytes(data)
    offer(monkeypatch, "", sha256=sha256(data), bytes=len(data))
    made = get(str(tmp_path))
    made.file.write_bytes(network(seed=5))
    with pytest.raises(PoselineError, match=r"SHA-256 .* and not .*; poseline models fetch pose-net"):
        kept.file_of("--pose", NAME)
    made.file.unlink()
    assert kept.fault(made) == "its file is gone; poseline models fetch pose-net"


def test_networks_of_the_user_have_names_roles_and_likes(server, tmp_path):
    file = tmp_path / "end2end.onnx"
    file.write_bytes(network())
    made = fetch.add(tmp_path, "mine", "pp-tinypose")
    assert (made.role, made.like) == ("pose", "pp-tinypose")
    assert kept.file_of("--pose", "mine") == made.file
    for name, like, said in (
        ("Mine", "", "small letters"),
        ("../mine", "", "small letters"),
        ("yolox-tiny", "", "is taken by poseline itself"),
        ("rtmpose-m", "", "models fetch rtmpose-m"),
        ("mine", "yolox-s", "is a pose network and no detector network"),
        ("mine", "yolox-q", "no such network in the catalogue"),
    ):
        with pytest.raises(PoselineError, match=said):
            fetch.add(file, name, like)
    with pytest.raises(PoselineError, match="--detector mine: is a pose network; give it as --pose"):
        kept.file_of("--detector", "mine")
    assert fetch.add(file, "mine", "").like == ""  # the same file again
    file.write_bytes(network(seed=5))
    with pytest.raises(PoselineError, match=r"--name mine: is another network already.* models remove mine first"):
        fetch.add(file, "mine", "")
    file.write_bytes(b"no network")
    with pytest.raises(PoselineError, match=f"^{file}: is no ONNX network.*; give another file$") as error:
        fetch.add(file, "other", "")
    assert str(kept.place()) not in str(error.value)
    assert [n.name for n in kept.kept()] == ["mine"]
    kept.remove("mine")
    with pytest.raises(PoselineError, match="there are: none"):
        kept.remove("mine")
    assert left() == []


def test_files_of_wrong_kinds_are_recognised_with_a_remedy(tmp_path):
    for content, said in (
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "git lfs pull"),
        (b"\n <html><body>404</body></html>", "is a web page"),
        (zipped({"a/end2end.onnx": b"1"}), "poseline models add"),
        (zipped({"net/data.pkl": b"1"}), "checkpoint of PyTorch"),
        (b"PK\x03\x04 and no more", "damaged zip"),
        (b"\x1f\x8b\x08\0", "gzip archive"),
    ):
        file = tmp_path / "net.onnx"
        file.write_bytes(content)
        assert said in wrong(str(file))
        for settings in ({"detect": {"name": f"onnx:{file}"}}, {"pose": {"name": f"onnx:{file}"}}):
            with pytest.raises(PoselineError, match=said):
                registry.run_facts(Config.model_validate(settings))
        with pytest.raises(PoselineError, match=said):
            reid.digests(f"onnx:{file}")
    file.write_bytes(network())
    assert wrong(str(file)) == ""
    assert wrong(str(tmp_path)) == f"is a folder; give the file in it, {file}"
    assert "is an address" in wrong("https://example.org/net.onnx")


def test_the_catalogue_is_whole():
    for name, known in catalogue.catalogue().items():
        assert kept.NAME.fullmatch(name)
        assert name not in (*registry.DETECTORS, *registry.POSES)
        assert known.role in kept.OPTIONS
        assert known.licence
        assert all(re.fullmatch(r"[0-9a-f]{64}", d) for d in (*known.digests, known.archive_sha256) if d)
        assert known.url.startswith("https://") or known.exports
        assert bool(known.accuracy) == bool(known.accuracy_of)
    digests = [d for known in catalogue.catalogue().values() for d in known.digests]
    assert len(digests) == len(set(digests))


def test_the_maintainers_check_tells_right_wrong_and_missing(server, monkeypatch, capsys):
    data = network()
    monkeypatch.syspath_prepend(str(SCRIPTS))
    check_catalogue = importlib.import_module("check_catalogue")
    known = offer(monkeypatch, f"{server.url}/net.onnx", sha256=sha256(data), bytes=len(data))
    two = {NAME: known, "gone": replace(known, name="gone", url=f"{server.url}/gone.onnx")}
    for module in (catalogue, kept, fetch):
        monkeypatch.setattr(module, "catalogue", lambda: two)
    server.files["/net.onnx"] = data
    assert check_catalogue.main([]) == 1
    right, missing = capsys.readouterr().out.splitlines()
    assert right.startswith(f"ok    {NAME}")
    assert "as the catalogue tells" in right
    assert missing.startswith("FAIL  gone")
    assert "404" in missing
    assert check_catalogue.main([NAME]) == 0
    server.files["/net.onnx"] = network(seed=3)
    assert check_catalogue.main([NAME]) == 1
    assert not kept.place().exists()
