"""People made of linked pieces of tracklets: brief and doubtful people left out, the rest numbered by appearance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.core.settings import TrackConfig
from pipeline.core.team_text import Told
from pipeline.teams.found import sides
from pipeline.teams.worn import worn
from pipeline.tracking.edits import Suspicion
from pipeline.tracking.glimpses import Glimpses
from pipeline.tracking.pieces import Pieces, cut
from pipeline.tracking.relink import Moment, link, link_some

_AT_ONCE = 0.5  # share of a person's frames in which as many clearer people as there are at all make the person surplus
_SURE_TEAM, _SEEN_TEAM = 0.97, 10.0  # certainty of a team, and observations, that forbid a link to the other team


class Surplus(NamedTuple):
    """A person who is left out, as enough clearer ones are seen at the same time."""

    first_s: float
    last_s: float
    frames: int  # in which the person is seen


class Assembled(NamedTuple):
    """The person of each observation, and the moments at which that identity may be wrong."""

    person: np.ndarray  # (N,) i32, −1 for nobody
    moments: list[Suspicion]
    surplus: list[Surplus]  # where the settings say how many people there are

    def at(self, clock: Callable[[float], float]) -> Assembled:
        """The same with all times on another clock."""
        moments = [doubt._replace(time_s=clock(doubt.time_s)) for doubt in self.moments]
        surplus = [each._replace(first_s=clock(each.first_s), last_s=clock(each.last_s)) for each in self.surplus]
        return Assembled(self.person, moments, surplus)


def people_of(
    glimpses: Glimpses,
    tracklet: np.ndarray,
    frame: np.ndarray,
    size_px: tuple[int, int],
    config: TrackConfig,
    teams: Sequence[Told] | None = None,
) -> Assembled:
    """People of the glimpses, and of observations with these tracklets (N,) in these frames (N,).

    ``teams`` says what the user tells of two teams, whose players are never taken for one another; None: nobody asks.
    """
    pieces = cut(glimpses, config)
    if teams is not None and config.relink and len(pieces):
        pieces = replace(pieces, team=_teams(pieces, teams))
    number, moments = link(pieces, size_px) if config.relink else (np.arange(len(pieces)), list[Moment]())
    good, first, score = _worthy(pieces, number, config)
    out = np.zeros(len(good), bool)
    if config.people is not None:
        while config.relink and (many := int(good.sum()) - config.people) > 0:
            number, more = link_some(pieces, number, good, many, size_px)
            if not more:
                break
            moments += more
            good, first, score = _worthy(pieces, number, config)
        out = _surplus(pieces, number, np.where(good, score, 0), config.people)
    table = np.full(len(good), -1, np.int32)
    order = np.lexsort((np.arange(len(good)), first))
    order = order[(good & ~out)[order]]
    table[order] = np.arange(1, len(order) + 1)
    person = table[number] if len(number) else np.zeros(0, np.int32)
    surplus = [_left_out(pieces, number == i) for i in np.flatnonzero(out)]
    return Assembled(_looked_up(pieces, person, tracklet, frame), _told(moments, person), sorted(surplus))


def _teams(p: Pieces, told: Sequence[Told]) -> np.ndarray:
    """(P,) i64 the team of pieces whose shirts surely tell, 1 or 2, else 0."""
    own = np.arange(len(p))
    pieces = worn(own, p.view[:, 0], p.count, (p.first_s, p.last_s), p.look, p.place.mean(1))
    found = sides(lambda _: pieces, _SURE_TEAM, _SEEN_TEAM, [t for t in told if t.rgb is not None])
    return np.array([found.get(row, -1) + 1 for row in own.tolist()], np.int64)


def _surplus(p: Pieces, number: np.ndarray, score: np.ndarray, people: int) -> np.ndarray:
    """(people,) bool: who is mostly seen beside ``people`` clearer ones, by the sum of scores; not those without."""
    out = np.zeros(len(score), bool)
    beside = np.zeros(int(p.last_frame.max(initial=-1)) + 1, np.int32)
    for i in np.argsort(-score, kind="stable")[: int((score > 0).sum())]:
        mine = np.flatnonzero(number == i)
        spans = zip(p.first_frame[mine], p.last_frame[mine] + 1, strict=True)
        frames = np.concatenate([np.arange(a, b) for a, b in spans])
        out[i] = np.mean(beside[frames] >= people) > _AT_ONCE
        beside[frames] += not out[i]
    return out


def _left_out(p: Pieces, mine: np.ndarray) -> Surplus:
    return Surplus(float(p.first_s[mine].min()), float(p.last_s[mine].max()), int(p.count[mine].sum()))


def _told(moments: list[Moment], person: np.ndarray) -> list[Suspicion]:
    """The moments of people that are left; ``person`` (P,) of each piece, −1 for nobody."""
    doubts = [
        Suspicion(m.time_s, int(person[m.piece]), m.what, int(person[m.other]) if m.other >= 0 else 0)
        for m in moments
        if person[m.piece] > 0 and (m.other < 0 or 0 < person[m.other] != person[m.piece])
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
