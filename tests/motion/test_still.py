"""Pictures of people are told from people who stand still."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from pipeline.core.config import Config
from pipeline.core.skeleton import COCO17
from pipeline.core.types import INTERPOLATED, Motion, Observations
from pipeline.motion.person import build_motion
from pipeline.motion.still import held, left_out, met, never_moves
from tests import synthetic

HEIGHT_PX = 200.0
SWAY = 0.003  # of the height: 5 mm, the deviation of a quiet stance


def _stands(rng: np.random.Generator, seconds: float = 6.0, fps: float = 30.0, sway: float = 0.0) -> np.ndarray:
    """(T, 17, 2) px of somebody who stands, and sways about the feet at up to about 0.5 Hz."""
    t = np.arange(0, seconds, 1 / fps)
    body = np.repeat(synthetic.walker(t[:1], height_px=HEIGHT_PX), len(t), axis=0)
    moves = gaussian_filter1d(rng.standard_normal((len(t) + 400, 2)), 0.4 * fps, axis=0)[200:-200]
    moves *= sway * HEIGHT_PX / moves.std()
    up = (body[0, :, 1].max() - body[0, :, 1]) / (0.53 * HEIGHT_PX)  # 1 at the hips
    return body + moves[:, None] * up[:, None]


def _motion(rng: np.random.Generator, px: np.ndarray, noise_px: float, fps: float = 30.0) -> Motion:
    t = np.arange(len(px)) / fps
    scene = synthetic.observe(rng, t, px[None], noise_px=noise_px)
    config = Config()
    return build_motion(1, scene.observations, t, COCO17, config.track, config.smooth)


def _is_still(motion: Motion, camera: np.ndarray | None = None) -> bool:
    return never_moves(motion, COCO17.names, camera)


@pytest.mark.parametrize("fps", [10.0, 30.0, 120.0])
@pytest.mark.parametrize("seconds", [4.0, 20.0])
def test_a_picture_never_moves_and_a_person_who_stands_still_does(fps: float, seconds: float) -> None:
    rng = np.random.default_rng(0)
    picture = _motion(rng, _stands(rng, seconds, fps), 0.05, fps)
    assert _is_still(picture)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert not _is_still(_motion(rng, _stands(rng, seconds, fps, SWAY), 0.3, fps))  # of a good network


def test_somebody_who_passes_before_a_picture_does_no_harm() -> None:
    rng = np.random.default_rng(1)
    px = _stands(rng)
    hidden = slice(70, 100)
    px[hidden] += rng.normal(0, 0.05 * HEIGHT_PX, px[hidden].shape)
    px[100:, 11:13] += 0.01 * HEIGHT_PX  # the picture is encoded anew
    assert _is_still(_motion(rng, px, 0.05))


def test_whoever_stands_like_a_picture_and_then_goes_has_moved() -> None:
    rng = np.random.default_rng(2)
    px = _stands(rng, 10.0)
    px[-40:, :, 0] += np.linspace(0, 0.8 * HEIGHT_PX, 40)[:, None]
    assert not _is_still(_motion(rng, px, 0.05))
    assert _is_still(_motion(rng, px[:-40], 0.05))


def test_what_cannot_be_told() -> None:
    rng = np.random.default_rng(3)
    picture = _motion(rng, _stands(rng), 0.05)
    moving = np.ones(len(picture), bool)
    moving[::10] = False
    assert _is_still(picture, np.ones(len(picture), bool))
    assert not _is_still(picture, moving)  # by a camera that moves
    assert not _is_still(_motion(rng, _stands(rng, 2.0), 0.05))  # in less than 3 s
    assert not never_moves(picture, tuple(f"face_{i}" for i in range(17)), None)
    unseen = dataclasses.replace(picture, raw_px=np.full_like(picture.raw_px, np.nan))
    assert not _is_still(unseen)


def test_who_was_left_out_is_said() -> None:
    ids = np.array([-1, 0, 1, 2, 2, 3, 7])
    assert left_out(ids, [1, 2, 3, 7]) == []
    assert left_out(ids, [1, 2, 3]) == ["--drop-still left out person 7, who never moved"]
    assert left_out(ids, [1, 3]) == ["--drop-still left out people 2, 7, who never moved"]


def test_a_picture_keeps_its_points_while_somebody_passes_before_it() -> None:
    rng = np.random.default_rng(1)
    px = _stands(rng)
    clean = px.copy()
    hidden = slice(70, 100)
    px[hidden, 11:] += rng.normal(0, 0.05 * HEIGHT_PX, px[hidden, 11:].shape)
    motion = _motion(rng, px, 0.05)
    done = held(motion, np.arange(70, 100))
    off = np.linalg.norm(done.keypoints_px - clean, axis=-1)
    assert np.nanmax(off) < 0.011 * HEIGHT_PX
    changed = (done.keypoints_px != motion.keypoints_px).any(-1)
    assert changed[70:100, 11:].mean() > 0.8
    assert not changed[:60].any()
    assert (done.provenance[changed] == INTERPOLATED).all()
    assert not done.velocity_px_s[changed].any()
    assert "somebody passes" in " ".join(why for _, why in done.doubts)


def test_a_point_of_a_picture_that_comes_back_at_once_was_never_away() -> None:
    rng = np.random.default_rng(1)
    px = _stands(rng)
    clean = px.copy()
    px[80:88, 15] += 0.1 * HEIGHT_PX  # the network takes one foot for the other
    px[100:, 9] += 0.1 * HEIGHT_PX  # this hand stays where it went
    motion = _motion(rng, px, 0.05)
    done = held(motion, np.array([], int))
    assert np.nanmax(np.linalg.norm(done.keypoints_px - clean, axis=-1)[:, 15]) < 0.011 * HEIGHT_PX
    np.testing.assert_array_equal(done.keypoints_px[:, 9], motion.keypoints_px[:, 9])
    steady = _motion(rng, clean, 0.05)
    assert held(steady, np.array([], int)) is steady


def test_frames_in_which_a_box_meets_another() -> None:
    def part(frames: list[int], boxes: list[list[float]]) -> Observations:
        n = len(frames)
        return Observations(
            np.array(frames), np.array(boxes, np.float32), np.ones(n, np.float32), np.zeros((n, 17, 2), np.float32),
            np.ones((n, 17), np.float32), "coco17",
        )  # fmt: skip

    mine, over, far = [0, 0, 10, 20], [8, 5, 15, 20], [11, 0, 20, 20]
    parts = [part([0, 0, 1, 1], [mine, far, over, mine]), part([2, 2, 3], [mine, over, over])]
    assert met(parts, np.array([1, 2, -1, 1, 1, 2, 2]), 1).tolist() == [1, 2]
    assert met(parts, np.array([1, 2, -1, 1, 1, 2, 2]), 5).tolist() == []
