"""Colours of teams, in the video and on the page."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.skeleton import COCO17
from pipeline.core.team_text import OTHER
from pipeline.render.draw.colours import person_colour
from pipeline.render.draw.figure import Person
from pipeline.render.draw.overlay import draw_people
from pipeline.render.draw.teams import colours_of_teams, team_colours
from pipeline.render.look import Look
from pipeline.report.teams import TeamsOfPage


def told(one: str, other: str) -> dict:
    kits = {"A": {"shirt": one, "people": 5}, "B": {"shirt": other, "people": 4}}
    return {"found": True, "kits": kits, "others": 2}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("#726773", "#3a2f33"),
        ("#c02030", "#2030a0"),
        ("#d0d0d0", "#a0c8e8"),
        ("#802020", "#901818"),
        ("#e8d020", "#107030"),
    ],
)
def test_teams_and_others_are_drawn_in_colours_that_are_told_apart_on_a_dark_picture(one: str, other: str) -> None:
    drawn = np.array([*team_colours(told(one, other)).values()], float)
    apart = np.linalg.norm(drawn[:, None] - drawn[None], axis=-1)[np.triu_indices(3, 1)]
    assert apart.min() > 80
    assert drawn.max(1).min() > 180


def test_white_stays_white_and_red_stays_red() -> None:
    colours = team_colours(told("#726773", "#3a2f33"))
    assert colours["A"] == (245, 245, 245)
    assert colours["B"][2] > 200
    red = team_colours(told("#c02030", "#e0e0e0"))["A"]
    assert red[0] > 200 > 100 > max(red[1:])


def test_boxes_and_labels_have_the_teams_colour_and_others_their_own() -> None:
    colours = colours_of_teams({1: "A", 3: OTHER}, told("#c02030", "#2030a0"))
    drawn = team_colours(told("#c02030", "#2030a0"))
    assert [colours.of(i) for i in (1, 2, 3)] == [drawn["A"], person_colour(2), drawn[OTHER]]
    assert colours_of_teams({1: "A"}, None).of(1) == person_colour(1)
    picture = np.zeros((200, 200, 3), np.uint8)
    person = Person(
        1, np.float32([50, 60, 120, 180]), np.full((17, 2), np.nan, np.float32), np.zeros(17, np.uint8), True
    )
    draw_people(picture, [person], COCO17, Look(), colours=colours)
    assert (picture == drawn["A"]).all(2).sum() > 300
    assert not (picture == person_colour(1)).all(2).any()


def test_the_page_has_the_heat_of_each_team() -> None:
    page = TeamsOfPage({"teams": told("#c02030", "#2030a0"), "camera": {"moves": False}})
    path = np.tile([1.0, 2.0, 100.0, 200.0], (11, 1))
    for team in ("A", "B", OTHER, None, "A"):
        page.add(team, path, np.arange(11) / 10)
    facts = page.facts()
    assert facts["placed"]
    assert [t["name"] for t in facts["teams"]] == ["A", "B"]
    assert [sum(t["heat"]["m"]["s"]) for t in facts["teams"]] == pytest.approx([2.2, 1.1], rel=0.15)
    moving = {"teams": told("#c02030", "#2030a0"), "camera": {"moves": True, "ground": False}}
    assert not TeamsOfPage(moving).facts()["placed"]
    assert TeamsOfPage({}).facts() == {"teams": [], "placed": True}
