"""How often people are looked for where they are sure and apart: a network that knows the truth."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.observe.looks import BLOCK
from pipeline.observe.process import Chunk, process_chunk
from tests import stand_ins
from tests.stand_ins import FIGURE, assert_same_bits, frames

FPS = 25


def asked(truth, count: int = 24, batch: int = 4, boxes: float = 0.9, **observe: float) -> list[int]:
    """The frames in which the detector is asked."""
    models = stand_ins.models(truth)
    models.detector.score = boxes
    parts = frames(range(count), np.arange(count) / FPS, batch=batch)
    process_chunk(
        parts, Chunk(0, 0, count), models, Config.model_validate({"observe": {"detect_apart_s": 0.08} | observe})
    )
    return models.detector.asked


def standing(*places: tuple[float, float]):
    return lambda frame: np.stack([FIGURE + np.array(place) + 0.5 * frame for place in places])


@pytest.mark.parametrize("batch", [1, 3, 4, 7, 24])
def test_who_is_sure_and_apart_is_looked_for_in_every_second_frame(batch):
    found = asked(standing((150, 300), (450, 300)), batch=batch)
    assert found == [*range(BLOCK), *range(BLOCK + 1, 24, 2)]


@pytest.mark.parametrize(
    ("truth", "boxes"),
    [
        (standing((150, 300), (210, 300)), 0.9),  # near to one another
        (standing((150, 300), (450, 300)), 0.5),  # not sure
        (lambda t: standing((150, 300), (450, 300))(t)[: 1 + t % 2], 0.9),  # one of them flickers
        (lambda t: FIGURE[None] + np.array([60 + 55 * (t % 10), 300]), 0.9),  # fast
    ],
    ids=["near", "unsure", "flickers", "fast"],
)
def test_else_in_every_frame(truth, boxes):
    assert asked(truth, boxes=boxes) == list(range(24))


def test_not_more_seldom_where_that_is_not_wanted():
    calm = standing((150, 300), (450, 300))
    assert Config().observe.detect_apart_s == 0
    assert asked(calm, detect_apart_s=0.0) == list(range(24))
    assert asked(calm, detect_every_s=0.0) == list(range(24))
    assert asked(calm, detect_every_s=0.12) == list(range(0, 24, 3))


def test_observations_do_not_depend_on_batches():
    config = Config.model_validate({"observe": {"detect_apart_s": 0.08}})

    def seen(batch: int):
        parts = frames(range(31), np.arange(31) / FPS, batch=batch)
        truth = lambda t: standing((150, 300), (450, 300))(t)[: 1 + (t < 20)]  # noqa: E731
        return process_chunk(parts, Chunk(0, 0, 31), stand_ins.models(truth), config)

    for batch in (1, 3, 9):
        assert_same_bits(seen(4), seen(batch))
