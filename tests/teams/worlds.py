"""People of a made-up match or street: what they wear, in the light of the place where they are."""

from __future__ import annotations

import numpy as np

from pipeline.core.team_text import OTHER
from pipeline.observe.appearance import PARTS, SIZE, VALUES
from pipeline.teams.worn import Worn, worn

SIGHTINGS, SPREAD = 24, np.array([5.0, 2.0, 2.5])  # of each person; deviation from one sighting to another


class World:
    """Sightings of people in shirts and legs (P, 3) Lab, who move over a picture of 1000 × 500 px."""

    def __init__(self, shirts: np.ndarray, legs: np.ndarray, seed: int = 0, views: int = 1) -> None:
        rng = np.random.default_rng(seed)
        people = len(shirts)
        self.person = np.repeat(np.arange(1, people + 1), SIGHTINGS * views)
        self.view = np.tile(np.repeat(np.arange(views), SIGHTINGS), people)
        self.time_s = np.tile(np.arange(SIGHTINGS * views) * 0.5, people)
        where = rng.uniform((100, 100), (900, 400), (people, 2))
        way = np.cumsum(rng.normal(0, 40, (people, SIGHTINGS * views, 2)), 1)
        self.place = (where[:, None] + way - way.mean(1, keepdims=True)).reshape(-1, 2)
        self.look = np.full((len(self.person), SIZE), np.nan)
        for part, colours in (("torso", shirts), ("upper legs", legs)):
            at = PARTS.index(part) * VALUES
            self.look[:, at : at + 3] = colours[self.person - 1] + rng.normal(0, SPREAD, (len(self.person), 3))
            self.look[:, at + 3] = 9 + rng.normal(0, 2, len(self.person))

    def lit(self, share: float) -> World:
        """The same where the light falls to a share from the left border to the right one."""
        light = np.exp(np.log(share) * self.place[:, :1] / 1000) ** (1 / 3)
        for part in ("torso", "upper legs"):
            at = PARTS.index(part) * VALUES
            self.look[:, at : at + 3] = (self.look[:, at : at + 3] + (16, 0, 0)) * light - (16, 0, 0)
        return self

    def worn(self, even: bool = True) -> Worn:
        """What the people wear."""
        count = np.full(len(self.person), 6.0)
        return worn(self.person, self.view, count, (self.time_s, self.time_s), self.look, self.place, even)


def match(one: tuple, other: tuple, each: int = 5, seed: int = 0, views: int = 1) -> tuple[World, dict[int, str]]:
    """Two teams in these shirts and a referee in yellow; and who is in which team, A that of person 1."""
    rng = np.random.default_rng(seed)
    team = np.array(["A", "B"] * each + [OTHER])
    shirts = np.array([one, other] * each + [(80, -5, 70)], float) + rng.normal(0, (3, 1.5, 2), (len(team), 3))
    legs = np.array([(30, 5, 3), (22, 4, 2)] * each + [(12, 1, 0)], float) + rng.normal(0, (3, 1, 1), (len(team), 3))
    return World(shirts, legs, seed, views), {i + 1: str(name) for i, name in enumerate(team)}


def street(people: int, seed: int = 0) -> World:
    """Passers-by: many dark, some light, some coloured."""
    rng = np.random.default_rng(seed)
    shirts = np.stack([rng.beta(1, 1.6, people) * 90, rng.normal(2, 6, people), rng.normal(0, 10, people)], 1)
    legs = np.stack([rng.beta(1, 3, people) * 80, rng.normal(1, 3, people), rng.normal(-3, 7, people)], 1)
    return World(shirts, legs, seed)
