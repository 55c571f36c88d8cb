"""Why people have no place on a floor, where no ground is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.settings import Ground
from pipeline.core.shots import Shots
from pipeline.core.skeleton import COCO17
from pipeline.people import _no_floor
from pipeline.scene import Scene, video_of
from pipeline.store.folder import RunFolder


def run(cameras: list[int], travels: bool, ground: Ground | None = None) -> Scene:
    n = len(cameras)
    shots = Shots(np.arange(n), n, np.array(cameras), ("cut",) * n, np.zeros(n, int))
    config = Config()
    config = config.model_copy(update={"metres": config.metres.model_copy(update={"ground": ground})})
    return Scene(RunFolder(Path("run")), [], None, COCO17, config, None, shots, travels)


@pytest.mark.parametrize(
    ("cameras", "travels", "why"),
    [
        ([0], True, "the camera moves and no ground is given"),
        ([0, 1], True, "the camera moves and no ground is given"),
        ([0, 1, 0], False, "the shots are of 2 cameras, each of which stands still, and no ground is given"),
    ],
)
def test_the_reason_is_told(cameras, travels, why):
    one = run(cameras, travels)
    assert one.placeless
    assert _no_floor(one).startswith(why)
    assert video_of(one, None, None).placeless  # no world of several cameras


def test_shots_of_one_still_camera_have_one_floor():
    one = run([0, 0], travels=False)
    assert not one.placeless
    assert not video_of(one, None, None).placeless


def test_a_ground_does_not_make_one_world_of_several_cameras():
    ground = Ground(image_px=((0, 0), (9, 0), (0, 9), (9, 9)), plane_m=((0, 0), (9, 0), (0, 9), (9, 9)))
    one = run([0, 1], travels=False, ground=ground)
    assert not one.placeless  # each camera may have its points
    assert video_of(one, None, None).placeless
