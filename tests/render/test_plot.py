import numpy as np
import pytest
from PIL import Image

from pipeline.core.errors import PoselineError
from pipeline.render.plot import (
    _chosen,
    _columns,
    _default,
    _figure,
    _inside,
    _joints_of,
    _std_of,
    _with_breaks,
    plot_person,
)
from tests.render.test_render import motion, run_folder, source  # noqa: F401

GAP = np.r_[0:12, 20:40]


@pytest.fixture
def folder(source, tmp_path):  # noqa: F811
    import dataclasses

    m = motion(source, GAP)
    wave = 30 + 20 * np.sin(m.time_s * 6).astype(np.float32)
    quantities = {
        "left_knee_flexion_deg": wave,
        "right_knee_flexion_deg": -wave,
        "com_speed_px_s": wave,
        "left_foot_contact": (wave > 40).astype(np.float32),
    }
    return run_folder(tmp_path / "run", source, [dataclasses.replace(m, quantities=quantities)])


@pytest.mark.parametrize("end", ["png", "svg", "pdf"])
def test_a_picture_is_written(folder, tmp_path, end):
    out = plot_person(folder, 1, ["left_knee_flexion_deg", "com_speed_px_s"], tmp_path / f"knee.{end}")
    assert out.stat().st_size > 5000
    if end == "png":
        assert min(Image.open(out).size) > 400
    assert plot_person(folder, 1) == folder.path / "person_0001.png"


def test_an_unknown_column_is_one_line_that_names_near_ones(folder):
    with pytest.raises(
        PoselineError, match=r"--what left_knee_flexon_deg: no such column; near are left_knee_flexion_deg"
    ):
        plot_person(folder, 1, ["left_knee_flexon_deg"])
    with pytest.raises(PoselineError, match="has no such person"):
        plot_person(folder, 7)
    with pytest.raises(PoselineError, match="unknown kind of picture"):
        plot_person(folder, 1, out=folder.path / "knee.bmp")


def test_names_without_a_side_or_unit():
    names = ["left_knee_flexion_deg", "right_knee_flexion_deg", "com_speed_px_s"]
    assert _columns("knee_flexion_deg", names) == names[:2]
    assert _columns("knee_flexion", names) == names[:2]
    assert _columns("com_speed_px_s", names) == names[2:]


def test_gaps_stay_gaps_and_bridged_rows_are_dotted():
    frame = np.array([0.0, 1, 2, 6, 7])
    score = np.array([0.9, np.nan, 0.9, 0.9, 0.9])
    values = {"frame": frame, "time_s": frame / 10, "score": score, "com_speed_px_s": frame * 5,
              "com_speed_px_s bridged": np.isnan(score).astype(float)}  # fmt: skip
    values = _with_breaks(values)
    assert np.isnan(values["com_speed_px_s"]).tolist() == [False, False, False, True, False, False]
    assert values["time_s"][3] == pytest.approx(0.4)
    figure = _figure(values, ["com_speed_px_s"], {}, [], "a")
    dotted, solid = figure.axes[0].lines
    assert dotted.get_linestyle() == ":"
    assert np.isfinite(dotted.get_ydata()[:3]).all()
    assert np.isnan(dotted.get_ydata()[4:]).all()
    assert np.isnan(solid.get_ydata()[[1, 3]]).all()
    assert figure.axes[0].get_ylabel() == "px/s"


def test_a_panel_for_each_unit_with_bands_and_contacts(folder):
    values = {name: np.arange(5.0) for name in ("time_s", "a_x_px", "a_std_px", "left_b_deg", "left_foot_contact")}
    values |= {"a_x_px bridged": np.zeros(5), "left_b_deg bridged": np.zeros(5)}
    figure = _figure(values, ["a_x_px", "left_b_deg"], {"a_x_px": "a_std_px"}, ["left_foot_contact"], "a")
    assert [axis.get_ylabel() for axis in figure.axes] == ["px", "deg"]
    assert [len(axis.collections) for axis in figure.axes] == [1, 1]  # a band; a bar
    low, high = figure.axes[0].collections[0].get_paths()[0].get_extents().intervaly
    assert (low, high) == (-4, 12)  # ± 2 standard deviations


def test_angles_of_the_kind_that_is_known_and_hatches_elsewhere(source, tmp_path):  # noqa: F811
    import dataclasses

    m = motion(source, GAP)
    wave, none = np.sin(m.time_s).astype(np.float32), np.full(len(m), np.nan, np.float32)
    sides = ("left", "right")
    quantities = {f"{s}_knee_flexion_deg": none for s in sides} | {f"{s}_knee_flexion_3d_deg": wave for s in sides}
    codes = np.where(np.arange(len(m)) < 4, 6, 0).astype(np.uint8)
    codes[-1] = 1
    states = {f"{s}_knee_flexion_3d_state": codes for s in sides}
    run = run_folder(tmp_path / "run", source, [dataclasses.replace(m, quantities=quantities, states=states)])
    path = run.people / "person_0001.parquet"
    names = [*quantities]
    assert _default(path, names) == names[2:]
    assert _chosen(path, "knee_flexion", names) == names[2:]
    assert _chosen(path, "knee_flexion_deg", names) == names[:2]
    assert plot_person(run, 1).is_file()
    values = {"time_s": np.arange(4.0), "a_deg": np.arange(4.0), "a_deg bridged": np.zeros(4)}
    values |= {"a_deg unknown": np.array([1.0, 1, 0, 0]), "a_deg fast": np.array([0.0, 0, 0, 1])}
    axis = _figure(values, ["a_deg"], {}, [], "a").axes[0]
    assert [c.get_hatch() for c in axis.collections] == ["///"]
    assert axis.lines[-1].get_xdata().tolist() == [3.0]


def test_what_a_column_rests_on():
    assert _joints_of("left_knee_flexion_deg_s")[:2] == ["left_knee", "left_hip"]
    assert _joints_of("left_ankle_world_x_m") == ["left_ankle"]
    assert _joints_of("trunk_lean_deg") == []
    assert _std_of("left_ankle_y_px") == "left_ankle_std_px"
    assert _std_of("nose_world_z_m") == "nose_std_m"
    assert _std_of("left_knee_flexion_deg") == "left_knee_flexion_deg_std"
    assert _std_of("left_foot_contact") == ""


def test_a_time_without_the_person_is_named():
    with pytest.raises(PoselineError, match=r"only between 0\.00 and 0\.90 s"):
        _inside(np.arange(10) / 10, (5.0, None))
