"""Cuts are told as they come; pans, shake, flashes and passers-by are none."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.observe import online_cuts
from pipeline.observe.online_cuts import OnlineCuts
from tests.observe.test_transitions import FPS, HALF, filmed


@pytest.fixture(autouse=True)
def _pictures_are_small(monkeypatch):
    monkeypatch.setattr(online_cuts, "thumb", lambda image: image)


def told(pictures: np.ndarray, fps: float = FPS) -> list[int]:
    cuts = OnlineCuts()
    return [i for i, picture in enumerate(pictures.clip(0, 255).astype(np.uint8)) if cuts.show(picture, i / fps)]


@pytest.mark.parametrize("pan", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(6))
def test_a_cut_is_told_in_its_frame(pan: float, seed: int):
    assert told(np.concatenate([filmed(seed, pan=pan), filmed(seed + 50, pan=pan)])) == [HALF]


@pytest.mark.parametrize("camera", [{"pan": 0.5}, {"pan": 2.0}, {"shake": 1.0}, {"zoom": 1.6}])
def test_a_camera_that_moves_cuts_nothing(camera: dict[str, float]):
    assert [n for seed in range(6) for n in told(filmed(seed, 80, **camera))] == []


def test_a_flash_is_no_cut_unless_another_scene_follows_it():
    one, other = filmed(1, 2 * HALF), filmed(2, HALF)
    one[HALF : HALF + 3] = 250
    assert told(one) == []
    other = told(np.concatenate([one[: HALF + 3], other]))
    assert len(other) == 1
    assert HALF < other[0] <= HALF + 0.5 * FPS


def test_pictures_of_another_size_begin_anew():
    cuts = OnlineCuts()
    assert not cuts.show(filmed(1)[0], 0.0)
    cuts.forget()
    assert not cuts.show(filmed(2)[0][:, :20], 0.04)
