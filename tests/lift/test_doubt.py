"""Deviations of places before the camera: about the hips, and of distance, height and lens, in quadrature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.settings import Calibration, Ground, MetresConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import MEASURED, Motion
from pipeline.lift.doubt import (
    DISTANCE,
    HEIGHTS,
    LIVE_DISTANCE,
    Away,
    focal_doubt,
    left_by_floor,
    with_place,
)
from pipeline.lift.joints import JOINTS, J
from pipeline.lift.lifter import CALIBRATED, PoselineLifter
from pipeline.lift.online import Now
from pipeline.lift.placed import Video, in_world
from pipeline.live.crowd import Result, Seen
from pipeline.live.space import Space, build_space
from pipeline.motion.online import Point
from tests.lift.test_our_lifter import SIZE, motion_of, space

CAMERA = Calibration(
    size_px=SIZE,
    matrix=((800.0, 0.0, 640.0), (0.0, 800.0, 360.0), (0.0, 0.0, 1.0)),
    rotation=(np.pi / 2, 0.0, 0.0),
    translation_m=(0.0, 1.5, 4.0),
)


def test_errors_are_as_large_as_is_said() -> None:
    rng = np.random.default_rng(0)
    place, about_hips, away = np.array([2.0, -1.0, 9.0]), 0.05, Away(0.04, 0.1)
    n = 20_000
    wrong = place * (1 + away.distance * rng.standard_normal((n, 1)))
    wrong[:, 2] += place[2] * away.focal * rng.standard_normal(n)  # across, focal length and distance cancel
    wrong += about_hips * rng.standard_normal((n, 3))
    said = with_place(np.array([about_hips, np.nan]), np.stack([place, place]), away)
    assert said[0] == pytest.approx(np.sqrt(np.square(wrong - place).mean()), rel=0.02)
    assert np.isnan(said[1])


def test_the_focal_length_is_doubted_where_nobody_says_it() -> None:
    assert focal_doubt(Config()) > 0.2
    assert focal_doubt(Config.model_validate({"lift": {"fov_deg": 60.0}})) == 0
    assert focal_doubt(Config(metres=MetresConfig(ground=Ground(camera=CAMERA)))) == 0
    lifter = PoselineLifter.__new__(PoselineLifter)
    lifter.focal_std = 0.25
    assert lifter.across(None, 0.0).focal_std == 0.25
    assert lifter.across(33.0, 0.06).focal_std == 0.06


def test_a_floor_far_below_the_camera_leaves_little_doubt() -> None:
    assert left_by_floor(HEIGHTS, 0.0) == HEIGHTS
    assert left_by_floor(HEIGHTS, 0.1) == pytest.approx(HEIGHTS, rel=0.01)
    assert left_by_floor(HEIGHTS, 12.0) == pytest.approx(0.06 / 12, rel=0.01)


def _lifted() -> Motion:
    walk = space(60)
    motion = motion_of(walk)
    k = motion.provenance.shape[1]
    std = np.full((60, k + 1), 0.04, np.float32)
    std[0, 0] = np.nan
    joints = walk[:, [*range(k), JOINTS.index("neck")]].astype(np.float32)
    return replace(motion, keypoints_m=joints, keypoint_std_m=std, names_m=(*JOINTS[:k], "neck"))


def _std(metres: MetresConfig, folder: Path, focal_std: float, people: int = 1) -> np.ndarray:
    """(60, 18) shares of the distance that deviations are, without those about the hips, of the first person."""
    motions = [replace(_lifted(), person_id=i) for i in range(1, people + 1)]
    placed = next(iter(list(in_world(iter(motions), metres, {}, folder, Video(COCO17.names, focal_std=focal_std)))))
    assert placed.keypoint_std_m is not None
    assert placed.keypoints_m is not None
    assert np.isnan(placed.keypoint_std_m[0, 0])
    more = np.square(placed.keypoint_std_m.astype(float)) - 0.04**2
    return np.sqrt(np.maximum(more, 0) * 3) / np.linalg.norm(placed.keypoints_m, axis=-1)


def test_columns_before_the_camera_contain_the_doubt_of_the_distance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.lift.placed.fitted", lambda _: None)  # nobody says where the floor is
    said = MetresConfig(height_m=1.7)
    np.testing.assert_allclose(np.nanmedian(_std(said, tmp_path, 0.0)), DISTANCE, rtol=0.01)
    np.testing.assert_allclose(np.nanmedian(_std(MetresConfig(), tmp_path, 0.0)), np.hypot(DISTANCE, HEIGHTS), rtol=0.1)
    assert np.nanmedian(_std(said, tmp_path, 0.25)) > 0.2


def test_a_floor_makes_the_doubt_smaller_but_for_the_mean_height(tmp_path: Path) -> None:
    calibrated = _std(MetresConfig(ground=Ground(camera=CAMERA), height_m=1.7), tmp_path, 0.0)
    assert np.nanmedian(calibrated) < DISTANCE
    alone, many = (np.nanmedian(_std(MetresConfig(), tmp_path, 0.0, n)) for n in (1, 9))
    assert alone > HEIGHTS
    assert many < 0.9 * alone


def _live(config: Config, monkeypatch: pytest.MonkeyPatch) -> tuple[Space, dict]:
    """A space, and what it says of persons 1 and 2, whom the network sees 5 m away, each joint off by 3 cm."""
    made = build_space(config, COCO17)
    assert made is not None
    joints = np.zeros((2, J, 3), np.float32)
    now = Now(joints, np.full((2, J, 2), 0.03, np.float32), np.tile(np.float32([0, 0, 5]), (2, 1)))
    monkeypatch.setattr(made._live, "update", lambda *_: now)
    point = Point(np.zeros((17, 2), np.float32), np.ones(17, np.float32), np.full(17, MEASURED, np.uint8))
    people = [Seen(i, 0.9, np.zeros(4, np.float32), point, np.full(17, 0.9, np.float32)) for i in (1, 2)]
    return made, made.lift(Result(0.0, None, people), SIZE)


def test_live_deviations_are_calibrated_and_contain_the_doubt_of_the_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.model_validate({"lift": {"fov_deg": 60.0}, "metres": {"heights_m": {"1": 1.9}}})
    made, people = _live(config, monkeypatch)
    assert made._live.heights_m == {1: 1.9}
    for person, share in ((1, LIVE_DISTANCE), (2, np.hypot(LIVE_DISTANCE, HEIGHTS))):
        wanted = np.hypot(CALIBRATED * 0.03, share * 5 / np.sqrt(3))
        np.testing.assert_allclose(people[person].std_m, wanted, rtol=1e-5)
    _, unknown = _live(Config(), monkeypatch)
    assert (unknown[2].std_m > people[2].std_m + 0.3).all()  # a quarter of 5 m, over three axes
