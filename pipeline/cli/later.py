"""Commands that work on a run folder from its stored observations: track, people."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from pipeline.cli.options import METRES, Given, Option, later_settings, takes
from pipeline.cli.run import print_run
from pipeline.core.errors import PoselineError

if TYPE_CHECKING:
    from pipeline.store.folder import RunFolder


@takes(
    "run_folder",
    Option("config", str, "Settings; by default those of the run."),
    f"set lifter no_3d people drop_still {METRES} roll fov recorded_fps time_zero random_weights trust_checkpoint",
    "quiet debug",
)
def track_command(given: Given) -> None:
    """Track and smooth again from the stored observations, in seconds, with other settings."""
    from pipeline.finish import track
    from pipeline.store.folder import RunFolder

    folder = RunFolder.existing(given.run_folder)
    settings = later_settings(folder, given.config, given.changes())
    facts = folder.manifest()["video"]
    settings = given.with_metres(settings, (facts["width_px"], facts["height_px"]))
    with closing(given.progress()) as progress:
        track(folder, settings, progress)
    if not given.quiet:
        print_run(folder)


BETWEEN = "\t"  # between the two values of --merge, which may be names with spaces


class Pairs(TyperCommand):
    """Takes the two values of --merge as one text, as Typer knows no option of two values that may come repeatedly."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        left, out = list(args), []
        while left:
            out.append(left.pop(0))
            if out[-1] == "--merge":
                out.append(BETWEEN.join(left[:2]))
                del left[:2]
        return super().parse_args(ctx, out)


@takes(
    "run_folder",
    Option("merge", list[str], "B is A, ids or names. Repeatable, as all of these.", metavar="A B"),
    Option("split", list[str], "A is somebody else from T on, on the video's own clock.", metavar="A@T"),
    Option("drop", list[str], "A is nobody.", metavar="A"),
    Option("keep", list[str], "Drop all but longest=2, region=X1,Y1,X2,Y2 (px) or height=150.", metavar="RULE"),
    Option("name", list[str], "A has this name.", metavar="A=NAME"),
    Option("undo", bool, "Take the last edit back.", default=False),
    "quiet debug",
)
def people_command(given: Given) -> None:
    """List people; merge, split, drop and name them, for good: edits are made again at each tracking."""
    from pipeline.finish import track
    from pipeline.store.folder import RunFolder
    from pipeline.store.lock import locked
    from pipeline.tracking import edits_file as edits_toml
    from pipeline.tracking.edits import parse

    folder = RunFolder.existing(given.run_folder)
    merge = [" ".join(_id_of(folder, who, "--merge") for who in pair.split(BETWEEN)) for pair in given.merge or ()]
    split = [_first_id(folder, text, "@", "--split") for text in given.split or ()]
    drop = [int(_id_of(folder, who, "--drop")) for who in given.drop or ()]
    edits = parse(merge, split, drop, given.keep or (), given.name or ())
    if given.undo and edits:
        raise PoselineError(f"--undo --{edits[0]}: give --undo alone, it takes the last stored edit back")
    if not given.undo and not edits:
        print("\n".join(edits_toml.listing(folder)))
        return
    _check_names(folder, {edit.people[0]: edit.text for edit in edits if edit.kind == "name"})
    with closing(given.progress()) as progress, locked(folder.path, progress.say):
        lines = [f"took back: {edits_toml.undo(folder)}"] if given.undo else edits_toml.add(folder, edits)
        track(folder, progress=progress)
    if not given.quiet:
        print("\n".join(lines))
        if folder.video.exists():
            print(f"{folder.video} shows the people of before; poseline render {folder.path} draws it again")


def _id_of(folder: RunFolder, who: str, option: str) -> str:
    """The id, as text, of the person with this id or name; PoselineError where not exactly one has the name."""
    from pipeline.cli.output import parse_people

    return who if who.isdecimal() or not who else str(parse_people(folder, who, option)[0])


def _first_id(folder: RunFolder, text: str, between: str, option: str) -> str:
    """A text such as Ann@12.4, with the person's id for the name."""
    who, sign, rest = text.rpartition(between)
    return _id_of(folder, who, option) + sign + rest if sign else text


def _check_names(folder: RunFolder, given: dict[int, str]) -> None:
    """PoselineError where one of the names given by id means another person already."""
    from pipeline.store.people_table import people_names, people_rows

    if not given:
        return
    ids = {int(row["person_id"]) for row in people_rows(folder)}
    after = people_names(folder) | given
    for person_id, name in given.items():
        if name.isdecimal() and int(name) in ids - {person_id}:
            raise PoselineError(
                f"--name {person_id}={name}: {name} is another person's number; write a name with a letter"
            )
        others = sorted(other for other, called in after.items() if called == name and other != person_id)
        if others:
            raise PoselineError(f"--name {person_id}={name}: person {others[0]} is called {name}; write another name")
