"""Both limbs put on one of them for a few frames."""

from __future__ import annotations

import numpy as np

from pipeline.motion.merged import FOOT, merged, strayed

T = np.arange(40) / 30.0
SIZE = np.full(40, 400.0)
YES = np.ones((40, 2), bool)


def _apart() -> np.ndarray:
    """(40, 2, 2) px of two feet 120 px apart that move on together."""
    x = 300 + 100 * T
    return np.stack([np.stack([x, 0 * x], -1), np.stack([x + 120, 0 * x], -1)], 1)


def test_the_limb_that_jumps_is_not_measured() -> None:
    z = _apart()
    z[10:13, 1] = z[10:13, 0] + 3
    out = merged(T, z, YES, SIZE, [(0, 1)])
    assert np.argwhere(out).tolist() == [[10, 1], [11, 1], [12, 1]]


def test_limbs_that_meet_pass_or_stay_together_are_two() -> None:
    met, passed, stayed = _apart(), _apart(), _apart()
    met[10:12] = met[10:12].mean(1, keepdims=True)  # both of them came
    passed[12:] = passed[12:, ::-1]
    passed[10:12] = passed[10:12].mean(1, keepdims=True)
    stayed[10:30, 1] = stayed[10:30, 0]
    for z in (met, passed, stayed):
        assert not merged(T, z, YES, SIZE, [(0, 1)]).any()


def test_a_passing_leg_that_jumps_onto_the_other_is_not_measured() -> None:
    x = 300 + np.stack([0 * T, 900 * (T - T[20])], 1)  # one stands, one passes it at 2.3 body lengths a second
    z = np.stack([x, 0 * x], -1)
    assert not merged(T, z, YES, SIZE, [(0, 1)], passing=True).any()
    z[16:22, 1] = z[16:22, 0] + 2
    out = merged(T, z, YES, SIZE, [(0, 1)], passing=True)
    assert out[16:22, 1].all()
    assert out.sum() == 6


def test_a_heel_on_the_other_foot_is_not_measured() -> None:
    ankles = _apart()
    z = np.concatenate([ankles, ankles - (16, -12)], 1)
    yes = np.ones((40, 4), bool)
    z[20:25, 2] = z[20:25, 3]
    out = strayed(z, yes, SIZE, (0, 1), [(2, 3)], FOOT["heel"])
    assert np.argwhere(out).tolist() == [[i, 2] for i in range(20, 25)]
    z[20:25, 2] += (0, 300)  # on neither
    assert not strayed(z, yes, SIZE, (0, 1), [(2, 3)], FOOT["heel"]).any()
