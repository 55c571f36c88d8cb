"""Whom to look at: regions, heights and the few who matter, chosen before posing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.config import Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.models.detections import Detections
from pipeline.models.registry import run_facts
from pipeline.observe.cadence import PeopleSearch
from pipeline.observe.choice import Choice, check_region, inside, polygon
from tests import stand_ins
from tests.stand_ins import SIZE_PX, frames


def choosing(**detect) -> Config:
    return Config.model_validate({"detect": detect})


def people(*boxes) -> Detections:
    return Detections.from_boxes(np.zeros(len(boxes)), np.array(boxes, float), np.ones(len(boxes)))


def chosen(config: Config, *boxes) -> list[bool]:
    return Choice(config).chosen(people(*boxes), 1, SIZE_PX).tolist()


LEFT, RIGHT, SMALL = (0, 100, 100, 400), (500, 100, 600, 420), (250, 200, 270, 240)


@pytest.mark.parametrize(
    ("detect", "expected"),
    [
        ({}, [True, True, True]),
        ({"roi": [0, 0, 300, 480]}, [True, False, True]),
        ({"roi": [200, 0, 640, 0, 640, 480]}, [False, True, False]),  # a triangle
        ({"min_height_px": 41}, [True, True, False]),
        ({"min_height_px": 40}, [True, True, True]),
        ({"max_people": 1}, [False, True, False]),
        ({"max_people": 2}, [True, True, False]),
        ({"max_people": 1, "prefer": "middle"}, [False, False, True]),
        ({"max_people": 1, "roi": [0, 0, 300, 480]}, [True, False, False]),
        ({"max_people": 1, "roi": [0, 0, 120, 480], "prefer": "middle"}, [True, False, False]),
    ],
)
def test_who_is_looked_at(detect, expected):
    assert chosen(choosing(**detect), LEFT, RIGHT, SMALL) == expected


def test_who_was_chosen_stays_when_another_is_a_little_larger():
    choice = Choice(choosing(max_people=1))
    sizes = (300, 310, 290, 390, 500)
    first = [choice.chosen(people((0, 0, 100, 320), (300, 0, 400, size)), 1, SIZE_PX).tolist() for size in sizes]
    assert first == [[True, False]] * 3 + [[True, False], [False, True]]


def test_a_polygon_may_be_concave():
    corners = polygon((0, 0, 10, 0, 10, 10, 5, 2, 0, 10))
    points = np.array([(1, 5), (9, 5), (5, 5), (5, 1), (11, 5), (-1, 5)], float)
    assert inside(corners, points).tolist() == [True, True, False, True, False, False]


@pytest.mark.parametrize("roi", [[1, 2], [1, 2, 3, 4, 5], [5, 0, 1, 9], [0, 5, 9, 5]])
def test_what_is_no_region(roi):
    with pytest.raises(ValidationError):
        choosing(roi=roi)


def test_a_region_outside_the_picture():
    check_region(choosing(roi=[600, 0, 900, 100]), Path("a.mp4"), SIZE_PX)
    for roi in ([640, 0, 900, 100], [-9, -9, 0, 100]):
        with pytest.raises(PoselineError, match=r"--roi .*: lies outside a\.mp4, whose picture has 640 × 480 px"):
            check_region(choosing(roi=roi), Path("a.mp4"), SIZE_PX)


def test_others_are_not_posed_and_are_hidden_all_the_same():
    models = stand_ins.models()
    alone, everybody = PeopleSearch(models, choosing(max_people=1)), PeopleSearch(models, choosing())
    (part,) = frames(range(3))
    found = alone.look(part.image, part.index, part.time_s)
    both = everybody.look(part.image, part.index, part.time_s)
    assert (len(found.frame), len(both.frame)) == (3, 6)
    for frame in range(3):
        assert len(alone.faint.of(frame)) == len(everybody.faint.of(frame)) + 1


def test_it_is_said_and_digests_of_other_runs_stay():
    (line,) = run_facts(choosing(max_people=2)).warnings
    assert line == "at most 2 people in a frame are looked at, the largest (--max-people)"
    assert run_facts(choosing()).warnings == ()
    plain, told = load_config("default"), choosing(min_height_px=40)
    assert plain.digest("detect") == "82330ba234b9b80e"
    assert told.digest("detect") != plain.digest("detect")
