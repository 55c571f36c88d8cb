"""Colours of sides and of people."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from pipeline.render.draw.canvas import EDGE, Colour

# Blue and orange stay apart for every kind of colour blindness (Okabe & Ito 2008).
SIDE_COLOURS: dict[int, Colour] = {-1: (64, 160, 255), 0: (240, 240, 240), 1: (255, 140, 30)}
OUTLINE = EDGE
PANEL: Colour = (18, 22, 28)  # ground of insets and small plates
PALE: Colour = (235, 238, 242)  # text on it
GRID: Colour = (92, 100, 112)
_LIGHTNESS = np.array([0.299, 0.587, 0.114])  # of red, green and blue (BT.601 luma)
_LEAST_LIGHT = 120  # of a person's colour, so that boxes are visible on dark ground and dark letters on labels


@cache
def person_colour(person_id: int) -> Colour:
    """A colour for the person's id, far from the colours of neighbouring ids and the same in every run."""
    hue = person_id * 0.61803399 % 1.0  # steps of the golden ratio keep the hues of nearby ids far apart
    rgb = 255 * np.array(colorsys.hls_to_rgb(hue, (0.5, 0.72, 0.6)[person_id % 3], 0.9))
    light = float(rgb @ _LIGHTNESS)
    if light < _LEAST_LIGHT:
        rgb += (255 - rgb) * (_LEAST_LIGHT - light) / (255 - light)
    return tuple(int(c) for c in rgb.round())  # type: ignore[return-value]


class Palette(NamedTuple):
    """The colours of people: their own, or those of their teams."""

    told: Mapping[int, Colour] = {}  # by person
    else_: Callable[[int], Colour] = person_colour

    def of(self, person_id: int) -> Colour:
        """The person's colour."""
        found = self.told.get(person_id)
        return self.else_(person_id) if found is None else found


OWN = Palette()


@cache
def side_colours(one: Colour | None) -> dict[int, Colour]:
    """Colours of left (−1), middle (0) and right (1): the common ones, or shades of one colour."""
    if one is None:
        return SIDE_COLOURS
    colour = np.array(one, np.float64)
    pale, deep = colour + 0.45 * (255 - colour), 0.82 * colour
    shades = {-1: pale, 0: colour, 1: deep}
    return {side: tuple(int(c) for c in shade.round()) for side, shade in shades.items()}  # type: ignore[misc]
