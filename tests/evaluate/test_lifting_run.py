"""`poseline eval lift` on motion capture, and of a run against truth in space."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.errors import PoselineError
from pipeline.evaluate.lifting_run import score_run
from pipeline.evaluate.truth import name_of, read_truth
from tests.export.runs import make_run, person, times
from tests.lift.walkers import mocap, save

BODY = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "nose", "left_shoulder", "right_shoulder")


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A run of two people, and where the second one's joints are, (20, J, 3)."""
    time_s = times(40)
    people = [person(1, range(12), time_s, metres=True), person(2, range(10, 30), time_s, metres=True)]
    folder = make_run(tmp_path / "run", people, time_s)
    where = [people[1].names_m.index(name) for name in BODY]
    assert people[1].keypoints_m is not None
    return folder.path, people[1].keypoints_m[:, where].astype(np.float64)


def truth(path: Path, places: np.ndarray, frames: np.ndarray | None = None) -> Path:
    np.savez(path, names=np.array(BODY), positions=places, **({} if frames is None else {"frames": frames}))
    return path


def test_truth_itself_has_no_error_wherever_it_stands(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, places = run
    found = score_run(folder, truth(tmp_path / "gt.npz", places + 3.0, np.arange(10, 30)))
    assert found["people"] == [2]
    for key in ("mpjpe_mm", "pa_mpjpe_mm", "pa_sequence_mm", "rotated_mpjpe_mm"):
        assert found[key] == pytest.approx(0, abs=1e-2)


def test_what_a_rotation_or_a_scale_mends(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, places = run
    angle = 0.5
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = score_run(folder, truth(tmp_path / "turned.npz", places @ turn.T, np.arange(10, 30)))
    assert turned["mpjpe_mm"] > 100
    assert turned["rotated_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    larger = score_run(folder, truth(tmp_path / "larger.npz", (1.1 * places)[None], np.arange(10, 30)))
    assert larger["rotated_mpjpe_mm"] > 50
    assert larger["pa_sequence_mm"] == pytest.approx(0, abs=1e-2)


def test_other_orders_names_and_frames(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, places = run
    order = [5, 0, 7, 1, 6, 2, 3, 4]
    rows = np.arange(1, 20, 3)[::-1]
    names = [BODY[j].encode() for j in order] + [b"pelvis", b"left_ball"]
    positions = np.concatenate([places[rows][:, order], np.full((len(rows), 2, 3), 0.1)], 1)
    wide = np.arange(len(rows)) + 1
    np.savez(tmp_path / "gt.npz", joints=np.array(names), frame=rows + 10, positions=positions, others=wide, fps=30)
    found = score_run(folder, tmp_path / "gt.npz")
    assert found["people"] == [2]
    assert 4 < found["frames"] <= len(rows)
    assert found["mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    assert found["mpjve_mm_s"] == pytest.approx(0, abs=1)
    assert set(found["joints"]) == set(BODY)


def test_velocities_are_per_second(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, places = run
    drifting = places.copy()
    drifting[:, BODY.index("nose"), 0] += 0.01 * np.arange(20)
    found = score_run(folder, truth(tmp_path / "gt.npz", drifting, np.arange(10, 30)))
    one = 10 * 30000 / 1001
    assert 0 < found["mpjve_mm_s"] < one  # of the nose alone, mean over the joints
    assert found["mpjve_mm_s"] == pytest.approx(one / len(BODY), rel=0.5)


def test_several_people_are_told_apart_by_where_they_are(tmp_path: Path) -> None:
    time_s = times(40)
    people = [person(i, range(30), time_s, metres=True) for i in (1, 2)]
    aside = people[1].keypoints_m + np.array([3.0, 0, 0], np.float32)
    people[1] = replace(people[1], keypoints_m=aside)
    folder = make_run(tmp_path / "run", people, time_s).path
    where = [people[0].names_m.index(name) for name in BODY]
    both = np.stack([p.keypoints_m[:, where] for p in people[::-1]])
    found = score_run(folder, truth(tmp_path / "gt.npz", both))
    assert found["people"] == [2, 1]
    assert found["mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    three = np.concatenate([both, both[:1]])
    found = score_run(folder, truth(tmp_path / "three.npz", three))
    assert (sorted(found["people"]), found["missed"]) == ([1, 2], 1)


def test_mistakes_are_one_line(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, places = run
    for name, values, words in (
        ("twice", {"frames": np.zeros(20, int)}, "a frame twice"),
        ("short", {"frames": np.arange(3)}, "as many whole numbers"),
        ("half", {"frames": np.arange(20) / 2}, "whole numbers"),
        ("millimetres", {"positions": places * 1000}, "give positions in metres"),
        ("none", {"positions": np.zeros((0, len(BODY), 3))}, "frames are none"),
        ("shape", {"positions": places[:, :4]}, "holds"),
        ("flat", {"positions": places[0]}, "holds"),
        ("names", {"names": np.array(["nose"] * len(BODY))}, "nose more than once"),
        ("pickled", {"names": np.array(list(BODY), object)}, "cannot be read"),
        ("other", {"names": np.array([f"x{i}" for i in range(len(BODY))])}, "has 0 of the run's joints"),
    ):
        np.savez(tmp_path / f"{name}.npz", **{"names": np.array(BODY), "positions": places, **values})
        with pytest.raises(PoselineError, match=words) as error:
            score_run(folder, tmp_path / f"{name}.npz")
        assert "\n" not in str(error.value)


def test_files_that_hold_no_truth(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(PoselineError, match=r"text\.npz: cannot be read"):
        read_truth(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", names=np.array(["left_hip"]), positions=np.zeros((4, 2, 3)))
    with pytest.raises(PoselineError, match=r"other\.npz: holds"):
        read_truth(tmp_path / "other.npz")
    folder, places = run
    with pytest.raises(PoselineError, match=r"nobody has 4 known joints .* frames are 100 to 119"):
        score_run(folder, truth(tmp_path / "late.npz", places, np.arange(100, 120)))


def test_too_few_names_in_common_are_named(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, places = run
    np.savez(tmp_path / "gt.npz", names=np.array(["left_hip", "right_hip", "tail"]), positions=places[:, :3])
    with pytest.raises(PoselineError, match=r"has 2 of the run's joints \(left_hip, right_hip\) among .*tail"):
        score_run(folder, tmp_path / "gt.npz")


@pytest.mark.parametrize("said", ["LeftHip", "LHip", "L_Hip", "left hip", "LEFT_HIP", "hip_l", "Left-Hip", "left_hip"])
def test_names_in_other_spellings(said: str) -> None:
    assert name_of(said) == "left_hip"


def test_other_names_stay() -> None:
    assert [name_of(n) for n in ("nose", "head_top", "left_right", "RBigToe")] == [
        "nose",
        "head_top",
        "left_right",
        "right_big_toe",
    ]


def test_any_keys_order_kind_of_number_and_unknown_joints(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, places = run
    order = np.random.default_rng(0).permutation(20)
    with_tail = np.concatenate([places, places[:, :1] + 9], 1)[order].astype(np.float32)
    with_tail[0, 2] = np.inf
    np.savez(
        tmp_path / "gt.npz",
        frames=np.arange(10.0, 30)[order],
        joints=with_tail,
        joint_names=np.array([*BODY, "tail"], "S"),
    )
    found = score_run(folder, tmp_path / "gt.npz")
    assert found["people"] == [2]
    assert found["ignored"] == ["tail"]
    assert found["mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    assert found["mpjve_mm_s"] == pytest.approx(0, abs=1)


def test_an_array_for_each_joint(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, places = run
    arrays = {name: places[:, j] for j, name in enumerate(BODY)}
    np.savez(tmp_path / "gt.npz", frame=np.arange(10, 30), **arrays)
    assert score_run(folder, tmp_path / "gt.npz")["mpjpe_mm"] == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("frames_first", [False, True])
def test_several_people_some_of_whom_are_not_there(
    frames_first: bool, run: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    folder, places = run
    both = np.stack([np.full_like(places, np.nan), places])
    path = truth(tmp_path / "gt.npz", both.swapaxes(0, 1) if frames_first else both, np.arange(10, 30))
    found = score_run(folder, path)
    assert (found["people"], found["missed"]) == ([2], 1)
    assert found["mpjpe_mm"] == pytest.approx(0, abs=1e-2)


def test_truth_without_hips_is_compared_about_the_mean_of_what_both_know(
    run: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    folder, places = run
    places = places + 1.0
    places[:, :2] = np.nan
    places[::2, 3] = np.nan
    assert score_run(folder, truth(tmp_path / "gt.npz", places, np.arange(10, 30)))["mpjpe_mm"] < 1e-2


def test_one_frame_has_no_velocity(run: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, places = run
    path = truth(tmp_path / "gt.npz", places[3:4], np.array([13]))
    result = CliRunner().invoke(app, ["eval", "lift", "--pred", str(folder), "--gt", str(path), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["mpjve_mm_s"] is None


def test_eval_lift_on_motion_capture(tmp_path: Path) -> None:
    save(tmp_path / "walks.npz", mocap(90))
    runner = CliRunner()
    scores = {}
    for noise in ("none", "detector"):
        result = runner.invoke(
            app, ["eval", "lift", "--mocap", str(tmp_path / "walks.npz"), "--noise", noise, "--json"]
        )
        assert result.exit_code == 0, result.output
        scores[noise] = json.loads(result.output)
    exact, noisy = scores["none"], scores["detector"]
    assert 0 < exact["pa_mpjpe_mm"] < exact["mpjpe_mm"] < 150
    assert exact["mpjpe_mm"] < noisy["mpjpe_mm"] < 250
    assert noisy["mpjve_mm_s"] < 0.5 * noisy["mpjve_single_frame_mm_s"]
    assert set(exact["joints"]) > {"left_knee", "head_top"}
    again = runner.invoke(app, ["eval", "lift", "--mocap", str(tmp_path / "walks.npz"), "--json", "--seed", "1"])
    assert json.loads(again.output)["mpjpe_mm"] != exact["mpjpe_mm"]


@pytest.mark.parametrize("options", [[], ["--pred", "run"], ["--mocap", "a.npz", "--pred", "run", "--gt", "b.npz"]])
def test_eval_lift_wants_one_of_two(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["eval", "lift", *options])
    assert isinstance(result.exception, PoselineError)
    assert "give either" in str(result.exception)
