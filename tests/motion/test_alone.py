"""Knees or ankles exchanged alone for a few frames."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.motion.alone import alone
from tests import synthetic

HEIGHT = 400.0
KNEES, ANKLES = (13, 14), (15, 16)


def _walk(fps: float, pair: tuple[int, int], noise_px: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(T,) s and (T, 2, 2) px of a pair of a walker seen from the side."""
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 8.0, fps, jitter=0.2)
    z = synthetic.walker(t, height_px=HEIGHT)[:, pair]
    return t, z + rng.normal(0, noise_px, z.shape)


def _found(t: np.ndarray, z: np.ndarray, against: float = 0.0) -> np.ndarray:
    return alone(t, z[:, 0], z[:, 1], np.full(len(t), HEIGHT), np.full(len(t), against))


@pytest.mark.parametrize("fps", [10.0, 15.0, 25.0, 30.0, 60.0, 120.0, 240.0])
@pytest.mark.parametrize("pair", [KNEES, ANKLES])
@pytest.mark.parametrize("noise_px", [0.0, 3.0])
def test_a_clean_walk_is_unchanged(fps: float, pair: tuple[int, int], noise_px: float) -> None:
    assert not _found(*_walk(fps, pair, noise_px)).any()


@pytest.mark.parametrize(("fps", "rows"), [(25.0, 1), (25.0, 3), (30.0, 1), (30.0, 2), (30.0, 4), (50.0, 2), (50.0, 4)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_exchanges_are_found(fps: float, rows: int, mirrored: bool) -> None:
    t, z = _walk(fps, ANKLES)
    z *= (-1, 1) if mirrored else (1, 1)
    passed = np.flatnonzero(np.diff(np.sign(z[:, 0, 0] - z[:, 1, 0])))[1:-1:2]
    really = np.zeros(len(t), bool)
    for row in passed:
        really[row + 2 : row + 2 + rows] = True  # in the row before that the points are too near each other to tell
    z[really] = z[really][:, ::-1]
    near = np.linalg.norm(z[:, 0] - z[:, 1], axis=1) < 0.03 * HEIGHT
    assert (_found(t, z) == really)[~near].mean() > 0.99
    assert _found(t, z)[really & ~near].mean() > 0.85
    assert not _found(t, z, against=6.0).any()  # lengths speak against it


def test_a_row_with_both_on_one_beside_does_not_hide_an_exchange() -> None:
    t, z = _walk(30.0, KNEES)
    row = int(np.flatnonzero(np.diff(np.sign(z[:, 0, 0] - z[:, 1, 0])))[2]) + 2
    z[row : row + 3] = z[row : row + 3, ::-1].copy()
    z[row + 3, 0] = z[row + 3, 1] + 1
    assert _found(t, z)[row + 1 : row + 3].all()
    assert _found(t, z).sum() <= 5


def test_points_that_are_seldom_seen_tell_nothing() -> None:
    t, z = _walk(30.0, ANKLES)
    z[::2, 0] = np.nan
    assert not _found(t, z).any()
    for few in (0, 1, 3):
        assert _found(t[:few], z[:few]).shape == (few,)
