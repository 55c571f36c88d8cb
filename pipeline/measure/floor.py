"""The floor as a camera sees it: px to metres, by point pairs or by a calibrated camera.

A homography maps undistorted picture coordinates to metres (Hartley and Zisserman 2004, ch. 4 and 8.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import least_squares

from pipeline.core.homography import moved
from pipeline.core.lens import distorted, homogeneous, undistorted
from pipeline.core.settings import Calibration, Ground

_FLAT = 2e-3  # smallest singular value over the largest, of point pairs, below which they lie on a line


@dataclass(frozen=True)
class Floor:
    """A level at some height above the floor, as a camera sees it. Picture coordinates are px, pixel centres at .5."""

    # (3, 3), or (L, 3, 3) for L points: undistorted picture coordinates to metres; the third is positive below the
    # horizon
    to_plane: np.ndarray
    camera: Calibration | None = None  # its lens; None: px are undistorted as they are
    into: np.ndarray | None = None  # (L, 3, 3) px of each of L points to px of the frame that the camera holds in

    def to_m(self, px: np.ndarray) -> np.ndarray:
        """Places (…, 2) in metres of points (…, 2) in px; NaN at and above the horizon."""
        q = _times(self.to_plane, homogeneous(self._seen(px)))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(q[..., 2:] > 0, q[..., :2] / q[..., 2:], np.nan)

    def to_px(self, m: np.ndarray) -> np.ndarray:
        """Points (…, 2) in px of places (…, 2) in metres; NaN behind the camera."""
        q = _times(np.linalg.inv(self.to_plane), homogeneous(np.asarray(m, np.float64)))
        with np.errstate(divide="ignore", invalid="ignore"):
            seen = np.where(q[..., 2:] > 0, q[..., :2] / q[..., 2:], np.nan)
        seen = seen if self.camera is None else distorted(self.camera, seen)
        return seen if self.into is None else moved(seen, np.linalg.inv(self.into))

    def m_per_px(self, px: np.ndarray) -> np.ndarray:
        """(…) how far a place moves at most when its point moves by 1 px; NaN above the horizon.

        The largest singular value of the derivative, by differences of half a px.
        """
        px = np.asarray(px, np.float64)
        steps = [self.to_m(px + half) - self.to_m(px - half) for half in np.diag([0.5, 0.5])]
        a, b = (np.square(s).sum(-1) for s in steps)
        ab = (steps[0] * steps[1]).sum(-1)
        return np.sqrt((a + b + np.sqrt(np.square(a - b) + 4 * ab**2)) / 2)

    def _seen(self, px: np.ndarray) -> np.ndarray:
        px = np.asarray(px, np.float64)
        px = px if self.into is None else moved(px, self.into)
        return px if self.camera is None else undistorted(self.camera, px)


def _times(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (…, 3) by a matrix (3, 3), or by one for each (…, 3, 3)."""
    if matrix.ndim == 2:
        return np.asarray(points @ matrix.T)
    return np.asarray((matrix @ points[..., None])[..., 0])


def floor_of(ground: Ground, height_m: float = 0.0) -> Floor:
    """The level ``height_m`` above the floor, which takes a camera: point pairs know the floor only.

    Raises:
        ValueError: the point pairs fix no plane.
    """
    if ground.camera is None:
        return Floor(fitted(np.array(ground.image_px, np.float64), np.array(ground.plane_m, np.float64)))
    r = cv2.Rodrigues(np.array(ground.camera.rotation, np.float64))[0]
    t = np.array(ground.camera.translation_m, np.float64)
    return Floor(np.linalg.inv(np.stack([r[:, 0], r[:, 1], t + height_m * r[:, 2]], 1)), ground.camera)


def fit_error_px(ground: Ground) -> np.ndarray:
    """(N,) px between each point and the image of its place on the plane; raises ValueError as `floor_of` does."""
    return np.linalg.norm(floor_of(ground).to_px(np.array(ground.plane_m)) - np.array(ground.image_px), axis=1)


def fitted(px: np.ndarray, m: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """(3, 3) homography from px (N, 2) to metres (N, 2): normalised direct linear transform, then least px errors.

    ``weight`` (N,) multiplies the errors. Raises ValueError where the points fix no plane.
    """
    each = np.ones((len(px), 1)) if weight is None else weight[:, None]
    (a, scale_a), (b, scale_b) = _normal(px), _normal(m)
    ones, zeros = homogeneous(b), np.zeros((len(b), 3))
    rows = np.concatenate([np.hstack([ones, zeros, -a[:, :1] * ones]), np.hstack([zeros, ones, -a[:, 1:] * ones])])
    _, singular, v = np.linalg.svd(rows * np.tile(each, (2, 1)))
    if len(singular) < 8 or singular[7] < _FLAT * singular[0]:
        raise ValueError("the points fix no plane, since too many of them lie on a line or at one place")
    h = v[-1].reshape(3, 3)

    def seen(h: np.ndarray) -> np.ndarray:
        q = ones @ h.reshape(3, 3).T
        return q[:, :2] / q[:, 2:]

    def errors(h: np.ndarray) -> np.ndarray:
        return np.asarray(((seen(h) - a) * each).ravel())

    if len(px) > 4:
        h = least_squares(errors, h.ravel(), method="trf", xtol=1e-14).x.reshape(3, 3)
    depth = ones @ h[2]
    if depth.min() * depth.max() <= 0:
        raise ValueError("the points lie on both sides of the horizon, so that some px and m are not of one another")
    return np.linalg.inv(scale_b) @ np.linalg.inv(h * np.sign(depth[0])) @ scale_a


def _normal(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) moved and scaled to mean 0 and mean square 2, and the (3, 3) matrix of that change."""
    mean, size = points.mean(0), max(float(points.std()), 1e-12)
    return (points - mean) / size, np.array([[1 / size, 0, -mean[0] / size], [0, 1 / size, -mean[1] / size], [0, 0, 1]])
