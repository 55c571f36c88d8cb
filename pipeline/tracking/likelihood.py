"""How likely two pieces are one person: the log likelihood ratio, one person against two, of each possible link.

The ratio has three terms: place (where the person would have gone), clothes (compared with those of the people seen
beside the person) and size. Links are worked out in blocks, and only links that may be chosen are kept, so memory grows
with the number of people present at one time, not with the square of all people.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.observe.appearance import SIZE, distance2
from pipeline.tracking.cuts import BORDER_LEN
from pipeline.tracking.pieces import Pieces, foes

_SPREAD_LEN, _SPREAD_LEN_S = 0.2, 0.3  # standard deviation of where somebody is after a gap: at once, and per second
_COAST_S = 1.0  # how long a person keeps the velocity after the last sighting
_LEFT_S = 0.7  # the same for a person last seen at the border
_AWAY_S = 3.0  # time constant after which an unseen person may have left the picture, and may return anywhere
_BACK = 0.25  # share of the people who left that come back
_SIZE = 0.25  # standard deviation of the logarithm of a size
_LOOK = 0.35  # mean squared distance between two sightings of one person's clothes
_BRIEF = 10.0  # observations from which on clothes are believed
_STRANGER = 0.1  # likelihood of a stranger's clothes when nobody is there to compare with
_STRANGER_REID = 0.04  # the same of a ReID network's vectors: OSNet's mean over strangers in three MOT15 sequences
_LEAST_STRANGER = 0.01
_PRIOR = -1.0  # log odds of one person before anything is known
EVEN = -_PRIOR  # limit of links for which place, clothes and size together speak
_TURN_LEN2_S2 = 0.02  # product of velocities, in body lengths² / s², from which a person has turned round
_TURNED = 0.1  # share of those leaving the picture who turn round at once
_INSIDE = 1.0  # log likelihood ratio for an end, or a beginning, away from the picture's border
# Variance of the change of velocity in a gap, (body lengths / s)²: at once, and per second.
_VELOCITY_VAR, _VELOCITY_VAR_S = 0.1, 0.4
_ANY_VELOCITY_VAR = 0.5  # the same between two different people
_STEADY_S = 1.0  # gap from which on velocities on both sides say nothing for one person
_TINY = 1e-12  # likelihood of an impossible event
_ALIKE = 0.25  # mean squared distance of clothes below which people of two cameras may be one
_PARTS = 2  # parts of the body that both show, at least
_AHEAD = 0.7  # log likelihood ratio by which clothes must be more alike than those of anybody else
_NOT_TOLD = -50.0  # log likelihood ratio of two cameras where clothes do not tell
_MOST_SIZE = 6.0  # largest log likelihood ratio of sizes against a link
_MOST_CLOTHES = float(np.log1p(1e-6) - np.log(_LEAST_STRANGER))  # the largest of clothes for a link
_BLOCK_VALUES = 1_000_000  # of appearances that are compared at once
_MOST_LINKS, _LEAST_LINKS = 4_000_000, 100  # links kept altogether, and least links kept of each piece


class Links(NamedTuple):
    """E possible links: the rows of the two pieces, and log likelihood ratios for one person against two."""

    before: np.ndarray  # (E,) i64 the piece that ends, ascending
    after: np.ndarray  # (E,) i64 the piece that begins later
    place: np.ndarray  # (E,) f64 where and how they went, and whether at the border of the picture
    clothes: np.ndarray  # (E,) f64
    size: np.ndarray  # (E,) f64

    @property
    def ratio(self) -> np.ndarray:
        """(E,) f64 of all terms together."""
        return _PRIOR + self.place + self.clothes + self.size

    def take(self, rows: np.ndarray) -> Links:
        """The given rows."""
        return Links(*(column[rows] for column in self))


def possible_links(p: Pieces, size_px: tuple[int, int], limit: float = 0.0) -> Links:
    """The links whose ratio is above ``−limit``; pieces that overlap in time, or of two teams, have no link.

    Where there are more than `_MOST_LINKS`, only the most likely links out of each piece are kept.
    """
    gone = _gone(p)
    strange = _strangers(p)
    most = max(_MOST_LINKS // max(len(p), 1), _LEAST_LINKS)
    found = [Links(*np.zeros((2, 0), np.int64), *np.zeros((3, 0)))]
    for before, after in _blocks(*_candidates(p, gone, size_px, limit), _block(p)):
        place, size = _place(p, before, after, gone, size_px), _size(p, before, after)
        across = p.view[before, 1] != p.view[after, 0]  # places and sizes of two cameras say nothing
        place, size = np.where(across, 0.0, place), np.where(across, 0.0, size)
        some = np.flatnonzero(_PRIOR + place + size + _MOST_CLOTHES > -limit)
        before, after = before[some], after[some]
        clothes = _clothes(p, strange, before, after)
        clothes = np.where(across[some] & ~_clothes_tell(p, before, after), _NOT_TOLD, clothes)
        links = Links(before, after, place[some], clothes, size[some])
        links = links.take(np.flatnonzero((links.ratio > -limit) & ~foes(p, links.before, links.after)))
        found.append(_likeliest(links, most))
    return _only_ones(p, Links(*(np.concatenate(columns) for columns in zip(*found, strict=True))))


def _clothes_tell(p: Pieces, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(E,) bool: the clothes of two pieces are seen well enough, and so alike, that they may link two cameras."""
    far, common = distance2(p.look[one], p.look[other])
    return (far < _ALIKE) & (common >= _PARTS) & (np.minimum(p.count[one], p.count[other]) >= _BRIEF)


