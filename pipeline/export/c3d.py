"""C3D files of joints as points, written by ezc3d: a person a file, in millimetres unless metres are asked, y up.

A missing point is 0, 0, 0 with the residual −1: many readers do not look for NaN.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.export.clock import at_rate, beat_of
from pipeline.export.markers import Markers, markers
from pipeline.export.options import ExportOptions
from pipeline.export.person import PersonTable, optional
from pipeline.store.atomic import atomic

MOST = 65534  # frames of a file: the header counts in 16 bits, and readers add one
MM = 1000  # of a metre


def export_c3d(person: PersonTable, path: Path, options: ExportOptions) -> None:
    """Write one person's joints; frames beyond the format's limit go into ``…_part2.c3d`` and so on.

    C3D stores a rate and no times: positions of unevenly spaced frames are interpolated linearly at their median
    rate.
    The whole person is in memory.

    Raises:
        PoselineError: ezc3d is not installed, or the joints have no place in metres.
    """
    ezc3d = optional("ezc3d", "c3d")
    there = markers(person, options.plane, options.say)
    place = np.concatenate([block for _, block in there.grid()])
    first, stop = person.frames
    time_s = person.time_s[first:stop]
    beat = beat_of(time_s, person.fps)
    if beat.resampled:
        options.say(f"{path}: frames are unevenly spaced; resampled to {float(beat.rate):.6g} per second")
        place = at_rate(time_s, place, beat.rate)
    if len(place) > MOST:
        options.say(f"{path}: {len(place)} frames, of which a C3D file holds {MOST}; goes on in {path.stem}_part2.c3d")
    for part, low in enumerate(range(0, len(place), MOST), 1):
        file = path if part == 1 else path.with_name(f"{path.stem}_part{part}.c3d")
        content = _content(ezc3d, person, there, place[low : low + MOST], first + low, beat.rate, options.metres)
        first_time_s = float(time_s[0]) + low / float(beat.rate) if beat.resampled else float(time_s[low])
        in_video = first + int(np.searchsorted(time_s, first_time_s + 1e-9, "right")) - 1
        content.add_parameter("POSELINE", "FIRST_TIME_S", [first_time_s + options.offset_s])
        content.add_parameter("POSELINE", "FIRST_FRAME", [float(in_video + 1)], "of the video, from 1")
        _write(content, file)
    _remove_parts(path, part)


def _remove_parts(path: Path, last: int) -> None:
    """Delete parts numbered above ``last`` of an earlier, longer export; a killed export may have left gaps."""
    for file in path.parent.iterdir():
        head, _, number = file.stem.rpartition("_part")
        if head == path.stem and file.suffix == ".c3d" and number.isdecimal() and int(number) > last:
            file.unlink()


def _content(
    ezc3d: Any, person: PersonTable, there: Markers, place: np.ndarray, first: int, rate: Fraction, metres: bool = False
) -> Any:
    """ezc3d's form of a part of a person, ``place`` (L, J, 3) m; each point's description is its name in the table."""
    content = ezc3d.c3d()
    point = content["parameters"]["POINT"]
    point["RATE"]["value"] = [float(rate)]  # stored as float32
    point["UNITS"]["value"] = ["m" if metres else "mm"]
    point["LABELS"]["value"] = list(there.labels)
    point["DESCRIPTIONS"]["value"] = list(there.names)
    last = first + len(place)
    # ezc3d counts frames from 0 and the file from 1. Numbers beyond 16 bits would wrap round in the header.
    content["header"]["points"]["first_frame"] = first if last <= MOST else 0
    known = np.isfinite(place).all(-1).T  # (J, L)
    points = np.ones((4, *known.shape))
    points[:3] = np.where(known, place.transpose(2, 1, 0) * (1 if metres else MM), 0)
    content["data"]["points"] = points
    content["data"]["meta_points"] = {
        "residuals": np.where(known, 0.0, -1.0)[None],
        "camera_masks": np.zeros((7, *known.shape), bool),
    }
    for name, value in (("USED", [1]), ("NAMES", [person.label]), ("USES_PREFIXES", [0])):
        content.add_parameter("SUBJECTS", name, value)
    return content


def _write(content: Any, path: Path) -> None:
    with atomic(path) as temporary:
        named = temporary.with_name(f"{temporary.name}.c3d")  # ezc3d writes to no other suffix
        try:
            content.write(str(named))
            os.replace(named, temporary)
        finally:
            named.unlink(missing_ok=True)
