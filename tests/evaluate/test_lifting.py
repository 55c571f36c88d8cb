"""Errors of 3D against scipy, cameras against projection, noise against its own statement."""

import numpy as np
import pytest
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from pipeline.core.errors import PoselineError
from pipeline.evaluate import lifting, mocap, mocap_types
from pipeline.evaluate.cameras import LOST_MORE, detector_noise, random_cameras
from pipeline.lift.joints import HIPS, JOINTS, POINTS
from tests.lift import walkers


def test_alignment_is_scipys() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20, 17, 3))
    found = truth + 0.2 * rng.normal(size=truth.shape)
    got = lifting.aligned(found, truth)
    for i in range(20):
        a, b, _ = procrustes(truth[i], found[i])
        size = np.linalg.norm(truth[i] - truth[i].mean(0))
        assert np.linalg.norm(got[i] - truth[i]) == pytest.approx(size * np.linalg.norm(a - b), rel=1e-9)


def test_alignment_undoes_a_motion_but_no_reflection() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(5, 17, 3))
    turn = Rotation.random(5, rng).as_matrix()
    moved = 1.7 * truth @ np.swapaxes(turn, 1, 2) + rng.normal(size=(5, 1, 3))
    assert lifting.aligned(moved, truth) == pytest.approx(truth, abs=1e-12)
    assert lifting.distance(lifting.aligned(truth * [1, 1, -1], truth), truth).mean() > 0.1
    one = truth @ turn[0].T
    assert lifting.aligned_as_one(one, truth, rotation_only=True) == pytest.approx(truth, abs=1e-12)
    assert lifting.aligned_as_one(2 * one, truth) == pytest.approx(truth, abs=1e-12)
    assert lifting.distance(lifting.aligned_as_one(2 * one, truth, rotation_only=True), truth).mean() > 0.5


def test_velocity_error_is_per_second() -> None:
    truth = np.zeros((4, 2, 3))
    drifting = truth + np.arange(4)[:, None, None] * np.array([0.01, 0, 0])
    assert lifting.velocity_error(drifting, truth, 50.0) == pytest.approx(np.full((3, 2), 0.5))


def test_a_perfect_lifter_has_no_error_and_a_still_one_the_size_of_a_person() -> None:
    trials = walkers.mocap(120)
    truths = []
    for i in range(2):
        points = trials.trial(i)
        truth, _, _ = lifting.seen_by_camera(points, trials.fps, np.random.default_rng([3, i]), "none")
        truths.append(truth / (np.median(mocap.heights(points)) / lifting.HEIGHT_M))
    answers = iter(truths)
    perfect = lifting.evaluate_mocap(
        trials, lambda t, rays, score: (next(answers), np.full((120, len(JOINTS)), 1e-3)), seed=3
    )
    assert perfect["mpjpe_known_height_mm"] < 0.01
    assert perfect["pa_mpjpe_mm"] < 0.01
    assert perfect["mpjve_mm_s"] < 0.5
    assert perfect["within_95_share"] == 1
    assert max(perfect["angles_deg"].values()) < 0.1
    assert set(perfect["angles_deg"]) == {
        *(f"{s}_{j}" for s in ("left", "right") for j in ("knee_flexion", "elbow_flexion", "hip_flexion")),
        *(f"{s}_{j}" for s in ("left", "right") for j in ("shoulder_flexion", "ankle_dorsiflexion")),
        "trunk_lean",
    }
    assert perfect["mpjpe_mm"] > 1  # he is not quite 1.70 m tall
    nothing = np.zeros((120, len(JOINTS), 3)), np.full((120, len(JOINTS)), 1e-3)
    still = lifting.evaluate_mocap(trials, lambda t, rays, score: nothing, seed=3)
    assert still["within_95_share"] < 0.2
    assert 300 < still["mpjpe_mm"] < 700
    assert set(still["joints"]) == set(mocap_types.TRUE)


def test_cameras_keep_the_person_in_front_and_upright() -> None:
    rng = np.random.default_rng(5)
    points = np.stack([walkers.walker(120, h) for h in rng.uniform(0, 6, 60)])
    joints = mocap.joints_of(points)
    space = random_cameras(joints[:, :, HIPS].mean(2), rng).see(joints)
    assert (space[..., 2] > 0.5).all()
    up = space[:, :, JOINTS.index("head_top"), 1] - space[:, :, HIPS, 1].mean(-1)
    assert (up < 0).mean() > 0.99  # y is down
    for a, b, length in (("left_hip", "left_knee", walkers.THIGH_M), ("right_elbow", "right_wrist", 0.26)):
        found = np.linalg.norm(space[:, :, JOINTS.index(a)] - space[:, :, JOINTS.index(b)], axis=-1)
        assert found == pytest.approx(np.full(found.shape, length), abs=1e-4)
    left = space[:, :, JOINTS.index("left_ear")] - space[:, :, JOINTS.index("right_ear")]
    shoulders = space[:, :, JOINTS.index("left_shoulder")] - space[:, :, JOINTS.index("right_shoulder")]
    assert ((left * shoulders).sum(-1) > 0).all()