def _only_ones(p: Pieces, links: Links) -> Links:
    """The links, without those between two cameras that have a rival with nearly the same clothes."""
    across = p.view[links.before, 1] != p.view[links.after, 0]
    if not across.any():
        return links
    rivalled = np.zeros(len(across), bool)
    for ends in (links.before, links.after):
        best, second = np.full((2, len(p)), -np.inf)
        for row in np.flatnonzero(across).tolist():
            end, value = ends[row], links.clothes[row]
            if value > best[end]:
                best[end], second[end] = value, best[end]
            else:
                second[end] = max(second[end], value)
        mine = links.clothes == best[ends]
        rivalled |= np.where(mine, second[ends], best[ends]) > links.clothes - _AHEAD
    return links.take(np.flatnonzero(~(across & rivalled)))


def _likeliest(links: Links, most: int) -> Links:
    """The likeliest links out of each piece, at most ``most`` of each."""
    order = np.lexsort((links.after, -links.ratio, links.before))
    start = np.flatnonzero(np.diff(links.before[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(start, np.diff(np.append(start, len(order))))
    return links.take(np.sort(order[rank < most]))


# --- which links -----------------------------------------------------------------------------------------------------


def _gone(p: Pieces) -> np.ndarray:
    """(P,) how many pieces had ended when each piece began, at least 1: a person who returns is one of those."""
    return np.maximum(np.searchsorted(np.sort(p.last_frame), p.first_frame, "left"), 1)


def _candidates(
    p: Pieces, gone: np.ndarray, size_px: tuple[int, int], limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pieces in order of their beginning (P,), and the range of possible followers of each piece in it: (P,), (P,).

    A follower begins after the piece ends. The gap must be so short, or so few people gone, that a ratio above
    ``−limit`` is possible: the likelihood in `_place` is at most the sum of that of being there, which falls with the
    gap, and that of coming back.
    """
    order = np.argsort(p.first_frame, kind="stable")
    start = np.searchsorted(p.first_frame[order], p.last_frame, "right")
    needed = np.exp(-limit - _PRIOR - 2 * _INSIDE - _MOST_CLOTHES) - _TINY
    half = max(needed / 2, 1e-300)  # one of the two likelihoods must be above this
    area = size_px[0] * size_px[1] / (p.length[:, 1] * p.length[:, 0].min(initial=np.inf))
    reach_s = np.maximum((np.sqrt(area / (2 * np.pi * half)) - _SPREAD_LEN) / _SPREAD_LEN_S, _STEADY_S)
    soon = np.searchsorted(p.first_s[order], p.last_s + reach_s, "right")
    few = int(np.searchsorted(gone[order], _BACK / half, "left"))
    return order, start, np.maximum(np.maximum(soon, few), start)


def _blocks(
    order: np.ndarray, start: np.ndarray, stop: np.ndarray, most: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows (n,) and their partners ``order[start[row]:stop[row]]`` (n,), some whole rows at a time, ``most`` or one."""
    count = stop - start
    ends = np.cumsum(count)
    row = 0
    while row < len(count):
        last = max(int(np.searchsorted(ends, ends[row] - count[row] + most, "right")), row + 1)
        rows = np.repeat(np.arange(row, last), count[row:last])
        within = np.arange(len(rows)) - (ends[rows] - count[rows] - (ends[row] - count[row]))
        yield rows, order[start[rows] + within]
        row = last


def _block(p: Pieces) -> int:
    """Pairs that are worked on at once."""
    return max(_BLOCK_VALUES // max(p.look.shape[1], 1), 1)


# --- what speaks for a link ------------------------------------------------------------------------------------------


def _place(p: Pieces, before: np.ndarray, after: np.ndarray, gone: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """(E,) log likelihood ratio by place, velocity and the picture's borders."""
    gap = np.maximum(p.first_s[after] - p.last_s[before], 0.0)
    length = np.sqrt(p.length[before, 1] * p.length[after, 0])
    there = _there(p, before, after, gap, length, size_px)
    inside, inside_after = p.edge[before, 1] > BORDER_LEN, p.edge[after, 0] > BORDER_LEN
    # A person who walks out and a person who walks in at the same place are rarely one person.
    against = (p.speed[before, 1] * p.speed[after, 0]).sum(-1) / np.square(length) < -_TURN_LEN2_S2
    there = there * np.where(against & ~inside & ~inside_after, _TURNED, 1.0)
    away = 1 - np.exp(-gap / np.where(inside, _AWAY_S, _LEFT_S))
    hidden = np.where(inside, 1 - _BACK, 0.0) * np.minimum(there, 1.0)
    # People enter and leave at the borders: a person who vanishes or appears elsewhere was behind something.
    vanished = _INSIDE * (inside.astype(float) + inside_after)
    return vanished + np.log((1 - away) * there + away * (hidden + _BACK / gone[after]) + _TINY)


def _there(
    p: Pieces, before: np.ndarray, after: np.ndarray, gap: np.ndarray, length: np.ndarray, size_px: tuple[int, int]
) -> np.ndarray:
    """(E,) likelihood ratio of place and velocity across a gap: one person moving on, against a person anywhere."""
    coast = np.minimum(gap, _COAST_S)[:, None]
    ahead = p.place[before, 1] + p.speed[before, 1] * coast / 2
    behind = p.place[after, 0] - p.speed[after, 0] * coast / 2
    off2 = np.square((ahead - behind) / length[:, None]).sum(-1)
    var = np.square(_SPREAD_LEN + _SPREAD_LEN_S * gap)
    area = size_px[0] * size_px[1] / np.square(length)  # of the picture, in body lengths²
    turn2 = np.square((p.speed[before, 1] - p.speed[after, 0]) / length[:, None]).sum(-1)
    turn_var = np.minimum(_VELOCITY_VAR + _VELOCITY_VAR_S * gap, _ANY_VELOCITY_VAR)
    steady = _ANY_VELOCITY_VAR / turn_var * np.exp(turn2 * (0.5 / _ANY_VELOCITY_VAR - 0.5 / turn_var))
    return np.exp(-off2 / (2 * var)) * area / (2 * np.pi * var) * steady


def _size(p: Pieces, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(E,) log likelihood ratio by size."""
    gap = np.maximum(p.first_s[after] - p.last_s[before], 0.0)
    size = np.log(p.length[before, 1] / p.length[after, 0])
    spread = np.square(_SIZE) + np.square(0.05 * gap)
    return -np.minimum(np.square(size) / (2 * spread), _MOST_SIZE)


def _clothes(p: Pieces, strange: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(E,) log likelihood ratio by clothes: how alike they are, against the clothes of people seen beside them."""
    alike, known = _alike(p, before, after)
    stranger = np.maximum(np.maximum(strange[before], strange[after]), _LEAST_STRANGER)
    return np.where(known, np.log(alike + 1e-6) - np.log(stranger), 0.0)


def _alike(p: Pieces, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(E,) likelihood of the clothes of two pieces if they are one person's, and whether any part of both is seen."""
    far, common = distance2(p.look[one], p.look[other])
    # A person seen briefly is mostly seen behind others, and the description mixes in their clothes.
    count = np.minimum(p.count[one], p.count[other]).astype(np.float64)
    return np.exp(-far / _LOOK * count / (count + _BRIEF)), common > 0


def _strangers(p: Pieces) -> np.ndarray:
    """(P,) likelihood of a stranger's clothes: how alike a piece is to the pieces seen beside it.

    Pieces seen at the same time are certainly other people. Where few were seen, an average stranger is added to them.
    """
    order = np.argsort(p.first_frame, kind="stable")
    stop = np.searchsorted(p.first_frame[order], p.last_frame[order], "right")
    weight = np.minimum(p.count, 50).astype(np.float64)
    seen, others = np.zeros(len(p)), np.zeros(len(p))
    for row, two in _blocks(order, np.minimum(np.arange(len(p)) + 1, stop), stop, _block(p)):
        one = order[row]
        alike, known = _alike(p, one, two)
        for mine, theirs in ((one, two), (two, one)):
            seen += np.bincount(mine, weight[theirs] * known, len(p))
            others += np.bincount(mine, weight[theirs] * known * alike, len(p))
    average = _STRANGER if p.look.shape[1] == SIZE else _STRANGER_REID
    return (others + 50 * average) / (seen + 50)
