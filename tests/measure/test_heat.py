"""Seconds per cell, as a table and as a picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.core.settings import Ground
from pipeline.core.skeleton import COCO17
from pipeline.core.types import MEASURED, Motion
from pipeline.measure.heat import FILES, Heat
from tests import synthetic

SIZE_PX = (1920, 1080)
GROUND = Ground(zones={"Strafräume": ((0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0))})


def _motion(time_s: np.ndarray, px: np.ndarray, quantities: dict[str, np.ndarray] | None = None) -> Motion:
    n, k = px.shape[:2]
    return Motion(
        person_id=1,
        frame=np.arange(n),
        time_s=time_s,
        box_px=np.zeros((n, 4), np.float32),
        score=np.ones(n, np.float32),
        state=np.full(n, MEASURED, np.uint8),
        keypoints_px=px.astype(np.float32),
        keypoint_score=np.ones((n, k), np.float32),
        keypoint_std_px=np.ones((n, k), np.float32),
        provenance=np.full((n, k), MEASURED, np.uint8),
        raw_px=px.astype(np.float32),
        quantities=quantities or {},
    )


def _stander(seconds: float, x_m: float, y_m: float) -> Motion:
    t = np.arange(0, seconds + 1e-9, 0.1)
    place = {"ground_x_m": np.full(len(t), x_m, np.float32), "ground_y_m": np.full(len(t), y_m, np.float32)}
    return _motion(t, np.zeros((len(t), 17, 2)), place)


def test_seconds_are_added_up_person_by_person() -> None:
    heat = Heat(GROUND, SIZE_PX)
    for person in (_stander(4.0, 1.05, 2.05), _stander(2.0, 1.08, 2.01), _stander(1.0, -3.45, 0.25)):
        heat.add(person, COCO17)
    centre, seconds, side = heat.cells()
    assert side == pytest.approx(0.1)
    np.testing.assert_allclose(centre, [[-3.45, 0.25], [1.05, 2.05]], atol=1e-9)
    np.testing.assert_allclose(seconds, [1.0, 6.0])


def test_given_columns_and_unknown_places() -> None:
    person = _stander(2.0, 9.0, 9.0)
    columns = {"ground_x_m": np.full(21, 0.55), "ground_y_m": np.full(21, 0.55)}
    columns["ground_x_m"][:5] = np.nan
    heat = Heat(GROUND, SIZE_PX)
    heat.add(person, COCO17, columns)
    centre, seconds, _ = heat.cells()
    np.testing.assert_allclose(centre, [[0.55, 0.55]])
    np.testing.assert_allclose(seconds, [1.5])


def test_a_wide_ground_gets_wider_cells() -> None:
    heat = Heat(GROUND, SIZE_PX)
    for x in (-50.0, 0.1, 50.0):
        heat.add(_stander(1.0, x, 0.2), COCO17)
    centre, seconds, side = heat.cells()
    assert side == pytest.approx(2.0)
    assert len(centre) == 3
    assert seconds.sum() == pytest.approx(3.0)


def test_files_agree(tmp_path: Path) -> None:
    heat = Heat(GROUND, SIZE_PX)
    heat.add(_stander(4.0, 1.05, 2.05), COCO17)
    heat.add(_stander(1.0, 3.05, 1.05), COCO17)
    assert heat.write(tmp_path) == [tmp_path / name for name in FILES]
    lines = (tmp_path / "heatmap.csv").read_text().splitlines()
    assert lines == ["x_m,y_m,time_s", "3.05,1.05,1", "1.05,2.05,4"]
    table = pq.read_table(tmp_path / "heatmap.parquet")
    assert table.to_pydict() == {"x_m": [3.05, 1.05], "y_m": [1.05, 2.05], "time_s": [1.0, 4.0]}
    assert [table.schema.field(i).metadata[b"unit"] for i in range(3)] == [b"m", b"m", b"s"]
    assert table.schema.metadata[b"cell_m"] == b"0.1"
    again = [path.read_bytes() for path in heat.write(tmp_path / "again")]
    assert again == [(tmp_path / name).read_bytes() for name in FILES]
    assert Heat(GROUND, SIZE_PX).write(tmp_path) == []
    assert not any((tmp_path / name).exists() for name in FILES)  # of an earlier tracking


def _dark(image: np.ndarray) -> np.ndarray:
    """(x, y) in the middle of the darkest colour of the map, which the scale at the right has too."""
    rows, columns = np.nonzero((image[:, : image.shape[1] - 130].astype(int) < [80, 40, 60]).all(-1))
    return np.array([np.median(columns), np.median(rows)])


def test_the_picture_has_people_where_they_were() -> None:
    heat = Heat(GROUND, SIZE_PX)
    heat.add(_stander(9.0, 0.25, 0.25), COCO17)
    low = heat.picture()
    other = Heat(GROUND, SIZE_PX)
    other.add(_stander(9.0, 3.75, 2.75), COCO17)
    high = other.picture()
    assert low.dtype == np.uint8
    assert low.shape == high.shape
    change = _dark(high) - _dark(low)
    assert change[0] > 400  # to the right, and up
    assert change[1] < -300
    assert (low == [160, 110, 0]).all(-1).sum() > 1000  # the zone's outline


def test_without_a_floor_cells_are_px(tmp_path: Path) -> None:
    t = np.arange(0, 5, 1 / 30)
    body = synthetic.walker(t, start_px=(600.0, 900.0), velocity_px_s=(0.0, 0.0), hip_deg=0.0, knee_deg=0.0)
    heat = Heat(None, SIZE_PX)
    heat.add(_motion(t, body), COCO17)
    heat.add(_motion(t, body + np.array([1500.0, 0.0])), COCO17)  # outside the picture
    centre, seconds, side = heat.cells()
    assert side == 20
    assert np.abs(centre - [600, 900]).max() < 30
    assert seconds.sum() == pytest.approx(t[-1])
    png = heat.write(tmp_path)[0]
    assert (tmp_path / "heatmap.csv").read_text().startswith("x_px,y_px,time_s\n")
    assert cv2.imread(str(png)).shape[1] > 1000
