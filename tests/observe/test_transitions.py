"""Cuts, dissolves, fades and wipes are found; pans, zooms, shake, flashes, light and passers-by are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.observe.transitions import changes

FPS, HALF = 25, 40
WIDE, HIGH = 32, 18


def scene(seed: int, size: tuple[int, int] = (96, 54)) -> np.ndarray:
    """A picture (h, w, 3) f32 of patches, in Y, Cr and Cb."""
    rng = np.random.default_rng(seed)
    colours = rng.normal([120, 128, 128], [45, 12, 12], (size[1] // 3, size[0] // 3, 3))
    return cv2.resize(colours.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)


def view(picture: np.ndarray, x: float, y: float, zoom: float = 1.0) -> np.ndarray:
    """What a camera sees that looks at (x, y): (HIGH, WIDE, 3)."""
    matrix = np.array([[1 / zoom, 0, x], [0, 1 / zoom, y]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, (WIDE, HIGH), flags=flags, borderMode=cv2.BORDER_REFLECT)


def filmed(seed: int, frames: int = HALF, pan: float = 0.0, shake: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    """Pictures (frames, HIGH, WIDE, 3) of a scene with somebody in it; ``pan`` and ``shake`` are in places a frame."""
    rng, picture = np.random.default_rng(seed + 100), scene(seed)
    out = []
    for i in range(frames):
        x, y = 5 + pan * i + rng.normal(0, shake), 10 + rng.normal(0, shake)
        seen = view(picture, x, y, zoom ** (i / frames))
        seen[5:13, 4 + i // 3 : 7 + i // 3] = [40, 140, 120]
        out.append(seen + rng.normal(0, 1, seen.shape))
    return np.array(out)


def found(pictures: np.ndarray, fps: float = FPS) -> list[tuple[int, str]]:
    shown = pictures.clip(0, 255).astype(np.uint8)
    return [(each.at, each.kind) for each in changes(shown, np.arange(len(shown)) / fps)]


def mixed(one: np.ndarray, other: np.ndarray, frames: int, kind: str) -> np.ndarray:
    """Two clips with a dissolve, fade or wipe of ``frames`` between them."""
    share = (np.arange(1, frames + 1) / (frames + 1))[:, None, None, None]
    if kind == "fade":
        dark = np.array([16.0, 128.0, 128.0])
        first, last = one[-frames:] * (1 - share) + dark * share, dark * (1 - share) + other[:frames] * share
        return np.concatenate([one[:-frames], first, [dark + 0 * one[0]], last, other[frames:]])
    if kind == "wipe":
        share = (share * WIDE - np.arange(WIDE)[None, None, :, None]).clip(0, 1)
    return np.concatenate([one[:-frames], one[-frames:] * (1 - share) + other[:frames] * share, other[frames:]])


@pytest.mark.parametrize("pan", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("fps", [10, 25, 60])
def test_a_cut_is_found_at_its_frame(pan: float, fps: float):
    for seed in range(4):
        joined = np.concatenate([filmed(seed, pan=pan), filmed(seed + 50, pan=pan)])
        assert found(joined, fps) == [(HALF, "cut")]


@pytest.mark.parametrize("kind", ["dissolve", "fade", "wipe"])
@pytest.mark.parametrize("frames", [6, 12, 20])
def test_gradual_changes_are_found_with_their_kind(kind: str, frames: int):
    for seed in range(3):
        joined = mixed(filmed(seed, 60), filmed(seed + 50, 60), frames, kind)
        ((at, told),) = found(joined)
        middle = 60 if kind == "fade" else 60 - frames / 2
        assert told == kind
        assert abs(at - middle) <= 3


@pytest.mark.parametrize(
    "how", [{"pan": 0.3}, {"pan": 1.0}, {"pan": 4.0}, {"shake": 0.5}, {"shake": 1.5}, {"zoom": 3.0}], ids=str
)
def test_a_camera_that_moves_makes_no_cut(how: dict[str, float]):
    assert all(found(filmed(seed, 60, **how)) == [] for seed in range(4))


def test_a_sudden_pan_between_two_rests_is_no_cut():
    picture = scene(3)
    x = np.concatenate([np.zeros(30), np.arange(6) * 6.0, np.full(30, 36.0)])
    assert found(np.array([view(picture, at, 10) for at in x])) == []


@pytest.mark.parametrize("frames", [1, 2, 5, 8])
def test_flashes_and_lamps_are_no_cuts(frames: int):
    pictures = filmed(1, 80)
    pictures[30 : 30 + frames, ..., 0] = 255 - (255 - pictures[30 : 30 + frames, ..., 0]) / 3
    assert found(pictures) == []
    pictures[60:, ..., 0] *= 0.6
    assert found(pictures) == []
    pictures[30 : 30 + frames] = [250, 128, 128]
    assert found(pictures) == []


def test_a_cut_behind_a_flash_is_one_change():
    joined = np.concatenate([filmed(1), filmed(51)])
    joined[HALF : HALF + 3] = [250, 128, 128]
    ((at, _),) = found(joined)
    assert HALF <= at <= HALF + 3


def test_whoever_passes_before_the_camera_is_no_change():
    pictures = filmed(2, 100)
    for i in range(60):
        pictures[20 + i, :, max(i - 12, 0) : i] = [60, 120, 135]
    assert found(pictures) == []


def test_repeated_pictures_are_no_rest_beside_which_motion_is_a_cut():
    assert found(np.repeat(filmed(2, 30, pan=2.0), 4, axis=0), 60) == []
