"""A textured field of 105 × 68 m, seen by a camera that pans, tilts and zooms about its place as is known."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.homography import normed

SIZE = (400, 225)
CENTRE_M = np.array([52.5, -25.0, 18.0])
_PX_PER_M, _ROUND = 16, 400


def texture() -> np.ndarray:
    """(H, W) u8 the field and its surroundings, 16 px per metre."""
    rng = np.random.default_rng(0)
    rough = cv2.resize(rng.uniform(0, 255, (68 * 4, 105 * 4)).astype(np.float32), None, fx=4, fy=4, interpolation=2)
    rough = cv2.GaussianBlur(rough, (0, 0), 4)
    for x in (0, 16.5, 52.5, 88.5, 104.9):
        cv2.line(rough, (int(x * 16), 0), (int(x * 16), 68 * 16), 255, 2)
    for y in (0, 13.8, 34, 54.2, 67.9):
        cv2.line(rough, (0, int(y * 16)), (105 * 16, int(y * 16)), 255, 2)
    plain = np.clip((cv2.GaussianBlur(rough, (0, 0), 1) - 125) * 3 + 125, 0, 255).astype(np.uint8)
    return cv2.copyMakeBorder(plain, *[_ROUND] * 4, cv2.BORDER_REFLECT)


def view(t: float) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) metres of the field to px, and (3, 3) directions to px, at a time in s: to and fro, nearer and farther."""
    pan = np.deg2rad(28) * np.sin(2 * np.pi * t / 17 + 0.3) + np.deg2rad(4) * np.sin(1.9 * t)
    tilt = np.deg2rad(24) + np.deg2rad(3) * np.sin(t / 3)
    focal = 0.9 * SIZE[0] * (1.4 + 0.4 * np.sin(t / 5))
    lens = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
    ahead = np.array([np.sin(pan) * np.cos(tilt), np.cos(pan) * np.cos(tilt), -np.sin(tilt)])
    right = np.array([np.cos(pan), -np.sin(pan), 0])
    turn = np.stack([right, np.cross(ahead, right), ahead])
    return lens @ np.column_stack([turn[:, :2], -turn @ CENTRE_M]), lens @ turn


def motion(t: float, to: float) -> np.ndarray:
    """(3, 3) of determinant 1: from the picture at one time to that at another."""
    return normed(view(to)[1] @ np.linalg.inv(view(t)[1]))


def picture(field: np.ndarray, t: float, rng: np.random.Generator) -> np.ndarray:
    """(h, w, 3) u8 what the camera sees of `texture`, with noise."""
    to_texture = np.array([[_PX_PER_M, 0, _ROUND], [0, _PX_PER_M, _ROUND], [0, 0, 1]])
    whole = np.diag([2, 2, 1]) @ view(t)[0] @ np.linalg.inv(to_texture)
    seen = cv2.warpPerspective(field, whole, (2 * SIZE[0], 2 * SIZE[1]))
    seen = cv2.resize(seen, SIZE, interpolation=cv2.INTER_AREA).astype(np.int16)
    grey = np.clip(seen + rng.integers(-4, 5, seen.shape), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)
