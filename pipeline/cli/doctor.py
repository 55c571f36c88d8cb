"""What is installed, and does it work: the checks of `poseline doctor`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distributions, version

from pipeline.models.openmm.installed import checks as openmm

PACKAGES = (
    "numpy", "pandas", "pyarrow", "scipy", "av", "decord2", "lap", "filterpy", "onnxruntime", "pydantic", "typer",
)  # fmt: skip
Check = tuple[bool, str, str]


def checks() -> Iterator[Check]:
    """(works, what, detail) of every piece poseline stands on."""
    yield (3, 11) <= sys.version_info < (3, 15), "python", sys.version.split()[0]
    for name in PACKAGES:
        try:
            yield True, name, version(name)
        except PackageNotFoundError:
            yield False, name, f"missing: pip install {name}"
    yield _opencv()
    yield from _networks()
    yield from openmm()


def _opencv() -> Check:
    """Several OpenCV distributions overwrite each other's files: exactly one may be there."""
    found = sorted({d.metadata["Name"] for d in distributions() if (d.metadata["Name"] or "").startswith("opencv")})
    if len(found) == 1:
        return True, "opencv", f"{found[0]} {version(found[0])}"
    return (
        False,
        "opencv",
        f"{len(found)} distributions ({', '.join(found) or 'none'}); keep opencv-python-headless only",
    )


def _networks() -> Iterator[Check]:
    import numpy as np

    from pipeline.models.runtime import ASSETS, Session, pick_device

    device = pick_device("auto")
    yield True, "device", f"{device.name}, {device.threads} CPU threads"
    shapes = {
        "yolox-tiny": (1, 3, 64, 64),
        "rtmpose-s": (1, 3, 256, 192),
        "handlandmark-full": (1, 224, 224, 3),
        "facemesh": (1, 192, 192, 3),
    }
    for name, shape in shapes.items():
        out = Session(ASSETS / f"{name}.onnx", device).run(np.zeros(shape, np.float32))
        finite = all(np.isfinite(v).all() for v in out.values())
        yield finite, name, "runs" if finite else "gives values that are not numbers; install poseline again"
