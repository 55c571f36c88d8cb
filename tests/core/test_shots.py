"""Shots by frame, and as run.json has them."""

from __future__ import annotations

import numpy as np

from pipeline.core.shots import Shots, one_shot, shots_told, told_shots

THREE = Shots(np.array([5, 20, 30]), 40, np.array([0, 1, 0]), ("start", "cut", "dissolve"), np.array([0, 0, 8]))


def test_every_frame_is_in_one_shot():
    assert THREE.of(np.array([0, 5, 19, 20, 29, 30, 39, 50])).tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert [THREE.shot_of(frame) for frame in (19, 20)] == [0, 1]
    assert list(THREE.spans()) == [(5, 20), (20, 30), (30, 40)]


def test_run_json_tells_the_shots():
    told = told_shots(THREE, np.arange(40) / 10)
    again = shots_told(told, (5, 40))
    assert (again.first.tolist(), again.camera.tolist(), again.stop) == ([5, 20, 30], [0, 1, 0], 40)
    assert (again.begins, again.blend.tolist()) == (THREE.begins, [0, 0, 8])
    assert (told[2]["shot"], told[2]["camera"], told[2]["start_s"], told[2]["end_s"]) == (3, 1, 3.0, 3.9)


def test_runs_without_shots_have_one():
    assert list(shots_told(None, (3, 9)).spans()) == list(one_shot((3, 9)).spans()) == [(3, 9)]
