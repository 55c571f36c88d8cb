"""Sequences of any length and rate go through the network, each frame with its whole context."""

import numpy as np
import pytest

from pipeline.lift.joints import JOINTS, POINTS, J, K, flipped
from pipeline.lift.network import CONTEXT, Network, between, grid_of, lift, mirrored
from pipeline.lift.view import look_at, view
from pipeline.models.runtime import Device


class Average(Network):
    """Stands in for the network: the mean of a feature over the CONTEXT frames to either side."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def answers(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(features.shape)
        wide = np.pad(features[..., 0], ((0, 0), (CONTEXT, CONTEXT)))
        mean = np.stack([wide[:, i : i + features.shape[1]] for i in range(2 * CONTEXT + 1)]).mean(0)
        places = np.broadcast_to(mean[..., None, None], (*mean.shape, J, 3))
        return places.astype(np.float32), np.ones((*mean.shape, J, 2), np.float32)


@pytest.mark.parametrize("t", [1, 5, 63, 64, 160, 161, 400])
def test_windows_give_what_one_pass_gives(t: int) -> None:
    features = np.random.default_rng(t).normal(size=(t, 7)).astype(np.float32)
    network = Average()
    whole = network.answers(features[None])[0][0]
    assert network.run(features, window=64)[0] == pytest.approx(whole, abs=1e-6)
    assert max(shape[1] for shape in network.asked[1:]) <= 64 + 2 * CONTEXT


def test_even_frames_are_taken_as_they_are() -> None:
    for fps, stride in ((25, 1), (30, 1), (50, 2), (60, 2), (120, 4), (240, 8)):
        time_s = np.round(np.arange(50) / fps, 3)  # milliseconds, as containers have them
        grid = grid_of(time_s)
        assert grid.is_own
        assert grid.stride == stride
        assert 20 <= grid.rate_hz / stride <= 45


def test_slow_and_uneven_frames_are_interpolated() -> None:
    slow = grid_of(np.arange(20) / 7)
    assert not slow.is_own
    assert slow.rate_hz == 30
    assert slow.time_s[-1] >= 19 / 7
    uneven = grid_of(np.array([0, 0.03, 0.1, 0.13, 0.2, 0.23]))
    assert not uneven.is_own


def test_between_is_exact_on_lines() -> None:
    time_s, wanted = np.array([0, 0.1, 0.5, 0.6]), np.array([0, 0.05, 0.3, 0.55, 0.6, 0.9])
    values = np.stack([2 * time_s + 1, -time_s], -1)
    want = np.minimum(wanted, 0.6)
    assert between(time_s, values, wanted) == pytest.approx(np.stack([2 * want + 1, -want], -1), abs=1e-6)


class Depth(Network):
    """Stands in for the network: every joint 1 m behind the hips as the turned camera sees it."""

    def __init__(self) -> None:
        pass

    def answers(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places = np.zeros((*features.shape[:2], J, 3), np.float32)
        places[..., 2] = 1
        return places, np.ones((*features.shape[:2], J, 2), np.float32)


@pytest.mark.parametrize("fps", [7, 25, 100])
def test_joints_come_back_in_the_axes_of_the_camera(fps: int) -> None:
    t = np.arange(2 * fps) / fps
    rays = np.zeros((len(t), K, 2)) + np.stack([0.3 * np.sin(t), 0.1 * t], -1)[:, None]
    lifted = lift(Depth(), t, rays, np.ones((len(t), K)))
    want = look_at(rays[:, 0])[:, 2]  # the line of sight
    assert lifted.joints[:, 4] == pytest.approx(want, abs=2e-3)
    assert lifted.ray == pytest.approx(rays[:, 0], abs=2e-3)


def test_without_hips_nothing_is_known() -> None:
    score = np.ones((5, K))
    score[:, 11:13] = 0
    lifted = lift(Depth(), np.arange(5) / 30, np.zeros((5, K, 2)), score)
    assert np.isnan(lifted.joints).all()
    assert lifted.std.shape == (5, J, 2)


def test_a_mirror_image_is_lifted_to_the_mirror_image() -> None:
    rng = np.random.default_rng(4)
    rays, score = rng.normal(0, 0.05, (60, K, 2)), rng.uniform(0.2, 1, (60, K))
    other, sign = flipped(POINTS), np.array([-1, 1])
    seen = view(rays[None], score[None], 30.0)
    turned = view((rays * sign)[None, :, other], score[None, :, other], 30.0)
    np.testing.assert_allclose(mirrored(seen.features), turned.features, atol=1e-5)
    network = Network(Device(("CPUExecutionProvider",), 1))
    places, std = network.run(seen.features[0])
    again, std_again = network.run(turned.features[0])
    there = flipped(JOINTS)
    np.testing.assert_allclose(again[:, there] * np.array([-1, 1, 1]), places, atol=1e-4)
    np.testing.assert_allclose(std_again[:, there], std, atol=1e-4)
