"""The offline pass: tracklets cut where clothes change, and linked over occlusions and absences, all at once.

A link from a piece that ends to a piece that begins later is as likely as the log likelihood ratio of "one person"
against "two people" says: by where the person would have gone, by clothes against those of everybody seen beside them,
by size. The best set of links, at most one out of and one into every piece, is an assignment problem (the path cover of
Zhang, Li and Nevatia, CVPR 2008, where their flow is of one unit). Pieces that overlap in time are never linked.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipeline.appearance import distance2
from pipeline.config import TrackConfig
from pipeline.track.associate import match
from pipeline.track.glimpses import SPAN_S, Glimpses

_BODY_AREA = 0.4  # area of a standing person's box in squared body lengths, as in the tracker
_END = 3  # glimpses at an end of a piece that its velocity there is taken from
_SIDE = 6  # glimpses on either side of a cut that are compared
_SPREAD_LEN, _SPREAD_LEN_S = 0.2, 0.3  # standard deviation of where somebody is after a gap: at once, and per second
_COAST_S = 1.0  # how long somebody goes on as before
_LEFT_S = 0.7  # the same of somebody last seen at the border
_AWAY_S = 3.0  # time constant at which somebody unseen may have left the picture, and come back anywhere
_BACK = 0.25  # share of those who left that come back
_SIZE = 0.25  # standard deviation of the logarithm of a size
_LOOK = 0.35  # mean squared distance of one person's clothes to themselves
_STRANGER = 0.1  # likelihood of a stranger's clothes when nobody is there to compare with
_LEAST_STRANGER = 0.01
_PRIOR = -1.0  # log odds of one person before anything is known
_TURN_LEN2_S2 = 0.02  # product of velocities, in body lengths² / s², that is a turn
_TURNED = 0.1  # share of those leaving the picture who turn round at once
_INSIDE = 1.0  # log likelihood ratio for an end, or a beginning, away from the picture's border
_BORDER_LEN = 0.3  # body lengths that are away
_CUT = 0.6  # distance of clothes before and after from which a tracklet is cut
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
    return pieces(glimpses, _cuts(glimpses) if config.relink else np.zeros(len(glimpses), bool))


def link(p: Pieces, ratio: np.ndarray, limit: float = 0.0) -> tuple[np.ndarray, list[Moment]]:
    """The person of each piece (P,), from 0, and what is doubtful.

    ``ratio (P, P)`` is their `likelihood`; a link needs more than ``−limit``.
    """
    follower = _links(ratio, limit)
    _rejoin(p, follower)
    return _chains(follower), _doubts(p, follower, ratio)


def pieces(g: Glimpses, cuts: np.ndarray) -> Pieces:
    """The pieces between cuts; ``cuts (G,)`` is true for glimpses that begin one though their tracklet goes on."""
    start = np.flatnonzero((np.diff(g.tracklet, prepend=-1) != 0) | cuts)
    stop = np.append(start[1:], len(g))[: len(start)]
    spans = list(zip(start.tolist(), stop.tolist(), strict=True))
    ends = [(_end(g, a, min(a + _END, b)), _end(g, max(b - _END, a), b)) for a, b in spans]
    look = np.array([_mean_look(g, a, b) for a, b in spans])
    place = np.array([[e[0] for e in pair] for pair in ends]).reshape(-1, 2, 2)
    speed = np.array([[e[1] for e in pair] for pair in ends]).reshape(-1, 2, 2)
    middle = np.array([[e[2] for e in pair] for pair in ends]).reshape(-1, 2)
    length = np.array([[e[3] for e in pair] for pair in ends]).reshape(-1, 2) / np.sqrt(_BODY_AREA)
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


def _mean_look(g: Glimpses, start: int, stop: int) -> np.ndarray:
    """Mean appearance (D,) of some glimpses, NaN where none has the part."""
    values, weight = g.look[start:stop], g.count[start:stop, None].astype(np.float64)
    known = np.isfinite(values)
    total = (known * weight).sum(0)
    return np.where(total > 0, np.where(known, values * weight, 0).sum(0) / np.maximum(total, 1e-9), np.nan)


# --- cutting ---------------------------------------------------------------------------------------------------------


def _cuts(g: Glimpses) -> np.ndarray:
    """(G,) bool: glimpses from which on a tracklet wears other clothes."""
    out = np.zeros(len(g), bool)
    edges = np.append(np.flatnonzero(np.diff(g.tracklet, prepend=-1)), len(g))
    for start, stop in pairwise(edges.tolist()):
        here = start
        while there := _change(g, here, stop):
            out[list(there)] = True
            here = there[1]
    return out


def _change(g: Glimpses, start: int, stop: int) -> tuple[int, int] | None:
    """The first change of clothes within [start, stop): between which glimpses it lies, as little may be seen then."""
    candidates = range(start + 2, stop - 1)
    jumps = np.array([_jump(g, start, c, stop) for c in candidates])
    if not len(jumps) or jumps.max() < _CUT:
        return None
    first = int(np.argmax(jumps >= _CUT))
    peak = first + int(jumps[first : first + _SIDE].argmax())
    high = jumps >= max(_CUT, 0.8 * jumps[peak])
    low, last = peak, peak
    while low > 0 and high[low - 1]:
        low -= 1
    while last + 1 < len(high) and high[last + 1]:
        last += 1
    return candidates[low], candidates[last]


def _jump(g: Glimpses, start: int, cut: int, stop: int) -> float:
    """How much further apart the clothes before and after are than each side is within itself."""
    a, b = max(start, cut - _SIDE), min(stop, cut + _SIDE)
    before, after = _mean_look(g, a, cut), _mean_look(g, cut, b)
    far, common = distance2(before, after)
    if common < 2:
        return 0.0
    inside = [distance2(mean, g.look[i:j])[0].mean() for mean, i, j in ((before, a, cut), (after, cut, b))]
    return float(far - 2 * max(inside))


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
    inside = p.edge > _BORDER_LEN
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


def clothes(p: Pieces) -> np.ndarray:
    """(P, P) log likelihood ratio of two pieces' clothes: alike, against those of people seen beside them."""
    far, common = distance2(p.look[:, None], p.look[None])
    alike = np.exp(-far / _LOOK)
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
