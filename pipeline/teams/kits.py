"""Two kits among what people wear, or the reason why there are none.

A street has no teams. So two kits are believed only where three people and more of each are there at once, and where
two kits make what people wear much likelier than a street does.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma, log, pi
from typing import NamedTuple

import numpy as np

from pipeline.teams.worn import Worn

LEAST_COUNT = 4.0  # observations with a shirt from which a person counts
LEAST_PEOPLE = 3  # of each team, seen at once
# Deviations of team-mates' medians, L, a and b, before anything is known, worth so many people; and largest ones.
SHIRT_SD, LEGS_SD, KNOWN = np.array([4.0, 2.5, 3.5]), np.array([4.0, 2.5, 3.5, 3.0]), 3.0
_MOST_SHIRT, _MOST_LEGS = np.array([9.0, 6.0, 7.0]), np.array([14.0, 7.0, 9.0, 9.0])
INSIDE = 11.3  # squared distance, 99 % of three values, within which a shirt is of the kit
_SEEDS = 60  # people whose shirts are tried as kits, those seen most
_APART = 3.5  # least distance of two seeds, in `SHIRT_SD`
_ENOUGH = 50.0  # observations from which a person counts fully
_ROUNDS = 20
_TRIMMED, _TRIMMED_VAR = 0.75, 0.37  # share that tells a deviation, and mean square of that share of normal values
# Evidence for teams.
_DISTANCE = 5.0  # deviations between the shirts of two kits, at least; halves of one kit are less apart
_IN_TEAM = 0.4  # of people whose clothes are not looked at yet, if there are two teams
# What people in a street wear: medians and scales of shirts (L, a, b) and legs (L, a, b, spread of L) in ten clips.
_STREET = np.array([30.0, 3.0, 0.0, 21.0, 1.0, -2.0, 8.0])
_STREET_SD = np.array([24.0, 9.0, 10.0, 17.0, 4.0, 8.0, 6.0])
_TAIL = 4.0  # degrees of freedom of Student's t, with which they spread
_EACH, _ALL = 3.0, 40.0  # log of the odds of two teams against a street, at least: per person, and of all
_SECOND = 15.0  # and against one team in a street


class Kits(NamedTuple):
    """What two teams wear."""

    shirt: np.ndarray  # (2, 3) Lab
    legs: np.ndarray  # (2, 4) Lab and the spread of L; NaN where they are not alike within a team, or never seen
    shirt_sd: np.ndarray  # (3,) deviations of team-mates
    legs_sd: np.ndarray  # (4,)


def find(worn: Worn) -> Kits | str:
    """The two kits of people before one camera, or in words why these are no two teams."""
    worn = counted(worn)
    if len(worn) < 2 * LEAST_PEOPLE:
        return f"{len(worn)} people are too few"
    seeds = _seeds(worn)
    if seeds is None:
        return "all wear much the same"
    kits, team = refined(worn, seeds)
    return _against(worn, kits, team) or kits


def counted(worn: Worn) -> Worn:
    """The people who are seen often enough."""
    return worn.take(np.flatnonzero(worn.seen >= LEAST_COUNT))


def refined(worn: Worn, seeds: np.ndarray) -> tuple[Kits, np.ndarray]:
    """The kits near two shirts (2, 3) Lab, and who wears them: (E,) 0 or 1, -1 for others."""
    centres, sd, weight = seeds.astype(np.float64), SHIRT_SD, weights(worn)
    team = np.full(len(worn), -1)
    for _ in range(_ROUNDS):
        far = distances2(worn.shirt, centres, sd)
        before, team = team, np.where(far.min(1, initial=np.inf) < INSIDE, far.argmin(1), -1)
        if (team == before).all():
            break
        centres = _centres(worn.shirt, weight, team, centres)
        sd = np.minimum(_spread(worn.shirt, weight, team, centres, SHIRT_SD), _MOST_SHIRT)
    unknown = np.full((2, len(LEGS_SD)), np.nan)
    legs = _centres(worn.legs, weight, np.where(np.isfinite(worn.legs).all(1), team, -1), unknown)
    legs_sd = _spread(worn.legs, weight, np.where(np.isfinite(worn.legs).all(1), team, -1), legs, LEGS_SD)
    if (legs_sd > _MOST_LEGS).any():
        legs = unknown
    return Kits(centres, legs, sd, legs_sd), team


def weights(worn: Worn) -> np.ndarray:
    """(E,) how much each person counts, 0 to 1."""
    return np.minimum(worn.seen, _ENOUGH) / _ENOUGH


def distances2(values: np.ndarray, centres: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """(E, M) squared distances of values (E, V) from centres (M, V) in deviations (V,)."""
    return np.square((values[:, None] - centres[None]) / sd).sum(-1)


def _seeds(worn: Worn) -> np.ndarray | None:
    """(2, 3) the two shirts, far enough apart, that most people's shirts are near to; None without such."""
    weight = weights(worn)
    first = np.argsort(-worn.seen, kind="stable")[:_SEEDS]
    near = weight[:, None] * np.exp(-distances2(worn.shirt, worn.shirt[first], SHIRT_SD) / 4)  # (E, S)
    apart2 = distances2(worn.shirt[first], worn.shirt[first], SHIRT_SD)
    best, chosen = 0.0, None
    for i in range(len(first)):
        # The smaller kit counts twice: one kit and a chance likeness is not what is looked for.
        both = np.maximum(near[:, i : i + 1], near[:, i + 1 :]).sum(0) + np.minimum(
            near[:, i].sum(), near[:, i + 1 :].sum(0)
        )
        both = np.where(apart2[i, i + 1 :] > _APART**2, both, 0.0)
        if len(both) and both.max() > best:
            best, chosen = float(both.max()), (i, i + 1 + int(both.argmax()))
    return None if chosen is None else worn.shirt[first[list(chosen)]]


