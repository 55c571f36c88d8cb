"""What a run tells its readers: report, methods."""

from __future__ import annotations

import sys

from pipeline.cli.options import Given, Option, takes


@takes(
    "run_folder",
    Option("max_mb", float, "About its largest size; curves of long runs are thinned. Default: 24.", min=4),
    "quiet debug",
)
def report_command(given: Given) -> None:
    """Write report.html, one page that shows the whole run beside its video; it needs no network."""
    from pipeline.render.privacy import Privacy
    from pipeline.report.write import write_report
    from pipeline.store.folder import RunFolder
    from pipeline.store.lock import locked
    from pipeline.store.settings import stored_config

    folder = RunFolder.existing(given.run_folder)
    with locked(folder.path):
        config = stored_config(folder)
        privacy = Privacy.of_run(config.render, folder.manifest())
        path = write_report(folder, privacy, given.max_mb or config.report.max_mb)
    if not given.quiet:
        print(path)


@takes("run_folder", "quiet debug")
def methods_command(given: Given) -> None:
    """Write the methods section of a paper, methods.md and methods.txt, from what the run says, and print it."""
    from pipeline.report.methods import write_methods
    from pipeline.store.folder import RunFolder
    from pipeline.store.lock import locked

    folder = RunFolder.existing(given.run_folder)
    with locked(folder.path):
        methods = write_methods(folder)
    if not given.quiet:
        print(methods.text, end="")
        print(f"written to {folder.methods_md} and {folder.methods_txt}", file=sys.stderr)
