"""A user's edits of the people that tracking found: merge, split, drop, keep and name.

Under other settings people get other ids. So an edit stores an anchor for each of its people: the frame and the box of
one observation.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import PoselineError

SAME_IOU = 0.5  # least IoU of an anchor's box with the box of its observation
ROUNDING_S = 1e-6  # tables show times to the microsecond
PEOPLE_OF = {"merge": 2, "split": 1, "drop": 1, "keep": 0, "name": 1}
RULES = {"longest": 1, "region": 4, "height": 1}  # rules of keep, and how many numbers each takes
FORMS = {"merge": "--merge 3 7", "split": "--split 5@12.4", "name": "--name 3=Ann"}
NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")  # line ends, control characters and halves of characters
KEEP_FORM = "--keep longest=2, region=X1,Y1,X2,Y2 or height=150"


@dataclass(frozen=True)
class Edit:
    """One edit, ids as the user typed them, and an anchor for each."""

    kind: str  # a key of PEOPLE_OF
    people: tuple[int, ...] = ()
    text: str = ""  # the name, or a key of RULES
    values: tuple[float, ...] = ()  # for split the time in s, for keep the rule's numbers
    frames: tuple[int, ...] = ()  # of the anchors
    boxes_px: tuple[tuple[float, ...], ...] = ()  # of the anchors, x1 y1 x2 y2

    def __str__(self) -> str:
        """The edit as it is typed on the command line."""
        who, numbers = " ".join(map(str, self.people)), ",".join(f"{v:.15g}" for v in self.values)
        ends = {"split": f"{who}@{numbers}", "keep": f"{self.text}={numbers}", "name": f"{who}={self.text}"}
        return f"{self.kind} {ends.get(self.kind, who)}"


class RefusedError(Exception):
    """The edit cannot be made of these people; the message says why."""


# --- what was typed --------------------------------------------------------------------------------------------------


def parse(
    merge: Iterable[str] = (),
    split: Iterable[str] = (),
    drop: Iterable[int] = (),
    keep: Iterable[str] = (),
    name: Iterable[str] = (),
) -> list[Edit]:
    """Edits of the command line, ``merge`` as "3 7", in the order of these arguments; they have no anchors yet."""
    edits = [_parsed("merge", text, *_cut(text, " ")) for text in merge]
    edits += [_parsed("split", text, *_cut(text, "@")) for text in split]
    edits += [Edit("drop", (number,)) for number in drop]
    edits += [_parsed("keep", text, *_cut(text, "=")) for text in keep]
    return edits + [_parsed("name", text, *_cut(text, "=")) for text in name]


def _cut(text: str, between: str) -> tuple[str, str]:
    left, _, right = text.partition(between)
    return left.strip(), right.strip()


def _parsed(kind: str, text: str, left: str, right: str) -> Edit:
    try:
        if kind == "merge":
            edit = Edit(kind, (int(left), int(right)))
        elif kind == "split":
            edit = Edit(kind, (int(left),), values=(float(right),))
        elif kind == "keep":
            edit = Edit(kind, text=left, values=tuple(float(v) for v in right.split(",")))
        else:
            edit = Edit(kind, (int(left),), text=right)
        check(edit)
    except ValueError as error:
        why = f"; {error}" if isinstance(error, MeaningError) else ""
        shown = " ".join(text.split())
        raise PoselineError(f"--{kind} {shown}{why}: write it like {FORMS.get(kind, KEEP_FORM)}") from None
    return edit


class MeaningError(ValueError):
    """The edit is well formed but meaningless."""


def check(edit: Edit) -> None:
    """Raise ValueError where an edit is meaningless for any set of people."""
    if len(edit.people) != PEOPLE_OF[edit.kind]:
        raise MeaningError(f"{edit.kind} is of {PEOPLE_OF[edit.kind]} people")
    if edit.kind == "merge" and edit.people[0] == edit.people[1]:
        raise MeaningError("these are one person already")
    if edit.kind == "name" and (not edit.text or any(unicodedata.category(c) in NOT_IN_NAMES for c in edit.text)):
        raise MeaningError("a name is one line of text")
    if edit.kind == "keep" and edit.text not in RULES:
        raise MeaningError(f"there is no rule {edit.text!r}")
    wanted = {"split": 1, "keep": RULES.get(edit.text, 0)}.get(edit.kind, 0)
    if len(edit.values) != wanted or not all(math.isfinite(v) for v in edit.values):
        raise MeaningError(f"it takes {wanted} numbers")
    if edit.text == "longest" and edit.kind == "keep" and (edit.values[0] < 1 or edit.values[0] % 1):
        raise MeaningError("so many people cannot be kept")


# --- applying --------------------------------------------------------------------------------------------------------


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


class Edited(NamedTuple):
    """What edits make of people."""

    ids: np.ndarray  # (N,) i32, −1 for nobody
    names: dict[int, str]
    warnings: list[str]  # a line for each edit that was skipped
    largest: int  # id that anybody has or had


def apply(edits: Sequence[Edit], ids: np.ndarray, frame: np.ndarray, box_px: np.ndarray, time_s: np.ndarray) -> Edited:
    """Edits of the people ``ids (N,)`` seen in ``frame (N,)``, ascending, with ``box_px (N, 4)``; ``time_s (T,)``."""
    people, warnings = People(ids, frame, box_px, time_s), []
    for number, edit in enumerate(edits, 1):
        try:
            people.perform(edit, people.owners(edit))
        except RefusedError as error:
            warnings.append(f"edit {number} ({edit}) is skipped: {error}")
    return Edited(people.ids, people.named(), warnings, people.largest)


class People:
    """People while they are edited: ``ids (N,)`` changes, the observations do not."""

    def __init__(self, ids: np.ndarray, frame: np.ndarray, box_px: np.ndarray, time_s: np.ndarray, largest: int = 0):
        self.largest = max(largest, int(ids.max(initial=0)))  # id that anybody has or had: none is given twice
        self.ids, self._names = ids.copy(), dict[int, str]()
        self._frame, self._box, self._time_s = frame, box_px, time_s

    def named(self) -> dict[int, str]:
        """Names of the people that are there."""
        return {i: self._names[i] for i in sorted(self._names) if (self.ids == i).any()}

    def anchored(self, edit: Edit) -> Edit:
        """The edit with an observation from the middle of each of its people."""
        rows = [self._rows(person) for person in edit.people]
        middle = [int(r[len(r) // 2]) for r in rows]
        boxes = tuple(tuple(round(float(v), 2) for v in self._box[r]) for r in middle)
        return replace(edit, frames=tuple(int(self._frame[r]) for r in middle), boxes_px=boxes)

    def owners(self, edit: Edit) -> list[int]:
        """Who the people of the edit are here."""
        return [self._owner(*anchor) for anchor in zip(edit.people, edit.frames, edit.boxes_px, strict=True)]

    def _owner(self, person: int, frame: int, box_px: tuple[float, ...]) -> int:
        rows = slice(*np.searchsorted(self._frame, [frame, frame + 1]))
        mine, box = self._box[rows].astype(np.float64), np.array(box_px)
        common = np.minimum(mine[:, 2:], box[2:]) - np.maximum(mine[:, :2], box[:2])
        both = np.maximum(common, 0).prod(1)
        size = (mine[:, 2:] - mine[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - both
        iou = np.where(self.ids[rows] > 0, both / np.maximum(size, 1e-9), 0)
        if iou.max(initial=0) < SAME_IOU:
            raise RefusedError(f"nobody is where person {person} was seen in frame {frame}")
        return int(self.ids[rows][np.argmax(iou)])

    def _rows(self, person: int) -> np.ndarray:
        rows = np.flatnonzero(self.ids == person) if person > 0 else np.zeros(0, np.int64)
        if not len(rows):
            raise RefusedError(f"there is no person {person}; poseline people RUN lists who there is")
        return rows

    def perform(self, edit: Edit, who: list[int]) -> str:
        """Apply the edit to the people ``who``; the text returned says what changed."""
        if edit.kind == "merge":
            return self._merge(*who)
        if edit.kind == "split":
            return self._split(who[0], edit.values[0])
        if edit.kind == "keep":
            return self._keep(edit.text, edit.values)
        if edit.kind == "drop":
            return self._drop(who)
        self._names[who[0]] = edit.text
        return f"person {who[0]} is called {edit.text}"

    def _merge(self, a: int, b: int) -> str:
        if a == b:  # tracking has already made these two one person
            return f"person {a} is one already"
        ours, theirs = self._rows(a), self._rows(b)
        both = np.intersect1d(self._frame[ours], self._frame[theirs])
        if len(both):
            raise RefusedError(
                f"both are seen at {self._time_s[both[0]]:.3f} s, and one person cannot be in two places; "
                "split one of them there first"
            )
        self.ids[theirs] = a
        if b in self._names:
            self._names.setdefault(a, self._names.pop(b))
        return f"person {b} is person {a} now: {len(theirs)} frames more"

    def _split(self, person: int, at_s: float) -> str:
        rows = self._rows(person)
        times = self._time_s[self._frame[rows]]
        later = rows[times >= at_s - ROUNDING_S]
        if len(later) in (0, len(rows)):
            raise RefusedError(f"person {person} is seen from {times[0]:.3f} to {times[-1]:.3f} s; name a time between")
        self.largest = new = self.largest + 1
        self.ids[later] = new
        return (
            f"person {person} is person {new} from {self._time_s[self._frame[later[0]]]:.3f} s on: {len(later)} frames"
        )

    def _drop(self, people: Sequence[int]) -> str:
        self.ids[np.isin(self.ids, people)] = -1
        for person in people:
            self._names.pop(person, None)
        return f"dropped {', '.join(map(str, people)) or 'nobody'}"

    def _keep(self, rule: str, values: tuple[float, ...]) -> str:
        order = np.argsort(self.ids, kind="stable")
        people, first = np.unique(self.ids[order], return_index=True)
        rows = {int(i): r for i, r in zip(people, np.split(order, first[1:]), strict=True) if i > 0}
        if rule == "longest":
            span = {i: self._time_s[self._frame[r[-1]]] - self._time_s[self._frame[r[0]]] for i, r in rows.items()}
            kept = sorted(sorted(rows, key=lambda i: (-span[i], -len(rows[i]), i))[: int(values[0])])
        elif rule == "region":
            kept = [i for i, r in rows.items() if _inside(self._box[r], values).mean() > 0.5]
        else:
            kept = [i for i, r in rows.items() if np.median(self._box[r, 3] - self._box[r, 1]) >= values[0]]
        if not kept:
            raise RefusedError("it would keep nobody")
        return f"kept {', '.join(map(str, kept))}; " + self._drop([i for i in rows if i not in kept])


def _inside(box_px: np.ndarray, region_px: tuple[float, ...]) -> np.ndarray:
    """(N,) bool: whether the boxes' centres lie in the region."""
    centre, region = (box_px[:, :2] + box_px[:, 2:]) / 2, np.array(region_px)
    return ((centre >= region[:2]) & (centre <= region[2:])).all(1)
