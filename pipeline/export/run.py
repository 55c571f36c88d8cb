"""Tables of a run in the formats of other tools; each a plain function in one dict."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.errors import PoselineError
from pipeline.export.c3d import export_c3d
from pipeline.export.coco import export_coco
from pipeline.export.mot import export_mot
from pipeline.export.movement import export_movement
from pipeline.export.openpose import export_openpose
from pipeline.export.options import CsvForm, ExportOptions
from pipeline.export.person import PersonTable, everybody
from pipeline.export.sto import export_sto
from pipeline.export.table import export_csv
from pipeline.export.trc import export_trc
from pipeline.store.atomic import write_error
from pipeline.store.columns import person_name
from pipeline.store.folder import RunFolder
from pipeline.store.lock import locked_for


@dataclass(frozen=True)
class Whole:
    """A format that holds everybody: how it is written, and its file or folder in the run folder."""

    write: Callable[[RunFolder, Path, ExportOptions], None]
    default: str
    flat: str = ""  # what it holds of a run without 3D, where it would hold 3D
    timed: bool = True  # holds times, so that Options.offset_s means something


@dataclass(frozen=True)
class Each:
    """A format with a file per person: how one is written, and its suffix, which names the folder too."""

    write: Callable[[PersonTable, Path, ExportOptions], None]
    suffix: str
    metres: bool = False  # holds markers, so that Options.plane means something
    flat: str = ""
    timed: bool = True


_PLANE = "markers in the picture plane, whose third axis is 0"
FORMATS: dict[str, Whole | Each] = {
    "csv": Whole(export_csv, "everybody.csv", "the columns of the picture alone"),
    "trc": Each(export_trc, ".trc", metres=True, flat=_PLANE),
    "sto": Each(export_sto, ".sto", flat="the angles of the picture plane"),
    "c3d": Each(export_c3d, ".c3d", metres=True, flat=_PLANE),
    "openpose": Whole(export_openpose, "openpose", timed=False),
    "movement": Whole(export_movement, "movement.nc"),
    "mot": Whole(export_mot, "mot.txt", timed=False),
    "coco": Whole(export_coco, "coco.json"),
}


def export_run(
    folder: RunFolder,
    name: str,
    out: Path | None = None,
    plane: bool = False,
    say: Callable[[str], None] | None = None,
    *,
    metres: bool = False,
    offset_s: float = 0.0,
    csv: CsvForm = CsvForm(),  # noqa: B008
) -> Path:
    """Write a run in a format; returns the file, or the folder of formats of many files.

    ``plane``: trc and c3d of the picture plane although there is 3D. ``metres``: c3d in metres, not in millimetres.
    ``offset_s`` is added to all times. ``csv``: separator and decimal mark of csv. ``say`` gets each message for the
    user once, such as that of an assumed scale.

    Raises:
        PoselineError: an unknown format, an unfinished run, a missing package, or missing data of the format.
    """
    if name not in FORMATS:
        raise PoselineError(f"--format {name}: no such format; choose one of {', '.join(FORMATS)}")
    form = FORMATS[name]
    if plane and not (isinstance(form, Each) and form.metres):
        raise PoselineError(f"--plane: --format {name} has no markers in metres; leave --plane out")
    _check_others(name, form, metres, offset_s, csv)
    manifest = folder.manifest()
    if not manifest.get("finished") or not folder.tracks.is_file():
        raise PoselineError(f"{folder.path}: the run is not finished; run poseline run on the video again to go on")
    options = ExportOptions(plane, metres, offset_s, csv)
    options = replace(options, say=_once(say)) if say else options
    if form.flat and not plane and (manifest.get("lifter") or {}).get("name") == "none":
        options.say(f"{folder.path}: 3D was left out of this run; --format {name} holds {form.flat}")
    with locked_for(folder.path, out):
        if isinstance(form, Each):
            return _each(folder, form, out, options)
        path = out or folder.path / form.default
        form.write(folder, path, options)
    return path


def _check_others(name: str, form: Whole | Each, metres: bool, offset_s: float, csv: CsvForm) -> None:
    """PoselineError for an option that means nothing to the format."""
    if metres and name != "c3d":
        raise PoselineError("--metres: is for --format c3d, which has millimetres without it; leave it out")
    if offset_s and not form.timed:
        raise PoselineError(f"--time-offset {offset_s:g}: --format {name} holds no times; leave --time-offset out")
    if not math.isfinite(offset_s):
        raise PoselineError(f"--time-offset {offset_s}: write seconds, such as -2.5")
    if csv != CsvForm() and name != "csv":
        raise PoselineError(f"--csv-separator, --csv-decimal: --format {name} is no CSV table; leave them out")


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    """``say`` without repetitions."""
    said: set[str] = set()

    def first_time(line: str) -> None:
        if line not in said:
            said.add(line)
            say(line)

    return first_time


def _each(folder: RunFolder, form: Each, out: Path | None, options: ExportOptions) -> Path:
    """A file per person in the folder ``out``, or the file ``out`` of the only person."""
    people = everybody(folder)
    if out is not None and out.suffix.lower() == form.suffix and not out.is_dir():
        if len(people) != 1:
            raise PoselineError(f"--out {out}: is one file, and the run has {len(people)} people; name a folder")
        form.write(people[0], out, options)
        return out
    path = out or folder.path / form.suffix[1:]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path / "file", error) from error
    for person in people:
        form.write(person, path / f"{person_name(person.person_id)}{form.suffix}", options)
    if out is None:
        _remove_others(path, form.suffix, {person_name(person.person_id) for person in people})
    return path


def _remove_others(path: Path, suffix: str, keep: set[str]) -> None:
    """Delete files that an earlier export wrote for people whom a later tracking did not find."""
    for file in path.glob(f"person_*{suffix}"):
        ours = re.fullmatch(r"(person_\d{4,})(_part\d+)?", file.stem)
        if ours and ours[1] not in keep:
            file.unlink()
