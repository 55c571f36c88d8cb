"""Colours of body parts: measured where the part is, comparable in another light, NaN where nothing is seen."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.observe.appearance import PARTS, SIZE, VALUES, describe, distance2
from tests import synthetic

RED, BLUE, SKIN, BLACK = (200, 30, 40), (30, 60, 190), (210, 170, 140), (25, 25, 25)


def dressed(shirt: tuple, trousers: tuple, shoes: tuple = BLACK) -> tuple[np.ndarray, np.ndarray]:
    """A picture of somebody painted along their own bones, and their keypoints (17, 2)."""
    points = synthetic.walker(np.zeros(1), start_px=(300, 560), height_px=500)[0]
    image = np.full((600, 600, 3), (120, 160, 110), np.uint8)
    at = lambda k: tuple(int(v) for v in points[k])  # noqa: E731
    cv2.circle(image, at(0), 45, SKIN, -1)
    cv2.fillPoly(image, [points[[5, 6, 12, 11]].astype(np.int32)], shirt)
    cv2.line(
        image,
        tuple(points[5:7].mean(0).astype(int).tolist()),
        tuple(points[11:13].mean(0).astype(int).tolist()),
        shirt,
        70,
    )
    for hip, knee, ankle in ((11, 13, 15), (12, 14, 16)):
        cv2.line(image, at(hip), at(knee), trousers, 34)
        cv2.line(image, at(knee), at(ankle), shoes, 30)
    return image, points


def looks(image: np.ndarray, points: np.ndarray, score: float | np.ndarray = 0.9) -> np.ndarray:
    return describe(image[None], np.zeros(1, int), points[None], np.broadcast_to(score, (1, 17)), COCO17)


def test_parts_have_the_colours_that_they_wear():
    look = looks(*dressed(RED, BLUE)).astype(float).reshape(len(PARTS), VALUES)
    for part, colour in ((1, RED), (2, BLUE), (3, BLACK)):
        lab = cv2.cvtColor(np.float32([[colour]]) / 255, cv2.COLOR_RGB2LAB)[0, 0]
        np.testing.assert_allclose(look[part, :3], lab, atol=6)


def test_other_clothes_are_further_away_than_another_light():
    image, points = dressed(RED, BLUE)
    one = looks(image, points)
    dim = looks((image * 0.75).astype(np.uint8), points)
    other = looks(*dressed(BLUE, BLACK))
    same, common = distance2(one, dim)
    assert common[0] == len(PARTS)
    assert 3 * same[0] < distance2(one, other)[0][0]
    assert distance2(one, one)[0][0] == 0


def test_what_is_not_seen_is_not_compared():
    image, points = dressed(RED, BLUE)
    score = np.full(17, 0.9)
    score[[13, 14, 15, 16]] = 0.1
    look = looks(image, points, score).reshape(len(PARTS), VALUES)
    assert np.isnan(look[2:]).all()
    assert np.isfinite(look[:2]).all()
    assert distance2(looks(image, points, score), looks(image, points))[1] == 2
    nothing = looks(image, points + 5000)
    assert np.isnan(nothing).all()
    assert distance2(nothing, look.reshape(1, -1)) == (0, 0)


def test_nobody_and_bodiless_keypoint_sets_have_no_looks():
    image, points = dressed(RED, BLUE)
    nobody = np.zeros(0, int), np.zeros((0, 17, 2)), np.zeros((0, 17))
    assert describe(image[None], *nobody, COCO17).shape == (0, SIZE)
    hand = Skeleton("palm", ("wrist", "thumb"), ((0, 1),), (0.05, 0.05))
    assert np.isnan(describe(image[None], np.zeros(1, int), points[None, :2], np.ones((1, 2)), hand)).all()


def test_people_of_several_images_look_as_each_one_alone():
    images, points = zip(*(dressed(*clothes) for clothes in ((RED, BLUE), (BLUE, BLACK), (SKIN, RED))), strict=True)
    shifted = np.stack([points[0], points[1] + 3.7, points[2] - 2.2, points[1] + 400])
    score = np.random.default_rng(5).uniform(0.2, 1, (4, 17))
    where = np.array([0, 1, 2, 2])
    together = describe(np.stack(images), where, shifted, score, COCO17)
    alone = [
        describe(images[i][None], np.zeros(1, int), p[None], s[None], COCO17)
        for i, p, s in zip(where, shifted, score, strict=True)
    ]
    assert together.tobytes() == np.concatenate(alone).tobytes()
