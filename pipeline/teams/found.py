"""Who is in which team, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.team_text import OTHER, Told
from pipeline.teams.kits import INSIDE, Kits, counted, distances2, find, refined
from pipeline.teams.told import UNLIKE, cost_of, hex_of, seeds_of
from pipeline.teams.worn import Worn

AUTO = ("A", "B")
_INSIDE_WITH_LEGS = 20.0  # squared distance, 99.4 % of seven values, from which shirt and legs are nobody's
_NOISE = 4.0  # observations whose mean is as uncertain as team-mates differ
_OTHER_LIGHT = 1.5  # factor on deviations where a camera shows too few people to tell its own kits
_MOST_SURE = 0.999


class Teams(NamedTuple):
    """The teams of a video."""

    team: Mapping[int, str]  # by person; who is not in it shows too little
    certainty: Mapping[int, float]  # 0.33 to 1
    shirts: Mapping[str, str]  # #rrggbb of each team's shirts as the camera shows them; empty: there are no teams
    why: str = ""  # why there are none
    lines: tuple[str, ...] = ()  # what could not be done of what the user tells

    def of(self, person: int) -> dict[str, Any]:
        """The columns of a person: team and team_certainty; none where there are no teams."""
        if not self.shirts:
            return {}
        return {"team": self.team.get(person, ""), "team_certainty": self.certainty.get(person, float("nan"))}

    def facts(self) -> dict[str, Any]:
        """For run.json."""
        if not self.shirts:
            return {"found": False, "why": self.why}
        count = {name: sum(t == name for t in self.team.values()) for name in (*self.shirts, OTHER)}
        kits = {name: {"shirt": shirt, "people": count[name]} for name, shirt in self.shirts.items()}
        return {"found": True, "kits": kits, "others": count[OTHER]}


def no_teams(why: str, lines: Sequence[str] = ()) -> Teams:
    """Nobody is in a team."""
    return Teams({}, {}, {}, why, tuple(lines))


def teams_of(
    worn_in: Callable[[bool], Worn], told: Sequence[Told] = (), fixed: Mapping[int, str] | None = None
) -> Teams:
    """The teams of people in what they wear.

    Args:
        worn_in: what people wear, with even light (True) or with its slope taken out (False).
        told: what the user says of the two teams; none: teams are found where there is evidence for them.
        fixed: the team, or `OTHER`, of people of whom the user says so.
    """
    fixed = fixed or {}
    named = tuple(dict.fromkeys(t.team for t in told if t.team != OTHER))
    examples = tuple(dict.fromkeys(team for team in fixed.values() if team != OTHER))
    named = examples if not named and len(examples) == 2 else named
    told = [*told, *(Told(team, None, person) for person, team in fixed.items() if team in named)]
    best: tuple[float, Worn, dict[int, Kits]] | None = None
    why = ""
    for even in (True, False):
        worn = counted(worn_in(even))
        if not len(worn):
            return no_teams("nobody's shirt is seen", _unused(told, fixed, "nobody's shirt is seen"))
        found = _kits(worn, named, told)
        if isinstance(found, str):
            why = why or found
            continue
        kits = found[_main(worn)]
        distance = float(np.linalg.norm((kits.shirt[1] - kits.shirt[0]) / kits.shirt_sd))
        if best is None or distance > best[0]:
            best = distance, worn, found
    if best is None:
        gone = [t for t in told if t.person and t.person not in counted(worn_in(True)).person]
        return no_teams(why, [*_unused(told, fixed, why), *_lost(gone)])
    _, worn, found = best
    people, log = _posterior(worn, found)
    return _named(worn, people, log, found[_main(worn)], named, told, fixed)


def sides(worn_in: Callable[[bool], Worn], sure: float, least: float, told: Sequence[Told] = ()) -> dict[int, int]:
    """The team, 0 or 1, of whoever is surely in one, after ``least`` observations and more; empty without teams."""
    worn = worn_in(True)
    names = {t.team for t in told}
    teams = teams_of(worn_in, told if len(names) == 2 else ())
    seen = {int(p): float(n) for p, n in zip(worn.person, worn.seen, strict=True)}
    order = list(teams.shirts)
    return {
        person: order.index(team)
        for person, team in teams.team.items()
        if team != OTHER and teams.certainty[person] >= sure and seen.get(person, 0) >= least
    }


def _main(worn: Worn) -> int:
    """The camera before which people are seen most."""
    views, which = np.unique(worn.view, return_inverse=True)
    return int(views[np.bincount(which, worn.seen).argmax()])


def _kits(worn: Worn, named: tuple[str, ...], told: Sequence[Told]) -> dict[int, Kits] | str:
    """The kits before each camera, in the same order; a reason where there are none before the main one."""
    main = _main(worn)
    mine = worn.take(np.flatnonzero(worn.view == main))
    if named:
        seeds = seeds_of(mine, named, told)
        found: Kits | str = "nobody's shirt is like those that are told" if seeds is None else refined(mine, seeds)[0]
    else:
        found = find(mine)
    if isinstance(found, str):
        return found
    out = {main: found}
    for view in set(worn.view.tolist()) - {main}:
        own = find(worn.take(np.flatnonzero(worn.view == view)))
        out[view] = _wider(found) if isinstance(own, str) else _in_order(own, found, worn, view, main)
    return out


def _wider(kits: Kits) -> Kits:
    return kits._replace(shirt_sd=kits.shirt_sd * _OTHER_LIGHT, legs_sd=kits.legs_sd * _OTHER_LIGHT)


def _in_order(own: Kits, main: Kits, worn: Worn, view: int, first: int) -> Kits:
    """A camera's kits with the teams in the order of those of the main one: by people before both, else by colours."""
    crossed = own._replace(shirt=own.shirt[::-1], legs=own.legs[::-1])

    def apart(kits: Kits) -> float:
        colours = float(distances2(kits.shirt, main.shirt, main.shirt_sd)[[0, 1], [0, 1]].sum())
        here, there = (worn.take(np.flatnonzero(worn.view == v)) for v in (view, first))
        _, i, j = np.intersect1d(here.person, there.person, return_indices=True)
        mine = distances2(here.shirt[i], kits.shirt, kits.shirt_sd).argmin(1)
        theirs = distances2(there.shirt[j], main.shirt, main.shirt_sd).argmin(1)
        return colours + 10.0 * float((mine != theirs).sum())

    return own if apart(own) <= apart(crossed) else crossed


