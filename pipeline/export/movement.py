"""A netCDF file that the package movement opens: a poses dataset of everybody in picture coordinates."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.names import shown_name
from pipeline.export.options import ExportOptions
from pipeline.export.person import PersonTable, everybody, optional
from pipeline.store.atomic import atomic
from pipeline.store.columns import person_name
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.index import stored_video

DIMENSIONS = ("time", "space", "keypoints", "individuals")
STEM = re.compile(r"person_\d+")  # stems of people's files; a person with such a name could be confused with another
CHUNK = 1024  # frames in a chunk; a chunk that was never written takes no space


def export_movement(folder: RunFolder, path: Path, options: ExportOptions) -> None:
    """Write position (time, space, keypoints, individuals) in px and confidence; NaN where somebody is not there.

    One row group of one person is in memory at a time. Layout and attributes are those of movement's poses datasets
    (`movement.validators.datasets.ValidPosesInputs`); ``time`` holds real times.

    Raises:
        PoselineError: h5netcdf or h5py is not installed, or nobody is in the run: netCDF takes a dimension of length 0
            for an unlimited one.
    """
    h5py, h5netcdf = optional("h5py", "movement"), optional("h5netcdf", "movement")
    info = stored_video(folder)
    time_s = info.real_s + options.offset_s
    names, people = skeleton_of_run(folder).names, everybody(folder)
    if not people:
        raise PoselineError(f"{folder.path}: nobody is in this run, which netCDF cannot hold; --format csv or coco can")
    low, high = folder.manifest()["frames_observed"]
    with atomic(path) as temporary, h5netcdf.File(temporary, "w") as file:
        file.dimensions = dict(zip(DIMENSIONS, (high - low, 2, len(names), len(people)), strict=True))
        file.attrs.update(_attributes(folder, info.pace))
        file.create_variable("time", ("time",), np.float64)[:] = time_s[low:high]
        labels = (("space", ("x", "y")), ("keypoints", names), ("individuals", individuals(people)))
        for name, values in labels:
            variable = file.create_variable(name, (name,), h5py.string_dtype())
            variable[:] = np.array(values, object)
        position = _variable(file, "position", DIMENSIONS)
        confidence = _variable(file, "confidence", ("time", "keypoints", "individuals"))
        for i, person in enumerate(people):
            _fill(position, confidence, person, names, i, low)


def individuals(people: list[PersonTable]) -> list[str]:
    """The people's names; the stems of their files where a name is missing, looks like one, or is not the only one."""
    labels = Counter(person.label for person in people)
    return [
        person_name(person.person_id) if labels[person.label] > 1 or STEM.fullmatch(person.label) else person.label
        for person in people
    ]


def _attributes(folder: RunFolder, pace: Fraction) -> dict[str, Any]:
    video = folder.manifest()["video"]
    fps = Fraction(video["fps"]) / pace
    return {
        "fps": float(fps),
        "fps_exact": str(fps),
        "time_unit": "seconds",
        "source_software": "poseline",
        "source_file": shown_name(video["path"]),
        "ds_type": "poses",
    }


def _variable(file: Any, name: str, dimensions: tuple[str, ...]) -> Any:
    sizes = [file.dimensions[d].size for d in dimensions]
    stored: dict[str, Any] = {}
    if all(sizes):
        stored = {"chunks": (min(CHUNK, sizes[0]), *sizes[1:-1], 1), "compression": "gzip", "shuffle": True}
    return file.create_variable(name, dimensions, np.float32, fillvalue=np.float32(np.nan), **stored)


def _fill(position: Any, confidence: Any, person: PersonTable, names: tuple[str, ...], i: int, low: int) -> None:
    columns = [f"{joint}_{part}" for joint in names for part in ("x_px", "y_px", "score")]
    for frame, values in person.rows(columns):
        points = values.reshape(len(frame), len(names), 3)
        # An absence is left unwritten: a slice for each run of frames without a break.
        for run in np.split(np.arange(len(frame)), np.flatnonzero(np.diff(frame) > 1) + 1):
            rows = slice(int(frame[run[0]]) - low, int(frame[run[-1]]) - low + 1)
            position[rows, :, :, i] = points[run, :, :2].transpose(0, 2, 1)
            confidence[rows, :, i] = points[run, :, 2]
