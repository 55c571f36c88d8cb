"""OpenPose's JSON, read back as OpenPose documents it (02_output.md: format 1.3, BODY_25)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.keypoint_sets import HALPE26, WHOLEBODY133
from pipeline.core.skeleton import BLAZEPOSE33, COCO17
from pipeline.export.openpose import LEAST
from pipeline.export.run import export_run
from tests.export.runs import make_run, person, times

T = times(60)
BODY_25 = [
    "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "MidHip", "RHip", "RKnee",
    "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar", "LBigToe", "LSmallToe", "LHeel", "RBigToe",
    "RSmallToe", "RHeel",
]  # fmt: skip
KEYS = {
    "person_id", "pose_keypoints_2d", "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d",
    "pose_keypoints_3d", "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d",
}  # fmt: skip


def read(path: Path, frame: int) -> dict[int, dict[str, np.ndarray]]:
    """{person id: {BODY_25 name: (x, y, c)}} of a frame."""
    content = json.loads((path / f"walk 1_{frame:012d}_keypoints.json").read_text())
    assert set(content) == {"version", "people"}
    assert content["version"] == 1.3
    people = {}
    for one in content["people"]:
        assert set(one) == KEYS
        assert all(isinstance(one[key], list) for key in KEYS)
        points = np.reshape(one["pose_keypoints_2d"], (25, 3))
        people[one["person_id"][0]] = dict(zip(BODY_25, points, strict=True))
    return people


def test_a_file_per_frame_with_the_people_who_are_there(tmp_path: Path) -> None:
    first = person(1, [*range(12, 20), *range(40, 60)], T)
    second = person(2, range(15, 45), T)
    path = export_run(make_run(tmp_path, [second, first], T, observed=(10, 60)), "openpose")
    assert path == tmp_path / "openpose"
    assert [p.name for p in sorted(path.iterdir())] == [f"walk 1_{f:012d}_keypoints.json" for f in range(10, 60)]
    for frame in range(10, 60):
        found = read(path, frame)
        assert list(found) == [m.person_id for m in (first, second) if frame in m.frame]
        for motion in (first, second):
            for row in np.flatnonzero(motion.frame == frame):
                check(found[motion.person_id], motion, int(row))


def test_frames_of_an_earlier_run_go_and_other_files_stay(tmp_path: Path) -> None:
    there = person(1, range(5, 9), T)
    path = export_run(make_run(tmp_path, [there], T), "openpose")
    (path / "other_000000000001_keypoints.json").write_text("{}")
    export_run(make_run(tmp_path, [there], T, observed=(4, 7)), "openpose")
    names = [f"walk 1_{f:012d}_keypoints.json" for f in (4, 5, 6)]
    assert sorted(p.name for p in path.iterdir()) == ["other_000000000001_keypoints.json", *names]


def check(found: dict[str, np.ndarray], motion, row: int) -> None:
    side = {"L": "left", "R": "right"}
    for name, (x, y, c) in found.items():
        joint = "nose" if name == "Nose" else f"{side.get(name[0], '')}_{name[1:].lower()}"
        if joint not in COCO17.names:
            continue
        k = COCO17.index(joint)
        if np.isnan(motion.keypoints_px[row, k, 0]):
            assert (x, y, c) == (0, 0, 0)
        else:
            np.testing.assert_allclose((x, y), motion.keypoints_px[row, k], atol=6e-4)
            assert c == pytest.approx(max(motion.keypoint_score[row, k], LEAST), abs=6e-4)
    for name, (a, b) in {"Neck": (5, 6), "MidHip": (11, 12)}.items():
        both = motion.keypoints_px[row, [a, b]].astype(float)
        wanted = both.mean(0) if np.isfinite(both).all() else (0, 0)
        np.testing.assert_allclose(found[name][:2], wanted, atol=6e-4)
        assert (found[name][2] > 0) == np.isfinite(both).all()
    assert all((found[name] == 0).all() for name in BODY_25[19:])  # COCO's 17 have no feet


@pytest.mark.parametrize(
    ("skeleton", "toe", "small"),
    [(BLAZEPOSE33, "left_foot_index", None), (WHOLEBODY133, "left_big_toe", "left_small_toe")],
    ids=["blazepose33", "wholebody"],
)
def test_feet_where_the_set_has_them(tmp_path: Path, skeleton, toe: str, small: str | None) -> None:
    there = person(1, range(1, 3), T, skeleton)
    there.keypoints_px[:] = np.arange(len(skeleton))[:, None] + (10, 20)
    path = export_run(make_run(tmp_path, [there], T, skeleton=skeleton), "openpose")
    found = read(path, 1)[1]
    for name, joint in {"LBigToe": toe, "LHeel": "left_heel", "LSmallToe": small, "LKnee": "left_knee"}.items():
        wanted = (0, 0) if joint is None else skeleton.index(joint) + np.array([10, 20])
        np.testing.assert_array_equal(found[name][:2], wanted)


def test_26_points_fill_all_of_body_25(tmp_path: Path) -> None:
    there = person(1, range(1, 3), T, HALPE26)
    there.keypoints_px[:] = np.arange(26)[:, None] * (3, 7) + (10, 20)
    found = read(export_run(make_run(tmp_path, [there], T, skeleton=HALPE26), "openpose"), 1)[1]
    assert all(c > 0 for _, _, c in found.values())
    at = {name: np.arange(26)[k] * np.array([3, 7]) + (10, 20) for k, name in enumerate(HALPE26.names)}
    side = {"L": "left", "R": "right"}
    for name in BODY_25[19:]:
        joint = f"{side[name[0]]}_{name[1:].replace('Toe', '_toe').lower()}"
        np.testing.assert_array_equal(found[name][:2], at[joint])
    np.testing.assert_array_equal(found["Neck"][:2], (at["left_shoulder"] + at["right_shoulder"]) / 2)
    np.testing.assert_array_equal(found["MidHip"][:2], (at["left_hip"] + at["right_hip"]) / 2)
