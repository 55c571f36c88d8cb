"""The camera's turns and zoom, from homographies of a made camera and of a made travelling."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.homography import normed, similarities
from pipeline.core.settings import MetresConfig
from pipeline.core.skeleton import COCO17
from pipeline.lift.joints import JOINTS
from pipeline.lift.placed import Video, in_world
from pipeline.lift.turning import turning
from tests import field
from tests.lift.test_our_lifter import motion_of
from tests.lift.test_world import looked_at

RATE, SECONDS = 25, 40


def _motions() -> np.ndarray:
    times = np.arange(RATE * SECONDS) / RATE
    return np.array([np.eye(3), *(field.motion(a, b) for a, b in pairwise(times))])


def _axes(t: float) -> tuple[np.ndarray, float]:
    """(3, 3) of unit length from directions to the camera's axes, and the focal length in px."""
    seen = np.linalg.inv(np.array([[1, 0, field.SIZE[0] / 2], [0, 1, field.SIZE[1] / 2], [0, 0, 1]])) @ field.view(t)[1]
    focal = np.linalg.norm(seen[0])
    return np.diag([1 / focal, 1 / focal, 1]) @ seen, float(focal)


def _off_deg(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(one @ other.T) - 1) / 2, -1, 1))))


def test_turns_and_zoom_are_those_of_the_camera():
    first, focal = _axes(0)
    found = turning(_motions(), (), focal, field.SIZE)
    assert found is not None
    for t in (5.0, 17.0, 39.0):
        axes, now = _axes(t)
        assert _off_deg(found.turn[int(t * RATE)], first @ axes.T) < 0.1
        assert found.zoom[int(t * RATE)] == pytest.approx(now / focal, rel=1e-3)


def test_similarities_tell_the_same_turns():
    first, focal = _axes(0)
    found = turning(similarities(_motions(), field.SIZE), (), focal, field.SIZE)
    assert found is not None
    axes, now = _axes(5.0)
    assert _off_deg(found.turn[5 * RATE], first @ axes.T) < 0.1
    assert found.zoom[5 * RATE] == pytest.approx(now / focal, rel=1e-3)


@pytest.mark.parametrize("share", [0.6, 1.5, 3])
def test_an_unknown_focal_length_is_learned(share: float):
    focal = _axes(0)[1]
    found = turning(_motions()[:500], (), focal / share, field.SIZE, sure=False)
    assert found is not None
    assert found.focal_px == pytest.approx(focal, rel=0.25)


def test_each_shot_begins_anew():
    found = turning(_motions(), (100,), _axes(0)[1], field.SIZE)
    assert found is not None
    np.testing.assert_array_equal(found.turn[100], np.eye(3))
    assert found.zoom[100] == 1


def test_a_camera_that_travels_over_a_floor_does_not_turn():
    lens = np.array([[300, 0, 200], [0, 300, 112.5], [0, 0, 1]])
    up = np.array([0, -np.cos(0.5), -np.sin(0.5)])  # the floor's normal, 5 m below
    step = normed(lens @ (np.eye(3) + np.outer([0.02, 0, 0.12], up) / 5) @ np.linalg.inv(lens))
    motions = np.concatenate([[np.eye(3)], np.tile(step, (60, 1, 1))])
    assert turning(motions, (), 300, (400, 225)) is None


def test_people_are_where_they_were_whatever_the_camera_turns(tmp_path: Path):
    walk = looked_at(0.3, 0.3, 8)
    whole = motion_of(walk)
    k = whole.provenance.shape[1]
    names, seen = (*JOINTS[:k], "neck"), walk[:, [*range(k), JOINTS.index("neck")]]
    motion = replace(whole, keypoints_m=seen, keypoint_std_m=np.full(seen.shape[:2], 0.01, np.float32), names_m=names)
    angle = np.radians(40) * np.sin(np.arange(len(motion)) / 20)
    c, s, o = np.cos(angle), np.sin(angle), np.zeros(len(angle))
    turn = np.stack([c, o, s, o, o + 1, o, -s, o, c], 1).reshape(-1, 3, 3)  # to the first frame's axes
    turned = replace(motion, keypoints_m=np.einsum("tba,tjb->tja", turn, seen).astype(np.float32))
    (still,) = in_world(iter([motion]), MetresConfig(), {}, tmp_path, Video(COCO17.names))
    (found,) = in_world(iter([turned]), MetresConfig(), {}, tmp_path, Video(COCO17.names, turn=turn))
    np.testing.assert_allclose(found.world_m, still.world_m, atol=1e-4)
    back = np.einsum("tab,tjb->tja", turn, found.keypoints_m)
    np.testing.assert_allclose(back, still.keypoints_m, atol=1e-4)
