"""Which OpenMMLab packages are installed, and which are stand-ins: for `poseline doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from pipeline.core.errors import PoselineError
from pipeline.models.openmm import compat

DISTRIBUTIONS = {
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "mmengine": ("mmengine", "mmengine-lite"),
    "mmcv": ("mmcv", "mmcv-lite"),
    "mmdet": ("mmdet",),
    "mmpose": ("mmpose",),
    "mmpretrain": ("mmpretrain",),
}


def checks() -> Iterator[tuple[bool, str, str]]:
    """(works, name, detail) of every package; one working entry when none is installed, since they are optional."""
    absent = compat.missing()
    if "mmpose" in absent and "mmdet" in absent:
        yield True, "openmm", "not installed; mmdet: and mmpose: networks need it: make openmm"
        return
    for name, distributions in DISTRIBUTIONS.items():
        found = [f"{d} {v}" for d in distributions if (v := _version(d))]
        needed = name in compat.NEEDED
        if found or needed:
            yield bool(found), name, ", ".join(found) or f"missing: {compat.INSTALL}"
    try:
        pieces = compat.ensure()
    except PoselineError as error:
        yield False, "openmm", str(error)
        return
    for piece, state in pieces.items():
        yield True, piece, state


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
