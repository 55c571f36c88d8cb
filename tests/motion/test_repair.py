"""Rows in short gaps only, lines on real times, honest deviations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.motion import repair


def test_rows_fill_gaps_up_to_the_limit_and_no_longer_ones() -> None:
    t = np.arange(40) / 10.0
    frame, source = repair.rows(np.array([3, 4, 14, 26, 27]), t, 1.0)  # gaps of 1.0 and 1.2 s
    assert frame.tolist() == [*range(3, 15), 26, 27]
    assert source.tolist() == [0, 1, *[-1] * 9, 2, 3, 4]
    assert [len(a) for a in repair.rows(np.zeros(0, np.int64), t, 1.0)] == [0, 0]
    assert repair.rows(np.array([5]), t, 1.0)[0].tolist() == [5]


def test_rows_go_by_time_not_by_frames() -> None:
    t = np.array([0.0, 0.1, 0.2, 2.0, 2.1])
    assert repair.rows(np.array([0, 2, 4]), t, 0.5)[0].tolist() == [0, 1, 2, 4]


def test_rows_refuse_impossible_frames() -> None:
    with pytest.raises(ValueError, match="frames must rise"):
        repair.rows(np.array([1, 1]), np.arange(5.0), 1.0)
    with pytest.raises(ValueError, match="outside the pts table of 5"):
        repair.rows(np.array([1, 5]), np.arange(5.0), 1.0)


def test_bridge_is_a_line_over_real_time() -> None:
    t = np.array([0.0, 0.1, 0.4, 0.5, 3.0, 3.1])
    known = np.array([False, True, False, True, False, True])
    values = np.where(known, [0.0, 1, 0, 5, 0, 9], np.nan)[:, None]
    out, fill = repair.bridge(t, values, known, 1.0)
    assert fill.tolist() == [False, False, True, False, False, False]
    np.testing.assert_allclose(out[:, 0], [np.nan, 1, 4, 5, np.nan, 9])  # no row before the first, none in 2.6 s
    assert repair.gap_s(t, known).tolist() == pytest.approx([np.inf, 0, 0.4, 0, 2.6, 0])


def test_bridge_deviation_is_largest_in_the_middle() -> None:
    t = np.linspace(0, 1, 11)
    known = np.isin(np.arange(11), [0, 10])
    var = np.where(known, 4.0, np.nan)
    repair.bridge_var(t, var, known, ~known, np.full(11, 100.0))
    assert var[5] == pytest.approx(0.25 * 4 + 0.25 * 4 + 100 * 0.25)
    assert np.argmax(var) == 5
    np.testing.assert_allclose(var, var[::-1])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 120), min_size=1, max_size=30, unique=True), st.floats(0.05, 2.0))
def test_every_sighting_has_a_row_and_no_gap_is_longer(frames: list[int], max_gap_s: float) -> None:
    t = np.cumsum(np.random.default_rng(len(frames)).uniform(0.01, 0.1, 121))
    seen = np.sort(np.array(frames))
    frame, source = repair.rows(seen, t, max_gap_s)
    np.testing.assert_array_equal(frame[source >= 0], seen)
    assert np.all(np.diff(frame) > 0)
    filled = frame[source < 0]
    before, after = seen[np.searchsorted(seen, filled) - 1], seen[np.searchsorted(seen, filled)]
    assert np.all(t[after] - t[before] <= max_gap_s + 1e-5)
    jump = np.diff(frame) > 1
    assert np.all(np.diff(t[frame])[jump] > max_gap_s)
