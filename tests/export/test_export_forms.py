"""How exports write numbers: C3D's missing points in bytes, units, times with an offset, separators, decimal marks."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import ezc3d
import h5netcdf
import numpy as np
import pandas as pd
import pytest

from pipeline import PoselineError
from pipeline.cli.values import parse_separator
from pipeline.export.options import CsvForm
from pipeline.export.run import export_run
from tests.export.runs import make_run, person, times

T = times(40)
AWAY = [*range(3, 15), *range(20, 40)]


def words(path: Path, frames: int, points: int) -> np.ndarray:
    """(L, J, 4) f32 words of the points as the file's bytes have them, without a reader of C3D."""
    data = path.read_bytes()
    assert struct.unpack_from("<f", data, 12)[0] < 0, "the points are stored as integers"
    start = (struct.unpack_from("<H", data, 16)[0] - 1) * 512
    return np.frombuffer(data, "<f4", frames * points * 4, start).reshape(frames, points, 4)


def test_a_missing_point_is_zero_with_residual_minus_one_in_the_bytes(tmp_path: Path) -> None:
    there = person(1, AWAY, T, metres=True)
    path = export_run(make_run(tmp_path, [there], T), "c3d") / "person_0001.c3d"
    found = words(path, 37, 17)
    expected = np.full((37, 17, 3), np.nan)
    expected[there.frame - 3] = there.keypoints_m.astype(float) * (1, -1, -1)
    known = np.isfinite(expected).all(-1)
    assert 0 < known.sum() < known.size
    assert (found[~known] == (0, 0, 0, -1)).all()
    assert (found[known][:, 3] == 0).all()
    np.testing.assert_allclose(found[known][:, :3], expected[known] * 1000, rtol=1e-6)


@pytest.mark.parametrize(("metres", "unit", "factor"), [(False, "mm", 1000), (True, "m", 1)])
def test_c3d_is_in_millimetres_unless_metres_are_asked(tmp_path: Path, metres: bool, unit: str, factor: int) -> None:
    there = person(1, range(20), T, metres=True)
    path = export_run(make_run(tmp_path, [there], T), "c3d", metres=metres) / "person_0001.c3d"
    assert ezc3d.c3d(str(path))["parameters"]["POINT"]["UNITS"]["value"] == [unit]
    x_m = there.keypoints_m[1, 0, 0]
    assert words(path, 20, 17)[1, 0, 0] == pytest.approx(x_m * factor, rel=1e-6)


def test_an_offset_moves_the_times_of_every_format_that_has_times(tmp_path: Path) -> None:
    there = person(1, range(3, 30), T, metres=True, quantities=["left_knee_flexion_deg"])
    folder = make_run(tmp_path, [there], T)

    def made(offset_s: float) -> dict[str, float]:
        """The first time of each format."""
        path = {form: export_run(folder, form, offset_s=offset_s) for form in ("csv", "trc", "sto", "c3d", "movement")}
        c3d = ezc3d.c3d(str(path["c3d"] / "person_0001.c3d"))
        with h5netcdf.File(path["movement"]) as file:
            movement = float(file.variables["time"][3])
        return {
            "csv": pd.read_csv(path["csv"])["time_s"][0],
            "trc": float((path["trc"] / "person_0001.trc").read_text().splitlines()[6].split("\t")[1]),
            "sto": float((path["sto"] / "person_0001.sto").read_text().splitlines()[7].split("\t")[0]),
            "c3d": c3d["parameters"]["POSELINE"]["FIRST_TIME_S"]["value"][0],
            "movement": movement,
        }

    plain, moved = made(0.0), made(-2.5)
    assert plain == {form: pytest.approx(T[3]) for form in plain}
    assert moved == {form: pytest.approx(T[3] - 2.5) for form in plain}
    with pytest.raises(PoselineError, match=r"--time-offset 1: --format mot holds no times"):
        export_run(folder, "mot", offset_s=1)


def test_images_of_coco_have_the_offset(tmp_path: Path) -> None:
    from pipeline.core.skeleton import COCO17
    from pipeline.export.coco import _times
    from pipeline.store.index import stored_video

    folder = make_run(tmp_path, [person(1, range(9), T, COCO17)], T)
    assert json.loads(json.dumps(_times(stored_video(folder), 3, -2.5))) == {"time_s": pytest.approx(T[3] - 2.5)}


def test_decimal_commas_between_semicolons_are_read_back_alike(tmp_path: Path) -> None:
    folder = make_run(tmp_path, [person(1, AWAY, T, quantities=["trunk_lean_deg"])], T, {1: "Ann; O'Hara, the 1.5th"})
    plain = pd.read_csv(export_run(folder, "csv"))
    path = export_run(folder, "csv", tmp_path / "german.csv", csv=CsvForm(";", ","))
    pd.testing.assert_frame_equal(pd.read_csv(path, sep=";", decimal=","), plain)
    first = path.read_text(encoding="utf-8").splitlines()
    assert first[0].startswith("person_id;name;frame;time_s;")
    assert "," in first[1]
    moved = pd.read_csv(export_run(folder, "csv", csv=CsvForm("\t"), offset_s=1), sep="\t")
    assert moved["time_s"].tolist() == pytest.approx((plain["time_s"] + 1).tolist())


def test_options_without_effect_are_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path, [person(1, range(9), T, metres=True)], T)
    with pytest.raises(PoselineError, match=r"--metres: is for --format c3d"):
        export_run(folder, "trc", metres=True)
    with pytest.raises(PoselineError, match=r"--csv-separator, --csv-decimal: --format trc is no CSV table"):
        export_run(folder, "trc", csv=CsvForm(";", ","))
    with pytest.raises(PoselineError, match=r"--csv-decimal ',': is the separator, too; .*--csv-separator ';'"):
        CsvForm(",", ",")
    with pytest.raises(PoselineError, match=r"--csv-separator 'x'"):
        CsvForm("x")
    with pytest.raises(PoselineError, match=r"--time-offset nan: write seconds"):
        export_run(folder, "trc", offset_s=float("nan"))
    assert parse_separator("--csv-separator", "tab") == "\t"
