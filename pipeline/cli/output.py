"""What is made of a finished run: render, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DebugOption, QuietOption, SetOption, later_settings, progress_of


def render_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    sets: SetOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw the annotated video again from the tables."""
    from pipeline.run import render_run
    from pipeline.store import RunFolder

    folder = RunFolder.existing(run_folder)
    settings = later_settings(folder, None, sets or [])
    progress = progress_of(quiet)
    try:
        render_run(folder, settings, progress)
    finally:
        progress.close()
    if not quiet:
        print(folder.video)


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
    from pipeline.export import export_run
    from pipeline.store import RunFolder

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    print(export_run(RunFolder.existing(run_folder), form, out, plane, say))
