"""Kits that the user tells: by colours, or by people who wear them.

A camera shows colours in its own light: white may be a dark grey. So hues are compared as angles, and lightness by its
place between the darkest and the lightest clothes of the video.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.core.team_text import Told
from pipeline.teams.kits import SHIRT_SD, distances2, weights
from pipeline.teams.worn import Worn

UNLIKE = 2.0  # cost from which a shirt is not of a colour
_COLOURFUL = 22.0  # chroma from which a told colour has a hue
_PALE = 16.0  # chroma from which a seen shirt surely has a hue
_GREY = 9.0  # chroma that a grey shirt has by the light
_LIGHTNESS = 28.0  # difference of lightness that costs 1
_HUE = 4.0  # cost of the opposite hue is twice this
_COST = 0.35  # share of the people that a cost of 1 outweighs
_SEEDS = 80  # people whose shirts are tried


def lab_of(rgb: Sequence[int]) -> np.ndarray:
    """(3,) Lab of a colour of 0 to 255."""
    lab: np.ndarray = cv2.cvtColor(np.array([[rgb]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0].astype(np.float64)
    return lab


def hex_of(lab: np.ndarray) -> str:
    """#rrggbb of a Lab colour (3,)."""
    rgb = cv2.cvtColor(np.asarray(lab, np.float32)[None, None], cv2.COLOR_LAB2RGB)[0, 0]
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * float(v)) for v in rgb.clip(0, 1)))


def seeds_of(worn: Worn, names: Sequence[str], told: Sequence[Told]) -> np.ndarray | None:
    """(2, 3) Lab: the shirts that suit what is told of the two teams best; None where nobody shows shirts.

    Args:
        names: of the two teams.
        told: what the user says; people are asked before colours.
    """
    if not len(worn):
        return None
    first = np.argsort(-worn.seen, kind="stable")[:_SEEDS]
    costs = [_costs(worn, first, [t for t in told if t.team == name]) for name in names]
    if not all(np.isfinite(cost).any() for cost in costs):
        return None
    weight = weights(worn)
    near = weight[:, None] * np.exp(-distances2(worn.shirt, worn.shirt[first], SHIRT_SD) / 4)
    both = np.maximum(near[:, :, None], near[:, None, :]).sum(0) / weight.sum()
    score = both - _COST * (costs[0][:, None] + costs[1][None, :])
    np.fill_diagonal(score, -np.inf)
    i, j = np.unravel_index(int(np.argmax(score)), score.shape)
    return None if not np.isfinite(score[i, j]) else worn.shirt[first[[i, j]]]


def cost_of(shirts: np.ndarray, worn: Worn, rgb: Sequence[int]) -> np.ndarray:
    """(n,) how unlike the colour the shirts (n, 3) Lab are, in the light of the clothes ``worn``; below 1: alike."""
    wanted, chroma = lab_of(rgb), np.linalg.norm(shirts[:, 1:], axis=1)
    clothes = np.concatenate([worn.shirt[:, 0], worn.legs[np.isfinite(worn.legs[:, 0]), 0]])
    dark, light = np.quantile(clothes, [0.05, 0.95])
    lightness = 10 + 80 * (shirts[:, 0] - dark) / max(float(light - dark), 20.0)
    cost = np.square((lightness - wanted[0]) / _LIGHTNESS)
    colour = float(np.linalg.norm(wanted[1:]))
    if colour < _COLOURFUL:
        return np.minimum(cost + np.square(np.maximum(chroma - _GREY, 0) / _GREY), 9.0)
    same = (shirts[:, 1:] @ wanted[1:]) / np.maximum(chroma * colour, 1e-6)
    pale = np.square(np.maximum(_PALE - chroma, 0) / (_PALE / 2))
    return np.minimum(0.3 * cost + _HUE * (1 - same) + pale, 9.0)


def _costs(worn: Worn, rows: np.ndarray, told: Sequence[Told]) -> np.ndarray:
    """(S,) cost of each of the people in ``rows`` as an example of a team; inf: not to be taken."""
    people = [t.person for t in told if t.person]
    named = np.isin(worn.person[rows], people)
    if named.any():
        return np.where(named, 0.0, np.inf)
    rgb = next((t.rgb for t in told if t.rgb is not None), None)
    return np.full(len(rows), np.inf) if rgb is None else cost_of(worn.shirt[rows], worn, rgb)
