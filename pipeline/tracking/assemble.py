"""People made of linked pieces of tracklets: brief and doubtful people left out, the rest numbered by appearance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.settings import TrackConfig
from pipeline.tracking.edits import Suspicion
from pipeline.tracking.glimpses import Glimpses
from pipeline.tracking.pieces import Pieces, cut
from pipeline.tracking.relink import Moment, link

# Log likelihood ratios against a link that are accepted, one after another, while there are more people than allowed.
LIMITS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)


class Assembled(NamedTuple):
    """The person of each observation, and the moments at which that identity may be wrong."""

    person: np.ndarray  # (N,) i32, −1 for nobody
    moments: list[Suspicion]


def people_of(
    glimpses: Glimpses, tracklet: np.ndarray, frame: np.ndarray, size_px: tuple[int, int], config: TrackConfig
) -> Assembled:
    """People of the glimpses, and of observations with these tracklets (N,) in these frames (N,)."""
    pieces = cut(glimpses, config)
    number, good = np.zeros(0, np.int64), np.zeros(0, bool)
    moments: list[Moment] = []
    for limit in LIMITS[: 1 if config.people is None else None]:
        if config.relink:
            number, moments = link(pieces, size_px, limit)
        else:
            number = np.arange(len(pieces))
        good, first, score = _worthy(pieces, number, config)
        if config.people is None or good.sum() <= config.people:
            break
    if config.people is not None:  # the clearest ones
        good[np.argsort(np.where(good, -score, np.inf), kind="stable")[config.people :]] = False
    table = np.full(len(good), -1, np.int32)
    order = np.lexsort((np.arange(len(good)), first))
    order = order[good[order]]
    table[order] = np.arange(1, len(order) + 1)
    person = table[number] if len(number) else np.zeros(0, np.int32)
    return Assembled(_looked_up(pieces, person, tracklet, frame), _told(moments, person))


def _told(moments: list[Moment], person: np.ndarray) -> list[Suspicion]:
    """The moments of people that are left; ``person`` (P,) of each piece, −1 for nobody."""
    doubts = [
        Suspicion(m.time_s, int(person[m.piece]), m.what, int(person[m.other]) if m.other >= 0 else 0)
        for m in moments
        if person[m.piece] > 0 and (m.other < 0 or person[m.other] > 0)
    ]
    return sorted(doubts)


def _worthy(p: Pieces, number: np.ndarray, config: TrackConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each person: whether the person was seen long and surely enough, the first frame, the sum of scores."""
    size = int(number.max(initial=-1)) + 1
    frames = p.last_frame - p.first_frame + 1
    hits, score, span = (np.bincount(number, values, minlength=size) for values in (p.count, p.score, frames))
    first_s, last_s = np.full(size, np.inf), np.full(size, -np.inf)
    first = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first_s, number, p.first_s)
    np.maximum.at(last_s, number, p.last_s)
    np.minimum.at(first, number, p.first_frame)
    good = (last_s - first_s >= config.min_length_s - 1e-6) & (hits >= config.confirm_hits)
    good &= (score >= config.min_mean_score * hits) & (hits >= config.min_coverage * span)
    return good, first, score


def _looked_up(p: Pieces, person: np.ndarray, tracklet: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """(N,) i32 person of observations, −1 for those whose tracklet has no piece."""
    if not len(p):
        return np.full(len(tracklet), -1, np.int32)
    wide = int(frame.max(initial=0)) + 1
    keys = p.tracklet.astype(np.int64) * wide + p.first_frame
    at = np.searchsorted(keys, tracklet.astype(np.int64) * wide + frame, "right") - 1
    mine = (at >= 0) & (p.tracklet[np.maximum(at, 0)] == tracklet)
    return np.where(mine, person[np.maximum(at, 0)], -1).astype(np.int32)
