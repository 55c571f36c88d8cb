"""A user's edits of the people that tracking found, as they are typed.

Under other settings people get other ids. So an edit stores anchors for its people: the frame and the box of an
observation.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from pipeline.core.errors import PoselineError
from pipeline.core.team_text import people_told

# join and teams: at least so many
PEOPLE_OF = {"merge": 2, "join": 2, "split": 1, "swap": 2, "assign": 2, "drop": 1, "keep": 0, "name": 1, "teams": 1}
VALUES_OF = {"split": 1, "swap": 1, "assign": 2}  # numbers that it takes, keep apart
ANCHORS_OF = {"swap": 4}  # A and B before the time, A and B from it on; all other kinds: one for each person
RULES = {"longest": 1, "region": 4, "height": 1}  # rules of keep, and how many numbers each takes
FORMS = {
    "merge": "--merge 3 7",
    "join": "--join 3 7 9",
    "split": "--split 5@12.4",
    "swap": "--swap 3 7@12.4",
    "assign": "--assign 3@12.4-15=7",
    "name": "--name 3=Ann",
    "teams": "--teams A=3,B=7",
    "keep": "--keep longest=2, region=X1,Y1,X2,Y2 or height=150",
}
NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")  # line ends, control characters and halves of characters
_NUMBER = r"[+-]?[\d.]+(?:[eE][+-]?\d+)?"
SPAN = re.compile(rf"(?P<who>.+)@(?P<first>{_NUMBER})-(?P<last>{_NUMBER})=(?P<to>.+)")  # of --assign


@dataclass(frozen=True)
class Edit:
    """One edit, ids as the user typed them, and its anchors."""

    kind: str  # a key of PEOPLE_OF
    people: tuple[int, ...] = ()
    text: str = ""  # the name, a key of RULES, or for teams their names, with a comma between
    values: tuple[float, ...] = ()  # for split, swap and assign times in s, for keep the rule's numbers
    frames: tuple[int, ...] = ()  # of the anchors; −1: the person is not seen there
    boxes_px: tuple[tuple[float, ...], ...] = ()  # of the anchors, x1 y1 x2 y2

    def __str__(self) -> str:
        """The edit as it is typed on the command line."""
        who, numbers = " ".join(map(str, self.people)), [f"{v:.15g}" for v in self.values]
        if self.kind == "assign":
            return f"assign {self.people[0]}@{'-'.join(numbers)}={self.people[1]}"
        if self.kind == "teams":
            pairs = zip(self.text.split(","), self.people, strict=False)
            return f"teams {','.join(f'{team}={person}' for team, person in pairs)}"
        at = f"{who}@{','.join(numbers)}"
        ends = {"split": at, "swap": at, "keep": f"{self.text}={','.join(numbers)}", "name": f"{who}={self.text}"}
        return f"{self.kind} {ends.get(self.kind, who)}"


class RefusedError(Exception):
    """The edit cannot be made of these people; the message says why."""


def parse(
    merge: Iterable[str] = (),
    split: Iterable[str] = (),
    drop: Iterable[int] = (),
    keep: Iterable[str] = (),
    name: Iterable[str] = (),
    join: Iterable[str] = (),
    swap: Iterable[str] = (),
    assign: Iterable[str] = (),
    teams: Iterable[str] = (),
) -> list[Edit]:
    """Edits of the command line in the order of `PEOPLE_OF`; they have no anchors yet.

    Texts are as in `FORMS`, with ids for names. PoselineError for a malformed text and for two that contradict each
    other.
    """
    texts = {"merge": merge, "join": join, "split": split, "swap": swap, "assign": assign}
    edits = [_parsed(kind, text) for kind, given in texts.items() for text in given]
    edits += [Edit("drop", (number,)) for number in drop]
    edits += [
        _parsed(kind, text) for kind, given in {"keep": keep, "name": name, "teams": teams}.items() for text in given
    ]
    for one, other in combinations(edits, 2):
        _check_together(one, other)
    return edits


def _parsed(kind: str, text: str) -> Edit:
    try:
        edit = _read(kind, text)
        check(edit)
    except ValueError as error:
        why = f"; {error}" if isinstance(error, MeaningError) else ""
        raise PoselineError(f"--{kind} {' '.join(text.split())}{why}: write it like {FORMS[kind]}") from None
    return edit


def _read(kind: str, text: str) -> Edit:
    if kind in ("merge", "join"):
        return Edit(kind, tuple(int(who) for who in text.split()))
    if kind == "assign":
        if not (given := SPAN.fullmatch(text)):
            raise ValueError
        return Edit(kind, (int(given["who"]), int(given["to"])), values=(float(given["first"]), float(given["last"])))
    if kind == "teams":
        told = people_told(text)
        return Edit(kind, tuple(int(who) for _, who in told), text=",".join(team for team, _ in told))
    left, _, right = (part.strip() for part in text.partition("@" if kind in ("split", "swap") else "="))
    if kind in ("split", "swap"):
        return Edit(kind, tuple(int(who) for who in left.split()), values=(float(right),))
    if kind == "keep":
        return Edit(kind, text=left, values=tuple(float(v) for v in right.split(",")))
    return Edit(kind, (int(left),), text=right)


class MeaningError(ValueError):
    """The edit is well formed but meaningless."""


def check(edit: Edit) -> None:
    """Raise ValueError where an edit is meaningless for any set of people."""
    wanted = max(PEOPLE_OF[edit.kind], len(edit.people) if edit.kind in ("join", "teams") else 0)
    if len(edit.people) != wanted:
        raise MeaningError(f"{edit.kind} is of {wanted} people")
    if len(set(edit.people)) < len(edit.people):
        raise MeaningError("these are one person already")
    if edit.kind == "name" and (not edit.text or any(unicodedata.category(c) in NOT_IN_NAMES for c in edit.text)):
        raise MeaningError("a name is one line of text")
    if edit.kind == "teams" and len(edit.text.split(",")) != len(edit.people):
        raise MeaningError("each person is of one team")
    if edit.kind == "keep" and edit.text not in RULES:
        raise MeaningError(f"there is no rule {edit.text!r}")
    numbers = RULES[edit.text] if edit.kind == "keep" else VALUES_OF.get(edit.kind, 0)
    if len(edit.values) != numbers or not all(math.isfinite(v) for v in edit.values):
        raise MeaningError(f"it takes {numbers} numbers")
    if edit.text == "longest" and edit.kind == "keep" and (edit.values[0] < 1 or edit.values[0] % 1):
        raise MeaningError("so many people cannot be kept")
    if edit.kind == "assign" and edit.values[0] > edit.values[1]:
        raise MeaningError("the span ends before it begins")


def anchors_of(edit: Edit) -> int:
    """How many anchors an edit has."""
    return ANCHORS_OF.get(edit.kind, len(edit.people))


def _check_together(one: Edit, other: Edit) -> None:
    """PoselineError for two edits of one command that contradict each other, whatever the people are."""
    if one.kind != other.kind or one.kind not in ("swap", "assign"):
        return
    if one.kind == "swap" and set(one.people) == set(other.people) and one.values == other.values:
        raise PoselineError(f"--{one} and --{other} undo each other; leave both out")
    common = max(one.values[0], other.values[0]), min(one.values[-1], other.values[-1])
    if one.kind == "swap" or one.people[0] != other.people[0] or one.people[1] == other.people[1]:
        return
    if common[0] < common[1] or one.values == other.values:
        raise PoselineError(f"--{one} and --{other} say of one span whose it is; leave one of them out")


class Suspicion(NamedTuple):
    """A time at which a person may be somebody else; ``why`` may have the fields {own} and {other} for their ids."""

    time_s: float
    person: int
    why: str
    other: int = 0  # who it may be; 0: nobody in particular

    @property
    def told(self) -> str:
        """The reason with the ids in it."""
        return self.why.format(own=self.person, other=self.other) if self.other else self.why
