"""Bring networks to this machine: by the catalogue's address, from a folder, a file or another address; or a user's."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pipeline.core.errors import PoselineError
from pipeline.models.catalogue import Known, addresses, catalogue, known, shared_path
from pipeline.models.download import AddressError, Transfer, download
from pipeline.models.kept import NAME, Kept, fault, find, keep, place, sha256_of
from pipeline.models.kinds import as_address, is_address, is_zip, onnx_files, wrong
from pipeline.models.onnx.graph import Graph, detector_layout, graph_of, pose_layout
from pipeline.models.registry import DETECTORS, POSES
from pipeline.models.unpack import unpack
from pipeline.store.atomic import write_error
from pipeline.store.lock import locked

RESERVED = ("none", "poseline")  # values of --reid and --lifter
KEEPING = (".part", ".mark")  # of downloads that go on
PARTS = ".parts"  # what is being fetched, in the folder of networks


def fetch(name: str, source: str, trust: bool, transfer: Transfer) -> Kept:
    """Bring a network of the catalogue here. ``source`` is "", a folder, a file or an address.

    Without a source, a network that is here and whole is not fetched again.

    ``trust`` takes a network whose digest no public text confirms; its digest is kept, and must be the same when it is
    fetched again. Raises PoselineError where the network cannot be had, or is another file than it should be.
    """
    network, before = known(name), find(name)
    if before is not None and not source and not fault(before):
        return before
    _check_confirmed(network, trust)
    with _working() as parts, _scratch(parts) as made:
        if source and not is_address(source):
            file = _found(network, Path(source).expanduser())
            said, whole = str(file.absolute()), _is_archive(network, file)
            digest = _take(file, made, network, said)
        else:
            file, said = _downloaded(network, source, parts, transfer)
            try:
                whole, digest = _is_archive(network, file), _take(file, made, network, said)
            finally:
                file.unlink(missing_ok=True)
        _check_digest(network, digest, said, trust or whole)
        if digest not in network.digests:
            _check_role(network.role, graph_of(f"models fetch {name}:", str(made)), name)
        entry = Kept(name, network.role, name, said, made.stat().st_size, digest)
        keep(entry, made)
    return entry


def add(file: Path, name: str, like: str) -> Kept:
    """Keep a copy of a user's network under a name. ``like`` is "" or a network of the catalogue that it is like.

    ``file`` is an .onnx file, a zip archive or a folder that holds one. Raises PoselineError.
    """
    if not NAME.fullmatch(name):
        raise PoselineError(f"--name {name}: take up to 64 small letters, digits, '.', '-' and '_'")
    if name in (*DETECTORS, *POSES, *RESERVED):
        raise PoselineError(f"--name {name}: is taken by poseline itself; choose another name")
    if name in catalogue():
        raise PoselineError(f"--name {name}: is in the catalogue; poseline models fetch {name} --from '{file}'")
    told, file = known(like) if like else None, _one(file)
    with _working() as parts, _scratch(parts) as made:
        digest = _take(file, made, None, str(file))
        try:
            graph = graph_of(f"models add {file}:", str(made))
        except PoselineError as error:
            raise PoselineError(str(error).replace(str(made), str(file))) from error
        role = _check_role(told.role, graph, str(file)) if told else _role(graph, str(file))
        before = find(name)
        if before is not None and before.sha256 != digest:
            raise PoselineError(
                f"--name {name}: is another network already, of {before.source}; choose another name, or poseline "
                f"models remove {name} first"
            )
        entry = Kept(name, role, like, str(file.absolute()), made.stat().st_size, digest)
        keep(entry, made)
    return entry


def _is_archive(network: Known, file: Path) -> bool:
    """Whether the file is the archive whose digest the catalogue tells."""
    return bool(network.archive_sha256) and is_zip(file) and sha256_of(file) == network.archive_sha256


@contextlib.contextmanager
def _working() -> Iterator[Path]:
    """The folder of unfinished files, held against other processes; parts of downloads stay there, all else goes."""
    parts = place() / PARTS
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(parts))
        except PoselineError as error:
            if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, BlockingIOError):
                raise  # the folder cannot be written to
            raise PoselineError(f"{place()}: another poseline is fetching networks; wait for it") from error
        for left in parts.iterdir():  # of processes that were killed
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            elif left.suffix not in KEEPING and not left.name.startswith("."):
                left.unlink(missing_ok=True)
        yield parts


@contextlib.contextmanager
def _scratch(parts: Path) -> Iterator[Path]:
    """A new file's path in a folder of its own, which is removed at the end."""
    try:
        with tempfile.TemporaryDirectory(dir=parts, ignore_cleanup_errors=True) as folder:
            yield Path(folder) / "network.onnx"
    except OSError as error:
        raise write_error(parts, error) from error


def _check_confirmed(network: Known, trust: bool) -> None:
    if not network.confirmed and not network.exports and not trust:
        raise PoselineError(
            f"{network.name}: no public text confirms the digest of this network; --trust takes what its address gives"
            ", and keeps to it from then on"
        )


