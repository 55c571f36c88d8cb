"""The catalogue of networks that can be had by name; its facts stand in ``catalogue.toml``."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.core.errors import PoselineError
from pipeline.core.texts import parse_toml

_FILE = Path(__file__).with_name("catalogue.toml")
LAYOUTS = ("rtmdet", "yolox")  # families whose name is the value of detect.layout


@dataclass(frozen=True)
class Known:
    """A network of the catalogue. Empty texts and 0 are not known."""

    name: str
    role: str  # detector, pose, one-stage, reid
    family: str
    input: tuple[int, int]  # width, height in px
    keypoints: str
    url: str
    sha256: str  # of the ONNX file
    bytes: int
    archive_sha256: str
    archive_bytes: int
    texts: int  # that give the digest
    exports: dict[str, int]  # bytes by SHA-256 of other files that are this network, too
    licence: str
    doubts: str
    accuracy: str
    accuracy_of: str
    probability: tuple[float, ...]  # that it is right, at the raw scores of `pipeline.models.calibration`; () unknown

    @property
    def digests(self) -> dict[str, int]:
        """Bytes, or 0, by SHA-256 of every ONNX file that is this network."""
        return {**({self.sha256: self.bytes} if self.sha256 else {}), **self.exports}

    @property
    def is_archive(self) -> bool:
        return bool(self.url) and not self.url.endswith(".onnx")

    @property
    def fetchable(self) -> bool:
        """Whether poseline can read what lies at the address: an .onnx file or a zip archive."""
        return self.url.lower().endswith((".onnx", ".zip"))

    @property
    def download_bytes(self) -> int:
        """About how many bytes are fetched, 0 where that is not known: an archive has about its file's size."""
        return (self.is_archive and self.archive_bytes) or self.bytes

    @property
    def confirmed(self) -> bool:
        """Whether a public text gives the digest of what lies at the address."""
        return bool(self.sha256 or self.archive_sha256)


@cache
def catalogue() -> dict[str, Known]:
    """All networks of the catalogue by name."""
    return {name: _known(name, facts) for name, facts in _facts()["network"].items()}


def known(name: str) -> Known:
    """The network of that name. PoselineError, with names like it, where the catalogue has none."""
    found = catalogue().get(name)
    if found is None:
        near = difflib.get_close_matches(name, catalogue(), 3)
        like = f"; did you mean {' or '.join(near)}?" if near else "; poseline models list names them"
        raise PoselineError(f"{name}: no such network in the catalogue{like}")
    return found


def addresses(network: Known) -> list[str]:
    """The network's address, then those of its mirrors."""
    mirrors = _facts().get("mirrors", {}).items()
    copies = [
        place + shared_path(network) for start, places in mirrors if network.url.startswith(start) for place in places
    ]
    return [network.url, *copies] if network.url else []


def shared_path(network: Known) -> str:
    """The end of the address that mirrors share; "" where there are no mirrors."""
    starts = [start for start in _facts().get("mirrors", {}) if network.url.startswith(start)]
    return network.url.removeprefix(starts[0]) if starts else ""


def megabytes(count: int) -> str:
    """Bytes as people read them: 22.8 MB; empty for 0."""
    return f"{count / 1e6:.1f} MB" if 0 < count < 1e7 else f"{count / 1e6:.0f} MB" if count else ""


@cache
def _facts() -> dict[str, Any]:
    return parse_toml(_FILE.read_text(encoding="utf-8"))


def _known(name: str, facts: dict[str, Any]) -> Known:
    width, height = facts["input"]
    told: dict[str, Any] = {key: facts[key] for key in ("role", "family", "licence")}
    for key in ("keypoints", "url", "sha256", "archive_sha256", "doubts", "accuracy", "accuracy_of"):
        told[key] = str(facts.get(key, ""))
    for key in ("bytes", "archive_bytes", "texts"):
        told[key] = int(facts.get(key, 0))
    told["probability"] = tuple(float(value) for value in facts.get("probability", ()))
    told["exports"] = {export["sha256"]: int(export["bytes"]) for export in facts.get("exports", ())}
    return Known(name=name, input=(width, height), **told)
