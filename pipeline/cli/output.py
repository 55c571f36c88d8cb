"""What is made of a finished run: render, plot, export."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.cli.options import Given, Option, later_settings, takes
from pipeline.cli.values import parse_names, parse_separator
from pipeline.core.errors import PoselineError

SKELETON_ONLY = ("render.background=black", "render.skeleton=true", "render.boxes=false")


@takes(
    "run_folder style",
    Option("people", str, "Draw these only: 1,3 or names."),
    "start end",
    Option("scale", float, "Size of the written picture, such as 0.5.", "render.scale"),
    Option("codec", str, "h264, h265, vp9 or av1.", "render.codec"),
    "blur",
    Option("skeleton_only", bool, "Skeletons on black.", default=False),
    Option("out", Path, "File: .mp4, .mov, .mkv or .webm; default annotated.mp4 of the run."),
    "set quiet debug",
)
def render_command(given: Given) -> None:
    """Draw the annotated video again from the tables."""
    from pipeline.finish import render_run
    from pipeline.store.folder import RunFolder

    folder = RunFolder.existing(given.run_folder)
    people = [] if given.people is None else [f"render.people={parse_people(folder, given.people)}"]
    skeletons = SKELETON_ONLY if given.skeleton_only else ()
    settings = later_settings(folder, None, given.changes(*people, *skeletons))
    with closing(given.progress()) as progress:
        target = render_run(folder, settings, progress, given.start, given.end, given.out)
    if not given.quiet:
        print(target)


def parse_people(folder: Any, text: str, option: str = "--people") -> list[int]:
    """Ids from ``1,3`` or from names that the user gave; a number is always an id, even where a person has that name.

    PoselineError for a text that is neither an id nor a name, and for a name that several people have.
    """
    names: dict[str, list[int]] = {}
    for person_id, name in folder.names().items():
        names.setdefault(name, []).append(person_id)
    ids = []
    for part in (part.strip() for part in text.split(",")):
        called = [int(part)] if part.isdecimal() else names.get(part, [])
        if not called:
            known = f"; names are {', '.join(names)}" if names else ""
            raise PoselineError(f"{option} {text}: {part!r} is no person; write ids such as 1,3{known}")
        if len(called) > 1:
            several = " and ".join(map(str, sorted(called)))
            raise PoselineError(f"{option} {text}: persons {several} are called {part!r}; write the id")
        ids += called
    return ids


@takes(
    "run_folder",
    Option("person", str, "Id or name; by default whoever was seen in most frames."),
    Option(
        "what",
        str,
        "Columns: left_knee_flexion_deg,left_hip_flexion_deg; knee_flexion: both.",
        read=parse_names,
    ),
    "start end",
    Option("cycles", bool, "Mean ± standard deviation over the stride or repetition.", default=False),
    Option("movement", str, "Of --cycles: walk, walk_backward, run, squat, arm_raise, leg_raise or bend."),
    Option("contact_sheet", bool, "Everybody's best picture instead of curves.", default=False),
    "blur",
    Option("out", Path, "Picture: .png, .svg or .pdf; .png or .jpg of a sheet."),
    "debug",
)
def plot_command(given: Given) -> None:
    """Draw a person's curves, or a sheet of all people."""
    from pipeline.render.plot import plot_person
    from pipeline.render.plot_cycles import plot_cycles
    from pipeline.render.privacy import Privacy
    from pipeline.render.sheet import contact_sheet
    from pipeline.store.folder import RunFolder
    from pipeline.store.index import stored_video
    from pipeline.store.lock import locked_for

    folder = RunFolder.existing(given.run_folder)
    if given.contact_sheet:
        given.refuse("person what start end cycles movement", "--contact-sheet shows everybody's best picture")
        privacy = Privacy.of_run(later_settings(folder, None, given.changes()).render, folder.manifest())
        with locked_for(folder.path, given.out):
            print(contact_sheet(folder, privacy, given.out))
        return
    if given.blur is not None:
        raise PoselineError("--blur: curves have no faces; give it with --contact-sheet")
    asked = None if given.person is None else parse_people(folder, given.person, "--person")[0]
    if given.cycles:
        given.refuse("start end", "--cycles shows means over the whole run")
        print(plot_cycles(folder, asked, given.what or [], given.movement or "", given.out))
        return
    given.refuse("movement", "only --cycles shows movements")
    person_id = _longest(folder) if asked is None else asked
    info = stored_video(folder)
    first_s = float(info.time_s[0])
    low, high = (None if s is None else info.in_real_s(s + first_s) for s in (given.start, given.end))
    with locked_for(folder.path, given.out):
        print(plot_person(folder, person_id, given.what or [], given.out, (low, high)))


def _longest(folder: Any) -> int:
    """The id of the person who was measured in the most frames."""
    from pipeline.store.people_table import people_rows

    people = people_rows(folder)
    if not people:
        raise PoselineError(f"{folder.path}: nobody was found, so there is nothing to plot")
    return max(people, key=lambda person: person["frames_measured"] or 0)["person_id"]


@takes(
    "run_folder",
    Option(
        "format",
        str,
        "csv (one table of everybody), trc (OpenSim markers), sto (OpenSim angles), c3d, openpose (JSON), "
        "movement (netCDF), mot (MOTChallenge) or coco (with track ids).",
        default=...,
    ),
    Option("out", Path, "File to write, or folder of formats of many files; by default in the run folder."),
    Option("plane", bool, "trc and c3d: the picture plane, even where there is 3D.", default=False),
    Option("metres", bool, "c3d: in metres; without it in millimetres.", default=False),
    Option("time_offset", float, "Seconds added to all times, such as -2.5.", default=0.0),
    Option("csv_separator", str, "csv: between cells, ; or tab or |.", default=",", read=parse_separator),
    Option("csv_decimal", str, "csv: in front of decimals, . or a comma.", default="."),
    "debug",
)
def export_command(given: Given) -> None:
    """Write the people in the format of another tool."""
    from pipeline.export.options import CsvForm
    from pipeline.export.run import export_run
    from pipeline.store.folder import RunFolder

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    csv = CsvForm(given.csv_separator, given.csv_decimal)
    asked = (RunFolder.existing(given.run_folder), given.format, given.out, given.plane, say)
    print(export_run(*asked, metres=given.metres, offset_s=given.time_offset, csv=csv))
