"""Live lifting: what comes later changes nothing, people do not mix, and the answers are near those of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluate.lifting import distance, lift_whole
from pipeline.lift.joints import HIPS, POINTS, J, K
from pipeline.lift.network import Network
from pipeline.lift.online import FORGET_S, LiveLifter
from pipeline.models.runtime import pick_device
from tests.lift.test_our_lifter import FPS, space

N = 90


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(pick_device("cpu"))


@pytest.fixture(scope="module")
def rays() -> np.ndarray:
    places = space(N)[:, :K]
    return (places[..., :2] / places[..., 2:]).astype(np.float32)


def lifted(network: Network, rays: np.ndarray, times: np.ndarray, height_m: float = 1.7) -> list:
    lifter = LiveLifter(network, height_m)
    return [lifter.update(t, [1], r[None], np.ones((1, K))) for t, r in zip(times, rays, strict=True)]


def test_later_frames_change_nothing(network: Network, rays: np.ndarray) -> None:
    times = np.arange(N) / FPS
    other = rays.copy()
    other[40:] = other[40:][::-1] + 0.1
    one, two = lifted(network, rays, times), lifted(network, other, times)
    for a, b in zip(one[:40], two[:40], strict=True):
        np.testing.assert_array_equal(a.joints, b.joints)
        np.testing.assert_array_equal(a.place, b.place)
    assert np.abs(one[45].joints - two[45].joints).max() > 0.01


def test_it_is_near_what_the_whole_sequence_gives(network: Network, rays: np.ndarray) -> None:
    times = np.arange(N) / FPS
    whole, _ = lift_whole(network, times, rays.astype(np.float64), np.ones((N, K)))
    live = np.concatenate([f.joints for f in lifted(network, rays, times)])
    assert live.shape == (N, J, 3)
    assert distance(live[30:], whole[30:]).mean() < 0.08
    truth = space(N)
    place = np.concatenate([f.place for f in lifted(network, rays, times)])
    np.testing.assert_allclose(place[30:, 2], truth[30:, HIPS, 2].mean(1), rtol=0.15)


@pytest.mark.parametrize("fps", [15.0, 50.0, 120.0])
def test_any_frame_rate_will_do(network: Network, rays: np.ndarray, fps: float) -> None:
    wanted = np.arange(0, (N - 1) / FPS, 1 / fps)
    at = np.stack([np.interp(wanted, np.arange(N) / FPS, column) for column in rays.reshape(N, -1).T], -1)
    live = np.concatenate([f.joints for f in lifted(network, at.reshape(-1, K, 2), wanted)])
    usual = np.concatenate([f.joints for f in lifted(network, rays, np.arange(N) / FPS)])
    assert distance(live[-1], usual[-2]).mean() < 0.08


def test_people_together_are_as_each_alone(network: Network, rays: np.ndarray) -> None:
    both = LiveLifter(network)
    alone = [lifted(network, r, np.arange(20) / FPS) for r in (rays[:20], rays[40:60])]
    for i in range(20):
        ids = [7, 3] if i % 2 else [3, 7]
        pair = {7: rays[i], 3: rays[40 + i]}
        found = both.update(i / FPS, ids, np.stack([pair[p] for p in ids]), np.ones((2, K)))
        np.testing.assert_allclose(found.joints[ids.index(7)], alone[0][i].joints[0], atol=1e-4)
        np.testing.assert_allclose(found.joints[ids.index(3)], alone[1][i].joints[0], atol=1e-4)


def test_height_and_limbs(network: Network, rays: np.ndarray) -> None:
    times = np.arange(N) / FPS
    tall, usual = lifted(network, rays, times, 2.04), lifted(network, rays, times)
    np.testing.assert_allclose(tall[-1].joints, 1.2 * usual[-1].joints, rtol=1e-4, atol=1e-5)
    knee, ankle = POINTS.index("left_knee"), POINTS.index("left_ankle")
    length = np.array([np.linalg.norm(f.joints[0, knee] - f.joints[0, ankle]) for f in usual])
    assert np.abs(np.diff(length[45:])).max() < 0.01 * length[-1]


def test_nothing_seen_and_mistakes(network: Network, rays: np.ndarray) -> None:
    lifter = LiveLifter(network)
    blind = lifter.update(0.0, [1], np.full((1, K, 2), np.nan), np.zeros((1, K)))
    assert np.isnan(blind.joints).all()
    assert lifter.update(0.1, [], np.zeros((0, K, 2)), np.zeros((0, K))).joints.shape == (0, J, 3)
    assert np.isfinite(lifter.update(0.2, [1], rays[:1], np.ones((1, K))).joints).all()
    with pytest.raises(ValueError, match="time must rise"):
        lifter.update(0.2, [1], rays[:1], np.ones((1, K)))
    with pytest.raises(ValueError, match="once only"):
        lifter.update(0.3, [1, 1], rays[:2], np.ones((2, K)))
    again = lifter.update(0.3 + FORGET_S, [1], rays[:1], np.ones((1, K)))
    new = LiveLifter(network).update(0.0, [1], rays[:1], np.ones((1, K)))
    np.testing.assert_array_equal(again.joints, new.joints)
