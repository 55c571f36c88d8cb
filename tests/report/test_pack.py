import base64
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pipeline.report.pack import packed, packed_ints, thinned


def unpacked(text: str, n: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """What page/data.js makes of `packed`: values (L, C) and the step of each column."""
    data = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    low, step = data[: 4 * columns].view("<f4"), data[4 * columns : 8 * columns].view("<f4")
    size, at = n * columns, 8 * columns
    zigzag = data[at : at + size].astype(np.uint16) | (data[at + size : at + 2 * size].astype(np.uint16) << 8)
    known = np.unpackbits(data[at + 2 * size :])[:size].astype(bool).reshape(columns, n)
    steps = (zigzag >> 1) ^ (-(zigzag & 1).astype(np.int32)).astype(np.uint16)
    levels = np.cumsum(steps.reshape(columns, n), 1, dtype=np.uint16)
    return np.where(known, low[:, None] + step[:, None] * levels, np.nan).T, step


numbers = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.integers(1, 4)),
    elements=st.one_of(st.just(float("nan")), st.floats(-2000, 2000, width=32)),
)


@given(numbers)
def test_values_come_back_to_half_a_step_and_gaps_stay_gaps(values: np.ndarray) -> None:
    back, step = unpacked(packed(values, ["°"] * values.shape[1]), *values.shape)
    assert (np.isnan(back) == np.isnan(values)).all()
    error = np.abs(back - values)
    assert (error[~np.isnan(values)] <= (0.51 * step + 0.001 + 0 * error)[~np.isnan(values)]).all()
    assert (step < 0.07).all()  # 4000° in 65,000 steps


@given(st.lists(st.integers(-(2**30), 2**30), min_size=1, max_size=30))
def test_integers_come_back(values: list[int]) -> None:
    data = np.frombuffer(zlib.decompress(base64.b64decode(packed_ints(np.array(values)))), np.uint8)
    z = data.reshape(4, -1).astype(np.int64).T @ (1 << np.array([0, 8, 16, 24]))
    assert np.cumsum(np.where(z % 2, -(z + 1) // 2, z // 2)).tolist() == values


@given(st.integers(2, 9), st.sets(st.integers(0, 80), min_size=1), st.integers(0, 5))
def test_thinning_keeps_the_least_and_the_greatest_of_every_span(every: int, frames: set[int], seed: int) -> None:
    frame = np.array(sorted(frames))
    values = np.random.default_rng(seed).normal(size=(len(frame), 2)).astype(np.float32)
    values[values > 1.2] = np.nan
    at, thin = thinned(frame, values, every)
    assert (np.diff(at) > 0).all() or every < 4  # in spans of two or three frames both may share a frame
    for span in np.unique(frame // every):
        inside, kept = values[frame // every == span], thin[at // every == span]
        for c in range(2):
            if np.isfinite(inside[:, c]).any():
                assert np.nanmin(kept[:, c]) == np.nanmin(inside[:, c])
                assert np.nanmax(kept[:, c]) == np.nanmax(inside[:, c])
            else:
                assert np.isnan(kept[:, c]).all()


def test_a_rising_curve_rises_after_thinning() -> None:
    _, thin = thinned(np.arange(20), np.arange(20.0, dtype=np.float32)[:, None], 10)
    assert thin[:, 0].tolist() == [0, 9, 10, 19]
    _, thin = thinned(np.arange(20), -np.arange(20.0, dtype=np.float32)[:, None], 10)
    assert thin[:, 0].tolist() == [0, -9, -10, -19]


def test_nothing_at_all_is_no_error() -> None:
    frame, values = thinned(np.zeros(0, np.int64), np.zeros((0, 2), np.float32), 5)
    assert len(frame) == 0
    assert packed(values, ["m", "m"])
    back, _ = unpacked(packed(np.full((3, 1), np.nan), ["m"]), 3, 1)
    assert np.isnan(back).all()