def test_the_face_looks_ahead_and_heels_lie_behind() -> None:
    points = walkers.walker(60)[None]  # walks along +z
    joints = mocap.joints_of(points)[0]
    nose, ears = joints[:, JOINTS.index("nose")], joints[:, [JOINTS.index("left_ear"), JOINTS.index("right_ear")]]
    assert (nose[:, 2] - ears[..., 2].mean(1) > 0.08).all()
    heel, ankle = joints[:, JOINTS.index("left_heel")], joints[:, JOINTS.index("left_ankle")]
    assert (heel[:, 1] < ankle[:, 1] - 0.03).all()
    assert (heel[:, 2] < ankle[:, 2]).all()
    turned = mocap.joints_of(points, np.full((1, 60), np.pi / 2))[0]
    assert (turned[:, JOINTS.index("nose"), 0] - turned[:, JOINTS.index("left_ear"), 0] > -0.2).all()
    assert (turned[:, JOINTS.index("nose"), 0] > joints[:, JOINTS.index("nose"), 0] + 0.08).all()  # his left is +x


def test_heights() -> None:
    assert np.median(mocap.heights(walkers.walker(60))) == pytest.approx(1.70, abs=0.05)


def test_noise_is_of_the_size_of_the_person_and_scores_tell() -> None:
    rng = np.random.default_rng(7)
    base = rng.normal(size=(1, 1, len(POINTS), 2))
    rays = np.broadcast_to(base, (200, 90, len(POINTS), 2)) * np.repeat([0.01, 0.1], 100)[:, None, None, None]
    noisy, score = detector_noise(rays, np.full(200, 30.0), rng, np.ones(200))
    size = np.ptp(rays[:, 0], axis=1).max(-1)
    error = np.linalg.norm(noisy - rays, axis=-1) / size[:, None, None]
    seen = score > 0
    near, far = np.median(error[:100][seen[:100]]), np.median(error[100:][seen[100:]])
    assert near == pytest.approx(far, rel=0.05)
    assert 0.01 < near < 0.03
    low, high = seen & (score < 0.4), seen & (score > 0.7)
    assert np.median(error[low]) > 1.5 * np.median(error[high])
    lost = 1 - seen.mean((0, 1))
    assert 0.02 < lost[POINTS.index("left_knee")] < lost[POINTS.index("left_wrist")] < 0.35
    assert LOST_MORE["wrist"] > 1
    none, full = detector_noise(rays, np.full(200, 30.0), rng, np.zeros(200))
    assert none == pytest.approx(rays, abs=1e-6)
    assert (full > 0).all()


def test_files_that_are_no_motion_capture(tmp_path) -> None:
    walkers.save(tmp_path / "good.npz", walkers.mocap(30))
    back = mocap.load(tmp_path / "good.npz")
    assert back.points == pytest.approx(walkers.mocap(30).points, abs=2e-3)
    assert list(back.subject) == ["01", "02"]
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "lacks.npz", joints=np.array(["pelvis"]))
    good = dict(np.load(tmp_path / "good.npz"))
    np.savez(tmp_path / "joint.npz", **{**good, "joints": np.array(["tail", *good["joints"][1:]])})
    np.savez(tmp_path / "short.npz", **{**good, "length": good["length"] - 1})
    for name, words in (("text", "no motion capture"), ("lacks", "root_m"), ("joint", "pelvis"), ("short", "trials")):
        with pytest.raises(PoselineError, match=words):
            mocap.load(tmp_path / f"{name}.npz")
    with pytest.raises(PoselineError, match="no motion capture"):
        mocap.load(tmp_path / "nowhere.npz")


def test_errors_of_angles_go_round_and_leave_out_what_is_not_known() -> None:
    truth = {
        "left_knee_flexion_3d_deg": np.array([2.0, 4, 60, np.nan]),
        "trunk_lean_3d_deg": np.array([179.0, 0, 0, 0]),
    }
    found = {"left_knee_flexion_3d_deg": np.array([12.0, 8, 50, 5]), "trunk_lean_3d_deg": np.array([-179.0, 0, 0, 0])}
    got = lifting.angle_errors([(found, truth)])
    assert got["angles_deg"] == {"left_knee_flexion": 8.0, "trunk_lean": 0.5}
    assert got["angles_bias_deg"]["left_knee_flexion"] == 1.3
    assert got["angle_deg"] == pytest.approx(4.25)
    assert got["straight_knee_deg"] == 10


def test_the_camera_sees_the_points_of_the_picture() -> None:
    points = walkers.walker(60)
    truth, rays, score = lifting.seen_by_camera(points, 60.0, np.random.default_rng(2), "none")
    hips = [POINTS.index("left_hip"), POINTS.index("right_hip")]
    knees = [POINTS.index("left_knee"), POINTS.index("right_knee")]
    thigh = np.linalg.norm(rays[:, hips].mean(1) - rays[:, knees].mean(1), axis=-1)
    trunk = np.linalg.norm(rays[:, hips].mean(1) - rays[:, [5, 6]].mean(1), axis=-1)
    true = [
        np.linalg.norm((truth[:, a].mean(1) - truth[:, b].mean(1)), axis=-1) for a, b in ((hips, knees), (hips, [5, 6]))
    ]
    assert np.median(thigh / trunk) < 0.97 * np.median(true[0] / true[1])
    assert (score == 1).all()
