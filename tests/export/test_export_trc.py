"""TRC files, read back by trc-data-reader and, where it is installed, by OpenSim itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trc import TRCData

from pipeline import PoselineError
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import BLAZEPOSE33, COCO17
from pipeline.export.run import export_run
from tests.export.runs import FPS, make_run, person, times

T = times(120)
COCO = [
    "Nose",
    *(f"{s}{p}" for p in ("Eye", "Ear", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle") for s in "LR"),
]
# Of Pose2Sim's skeletons.py (HALPE_26), and of Markers_Halpe26.xml and its set-ups of scaling and inverse kinematics.
POSE2SIM = {
    "Hip", "RHip", "RKnee", "RAnkle", "RBigToe", "RSmallToe", "RHeel", "LHip", "LKnee", "LAnkle", "LBigToe",
    "LSmallToe", "LHeel", "Neck", "Head", "Nose", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist",
}  # fmt: skip
AWAY = [*range(10, 40), *range(70, 110)]  # a person who is away for a second


def read(path: Path) -> tuple[TRCData, np.ndarray]:
    """The file and its positions (L, J, 3)."""
    data = TRCData()
    data.load(str(path))
    return data, np.stack([np.array(data[name], float) for name in data["Markers"]], 1)


def expected(motion, px_per_m: float, feet: list[str], skeleton=COCO17) -> np.ndarray:
    """Planar metres of every frame from the first to the last, from the definition."""
    px = motion.keypoints_px.astype(float)
    heights = np.concatenate([px[:, skeleton.index(f), 1] for f in feet])
    floor = np.percentile(heights[~np.isnan(heights)], 98)
    out = np.full((motion.frame[-1] - motion.frame[0] + 1, len(skeleton), 3), np.nan)
    rows = motion.frame - motion.frame[0]
    out[rows, :, 0] = px[..., 0] / px_per_m
    out[rows, :, 1] = (floor - px[..., 1]) / px_per_m
    out[rows, :, 2] = np.where(np.isnan(px[..., 0]), np.nan, 0)
    return out


def test_the_plane_in_metres_with_the_exact_rate_and_times(tmp_path: Path) -> None:
    there = person(1, AWAY, T)
    path = export_run(make_run(tmp_path, [there], T), "trc")
    assert path == tmp_path / "trc"
    data, place = read(path / "person_0001.trc")
    assert data["DataRate"] == data["CameraRate"] == data["OrigDataRate"] == float(FPS)
    assert data["Units"] == "m"
    assert data["Markers"] == COCO
    assert (data["NumFrames"], data["OrigNumFrames"], data["NumMarkers"]) == (100, 100, 17)
    assert data["OrigDataStartFrame"] == 11
    assert data["Frame#"] == list(range(11, 111))
    np.testing.assert_array_equal(data["Time"], T[10:110])  # every digit
    np.testing.assert_allclose(place, expected(there, 250.5, ["left_ankle", "right_ankle"]), atol=6e-7)
    assert np.isnan(place[30:60]).all()
    assert np.isfinite(place).any(0).all()


def test_the_header_is_that_of_opensim(tmp_path: Path) -> None:
    folder = make_run(tmp_path, [person(3, range(4, 9), T)], T)
    lines = (export_run(folder, "trc") / "person_0003.trc").read_text().split("\n")
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\tperson_0003.trc"
    keys = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
    assert lines[1].split("\t") == keys.split(" ")
    assert lines[2].split("\t") == ["29.97002997002997"] * 2 + ["5", "17", "m", "29.97002997002997", "5", "5"]
    assert lines[3].startswith("Frame#\tTime\tNose\t\t\tLEye\t\t\t")
    assert lines[4].split("\t") == ["", "", *(f"{a}{i}" for i in range(1, 18) for a in "XYZ"), ""]
    assert lines[5] == ""
    # A row is closed by a tab, without which OpenSim misses a column where the last marker is not there.
    assert {line.count("\t") for line in lines[6:11]} == {2 + 17 * 3}
    assert lines[11:] == [""]


def test_the_lowest_foot_stands_on_the_floor(tmp_path: Path) -> None:
    there = person(1, range(100), T, BLAZEPOSE33)
    _, place = read(export_run(make_run(tmp_path, [there], T, skeleton=BLAZEPOSE33), "trc") / "person_0001.trc")
    feet = [f"{side}_{part}" for side in ("left", "right") for part in ("ankle", "heel", "foot_index")]
    np.testing.assert_allclose(place, expected(there, 250.5, feet, BLAZEPOSE33), atol=6e-7)
    height = place[:, [BLAZEPOSE33.index(name) for name in feet], 1]
    assert -0.2 < np.nanmin(height) < 0
    assert np.nanmax(place[:, 0, 1]) > 2


def test_26_points_are_called_as_pose2sim_and_its_opensim_set_up_call_them(tmp_path: Path) -> None:
    there = person(1, range(30), T, HALPE26, metres=True)
    lifted = {f"{n}_{axis}_m": np.full(30, 2, np.float32) for n in ("neck_joint", "thorax") for axis in "xyz"}
    folder = make_run(tmp_path, [replace(there, quantities=lifted)], T, skeleton=HALPE26)
    data, place = read(export_run(folder, "trc") / "person_0001.trc")
    markers = data["Markers"]
    assert len(set(markers)) == len(markers)
    assert set(markers) == POSE2SIM | {"LEye", "REye", "LEar", "REar", "neck_joint", "thorax"}
    for joint, marker in {"hip": "Hip", "left_hip": "LHip", "right_small_toe": "RSmallToe", "neck": "Neck"}.items():
        truth = there.keypoints_m[:, HALPE26.index(joint)].astype(float) * (1, -1, -1)
        np.testing.assert_allclose(place[:, markers.index(marker)], truth, atol=6e-7)
    data, _ = read(export_run(folder, "trc", tmp_path / "plane", plane=True) / "person_0001.trc")
    assert set(data["Markers"]) == POSE2SIM | {"LEye", "REye", "LEar", "REar"}


def test_a_lifters_neck_is_not_called_as_halpes(tmp_path: Path) -> None:
    lifted = {f"neck_{axis}_m": np.zeros(9, np.float32) for axis in "xyz"}
    there = replace(person(1, range(9), T, metres=True), quantities=lifted)
    data, _ = read(export_run(make_run(tmp_path, [there], T), "trc") / "person_0001.trc")
    assert data["Markers"] == [*COCO, "neck"]


def test_no_foot_seen_takes_the_lowest_joint(tmp_path: Path) -> None:
    there = person(1, range(50), T)
    there.keypoints_px[:, 15:] = np.nan
    _, place = read(export_run(make_run(tmp_path, [there], T), "trc") / "person_0001.trc")
    assert -0.1 < np.nanmin(place[..., 1]) <= 0
    assert np.isnan(place[:, 15:]).all()


def test_3d_of_the_camera_and_of_the_world_and_the_plane_on_demand(tmp_path: Path) -> None:
    camera = person(1, range(30), T, metres=True)
    world = {f"nose_world_{'xyz'[i]}_m": np.full(30, 1 + i, np.float32) for i in range(3)}
    world["nose_world_x_m"][4] = np.nan
    folder = make_run(tmp_path, [camera, replace(camera, person_id=2, quantities=world)], T)
    path = export_run(folder, "trc")
    _, place = read(path / "person_0001.trc")
    np.testing.assert_allclose(place, camera.keypoints_m.astype(float) * (1, -1, -1), atol=6e-7)
    data, place = read(path / "person_0002.trc")
    assert data["Markers"] == ["Nose"]
    np.testing.assert_array_equal(place[5, 0], (1, 3, -2))  # right, up, towards the camera
    assert np.isnan(place[4, 0, 0])
    _, place = read(export_run(folder, "trc", tmp_path / "plane", plane=True) / "person_0002.trc")
    np.testing.assert_allclose(place, expected(camera, 250.5, ["left_ankle", "right_ankle"]), atol=6e-7)


def test_a_missing_scale_names_the_remedy(tmp_path: Path) -> None:
    folder = make_run(tmp_path, [person(1, range(9), T, facts={"px_per_m_from": "no"})], T)
    with pytest.raises(PoselineError, match=r"person_0001.parquet: has no scale.*poseline track .* --height 1.70"):
        export_run(folder, "trc")
    bad = make_run(tmp_path / "bad", [person(1, range(9), T, facts={"px_per_m": "nan"})], T)
    with pytest.raises(PoselineError, match="has no scale"):
        export_run(bad, "trc")


def test_an_assumed_scale_is_said_once(tmp_path: Path) -> None:
    facts = {"px_per_m": "200", "px_per_m_from": "assumed height 1.70 m"}
    folder = make_run(tmp_path, [person(i, range(9), T, facts=facts) for i in (1, 2, 3)], T)
    said: list[str] = []
    export_run(folder, "trc", say=said.append)
    assert len(said) == 1
    assert "assumed height 1.70 m" in said[0]
    assert "--height" in said[0]
    said.clear()
    export_run(make_run(tmp_path / "known", [person(1, range(9), T)], T), "trc", say=said.append)
    assert said == []


def test_uneven_frames_are_resampled_at_their_median_rate_and_announced(tmp_path: Path) -> None:
    time_s = 3 + np.cumsum(np.tile([0.02, 0.05, 0.03], 40))
    there, said = person(1, range(120), time_s, metres=True), list[str]()
    there.keypoints_m[:] = (time_s * 2 - 5)[:, None, None]
    path = export_run(make_run(tmp_path, [there], time_s), "trc", say=said.append)
    data, place = read(path / "person_0001.trc")
    assert data["DataRate"] == pytest.approx(1 / 0.03, rel=1e-3)
    even = time_s[0] + np.arange(len(data["Time"])) / data["DataRate"]
    np.testing.assert_allclose(data["Time"], even, atol=1e-9)
    assert (data["NumFrames"], data["OrigNumFrames"], data["OrigDataRate"]) == (len(even), 120, float(FPS))
    np.testing.assert_allclose(place[:, 0, 0], even * 2 - 5, atol=1e-5)
    assert len(said) == 1
    assert "unevenly spaced; resampled to 33.33" in said[0]


def test_times_rounded_to_milliseconds_are_even(tmp_path: Path) -> None:
    time_s, said = T.round(3), list[str]()
    export_run(make_run(tmp_path, [person(1, range(120), time_s)], time_s), "trc", say=said.append)
    assert said == []


def test_opensim_reads_it(tmp_path: Path) -> None:
    opensim = pytest.importorskip("opensim")
    opensim.Logger.setLevelString("error")
    there = person(1, AWAY, T)
    there.keypoints_px[3, -1] = np.nan  # the last marker of a row
    file = str(export_run(make_run(tmp_path, [there], T), "trc") / "person_0001.trc")
    table = opensim.TimeSeriesTableVec3(file)
    assert list(table.getColumnLabels()) == COCO
    assert table.getTableMetaDataString("DataRate") == "29.97002997002997"
    np.testing.assert_array_equal(table.getIndependentColumn(), T[10:110])
    rows = [table.getRowAtIndex(i) for i in range(table.getNumRows())]
    place = np.array([[row[k].to_numpy() for k in range(17)] for row in rows])
    np.testing.assert_allclose(place, expected(there, 250.5, ["left_ankle", "right_ankle"]), atol=6e-7)
    reference = opensim.MarkersReference(file, opensim.SetMarkerWeights())
    assert (reference.getNumFrames(), reference.getSamplingFrequency()) == (100, float(FPS))
    assert opensim.MarkerData(file).getUnits().getLabel() == "meters"


@pytest.mark.parametrize(("form", "plane"), [("trc", False), ("trc", True), ("sto", False), ("csv", False)])
def test_a_run_without_3d_says_in_one_line_what_an_export_holds(tmp_path: Path, form: str, plane: bool) -> None:
    people = [person(i, range(9), T, quantities=("left_knee_flexion_deg",)) for i in (1, 2)]
    folder = make_run(tmp_path, people, T)
    folder.write_manifest(folder.begun().but(lifter={"name": "none", "networks": {}}))
    said: list[str] = []
    export_run(folder, form, plane=plane, say=said.append)
    assert len([line for line in said if "3D was left out" in line]) == (0 if plane else 1)
