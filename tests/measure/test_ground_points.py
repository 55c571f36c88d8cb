"""Points from the command line: their errors in cm, and the ground file that they make."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.measure.ground_file import read_ground
from pipeline.measure.ground_points import add_set, errors, parse_points, report, with_those_before
from pipeline.render.ground_picture import drawn

FIVE = ["100,500=left_near_corner", "900,500=right_near_corner", "700,200=right_far_corner", "300,200=left_far_corner"]


def test_the_error_of_each_point_is_told_in_cm(tmp_path):
    exact = parse_points(FIVE, "basketball")
    floor, off = errors(exact)
    assert off.max() < 1e-6
    assert "a fifth shows" in report(exact, off)[-1]
    x, y = floor.to_px(np.array([14.0, 7.5]))
    points = parse_points([*FIVE, f"{x + 8},{y}=14,7.5"], "basketball")
    lines = report(points, errors(points)[1])
    assert len(lines) == 5
    assert "= 14,7.5: off by " in lines[-1]
    assert 2 < float(lines[-1].split("off by ")[1].split(" ")[0]) < 60
    file = tmp_path / "ground.toml"
    add_set(file, 1.5, exact, "basketball")
    add_set(file, 4.0, exact, "basketball")
    ground = read_ground(file)
    assert ground.time_s == (1.5,) * 4 + (4.0,) * 4
    assert ground.pitch == "basketball"
    picture = drawn(np.zeros((540, 960, 3), np.uint8), points.px, floor)
    assert picture.any()


@pytest.mark.parametrize(
    ("text", "pitch", "says"),
    [
        ("1,2", None, r"--point 1,2: write X,Y=METRES,METRES or X,Y=NAME"),
        ("1,2=corner", "tennis", r"--point 1,2=corner: write .* points of tennis are far_net"),
        ("1,2=corner", None, "--point 1,2=corner: corner is a name; give --pitch"),
        ("1,2=3,4", "cricket", "--pitch cricket: give one of football"),
    ],
)
def test_wrong_points_are_told(text, pitch, says):
    with pytest.raises(PoselineError, match=says):
        parse_points([text], pitch)


def test_points_of_one_time_are_judged_together_whoever_gave_them(tmp_path):
    file = tmp_path / "ground.toml"
    for text in FIVE:
        add_set(file, 1.5, parse_points([text], "basketball"), "basketball")
    more = parse_points(["500,350=centre"], "basketball")
    assert len(with_those_before(file, 1.5, more).px) == 5
    assert len(with_those_before(file, 2.5, more).px) == 1
    with pytest.raises(PoselineError, match="is of --pitch basketball, not football; give another file"):
        add_set(file, 1.5, parse_points(["1,2=centre"], "football"), "football")
