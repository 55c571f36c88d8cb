"""What is made of a finished run: render, plot, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import (
    BlurOption,
    DebugOption,
    QuietOption,
    SetOption,
    StyleOption,
    later_settings,
    parse_seconds,
    progress_of,
    settings_of,
)
from pipeline.core.errors import PoselineError


def render_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    style: StyleOption = None,
    people: Annotated[str | None, typer.Option("--people", help="Draw these only: 1,3 or names.")] = None,
    start: Annotated[str | None, typer.Option("--start", help="Seconds, or m:s, after the first frame.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Seconds, or m:s, after the first frame.")] = None,
    scale: Annotated[float | None, typer.Option("--scale", help="Size of the written picture, such as 0.5.")] = None,
    codec: Annotated[str | None, typer.Option("--codec", help="h264, h265, vp9 or av1.")] = None,
    blur: BlurOption = None,
    skeleton_only: Annotated[bool, typer.Option("--skeleton-only", help="Skeletons on black.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="File: .mp4, .mov, .mkv or .webm; default annotated.mp4 of the run.")
    ] = None,
    sets: SetOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw the annotated video again from the tables."""
    from pipeline.finish import render_run
    from pipeline.store.folder import RunFolder

    folder = RunFolder.existing(run_folder)
    named = settings_of(
        style=("render.style", style),
        people=("render.people", None if people is None else parse_people(folder, people)),
        scale=("render.scale", scale),
        codec=("render.codec", codec),
        blur=("render.blur", blur),
    )
    if skeleton_only:
        named += ["render.background=black", "render.skeleton=true", "render.boxes=false"]
    settings = later_settings(folder, None, [*named, *(sets or [])])
    progress = progress_of(quiet)
    try:
        target = render_run(
            folder, settings, progress, parse_seconds("--start", start), parse_seconds("--end", end), out
        )
    finally:
        progress.close()
    if not quiet:
        print(target)


def parse_people(folder: Any, text: str, option: str = "--people") -> list[int]:
    """Ids from ``1,3`` or from names that the user gave."""
    names = {name: int(i) for i, name in (folder.manifest().get("names") or {}).items()}
    ids = []
    for part in (part.strip() for part in text.split(",")):
        if part not in names and not part.isdecimal():
            known = f"; names are {', '.join(names)}" if names else ""
            raise PoselineError(f"{option} {text}: {part!r} is no person; write ids such as 1,3{known}")
        ids.append(names[part] if part in names else int(part))
    return ids


def plot_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    person: Annotated[
        str | None, typer.Option("--person", help="Id or name; by default whoever was seen in most frames.")
    ] = None,
    what: Annotated[
        str | None,
        typer.Option("--what", help="Columns: left_knee_flexion_deg,left_hip_flexion_deg; knee_flexion: both."),
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="Seconds, or m:s, after the first frame.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Seconds, or m:s, after the first frame.")] = None,
    sheet: Annotated[bool, typer.Option("--contact-sheet", help="Everybody's best picture instead of curves.")] = False,
    blur: BlurOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Picture: .png, .svg or .pdf; .png or .jpg of a sheet.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Draw a person's curves, or a sheet of all people."""
    from pipeline.render.plot import plot_person
    from pipeline.render.sheet import contact_sheet
    from pipeline.store.folder import RunFolder
    from pipeline.store.index import stored_video

    folder = RunFolder.existing(run_folder)
    if sheet:
        if person is not None or what is not None:
            raise PoselineError("--contact-sheet: shows everybody; leave out --person and --what")
        named = settings_of(blur=("render.blur", blur))
        print(contact_sheet(folder, out, later_settings(folder, None, named).render.blur))
        return
    if blur is not None:
        raise PoselineError("--blur: curves have no faces; give it with --contact-sheet")
    person_id = _longest(folder) if person is None else parse_people(folder, person, "--person")[0]
    first_s = float(stored_video(folder).time_s[0])
    given = (parse_seconds("--start", start), parse_seconds("--end", end))
    low, high = (None if s is None else s + first_s for s in given)
    columns = [] if what is None else [name.strip() for name in what.split(",") if name.strip()]
    print(plot_person(folder, person_id, columns, out, (low, high)))


def _longest(folder: Any) -> int:
    """Whoever was measured in most frames."""
    import pandas as pd

    people = pd.read_csv(folder.people_csv)
    if people.empty:
        raise PoselineError(f"{folder.path}: nobody was found, so there is nothing to plot")
    return int(people["person_id"].to_numpy()[people["frames_measured"].to_numpy().argmax()])


def export_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv (one table of everybody), trc (OpenSim markers), sto (OpenSim angles), c3d, openpose (JSON), "
            "movement (netCDF), mot (MOTChallenge) or coco (with track ids).",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write, or folder of formats of many files; by default in the run folder."),
    ] = None,
    plane: Annotated[
        bool, typer.Option("--plane", help="trc and c3d: the picture plane, even where there is 3D.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Write the people in the format of another tool."""
    from pipeline.export.run import export_run
    from pipeline.store.folder import RunFolder

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    print(export_run(RunFolder.existing(run_folder), form, out, plane, say))