def _posterior(worn: Worn, kits: Mapping[int, Kits]) -> tuple[np.ndarray, np.ndarray]:
    """People (P,), and log likelihoods (P, 3) of their clothes in team 0, team 1 and neither."""
    log = np.zeros((len(worn), 3))
    for view, own in kits.items():
        rows = np.flatnonzero(worn.view == view)
        more = 1 + _NOISE / worn.seen[rows, None]
        far2 = distances2(worn.shirt[rows], own.shirt, own.shirt_sd) / more
        legs2 = distances2(worn.legs[rows], own.legs, own.legs_sd) / more
        seen = np.isfinite(legs2[:, 0])
        log[rows, :2] = -(far2 + np.where(seen[:, None], legs2, 0.0)) / 2
        log[rows, 2] = -np.where(seen, _INSIDE_WITH_LEGS, INSIDE) / 2
    people, which = np.unique(worn.person, return_inverse=True)
    total = np.bincount(which, worn.seen)
    return people, np.stack([np.bincount(which, worn.seen * column) / total for column in log.T], 1)


def _named(
    worn: Worn,
    people: np.ndarray,
    log: np.ndarray,
    kits: Kits,
    named: tuple[str, ...],
    told: Sequence[Told],
    fixed: Mapping[int, str],
) -> Teams:
    """The teams by name. Unless the user names them, A is that of the person with the lowest number in one."""
    best = log.argmax(1)
    order = [0, 1]
    if not named and (best < 2).any() and best[best < 2][0] == 1:
        order = [1, 0]
    names = {order[i]: name for i, name in enumerate(named or AUTO)} | {2: OTHER}
    odds = np.exp(log - log.max(1, keepdims=True))
    sure = np.minimum(odds.max(1) / odds.sum(1), _MOST_SURE)
    team = {int(p): names[int(k)] for p, k in zip(people, best, strict=True)}
    certainty = {int(p): round(float(c), 3) for p, c in zip(people, sure, strict=True)}
    by_user = {t.person: t.team for t in told if t.person and t.person in team} | dict(fixed)
    lines = [*_lost([t for t in told if t.person and t.person not in team and t.person not in fixed])]
    for k in (0, 1):
        rgb = next((t.rgb for t in told if t.team == names[k] and t.rgb is not None), None)
        if rgb is not None and cost_of(kits.shirt[k : k + 1], worn, rgb)[0] > UNLIKE:
            lines.append(
                f"--teams: hardly a shirt has the colour of {names[k]}; {hex_of(kits.shirt[k])} was taken for it,"
                f" --teams {names[k]}=N names a person instead"
            )
    shirts = {names[k]: hex_of(kits.shirt[k]) for k in order}
    return Teams(team | by_user, certainty | dict.fromkeys(by_user, 1.0), shirts, "", tuple(lines))


def _unused(told: Sequence[Told], fixed: Mapping[int, str], why: str) -> list[str]:
    """The line that says that teams are told in vain; none where nothing is told."""
    return [f"--teams: there are no two teams ({why})"] if told or fixed else []


def _lost(told: Sequence[Told]) -> list[str]:
    """A line for each person whose team is told and whose shirt is never seen."""
    return [
        f"--teams {t.team}={t.person}: there is no person {t.person}, or their shirt is not seen"
        for t in told
        if t.person
    ]
