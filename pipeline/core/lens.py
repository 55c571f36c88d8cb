"""The lens of a calibrated camera: px to rays and back, by OpenCV's lens model."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.settings import Calibration

_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-10)


def camera_height_m(camera: Calibration) -> float:
    """Height of a camera above the floor in m; negative where the world's z axis points down."""
    r = cv2.Rodrigues(np.array(camera.rotation, np.float64))[0]
    return float(-(r.T @ np.array(camera.translation_m))[2])


def homogeneous(points: np.ndarray) -> np.ndarray:
    """Points (…, 2) with a third coordinate of 1."""
    return np.concatenate([points, np.ones_like(points[..., :1])], -1)


def undistorted(camera: Calibration, px: np.ndarray) -> np.ndarray:
    """Points (…, 2) in px to x/z and y/z; OpenCV's pixel centres are whole numbers. NaN stays NaN."""
    flat = px.reshape(-1, 1, 2) - 0.5
    known = np.isfinite(flat).all((1, 2))
    out = np.full((len(flat), 2), np.nan)
    if known.any():
        undistort = cv2.fisheye.undistortPoints if camera.fisheye else cv2.undistortPoints
        lens = np.array(camera.distortions or (0.0,) * 4)
        out[known] = undistort(flat[known], np.array(camera.matrix), lens, criteria=_CRITERIA)[:, 0]
    return out.reshape(px.shape)


def distorted(camera: Calibration, seen: np.ndarray) -> np.ndarray:
    """x/z and y/z (…, 2) to px; NaN stays NaN."""
    flat = seen.reshape(-1, 1, 2)
    known = np.isfinite(flat).all((1, 2))
    out = np.full((len(flat), 2), np.nan)
    if known.any():
        lens, matrix = np.array(camera.distortions or (0.0,) * 4), np.array(camera.matrix)
        if camera.fisheye:
            out[known] = cv2.fisheye.distortPoints(flat[known], matrix, lens)[:, 0]
        else:
            rays = homogeneous(flat[known])
            out[known] = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), matrix, lens)[0][:, 0]
    return out.reshape(seen.shape) + 0.5
