"""Whether tiles are worth it: where they find people whom the whole picture hides."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.types import VideoInfo
from pipeline.live.eyes import Eyes
from pipeline.observe import tiles
from pipeline.observe.cadence import graded
from pipeline.observe.tiling import Counts, Deciding, decided, some_frames
from tests.observe.test_tiles import LAYOUT, config, frames, models, picture, walks

NOBODY, SMALL, LARGE = (), ((300, 100, 320, 160), (700, 90, 720, 150)), ((300, 0, 400, 190),)


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "LONG_PX", 1000)
    monkeypatch.setattr(tiles, "SIDE_PX", 240)


@pytest.mark.parametrize(
    ("boxes", "layout"), [((SMALL, SMALL), LAYOUT), ((NOBODY, NOBODY), None), ((LARGE, LARGE), None)]
)
def test_tiles_where_they_find_more(boxes, layout):
    tiling = decided(partial(graded, models()), Config(), [picture(*some) for some in boxes])
    assert tiling.layout == layout
    said = tiling.said("a.mp4", (1200, 200))
    assert ("0.0 a frame are found in the whole and 2.0 with 6 × 1 tiles" in said) == (layout is not None)


@pytest.mark.parametrize(
    ("whole", "tiled", "worth_it"), [(0, 0.4, False), (0, 0.5, True), (2, 2.5, True), (20, 21.9, False), (20, 22, True)]
)
def test_what_is_worth_it(whole, tiled, worth_it):
    assert Counts(whole, tiled).worth_it == worth_it


def video(keys: list[int], frames: int = 1000) -> VideoInfo:
    time_s = np.arange(frames) / 25
    return VideoInfo(
        Path("a.mp4"), (1200, 200), 0, Fraction(1, 25), Fraction(25), np.arange(frames), time_s,
        np.isin(np.arange(frames), keys), False, "digest",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "span", "expected"),
    [
        (list(range(0, 1000, 100)), (0, 1000), [0, 200, 400, 500, 700, 900]),
        (list(range(0, 1000, 100)), (150, 460), [200, 300, 400]),
        ([0], (0, 1000), [0, 13, 25]),
        ([0], (500, 505), [500, 504]),
        ([], (0, 1), [0]),
    ],
)
def test_pictures_that_decide_are_spread_and_cheap_to_decode(keys, span, expected):
    assert some_frames(video(keys), span) == expected


def test_a_stream_decides_once_there_is_somebody():
    deciding, look = Deciding(Config()), partial(graded, models())
    told = [deciding.decided(look, picture(*(SMALL if t > 30 else NOBODY)), t / 10) for t in range(80)]
    assert next(t for t, tiling in enumerate(told) if tiling) == 60  # 40, 50 and 60 show somebody
    first = next(tiling for tiling in told if tiling)
    assert first.layout == LAYOUT


def test_live_looks_in_tiles_once_it_has_decided():
    said: list[str] = []
    seeing = Eyes(models(), config(), said.append)
    counts = []
    for batch in frames(walks, 40, 1):
        found = seeing.look(batch.image, batch.index, batch.time_s).found
        counts.append(len(found))
    assert counts[:20] == [0] * 20  # too small for the whole
    assert counts[25:] == [2] * 15
    assert len(said) == 1
    assert "6 × 1 tiles" in said[0]
    assert seeing.tiles.on
    fixed = Config.model_validate({"detect": {"tiles": "6x1"}})
    seeing = Eyes(models(), fixed)
    assert len(seeing.look(batch.image, batch.index, batch.time_s).found) == 2
