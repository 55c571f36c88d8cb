"""What works on a run folder, from the stored observations on: track, people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pipeline.cli.options import (
    DebugOption,
    FovOption,
    GroundOption,
    HeightOption,
    LengthOption,
    LifterOption,
    PeopleOption,
    QuietOption,
    RandomOption,
    SetOption,
    TrustOption,
    later_settings,
    progress_of,
    settings_of,
    with_metres,
)
from pipeline.cli.run import print_run
from pipeline.core.errors import PoselineError


def track_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    config: Annotated[str | None, typer.Option("--config", help="Settings; by default those of the run.")] = None,
    sets: SetOption = None,
    lifter: LifterOption = None,
    people: PeopleOption = None,
    height: HeightOption = None,
    length: LengthOption = None,
    ground: GroundOption = None,
    fov: FovOption = None,
    random_weights: RandomOption = None,
    trust_checkpoint: TrustOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Track and smooth again from the stored observations, in seconds, with other settings."""
    from pipeline.finish import track
    from pipeline.store.folder import RunFolder

    folder = RunFolder.existing(run_folder)
    options = settings_of(
        lifter=("lift.name", lifter),
        fov=("lift.fov_deg", fov),
        people=("track.people", people),
        random_weights=("runtime.random_weights", random_weights),
        trust=("runtime.trust_checkpoint", trust_checkpoint or None),
    )
    settings = later_settings(folder, config, [*options, *(sets or [])])
    facts = folder.manifest()["video"]
    settings = with_metres(settings, height, length, ground, (facts["width_px"], facts["height_px"]))
    progress = progress_of(quiet)
    try:
        track(folder, settings, progress)
    finally:
        progress.close()
    if not quiet:
        print_run(folder)


class Pairs(TyperCommand):
    """Takes the two values of --merge as one text, as Typer knows no option of two values that may come repeatedly."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        left, out = list(args), []
        while left:
            out.append(left.pop(0))
            if out[-1] == "--merge":
                out.append(" ".join(left[:2]))
                del left[:2]
        return super().parse_args(ctx, out)


def people_command(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    merge: Annotated[
        list[str] | None, typer.Option("--merge", metavar="A B", help="B is A. Repeatable, as all of these.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", metavar="A@T", help="A is somebody else from time_s T on.")
    ] = None,
    drop: Annotated[list[int] | None, typer.Option("--drop", metavar="A", help="A is nobody.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="RULE", help="Drop all but longest=2, region=X1,Y1,X2,Y2 (px) or height=150."),
    ] = None,
    name: Annotated[list[str] | None, typer.Option("--name", metavar="A=NAME", help="A has this name.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last edit back.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """List people; merge, split, drop and name them, for good: edits are made again at each tracking."""
    from pipeline.finish import track
    from pipeline.store.folder import RunFolder
    from pipeline.store.lock import locked
    from pipeline.tracking import edits_file as edits_toml
    from pipeline.tracking.edits import parse

    folder = RunFolder.existing(run_folder)
    edits = parse(merge or (), split or (), drop or (), keep or (), name or ())
    if undo and edits:
        raise PoselineError(f"--undo --{edits[0]}: give --undo alone, it takes the last stored edit back")
    if not undo and not edits:
        print("\n".join(edits_toml.listing(folder)))
        return
    progress = progress_of(quiet)
    try:
        with locked(folder.path, progress.say):
            lines = [f"took back: {edits_toml.undo(folder)}"] if undo else edits_toml.add(folder, edits)
            track(folder, progress=progress)
    finally:
        progress.close()
    if not quiet:
        print("\n".join(lines))
        if folder.video.exists():
            print(f"{folder.video} shows the people of before; poseline render {folder.path} draws it again")
