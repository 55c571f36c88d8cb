"""The field of view found from people of known cameras, and not where people cannot say it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.skeleton import COCO17
from pipeline.core.types import Observations
from pipeline.lift.field import (
    ANKLES,
    EVERY_S,
    SHOULDERS,
    SURE,
    Upright,
    across_deg,
    field_of,
    field_of_run,
    shoulders_at,
    upright,
    usual_focal_px,
)

SIZE = (1280, 720)


def people(fov_deg: float, pitch_deg: float, height: float, seed: int, apart: bool = True) -> Upright:
    """Ten people of heights 6 % apart who lean a little, at 40 places each, with 2 % of noise."""
    rng = np.random.default_rng(seed)
    focal = SIZE[0] / 2 / np.tan(np.radians(fov_deg) / 2)
    who = np.repeat(np.arange(1, 11), 40)
    pitch = np.radians(pitch_deg)
    middle = height / np.tan(max(pitch, 0.1))
    ahead = middle * np.exp(rng.uniform(-0.6, 0.6, 400) * apart)
    aside = ahead * np.tan(np.radians(fov_deg) / 2) * rng.uniform(-0.8, 0.8, 400) * apart
    tall = np.exp(rng.normal(0, 0.06, 11))[who]
    lean = rng.normal(0, 0.02, (11, 2))[who] + rng.normal(0, 0.02, (400, 2))
    c, s = np.cos(pitch), np.sin(pitch)
    seen = []
    for share in (ANKLES, SHOULDERS):
        place = np.stack([aside, height - share * tall, ahead], 1)
        place[:, [0, 2]] += lean * (share * tall)[:, None]
        place = place @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
        seen.append(place[:, :2] / place[:, 2:] * focal + np.array(SIZE) / 2)
    long = np.linalg.norm(seen[1] - seen[0], axis=1, keepdims=True)
    ankles, shoulders = (px + 0.02 * long * rng.normal(size=(400, 2)) for px in seen)
    return Upright(who, ankles, shoulders)


@pytest.mark.parametrize(("fov_deg", "pitch_deg", "height"), [(36, 16, 4.3), (60, 25, 2.5), (80, 35, 3.0)])
def test_the_field_of_view_is_found_where_people_walk_about(fov_deg: float, pitch_deg: float, height: float) -> None:
    found = field_of(people(fov_deg, pitch_deg, height, 1), SIZE, usual_focal_px(SIZE))
    assert found is not None
    focal = SIZE[0] / 2 / np.tan(np.radians(fov_deg) / 2)
    assert found.std_log < SURE
    assert abs(np.log(found.focal_px / focal)) < min(0.12, 3 * found.std_log)
    assert np.degrees(found.pitch_rad) == pytest.approx(pitch_deg, abs=4)
    assert found.height == pytest.approx(height, rel=0.1)


def test_it_is_not_believed_where_people_do_not_say_it() -> None:
    level = field_of(people(36, 0, 0.9, 2), SIZE, usual_focal_px(SIZE))
    one_place = field_of(people(36, 16, 4.3, 3, apart=False), SIZE, usual_focal_px(SIZE))
    for found in (level, one_place):
        assert found is not None
        assert found.std_log > SURE
    few = people(36, 16, 4.3, 1)
    assert field_of(Upright(*(a[:10] for a in few)), SIZE, usual_focal_px(SIZE)) is None


def test_shoulders_are_over_ankles() -> None:
    level = np.array([np.log(1000.0), 0.0, 0.0, np.log(1.0)])
    at = shoulders_at(level, np.array([[640.0, 360 + 1000 * (1 - ANKLES) / 5]]), SIZE)  # 5 heights away
    np.testing.assert_allclose(at, [[640, 360 + 1000 * (1 - SHOULDERS) / 5]])


def test_who_counts() -> None:
    names = COCO17.names
    px = np.zeros((6, 17, 2), np.float32)
    for part, y in (("shoulder", 100.0), ("hip", 150.0), ("knee", 190.0), ("ankle", 235.0)):
        for side, x in (("left", 10.0), ("right", 0.0)):
            px[:, names.index(f"{side}_{part}")] = x, y
    px[2, [names.index("left_ankle"), names.index("right_ankle")], 1] = 170  # sits
    score = np.full((6, 17), 0.9, np.float32)
    score[3, names.index("left_hip")] = 0.1
    found = upright(np.array([1, 1, 1, 2, 0, 2]), np.array([0.0, 0.1, 0.6, 0.0, 0.0, 0.7]), px, score, names, EVERY_S)
    np.testing.assert_array_equal(found.person, [1, 2])
    np.testing.assert_allclose(found.ankles[0], [5, 235])


def test_keypoint_sets_without_ankles_say_nothing() -> None:
    kept = [i for i, name in enumerate(COCO17.names) if "ankle" not in name]
    names = tuple(COCO17.names[i] for i in kept)
    obs = Observations(
        frame=np.arange(60),
        box_px=np.zeros((60, 4), np.float32),
        score=np.ones(60, np.float32),
        keypoints_px=np.zeros((60, len(kept), 2), np.float32),
        keypoint_score=np.ones((60, len(kept)), np.float32),
    )
    rows = upright(np.ones(60, int), np.arange(60.0), obs.keypoints_px, obs.keypoint_score, names, EVERY_S)
    assert [a.shape for a in rows] == [(0,), (0, 2), (0, 2)]
    assert field_of_run([obs], np.ones(60, int), np.arange(60.0), names, SIZE) is None


def test_the_parts_of_a_run_are_read_in_turn() -> None:
    rows = people(36, 16, 4.3, 1)
    px = np.zeros((400, 17, 2), np.float32)
    for part, place in (("shoulder", rows.shoulders), ("ankle", rows.ankles)):
        for side in ("left", "right"):
            px[:, COCO17.names.index(f"{side}_{part}")] = place
    for side in ("left", "right"):
        px[:, COCO17.names.index(f"{side}_hip")] = 0.63 * rows.shoulders + 0.37 * rows.ankles
    frame = np.repeat(np.arange(40), 10)
    order = np.argsort(np.tile(np.arange(40), 10), kind="stable")
    parts = []
    for half in (slice(0, 200), slice(200, 400)):
        parts.append(
            Observations(
                frame=frame[half],
                box_px=np.zeros((200, 4), np.float32),
                score=np.ones(200, np.float32),
                keypoints_px=px[order][half],
                keypoint_score=np.ones((200, 17), np.float32),
            )
        )
    time_s = np.arange(40) * 1.0
    found = field_of_run(parts, rows.person[order], time_s, COCO17.names, SIZE)
    assert found is not None
    assert across_deg(found.focal_px, SIZE) == pytest.approx(36, rel=0.12)
