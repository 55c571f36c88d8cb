"""People of two sizes on one row of the picture cannot both be of the assumed height."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.skeleton import COCO17
from pipeline.measure.stature import Stature, stature, stature_warnings
from pipeline.measure.summary import also_warned
from tests import synthetic
from tests.motion.motions import exact

T = np.arange(0, 6, 1 / 30)


def someone(person_id: int, height_px: float, sole_px: float = 900.0, told: bool = False) -> Stature:
    body = synthetic.walker(T, height_px=height_px, start_px=(300.0, sole_px))
    return stature(exact(T, body), COCO17, told)._replace(person_id=person_id)


def test_size_and_place_are_sampled() -> None:
    one = someone(1, 400.0)
    assert len(one.sole_px) == 12
    assert (np.diff(one.sole_px) >= 0).all()
    np.testing.assert_allclose(one.height_px, 400, rtol=0.05)


def test_a_child_beside_an_adult_is_said_with_the_remedy() -> None:
    found = stature_warnings([someone(1, 400.0), someone(2, 240.0)])
    assert list(found) == [2]
    assert "0.6" in found[2]
    assert "--height 1=M and --height 2=M" in found[2]
    assert "; " not in found[2]  # it stands between others in one cell
    assert "(give --height 2=M)" in stature_warnings([someone(1, 400.0, told=True), someone(2, 240.0)])[2]


@pytest.mark.parametrize(
    "other",
    [
        someone(2, 320.0),  # a small woman beside a tall man
        someone(2, 240.0, 600.0),  # farther away
        someone(2, 240.0)._replace(sole_px=np.zeros(0), height_px=np.zeros(0)),  # never seen whole
    ],
)
def test_what_may_be_two_adults_is_not_said(other: Stature) -> None:
    assert stature_warnings([someone(1, 400.0), other]) == {}


def test_whose_heights_are_given_is_known() -> None:
    assert stature_warnings([someone(1, 400.0, told=True), someone(2, 240.0, told=True)]) == {}


def test_nobody_is_above_the_floor() -> None:
    t = T[:40]
    gone = exact(t, np.full((len(t), 17, 2), np.nan))
    assert len(stature(gone, COCO17, False).sole_px) == 0


def test_warnings_join_the_rows() -> None:
    rows = [{"person_id": 1, "warnings": ""}, {"person_id": 2, "warnings": "a"}]
    assert [r["warnings"] for r in also_warned(rows, {1: "b", 2: "c"})] == ["b", "a; c"]
