"""The lines of `poseline models list`."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.models.catalogue import Known, catalogue, megabytes
from pipeline.models.kept import kept, place
from pipeline.models.registry import DETECTORS, POSES
from pipeline.models.runtime import ASSETS


def network_rows() -> Iterator[str]:
    """A heading and a line per network: embedded ones, those on this machine, those to be had."""
    yield "In the package:"
    for role, known in (("detector", DETECTORS), ("pose", POSES)):
        for name, entry in known.items():
            size = sum((ASSETS / file).stat().st_size for file in entry.files)
            yield _row(name, role, megabytes(size), "Apache-2.0", "docs/accuracy.md", entry.about)
    here = kept()
    yield f"On this machine, in {place()}:" + ("" if here else " none")
    for network in here:
        facts = catalogue().get(network.name)
        if facts:
            yield _row(network.name, network.role, megabytes(network.bytes), *_facts(facts))
        else:
            like = f"like {network.like}" if network.like else ""
            yield _row(network.name, network.role, megabytes(network.bytes), "", "", f"your own {like}".strip())
    yield "To be had by poseline models fetch NAME:"
    names = {network.name for network in here}
    for name, facts in catalogue().items():
        if name not in names:
            yield _row(name, facts.role, megabytes(facts.download_bytes) or "?", *_facts(facts))


def _facts(network: Known) -> tuple[str, str, str]:
    """Licence, accuracy and doubts."""
    accuracy = f"{network.accuracy} ({network.accuracy_of})" if network.accuracy else ""
    needed = "" if network.fetchable else "only by --from"
    unsure = "" if network.confirmed or network.exports else "needs --trust: no public text confirms its digest"
    return network.licence, accuracy, "; ".join(text for text in (needed, unsure, network.doubts) if text)


def _row(name: str, role: str, size: str, licence: str, accuracy: str, more: str) -> str:
    return f"  {name:24} {role:10} {size:>8}  {licence:11} {accuracy:37} {more}".rstrip()
