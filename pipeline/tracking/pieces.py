"""Pieces: summaries of tracklets between cuts; and chains of pieces that are one person, in the same form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.settings import TrackConfig
from pipeline.tracking.cuts import BODY_AREA, changes, mean_look, meetings
from pipeline.tracking.glimpses import SPAN_S, Glimpses

_END = 3  # glimpses at each end of a piece from which the velocity there is taken


@dataclass(frozen=True)
class Pieces:
    """P stretches of tracklets, in the order of their beginning within each tracklet; or P chains of such.

    A piece's id is its row among all pieces of the video.
    """

    first_id: np.ndarray  # (P,) i64 id of a chain's first piece
    last_id: np.ndarray  # (P,) i64 id of a chain's last piece; a single piece has its own id in both
    tracklet: np.ndarray  # (P,) i64 of the first piece
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
    view: np.ndarray  # (P, 2) i64 number of the camera at the beginning and at the end
    look: np.ndarray  # (P, D)
    team: np.ndarray  # (P,) i64 1 or 2 by surely the kit of one of two teams, else 0

    def __len__(self) -> int:
        return len(self.tracklet)


def cut(glimpses: Glimpses, config: TrackConfig) -> Pieces:
    """Tracklets, cut where their clothes change if the settings want people to be linked again."""
    if not config.relink:
        return pieces(glimpses, np.zeros(len(glimpses), bool))
    return pieces(glimpses, changes(glimpses) | meetings(glimpses))


def pieces(g: Glimpses, cuts: np.ndarray) -> Pieces:
    """The pieces between cuts; ``cuts (G,)`` is true for glimpses that begin a new piece of the same tracklet."""
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
    own = np.arange(len(start))
    return Pieces(
        first_id=own,
        last_id=own,
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
        view=np.stack([g.view[start], g.view[stop - 1]], 1),
        look=look.reshape(len(start), g.look.shape[1]),
        team=np.zeros(len(start), np.int64),
    )


def _end(g: Glimpses, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Mean place, velocity, time and √ box area of some glimpses."""
    w = g.count[start:stop] / g.count[start:stop].sum()
    t, place = g.time_s[start:stop], g.place[start:stop]
    middle, at = float(w @ t), w @ place
    spread = float(w @ np.square(t - middle))
    # A short stretch says little of speed: the fit shrinks the speed, as if the person had also stood for a while.
    speed = (w * (t - middle)) @ (place - at) / (spread + (0.2 * SPAN_S) ** 2)
    return at, speed, middle, float(w @ g.length[start:stop])


def joined(p: Pieces, person: np.ndarray) -> Pieces:
    """Each person's pieces joined into one, with the tracklet of the first piece."""
    order = np.lexsort((p.first_frame, person))
    start = np.flatnonzero(np.diff(person[order], prepend=-1))
    first, last = order[start], order[np.append(start[1:], len(order))[: len(start)] - 1]

    def ends(values: np.ndarray) -> np.ndarray:
        return np.stack([values[first, 0], values[last, 1]], 1)

    weight = np.where(np.isfinite(p.look), p.count[:, None], 0).astype(np.float64)[order]
    total = np.add.reduceat(weight, start) if len(start) else weight
    worn = np.add.reduceat(weight * np.nan_to_num(p.look[order]), start) if len(start) else weight
    return Pieces(
        first_id=p.first_id[first],
        last_id=p.last_id[last],
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
        view=ends(p.view),
        look=np.where(total > 0, worn / np.maximum(total, 1e-9), np.nan),
        team=_team(p, person),
    )


def foes(p: Pieces, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(E,) bool: whether pieces (E,) and (E,) are of different teams, so that they are no one person's."""
    return (p.team[one] > 0) & (p.team[other] > 0) & (p.team[one] != p.team[other])


def _team(p: Pieces, person: np.ndarray) -> np.ndarray:
    """Each person's team, that of most observations of the person's pieces."""
    size = int(person.max(initial=-1)) + 1
    seen = [np.bincount(person, p.count * (p.team == team), minlength=size) for team in (1, 2)]
    return np.where(np.maximum(*seen) > 0, np.where(seen[1] > seen[0], 2, 1), 0).astype(np.int64)