def _against(worn: Worn, kits: Kits, team: np.ndarray) -> str:
    """Why people with these kits, ``team (E,)`` of each, are not two teams; empty where they are."""
    at_once = [_at_once(worn.take(np.flatnonzero(team == k))) for k in (0, 1)]
    if min(at_once) < LEAST_PEOPLE:
        return f"of two kinds of shirts, {min(at_once)} of one are seen at a time"
    apart = float(np.linalg.norm((kits.shirt[1] - kits.shirt[0]) / kits.shirt_sd))
    if apart < _DISTANCE:
        return f"the two commonest kinds of shirts are not apart enough ({apart:.1f} deviations)"
    odds, people = log_odds(worn, kits), float(weights(worn).sum())
    if odds < max(_ALL, _EACH * people):
        return f"two kits explain what people wear hardly better than a street does (log odds {odds:.0f})"
    second = odds - max(log_odds(worn, kits, [k]) for k in (0, 1))
    if second < _SECOND:
        return f"one kit explains what people wear nearly as well as two (log odds {second:.0f})"
    return (
        ""
        if np.isfinite(kits.legs).any() or not np.isfinite(worn.legs).any()
        else "people in like shirts wear unlike trousers"
    )


def log_odds(worn: Worn, kits: Kits, which: Sequence[int] = (0, 1)) -> float:
    """Natural logarithm of how much likelier the clothes of people are with such kits and some others than in a
    street, each person counted by `weights`. It grows with the number of people. ``which`` of the kits there are.

    Within a kit values are normal; in a street they follow Student's t about `_STREET`, one independent of the other.
    """
    values = np.concatenate([worn.shirt, worn.legs], 1)
    centres = np.concatenate([kits.shirt, kits.legs], 1)
    sd = np.concatenate([kits.shirt_sd, kits.legs_sd])
    known = np.isfinite(values) & np.isfinite(centres).all(0)
    kit = -np.square((values[:, None] - centres) / sd) / 2 - np.log(sd * np.sqrt(2 * np.pi))
    kit = np.where(known[:, None], kit, 0.0).sum(-1)  # (E, 2)
    square = np.square((values - _STREET) / _STREET_SD)
    height = lgamma((_TAIL + 1) / 2) - lgamma(_TAIL / 2) - log(_TAIL * pi) / 2
    street = height - np.log(_STREET_SD) - (_TAIL + 1) / 2 * np.log1p(square / _TAIL)
    street = np.where(known, street, 0.0).sum(-1)
    some = np.logaddexp.reduce(log(_IN_TEAM) + kit[:, list(which)], 1)
    teams = np.logaddexp(some, log(1 - len(which) * _IN_TEAM) + street)
    return float((weights(worn) * (teams - street)).sum())


def _at_once(worn: Worn) -> int:
    """The largest number of these people who are there at one time, by their first and last times."""
    time_s = np.concatenate([worn.first_s, worn.last_s])
    step = np.repeat([1, -1], len(worn))
    order = np.lexsort((-step, time_s))
    return int(np.cumsum(step[order]).max(initial=0))


def _centres(values: np.ndarray, weight: np.ndarray, team: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(2, V) weighted medians of the values (E, V) of each team; ``before`` where a team has nobody."""
    out, every = before.copy(), np.arange(before.shape[1])
    for k in (0, 1):
        rows = np.flatnonzero(team == k)
        if len(rows):
            order = np.argsort(values[rows], axis=0)
            below = np.cumsum(weight[rows][order], axis=0)
            low = np.take_along_axis(values[rows], order, 0)[(below >= below[-1] / 2).argmax(0), every]
            high = np.take_along_axis(values[rows], order, 0)[(below > below[-1] / 2).argmax(0), every]
            out[k] = (low + high) / 2
    return out


def _spread(
    values: np.ndarray, weight: np.ndarray, team: np.ndarray, centres: np.ndarray, sd: np.ndarray
) -> np.ndarray:
    """(V,) deviation of team-mates from their centres (2, V), with ``sd (V,)`` as the first knowledge.

    It is that of the nearest `_TRIMMED` of them, as some may only wear the shirt.
    """
    rows = np.flatnonzero(team >= 0)
    off2 = np.square(values[rows] - centres[team[rows]])
    order = np.argsort(off2, axis=0)
    sorted2, mine = np.take_along_axis(off2, order, 0), weight[rows][order]
    kept = mine * (np.cumsum(mine, axis=0) <= _TRIMMED * mine.sum(0) + 1e-9)
    var = (kept * sorted2).sum(0) / np.maximum(kept.sum(0), 1e-9) / _TRIMMED_VAR
    people = weight[rows].sum()
    total: np.ndarray = (people * var + KNOWN * np.square(sd)) / (people + KNOWN)
    return np.sqrt(total)
