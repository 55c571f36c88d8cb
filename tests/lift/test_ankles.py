"""Feet whose direction is hardly known, against a walker's true ones."""

from __future__ import annotations

import numpy as np

from pipeline.lift.ankles import with_usual_feet
from pipeline.lift.body import AT
from pipeline.lift.joints import J

_KNEE, _ANKLE, _HEEL, _TOE = (AT[f"left_{name}"] for name in ("knee", "ankle", "heel", "toe"))


def _legs(dorsiflexion_deg: np.ndarray) -> np.ndarray:
    """(L, J, 3) m joints of a body whose left foot has these angles; the right foot is at a right angle."""
    joints = np.zeros((len(dorsiflexion_deg), J, 3))
    for side, deg in (("left", dorsiflexion_deg), ("right", 0 * dorsiflexion_deg)):
        rad = np.radians(deg)
        joints[:, AT[f"{side}_knee"]] = (0, -0.4, 0)
        foot = 0.2 * np.stack([np.cos(rad), -np.sin(rad), 0 * rad], -1)
        joints[:, AT[f"{side}_heel"]] = (-0.03, 0.05, 0)
        joints[:, AT[f"{side}_toe"]] = joints[:, AT[f"{side}_heel"]] + foot
    return joints


def _found(joints: np.ndarray) -> np.ndarray:
    a, b = joints[:, _KNEE] - joints[:, _ANKLE], joints[:, _TOE] - joints[:, _HEEL]
    return 90 - np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def test_what_is_known_stays_and_what_is_not_becomes_usual() -> None:
    joints = _legs(np.where(np.arange(50) < 5, 40.0, 10.0))
    std = np.full((50, J, 3), 0.01)
    kept = _found(with_usual_feet(joints, std))
    np.testing.assert_allclose(kept, _found(joints), atol=0.1)
    std[:5] = 0.3
    found = _found(with_usual_feet(joints, std))
    np.testing.assert_allclose(found[5:], 10, atol=0.1)
    assert (np.abs(found[:5] - 5) < 3).all()  # between the left foot's 10 and the right foot's 0


def test_noise_is_less_and_feet_keep_their_lengths() -> None:
    rng = np.random.default_rng(0)
    truth = 10 + 8 * np.sin(np.arange(300) / 8)
    joints = _legs(truth)
    joints[:, [_HEEL, _TOE]] += rng.normal(0, 0.06, (300, 2, 3))
    out = with_usual_feet(joints, np.full((300, J, 3), 0.06))
    before, after = (np.abs(_found(x) - truth).mean() for x in (joints, out))
    assert before > 14
    assert after < 0.75 * before
    for near, far in ((_HEEL, _TOE), (_ANKLE, _HEEL), (_ANKLE, _TOE)):
        lengths = [np.linalg.norm(x[:, near] - x[:, far], axis=-1) for x in (joints, out)]
        np.testing.assert_allclose(*lengths, rtol=1e-6)
    others = [j for j in range(J) if j not in (_HEEL, _TOE, AT["right_heel"], AT["right_toe"])]
    np.testing.assert_array_equal(out[:, others], joints[:, others])


def test_what_is_not_known_stays_so() -> None:
    joints, std = _legs(np.full(6, 10.0)), np.full((6, J, 3), 0.1)
    joints[2], std[2] = np.nan, np.nan
    out = with_usual_feet(joints, std)
    assert np.isnan(out[2]).all()
    assert np.isfinite(np.delete(out, 2, 0)).all()
    nothing = np.full_like(joints, np.nan)
    assert np.isnan(with_usual_feet(nothing, std)).all()
    still = np.zeros_like(joints)  # no lengths at all
    np.testing.assert_array_equal(with_usual_feet(still, std), still)
