"""The centre of mass."""

from __future__ import annotations

import numpy as np

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17
from pipeline.measure.angles import points
from pipeline.measure.mass import MASS, centre_of_mass, parts
from tests import synthetic
from tests.motion.exchanges import halpe
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


def test_the_heads_centre_lies_between_its_top_and_the_neck() -> None:
    t = np.arange(10) / 30
    body = halpe(synthetic.walker(t, height_px=400.0), 400.0)
    top, neck, ears = HALPE26.index("head"), HALPE26.index("neck"), slice(3, 5)
    middle, up = body[:, ears].mean(1), np.array([0, -28])
    body[:, top], body[:, neck] = middle + up, middle - up
    whole = centre_of_mass(points(exact(t, body, HALPE26), HALPE26))
    (mass, head), *_ = parts(points(exact(t, body, HALPE26), HALPE26))
    assert mass == MASS["head"]
    np.testing.assert_allclose(head[:2].T, body[:, top] + 0.492 * (body[:, neck] - body[:, top]), atol=0.02)
    body[:5, top] = np.nan  # there the ears tell
    (_, head), *_ = parts(points(exact(t, body, HALPE26), HALPE26))
    np.testing.assert_allclose(head[:2, :5].T, body[:5, ears].mean(1), atol=1e-3)
    less = centre_of_mass(points(exact(t, body, HALPE26), HALPE26))
    assert whole is not None
    assert less is not None
    assert np.abs(less[:2] - whole[:2]).max() < 0.2
