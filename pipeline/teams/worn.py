"""What everybody wears: the usual colours of shirt and legs of each person before each camera.

Light that falls off over the picture can be taken out, as far as people who move through it show it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.observe.appearance import PARTS, SIZE, VALUES

_SHIRT, _LEGS = (
    slice(PARTS.index(part) * VALUES, PARTS.index(part) * VALUES + size)
    for part, size in (("torso", 3), ("upper legs", 4))
)
_DARKEST = 16.0  # L + 16 goes with the cube root of the light, so that a share of the light is a factor on L + 16, a, b
_NOISE, _SLOPE = 0.12, 0.15  # deviations of log (L + 16): of a sighting, and before anything is known of its slope
_SURE = 3.0  # standard errors from which a slope is believed
_MOST = 0.35  # largest change of log (L + 16) that is taken for light
_STEPS = 400  # sightings of one person from which the median is taken, at most


class Worn(NamedTuple):
    """E people, each before one camera."""

    person: np.ndarray  # (E,) i64
    view: np.ndarray  # (E,) i64 number of the camera
    seen: np.ndarray  # (E,) f64 observations with a shirt
    first_s: np.ndarray  # (E,) f64
    last_s: np.ndarray  # (E,) f64
    shirt: np.ndarray  # (E, 3) f64 L, a, b; NaN where never seen
    legs: np.ndarray  # (E, 4) f64 of the upper legs L, a, b and the spread of L, which tells hems and bare skin

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: np.ndarray) -> Worn:
        """The given rows."""
        return Worn(*(column[rows] for column in self))


def worn(
    person: np.ndarray,
    view: np.ndarray,
    count: np.ndarray,
    span_s: tuple[np.ndarray, np.ndarray],
    look: np.ndarray,
    place_px: np.ndarray,
    even: bool = True,
) -> Worn:
    """What people wear, from G sightings, each a mean over some observations; nobody where ``look`` is of a network.

    Args:
        person: (G,) who it is, any whole numbers.
        view: (G,) number of the camera.
        count: (G,) observations in the sighting.
        span_s: (G,) and (G,) first and last time.
        look: (G, D) appearance, as `pipeline.observe.appearance.describe` has it.
        place_px: (G, 2) where the person is, as a camera that stands still would show it.
        even: the light is the same everywhere; else its slope is taken out.
    """
    known = np.isfinite(look[:, _SHIRT]).all(1) if look.shape[1] == SIZE else np.zeros(len(look), bool)
    rows = np.flatnonzero(known)
    rows = rows[np.lexsort((view[rows], person[rows]))]
    if not len(rows):
        none = np.zeros(0)
        whole = none.astype(np.int64)
        return Worn(whole, whole, none, none, none, np.zeros((0, 3)), np.zeros((0, 4)))
    who, where, weight = person[rows].astype(np.int64), view[rows].astype(np.int64), count[rows].astype(np.float64)
    light = np.ones(len(rows))
    for one in np.unique(where) if not even else ():
        mine = where == one
        light[mine] = light_of(look[rows[mine], _SHIRT][:, 0], who[mine], weight[mine], place_px[rows[mine]])
    shirt, legs = (_lit(look[rows, part].astype(np.float64), light) for part in (_SHIRT, _LEGS))
    start = np.flatnonzero((np.diff(who, prepend=who[0] - 1) != 0) | (np.diff(where, prepend=where[0] - 1) != 0))
    parts = [slice(a, b) for a, b in zip(start, np.append(start[1:], len(rows)), strict=True)]
    return Worn(
        who[start],
        where[start],
        np.add.reduceat(weight, start),
        np.minimum.reduceat(span_s[0][rows], start),
        np.maximum.reduceat(span_s[1][rows], start),
        np.array([_median(shirt[part], weight[part]) for part in parts]),
        np.array([_median(legs[part], weight[part]) for part in parts]),
    )


def light_of(lightness: np.ndarray, who: np.ndarray, weight: np.ndarray, place_px: np.ndarray) -> np.ndarray:
    """(G,) factor on L + 16 by the light at places (G, 2), 1 on average: how people change as they move.

    The change of log (L + 16) along x and y is the same for all, each person's own level is not asked.
    """
    value = np.log(np.maximum(lightness, 0.0) + _DARKEST)
    spread = np.maximum(place_px.std(0), 1e-6)
    at = (place_px - place_px.mean(0)) / spread
    _, who = np.unique(who, return_inverse=True)
    total = np.bincount(who, weight)
    own = np.stack([np.bincount(who, weight * column) / total for column in (value, at[:, 0], at[:, 1])], 1)[who]
    off, moved = np.clip(value - own[:, 0], -_MOST, _MOST), at - own[:, 1:]
    weighed = np.minimum(weight, 1.0)
    precise = (moved * weighed[:, None]).T @ moved / _NOISE**2
    error = np.linalg.inv(precise + np.eye(2) / _SLOPE**2)
    slope = error @ (moved * weighed[:, None]).T @ off / _NOISE**2
    slope = np.where(np.abs(slope) > _SURE * np.sqrt(np.diag(error)), slope, 0.0)
    factor: np.ndarray = np.exp(np.clip(at @ slope, -_MOST, _MOST))
    return factor


def _lit(lab: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Values (G, V), L first, as they would be in light of 1."""
    shift = np.append(_DARKEST, np.zeros(lab.shape[1] - 1))
    return (lab + shift) / light[:, None] - shift


def _median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(V,) weighted median of the known values (n, V), NaN where none is known."""
    known = np.isfinite(values).all(1)
    if not known.any():
        return np.full(values.shape[1], np.nan)
    few = slice(None, None, max(int(known.sum()) // _STEPS, 1))
    values, weight = values[known][few], weight[known][few]
    order = np.argsort(values, axis=0)
    below = np.cumsum(weight[order], axis=0)
    at = (below >= below[-1] / 2).argmax(0)
    return np.take_along_axis(values, order, 0)[at, np.arange(values.shape[1])]
