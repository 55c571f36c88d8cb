"""poseline report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DebugOption, QuietOption


def report_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    max_mb: Annotated[
        float | None,
        typer.Option("--max-mb", min=4, help="About its largest size; curves of long runs are thinned. Default: 24."),
    ] = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Write report.html, one page that shows the whole run beside its video; it needs no network."""
    from pipeline.report.write import write_report
    from pipeline.store.folder import RunFolder
    from pipeline.store.lock import locked
    from pipeline.store.settings import stored_config

    folder = RunFolder.existing(run_folder)
    with locked(folder.path):
        path = write_report(folder, max_mb if max_mb is not None else stored_config(folder).report.max_mb)
    if not quiet:
        print(path)
