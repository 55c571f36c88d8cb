"""The offline pass on tracklets made by hand."""

from __future__ import annotations

import numpy as np

from pipeline.core.settings import TrackConfig
from pipeline.tracking.glimpses import SPAN_S, Glimpses
from pipeline.tracking.relink import cut, link

SIZE = (1920, 1080)
FPS = 10


def _glimpses(paths: list[tuple[float, np.ndarray]]) -> Glimpses:
    """Tracklets from 1 on, each a beginning in s and x (n,) px of the middle of each half second; all in one colour."""
    rows = [(i + 1, start + SPAN_S * j, float(x)) for i, (start, xs) in enumerate(paths) for j, x in enumerate(xs)]
    tracklet, first, x = (np.array(column) for column in zip(*rows, strict=True))
    count = np.full(len(rows), round(SPAN_S * FPS))
    last = first + SPAN_S - 1 / FPS
    return Glimpses(
        tracklet=tracklet,
        count=count,
        score=0.8 * count,
        first_s=first,
        last_s=last,
        first_frame=np.round(first * FPS).astype(np.int64),
        last_frame=np.round(last * FPS).astype(np.int64),
        time_s=(first + last) / 2,
        place=np.stack([x, np.full(len(rows), 500.0)], -1),
        length=np.full(len(rows), 120.0),
        edge=np.full(len(rows), 300.0),
        look=np.tile(np.array([20.0, 0.0, 0.0, 5.0] * 4), (len(rows), 1)),
    )


def _people(paths: list[tuple[float, np.ndarray]]) -> dict[tuple[int, float], int]:
    pieces = cut(_glimpses(paths), TrackConfig())
    person, _ = link(pieces, SIZE)
    return {(int(t), float(s)): int(who) for t, s, who in zip(pieces.tracklet, pieces.first_s, person, strict=True)}


def test_who_turns_round_behind_somebody_who_vanishes_is_the_other() -> None:
    right, left = 700 + 60 * np.arange(8), 1280 - 60 * np.arange(8)
    turned = np.append(left[:5], right[5:])  # from 2.5 s on the one who goes right
    people = _people([(0.0, right[:5]), (0.0, turned), (2.5, left[5:])])
    assert people[1, 0.0] == people[2, 2.5]
    assert people[2, 0.0] == people[3, 2.5]
    assert people[1, 0.0] != people[3, 2.5]


def test_who_walks_on_past_somebody_who_vanishes_stays() -> None:
    people = _people([(0.0, 700 + 60 * np.arange(5)), (0.0, 1280 - 60 * np.arange(12))])
    assert people[2, 0.0] == people[2, 2.5]
    assert people[1, 0.0] != people[2, 2.5]
