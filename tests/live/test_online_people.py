"""Online people: numbers, what is told and when, memory that does not grow."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import load_config
from pipeline.live.people import Crowd
from pipeline.live.run import causal
from pipeline.models.registry import Models
from pipeline.skeleton import COCO17
from pipeline.types import Observations
from tests.synthetic import STILL, boxes, walker

MODELS = Models(None, None, COCO17)  # type: ignore[arg-type]


def seen(points: np.ndarray, frame: int) -> Observations:
    """Observations of people with keypoints (n, 17, 2)."""
    n = len(points)
    return Observations(
        frame=np.full(n, frame, np.int64),
        box_px=boxes(points).astype(np.float32).reshape(-1, 4),
        score=np.full(n, 0.9, np.float32),
        keypoints_px=points.astype(np.float32),
        keypoint_score=np.full((n, 17), 0.8, np.float32),
    )


@pytest.fixture
def crowd():
    return Crowd(causal(load_config("default")), MODELS, (1920, 1080))


def walk(crowd, frames, start=0, people=1, lane=0):
    """Walks through the picture; the results told on the way."""
    t = np.arange(frames) / 25
    paths = [walker(t, start_px=(200, 500 + 300 * ((i + lane) % 2)), velocity_px_s=(150, 0)) for i in range(people)]
    told = []
    for i in range(frames):
        points = np.stack([p[i] for p in paths]) if people else np.zeros((0, 17, 2))
        crowd.add(start + i, (start + i) / 25, start + i, seen(points, i), STILL)
        told += crowd.tell()
    return told


def test_a_person_is_told_of_from_the_moment_it_is_one_and_keeps_its_number(crowd):
    told = walk(crowd, 60, people=2) + crowd.tell(all_=True)
    assert [r.tag for r in told] == list(range(60))
    ids = [[p.person_id for p in r.people] for r in told]
    assert ids[-1] == [1, 2]
    assert ids[0] == []  # not yet sure
    first = next(i for i, some in enumerate(ids) if some)
    assert first <= 0.3 * 25 + 1
    assert all(some == [1, 2] for some in ids[first:])


def test_results_lag_as_the_settings_say(crowd):
    told = walk(crowd, 20)
    assert len(told) == 20 - round(0.1 / 0.04)


def test_who_left_is_forgotten_and_numbers_go_on(crowd):
    for round_ in range(12):
        walk(crowd, 25, start=100 * round_, people=1)
        walk(crowd, 40, start=100 * round_ + 25, people=0)
        names = crowd.names()
        assert len(names) <= 2
    assert crowd.next_person == 13
    assert crowd.present == 0
    assert len(crowd._tracklets) == 0
    assert len(crowd._waiting) <= 3
    assert len(crowd.names()) == 0


def test_another_size_keeps_people(crowd):
    walk(crowd, 30)
    crowd.tell(all_=True)
    carry = crowd.resized((960, 540))
    t = np.arange(40) / 25
    path = walker(t, start_px=(200, 500), velocity_px_s=(150, 0))[30:] / 2
    told = []
    for i, points in enumerate(path):
        crowd.add(30 + i, (30 + i) / 25, i, seen(points[None], i), carry if i == 0 else STILL)
        told += crowd.tell()
    assert {p.person_id for r in told for p in r.people} == {1}


def test_a_person_not_seen_for_a_moment_is_bridged_and_then_not_told_of(crowd):
    walk(crowd, 40)
    told = walk(crowd, 20, start=40, people=0) + crowd.tell(all_=True)
    bridged = [r for r in told if r.tag >= 40 and r.people]
    assert 1 <= len(bridged) <= 6
    assert all(np.isnan(r.people[0].score) for r in bridged)
