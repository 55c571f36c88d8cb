"""Edits applied to people: who each observation belongs to afterwards.

No frame ever has two observations of one person. Where two become one and both are seen for at most `OVERLAP_S`, the
surer one of each stretch is kept and the other belongs to nobody; these are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.core.team_text import OTHER
from pipeline.core.words import counted
from pipeline.tracking.edits import Edit, RefusedError, anchors_of

SAME_IOU = 0.5  # least IoU of an anchor's box with the box of its observation
ROUNDING_S = 1e-6  # tables show times to the microsecond
OVERLAP_S = 0.5  # longest time for which two who become one may both be seen; a single frame may be longer
NEAR_S = 1.0  # the anchors of a swap are in the middle of this time before and after it
_NOWHERE = (-1, (0.0, 0.0, 0.0, 0.0))  # the anchor of a person who is not seen


class Edited(NamedTuple):
    """What edits make of people."""

    ids: np.ndarray  # (N,) i32, −1 for nobody
    names: dict[int, str]
    teams: dict[int, str]  # the team of each person of whom the user says so
    warnings: list[str]  # a line for each edit that was skipped
    largest: int  # id that anybody has or had
    dropped: list[int]  # observations that each edit dropped where two who became one were both seen


def apply(
    edits: Sequence[Edit],
    ids: np.ndarray,
    frame: np.ndarray,
    box_px: np.ndarray,
    time_s: np.ndarray,
    score: np.ndarray | None = None,
) -> Edited:
    """Edits of the people ``ids (N,)`` seen in ``frame (N,)``, ascending, with ``box_px (N, 4)``; ``time_s (T,)``.

    ``score (N,)`` says how sure each observation is; None: all alike.
    """
    people, warnings, dropped = People(ids, frame, box_px, time_s, score=score), [], []
    for number, edit in enumerate(edits, 1):
        before = people.dropped
        try:
            people.perform(edit, people.owners(edit))
        except RefusedError as error:
            warnings.append(f"edit {number} ({edit}) is skipped: {error}")
        dropped.append(people.dropped - before)
    return Edited(people.ids, people.named(), people.in_teams(), warnings, people.largest, dropped)


class People:
    """People while they are edited: ``ids (N,)`` changes, the observations do not."""

    def __init__(
        self,
        ids: np.ndarray,
        frame: np.ndarray,
        box_px: np.ndarray,
        time_s: np.ndarray,
        largest: int = 0,
        score: np.ndarray | None = None,
    ):
        self.largest = max(largest, int(ids.max(initial=0)))  # id that anybody has or had: none is given twice
        self.ids, self._names, self._teams = ids.copy(), dict[int, str](), dict[int, str]()
        self.dropped = 0  # observations dropped where two who became one were both seen
        self._gone = dict[int, Edit]()  # the edit that took the last observation of an id
        self._frame, self._box, self._time_s = frame, box_px, time_s
        self._score = np.zeros(len(ids)) if score is None else score.astype(np.float64)
        self._step_s = np.diff(time_s, append=2 * time_s[-1:] - time_s[-2:-1]) if len(time_s) > 1 else np.zeros(1)

    def named(self) -> dict[int, str]:
        """Names of the people that are there."""
        return {i: self._names[i] for i in sorted(self._names) if (self.ids == i).any()}

    def in_teams(self) -> dict[int, str]:
        """Teams of the people that are there."""
        return {i: self._teams[i] for i in sorted(self._teams) if (self.ids == i).any()}

    # --- anchors -----------------------------------------------------------------------------------------------------

    def anchored(self, edit: Edit) -> Edit:
        """The edit with an observation from the middle of each of its people, or of the span that it is about."""
        rows = [self._rows(person) for person in edit.people]
        if edit.kind == "swap":
            later = [self._time_s[self._frame[r]] >= edit.values[0] - ROUNDING_S for r in rows]
            rows = [self._near(r[~t], -1) for r, t in zip(rows, later, strict=True)] + [
                self._near(r[t], 0) for r, t in zip(rows, later, strict=True)
            ]
        elif edit.kind == "assign":
            rows[0] = self._within(edit.people[0], edit.values)
        anchors = [self._anchor(int(r[len(r) // 2])) if len(r) else _NOWHERE for r in rows]
        return replace(edit, frames=tuple(f for f, _ in anchors), boxes_px=tuple(box for _, box in anchors))

    def _anchor(self, row: int) -> tuple[int, tuple[float, ...]]:
        return int(self._frame[row]), tuple(round(float(v), 2) for v in self._box[row])

    def _near(self, rows: np.ndarray, end: int) -> np.ndarray:
        """Those of the rows that are within `NEAR_S` of the last one (``end`` −1) or of the first one (0)."""
        at_s = self._time_s[self._frame[rows]]
        return rows[np.abs(at_s - at_s[end]) <= NEAR_S] if len(rows) else rows

    def owners(self, edit: Edit) -> list[int]:
        """Who is at each anchor of the edit here; 0 for an anchor that is nowhere."""
        who = edit.people * (anchors_of(edit) // max(len(edit.people), 1))
        anchors = zip(who, edit.frames, edit.boxes_px, strict=True)
        return [self._owner(*anchor) if anchor[1] >= 0 else 0 for anchor in anchors]

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

    # --- rows --------------------------------------------------------------------------------------------------------

    def _rows(self, person: int) -> np.ndarray:
        rows = np.flatnonzero(self.ids == person) if person > 0 else np.zeros(0, np.int64)
        if not len(rows) and person in self._gone:
            gone = f"there is no person {person} any more after --{self._gone[person]}"
            raise RefusedError(f"{gone}; leave one of the two edits out")
        if not len(rows):
            raise RefusedError(f"there is no person {person}; poseline people RUN lists who there is")
        return rows

    def _within(self, person: int, span_s: Sequence[float]) -> np.ndarray:
        """The person's rows in the span, ends included."""
        rows = self._rows(person)
        at_s = self._time_s[self._frame[rows]]
        mine = rows[(at_s >= span_s[0] - ROUNDING_S) & (at_s <= span_s[1] + ROUNDING_S)]
        if not len(mine):
            span = f"{span_s[0]:g} to {span_s[1]:g} s"
            raise RefusedError(f"{self._seen(person, rows)}, but not in {span}; name a span where it is")
        return mine

    def _from(self, rows: np.ndarray, at_s: float) -> np.ndarray:
        """Those of the rows at the time or later."""
        return rows[self._time_s[self._frame[rows]] >= at_s - ROUNDING_S]

    def _seen(self, person: int, rows: np.ndarray) -> str:
        first, last = self._time_s[self._frame[rows[[0, -1]]]]
        return f"person {person} is seen from {first:.3f} to {last:.3f} s"

    # --- edits -------------------------------------------------------------------------------------------------------

    def perform(self, edit: Edit, who: list[int]) -> str:
        """Apply the edit to the people ``who``, one for each anchor; the text returned says what changed.

        RefusedError where that cannot be done; then nothing has changed.
        """
        ids, names, teams, dropped = self.ids.copy(), dict(self._names), dict(self._teams), self.dropped
        try:
            told = self._performed(edit, who)
        except RefusedError:
            self.ids, self._names, self._teams, self.dropped = ids, names, teams, dropped
            raise
        self._gone |= {int(i): edit for i in np.setdiff1d(ids[ids > 0], self.ids)}
        return told

    def _performed(self, edit: Edit, who: list[int]) -> str:
        if edit.kind in ("merge", "join"):
            return self._join(list(dict.fromkeys(who)))
        if edit.kind == "split":
            return self._split(who[0], edit.values[0])
        if edit.kind == "swap":
            return self._swap(edit.values[0], *who)
        if edit.kind == "assign":
            return self._assign(who[0], who[1], edit.values)
        if edit.kind == "keep":
            return self._keep(edit.text, edit.values)
        if edit.kind == "drop":
            return self._drop(who)
        if edit.kind == "teams":
            told = dict(zip(who, edit.text.split(","), strict=True))
            self._teams |= told
            names = dict.fromkeys(team for team in self._teams.values() if team != OTHER)
            if len(names) > 2:
                raise RefusedError(f"there are two teams, and {OTHER}, but these would be {', '.join(names)}")
            return ", ".join(f"person {person} is in team {team}" for person, team in told.items())
        self._names[who[0]] = edit.text
        return f"person {who[0]} is called {edit.text}"

    def _join(self, people: list[int]) -> str:
        first, *others = people
        if not others:  # tracking has already made these one person
            return f"person {first} is one already"
        gave = [self._give(self._rows(other), other, first) for other in others]
        who = f"person {others[0]} is" if len(others) == 1 else f"people {', '.join(map(str, others))} are"
        return f"{who} person {first} now: " + "; ".join(gave)

    def _assign(self, giver: int, taker: int, span_s: Sequence[float]) -> str:
        if giver == taker:
            return f"that span is person {taker}'s already"
        mine = self._within(giver, span_s)
        first, last = self._time_s[self._frame[mine[[0, -1]]]]
        return f"person {giver} is person {taker} from {first:.3f} to {last:.3f} s: {self._give(mine, giver, taker)}"

    def _give(self, rows: np.ndarray, giver: int, taker: int) -> str:
        """Give the giver's rows to the taker; where both are seen, the surer one is kept in each stretch of frames."""
        theirs = self._rows(taker)
        both, here, there = np.intersect1d(self._frame[rows], self._frame[theirs], return_indices=True)
        common_s = float(self._step_s[both].sum())
        if len(both) > 1 and common_s > OVERLAP_S + ROUNDING_S:
            raise RefusedError(
                f"{giver} and {taker} are both seen for {common_s:.2f} s, from {self._time_s[both[0]]:.3f} s on, and"
                f" one person cannot be in two places for more than {OVERLAP_S:g} s; --split one of them there first"
            )
        self.ids[rows] = taker
        stretch = np.cumsum(np.diff(both, prepend=both[:1]) > 1)
        gain = np.bincount(stretch, self._score[rows[here]] - self._score[theirs[there]])
        surer = gain[stretch] > 0
        self.ids[np.where(surer, theirs[there], rows[here])] = -1
        self.dropped += len(both)
        told = [f"{counted(len(rows) - int((~surer).sum()), 'frame')} more"]
        if len(both):
            lost = f"{counted(len(both), 'observation')} dropped"
            told.append(f"{lost}, as both were seen from {self._time_s[both[0]]:.3f} s on")
        if giver in self._teams and not (self.ids == giver).any():
            self._teams.setdefault(taker, self._teams.pop(giver))
        if giver in self._names and not (self.ids == giver).any():
            name = self._names.pop(giver)
            if self._names.setdefault(taker, name) != name:
                told.append(f"the name {name} is gone")
        return ", ".join(told)

    def _split(self, person: int, at_s: float) -> str:
        rows = self._rows(person)
        later = self._from(rows, at_s)
        if len(later) in (0, len(rows)):
            raise RefusedError(f"{self._seen(person, rows)}; name a time between")
        self.largest = new = self.largest + 1
        self.ids[later] = new
        from_s = self._time_s[self._frame[later[0]]]
        return f"person {person} is person {new} from {from_s:.3f} s on: {counted(len(later), 'frame')}"

    def _swap(self, at_s: float, a: int, b: int, a_later: int, b_later: int) -> str:
        """Exchange two from a time on: a and b are who they are before it, the others from it on; 0: not seen."""
        pairs = [(a, a_later), (b, b_later)]
        crossed = [(a, b_later), (b, a_later)]
        if all(_one(pair) for pair in crossed) and not all(_one(pair) for pair in pairs):
            return "tracking does not exchange them there: nothing to do"
        a, b = a or a_later, b or b_later
        if not all(_one(pair) for pair in pairs) or a == b:
            raise RefusedError("tracking found others there than those whom the edit was about")
        mine, theirs = self._rows(a), self._rows(b)
        ours = self._from(mine, at_s), self._from(theirs, at_s)
        left, right = (len(mine) - len(ours[0]), len(ours[0])), (len(theirs) - len(ours[1]), len(ours[1]))
        if not left[1] + right[1] or not left[0] + right[0]:
            raise RefusedError(f"{self._seen(a, mine)}, {self._seen(b, theirs)}; name a time between")
        if not left[0] + right[1] or not right[0] + left[1]:
            raise RefusedError(f"nothing would be left of one of them; --merge {a} {b} makes them one person")
        self.ids[ours[0]], self.ids[ours[1]] = b, a
        frames = f"{len(ours[0])} and {counted(len(ours[1]), 'frame')}"
        first = min(int(r[0]) for r in ours if len(r))
        return f"people {a} and {b} are exchanged from {self._time_s[self._frame[first]]:.3f} s on: {frames}"

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


def _one(pair: tuple[int, int]) -> bool:
    """Whether both are one person; a person who is not seen, 0, may be anybody."""
    return not all(pair) or pair[0] == pair[1]


def _inside(box_px: np.ndarray, region_px: tuple[float, ...]) -> np.ndarray:
    """(N,) bool: whether the boxes' centres lie in the region."""
    centre, region = (box_px[:, :2] + box_px[:, 2:]) / 2, np.array(region_px)
    return ((centre >= region[:2]) & (centre <= region[2:])).all(1)
