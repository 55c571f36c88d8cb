"""The libraries that poseline stands on: which versions it takes, and what it tells of others and of no OpenCV."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import NamedTuple

from pipeline.core.errors import PoselineError


class Range(NamedTuple):
    """The least version that works, and the newest that was tried; newer ones are used, too."""

    least: str
    tried: str


LIBRARIES = {
    "numpy": Range("2.0", "2.5"),
    "pandas": Range("2.2.2", "3.1"),
    "pyarrow": Range("17", "26.0"),
    "scipy": Range("1.13", "1.18"),
    "av": Range("17.1", "19.0"),
    "decord2": Range("3.0", "3.4"),
    "lap": Range("0.5.12", "0.5.13"),
    "filterpy": Range("1.4.5", "2.0"),
    "matplotlib": Range("3.9", "3.11"),
    "pillow": Range("10.1", "13.0"),
    "onnxruntime": Range("1.20", "1.32"),
    "pydantic": Range("2.8", "2.14"),
    "typer": Range("0.15", "0.29"),
    "rich": Range("13.7", "15.0"),
    "pooch": Range("1.8.2", "1.9"),
    "platformdirs": Range("4.2", "4.14"),
    "requests": Range("2.32.2", "2.34"),
}
OPENCV = Range("4.10.0.84", "5.0")  # 4.10.0.82 was made for numpy 1
OPENCV_NAME = "opencv-python-headless"  # what is installed where there is none
OPENCV_NAMES = (OPENCV_NAME, "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
OPENCV_REMEDY = f"pip install '{OPENCV_NAME}>={OPENCV.least}'"


def check() -> None:
    """PoselineError where OpenCV is missing, or a library is older than the least version that works."""
    there = find_spec("cv2")
    if there is None:
        raise PoselineError(f"OpenCV (cv2) is not installed; {OPENCV_REMEDY} (any other OpenCV will do, too)")
    if there.origin is None:
        raise PoselineError(
            "OpenCV (cv2) is an empty folder, as is left where one OpenCV was installed over another and then"
            f" uninstalled; pip install --force-reinstall --no-deps {OPENCV_NAME}"
        )
    if old := outdated():
        raise PoselineError("; ".join(old))


def outdated() -> list[str]:
    """A line for each library that is older than the least version that works, with the remedy."""
    lines = []
    for name, (least, _) in {**LIBRARIES, **dict.fromkeys(opencv_names(), OPENCV)}.items():
        found = version_of(name)
        if found and numbers(found) < numbers(least):
            lines.append(f"{name} {found} is too old, {least} is the least that works; pip install '{name}>={least}'")
    return lines


def untried() -> list[str]:
    """A line for each library of a newer series than was tried."""
    lines = []
    for name, (_, tried) in {**LIBRARIES, **dict.fromkeys(opencv_names(), OPENCV)}.items():
        found = version_of(name)
        if found and series(found) > series(tried):
            last = ".".join(map(str, series(tried)))
            above = ".".join(map(str, (*series(tried)[:-1], series(tried)[-1] + 1)))
            lines.append(f"{name} {found} is newer than was tried ({last}); pip install '{name}<{above}'")
    return lines


def opencv_names() -> list[str]:
    """The distributions of OpenCV that are installed; a system's own may have none."""
    return [name for name in OPENCV_NAMES if version_of(name)]


def version_of(name: str) -> str:
    """The version of an installed distribution, empty where it is not installed."""
    try:
        return version(name) or ""
    except PackageNotFoundError:
        return ""


def numbers(text: str) -> tuple[int, ...]:
    """The numbers that a version begins with: 4.10.0.84 → (4, 10, 0, 84), 20.0.0rc1 → (20, 0, 0)."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def series(text: str) -> tuple[int, ...]:
    """The part of a version whose change may break what worked: 19.0.2 → (19,), 0.29.2 → (0, 29)."""
    parts = numbers(text)
    return parts[:1] if parts[:1] != (0,) else parts[:2]
