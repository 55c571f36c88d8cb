"""The standard deviation of a joint's angle that follows from those of its three points."""

from __future__ import annotations

import numpy as np


def bend(points: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flexion in degrees of points ``(…, 3, 2)``, 0 where straight, and its deviation from those ``(…, 3)`` per axis.

    The points' errors are taken as independent, and small beside the limbs.
    """
    upper, lower = points[..., 1, :] - points[..., 0, :], points[..., 2, :] - points[..., 1, :]
    angle = np.arctan2(upper[..., 0] * lower[..., 1] - upper[..., 1] * lower[..., 0], (upper * lower).sum(-1))
    first, last = (v[..., ::-1] * [-1.0, 1.0] / np.square(v).sum(-1, keepdims=True) for v in (upper, lower))
    sizes = np.stack([np.square(v).sum(-1) for v in (first, first + last, last)], -1)
    return np.degrees(angle), np.degrees(np.sqrt((sizes * np.square(std)).sum(-1)))


def off_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Differences of angles, −180…180."""
    return (a - b + 180) % 360 - 180
