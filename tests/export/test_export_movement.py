"""The netCDF file, read back by xarray through netCDF4 and, where it is installed, by movement itself."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray

from pipeline import PoselineError
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17
from pipeline.export import movement
from pipeline.export.run import export_run
from tests.export.runs import FPS, make_run, person, times

T = times(90)
FIRST = person(1, [*range(12, 20), *range(40, 85)], T)
SECOND = person(2, range(30, 70), T)
# netCDF4 before 1.7.4, which movement 0.15 asks for, was built for an earlier numpy.
pytestmark = pytest.mark.filterwarnings("ignore:numpy.ndarray size changed:RuntimeWarning")
NAMES = {1: 'Zoë "Z" O\'Hara, jr.'}


def test_positions_scores_and_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movement, "CHUNK", 16)
    path = export_run(make_run(tmp_path, [FIRST, SECOND], T, NAMES, observed=(10, 88)), "movement")
    assert path == tmp_path / "movement.nc"
    data = xarray.load_dataset(path, engine="netcdf4")
    assert data.position.dims == ("time", "space", "keypoints", "individuals")
    assert data.confidence.dims == ("time", "keypoints", "individuals")
    assert data.space.values.tolist() == ["x", "y"]
    assert data.keypoints.values.tolist() == list(COCO17.names)
    assert data.individuals.values.tolist() == [NAMES[1], "person_0002"]
    assert data.attrs == {
        "fps": float(FPS),
        "fps_exact": "30000/1001",
        "time_unit": "seconds",
        "source_software": "poseline",
        "source_file": "walk 1.mp4",
        "ds_type": "poses",
    }
    np.testing.assert_array_equal(data.time, T[10:88])
    for i, motion in enumerate((FIRST, SECOND)):
        position, score = np.full((78, 17, 2), np.nan), np.full((78, 17), np.nan)
        position[motion.frame - 10], score[motion.frame - 10] = motion.keypoints_px, motion.keypoint_score
        np.testing.assert_array_equal(data.position[..., i].transpose("time", "keypoints", "space"), position)
        np.testing.assert_array_equal(data.confidence[..., i], score)
    assert data.position.dtype == np.float32


def test_26_points_keep_their_own_names(tmp_path: Path) -> None:
    there = person(1, range(20), T, HALPE26)
    data = xarray.load_dataset(export_run(make_run(tmp_path, [there], T, skeleton=HALPE26), "movement"))
    assert data.keypoints.values.tolist() == list(HALPE26.names)
    toe = data.position.sel(keypoints="left_big_toe").isel(individuals=0, time=slice(20)).transpose("time", "space")
    np.testing.assert_array_equal(toe, there.keypoints_px[:, HALPE26.index("left_big_toe")])


def test_people_of_the_same_name_keep_apart(tmp_path: Path) -> None:
    people = [person(i, range(20), T) for i in (1, 2, 3)]
    path = export_run(make_run(tmp_path, people, T, {1: "Ann", 2: "Ben", 3: "Ann"}), "movement")
    individuals = xarray.load_dataset(path, engine="netcdf4").individuals.values.tolist()
    assert individuals == ["person_0001", "Ben", "person_0003"]


def test_a_name_like_a_files_is_not_taken_for_that_files_person(tmp_path: Path) -> None:
    people = [person(i, range(20), T) for i in (1, 2, 3, 4)]
    path = export_run(make_run(tmp_path, people, T, {1: "person_0002", 2: "Ann", 3: "Ann", 4: "person_9"}), "movement")
    individuals = xarray.load_dataset(path, engine="netcdf4").individuals.values.tolist()
    assert individuals == ["person_0001", "person_0002", "person_0003", "person_0004"]


def test_no_dimension_is_unlimited(tmp_path: Path) -> None:
    path = export_run(make_run(tmp_path, [FIRST], T), "movement")
    assert not xarray.load_dataset(path, engine="netcdf4").encoding["unlimited_dims"]
    with pytest.raises(PoselineError, match="nobody is in this run, which netCDF cannot hold; --format csv or coco"):
        export_run(make_run(tmp_path / "empty", [], T), "movement")
    assert not (tmp_path / "empty" / "movement.nc").exists()


@pytest.mark.parametrize("package", ["h5py", "h5netcdf"])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    folder = make_run(tmp_path, [FIRST], T)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PoselineError, match=rf"--format movement: needs the package {package}; .*poseline\[export\]"):
        export_run(folder, "movement")
    assert not (tmp_path / "movement.nc").exists()


def test_movement_opens_it_and_passes_it_on_to_deeplabcut_and_sleap(tmp_path: Path) -> None:
    """What docs/exports.md shows."""
    datasets = pytest.importorskip("movement.validators.datasets")
    from movement.io import load_dataset, save_poses

    people = [FIRST, SECOND]
    data = xarray.open_dataset(export_run(make_run(tmp_path, people, T), "movement"))
    datasets.ValidPosesInputs.validate(data)
    save_poses.to_dlc_file(data, tmp_path / "walk.h5", split_individuals=False)
    save_poses.to_sleap_analysis_file(data, tmp_path / "walk.analysis.h5")
    for file, software in (("walk.h5", "DeepLabCut"), ("walk.analysis.h5", "SLEAP")):
        back = load_dataset(tmp_path / file, source_software=software, fps=float(FPS))
        for i in range(2):
            np.testing.assert_allclose(back.position[..., i], data.position[..., i], rtol=1e-6)
        assert back.individuals.values.tolist() == ["person_0001", "person_0002"]
