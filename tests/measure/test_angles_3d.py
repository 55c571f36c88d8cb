"""Angles in space do not depend on where the camera stands."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.measure.angles_3d import angles_3d, between

NAMES = tuple(f"{s}_{j}" for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in ("left", "right"))


def _figure(hip: float, knee: float, shoulder: float, elbow: float) -> np.ndarray:
    """(1, 12, 3) m of a person who faces the camera's right (x), upright; with the left side away from it."""

    def turned(degrees: float) -> np.ndarray:
        return np.array([np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees)), 0.0])

    points = {}
    for s, z in (("left", 0.15), ("right", -0.15)):
        h, c = np.array([0.0, 0.0, z]), np.array([0.0, -0.5, z])
        k, e = h + 0.4 * turned(hip), c + 0.3 * turned(shoulder)
        points |= {
            f"{s}_hip": h, f"{s}_knee": k, f"{s}_ankle": k + 0.4 * turned(hip - knee), f"{s}_shoulder": c,
            f"{s}_elbow": e, f"{s}_wrist": e + 0.25 * turned(shoulder + elbow),
        }  # fmt: skip
    return np.array([[points[n] for n in NAMES]])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(-30, 110), st.floats(0, 140), st.floats(-60, 150), st.floats(0, 140), st.integers(0, 10_000))
def test_exact_from_every_side(hip: float, knee: float, shoulder: float, elbow: float, seed: int) -> None:
    figure = _figure(hip, knee, shoulder, elbow)
    turn = Rotation.random(random_state=seed).as_matrix()
    for points in (figure, figure @ turn.T + [0.3, -0.2, 4.0]):
        out = angles_3d(points, NAMES)
        for s in ("left", "right"):
            for name, value in (("hip", hip), ("knee", knee), ("shoulder", shoulder), ("elbow", elbow)):
                np.testing.assert_allclose(out[f"{s}_{name}_flexion_3d_deg"], value, atol=1e-6)
    np.testing.assert_allclose(angles_3d(figure, NAMES)["trunk_lean_3d_deg"], 0.0, atol=1e-9)


def test_nearly_straight_limbs_keep_their_digits() -> None:
    for degrees in (1e-7, 1e-3, 179.999999):
        v = np.array([[np.cos(np.deg2rad(degrees))], [np.sin(np.deg2rad(degrees))], [0.0]])
        np.testing.assert_allclose(between(np.array([[1.0], [0.0], [0.0]]), v), degrees, rtol=1e-7)
