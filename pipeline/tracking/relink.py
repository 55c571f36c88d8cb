"""The offline pass: tracklets cut where they may go over to somebody else, and linked over absences, all at once.

A link from a piece that ends to a piece that begins later is as likely as the log likelihood ratio of "one person"
against "two people" says: by where the person would have gone, by clothes against those of everybody seen beside them,
by size. The best set of links, at most one out of and one into every piece, is an assignment problem (the path cover of
Zhang, Li and Nevatia, CVPR 2008, where their flow is of one unit). Pieces that overlap in time are never linked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.core.settings import TrackConfig
from pipeline.observe.appearance import distance2
from pipeline.tracking.cuts import BODY_AREA, BORDER_LEN, changes, mean_look, meetings
from pipeline.tracking.glimpses import SPAN_S, Glimpses
from pipeline.tracking.match import match

_END = 3  # glimpses at an end of a piece that its velocity there is taken from
_SPREAD_LEN, _SPREAD_LEN_S = 0.2, 0.3  # standard deviation of where somebody is after a gap: at once, and per second
_COAST_S = 1.0  # how long somebody goes on as before
_LEFT_S = 0.7  # the same of somebody last seen at the border
_AWAY_S = 3.0  # time constant at which somebody unseen may have left the picture, and come back anywhere
_BACK = 0.25  # share of those who left that come back
_SIZE = 0.25  # standard deviation of the logarithm of a size
_LOOK = 0.35  # mean squared distance of one person's clothes to themselves
_BRIEF = 10.0  # observations from which on clothes are believed
_STRANGER = 0.1  # likelihood of a stranger's clothes when nobody is there to compare with
_LEAST_STRANGER = 0.01
_PRIOR = -1.0  # log odds of one person before anything is known
_TURN_LEN2_S2 = 0.02  # product of velocities, in body lengths² / s², that is a turn
_TURNED = 0.1  # share of those leaving the picture who turn round at once
_INSIDE = 1.0  # log likelihood ratio for an end, or a beginning, away from the picture's border
_VELOCITY_VAR, _VELOCITY_VAR_S = (
    0.1,
    0.4,
)  # variance of the change of velocity in a gap, (body lengths / s)²: at once, per s
_ANY_VELOCITY_VAR = 0.5  # the same of two people
_DOUBT = 2.0  # links with a lower log likelihood ratio are worth a look


class Moment(NamedTuple):
    """A time at which an identity may be wrong."""

    time_s: float
    tracklet: int
    what: str


@dataclass
class Pieces:
    """P stretches of tracklets, in the order of their beginning within each tracklet."""

    tracklet: np.ndarray  # (P,) i64
    first_s: np.ndarray  # (P,) f64
    last_s: np.ndarray  # (P,) f64
    first_frame: np.ndarray  # (P,) i64
    last_frame: np.ndarray  # (P,) i64
    count: np.ndarray  # (P,) i64 observations
    score: np.ndarray  # (P,) f64 sum of their scores
    place: np.ndarray  # (P, 2, 2) px of frame 0 at the beginning and at the end
    speed: np.ndarray  # (P, 2, 2) px / s at the beginning and at the end
    length: np.ndarray  # (P, 2) px body length at the beginning and at the end
    edge: np.ndarray  # (P, 2) body lengths to the border of the picture at the beginning and at the end
    look: np.ndarray  # (P, D)

    def __len__(self) -> int:
        return len(self.tracklet)


def cut(glimpses: Glimpses, config: TrackConfig) -> Pieces:
    """Tracklets, cut where their clothes change if the settings want people to be linked again."""
    if not config.relink:
        return pieces(glimpses, np.zeros(len(glimpses), bool))
    return pieces(glimpses, changes(glimpses) | meetings(glimpses))


def link(p: Pieces, size_px: tuple[int, int], limit: float = 0.0) -> tuple[np.ndarray, list[Moment]]:
    """The person of each piece (P,), from 0, and what is doubtful; a link needs a `likelihood` above ``−limit``.

    Chains of pieces are linked again as long as any are: more of a person says more of their clothes.
    """
    ratio = likelihood(p, size_px)
    follower = _links(ratio, limit)
    _rejoin(p, follower)
    person, doubts = _chains(follower), _doubts(p, follower, ratio)
    while True:
        chains = _joined(p, person)
        ratio = likelihood(chains, size_px)
        follower = _links(ratio, limit)
        if not (follower >= 0).any():
            return person, doubts
        doubts += _doubts(chains, follower, ratio)
        person = _chains(follower)[person]


def _joined(p: Pieces, person: np.ndarray) -> Pieces:
    """Each person's pieces as one, under the tracklet that the first is of."""
    order = np.lexsort((p.first_frame, person))
    start = np.flatnonzero(np.diff(person[order], prepend=-1))
    first, last = order[start], order[np.append(start[1:], len(order))[: len(start)] - 1]

    def ends(values: np.ndarray) -> np.ndarray:
        return np.stack([values[first, 0], values[last, 1]], 1)

    weight = np.where(np.isfinite(p.look), p.count[:, None], 0).astype(np.float64)[order]
    total = np.add.reduceat(weight, start) if len(start) else weight
    worn = np.add.reduceat(weight * np.nan_to_num(p.look[order]), start) if len(start) else weight
    return Pieces(
        tracklet=p.tracklet[first],
        first_s=p.first_s[first],
        last_s=p.last_s[last],
        first_frame=p.first_frame[first],
        last_frame=p.last_frame[last],
        count=np.bincount(person, p.count).astype(np.int64),
        score=np.bincount(person, p.score),
        place=ends(p.place),
        speed=ends(p.speed),
        length=ends(p.length),
        edge=ends(p.edge),
        look=np.where(total > 0, worn / np.maximum(total, 1e-9), np.nan),
    )


