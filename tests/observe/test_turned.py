"""The second look at people who are turned in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.skeleton import COCO17
from pipeline.models.detections import Detections, Poses
from pipeline.observe.turned import looked_again, quarters_of, turned

K = len(COCO17)
SIZE = (90, 60)  # w, h
JUDGED = np.arange(K)


def _upright() -> np.ndarray:
    """(K, 2) px, whole numbers, of somebody about 30 px tall, about (0, 0)."""
    up = {"nose": 15, "eye": 16, "ear": 14, "shoulder": 10, "elbow": 4, "wrist": 1, "hip": 0, "knee": -7, "ankle": -14}
    out = np.zeros((K, 2))
    for k, name in enumerate(COCO17.names):
        side = 3 if name.startswith("left") else -3 if name.startswith("right") else 0
        out[k] = side, -up[name.split("_")[-1]]
    return out


def _marked(people: list[tuple[int, np.ndarray]], frames: int) -> tuple[np.ndarray, Detections, np.ndarray]:
    """Images whose pixels at keypoints hold the keypoints' numbers; the people in them, and their points' middles."""
    images = np.zeros((frames, SIZE[1], SIZE[0], 3), np.uint8)
    for image, px in people:
        x, y = px.astype(int).T
        images[image, y, x, 0] = np.arange(1, K + 1)
    middles = np.array([np.floor(px) + 0.5 for _, px in people])
    boxes = np.concatenate([middles.min(1) - 3, middles.max(1) + 3], 1)
    return images, Detections.from_boxes([i for i, _ in people], boxes, np.ones(len(people))), middles


def _network(images: np.ndarray, people: Detections) -> Poses:
    """Finds the marks in the boxes; it is sure of people whose shoulders are above their hips."""
    px, score = np.zeros((len(people), K, 2), np.float32), np.zeros((len(people), K), np.float32)
    for row, (image, box) in enumerate(zip(people.image, people.box_px, strict=True)):
        for k in range(K):
            y, x = np.nonzero(images[image, :, :, 0] == k + 1)
            here = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
            px[row, k] = x[here][0] + 0.5, y[here][0] + 0.5
        shoulders, hips = (
            px[row, [COCO17.index(f"{s}_{n}") for s in ("left", "right")], 1].mean() for n in ("shoulder", "hip")
        )
        score[row] = 0.9 if shoulders < hips - 5 else 0.4
        px[row] += 0 if shoulders < hips - 5 else 1.5  # and wrong where it is not
    return Poses(px, score)


def test_people_who_are_turned_are_seen_as_well_as_upright_ones() -> None:
    body, people = _upright(), []
    for image, (quarters, place) in enumerate([(0, (20, 30)), (1, (45, 30)), (2, (70, 30)), (3, (45, 30))]):
        c, s = round(np.cos(np.pi / 2 * quarters)), round(np.sin(np.pi / 2 * quarters))
        people.append((image // 2, body @ np.array([[c, s], [-s, c]]) + place))  # clockwise
    images, found, middles = _marked(people, 2)
    first = _network(images, found)
    np.testing.assert_array_equal(quarters_of(first, COCO17), [0, 1, 2, 3])
    poses = looked_again(images, found, first, _network, COCO17, JUDGED)
    np.testing.assert_allclose(poses.keypoints_px, middles, atol=1e-4)
    np.testing.assert_allclose(poses.score, 0.9)
    for row in range(4):  # whatever else is in the batch
        alone = looked_again(images, found.take([row]), first.take([row]), _network, COCO17, JUDGED)
        np.testing.assert_array_equal(alone.keypoints_px[0], poses.keypoints_px[row])


@pytest.mark.parametrize(
    ("turn", "score", "stays"), [(1, 0.98, True), (1, 0.94, False), (2, 0.88, True), (2, 0.86, False)]
)
def test_how_sure_the_network_must_be_of_the_turned_pose(turn: int, score: float, stays: bool) -> None:
    body = _upright() @ np.array([[0, 1], [-1, 0]]) if turn == 1 else -_upright()
    images, found, middles = _marked([(0, body + np.array([45, 30]))], 1)
    first = _network(images, found)._replace(score=np.full((1, K), score, np.float32))
    again = looked_again(images, found, first, _network, COCO17, JUDGED)
    np.testing.assert_allclose(again.keypoints_px, first.keypoints_px if stays else middles, atol=1e-4)


@pytest.mark.parametrize(
    ("score", "box_score", "side", "then", "found"),
    [
        (0.1, 0.9, 80, 0.5, True),
        (0.1, 0.9, 80, 0.18, False),
        (0.4, 0.9, 80, 0.9, False),
        (0.1, 0.4, 80, 0.9, False),
        (0.1, 0.9, 50, 0.9, False),
    ],
)
def test_an_unsure_pose_is_looked_at_head_down(score, box_score, side, then, found) -> None:
    """The first pose is an upright one that the network made up."""
    images = np.zeros((1, 100, 100, 3), np.uint8)
    images[0, 0, 0] = 1  # where the picture is as it came

    def network(images: np.ndarray, people: Detections) -> Poses:
        sure = score if images[0, 0, 0, 0] else then
        return Poses((_upright()[None] + 40).astype(np.float32), np.full((1, K), sure, np.float32))

    person = Detections.from_boxes([0], np.array([[10, 10, 40, 10 + side]]), np.array([box_score]))
    first = network(images, person)
    again = looked_again(images, person, first, network, COCO17, JUDGED)
    head_down = 100 - first.keypoints_px
    np.testing.assert_array_equal(again.keypoints_px, head_down if found else first.keypoints_px)


@pytest.mark.parametrize(
    ("lean", "score", "quarters"), [(50, 0.9, 0), (-70, 0.9, 3), (70, 0.9, 1), (170, 0.9, 2), (170, 0.1, 0)]
)
def test_whom_a_second_look_is_given(lean: float, score: float, quarters: int) -> None:
    c, s = np.cos(np.radians(lean)), np.sin(np.radians(lean))
    px = (_upright() @ np.array([[c, s], [-s, c]]))[None].astype(np.float32)
    assert quarters_of(Poses(px, np.full((1, K), score, np.float32)), COCO17).tolist() == [quarters]


def test_points_come_back_from_every_turn() -> None:
    px = np.random.default_rng(0).uniform(0, 60, (5, 2))
    for quarters in range(5):
        size = SIZE if quarters % 2 == 0 else SIZE[::-1]
        np.testing.assert_allclose(turned(turned(px, SIZE, quarters), size, 4 - quarters), px, atol=1e-9)
