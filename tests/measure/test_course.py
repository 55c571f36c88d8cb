"""The floor under a camera that turns and zooms: places and speeds of people whose ways are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.homography import STILL, moved
from pipeline.core.settings import Ground, MetresConfig
from pipeline.core.skeleton import COCO17
from pipeline.measure.course import course_of
from pipeline.measure.ground_file import read_ground
from pipeline.measure.measure import measure
from tests import field, synthetic
from tests.motion.motions import exact

T = np.arange(0, 60, 1 / 12.5)
LARGER, SIZE = np.diag([4.0, 4, 1]), (1600, 900)
CORNERS_M = np.array([[36.0, 0], [69, 0], [36, 34], [69, 34], [52.5, 13.8]])


def seen(t: float) -> np.ndarray:
    """(3, 3) metres to px of a picture four times as large as that of `field`."""
    return LARGER @ field.view(t)[0]


def motions(drift_px: float = 0.0) -> np.ndarray:
    """(T, 3, 3) of the camera of `field`, with errors that add up to so many px over all frames."""
    out = np.array([STILL, *(LARGER @ field.motion(a, b) @ np.linalg.inv(LARGER) for a, b in pairwise(T))])
    out[1:, 0, 2] += drift_px / len(T) * out[1:, 2, 2]
    return out


def points(*times: float) -> Ground:
    """Marks of the field as they are seen at these times."""
    marks = [moved(CORNERS_M, seen(t)) for t in times]
    told = tuple(t for t in times for _ in CORNERS_M)
    px, m = np.concatenate(marks), np.tile(CORNERS_M, (len(times), 1))
    return Ground(image_px=tuple(map(tuple, px.tolist())), plane_m=tuple(map(tuple, m.tolist())), time_s=told)


def runner() -> tuple[np.ndarray, np.ndarray]:
    """(T, 2) m of somebody who runs to and fro over the field at 3 to 6 m/s, and (T,) m/s."""
    way = np.stack([52.5 + 16 * np.sin(0.3 * T), 20 + 8 * np.sin(0.17 * T)], 1)
    return way, np.linalg.norm(np.gradient(way, T, axis=0), axis=1)


@pytest.mark.parametrize(("drift_px", "times"), [(0.0, (0.0,)), (0.0, (31.0,)), (16.0, (0.0, 30.0, 59.0))])
def test_places_and_speeds_of_a_minute_of_pans_and_zooms(drift_px: float, times: tuple[float, ...]) -> None:
    course = course_of(points(*times), motions(drift_px), T, SIZE, (0, len(T)))
    way, speed = runner()
    px = np.array([moved(p, seen(t)) for p, t in zip(way, T, strict=True)])
    place = course.floor(np.arange(len(T))).to_m(px)
    assert np.linalg.norm(place - way, axis=1).max() < 0.02 * 105
    found = np.linalg.norm(np.gradient(place, T, axis=0), axis=1)
    assert np.median(np.abs(found / speed - 1)) < 0.05


def test_a_person_on_the_floor_of_a_camera_that_moves() -> None:
    """Feet are where they are seen; the person has no speed in the picture plane, in metres, whatever the height."""
    way, speed = runner()
    px = np.array([moved(p, seen(t)) for p, t in zip(way, T, strict=True)])
    tall = np.linalg.norm(
        np.array([moved(p + np.array([1.75, 0]), seen(t)) for p, t in zip(way, T, strict=True)]) - px, axis=1
    )
    body = synthetic.walker(T, height_px=100.0, start_px=(0, 0), velocity_px_s=(0, 0))
    body = (body - body[:, [15, 16]].mean(1, keepdims=True)) * (tall / 100)[:, None, None]
    body[100:110, 15] = np.nan  # a foot is not seen
    standing = exact(T, body * [0.2, 1] + px[:, None])
    ground = points(0.0)
    course = course_of(ground, motions(), T, SIZE, (0, len(T)))
    config = MetresConfig(height_m=1.75, ground=ground)
    told = measure(standing, COCO17, config, (4000, 4000), moves=True, course=course)
    columns = told.motion.quantities
    place = np.stack([columns["ground_x_m"], columns["ground_y_m"]], 1)
    off = np.linalg.norm(place - way, axis=1)
    assert np.nanmax(off) < 0.02 * 105
    known = np.isfinite(columns["ground_speed_m_s"])
    assert known.mean() > 0.9
    assert np.nanmedian(columns["ground_speed_m_s"] / speed) == pytest.approx(1, abs=0.05)
    assert told.figures["distance_m"] == pytest.approx(np.abs(speed).mean() * 60, rel=0.05)
    assert told.figures["metres_from"] == "ground"
    assert not any(name.startswith("path_") or name.endswith("left_ankle_speed_m_s") for name in columns)


def test_points_without_a_time_are_those_of_the_first_frame_and_a_line_says_so() -> None:
    ground = points(0.0).model_copy(update={"time_s": ()})
    course = course_of(ground, motions(), T, SIZE, (0, len(T)))
    np.testing.assert_allclose(course.floor(np.zeros(5, int)).to_m(np.array(ground.image_px)), CORNERS_M, atol=1e-6)
    assert "taken to hold at 0.00 s" in course.lines[0]


def test_shots_of_one_still_camera_have_its_floor_and_those_of_another_none() -> None:
    still = np.tile(STILL, (30, 1, 1))
    course = course_of(points(0.0), still, T[:30], SIZE, (0, 30), shots=[10, 20], cameras=[0, 1, 0])
    known = np.isfinite(course.floor(np.arange(30)).to_m(np.tile([800.0, 450.0], (30, 1)))).all(1)
    assert known.tolist() == [True] * 10 + [False] * 10 + [True] * 10


def test_a_shot_without_points_has_no_floor() -> None:
    course = course_of(points(0.0), motions(), T, SIZE, (0, len(T)), shots=[100])
    known = np.isfinite(course.matrices).all((1, 2))
    assert known[:100].all()
    assert not known[100:].any()


def test_points_that_do_not_fit_those_of_other_times_are_told() -> None:
    wrong = points(0.0, 40.0)
    shifted = tuple((x + (160 if t else 0), y) for (x, y), t in zip(wrong.image_px, wrong.time_s, strict=True))
    course = course_of(wrong.model_copy(update={"image_px": shifted}), motions(), T, SIZE, (0, len(T)))
    assert "are off by" in course.lines[0]
    with pytest.raises(PoselineError, match=r"time_s = 99 is outside what the run has of the video, 0\.00 to 59\.92 s"):
        course_of(points(0.0).model_copy(update={"time_s": (99.0,) * 5}), motions(), T, SIZE, (0, len(T)))
    with pytest.raises(PoselineError, match=r"time_s = 0 is outside what the run has"):  # the run begins later
        course_of(points(0.0), motions(), T, SIZE, (100, len(T)))


def test_a_file_of_two_sets(tmp_path) -> None:
    file = tmp_path / "court.toml"
    four = "\n".join(
        f"[[set.point]]\npx = [{x}, {y}]\nm = [{x / 10}, {y / 10}]" for x, y in ((0, 0), (100, 0), (0, 90), (90, 90))
    )
    file.write_text(f"[[set]]\ntime_s = 1.5\n{four}\n[[set]]\ntime_s = 4\n{four}\n")
    ground = read_ground(file, (200, 200))
    assert ground.time_s == (1.5,) * 4 + (4.0,) * 4
    file.write_text("time_s = 2\n" + four.replace("set.point", "point"))
    assert read_ground(file).time_s == (2.0,) * 4
    file.write_text(four.replace("set.point", "point").replace("m = [0.0, 0.0]", "m = [0, 0]\ntime_s = 2"))
    with pytest.raises(PoselineError, match="point 2 has no time_s and others have; give it to all or none"):
        read_ground(file)
    file.write_text(f"[[set]]\n{four}\n")
    with pytest.raises(PoselineError, match=r"set 1 has no time_s; write \[\[set\]\] time_s = 3\.6"):
        read_ground(file)
