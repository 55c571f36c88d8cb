"""poseline plot RUN --cycles: mean and deviation over the stride, from the run's tables alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.core.errors import PoselineError
from pipeline.core.settings import MetresConfig
from pipeline.core.skeleton import COCO17
from pipeline.measure.cycle_tables import write_cycles
from pipeline.measure.measure import measure
from pipeline.render.plot_cycles import _default, _figure, _of, plot_cycles
from pipeline.store.cycles_table import cycles_files
from pipeline.store.folder import RunFolder
from pipeline.store.manifest import Manifest
from tests import synthetic
from tests.motion.motions import exact


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Person 1 walks, person 2 walks backward for longer."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    folder.write_manifest(Manifest({"names": {"1": "Ann"}}))
    with cycles_files(folder, {}) as files:
        for i, duration in ((1, 6), (2, 9)):
            t = np.arange(0, duration, 1 / 30)
            points = synthetic.from_the_side(synthetic.walker(t, velocity_px_s=(150.0, 0)))[:: 1 if i == 1 else -1]
            made = measure(dataclasses.replace(exact(t, points), person_id=i), COCO17, MetresConfig(), (1920, 1080))
            write_cycles(files, made.motion, made.cycles, False)
    return folder


def test_everybodys_rows_are_written_together(folder):
    """Hundreds of columns of few rows cost far more."""
    for path in (folder.gait_cycles, folder.gait_means):
        with pq.ParquetFile(path) as file:
            assert file.num_row_groups == 1
            assert file.read(["person_id"])["person_id"].unique().to_pylist() == [1, 2]


@pytest.mark.parametrize("end", ["png", "svg", "pdf"])
def test_a_picture_is_written(folder, tmp_path, end):
    out = plot_cycles(folder, 1, out=tmp_path / f"walk.{end}")
    assert out.stat().st_size > 5000
    if end == "png":
        assert min(Image.open(out).size) > 300


def test_by_default_whoever_has_most_cycles_is_drawn_into_the_run_folder(folder):
    assert plot_cycles(folder) == folder.path / "person_0002_walk_backward.png"


def test_each_side_has_its_mean_its_band_and_its_toe_off(folder):
    table = _of(folder, 1, "walk")
    chosen = _default(table, "walk")
    assert chosen[:2] == ["hip_flexion_deg", "knee_flexion_deg"]
    figure = _figure(table, ["knee_flexion_deg", "thigh_segment_deg_s"], "walk", "a")
    knee = figure.axes[0]
    curves = [line for line in knee.lines if len(line.get_xdata()) == 101]
    assert [line.get_label().split(",")[0] for line in curves] == ["left", "right"]
    assert [np.nanmax(line.get_ydata()) for line in curves] == pytest.approx([55, 55], abs=2)
    assert len(knee.collections) == 2
    assert [line.get_linestyle() for line in knee.lines].count("--") == 2
    assert knee.get_xlabel() == "gait cycle, %"
    assert "flexion" in knee.get_ylabel()
    assert figure.axes[1].get_ylabel() == "°/s"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"person_id": 7}, r"--person 7: has no strides or repetitions"),
        ({"movement": "squat"}, r"--movement squat: none was found; there are walk, walk_backward"),
        ({"what": ["knee_flexon"]}, r"--what knee_flexon: no such quantity of cycles; near are .*knee_flexion_deg"),
        ({"out": "knee.bmp"}, "unknown kind of picture"),
    ],
)
def test_what_is_not_there_is_one_line(folder, asked, words):
    asked = {key: Path(value) if key == "out" else value for key, value in asked.items()}
    with pytest.raises(PoselineError, match=words) as caught:
        plot_cycles(folder, **asked)
    assert "\n" not in str(caught.value)


def test_runs_without_cycles_say_so(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_manifest(Manifest({"names": {}}))
    with pytest.raises(PoselineError, match=r"missing; poseline track .* makes it"):
        plot_cycles(folder)
    with cycles_files(folder, {}):
        pass
    with pytest.raises(PoselineError, match="nobody has strides"):
        plot_cycles(folder)
