"""C3D files, written by ezc3d, read back by py-c3d, which is another implementation, and by ezc3d."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import c3d
import ezc3d
import numpy as np
import pytest

from pipeline import PoselineError
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.export import c3d as module
from pipeline.export.clock import at_rate, beat_of, uneven
from pipeline.export.markers import LABELS
from pipeline.export.run import export_run
from tests.export.runs import FPS, make_run, person, times

T = times(120)
AWAY = [*range(10, 40), *range(70, 110)]
NAME = 'Ann "2" O\'Hara'
TWO = Skeleton("two", ("nose", "left_ankle"), (), (0.1, 0.1))
pytestmark = pytest.mark.filterwarnings("ignore:No analog data found:UserWarning")


def read(path: Path) -> tuple[c3d.Reader, np.ndarray, np.ndarray]:
    """The file, its frame numbers (L,) and points (L, J, 5): x, y, z, residual, cameras."""
    with open(path, "rb") as file:
        reader = c3d.Reader(file)
        frames = [(number, points.copy()) for number, points, _ in reader.read_frames()]
    return reader, np.array([number for number, _ in frames]), np.stack([points for _, points in frames])


def test_points_in_millimetres_with_missing_ones_marked(tmp_path: Path) -> None:
    there = person(1, AWAY, T, metres=True)
    folder = make_run(tmp_path, [there], T, names={1: NAME})
    path = export_run(folder, "c3d")
    assert path == tmp_path / "c3d"
    reader, number, points = read(path / "person_0001.c3d")
    assert [label.strip() for label in reader.point_labels] == [LABELS[name] for name in COCO17.names]
    assert reader.point_rate == np.float32(FPS)
    assert reader.get("POINT:UNITS").string_array[0].strip() == "mm"
    assert reader.get("SUBJECTS:NAMES").string_array[0].strip() == NAME
    assert number.tolist() == list(range(11, 111))
    expected = np.full((100, 17, 3), np.nan)
    expected[there.frame - 10] = 1000 * there.keypoints_m.astype(float) * (1, -1, -1)
    known = np.isfinite(expected).all(-1)
    np.testing.assert_allclose(points[..., :3][known], expected[known], rtol=1e-6)
    assert (points[..., 3][~known] == -1).all()
    assert (points[..., 3][known] >= 0).all()
    assert not known[30:60].any()


def test_26_points_have_the_labels_of_the_trc_file_and_the_tables_names(tmp_path: Path) -> None:
    folder = make_run(tmp_path, [person(1, range(20), T, HALPE26)], T, skeleton=HALPE26)
    lines = (export_run(folder, "trc") / "person_0001.trc").read_text().splitlines()
    point = ezc3d.c3d(str(export_run(folder, "c3d") / "person_0001.c3d"))["parameters"]["POINT"]
    assert point["LABELS"]["value"] == lines[3].split("\t")[2::3][:26]
    assert point["LABELS"]["value"][17:22] == ["Head", "Neck", "Hip", "LBigToe", "RBigToe"]
    assert point["DESCRIPTIONS"]["value"] == list(HALPE26.names)


def test_the_plane_equals_the_trc_file(tmp_path: Path) -> None:
    folder = make_run(tmp_path, [person(1, range(50), T)], T)
    lines = (export_run(folder, "trc") / "person_0001.trc").read_text().splitlines()[6:]
    markers = np.array([[float(v) for v in line.split("\t")[2:-1]] for line in lines]).reshape(50, 17, 3)
    content = ezc3d.c3d(str(export_run(folder, "c3d") / "person_0001.c3d"))
    np.testing.assert_allclose(content["data"]["points"][:3] / 1000, markers.transpose(2, 1, 0), atol=1e-6)
    assert content["parameters"]["SUBJECTS"]["NAMES"]["value"] == ["person_0001"]
    assert content["parameters"]["POSELINE"]["FIRST_TIME_S"]["value"] == pytest.approx([T[0]])


def test_more_frames_than_the_header_counts_go_on_in_another_file(tmp_path: Path) -> None:
    n, said = 70_000, list[str]()
    time_s = times(n)
    there = person(1, range(n), time_s, TWO, metres=True)
    folder = make_run(tmp_path, [there], time_s, skeleton=TWO)
    path = export_run(folder, "c3d", tmp_path / "all.c3d", say=said.append)
    assert sorted(p.name for p in tmp_path.glob("*.c3d")) == ["all.c3d", "all_part2.c3d"]
    assert len(said) == 1
    assert "all_part2.c3d" in said[0]
    _, number, first = read(path)
    reader, rest_number, rest = read(tmp_path / "all_part2.c3d")
    assert (number[0], number[-1], len(first)) == (1, 65534, 65534)
    assert (rest_number[0], len(rest)) == (1, n - 65534)
    points = np.concatenate([first, rest])
    known = np.isfinite(there.keypoints_m).all(-1)
    np.testing.assert_array_equal(points[..., 3] >= 0, known)
    np.testing.assert_allclose(points[known][:, 0], 1000 * there.keypoints_m[known][:, 0], rtol=1e-6)
    assert reader.get("POSELINE:FIRST_FRAME").float_value == 65535
    assert reader.get("POSELINE:FIRST_TIME_S").float_value == pytest.approx(time_s[65534])
    export_run(make_run(tmp_path / "short", [person(1, range(9), T)], T), "c3d", tmp_path / "all.c3d")
    assert [p.name for p in tmp_path.glob("*.c3d")] == ["all.c3d"]  # no part of the longer one is left


def test_frame_numbers_beyond_16_bits_do_not_wrap_round(tmp_path: Path) -> None:
    time_s = times(70_100)
    there = person(1, range(70_000, 70_100), time_s)
    reader, number, points = read(export_run(make_run(tmp_path, [there], time_s), "c3d") / "person_0001.c3d")
    assert (number[0], len(points)) == (1, 100)
    assert reader.get("POSELINE:FIRST_FRAME").float_value == 70_001


def test_uneven_frames_are_put_on_an_even_beat(tmp_path: Path) -> None:
    time_s = 3 + np.cumsum(np.tile([0.02, 0.05, 1001 / 10000 - 0.07], 40))
    there, said = person(1, range(120), time_s, metres=True), list[str]()
    there.keypoints_m[:] = (time_s * 2 - 5)[:, None, None]
    there.keypoints_m[60:63] = np.nan
    path = export_run(make_run(tmp_path, [there], time_s), "c3d", say=said.append)
    _, _, points = read(path / "person_0001.c3d")
    assert len(said) == 1
    rate = 1 / 0.0301  # the median
    assert "resampled to 33.22" in said[0]
    even = time_s[0] + np.arange(len(points)) / rate
    assert time_s[-1] - 1 / rate < even[-1] <= time_s[-1] + 1e-6
    known = points[:, 0, 3] >= 0
    np.testing.assert_allclose(points[known, 0, 0], 1000 * (even[known] * 2 - 5), atol=2e-2)
    np.testing.assert_array_equal(known, (even <= time_s[59]) | (even >= time_s[63]))


def test_a_known_frame_next_to_a_missing_one_keeps_its_value() -> None:
    values = np.array([1.0, np.nan, 3.0, 4.0])
    np.testing.assert_array_equal(at_rate(np.array([0.0, 1.0, 2.0, 3.0]), values, FPS / FPS), values)
    assert not uneven(np.zeros(1), FPS)
    assert not uneven(T, FPS)
    assert uneven(np.array([0, 0.033, 0.09]), FPS)


def test_without_ezc3d_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(tmp_path, [person(1, range(9), T)], T)
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(PoselineError, match=r"--format c3d: needs the package ezc3d; .*'poseline\[export\]'"):
        export_run(folder, "c3d")
    assert list((tmp_path / "c3d").iterdir()) == []


def test_parts_of_a_resampled_person_name_the_frame_of_the_video(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST", 50)
    time_s = 3 + np.cumsum(np.tile([0.02, 0.05, 0.5], 20))  # 20 frames a second by their median, not 30
    there = person(1, range(10, 60), time_s, metres=True)
    path = export_run(make_run(tmp_path, [there], time_s), "c3d")
    parts = sorted(path.iterdir(), key=lambda file: (len(file.name), file.name))
    assert len(parts) > 1
    for n, part in enumerate(parts):
        reader, *_ = read(part)
        first_s = reader.get("POSELINE:FIRST_TIME_S").float_value
        frame = int(reader.get("POSELINE:FIRST_FRAME").float_value) - 1
        assert first_s == pytest.approx(time_s[10] + n * 50 * 0.05)
        assert time_s[frame] <= first_s + 1e-4
        assert frame == 59 or first_s < time_s[frame + 1]


def test_what_a_killed_export_left_goes_with_the_next(tmp_path: Path) -> None:
    folder = make_run(tmp_path, [person(1, range(9), T, metres=True)], T)
    path = export_run(folder, "c3d")
    stay = ["person_0001.c3d", "person_0001_part3.txt", "person_0001_partial.c3d"]
    for name in [*stay[1:], "person_0001_part3.c3d", ".person_0001.c3d.1.tmp.c3d", ".person_0001.c3d.1-2.tmp"]:
        (path / name).touch()  # part 2 is gone, as where it was killed between two deletions
    export_run(folder, "c3d")
    assert sorted(file.name for file in path.iterdir()) == sorted(stay)


def test_even_frames_whose_header_says_another_rate_stay_as_they_are() -> None:
    beat = beat_of(np.arange(20) / 10, Fraction(100, 9))
    assert (beat.rate, beat.resampled, beat.count) == (10, False, 20)


def test_the_median_rate_counts_where_frames_were_dropped_and_holes_stay_open() -> None:
    time_s = np.delete(np.arange(300) / 30, [*range(5, 300, 3), *range(100, 140)])
    beat = beat_of(time_s, Fraction(len(time_s), 10))
    assert (beat.rate, beat.resampled, beat.count) == (30, True, round(30 * time_s[-1]) + 1)
    (frame, even_s, values) = next(beat.frames(time_s, iter([(np.arange(len(time_s)), time_s[:, None])])))
    assert frame.tolist() == list(range(beat.count))
    known = np.isfinite(values[:, 0])
    np.testing.assert_allclose(values[known, 0], even_s[known], atol=1e-9)
    assert even_s[~known].min() == pytest.approx(100 / 30)
    assert even_s[~known].max() == pytest.approx(140 / 30)
