"""Two teams by their kits; none where nothing speaks for two; what the user tells."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pipeline.core.team_text import OTHER, read_told
from pipeline.teams.found import sides, teams_of
from pipeline.teams.kits import find
from tests.teams.worlds import World, match, street

WHITE, BLACK, RED, BLUE, SKY = (75, 2, -2), (18, 3, 0), (40, 48, 25), (30, 10, -40), (66, -8, -22)
SWAPPED = {"A": "B", "B": "A"}
KITS = [(WHITE, BLACK), (RED, BLUE), (RED, WHITE), (WHITE, SKY), (BLUE, BLACK)]


def right(world: World, truth: dict[int, str], told: str = "") -> float:
    """Share of people whose team is right; which one is A is free unless it is told."""
    teams = teams_of(world.worn, read_told(told) if told else ())
    assert teams.shirts, teams.why
    found = [[swap.get(teams.team[i], teams.team[i]) == team for i, team in truth.items()] for swap in ({}, SWAPPED)]
    return float(np.mean(found[0] if told else max(found, key=sum)))


@pytest.mark.parametrize("kits", KITS, ids=str)
def test_two_teams_and_the_referee_are_told_apart(kits):
    shares = [right(*match(*kits, seed=seed)) for seed in range(4)]
    assert min(shares) >= 0.9
    teams = teams_of(match(*kits)[0].worn)
    assert min(teams.certainty.values()) > 0.5


@pytest.mark.parametrize("kits", KITS[:4], ids=str)
def test_light_that_falls_off_over_the_picture_does_no_harm(kits):
    for seed in range(4):
        world, truth = match(*kits, seed=seed)
        assert right(world.lit(0.4), truth) >= 0.9


def test_a_street_has_no_teams():
    found = [bool(teams_of(street(people, seed).worn).shirts) for people in (4, 8, 14, 30) for seed in range(10)]
    assert sum(found) == 0
    assert "people are too few" in teams_of(street(4).worn).why


def test_one_kit_alone_is_no_two_teams():
    world, _ = match(BLACK, BLACK)
    teams = teams_of(world.worn)
    assert not teams.shirts
    assert not teams.team
    assert teams.why
    assert teams.facts() == {"found": False, "why": teams.why}


def test_passers_by_one_after_another_are_no_team():
    world, _ = match(WHITE, BLACK, each=8)
    world.time_s = world.time_s + 60 * world.person  # nobody meets anybody
    assert isinstance(find(world.worn()), str)
    assert not teams_of(world.worn).shirts


def test_like_shirts_over_unlike_trousers_are_no_kit():
    world, _ = match(WHITE, BLACK)
    world.look[:, 8] = np.random.default_rng(0).uniform(0, 90, 99)[world.person]
    assert teams_of(world.worn).why == "people in like shirts wear unlike trousers"


@pytest.mark.parametrize(
    ("kits", "told"),
    [
        ((WHITE, BLACK), "A=white,B=black"),
        ((BLACK, WHITE), "A=black,B=white"),
        ((RED, WHITE), "A=red,B=white"),
        ((WHITE, SKY), "A=white,B=light blue"),
        ((BLUE, RED), "A=#1e46c8,B=#dc1428"),
        ((BLUE, RED), "A=1,B=2"),
        ((BLUE, RED), "A=blue,B=2"),
    ],
    ids=str,
)
def test_teams_are_called_as_the_user_says(kits, told):
    world, truth = match(*kits)
    assert right(world, truth, told) >= 0.9
    named = told.replace("A=", "Away=").replace("B=", "Home=")
    assert right(world, {p: {"A": "Away", "B": "Home"}.get(t, t) for p, t in truth.items()}, named) >= 0.9


def test_a_dark_picture_keeps_white_lighter_than_black():
    world, truth = match((45, 6, -4), (20, 5, -1))  # as white and black shirts are in a dim hall
    assert right(world, truth, "A=white,B=black") >= 0.9


def test_told_teams_need_no_evidence_and_a_wrong_colour_is_said():
    world, truth = match(WHITE, BLACK, each=2)
    assert "too few" in teams_of(world.worn).why
    assert right(world, truth, "A=white,B=black") >= 0.8
    lines = teams_of(world.worn, read_told("A=red,B=black")).lines
    assert len(lines) == 1
    assert lines[0].startswith("--teams: hardly a shirt has the colour of A")


def test_what_the_user_says_of_a_person_holds():
    world, _ = match(WHITE, BLACK)
    teams = teams_of(world.worn, (), {1: "B", 3: OTHER})
    assert (teams.team[1], teams.team[3], teams.certainty[1]) == ("B", OTHER, 1.0)
    assert teams_of(world.worn, read_told("A=1,B=99,B=black")).lines == (
        "--teams B=99: there is no person 99, or their shirt is not seen",
    )


def test_two_cameras_with_other_colours_agree():
    world, truth = match(WHITE, BLACK, views=2)
    second = world.view == 1
    world.look[second, 4:7] = world.look[second, 4:7] * 0.7 + (2, 3, 8)
    world.look[second, 8:11] = world.look[second, 8:11] * 0.7 + (2, 3, 8)
    assert right(world, truth) >= 0.9


def test_sides_are_those_who_are_sure():
    world, truth = match(WHITE, BLACK)
    found = sides(world.worn, 0.95, 50)
    assert len(found) >= 9
    assert all((truth[p] == "A") == (found[p] == found[1]) for p in found)
    assert sides(world.worn, 0.95, 1e6) == {}
    assert sides(street(14).worn, 0.95, 50) == {}


def test_vectors_of_a_network_tell_no_teams():
    world, _ = match(WHITE, BLACK)
    world.look = np.ones((len(world.person), 512))
    assert teams_of(world.worn).why == "nobody's shirt is seen"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=red", "two teams are wanted, not 1"),
        ("A=red,B=white,C=blue", "two teams are wanted, not 3"),
        ("A=red,B=whit", "whit is no colour of white, "),
        ("A=red,B=#12", "#12 is no colour"),
        ("A=red,A=blue,B=white", "A has two colours"),
        ("A=red,B=red", "one colour, or one person, is told twice"),
        ("A=4,B=4", "one colour, or one person, is told twice"),
        ("red,white", "'red': write it like A=red,B=white"),
        ("A=0,B=3", "0 is no person's number"),
        ("A=1,B=3,other=red", "other is told by people's numbers"),
    ],
)
def test_what_is_no_teams_is_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_told(text)


def test_a_referee_in_a_shirt_of_a_team_over_plain_shorts_is_neither():
    """As in a hall: players' shorts have hems and end above the knee, a referee's are plain and longer."""
    rng = np.random.default_rng(0)
    shirts = np.array([(44, 6, -5), (21, 5, -1)] * 5 + [(45, 6, -5), (15, 6, 0)]) + rng.normal(0, (2, 0.7, 2), (12, 3))
    legs = np.array([(28, 5, 1), (21, 4, 1)] * 5 + [(18, 3, 1), (5, 2, 1)]) + rng.normal(0, (3, 0.7, 1), (12, 3))
    world = World(shirts, legs)
    world.look[:, 11] = np.where(world.person > 10, 1.5, 16.0) + rng.normal(0, 0.5, len(world.person))
    teams = teams_of(world.worn)
    assert [teams.team[person] for person in range(1, 13)] == ["A", "B"] * 5 + [OTHER] * 2
