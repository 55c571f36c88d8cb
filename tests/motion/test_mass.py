"""The centre of mass."""

from __future__ import annotations

import numpy as np

from pipeline.motion.angles import points
from pipeline.motion.mass import MASS, centre_of_mass
from pipeline.skeleton import COCO17
from tests import synthetic
from tests.motion.motions import exact


def test_masses_sum_to_one() -> None:
    total = sum(share * (1 if name in ("head", "trunk") else 2) for name, share in MASS.items())
    np.testing.assert_allclose(total, 1.0, atol=1e-12)


def test_a_standing_person_has_it_near_the_pelvis_and_moves_with_it() -> None:
    t = np.arange(60) / 30
    body = np.tile(synthetic.walker(t[:1], height_px=400.0), (60, 1, 1)) + np.stack([90 * t, 0 * t], -1)[:, None]
    com = centre_of_mass(points(exact(t, body), COCO17))
    assert com is not None
    height = (900 - com[1]) / 400  # of the standing height; about .56 (Winter 2009)
    assert 0.53 < height.mean() < 0.60
    np.testing.assert_allclose(com[2], 90.0, rtol=1e-3)


def test_little_known_is_nothing_known() -> None:
    t = np.arange(10) / 30
    body = synthetic.walker(t)
    arm, legs = body.copy(), body.copy()
    arm[:, [9]] = np.nan
    legs[:, 13:] = np.nan
    whole, less, none = (centre_of_mass(points(exact(t, b), COCO17)) for b in (body, arm, legs))
    assert whole is not None
    assert less is not None
    assert none is not None
    assert np.abs(less[:2] - whole[:2]).max() < 12
    assert np.isnan(none).all()
