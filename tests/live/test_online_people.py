"""Online people: numbers, what is told and when, memory that does not grow."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.config import load_config
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Observations
from pipeline.live.crowd import Crowd
from pipeline.live.eyes import Eyes
from pipeline.live.run import causal
from pipeline.models.detections import Detections, Poses
from pipeline.models.registry import Models
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


# --- eyes ------------------------------------------------------------------------------------------------------------

PLACES = np.random.default_rng(2).uniform(0.1, 0.9, (17, 2))


def picture(x: int, size_px: tuple[int, int] = (320, 120)) -> np.ndarray:
    """A bright figure of 20 × 60 px whose left side is at ``x``."""
    image = np.full((size_px[1], size_px[0], 3), 40, np.uint8)
    image[30:90, x : x + 20] = 220
    return image


class Looked:
    """Detector and pose network that find the bright figure, and remember what they were shown."""

    skeleton = COCO17
    sessions = ()

    def __init__(self):
        self.detected, self.posed = [], []

    def detect(self, images):
        self.detected += [image_x(image) for image in images]
        here = np.array([[x, 30, x + 20, 90] for x in map(image_x, images)], np.float32)
        return Detections.from_boxes(np.arange(len(images)), here, np.full(len(images), 0.9))

    def estimate(self, images, people):
        self.posed += people.box_px[:, 0].tolist()
        left = np.array([image_x(images[i]) for i in people.image], float).reshape(-1, 1, 1)
        points = np.array([20, 60]) * PLACES + np.array([0, 30]) + left * np.array([1, 0])
        return Poses(points.astype(np.float32), np.full(points.shape[:2], 0.8, np.float32))


def image_x(image: np.ndarray) -> int:
    return int(np.flatnonzero(image[60, :, 0] > 128)[0])


def eyes(every_s: float) -> tuple[Eyes, Looked]:
    network = Looked()
    config = load_config("default", [f"observe.detect_every_s={every_s}"])
    return Eyes(Models(network, network, COCO17), config), network


def look(seeing: Eyes, time_s: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Left sides of the boxes, of frames that come one by one."""
    left = []
    for i, (t, at) in enumerate(zip(time_s, x, strict=True)):
        found, motions, cuts = seeing.look(picture(at)[None], np.array([i]), np.array([t]))
        assert len(motions) == len(found) == len(cuts) == 1
        left.append(found.box_px[0, 0])
    return np.array(left)


def test_people_are_looked_for_now_and_then_and_their_poses_carry_them_between():
    seeing, network = eyes(0.2)
    x = 20 + 6 * np.arange(11)
    left = look(seeing, np.arange(11) * 0.04, x)
    assert network.detected == [20, 50, 80]
    np.testing.assert_allclose(left, x, atol=0.01)
    assert len(network.posed) == 11
    np.testing.assert_allclose(network.posed[1:5], x[:4], atol=0.01)  # the pose is looked for where they were last


def test_people_are_looked_for_in_every_frame_where_frames_are_far_apart_and_behind_a_gap():
    seeing, network = eyes(0.2)
    look(seeing, np.array([0, 0.3, 0.6, 0.64, 5.0, 5.04]), np.array([20, 40, 60, 62, 200, 202]))
    assert network.detected == [20, 40, 60, 200]


def test_people_are_looked_for_in_every_frame_where_that_is_wanted():
    seeing, network = eyes(0)
    x = np.array([20, 24, 28])
    np.testing.assert_array_equal(look(seeing, np.arange(3) * 0.04, x), x)
    assert network.detected == x.tolist()


def test_pictures_of_another_size_are_looked_at_anew():
    seeing, network = eyes(1.0)
    look(seeing, np.array([0, 0.04]), np.array([20, 22]))
    seeing.forget()
    found = seeing.look(picture(100, (640, 240))[None], np.array([2]), np.array([0.08])).found
    assert network.detected == [20, 100]
    assert found.box_px[0, 0] == 100


def test_nobody_goes_on_over_a_cut_and_people_are_looked_for_at_once():
    rng = np.random.default_rng(0)
    cells = 120 * rng.integers(0, 2, (2, 12, 32, 3))
    rooms = cells.repeat(20, 1).repeat(20, 2).astype(np.uint8)
    images = [np.maximum(picture(20 + 2 * i, (640, 240)), rooms[int(i >= 4)]) for i in range(8)]
    seeing, network = eyes(1.0)
    found = seeing.look(np.stack(images), np.arange(8), np.arange(8) * 0.1)
    assert found.cuts == [False] * 4 + [True] + [False] * 3
    assert network.detected == [20, 28]
    assert (found.motions[4] == STILL).all()
    assert found.found.frame.tolist() == list(range(8))


def test_who_comes_after_a_cut_has_another_number(crowd):
    walk(crowd, 20)
    crowd.leave()
    walk(crowd, 20, start=20)
    assert sorted(crowd.names().values()) == [1, 2]
