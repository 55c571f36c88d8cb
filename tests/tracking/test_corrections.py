"""Corrections in a word: merge over an overlap, join, swap and assign; what holds after any edits."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PoselineError
from pipeline.tracking.edited import People, apply
from pipeline.tracking.edits import Edit, RefusedError, parse

TIME_S = np.arange(100) / 25
Seen = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows(*people: tuple[int, range, float]) -> Seen:
    """ids, frames and boxes of people (id, frames, x) in order of the frames; boxes are 10 x 20 px."""
    seen = sorted((f, i, x) for i, frames, x in people for f in frames)
    box = np.array([(x, 0, x + 10, 20) for _, _, x in seen], np.float32)
    return np.array([i for _, i, _ in seen], np.int32), np.array([f for f, _, _ in seen]), box


def typed(people: People, edit: Edit) -> str:
    """Make the edit of those whose ids were typed, as the command does."""
    edit = people.anchored(edit)
    return people.perform(edit, list(edit.people) * (len(edit.frames) // max(len(edit.people), 1)))


def frames_of(people: People, seen: Seen) -> dict[int, list[int]]:
    return {int(i): seen[1][people.ids == i].tolist() for i in np.unique(people.ids[people.ids > 0])}


def test_of_an_overlap_the_surer_one_of_each_stretch_is_kept_and_the_dropped_are_counted() -> None:
    seen = rows((1, range(12), 0), (2, range(10, 20), 100), (1, range(18, 30), 0))
    score = np.where(seen[0] == 1, 0.5, 0.6)
    score[(seen[0] == 1) & (seen[1] >= 18)] = 0.9
    people = People(*seen, TIME_S, score=score)
    said = typed(people, parse(merge=["1 2"])[0])
    assert said == "person 2 is person 1 now: 8 frames more, 4 observations dropped, as both were seen from 0.400 s on"
    assert frames_of(people, seen) == {1: list(range(30))}
    assert set(seen[1][people.ids == -1].tolist()) == {10, 11, 18, 19}
    assert (seen[0][(people.ids == 1) & np.isin(seen[1], (10, 11))] == 2).all()
    assert (seen[0][(people.ids == 1) & np.isin(seen[1], (18, 19))] == 1).all()
    edit = People(*seen, TIME_S).anchored(parse(merge=["1 2"])[0])
    again = apply([edit], *seen, TIME_S, score)
    assert again.dropped == [4]
    assert (again.ids == people.ids).all()


@pytest.mark.parametrize(("end", "done"), [(11, True), (22, True), (23, False)])  # 1, 12 and 13 frames of 0.04 s
def test_half_a_second_may_overlap(end: int, done: bool) -> None:
    seen = rows((1, range(end), 0), (2, range(10, 40), 100))
    people = People(*seen, TIME_S)
    if done:
        typed(people, parse(merge=["1 2"])[0])
        assert people.dropped == end - 10
    else:
        with pytest.raises(RefusedError, match=r"both seen for 0\.52 s, from 0\.400 s on.*--split"):
            typed(people, parse(merge=["1 2"])[0])
        assert (people.ids == seen[0]).all()


def test_one_frame_may_overlap_however_long_it_lasts() -> None:
    seen = rows((1, range(11), 0), (2, range(10, 40), 100))
    people = People(*seen, np.arange(100) * 2.0)
    typed(people, parse(merge=["1 2"])[0])
    assert people.dropped == 1


def test_join_makes_all_the_first_or_nobody() -> None:
    seen = rows((1, range(5), 0), (2, range(5, 10), 0), (3, range(10, 15), 0), (4, range(40), 100))
    people = People(*seen, TIME_S)
    people.perform(parse(name=["3=Ann"])[0], [3])
    assert typed(people, parse(join=["2 1 3"])[0]).startswith("people 1, 3 are person 2 now: 5 frames more; 5 frames")
    assert frames_of(people, seen) == {2: list(range(15)), 4: list(range(40))}
    assert people.named() == {2: "Ann"}
    people = People(*rows((1, range(15), 0), (2, range(15, 20), 0), (4, range(40), 100)), TIME_S)
    with pytest.raises(RefusedError, match="4 and 1 are both seen"):
        typed(people, parse(join=["1 2 4"])[0])
    assert set(people.ids.tolist()) == {1, 2, 4}  # 1 and 2 are two still


def test_swap_exchanges_two_from_a_time_on() -> None:
    seen = rows((1, range(30), 0), (2, range(10, 40), 100))
    people = People(*seen, TIME_S)
    assert typed(people, parse(swap=["1 2@0.8"])[0]) == "people 1 and 2 are exchanged from 0.800 s on: 10 and 20 frames"
    assert frames_of(people, seen) == {1: list(range(40)), 2: list(range(10, 30))}


@pytest.mark.parametrize(
    ("swap", "words"),
    [
        ("1 2@2", "person 1 is seen from 0.000 to 1.160 s, person 2 is seen from 0.400 to 1.560 s; name a time"),
        ("1 2@0", "name a time between"),
        ("1 3@1.9", "--merge 1 3 makes them one"),
        ("1 9@1", "no person 9"),
    ],
)
def test_a_swap_that_changes_nothing_is_refused(swap: str, words: str) -> None:
    people = People(*rows((1, range(30), 0), (2, range(10, 40), 100), (3, range(50, 60), 0)), TIME_S)
    with pytest.raises(RefusedError) as caught:
        typed(people, parse(swap=[swap])[0])
    assert words in str(caught.value)


def test_a_swap_is_not_made_where_tracking_got_it_right_since() -> None:
    seen = rows((1, range(40), 0), (2, range(40), 100))
    frame, box = seen[1], seen[2]
    truth = np.where(box[:, 0] == 0, 1, 2).astype(np.int32)
    wrong = np.where(frame >= 20, 3 - truth, truth).astype(np.int32)
    edit = People(wrong, frame, box, TIME_S).anchored(parse(swap=["1 2@0.8"])[0])
    assert (apply([edit], wrong, frame, box, TIME_S).ids == truth).all()
    right = apply([edit], truth, frame, box, TIME_S)
    assert (right.ids == truth).all()
    assert right.warnings == []
    others = np.where((frame >= 20) & (truth == 2), 7, truth).astype(np.int32)  # a third one from there on
    skipped = apply([edit], others, frame, box, TIME_S)
    assert (skipped.ids == others).all()
    assert "others there" in skipped.warnings[0]


def test_assign_gives_a_span_to_somebody_else() -> None:
    seen = rows((1, range(30), 0), (2, range(20, 40), 100))
    people = People(*seen, TIME_S)
    said = typed(people, parse(assign=["1@0.4-0.84=2"])[0])  # frames 10 to 21
    assert said.startswith("person 1 is person 2 from 0.400 to 0.840 s: 10 frames more, 2 observations dropped")
    assert frames_of(people, seen) == {1: [*range(10), *range(22, 30)], 2: list(range(10, 40))}
    for assign, words in (("1@2-3=2", "seen from 0.000 to 1.160 s, but not in 2 to 3 s"), ("1@0-1=9", "no person 9")):
        with pytest.raises(RefusedError, match=words):
            typed(people, parse(assign=[assign])[0])


def test_who_was_taken_by_an_edit_before_is_told() -> None:
    people = People(*rows((1, range(10), 0), (2, range(10, 20), 0)), TIME_S)
    typed(people, parse(merge=["1 2"])[0])
    with pytest.raises(RefusedError, match="no person 2 any more after --merge 1 2; leave one"):
        typed(people, parse(swap=["1 2@0.4"])[0])


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("join", "3", "join is of 2 people: write it like --join 3 7 9"),
        ("join", "3 4 3", "one person already"),
        ("swap", "3 7", "write it like --swap 3 7@12.4"),
        ("swap", "3 3@1", "one person already"),
        ("swap", "3@1", "swap is of 2 people"),
        ("swap", "3 7@inf", "it takes 1 numbers"),
        ("assign", "3@1=7", "write it like --assign 3@12.4-15=7"),
        ("assign", "3@5-2=7", "the span ends before it begins"),
        ("assign", "3@1-2=3", "one person already"),
        ("assign", "3@1.2.3-4=7", "write it like"),
    ],
)
def test_malformed_corrections_name_the_remedy(option: str, value: str, words: str) -> None:
    with pytest.raises(PoselineError) as caught:
        parse(**{option: [value]})
    assert str(caught.value).startswith(f"--{option} {value}")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"swap": ["1 2@5", "2 1@5.0"]},
        {"assign": ["1@2-4=2", "1@3-5=3"]},
        {"assign": ["1@2-2=2", "1@2-2=3"]},
    ],
)
def test_two_that_contradict_each_other_are_refused(options: dict) -> None:
    with pytest.raises(PoselineError, match=r"--(swap|assign) .* and --(swap|assign) .*; leave"):
        parse(**options)
    parse(swap=["1 2@5", "1 2@6", "1 3@5"], assign=["1@2-3=2", "1@3-5=3", "1@4-5=3"])


def test_edits_as_they_are_typed() -> None:
    edits = parse(join=["3 7 9"], swap=["3 7@12.4"], assign=["3@12.4-15=7"])
    assert [str(e) for e in edits] == ["join 3 7 9", "swap 3 7@12.4", "assign 3@12.4-15=7"]


# --- what holds for any edits ----------------------------------------------------------------------------------------


@st.composite
def scenes(draw: st.DrawFn) -> Seen:
    """Up to five people, each in up to three stretches of frames, everybody in a lane of the own."""
    people = []
    for person in range(1, draw(st.integers(2, 5)) + 1):
        frames = draw(st.sets(st.integers(0, 9), min_size=1, max_size=4))  # stretches of 6 frames
        people += [(person, range(6 * f, 6 * f + draw(st.integers(1, 8))), 100.0 * person) for f in sorted(frames)]
    once = {(i, f): x for i, frames, x in people for f in frames}
    return rows(*[(i, range(f, f + 1), x) for (i, f), x in once.items()])


ID, TIME = st.integers(1, 6), st.integers(-2, 70).map(lambda f: f / 25)
TWO = st.lists(ID, min_size=2, max_size=2, unique=True).map(tuple)
EDITS = st.one_of(
    TWO.map(lambda who: Edit("merge", who)),
    st.lists(ID, min_size=2, max_size=4, unique=True).map(lambda who: Edit("join", tuple(who))),
    st.builds(lambda who, at: Edit("split", (who,), values=(at,)), ID, TIME),
    st.builds(lambda who, at: Edit("swap", who, values=(at,)), TWO, TIME),
    st.builds(lambda who, a, b: Edit("assign", who, values=(min(a, b), max(a, b))), TWO, TIME, TIME),
)


@settings(deadline=None, max_examples=150)
@given(scenes(), st.lists(EDITS, max_size=8), st.randoms(use_true_random=False))
def test_no_frame_has_two_of_one_and_no_observation_is_lost_untold(seen: Seen, edits: list[Edit], random) -> None:
    score = np.array([random.random() for _ in seen[0]])
    people, made = People(*seen, TIME_S, score=score), []
    for edit in edits:
        before = people.ids.copy()
        try:
            stored = people.anchored(edit)
            said = typed(people, edit)
        except RefusedError:
            assert (people.ids == before).all()
            continue
        made.append(stored)
        lost = int(((before > 0) & (people.ids <= 0)).sum())
        assert lost == sum(int(number) for number in re.findall(r"(\d+) observations? dropped", said))
    mine = people.ids > 0
    assert len({*zip(people.ids[mine].tolist(), seen[1][mine].tolist(), strict=True)}) == mine.sum()
    assert (~mine).sum() == people.dropped
    again = apply(made, *seen, TIME_S, score)  # as a later tracking makes them
    assert again.warnings == []
    assert sum(again.dropped) == people.dropped
    assert (again.ids == people.ids).all()


@settings(deadline=None, max_examples=100)
@given(scenes(), TWO, TIME)
def test_swap_twice_is_nothing(seen: Seen, who: tuple[int, int], at_s: float) -> None:
    people, swap = People(*seen, TIME_S), Edit("swap", who, values=(at_s,))
    try:
        typed(people, swap)
    except RefusedError:
        assert (people.ids == seen[0]).all()
        return
    typed(people, replace(swap, people=who[::-1]))
    assert (people.ids == seen[0]).all()
