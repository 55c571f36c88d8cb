"""People who lie or are head down are told so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.skeleton import COCO17
from pipeline.core.types import Motion
from pipeline.measure.posture import posture_warnings
from tests import synthetic
from tests.motion.motions import exact

T = np.arange(0, 1.5, 1 / 30)
UP = np.array([0.0, -1.0, 0.0])


def _walk(deg: float, rows: slice = slice(None)) -> Motion:
    """Somebody who walks, turned clockwise in the picture in some rows."""
    px = synthetic.from_the_side(synthetic.walker(T))
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    px[rows] = px[rows] @ np.array([[c, s], [-s, c]])
    return exact(T, px, COCO17)


@pytest.mark.parametrize(
    ("deg", "word"),
    [(0, ""), (30, ""), (90, "lies or bends"), (-80, "lies or bends"), (180, "head down"), (-150, "head")],
)
def test_postures_in_the_picture(deg: float, word: str) -> None:
    lines = posture_warnings(_walk(deg), COCO17, UP)
    assert len(lines) == bool(word)
    assert word in " ".join(lines)


def test_what_lasts_for_a_moment_is_no_posture() -> None:
    assert posture_warnings(_walk(90, slice(0, 3)), COCO17, UP) == []
    (line,) = posture_warnings(_walk(90, slice(0, 15)), COCO17, UP)
    assert "33% of the rows" in line


def test_a_roll_that_is_known_counts() -> None:
    roll = np.array([np.sin(np.radians(40)), -np.cos(np.radians(40)), 0.0])
    assert posture_warnings(_walk(40), COCO17, roll) == []
    assert posture_warnings(_walk(-40), COCO17, roll)


def test_the_world_counts_where_there_is_one() -> None:
    """A trunk that points to the camera is short in the picture, and upright there."""
    names = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    motion = _walk(0)
    world = np.zeros((len(motion), 4, 3), np.float32)
    world[:, 2:, 1] = -0.5
    assert posture_warnings(replace(motion, world_m=world, names_m=names), COCO17, UP)
    assert posture_warnings(replace(motion, world_m=np.full_like(world, np.nan), names_m=names), COCO17, UP) == []
