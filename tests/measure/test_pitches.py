"""Pitches: their lines and points lie where the rules have them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.pitches import PITCHES
from pipeline.measure.ground_file import read_ground


@pytest.mark.parametrize("name", PITCHES)
def test_a_pitch_is_whole_and_symmetric(name):
    pitch = PITCHES[name]
    points = np.array(list(pitch.points.values()))
    everything = np.concatenate([points, *map(np.array, pitch.lines)])
    assert (everything >= -1e-9).all()
    assert (everything <= np.array(pitch.size_m) + 1e-9).all()
    assert len(set(pitch.points.values())) == len(pitch.points)
    lines = np.concatenate([np.array(line) for line in pitch.lines])
    mirrored = np.array(pitch.size_m) * [1, 0] + lines * [-1, 1]
    apart = np.linalg.norm(lines[:, None] - mirrored[None], axis=2).min(1)
    assert apart.max() < (0.2 if name == "tennis" else 1e-6)


def test_marks_of_the_rules():
    football, basketball = PITCHES["football"].points, PITCHES["basketball"].points
    assert football["left_penalty_area_near_corner"] == pytest.approx((16.5, 34 - 20.16))
    assert football["right_penalty_mark"] == pytest.approx((94, 34))
    assert basketball["left_key_far_corner"] == pytest.approx((5.8, 9.95))
    assert PITCHES["tennis"].points["left_service_middle"] == pytest.approx((5.485, 5.485))
    assert PITCHES["athletics"].points["lane_line_3_finish"] == pytest.approx((100, 3.66))
    assert PITCHES["hockey"].points["right_far_23m_line"] == pytest.approx((68.5, 55))
    assert PITCHES["handball"].points["left_goal_area_near_front"] == pytest.approx((6, 8.5))


NAMED = "\n".join(
    f'[[point]]\npx = [{x}, {y}]\nname = "{name}"'
    for x, y, name in (
        (100, 500, "left_near_corner"), (900, 500, "right_near_corner"), (700, 200, "right_far_corner"),
        (300, 200, "left_far_corner"),
    )
)  # fmt: skip


def test_a_ground_file_names_points(tmp_path):
    file = tmp_path / "court.toml"
    file.write_text(NAMED)
    assert read_ground(file, pitch="basketball").plane_m == ((0, 0), (28, 0), (28, 15), (0, 15))
    file.write_text('pitch = "handball"\n' + NAMED)
    ground = read_ground(file)
    assert ground.plane_m[2] == (40, 20)
    assert ground.pitch == "handball"


@pytest.mark.parametrize(
    ("text", "pitch", "says"),
    [
        (NAMED, None, "point 1 has a name, but no pitch is given; add --pitch football"),
        (NAMED, "cricket", "--pitch cricket: give one of football, basketball, handball, tennis, athletics, hockey"),
        ('pitch = "tennis"\n' + NAMED, "hockey", "and .* says 'tennis': give one of"),
        (
            NAMED.replace("left_far_corner", "far_left"),
            "hockey",
            "point 4 name = 'far_left' is no point of hockey",
        ),
        (NAMED + "\nm = [0, 0]", "hockey", "point 4 has name and m; give one of them"),
    ],
)
def test_what_is_wrong_with_names_is_told(tmp_path, text, pitch, says):
    file = tmp_path / "court.toml"
    file.write_text(text)
    with pytest.raises(PoselineError, match=says):
        read_ground(file, pitch=pitch)
