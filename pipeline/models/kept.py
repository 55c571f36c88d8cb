"""Networks kept on this machine by name: NAME.onnx, and NAME.json with its digest, in one folder.

The folder is the user's data folder, or what the environment variable POSELINE_MODELS names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.core.errors import PoselineError
from pipeline.models.catalogue import Known, catalogue, megabytes
from pipeline.models.kinds import wrong_content
from pipeline.models.runtime import ASSETS, file_digest
from pipeline.store.atomic import write_error, write_text

VARIABLE = "POSELINE_MODELS"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
OPTIONS = {"detector": "--detector", "pose": "--pose", "one-stage": "--pose", "reid": "--reid"}  # of a role


@dataclass(frozen=True)
class Kept:
    """A network on this machine."""

    name: str
    role: str
    like: str  # the network of the catalogue that it is, or is like; "" for none
    source: str  # the address or the file that it came from
    bytes: int
    sha256: str

    @property
    def file(self) -> Path:
        return place() / f"{self.name}.onnx"


def place() -> Path:
    """The folder of kept networks; it need not be there."""
    told = os.environ.get(VARIABLE, "")
    if told:
        return Path(told).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("poseline", appauthor=False) / "models"


def kept() -> list[Kept]:
    """All networks on this machine, by name. PoselineError for a record that is damaged."""
    return [_read(record) for record in sorted(place().glob("*.json")) if NAME.fullmatch(record.stem)]


def find(name: str) -> Kept | None:
    """The network of that name on this machine."""
    if not NAME.fullmatch(name):
        return None
    record = place() / f"{name}.json"
    return _read(record) if record.is_file() else None


def _read(record: Path) -> Kept:
    try:
        told = json.loads(record.read_text(encoding="utf-8"))
        texts = {key: str(told[key]) for key in ("role", "like", "source", "sha256")}
        if texts["role"] not in OPTIONS or not re.fullmatch(r"[0-9a-f]{64}", texts["sha256"]):
            raise ValueError(f"role {texts['role']}, SHA-256 {texts['sha256']}")
        return Kept(name=record.stem, bytes=int(told["bytes"]), **texts)
    except (ValueError, KeyError, TypeError) as error:
        said = f"this record of a network is damaged ({type(error).__name__}: {error})"
        raise PoselineError(f"{record}: {said}; poseline models remove {record.stem}") from error


def keep(network: Kept, content: Path) -> None:
    """Move the file ``content``, whose digest was checked, to its name, and write its record."""
    try:
        os.replace(content, network.file)
    except OSError as error:
        raise write_error(network.file, error) from error
    told = {key: value for key, value in asdict(network).items() if key != "name"}
    write_text(network.file.with_suffix(".json"), json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    file_digest.cache_clear()


def remove(name: str) -> None:
    """Delete the network of that name. PoselineError where there is none."""
    paths = [place() / f"{name}{suffix}" for suffix in (".json", ".onnx")] if NAME.fullmatch(name) else []
    if not any(path.is_file() for path in paths):
        names = ", ".join(network.name for network in kept()) or "none"
        raise PoselineError(f"{name}: no such network in {place()}; there are: {names}")
    for path in paths:
        path.unlink(missing_ok=True)


def fault(network: Kept) -> str:
    """What is wrong with a network's file, with the remedy; "" where it is what was fetched. Reads the whole file."""
    again = remedy(network)
    if not network.file.is_file():
        return f"its file is gone; {again}"
    if seen := wrong_content(network.file):
        return f"{seen.partition(';')[0]}; {again}"
    digest = sha256_of(network.file)
    return "" if digest == network.sha256 else f"SHA-256 {digest[:16]}… and not {network.sha256[:16]}…; {again}"


def verified() -> Iterator[tuple[str, str]]:
    """(name, fault or "") of every network in the package and on this machine. Reads every file."""
    sums = (ASSETS / "SHA256SUMS").read_text(encoding="utf-8")
    for digest, name in (line.split() for line in sums.splitlines()):
        right = (ASSETS / name).is_file() and sha256_of(ASSETS / name) == digest
        yield name.removesuffix(".onnx"), "" if right else "not the file of the package; install poseline again"
    for record in sorted(place().glob("*.json")):
        try:
            network = find(record.stem)
        except PoselineError as error:
            yield record.stem, str(error)
            continue
        if network is not None:
            yield network.name, fault(network)


def remedy(network: Kept) -> str:
    """The command that brings a network back."""
    if network.name in catalogue():
        return f"poseline models fetch {network.name}"
    return f"poseline models remove {network.name}, then poseline models add FILE --name {network.name}"


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def told_of(name: str) -> Known | None:
    """What the catalogue knows of a kept network, by its own name or the name that it is like."""
    network = find(name)
    return catalogue().get(network.like or name) if network else None


def missing(option: str, name: str) -> Known | None:
    """The network of the catalogue that this name means for this option, where it is not on this machine."""
    network = catalogue().get(name)
    if network is None or OPTIONS[network.role] != option or find(name) is not None:
        return None
    return network


def file_of(option: str, name: str) -> Path | None:
    """The file of a network named by an option, None for a name that nobody knows.

    Raises PoselineError for a network of another role, one that is not here yet, and a file that was changed.
    """
    network, known = find(name), catalogue().get(name)
    if network is None and known is None:
        return None
    role = network.role if network else known.role if known else ""
    if OPTIONS[role] != option:
        raise PoselineError(f"{option} {name}: is a {role} network; give it as {OPTIONS[role]}")
    if network is None:
        assert known is not None
        raise PoselineError(f"{option} {name}: {not_here(known)}")
    if not network.file.is_file() or file_digest(network.file) != network.sha256[: len(file_digest(network.file))]:
        raise PoselineError(f"{option} {name}: {network.file}: {fault(network)}")
    return network.file


def not_here(network: Known) -> str:
    """That a network of the catalogue is not on this machine, and the command that fetches it."""
    facts = ", ".join(fact for fact in (megabytes(network.download_bytes), network.licence) if fact)
    more = ("" if network.fetchable else " --from DIR") + (
        "" if network.confirmed or network.exports else " --trust (no public text confirms its digest)"
    )
    return f"is not on this machine ({facts}); poseline models fetch {network.name}{more}"
