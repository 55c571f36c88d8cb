"""Whether anything happens: empty frames are not searched, and nobody is lost."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.types import Observations
from pipeline.models.registry import Models
from pipeline.observe.activity import ABSORB_S, HOLD_S, NOBODY_S, START_S, Activity, counted
from pipeline.observe.camera import CameraMotion
from pipeline.observe.looks import EMPTY_LOOKOUT_S, LOOKOUT_S
from pipeline.observe.process import Chunk, process_chunk
from tests import stand_ins
from tests.stand_ins import FIGURE, SIZE_PX, frames

FPS = 25
RNG = np.random.default_rng(0)
SCENE = np.kron(RNG.uniform(40, 200, (24, 32)), np.ones((20, 20)))[..., None]


def scene(t: int, noise: float = 3.0, light: float = 0.0) -> np.ndarray:
    """A still picture with noise and compression's blocks, (480, 640, 3) u8."""
    rng = np.random.default_rng(t)
    blocks = np.kron(rng.normal(0, noise / 3, (60, 80)), np.ones((8, 8)))[..., None]
    return (SCENE + light + blocks + rng.normal(0, noise, (480, 640, 1))).clip(0, 255).repeat(3, 2).astype(np.uint8)


def active(pictures: list[np.ndarray]) -> np.ndarray:
    activity = Activity()
    return np.array([activity.active_at(picture, t / FPS) for t, picture in enumerate(pictures)])


@pytest.mark.parametrize("noise", [0.5, 3.0, 8.0])
def test_noise_and_light_are_nothing(noise):
    found = active([scene(t, noise, light=10 * np.sin(t / 10)) for t in range(110)])
    assert found[: int(START_S * FPS)].all()  # the first frame is always new
    assert not found[75:].any()  # much noise takes a while to be known
    assert noise > 5 or not found[int(START_S * FPS) + 1 :].any()


@pytest.mark.parametrize(("height", "contrast"), [(200, 25), (60, 25), (40, 60)])
def test_whoever_walks_in_is_seen_at_once(height, contrast):
    pictures = [scene(t) for t in range(75)]
    for t in range(40, 75):
        x, width = 10 + 6 * (t - 40), max(height // 3, 12)
        some = pictures[t][200 : 200 + height, x : x + width]
        some[:] = (some.astype(int) + contrast).clip(0, 255)
    found = active(pictures)
    assert not found[30:40].any()
    assert found[41:].all()


def test_who_stood_for_a_minute_leaves_nothing_behind():
    def picture(t: int) -> np.ndarray:
        out = scene(t)
        x = np.interp(t, [40, 60, 360, 380], [-120, 260, 260, 700])  # comes, stands, goes; at 5 frames/s
        if 40 <= t < 380:
            out[150:400, max(int(x), 0) : max(int(x) + 100, 0)] = 20
        return out

    activity = Activity()
    found = np.array([activity.active_at(picture(t), t / 5) for t in range(480)])
    assert found[42:60].all()
    assert not found[60 + 5 * 12 : 360].any()  # who stands is background by now
    assert found[362:379].all()
    assert not found[379 + 6 :].any()
    assert not found[30:40].any()


def test_what_was_put_down_is_soon_background_where_nobody_is_found():
    def last(nobody: bool) -> float:
        activity, found = Activity(), []
        for t in range(200):  # at 10 frames/s
            picture = scene(t)
            if t >= 50:
                picture[200:300, 300:380] = 20
            found.append(activity.active_at(picture, t / 10, nobody=nobody))
        return float(np.flatnonzero(found)[-1] / 10)

    assert last(nobody=True) == pytest.approx(5 + NOBODY_S + HOLD_S, abs=0.3)
    assert last(nobody=False) == pytest.approx(5 + ABSORB_S + HOLD_S, abs=0.3)


def test_a_moving_camera_makes_everything_active():
    pictures = [np.roll(scene(0), 2 * t, axis=1) for t in range(60)]
    assert active(pictures).all()


def test_off_means_always():
    activity = Activity(on=False)
    assert all(activity.active_at(scene(0), t / FPS) for t in range(60))


def seen(mode: str, truth, count: int = 100) -> tuple[list[int], Observations, CameraMotion, Activity]:
    models: Models = stand_ins.models(truth)
    config = Config.model_validate({"observe": {"activity": mode, "detect_apart_s": 0}})
    parts = frames(range(count), np.arange(count) / FPS)
    for part in parts:
        part.image[:, 40:, 40:] = 90
        for image, t in zip(part.image, part.index, strict=True):
            for person in truth(int(t)):
                low, high = person.min(0).astype(int).clip(41), person.max(0).astype(int)
                image[low[1] : high[1], low[0] : high[0]] = 200
    camera, activity = CameraMotion(), Activity(mode == "auto")
    found = process_chunk(parts, Chunk(0, 0, count), models, config, camera, activity=activity)
    return models.detector.asked, found, camera, activity


def test_where_nobody_is_people_are_looked_for_every_three_seconds():
    asked, found, camera, activity = seen("auto", lambda t: np.zeros((0, 17, 2)), 250)
    begun = int(START_S * FPS)
    assert asked[: begun + 1] == list(range(begun + 1))
    assert np.diff(asked[begun:]).tolist() == [round(EMPTY_LOOKOUT_S * FPS)] * 3
    assert len(found.frame) == 0
    assert len(camera.frames) == begun + 1
    told = json.loads(activity.stored())
    assert told == {"frames": 250, "active": begun + 1, "searched": len(asked)}
    assert counted([activity.stored(), "", activity.stored()])["frames"] == 500
    assert seen("off", lambda t: np.zeros((0, 17, 2)))[0] == list(range(100))


def test_who_walks_in_and_stands_is_measured_in_every_frame():
    def truth(t: int) -> np.ndarray:
        return FIGURE[None] + np.array([min(60 + 4 * (t - 30), 300), 300]) if t >= 30 else np.zeros((0, 17, 2))

    asked, found, _, _ = seen("auto", truth, 250)
    _, all_found, _, _ = seen("off", truth, 250)
    np.testing.assert_array_equal(found.frame, all_found.frame)
    assert set(range(31, 90)) <= set(asked)
    assert [t for t in asked if t < 30] == [0, 1, 2]
    assert max(np.diff([t for t in asked if t >= 30])) <= round(LOOKOUT_S * FPS)


def test_frames_come_in_any_batches():
    def looked(batch: int) -> list[int]:
        models = stand_ins.models(lambda t: np.zeros((0, 17, 2)))
        parts = frames(range(60), np.arange(60) / FPS, batch=batch)
        for part in parts:
            part.image[:, 40:, 40:] = 90
        process_chunk(parts, Chunk(0, 0, 60), models, Config())
        return models.detector.asked

    assert looked(1) == looked(4) == looked(7)
    assert SIZE_PX == (640, 480)
