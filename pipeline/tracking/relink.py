"""The offline pass: pieces of tracklets linked over absences, all at once.

A link from a piece that ends to a piece that begins later is as likely as the log likelihood ratio of "one person"
against "two people" says (`pipeline.tracking.likelihood`). The best set of links, at most one out of and one into every
piece, is an assignment problem (the path cover of Zhang, Li and Nevatia, CVPR 2008, where their flow is of one unit).
Pieces that overlap in time are never linked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.tracking.likelihood import EVEN, possible_links
from pipeline.tracking.match import most_gained
from pipeline.tracking.pieces import Pieces, foes, joined

_DOUBT = 2.0  # links with a lower log likelihood ratio are reported as doubtful, and so are those that just fail
_RETURN = "may be person {other}, who left %.1f s before (if so: poseline people RUN --merge {other} {own})"


class Moment(NamedTuple):
    """A time at which an identity may be wrong, and the piece that begins then.

    ``what`` has the fields {own} and {other} where people are named: who that is, is known only after all edits.
    """

    time_s: float
    piece: int
    what: str
    other: int = -1  # a piece of the person who it may be; −1: nobody in particular


class _Chosen(NamedTuple):
    """The piece that follows each piece (P,), −1 for none, and the log likelihood ratio of that link (P,)."""

    follower: np.ndarray
    ratio: np.ndarray


def link(p: Pieces, size_px: tuple[int, int], limit: float = 0.0) -> tuple[np.ndarray, list[Moment]]:
    """The person of each piece (P,), from 0, and the doubtful moments; a link needs a log ratio above ``−limit``.

    Chains of pieces are linked again until no new link is found: a longer chain tells more of a person's clothes.
    """
    links = _rejoined(p, _linked(p, size_px, limit))
    person, doubts = _chains(links.follower), _doubts(p, p, links)
    while True:
        chains = joined(p, person)
        links = _linked(chains, size_px, limit)
        if not (links.follower >= 0).any():
            return person, doubts + _returns(chains, size_px, limit)
        doubts += _doubts(p, chains, links)
        person = _chains(links.follower)[person]


def link_some(
    p: Pieces, person: np.ndarray, known: np.ndarray, most: int, size_px: tuple[int, int]
) -> tuple[np.ndarray, list[Moment]]:
    """The person of each piece (P,) after ``most`` more links, and their moments; the same people if there are none.

    Only whole people of ``known`` (bool of each person) are linked, and only where place, clothes and size speak for
    one person: that there are few people takes the place of the prior, not of evidence.
    """
    chains = joined(p, person)
    links = _linked(chains, size_px, EVEN)
    before = np.flatnonzero(links.follower >= 0)
    before = before[known[before] & known[links.follower[before]]]
    before = before[np.argsort(-links.ratio[before], kind="stable")][:most]
    follower, moments = np.full(len(chains), -1), []
    follower[before] = links.follower[before]
    for one, other in zip(before.tolist(), follower[before].tolist(), strict=True):
        at_s = float(chains.first_s[other])
        what = f"taken for the same person after {at_s - float(chains.last_s[one]):.1f} s, as people are said to be few"
        moments.append(Moment(at_s, int(chains.first_id[other]), what))
    return _chains(follower)[person], moments


def _linked(p: Pieces, size_px: tuple[int, int], limit: float) -> _Chosen:
    """The links that speak most for one person, each with a ratio above ``−limit``."""
    possible = possible_links(p, size_px, limit)
    chosen = most_gained(possible.before, possible.after, possible.ratio + limit, len(p))
    follower, ratio = np.full(len(p), -1), np.full(len(p), -np.inf)
    follower[possible.before[chosen]] = possible.after[chosen]
    ratio[possible.before[chosen]] = possible.ratio[chosen]
    return _Chosen(follower, ratio)


def _rejoined(p: Pieces, links: _Chosen) -> _Chosen:
    """The links, with two pieces of one tracklet joined again where they were cut and then linked to nobody."""
    led = np.zeros(len(p) + 1, bool)
    led[links.follower] = True  # −1 is nobody's place
    rows = np.arange(max(len(p) - 1, 0))
    own = (p.tracklet[rows] == p.tracklet[rows + 1]) & ~foes(p, rows, rows + 1)
    alone = np.append(own, False)[: len(p)] & (links.follower < 0) & ~led[1:]
    return links._replace(follower=np.where(alone, np.arange(len(p)) + 1, links.follower))


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


def _doubts(p: Pieces, chains: Pieces, links: _Chosen) -> list[Moment]:
    """Moments of links between chains with weak evidence, and of changes of clothes within a tracklet."""
    out = []
    for row in np.flatnonzero(links.follower >= 0).tolist():
        before, after = int(chains.last_id[row]), int(chains.first_id[links.follower[row]])
        ratio, at_s = float(links.ratio[row]), float(p.first_s[after])
        own = p.tracklet[before] == p.tracklet[after]
        goes_on = before + 1 < len(p) and p.tracklet[before + 1] == p.tracklet[before]
        if own and ratio < 0:
            out.append(Moment(at_s, after, "other clothes from here on"))
        elif not own and goes_on:
            out.append(Moment(at_s, after, "identities exchanged here, by clothes"))
        elif not own and ratio < _DOUBT:
            gap_s = at_s - float(p.last_s[before])
            out.append(Moment(at_s, after, f"taken for the same person after {gap_s:.1f} s"))
    return out


def _returns(chains: Pieces, size_px: tuple[int, int], limit: float) -> list[Moment]:
    """Moments at which somebody begins who may be a person who left, though the evidence was not quite enough."""
    links = _linked(chains, size_px, limit + _DOUBT)
    out = []
    for row in np.flatnonzero(links.follower >= 0).tolist():
        after = int(links.follower[row])
        at_s = float(chains.first_s[after])
        what = _RETURN % (at_s - float(chains.last_s[row]))
        out.append(Moment(at_s, int(chains.first_id[after]), what, int(chains.last_id[row])))
    return out
