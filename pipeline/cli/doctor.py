"""What is installed, and does it work: the checks of `poseline doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from pipeline.core import libraries
from pipeline.core.errors import PoselineError
from pipeline.models.openmm.installed import checks as openmm

Check = tuple[bool, str, str]


def checks() -> Iterator[Check]:
    """(works, what, detail) of every piece poseline stands on."""
    yield sys.version_info >= (3, 11), "python", sys.version.split()[0]
    old = {line.split()[0]: line for line in libraries.outdated()}
    new = {line.split()[0]: line for line in libraries.untried()}
    for name in libraries.LIBRARIES:
        found = libraries.version_of(name)
        yield (
            bool(found) and name not in old,
            name,
            old.get(name) or new.get(name) or found or f"missing: pip install {name}",
        )
    yield _opencv(old, new)
    yield from _networks()
    yield from _kept()
    yield from openmm()


def _opencv(old: dict[str, str], new: dict[str, str]) -> Check:
    """Any OpenCV will do; several distributions overwrite each other's files."""
    names = libraries.opencv_names()
    if len(names) > 1:
        said = f"{', '.join(names)} lie over one another; uninstall all, then pip install the one that you need"
        return False, "opencv", said
    try:
        import cv2
    except ImportError as error:
        return False, "opencv", f"{' '.join(str(error).split())}; {libraries.OPENCV_REMEDY}"
    if not names:
        return hasattr(cv2, "resize"), "opencv", f"{getattr(cv2, '__version__', 'empty')}, of the system"
    (name,) = names
    return name not in old, "opencv", old.get(name) or new.get(name) or f"{name} {libraries.version_of(name)}"


def _networks() -> Iterator[Check]:
    import numpy as np

    from pipeline.models.runtime import ASSETS, Session, pick_device

    device = pick_device("auto")
    yield True, "device", f"{device.name}, {device.precision}, {device.threads} CPU threads"
    yield _openvino()
    shapes = {
        "yolox-tiny": (1, 3, 64, 64),
        "rtmpose-s": (1, 3, 256, 192),
        "handlandmark-full": (1, 224, 224, 3),
        "facemesh": (1, 192, 192, 3),
    }
    for name, shape in shapes.items():
        where = device if shape[1] == 3 else device.exact()
        out = Session(ASSETS / f"{name}.onnx", where).run(np.zeros(shape, np.float32))
        finite = all(np.isfinite(v).all() for v in out.values())
        yield finite, name, "runs" if finite else "gives values that are not numbers; install poseline again"


def _openvino() -> Check:
    """Whether OpenVINO is there, and what it is good for here."""
    from pipeline.models import openvino

    version = libraries.version_of(openvino.NAME)
    if not version:
        return True, openvino.NAME, f"not installed (for processors with bfloat16: {openvino.REMEDY.partition(',')[0]})"
    good = "bf16" if openvino.halves() else "no AMX or AVX512-BF16 here: --device auto does not use it"
    folder = next(path for path in (openvino.place(), *openvino.place().parents) if path.is_dir())
    closed = "" if os.access(folder, os.W_OK) else f"; {folder} cannot be written, so every start compiles"
    return True, openvino.NAME, f"{version}, {good}{closed}"


def paces() -> Iterator[str]:
    """Lines for ``--measure``: how fast the default networks run, and which way is the fastest."""
    from pipeline.models.pace import measured
    from pipeline.models.runtime import pick_device

    found = measured()
    for pace in found:
        frames = ", ".join(f"{pace.frames(people):.3g} with {people}" for people in (1, 5, 20))
        yield f"{pace.name:14} {pace.pictures:.0f} pictures/s, {pace.people:.0f} people/s; frames/s: {frames} people"
    chosen, best = pick_device("auto"), found[0]
    took = [pace for pace in found if (pace.device.name, pace.device.precision) == (chosen.name, chosen.precision)]
    if not took:
        yield f"--device auto takes {chosen.name}, which is not measured here"
    elif took[0] is best or best.frames(5) < 1.1 * took[0].frames(5):
        yield f"--device auto takes {took[0].name}, and no other is faster by more than a tenth"
    else:
        ratio, asked = best.frames(5) / took[0].frames(5), f"--device {best.device.name}"
        yield (
            f"--device auto takes {took[0].name}; {best.name} is {ratio:.1f} × as fast: {asked} --set "
            f"runtime.precision={best.device.precision}"
        )


def _kept() -> Iterator[Check]:
    """The networks kept on this machine by name, and whatever else lies among them."""
    from pipeline.models.kept import fault, find, place
    from pipeline.models.kinds import wrong

    folder = place()
    yield True, "networks by name", f"in {folder}" if folder.is_dir() else f"none; they would be in {folder}"
    for path in sorted(folder.glob("[!.]*")):
        try:
            network = find(path.stem)
        except PoselineError as error:
            yield False, path.stem, str(error)
            continue
        if network is None:
            seen = wrong(str(path)) or "was not fetched or added by poseline; poseline models add FILE --name NAME"
            yield False, path.name, seen
        elif path.suffix == ".json":
            seen = fault(network)
            yield not seen, network.name, seen or f"{network.role}, as fetched"
