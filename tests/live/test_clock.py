"""The clock of a live run: rising, at the stream's own distances, through backlogs, jumps, drift and cuts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.live.clock import Clock


def test_distances_are_the_streams_and_not_the_networks():
    rng, clock = np.random.default_rng(1), Clock(2.0)
    pts = np.arange(250) / 25
    arrival = pts + 0.05 * rng.uniform(0, 1, 250)
    times = [clock.stamp(100 + p, a) for p, a in zip(pts, arrival, strict=True)]
    steps = np.diff(times[5:])
    assert np.abs(steps - 0.04).max() < 0.0005
    assert clock.jumps == 0


def test_a_backlog_sent_at_once_does_not_run_ahead_of_its_arrival():
    clock = Clock(2.0)
    times = [clock.stamp(i / 25, 0.001 * i) for i in range(40)]  # 1.6 s of pictures in 40 ms
    assert max(times) < 0.04 + 0.51
    later = [clock.stamp((40 + i) / 25, 0.04 + (1 + i) / 25) for i in range(50)]
    np.testing.assert_allclose(np.diff(later), 0.04, atol=1e-3)


def test_a_clock_that_jumps_is_counted_and_time_goes_on():
    clock = Clock(2.0)
    now = [clock.stamp(i / 25, i / 25) for i in range(25)]
    back = [clock.stamp(-500 + i / 25, 1 + i / 25) for i in range(25)]
    forth = [clock.stamp(1e6 + i / 25, 2 + i / 25) for i in range(25)]
    assert clock.jumps == 2
    np.testing.assert_allclose(np.diff(now + back + forth), 0.04, atol=1e-6)


@pytest.mark.parametrize("rate", [0.999, 1.001])
def test_a_clock_that_is_fast_or_slow_is_held(rate):
    clock = Clock(2.0)
    arrival = np.arange(25 * 600) / 25
    times = np.array([clock.stamp(float(a) * rate, float(a)) for a in arrival])
    assert np.abs(times - arrival).max() < 0.25
    assert np.abs(np.diff(times) - 0.04).max() < 0.001


def test_a_new_connection_takes_up_the_time_of_arrival():
    clock = Clock(2.0)
    clock.connected()
    clock.stamp(7.0, 0.0)
    clock.stamp(7.04, 0.04)
    clock.connected()
    assert clock.stamp(0.0, 5.0) == pytest.approx(5.0)
    assert clock.stamp(0.04, 5.04) == pytest.approx(5.04)
    assert clock.jumps == 0


@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(-1e6, 1e6)), st.floats(0, 2)), min_size=1, max_size=60))
def test_time_always_rises_and_is_never_far_ahead(frames):
    clock, now, last = Clock(2.0), 0.0, -1.0
    for pts, wait in frames:
        now += wait
        time_s = clock.stamp(pts, now)
        assert time_s > last
        assert time_s <= now + 0.51 + 1e-3 * len(frames)
        last = time_s