def pieces(g: Glimpses, cuts: np.ndarray) -> Pieces:
    """The pieces between cuts; ``cuts (G,)`` is true for glimpses that begin one though their tracklet goes on."""
    start = np.flatnonzero((np.diff(g.tracklet, prepend=-1) != 0) | cuts)
    stop = np.append(start[1:], len(g))[: len(start)]
    spans = list(zip(start.tolist(), stop.tolist(), strict=True))
    ends = [(_end(g, a, min(a + _END, b)), _end(g, max(b - _END, a), b)) for a, b in spans]
    look = np.array([mean_look(g, a, b) for a, b in spans])
    place = np.array([[e[0] for e in pair] for pair in ends]).reshape(-1, 2, 2)
    speed = np.array([[e[1] for e in pair] for pair in ends]).reshape(-1, 2, 2)
    middle = np.array([[e[2] for e in pair] for pair in ends]).reshape(-1, 2)
    length = np.array([[e[3] for e in pair] for pair in ends]).reshape(-1, 2) / np.sqrt(BODY_AREA)
    edges = np.stack([g.first_s[start], g.last_s[stop - 1]], 1) if len(start) else np.zeros((0, 2))
    return Pieces(
        tracklet=g.tracklet[start],
        first_s=edges[:, 0],
        last_s=edges[:, 1],
        first_frame=g.first_frame[start],
        last_frame=g.last_frame[stop - 1],
        count=np.add.reduceat(g.count, start) if len(start) else g.count,
        score=np.add.reduceat(g.score, start) if len(start) else g.score,
        place=place + speed * (edges - middle)[..., None],
        speed=speed,
        length=length,
        edge=np.stack([g.edge[start], g.edge[stop - 1]], 1) / np.maximum(length, 1e-6) if len(start) else length,
        look=look.reshape(len(start), g.look.shape[1]),
    )


