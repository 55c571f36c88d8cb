"""The offline pass on tracklets made by hand."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.settings import TrackConfig
from pipeline.observe.appearance import COSINE
from pipeline.tracking import cuts, relink
from pipeline.tracking.assemble import people_of
from pipeline.tracking.glimpses import SPAN_S, Glimpses
from pipeline.tracking.likelihood import possible_links
from pipeline.tracking.pieces import Pieces, cut, joined
from pipeline.tracking.relink import link

SIZE = (1920, 1080)
FPS = 10


def _glimpses(paths: list[tuple[float, np.ndarray]]) -> Glimpses:
    """Tracklets from 1 on, each a beginning in s and x (n,) px of the middle of each half second; all in one colour."""
    rows = [(i + 1, start + SPAN_S * j, float(x)) for i, (start, xs) in enumerate(paths) for j, x in enumerate(xs)]
    tracklet, first, x = (np.array(column) for column in zip(*rows, strict=True))
    count = np.full(len(rows), round(SPAN_S * FPS))
    last = first + SPAN_S - 1 / FPS
    return Glimpses(
        tracklet=tracklet,
        count=count,
        score=0.8 * count,
        first_s=first,
        last_s=last,
        first_frame=np.round(first * FPS).astype(np.int64),
        last_frame=np.round(last * FPS).astype(np.int64),
        time_s=(first + last) / 2,
        place=np.stack([x, np.full(len(rows), 500.0)], -1),
        length=np.full(len(rows), 120.0),
        edge=np.full(len(rows), 300.0),
        view=np.zeros(len(rows), np.int64),
        look=np.tile(np.array([20.0, 0.0, 0.0, 5.0] * 4), (len(rows), 1)),
    )


def _people(paths: list[tuple[float, np.ndarray]]) -> dict[tuple[int, float], int]:
    pieces = cut(_glimpses(paths), TrackConfig())
    person, _ = link(pieces, SIZE)
    return {(int(t), float(s)): int(who) for t, s, who in zip(pieces.tracklet, pieces.first_s, person, strict=True)}


def test_who_turns_round_behind_somebody_who_vanishes_is_the_other() -> None:
    right, left = 700 + 60 * np.arange(8), 1280 - 60 * np.arange(8)
    turned = np.append(left[:5], right[5:])  # from 2.5 s on the one who goes right
    people = _people([(0.0, right[:5]), (0.0, turned), (2.5, left[5:])])
    assert people[1, 0.0] == people[2, 2.5]
    assert people[2, 0.0] == people[3, 2.5]
    assert people[1, 0.0] != people[3, 2.5]


def test_who_walks_on_past_somebody_who_vanishes_stays() -> None:
    people = _people([(0.0, 700 + 60 * np.arange(5)), (0.0, 1280 - 60 * np.arange(12))])
    assert people[2, 0.0] == people[2, 2.5]
    assert people[1, 0.0] != people[2, 2.5]


def _street(rng: np.random.Generator, pieces: int, every_s: float) -> Pieces:
    """Pieces of people of whom one comes by every so often, a third of them in pieces of one tracklet."""
    who = np.sort(rng.integers(0, max(pieces // 3, 1), pieces))
    first = np.round((every_s * who + rng.uniform(0, 60, pieces)) * FPS).astype(np.int64)
    last = first + rng.integers(1, 150, pieces)
    order = np.lexsort((first, who))
    who, first, last = who[order], first[order], last[order]
    goes_on = (np.diff(who) == 0) & (last[:-1] < first[1:]) & (rng.uniform(size=pieces - 1) < 0.4)
    look = rng.uniform(10, 80, (pieces, 16))[who] + rng.normal(0, 4, (pieces, 16))
    return Pieces(
        first_id=np.arange(pieces),
        last_id=np.arange(pieces),
        tracklet=np.cumsum(np.append(True, ~goes_on)),
        first_s=first / FPS,
        last_s=last / FPS,
        first_frame=first,
        last_frame=last,
        count=last - first + 1,
        score=0.8 * (last - first + 1),
        place=rng.uniform(0, 1000, (pieces, 1, 2))[who] + rng.normal(0, 60, (pieces, 2, 2)),
        speed=rng.normal(0, 40, (pieces, 2, 2)),
        length=rng.uniform(100, 300, (pieces, 1))[who] * np.exp(rng.normal(0, 0.1, (pieces, 2))),
        edge=rng.uniform(-0.2, 2, (pieces, 2)),
        view=np.zeros((pieces, 2), np.int64),
        look=np.where(np.repeat(rng.uniform(size=(pieces, 4)) < 0.15, 4, 1), np.nan, look),
        team=np.zeros(pieces, np.int64),
    )


@pytest.mark.parametrize("every_s", [1.0, 20.0, 300.0])
def test_links_that_are_left_out_could_not_be_chosen(every_s: float) -> None:
    pieces = _street(np.random.default_rng(2), 150, every_s)
    every, some = possible_links(pieces, SIZE, 64.0), possible_links(pieces, SIZE)
    after = pieces.first_frame[None] > pieces.last_frame[:, None]
    assert len(every.before) == after.sum()
    good = every.take(np.flatnonzero(every.ratio > 0))
    assert 0 < len(good.before) < 0.2 * after.sum()
    order = [np.lexsort((links.after, links.before)) for links in (good, some)]
    for column, other in zip(good, some, strict=True):
        np.testing.assert_array_equal(column[order[0]], other[order[1]])


def test_memory_grows_with_the_pieces_and_not_with_their_square() -> None:
    peaks = []
    for count in (1000, 4000):
        pieces = _street(np.random.default_rng(3), count, 20.0)
        tracemalloc.start()
        person, _ = link(pieces, SIZE)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert person.max() < 0.9 * count
    assert peaks[1] < min(5 * peaks[0], 100e6)


def test_changes_of_clothes_are_looked_for_once_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def counted(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal compared
        compared += np.broadcast(a, b).size
        return distance2(a, b)

    distance2 = cuts.distance2
    monkeypatch.setattr(cuts, "distance2", counted)
    counts = []
    for count in (200, 800):
        glimpses = _glimpses([(0.0, np.full(count, 500.0))])
        worn = np.where(np.arange(count) // 20 % 2, 60.0, 20.0)
        found = cuts.changes(replace(glimpses, look=np.repeat(worn[:, None], 16, 1)))
        assert np.flatnonzero(found).tolist() == list(range(20, count, 20))
        counts.append(compared)
        compared = 0
    assert counts[1] < 4.2 * counts[0]


def test_doubts_are_of_the_pieces_that_a_link_joins() -> None:
    pieces = replace(_street(np.random.default_rng(4), 4, 1.0), tracklet=np.array([1, 1, 2, 3]))
    chains = joined(pieces, np.array([0, 1, 0, 2]))  # the first one ends with a piece of tracklet 2, which ends there
    links = relink._Chosen(np.array([2, -1, -1]), np.array([1.0, -np.inf, -np.inf]))
    ((time_s, piece, what, other),) = relink._doubts(pieces, chains, links)
    assert (time_s, piece, other) == (pieces.first_s[3], 3, -1)
    assert what == f"taken for the same person after {pieces.first_s[3] - pieces.last_s[2]:.1f} s"


@pytest.mark.parametrize(("blue", "people"), [(20.0, 1), (40.0, 1), (50.0, 2), (90.0, 2)])
def test_that_people_are_few_takes_the_place_of_the_prior_but_not_of_evidence(blue: float, people: int) -> None:
    glimpses = _glimpses([(0.0, 400 - 80 * np.arange(5)), (5.0, 80 + 80 * np.arange(5))])
    edge, look = glimpses.edge.copy(), glimpses.look.copy()
    edge[[4, 5]] = 0
    look[5:, ::4] = blue
    glimpses = replace(glimpses, edge=edge, look=look)
    for asked, found in ((None, 2), (1, people), (2, 2)):
        config = TrackConfig(min_length_s=1, people=asked)
        who = people_of(glimpses, glimpses.tracklet, glimpses.first_frame, SIZE, config)
        assert who.person.max() == found
        assert who.surplus == []  # they are not seen at the same time
        if found == 1:
            assert [m.told for m in who.moments] == [
                "taken for the same person after 2.6 s, as people are said to be few"
            ]


@pytest.mark.parametrize(("blue", "told"), [(20.0, True), (90.0, False)])
def test_who_comes_back_by_the_same_side_is_told_unless_the_clothes_are_others(blue: float, told: bool) -> None:
    glimpses = _glimpses([(0.0, 400 - 80 * np.arange(5)), (5.0, 80 + 80 * np.arange(5))])
    edge, look = glimpses.edge.copy(), glimpses.look.copy()
    edge[[4, 5]] = 0
    look[5:, ::4] = blue
    found = people_of(
        replace(glimpses, edge=edge, look=look), np.zeros(0), np.zeros(0), SIZE, TrackConfig(min_length_s=1)
    )
    lines = [(s.time_s, s.told) for s in found.moments]
    what = "may be person 1, who left 2.6 s before (if so: poseline people RUN --merge 1 2)"
    assert lines == ([(5.0, what)] if told else [])


def test_nobody_changes_the_team() -> None:
    pieces = _street(np.random.default_rng(2), 60, 1.0)
    every = possible_links(pieces, SIZE, 64.0)
    teams = np.arange(60) % 3  # a third in neither team
    some = possible_links(replace(pieces, team=teams), SIZE, 64.0)
    crossed = (teams[every.before] > 0) & (teams[every.after] > 0) & (teams[every.before] != teams[every.after])
    assert crossed.any()
    assert set(zip(every.before[~crossed], every.after[~crossed], strict=True)) == set(
        zip(some.before, some.after, strict=True)
    )
    person = np.repeat(np.arange(20), 3)
    chains = joined(replace(pieces, team=np.repeat(np.arange(20) % 3, 3)), person)
    assert chains.team.tolist() == (np.arange(20) % 3).tolist()


def _match(seed: int) -> Glimpses:
    """Three players of each team who stand, and at 5 s one in white vanishes where one in black appears."""
    paths = [(0.0, np.full(20, 200.0 * (i + 1))) for i in range(6)] + [
        (0.0, np.full(10, 1500.0)),
        (5.0, np.full(10, 1500.0)),
    ]
    kits = ["white", "black"] * 3 + ["white", "black"]
    glimpses = _glimpses(paths)
    shirts = np.array([[75.0, 2, -2, 8] if kit == "white" else [18.0, 3, 0, 8] for kit in kits])
    look = glimpses.look.copy()
    look[:, 4:8] = shirts[glimpses.tracklet - 1] + np.random.default_rng(seed).normal(0, 2, (len(glimpses), 4))
    return replace(glimpses, look=look)


@pytest.mark.parametrize("teams", [None, ()])
def test_teams_are_found_among_pieces_and_part_players_even_of_a_cut_tracklet(teams: tuple | None) -> None:
    glimpses = _match(0)
    one = replace(glimpses, tracklet=np.where(glimpses.tracklet == 8, 7, glimpses.tracklet))  # the tracker's exchange
    asked = TrackConfig(min_length_s=1)
    who = people_of(glimpses, glimpses.tracklet, glimpses.first_frame, SIZE, asked, teams).person
    assert (who[glimpses.tracklet == 7][0] != who[glimpses.tracklet == 8][0]) == (teams is not None)
    cut_there = people_of(one, one.tracklet, one.first_frame, SIZE, asked, teams).person
    mine = cut_there[one.tracklet == 7]
    # Clothes alone cut the tracklet and then join it again, as nobody else is there.
    assert (mine[0] != mine[-1]) == (teams is not None)


@pytest.mark.parametrize(("far", "people"), [(0.0, 1), (0.1, 1), (0.9, 2)])
def test_a_reid_network_links_who_comes_back_by_the_same_side(far: float, people: int) -> None:
    """Its vectors tell strangers apart better than colours do, with nobody there to compare with."""
    glimpses = _glimpses([(0.0, 400 - 80 * np.arange(5)), (5.0, 80 + 80 * np.arange(5))])
    edge, look = glimpses.edge.copy(), np.zeros((len(glimpses.edge), 32))
    edge[[4, 5]] = 0
    cosine = 1 - COSINE * far
    look[:5, 0] = 1
    look[5:, :2] = cosine, np.sqrt(1 - cosine**2)
    found = people_of(
        replace(glimpses, edge=edge, look=look),
        glimpses.tracklet,
        glimpses.first_frame,
        SIZE,
        TrackConfig(min_length_s=1),
    )
    assert found.person.max() == people
