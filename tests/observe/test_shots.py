"""Shots of stored pictures: whatever the parts, of the same camera again, and as the user tells them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.settings import TrackConfig
from pipeline.core.types import Observations
from pipeline.observe.shots import shots_of_run
from pipeline.observe.thumbs import Thumbs, stored_thumbs, thumb
from pipeline.store.parts import write_part

FPS = 25


def frames_of(seed: int, count: int) -> list[np.ndarray]:
    """Frames (90, 160, 3) u8 of one scene and noise."""
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(0, 256, (9, 16, 3)).astype(np.uint8), (160, 90), interpolation=cv2.INTER_LINEAR)
    return [(picture + rng.normal(0, 2, picture.shape)).clip(0, 255).astype(np.uint8) for _ in range(count)]


SEEN = [*frames_of(1, 30), *frames_of(2, 25), *frames_of(1, 30)]
TIME_S = np.arange(len(SEEN)) / FPS
NOBODY = np.zeros((0, 4))


def written(folder: Path, edges: list[int]) -> list[Path]:
    """Parts of the frames between edges."""
    parts = []
    for first, stop in pairwise(edges):
        thumbs = Thumbs()
        for frame in range(first, stop):
            thumbs.show(frame, SEEN[frame], NOBODY)
        parts.append(folder / f"part-{first:05d}.parquet")
        none = Observations.empty(17, "coco17")
        write_part(parts[-1], none, (first, stop), "", [], thumbs=thumbs.cut())
    return parts


@pytest.mark.parametrize("edges", [[0, 85], [0, 30, 85], [0, 29, 31, 55, 85], [0, *range(7, 85, 7), 85]])
def test_shots_do_not_depend_on_the_parts(tmp_path: Path, edges: list[int]):
    shots = shots_of_run(written(tmp_path, edges), TIME_S, (0, 85), TrackConfig())
    assert shots.first.tolist() == [0, 30, 55]
    assert shots.begins == ("start", "cut", "cut")


def test_the_same_background_is_the_same_camera(tmp_path: Path):
    shots = shots_of_run(written(tmp_path, [0, 40, 85]), TIME_S, (0, 85), TrackConfig())
    assert shots.camera.tolist() == [0, 1, 0]


def test_shots_may_be_told_or_left_out(tmp_path: Path):
    parts = written(tmp_path, [0, 85])
    told = shots_of_run(parts, TIME_S, (0, 85), TrackConfig(told_shots=((0.0, 2), (0.4, 0), (1.2, 1), (2.2, 2))))
    assert told.first.tolist() == [0, 10, 30, 55]
    assert told.camera.tolist() == [0, 1, 2, 0]
    assert len(shots_of_run(parts, TIME_S, (0, 85), TrackConfig(shots="off"))) == 1
    with pytest.raises(PoselineError, match=r"--shots: a shot at 99 s, but the video lasts from 0 to 3\.36 s"):
        shots_of_run(parts, TIME_S, (0, 85), TrackConfig(told_shots=((99.0, 0),)))


def test_pictures_come_back_as_they_were():
    thumbs = Thumbs()
    for frame in (3, 4, 7):
        thumbs.show(frame, SEEN[frame], NOBODY)
    frames, pictures = stored_thumbs(thumbs.cut())
    assert frames.tolist() == [3, 4, 7]
    assert pictures.shape == (3, 18, 32, 3)
    np.testing.assert_array_equal(pictures[2], thumb(SEEN[7]))
    assert thumbs.cut() == ""


def test_nobody_can_be_recognised():
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (36, 64, 3)).astype(np.uint8), (640, 360), interpolation=cv2.INTER_NEAREST)
    thumbs = Thumbs()
    thumbs.show(0, image, np.array([[200.0, 0.0, 400.0, 360.0]]))
    _, (picture,) = stored_thumbs(thumbs.cut())
    assert len(np.unique(picture[:, 10:20].reshape(-1, 3), axis=0)) <= 18
    np.testing.assert_array_equal(picture[:, 21:], thumb(image)[:, 21:])