def _end(g: Glimpses, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Mean place, velocity, time and √ box area of some glimpses."""
    w = g.count[start:stop] / g.count[start:stop].sum()
    t, place = g.time_s[start:stop], g.place[start:stop]
    middle, at = float(w @ t), w @ place
    spread = float(w @ np.square(t - middle))
    # Too short a stretch says little of speed: as if it had been seen to stand for a while beside.
    speed = (w * (t - middle)) @ (place - at) / (spread + (0.2 * SPAN_S) ** 2)
    return at, speed, middle, float(w @ g.length[start:stop])


# --- linking ---------------------------------------------------------------------------------------------------------


def likelihood(p: Pieces, size_px: tuple[int, int]) -> np.ndarray:
    """(P, P) log likelihood ratio that the person of a row goes on as the piece of a column; −inf where impossible."""
    gap = p.first_s[None, :] - p.last_s[:, None]
    after = p.first_frame[None, :] > p.last_frame[:, None]
    gap = np.where(after, np.maximum(gap, 0.0), 0.0)
    length = np.sqrt(p.length[:, 1, None] * p.length[None, :, 0])
    coast = np.minimum(gap, _COAST_S)[..., None]
    ahead = p.place[:, None, 1] + p.speed[:, None, 1] * coast / 2
    behind = p.place[None, :, 0] - p.speed[None, :, 0] * coast / 2
    off2 = np.square((ahead - behind) / length[..., None]).sum(-1)
    var = np.square(_SPREAD_LEN + _SPREAD_LEN_S * gap)
    area = size_px[0] * size_px[1] / np.square(length)  # of the picture, in body lengths²
    there = np.exp(-off2 / (2 * var)) * area / (2 * np.pi * var)
    there = there * _steadiness(p, gap, length)
    inside = p.edge > BORDER_LEN
    # Who walks out and who walks in where the other left are rarely one.
    against = np.einsum("ic,jc->ij", p.speed[:, 1], p.speed[:, 0]) / np.square(length) < -_TURN_LEN2_S2
    there = there * np.where(against & ~inside[:, 1, None] & ~inside[None, :, 0], _TURNED, 1.0)
    away = 1 - np.exp(-gap / np.where(inside[:, 1], _AWAY_S, _LEFT_S)[:, None])
    gone = np.maximum(after.sum(0), 1)[None, :]  # among whom the one who comes must be
    hidden = np.where(inside[:, 1], 1 - _BACK, 0.0)[:, None] * np.minimum(there, 1.0)
    place = np.log((1 - away) * there + away * (hidden + _BACK / gone) + 1e-12)
    # People come and go at the borders: who vanishes and who appears elsewhere was behind something.
    vanished = _INSIDE * (inside[:, 1, None].astype(float) + inside[None, :, 0])
    size = np.log(p.length[:, 1, None] / p.length[None, :, 0])
    spread = np.square(_SIZE) + np.square(0.05 * gap)
    ratio = _PRIOR + vanished + place + clothes(p) - np.minimum(np.square(size) / (2 * spread), 6.0)
    return np.where(after, ratio, -np.inf)


def _steadiness(p: Pieces, gap: np.ndarray, length: np.ndarray) -> np.ndarray:
    """(P, P) likelihood ratio of the velocities on both sides of gaps (P, P) s: one person's against two people's."""
    turn2 = np.square((p.speed[:, None, 1] - p.speed[None, :, 0]) / length[..., None]).sum(-1)
    var = np.minimum(_VELOCITY_VAR + _VELOCITY_VAR_S * gap, _ANY_VELOCITY_VAR)
    return _ANY_VELOCITY_VAR / var * np.exp(turn2 * (0.5 / _ANY_VELOCITY_VAR - 0.5 / var))


def clothes(p: Pieces) -> np.ndarray:
    """(P, P) log likelihood ratio of two pieces' clothes: alike, against those of people seen beside them."""
    far, common = distance2(p.look[:, None], p.look[None])
    # Who is seen briefly is seen behind others, and wears some of their clothes.
    count = np.minimum(p.count[:, None], p.count[None]).astype(np.float64)
    alike = np.exp(-far / _LOOK * count / (count + _BRIEF))
    together = (p.first_frame[:, None] <= p.last_frame[None]) & (p.first_frame[None] <= p.last_frame[:, None])
    together &= (common > 0) & ~np.eye(len(p), dtype=bool)
    weight = np.minimum(p.count, 50).astype(np.float64)
    seen = (together * weight[None]).sum(1)
    others = (together * weight[None] * alike).sum(1)
    # Those whom a piece was seen beside are others for sure; as long as few were, an average stranger is among them.
    strange = (others + 50 * _STRANGER) / (seen + 50)
    strange = np.maximum(np.maximum(strange[:, None], strange[None]), _LEAST_STRANGER)
    return np.where(common > 0, np.log(alike + 1e-6) - np.log(strange), 0.0)


def _links(ratio: np.ndarray, limit: float) -> np.ndarray:
    """(P,) the piece that follows each, −1 for none: the links whose ratios add up to most, each above ``−limit``."""
    follower = np.full(len(ratio), -1)
    shift = limit + 50.0  # costs of the solver are positive
    rows, columns = match(np.where(ratio > -limit, shift - limit - ratio, np.inf), shift)
    follower[rows] = columns
    return follower


def _rejoin(p: Pieces, follower: np.ndarray) -> None:
    """Pieces of one tracklet that were cut, and then linked to nobody, belong together again."""
    led = np.zeros(len(p), bool)
    led[follower[follower >= 0]] = True
    for i in range(len(p) - 1):
        if p.tracklet[i] == p.tracklet[i + 1] and follower[i] < 0 and not led[i + 1]:
            follower[i] = i + 1


def _chains(follower: np.ndarray) -> np.ndarray:
    """(P,) number of the chain that each piece is in."""
    chain = np.full(len(follower), -1)
    led = np.zeros(len(follower), bool)
    led[follower[follower >= 0]] = True
    for number, start in enumerate(np.flatnonzero(~led)):
        i = int(start)
        while i >= 0:
            chain[i], i = number, int(follower[i])
    return chain


def _doubts(p: Pieces, follower: np.ndarray, ratio: np.ndarray) -> list[Moment]:
    """Links that the evidence hardly carries, and changes of clothes within a tracklet."""
    out = []
    for i, j in enumerate(follower):
        if j < 0:
            continue
        own = p.tracklet[i] == p.tracklet[j]
        gap = p.first_s[j] - p.last_s[i]
        if own and ratio[i, j] < 0:
            out.append(Moment(float(p.first_s[j]), int(p.tracklet[j]), "other clothes from here on"))
        elif not own and any(p.tracklet[k] == p.tracklet[i] for k in (i + 1,) if k < len(p)):
            out.append(Moment(float(p.first_s[j]), int(p.tracklet[j]), "identities exchanged here, by clothes"))
        elif not own and ratio[i, j] < _DOUBT:
            out.append(Moment(float(p.first_s[j]), int(p.tracklet[j]), f"taken for the same person after {gap:.1f} s"))
    return out
