import base64
import html
import json
import shutil
import subprocess
import zlib
from importlib.resources import files
from io import StringIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pipeline.report.pack import Block, packed, packed_bytes, packed_ints, thinned
from pipeline.report.page import Page


def unpacked(block: Block) -> tuple[np.ndarray, np.ndarray]:
    """What page/decode.js makes of `packed`: values (L, C) and the step of each column."""
    n, columns = block.rows, block.columns
    data = np.frombuffer(zlib.decompress(base64.b64decode(block.text)), np.uint8)
    low, step = data[: 4 * columns].view("<f4"), data[4 * columns : 8 * columns].view("<f4")
    size, at = n * columns, 8 * columns
    zigzag = data[at : at + size].astype(np.uint16) | (data[at + size : at + 2 * size].astype(np.uint16) << 8)
    known = np.unpackbits(data[at + 2 * size :])[:size].astype(bool).reshape(columns, n)
    steps = (zigzag >> 1) ^ (-(zigzag & 1).astype(np.int32)).astype(np.uint16)
    levels = np.cumsum(steps.reshape(columns, n), 1, dtype=np.uint16)
    return np.where(known, low[:, None] + step[:, None] * levels, np.nan).T, step


# Every block of a page by its own decoder: integers as they are, columns as text, as JSON has no NaN.
HARNESS = r"""
const page = require("fs").readFileSync(0, "utf8");
const told = /id="block-([^"]+)" data-kind="(\w+)" data-rows="(\d+)" data-columns="(\d+)">([^<]*)/g;
Promise.all([...page.matchAll(told)].map(async ([, name, kind, rows, columns, text]) => {
  const value = await decoded({ kind, rows, columns }, text);
  const plain = kind === "columns" ? Array.from({ length: columns }, (_, c) => [...value(c)].map(String)) : [...value];
  return [name, plain];
})).then((all) => console.log(JSON.stringify(Object.fromEntries(all))));
"""


def in_node(page: str) -> dict[str, list]:
    """What the page's script makes of the page's blocks, under Node; the test is skipped where there is none."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node: no program called node is there")
    script = files("pipeline.report").joinpath("page", "decode.js").read_text(encoding="utf-8") + HARNESS
    result = subprocess.run([node, "-e", script], input=page, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_node_reads_what_the_page_holds() -> None:
    random, sink = np.random.default_rng(0), StringIO()
    page, given = Page(sink, "a page"), {}
    cases = {
        "hourly": np.array([0, 3600, 7200]) * 1_000_000,  # µs; 32 bits would make 0, 1452, 2905 s of these
        "years": np.array([0, 2**51, -(2**50), 0, 1]),
        "none": np.zeros(0, np.int64),
        "one": np.array([-1]),
    }
    for bits in range(1, 51):
        cases[f"bits.{bits}"] = np.cumsum(random.integers(-(2**bits), 2**bits, 20) // 20)
    for name, values in cases.items():
        given[page.put(name, packed_ints(values))] = values.tolist()
    columns = {}
    for rows, count in ((0, 1), (1, 1), (7, 3), (300, 5)):
        values = (np.cumsum(random.normal(size=(rows, count)), 0) * 40).astype(np.float32)
        values[random.random((rows, count)) < 0.3] = np.nan
        block = packed(values, ["px"] * count)
        columns[page.put(f"columns.{rows}", block)] = unpacked(block)[0]
    given[page.put("bytes", packed_bytes(bytes(range(256))))] = list(range(256))
    back = in_node(sink.getvalue())
    assert {name: back[name] for name in given} == given
    for name, values in columns.items():
        theirs = np.array(back[name], np.float64).reshape(values.shape[1], values.shape[0]).T
        np.testing.assert_allclose(theirs, values, rtol=1e-6, atol=1e-4)  # a step is 0.05


def test_a_name_is_given_to_one_block() -> None:
    page = Page(StringIO(), "a page")
    page.put("times", packed_ints(np.arange(3)))
    with pytest.raises(ValueError, match="times: the page has a block of this name already"):
        page.put("times", packed_ints(np.arange(3)))


@pytest.mark.parametrize("title", ["{{data}}", "{{style}} {{script}} {{title}}", "{{nothing}} {{", "\\1 \\g<0>"])
def test_a_title_is_no_template(title: str) -> None:
    sink = StringIO()
    page = Page(sink, title)
    page.put("times", packed_ints(np.arange(3)))
    page.finish({"a": title})
    text = sink.getvalue()
    assert f"<title>{html.escape(title)}</title>" in text
    assert text.count('id="block-times"') == text.count("<style>") == text.count('"use strict"') == 1
    assert text.rstrip().endswith("</html>")


numbers = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.integers(1, 4)),
    elements=st.one_of(st.just(float("nan")), st.floats(-2000, 2000, width=32)),
)


@given(numbers)
def test_values_come_back_to_half_a_step_and_gaps_stay_gaps(values: np.ndarray) -> None:
    back, step = unpacked(packed(values, ["°"] * values.shape[1]))
    assert (np.isnan(back) == np.isnan(values)).all()
    error = np.abs(back - values)
    assert (error[~np.isnan(values)] <= (0.51 * step + 0.001 + 0 * error)[~np.isnan(values)]).all()
    assert (step < 0.07).all()  # 4000° in 65,000 steps


@given(st.lists(st.integers(-(2**51), 2**51 - 1), min_size=1, max_size=30))
def test_integers_come_back(values: list[int]) -> None:
    data = np.frombuffer(zlib.decompress(base64.b64decode(packed_ints(np.array(values)).text)), np.uint8)
    planes = data.reshape(-1, len(values)).astype(np.int64)
    z = planes.T @ (1 << 8 * np.arange(len(planes)))
    assert np.cumsum(np.where(z % 2, -(z + 1) // 2, z // 2)).tolist() == values


@pytest.mark.parametrize("values", [[2**52], [-(2**51) - 1, 2**51], [0, -(2**63)]])
def test_integers_that_a_double_may_not_hold_are_refused(values: list[int]) -> None:
    with pytest.raises(ValueError, match=r"within 2\^52"):
        packed_ints(np.array(values, np.int64))


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
    back, _ = unpacked(packed(np.full((3, 1), np.nan), ["m"]))
    assert np.isnan(back).all()
