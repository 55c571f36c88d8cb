"""People who lie or are head down are lifted as exactly as upright ones, whole and live."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.lift.joints import POINTS, K
from pipeline.lift.lying import lift_turned, quarters
from pipeline.lift.network import Network, lift
from pipeline.lift.online import LiveLifter
from pipeline.models.runtime import pick_device
from tests.lift.test_our_lifter import FPS, space

N = 60
TIMES = np.arange(N) / FPS
SURE = np.ones((N, K))


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(pick_device("cpu"))


@pytest.fixture(scope="module")
def rays() -> np.ndarray:
    places = space(N)[:, :K]
    return places[..., :2] / places[..., 2:]


def clockwise(points: np.ndarray, turns: int) -> np.ndarray:
    """Points (…, 2 or 3), y down, in a camera that sees everything turned by quarters with the clock."""
    out = points.copy()
    for _ in range(turns):
        out[..., 0], out[..., 1] = -out[..., 1], out[..., 0].copy()
    return out


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_same_body_in_a_turned_camera(network: Network, rays: np.ndarray, turns: int) -> None:
    upright, turned = lift(network, TIMES, rays, SURE), clockwise(rays, turns)
    assert quarters(turned, SURE) == turns
    found = lift_turned(network, TIMES, turned, SURE)
    np.testing.assert_allclose(found.joints, clockwise(upright.joints, turns), atol=1e-4)
    np.testing.assert_allclose(found.std, upright.std, atol=1e-4)
    np.testing.assert_allclose(found.ray, clockwise(upright.ray, turns), atol=1e-5)


@pytest.mark.parametrize("turns", [1, 2])
def test_live_too(network: Network, rays: np.ndarray, turns: int) -> None:
    one, other = LiveLifter(network), LiveLifter(network)
    for t, seen in zip(TIMES[:30], rays, strict=False):
        upright = one.update(t, [1], seen[None], SURE[:1])
        turned = other.update(t, [1], clockwise(seen, turns)[None], SURE[:1])
    np.testing.assert_allclose(turned.joints, clockwise(upright.joints, turns), atol=1e-4)
    np.testing.assert_allclose(turned.place, clockwise(upright.place, turns), atol=1e-4)


def test_who_is_not_turned(rays: np.ndarray) -> None:
    half = np.concatenate([rays[: N // 2], clockwise(rays[N // 2 :], 2)])  # a flip
    assert quarters(half, SURE) == 0
    c, s = np.cos(np.radians(50)), np.sin(np.radians(50))  # leans
    assert quarters(rays @ np.array([[c, s], [-s, c]]), SURE) == 0
    hidden = SURE.copy()
    hidden[:, [POINTS.index("left_knee"), POINTS.index("right_knee")]] = 0
    assert quarters(clockwise(rays, 1), hidden) == 0
