"""Colours of teams: bright relatives of their shirts, far from one another and from those of others."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.team_text import OTHER
from pipeline.render.draw.canvas import Colour
from pipeline.render.draw.colours import Palette, person_colour

_PALE = 0.25  # saturation below which a shirt has no hue to draw
_LIGHT: Colour = (245, 245, 245)
_DARK: Colour = (70, 130, 235)  # black on a dark picture is not seen: dark shirts are drawn in blue
_OTHERS: tuple[Colour, ...] = ((255, 200, 40), (230, 90, 230), (80, 220, 120))  # the one farthest from both teams
_NEAR = 110.0  # distance of two drawn colours below which the second team's is changed
_INSTEAD: tuple[Colour, ...] = ((255, 120, 60), (70, 130, 235), (60, 210, 200))


def team_colours(teams: Mapping[str, Any] | None) -> dict[str, Colour]:
    """The colour in which each team is drawn, by what run.json says of ``teams``; empty without teams."""
    kits = (teams or {}).get("kits") or {}
    if not (teams or {}).get("found") or len(kits) != 2:
        return {}
    shirts = [_rgb(kit["shirt"]) for kit in kits.values()]
    lighter = int(np.mean(shirts[1]) > np.mean(shirts[0]))
    drawn = [_drawn(shirt, k == lighter) for k, shirt in enumerate(shirts)]
    if _apart(*drawn) < _NEAR:
        drawn[1 - lighter] = max(_INSTEAD, key=lambda colour: _apart(colour, drawn[lighter]))
    others = max(_OTHERS, key=lambda colour: min(_apart(colour, one) for one in drawn))
    return dict(zip(kits, drawn, strict=True)) | {OTHER: others}


def colours_of_teams(team_of: Mapping[int, str], teams: Mapping[str, Any] | None) -> Palette:
    """A person's colour by their team; by their id where they are in none, or where there are none."""
    drawn = team_colours(teams)
    return Palette({person: drawn[team] for person, team in team_of.items() if team in drawn}, person_colour)


def _rgb(text: str) -> np.ndarray:
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], np.float64)


def _drawn(shirt: np.ndarray, lighter: bool) -> Colour:
    hue, saturation, value = colorsys.rgb_to_hsv(*(shirt / 255))
    if saturation < _PALE:
        return _LIGHT if lighter else _DARK
    bright = 255 * np.array(colorsys.hsv_to_rgb(hue, max(saturation, 0.75), max(value, 0.92)))
    return tuple(int(c) for c in bright.round())  # type: ignore[return-value]


def _apart(one: Colour, other: Colour) -> float:
    return float(np.linalg.norm(np.subtract(one, other)))
