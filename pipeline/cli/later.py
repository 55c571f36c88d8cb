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
    from pipeline.tracking.edits import Edit


@takes(
    "run_folder",
    Option("config", str, "Settings; by default those of the run."),
    f"set lifter no_3d people drop_still shots teams {METRES} roll fov recorded_fps time_zero",
    "random_weights trust_checkpoint",
    "quiet debug",
)
def track_command(given: Given) -> None:
    """Track and smooth again from the stored observations, in seconds, with other settings."""
    from pipeline.finish import track
    from pipeline.measure.scales import check_length
    from pipeline.store.folder import RunFolder

    folder = RunFolder.existing(given.run_folder)
    settings = later_settings(folder, given.config, given.changes())
    facts = folder.manifest()["video"]
    size_px = (facts["width_px"], facts["height_px"])
    settings = given.with_metres(settings, size_px)
    check_length(settings.metres.length, facts["path"], size_px)
    with closing(given.progress()) as progress:
        track(folder, settings, progress)
    if not given.quiet:
        print_run(folder)


BETWEEN = "\t"  # between the values of an option that takes several, which may be names with spaces
TAKEN = {"--merge": 2, "--swap": 2, "--join": None}  # how many values each takes; None: all up to the next option


class Several(TyperCommand):
    """Takes several values of an option as one text, as Typer knows no such option that may come repeatedly."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        left, out = list(args), []
        while left:
            out.append(left.pop(0))
            if out[-1] in TAKEN:
                most = TAKEN[out[-1]] or next((n for n, text in enumerate(left) if text.startswith("-")), len(left))
                out.append(BETWEEN.join(left[:most]))
                del left[:most]
        return super().parse_args(ctx, out)


@takes(
    "run_folder",
    Option("merge", list[str], "B is A, ids or names. Repeatable, as all of these.", metavar="A B"),
    Option("join", list[str], "All of these are A.", metavar="A B C …"),
    Option("split", list[str], "A is somebody else from T on, on the video's own clock.", metavar="A@T"),
    Option("swap", list[str], "From T on, A is B and B is A.", metavar="A B@T"),
    Option("assign", list[str], "What is A from T1 to T2 is B.", metavar="A@T1-T2=B"),
    Option("drop", list[str], "A is nobody.", metavar="A"),
    Option("keep", list[str], "Drop all but longest=2, region=X1,Y1,X2,Y2 (px) or height=150.", metavar="RULE"),
    Option("name", list[str], "A has this name.", metavar="A=NAME"),
    Option("teams", list[str], "A=3,B=7: person 3 is in team A, 7 in B; other=2: in neither.", metavar="TEAM=A,…"),
    Option("undo", bool, "Take the last edit back.", default=False),
    "quiet debug",
)
def people_command(given: Given) -> None:
    """List people; merge, split, swap, assign, drop and name them, for good: edits are made again at each tracking."""
    from pipeline.finish import track
    from pipeline.store.folder import RunFolder
    from pipeline.store.lock import locked
    from pipeline.tracking import edits_file as edits_toml

    folder = RunFolder.existing(given.run_folder)
    edits = _edits(folder, given)
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
        if folder.drawn.exists():
            print(f"{folder.drawn} shows the people of before; poseline render {folder.path} draws it again")


def _edits(folder: RunFolder, given: Given) -> list[Edit]:
    """The edits of the command line, with people's ids for their names."""
    from pipeline.tracking.edits import parse

    def ids(option: str, pair: str) -> str:
        return " ".join(_id_of(folder, who, option) for who in pair.split(BETWEEN))

    return parse(
        merge=[ids("--merge", pair) for pair in given.merge or ()],
        join=[ids("--join", people) for people in given.join or ()],
        split=[_first_id(folder, text, "@", "--split") for text in given.split or ()],
        swap=[_of_swap(folder, text) for text in given.swap or ()],
        assign=[_of_assign(folder, text) for text in given.assign or ()],
        drop=[int(_id_of(folder, who, "--drop")) for who in given.drop or ()],
        keep=given.keep or (),
        name=[_of_name(folder, text) for text in given.name or ()],
        teams=[_of_teams(folder, text) for text in given.teams or ()],
    )


def _id_of(folder: RunFolder, who: str, option: str) -> str:
    """The id, as text, of the person with this id or name; PoselineError where not exactly one has the name."""
    from pipeline.cli.output import parse_people

    if who.isdecimal() or not who:
        return who
    called = [person for person, name in folder.names().items() if name == who]  # a name may hold a comma
    found = called if len(called) == 1 else parse_people(folder, who, option)
    if len(found) > 1:
        raise PoselineError(f"{option} {who}: takes one person; give {option} once for each")
    return str(found[0])


def _of_swap(folder: RunFolder, text: str) -> str:
    """The two values of --swap, such as Ann and Ben Lee@12.4, with ids for names, as one text."""
    one, _, other = text.partition(BETWEEN)
    if "@" not in other:  # what is wrong there is told by who reads it
        return f"{one} {other}"
    return f"{_id_of(folder, one, '--swap')} {_first_id(folder, other, '@', '--swap')}"


def _of_assign(folder: RunFolder, text: str) -> str:
    """A text such as Ann@1-2=Ben, with the people's ids for the names."""
    from pipeline.tracking.edits import SPAN

    if not (given := SPAN.fullmatch(text)):
        return text
    who, to = (_id_of(folder, given[key].strip(), "--assign") for key in ("who", "to"))
    return f"{who}@{given['first']}-{given['last']}={to}"


def _of_name(folder: RunFolder, text: str) -> str:
    """A text such as Ann=Bea, with the person's id for the name that the person has."""
    who, sign, name = text.partition("=")
    return _id_of(folder, who.strip(), "--name") + sign + name if sign else text


def _of_teams(folder: RunFolder, text: str) -> str:
    """A text such as A=Ann,B=7, with people's ids for the names; colours are told with track."""
    from pipeline.core.team_text import COLOURS, people_told

    try:
        told = people_told(text)
    except ValueError as error:
        raise PoselineError(f"--teams {text}: {error}") from None
    if any(who.startswith("#") or who.lower() in COLOURS for _, who in told):
        raise PoselineError(
            f"--teams {text}: here people are named; poseline track {folder.path} --teams takes colours"
        )
    return ",".join(f"{team}={_id_of(folder, who, '--teams')}" for team, who in told)


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
