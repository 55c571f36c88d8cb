"""Over a cut nobody's tracklet goes on, and only clothes that tell link people of two cameras."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.settings import TrackConfig
from pipeline.core.shots import Shots
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Observations
from pipeline.tracking.identify import assign

SIZE, FPS, HALF = (640, 480), 25, 30
TWO = Shots(np.array([0, HALF]), 2 * HALF, np.array([0, 1]), ("start", "cut"), np.zeros(2, np.int64))
RED, BLUE, GREEN, GREY = ([50.0, a, b, 5.0] * 4 for a, b in ((60.0, 30.0), (10.0, -60.0), (-50.0, 40.0), (0.0, 0.0)))


def standing(first: int, x_px: float, clothes: list[float]) -> Observations:
    """Somebody who stands at x for `HALF` frames."""
    rng = np.random.default_rng(int(x_px) + first)
    points = np.stack([np.linspace(-20, 20, 17) + x_px, np.linspace(120, 300, 17)], -1)
    return Observations(
        frame=np.arange(first, first + HALF),
        box_px=np.tile(np.float32([x_px - 35, 100, x_px + 35, 320]), (HALF, 1)),
        score=np.full(HALF, 0.9, np.float32),
        keypoints_px=(points + rng.normal(0, 1, (HALF, 17, 2))).astype(np.float32),
        keypoint_score=np.full((HALF, 17), 0.9, np.float32),
        skeleton="coco17",
        appearance=(np.array(clothes) + rng.normal(0, 1.5, (HALF, 16))).astype(np.float16),
    )


def people(one: list[tuple[float, list[float]]], other: list[tuple[float, list[float]]], shots: Shots | None):
    """Ids of those in the first and in the second half, each given by x and clothes."""
    clips = [standing(0, *who) for who in one] + [standing(HALF, *who) for who in other]
    order = np.argsort(np.concatenate([clip.frame for clip in clips]), kind="stable")
    names = ("frame", "box_px", "score", "keypoints_px", "keypoint_score", "appearance")
    columns = {name: np.concatenate([getattr(clip, name) for clip in clips])[order] for name in names}
    seen = Observations(skeleton="coco17", **columns)
    ids = assign([seen], np.arange(2 * HALF) / FPS, SIZE, COCO17, TrackConfig(), shots=shots)
    return ids[: HALF * len(one)].reshape(HALF, -1)[-1].tolist(), ids[HALF * len(one) :].reshape(HALF, -1)[-1].tolist()


def test_without_the_cut_the_id_goes_on_as_somebody_elses() -> None:
    before, after = people([(200, RED)], [(205, BLUE)], None)
    assert before == [1]
    assert len(after) == 1


@pytest.mark.parametrize("other", [BLUE, GREEN, GREY])
def test_other_clothes_at_the_same_place_are_somebody_else(other: list[float]) -> None:
    before, after = people([(200, RED)], [(200, other)], TWO)
    assert set(before).isdisjoint(after)


def test_clothes_that_tell_link_people_wherever_they_stand() -> None:
    before, after = people([(100, RED), (300, BLUE), (500, GREEN)], [(200, GREEN), (400, RED)], TWO)
    assert before == [1, 2, 3]
    assert after == [3, 1]


def test_clothes_that_several_wear_tell_nothing() -> None:
    before, after = people([(100, GREY), (300, GREY)], [(100, GREY), (300, GREY)], TWO)
    assert set(before).isdisjoint(after)


def test_between_shots_of_one_camera_place_tells() -> None:
    one = dataclasses.replace(TWO, camera=np.zeros(2, np.int64))
    before, after = people([(100, GREY), (300, GREY)], [(100, GREY), (300, GREY)], one)
    assert before == after == [1, 2]