def _check_digest(network: Known, digest: str, source: str, trust: bool) -> None:
    """PoselineError for a file that is not the network, by the catalogue or by what was fetched before."""
    if digest in network.digests:
        return
    before = find(network.name)
    if before is not None and digest != before.sha256:
        raise PoselineError(
            f"{source}: SHA-256 {digest[:16]}… is not {before.sha256[:16]}…, which {network.name} had before; if that"
            f" is right, poseline models remove {network.name} first"
        )
    if network.digests or not trust:
        raise PoselineError(
            f"{source}: SHA-256 {digest} is not that of {network.name} in the catalogue; under a name of its own it can"
            f" be used: poseline models add FILE --name NAME --like {network.name}"
        )


def _downloaded(network: Known, source: str, parts: Path, transfer: Transfer) -> tuple[Path, str]:
    """The file from the first address that gives it, and that address."""
    urls = _from_address(network, source) if source else addresses(network)
    if not source and network.url and not network.fetchable:
        raise PoselineError(
            f"{network.name}: {network.url} is a tar archive; download and unpack it, then add --from FOLDER"
        )
    if not urls:
        raise PoselineError(f"{network.name}: is published nowhere as ONNX; --from gives a folder or file with it")
    refused = []
    for url in urls:
        packed = not url.lower().endswith(".onnx")
        size = network.archive_bytes if packed else max(network.digests.values(), default=0)
        sha256 = network.archive_sha256 if packed else network.sha256
        if not packed and len(network.digests) > 1:
            sha256 = ""  # any of them will do; the digest is checked once more
        try:
            return download(url, parts, sha256, size, transfer), url
        except AddressError as error:
            refused.append(error)
            if url != urls[-1]:
                transfer.say(f"{error}; trying the next address")
    raise refused[0] if len(refused) == 1 else PoselineError("; ".join(map(str, refused)))


def _from_address(network: Known, source: str) -> list[str]:
    """Addresses below a user's: the address itself where it names a file, else the catalogue's paths below it."""
    if PurePosixPath(source).suffix.lower() in (".onnx", ".zip"):
        return [source]
    base, path = source.rstrip("/"), PurePosixPath(network.url or f"{network.name}.onnx")
    tails = {path.name: None, f"{network.name}.onnx": None}
    if shared_path(network):
        tails = {shared_path(network): None, **tails}
    return [f"{base}/{tail}" for tail in tails]


def _found(network: Known, source: Path) -> Path:
    """The network's file in a user's folder, by its names or its digest; or the user's file itself."""
    if source.is_file():
        return source
    if not source.is_dir():
        raise PoselineError(f"--from {source}: no such file or folder")
    packed = PurePosixPath(network.url).name
    for name in (f"{network.name}.onnx", packed, PurePosixPath(packed).stem):
        path = source / name
        if name and path.is_file():
            return path
        if name and path.is_dir() and len(found := onnx_files(path)) == 1:
            return found[0]
    sizes = set(network.digests.values())
    for file in onnx_files(source):
        if (0 in sizes or file.stat().st_size in sizes) and sha256_of(file) in network.digests:
            return file
    named = f"{network.name}.onnx" + (f", {packed}" if packed else "")
    raise PoselineError(f"--from {source}: no {network.name} in it (looked for {named}, and for its digest)")


def _one(file: Path) -> Path:
    """The file that the user means: itself, or the only one in a folder."""
    if file.is_dir() and len(found := onnx_files(file)) == 1:
        return found[0]
    if is_address(str(file)):
        raise PoselineError(f"{as_address(file)}: {wrong(str(file))}")
    if not file.exists():
        raise PoselineError(f"{file}: no such file; give an .onnx file, a zip archive or a folder with one in it")
    return file


def _take(file: Path, made: Path, network: Known | None, said: str) -> str:
    """Copy the network in a file to ``made``, and return its digest. PoselineError for what is no network.

    ``said``: what errors call the file, such as the address that gave it.
    """
    wanted = network.digests if network else {}
    if file.is_file() and is_zip(file):
        return unpack(file, made, wanted, max(wanted.values(), default=0) if all(wanted.values()) else 0, said)
    if seen := wrong(str(file)):
        raise PoselineError(f"{said}: {seen}")
    shutil.copyfile(file, made)
    return sha256_of(made)


def _check_role(role: str, graph: Graph, file: str) -> str:
    """The role; PoselineError where the graph has another."""
    if (seen := _role(graph, file)) != role:
        raise PoselineError(f"{file}: is a {seen} network and no {role} network; give another file or --like")
    return role


def _role(graph: Graph, file: str) -> str:
    """The role of a graph by its outputs. PoselineError for a graph of no known layout."""
    shapes = list(graph.outputs.values())
    if len(shapes) == 1 and len(shapes[0]) == 2:
        return "reid"
    for role, layout in (("pose", pose_layout), ("detector", detector_layout)):
        with contextlib.suppress(PoselineError):
            found = layout(graph, "auto")
            return "one-stage" if found == "rtmo" else role
    raise PoselineError(f"{file}: its layout is unknown ({graph}); see docs/networks.md for those that are known")
