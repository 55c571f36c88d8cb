"""Words and numbers as patches, in a font that comes with matplotlib and knows the letters of most of Europe."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.render.draw.canvas import Colour, Patch

_FONT = "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"
_CAP = 0.729  # height of capitals and digits in DejaVu Sans, as a share of the font's size
_FINE = 4  # plates are drawn larger by this factor and scaled down, which smooths their corners


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    spec = importlib.util.find_spec("matplotlib")  # not imported: the import takes longer than drawing 1 s of video
    assert spec is not None  # a dependency
    assert spec.submodule_search_locations is not None
    return ImageFont.truetype(str(Path(spec.submodule_search_locations[0]) / _FONT), size)


@lru_cache(maxsize=1024)
def plate(
    text: str, height: int, ground: Colour, ink: Colour, opacity: float = 1.0, mark: Colour | None = None
) -> Patch:
    """A rounded plate of this height with a text; ``mark`` puts a stripe of another colour at its left end."""
    mask, stripe = _text(text, height), round(0.32 * height) if mark is not None else 0
    pad = round(0.3 * height)
    width = max(mask.shape[1] + 2 * pad + stripe, height)
    shape = _rounded(width, height) * opacity
    rgb = np.empty((height, width, 3), np.float32)
    rgb[:] = ground
    if mark is not None:
        rgb[:, :stripe] = mark
    left = stripe + (width - stripe - mask.shape[1]) // 2
    cover = np.zeros((height, width, 1), np.float32)
    cover[:, left : left + mask.shape[1], 0] = mask
    rgb += cover * (np.array(ink, np.float32) - rgb)
    alpha = np.maximum(shape, cover * (shape > 0))
    return Patch(rgb * alpha, alpha)


@lru_cache(maxsize=1024)
def word(text: str, height: int, ink: Colour, edge: Colour) -> Patch:
    """A text without a plate, with a thin edge around its letters; ``height`` is that of a plate with such letters."""
    mask = np.pad(_text(text, height), ((0, 0), (3, 3)))
    reach = max(height // 12, 1)
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    alpha = cv2.GaussianBlur(grown, (0, 0), 0.4 + reach / 4)[..., None].clip(0, 1)
    alpha = np.maximum(alpha, mask[..., None])
    rgb = np.array(edge, np.float32) + mask[..., None] * (np.array(ink, np.float32) - np.array(edge, np.float32))
    return Patch(rgb * alpha, alpha)


@lru_cache(maxsize=2048)
def _text(text: str, height: int) -> np.ndarray:
    """(height, w) f32 cover of a text whose capitals take about half of the height and stand in its middle."""
    size = max(round(0.54 * height / _CAP), 6)
    font = _font(size)
    width = max(int(np.ceil(font.getlength(text))), 1)
    image = Image.new("L", (width, height), 0)
    ImageDraw.Draw(image).text((0, round((height + _CAP * size) / 2)), text, fill=255, font=font, anchor="ls")
    return np.asarray(image, np.float32) / 255


@lru_cache(maxsize=512)
def _rounded(width: int, height: int) -> np.ndarray:
    """(h, w, 1) f32 cover of a rectangle with round corners."""
    w, h, r = width * _FINE, height * _FINE, round(0.28 * height * _FINE)
    mask = np.zeros((h, w), np.uint8)
    cv2.rectangle(mask, (r, 0), (w - 1 - r, h - 1), 255, -1)
    cv2.rectangle(mask, (0, r), (w - 1, h - 1 - r), 255, -1)
    for x in (r, w - 1 - r):
        for y in (r, h - 1 - r):
            cv2.circle(mask, (x, y), r, 255, -1)
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
