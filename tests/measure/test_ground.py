"""The floor: points to metres and back, and people of known ways seen by known cameras."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import Calibration, Ground, MetresConfig, SmoothConfig, TrackConfig
from pipeline.core.skeleton import BLAZEPOSE33, COCO17, Skeleton
from pipeline.core.types import MEASURED, MISSING, Motion
from pipeline.measure.floor import fit_error_px, floor_of
from pipeline.measure.ground import ground_columns
from pipeline.measure.ground_file import read_ground
from pipeline.measure.measure import measure
from pipeline.measure.scale import summary
from pipeline.measure.stance import feet_px, stand_px
from pipeline.measure.zones import inside, zone_times
from pipeline.motion.person import build_motion
from tests import synthetic

HEIGHT_M = 1.75
CORNERS_M = np.array([[-3.0, -3], [3, -3], [3, 6], [-3, 6]])
LENS = (-0.12, 0.05, 0.001, -0.0005, 0.01)


def _camera(
    place: tuple[float, float, float] = (0, -8, 2.5),
    look_at: tuple[float, float, float] = (0, 0, 0.8),
    focal_px: float = 1200.0,
    distortions: tuple[float, ...] = (),
    fisheye: bool = False,
) -> Calibration:
    """A camera of 1920×1080 px, z up, that looks at a point."""
    z = np.subtract(look_at, place) / np.linalg.norm(np.subtract(look_at, place))
    x = np.cross(z, [0, 0, 1]) / np.linalg.norm(np.cross(z, [0, 0, 1]))
    turn = np.stack([x, np.cross(z, x), z])
    return Calibration(
        size_px=(1920, 1080),
        matrix=((focal_px, 0, 960), (0, focal_px, 540), (0, 0, 1)),
        distortions=distortions,
        rotation=tuple(cv2.Rodrigues(turn)[0].ravel().tolist()),
        translation_m=tuple((-turn @ np.array(place)).tolist()),
        fisheye=fisheye,
    )


def _seen(camera: Calibration, points_m: np.ndarray) -> np.ndarray:
    """(…, 2) px of points (…, 3), by OpenCV's own projection; its pixel centres are whole numbers."""
    project = cv2.fisheye.projectPoints if camera.fisheye else cv2.projectPoints
    pose = (np.array(camera.rotation), np.array(camera.translation_m))
    lens = np.array(camera.distortions or (0.0,) * 4)
    flat = points_m.reshape(-1, 1, 3).astype(np.float64)
    return project(flat, *pose, np.array(camera.matrix), lens)[0].reshape(*points_m.shape[:-1], 2) + 0.5


def _flat(places_m: np.ndarray) -> np.ndarray:
    return np.concatenate([places_m, np.zeros_like(places_m[..., :1])], -1)


def _points(camera: Calibration) -> Ground:
    """The same floor as point pairs."""
    px = _seen(camera, _flat(CORNERS_M))
    return Ground(image_px=tuple(map(tuple, px.tolist())), plane_m=tuple(map(tuple, CORNERS_M.tolist())))


def _walker(
    time_s: np.ndarray, start_m: tuple[float, float], velocity_m_s: tuple[float, float], step_s: float = 0.55
) -> tuple[np.ndarray, np.ndarray]:
    """(T, 17, 3) m of a person on their feet, which stand for 60 % of a stride and swing 12 cm high; and their way."""
    t, v = time_s - time_s[0], np.array(velocity_m_s, np.float64)
    speed = float(np.linalg.norm(v))
    ahead = v / speed if speed else np.array([1.0, 0.0])
    aside, h = np.array([-ahead[1], ahead[0]]), HEIGHT_M
    way = np.array(start_m) + np.outer(t, v)

    def at(along: np.ndarray | float, across: float, up: np.ndarray | float) -> np.ndarray:
        xy = way + np.outer(np.broadcast_to(along, t.shape), ahead) + across * aside
        return np.concatenate([xy, np.broadcast_to(up, t.shape)[:, None]], 1)

    out = np.zeros((len(t), 17, 3))
    for i, sign in enumerate((1, -1)):
        phase = t / (2 * step_s) + 0.5 * i
        swing = np.clip((phase % 1 - 0.6) / 0.4, 0, 1)
        stride = speed * 2 * step_s
        foot = (np.floor(phase) + swing - np.sin(2 * np.pi * swing) / (2 * np.pi) - phase + 0.3) * stride
        lift = 0.12 * np.sin(np.pi * swing) if speed else 0.0
        ankle, hip = at(foot, sign * 0.05 * h, 0.039 * h + lift), at(0.0, sign * 0.05 * h, 0.53 * h)
        bent = np.sqrt(np.maximum((0.246 * h) ** 2 - np.square(np.linalg.norm(hip - ankle, axis=1) / 2), 0))
        out[:, 15 + i], out[:, 11 + i], out[:, 13 + i] = ankle, hip, (ankle + hip) / 2
        out[:, 13 + i, :2] += bent[:, None] * ahead
        for k, (across, up) in {
            5: (0.11, 0.818),
            7: (0.13, 0.63),
            9: (0.13, 0.48),
            1: (0.02, 0.936),
            3: (0.04, 0.93),
        }.items():
            out[:, k + i] = at(0.0, sign * across * h, up * h)
    out[:, 0] = at(0.1, 0.0, 0.915 * h)
    return out, way


def _motion(time_s: np.ndarray, px: np.ndarray, skeleton: Skeleton = COCO17) -> Motion:
    """A motion whose keypoints are exact."""
    n, k = px.shape[:2]
    low, high = px.min(1), px.max(1)
    return Motion(
        person_id=1,
        frame=np.arange(n),
        time_s=time_s,
        box_px=np.concatenate([low, high], 1).astype(np.float32),
        score=np.full(n, 0.9, np.float32),
        state=np.full(n, MEASURED, np.uint8),
        keypoints_px=px.astype(np.float32),
        keypoint_score=np.full((n, k), 0.9, np.float32),
        keypoint_std_px=np.full((n, k), 1.0, np.float32),
        provenance=np.where(np.isfinite(px[..., 0]), MEASURED, MISSING).astype(np.uint8),
        raw_px=px.astype(np.float32),
        skeleton=skeleton.name,
    )


def _noisy(time_s: np.ndarray, px: np.ndarray, seed: int) -> Motion:
    """What the pipeline makes of them with 4 px of noise."""
    observations = synthetic.observe(np.random.default_rng(seed), time_s, px[None], noise_px=4.0).observations
    return build_motion(1, observations, time_s, COCO17, TrackConfig(), SmoothConfig())


def _place(columns: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([columns["ground_x_m"], columns["ground_y_m"]], 1)


# --- the plane -------------------------------------------------------------------------------------------------------

_H = np.array([[120.0, 30, 400], [5, -40, 700], [0.002, 0.03, 1]])  # metres to px
_INNER = st.tuples(st.floats(-20, 20), st.floats(-10, 100))


def _by_h(m: np.ndarray) -> np.ndarray:
    q = np.concatenate([m, np.ones_like(m[..., :1])], -1) @ _H.T
    return q[..., :2] / q[..., 2:]


def _pairs(m: np.ndarray) -> Ground:
    return Ground(image_px=tuple(map(tuple, _by_h(m).tolist())), plane_m=tuple(map(tuple, m.tolist())))


@pytest.mark.parametrize("n", [4, 7])
def test_exact_points_give_the_exact_plane(n: int) -> None:
    m = np.array([[0, 0], [10, 0], [10, 20], [0, 20], [5, 5], [3, 18], [7, 9.0]])[:n]
    floor = floor_of(_pairs(m))
    other = np.random.default_rng(0).uniform([-5, -5], [15, 25], (50, 2))
    np.testing.assert_allclose(floor.to_m(_by_h(other)), other, atol=1e-9)
    np.testing.assert_allclose(floor.to_px(other), _by_h(other), atol=1e-7)
    assert fit_error_px(_pairs(m)).max() < 1e-9


@given(_INNER)
def test_there_and_back(place: tuple[float, float]) -> None:
    m = np.array(place)
    for ground in (_pairs(np.array([[0, 0], [10, 0], [10, 20], [0, 20.0]])), Ground(camera=_camera((0, -30, 10)))):
        floor = floor_of(ground)
        np.testing.assert_allclose(floor.to_m(floor.to_px(m)), m, atol=1e-6)


@pytest.mark.parametrize(("lens", "fisheye"), [((), False), (LENS, False), ((0.05, -0.01, 0.002, 0.0), True)])
def test_a_camera_is_undone(lens: tuple[float, ...], fisheye: bool) -> None:
    camera = _camera(distortions=lens, fisheye=fisheye)
    m = np.random.default_rng(0).uniform([-3, -3], [3, 6], (200, 2))
    floor = floor_of(Ground(camera=camera))
    px = _seen(camera, _flat(m))
    np.testing.assert_allclose(floor.to_m(px), m, atol=1e-5)
    np.testing.assert_allclose(floor.to_px(m), px, atol=1e-5)
    raised = floor_of(Ground(camera=camera), 0.3)
    np.testing.assert_allclose(raised.to_m(_seen(camera, np.c_[m, np.full(200, 0.3)])), m, atol=1e-5)


def test_more_points_average_their_errors() -> None:
    rng = np.random.default_rng(1)
    m = rng.uniform([-5, -5], [15, 25], (40, 2))
    px = _by_h(m) + rng.standard_normal((40, 2))
    floor = floor_of(Ground(image_px=tuple(map(tuple, px.tolist())), plane_m=tuple(map(tuple, m.tolist()))))
    assert np.abs(floor.to_px(m) - _by_h(m)).max() < 1.0


def test_the_sky_is_nowhere_and_the_far_is_uncertain() -> None:
    floor = floor_of(Ground(camera=_camera((0, -8, 2.0), (0, 0, 2.0))))  # the horizon is at y = 540.5
    assert np.isnan(floor.to_m(np.array([[960.0, 539.0], [100, 0], [960, 540.5]]))).all()
    assert np.isfinite(floor.to_m(np.array([960.0, 542.0]))).all()
    scale = floor.m_per_px(np.array([[960.0, 560.0], [960, 700], [960, 1000]]))
    distance = 1200 * 2.0 / (np.array([560.0, 700, 1000]) - 540.5)
    np.testing.assert_allclose(scale, distance**2 / (1200 * 2.0), rtol=2e-3)  # z² / (f h): depth of one px
    assert np.isnan(floor.to_px(np.array([0.0, -20.0]))).all()  # behind the camera


# --- people on it ----------------------------------------------------------------------------------------------------

POSE2SIM = """
[cam_other]
name = "cam_other"
size = [ 1088.0, 1920.0]
matrix = [ [ 1600.0, 0.0, 540.0], [ 0.0, 1600.0, 960.0], [ 0.0, 0.0, 1.0]]
distortions = [ 0.0, 0.0, 0.0, 0.0]
rotation = [ 1.7, 0.1, 0.0]
translation = [ 0.0, 2.0, 4.0]
fisheye = false

[cam_wide]
name = "cam_wide"
size = [ 1920.0, 1080.0]
matrix = {matrix}
distortions = {distortions}
rotation = {rotation}
translation = {translation}
fisheye = false

[metadata]
adjusted = false
error = 0.0
"""


def test_a_walk_seen_by_a_calibrated_camera_with_a_lens(tmp_path: Path) -> None:
    camera = _camera(distortions=LENS)
    file = tmp_path / "Calib.toml"
    file.write_text(
        POSE2SIM.format(
            matrix=[list(row) for row in camera.matrix],
            distortions=list(LENS),
            rotation=list(camera.rotation),
            translation=list(camera.translation_m),
        )
    )
    ground = read_ground(file, (1920, 1080))
    t = np.arange(0, 5, 1 / 30)
    body, way = _walker(t, (-3, 0.5), (1.3, 0))
    columns = ground_columns(_motion(t, _seen(camera, body)), COCO17, ground, (1920, 1080), HEIGHT_M)
    assert np.abs(_place(columns) - way)[:-20].max() < 0.02
    assert np.abs(_place(columns) - way).max() < 0.15  # nobody knows where the last swing ends
    np.testing.assert_allclose(columns["ground_speed_m_s"][:-20], 1.3, rtol=0.05)
    np.testing.assert_allclose(columns["ground_distance_m"], 1.3 * t, atol=0.15)
    pinhole = read_ground(f"{file}#cam_wide").camera
    assert pinhole is not None
    straight = Ground(camera=pinhole.model_copy(update={"distortions": ()}))
    bent = ground_columns(_motion(t, _seen(camera, body)), COCO17, straight, (1920, 1080), HEIGHT_M)
    assert np.abs(_place(bent) - way).max() > 0.1  # the lens matters


@pytest.mark.parametrize("kind", ["camera", "points"])
def test_walking_speed_under_noise(kind: str) -> None:
    camera = _camera()
    ground = Ground(camera=camera) if kind == "camera" else _points(camera)
    t = np.arange(0, 5, 1 / 30)
    speeds = []
    for seed in range(3):
        body, way = _walker(t + seed / 7, (-3, 1.5), (1.2, -0.5))
        columns = ground_columns(_noisy(t, _seen(camera, body), seed), COCO17, ground, (1920, 1080), HEIGHT_M)
        found = summary(columns, t)
        assert found["distance_m"] == pytest.approx(1.3 * t[-1], rel=0.03)
        assert 1.3 < found["max_speed_m_s"] < 1.7
        assert np.abs(_place(columns) - way)[15:-15].max() < 0.12
        speeds.append(found["mean_speed_m_s"])
        zones = zone_times(columns, t)
        assert zones["walking_s"] == pytest.approx(t[-1], abs=1e-6)
        assert sum(zones.values()) == pytest.approx(t[-1], abs=1e-6)
    assert np.mean(speeds) == pytest.approx(1.3, rel=0.02)


def test_running_is_told_from_walking() -> None:
    camera = _camera((0, -20, 6), (0, 0, 0), 1400)
    t = np.arange(0, 3, 1 / 60)
    body, _ = _walker(t, (-7, 0), (4.7, 0), step_s=0.35)
    columns = ground_columns(_noisy(t, _seen(camera, body), 0), COCO17, Ground(camera=camera), (1920, 1080), HEIGHT_M)
    zones = zone_times(columns, t)
    assert zones["running_s"] > 0.8 * t[-1]
    assert zones["sprinting_s"] == 0
    assert summary(columns, t)["mean_speed_m_s"] == pytest.approx(4.7, rel=0.05)


@pytest.mark.parametrize("distance_m", [8.0, 15.0])
def test_who_stands_still_gains_no_distance(distance_m: float) -> None:
    camera = _camera((0, -distance_m, 3), (0, 0, 1))
    t = np.arange(0, 60, 1 / 30)
    body, way = _walker(t, (0.5, 0), (0, 0))
    columns = ground_columns(_noisy(t, _seen(camera, body), 0), COCO17, Ground(camera=camera), (1920, 1080), HEIGHT_M)
    assert columns["ground_distance_m"][-1] < 0.5
    assert np.abs(_place(columns).mean(0) - way[0]).max() < 0.03
    assert zone_times(columns, t)["walking_s"] == pytest.approx(t[-1], abs=1e-6)


def test_feet_that_are_not_seen() -> None:
    camera, t = _camera(), np.arange(0, 6, 1 / 30)
    body, way = _walker(t, (-3, 0), (1.0, 0))
    px = _seen(camera, body)
    px[60:70, 15:17] = np.nan  # both, shortly
    px[120:, 16] = np.nan  # one, from here on
    columns = ground_columns(_motion(t, px), COCO17, Ground(camera=camera), (1920, 1080), HEIGHT_M)
    assert np.abs(_place(columns) - way)[:110].max() < 0.1  # a step is bridged
    assert np.nanmax(np.abs(_place(columns) - way)[150:]) < 0.5  # one foot is half a step away
    px[100:, 15:17] = np.nan
    gone = ground_columns(_motion(t, px), COCO17, Ground(camera=camera), (1920, 1080), HEIGHT_M)
    assert np.isnan(gone["ground_x_m"][100:]).all()
    assert np.isnan(gone["ground_distance_m"][100:]).all()
    assert summary(gone, t)["mean_speed_m_s"] == pytest.approx(1.0, rel=0.05)
    nobody = ground_columns(_motion(t, px * np.nan), COCO17, Ground(camera=camera), (1920, 1080))
    assert all(np.isnan(column).all() for column in nobody.values())
    assert np.isnan(summary(nobody, t)["distance_m"])


def test_cut_off_feet_and_the_horizon() -> None:
    t = np.arange(0, 3, 1 / 30)
    near, _ = _walker(t, (0, -5.2), (0, 0))
    camera = _camera()
    px = _seen(camera, near)
    px[..., 1] = np.minimum(px[..., 1], 1079.0)  # as networks place what is below the picture
    assert px[0, 15, 1] == 1079.0
    cut = ground_columns(_motion(t, px), COCO17, Ground(camera=camera), (1920, 1080), HEIGHT_M)
    assert np.isnan(cut["ground_x_m"]).all()
    assert np.isfinite(ground_columns(_motion(t, px), COCO17, Ground(camera=camera))["ground_x_m"]).all()
    far, _ = _walker(t, (0, 60), (0, 0))  # 68 m away from 2.5 m above: 1 px is 1.5 m
    lost = ground_columns(_motion(t, _seen(camera, far)), COCO17, Ground(camera=camera), (1920, 1080), HEIGHT_M)
    assert np.isnan(lost["ground_x_m"]).all()


def test_an_absence_adds_no_distance() -> None:
    camera, t = _camera(), np.arange(0, 6, 1 / 30)
    body, _ = _walker(t, (-3, 0), (1.0, 0))
    there = (t < 2) | (t > 4)
    columns = ground_columns(
        _motion(t[there], _seen(camera, body)[there]), COCO17, Ground(camera=camera), (1920, 1080), HEIGHT_M
    )
    assert columns["ground_distance_m"][-1] == pytest.approx(4.0, abs=0.15)
    assert (np.diff(columns["ground_distance_m"]) >= 0).all()
    assert summary(columns, t[there])["mean_speed_m_s"] == pytest.approx(1.0, rel=0.04)


@pytest.mark.parametrize(("skeleton", "toe"), [(BLAZEPOSE33, "foot_index"), (HALPE26, "big_toe")])
def test_heels_and_toes_are_better_than_ankles(skeleton: Skeleton, toe: str) -> None:
    t = np.arange(0, 1, 1 / 30)
    px = np.tile(np.linspace([500, 200], [600, 800], len(skeleton)), (len(t), 1, 1))
    ids = [skeleton.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", toe)]
    px[:, ids] = [[500, 900], [540, 910], [600, 900], [640, 910]]
    feet, std, lift = feet_px(_motion(t, px, skeleton), skeleton)
    np.testing.assert_allclose(feet[0], [[520, 905], [620, 905]])
    np.testing.assert_allclose(std, np.sqrt(0.5))
    assert (lift < 0.03).all()
    px[:25, ids[1]] = np.nan
    assert feet_px(_motion(t, px, skeleton), skeleton)[2].tolist() == [0.039, 0.02]  # the left ankle again


def test_where_people_stand_in_the_picture() -> None:
    camera, t = _camera(), np.arange(0, 3, 1 / 30)
    body, way = _walker(t, (1, 1), (0, 0))
    assert np.abs(stand_px(_motion(t, _seen(camera, body)), COCO17) - _seen(camera, _flat(way))).max() < 3


def test_zones_of_the_floor() -> None:
    square = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])
    bay = np.array([[0.0, 0], [4, 0], [4, 4], [2, 1], [0, 4]])
    place = np.array([[1.0, 1], [3, 1], [np.nan, 1], [-1, 1], [2, 2]])
    assert inside(place, square).tolist() == [True, False, False, False, False]
    assert inside(place, bay).tolist() == [True, True, False, False, False]
    ground = Ground(zones={"Left half": tuple(map(tuple, square.tolist()))})
    t = np.arange(11.0) / 10
    columns = {"ground_x_m": 0.35 * np.arange(11), "ground_y_m": np.ones(11), "ground_speed_m_s": np.full(11, 3.5)}
    zones = zone_times(columns, t, ground)
    assert zones["zone_left_half_s"] == pytest.approx(0.55)  # rows 0 … 5, the first of them half a step
    assert zones["jogging_s"] == pytest.approx(1.0)


@pytest.mark.parametrize("height_m", [None, HEIGHT_M])
def test_people_csv_says_which_scale_holds(height_m: float | None) -> None:
    camera = _camera()
    t = np.arange(0, 5, 1 / 30)
    body, _ = _walker(t, (-3, 0.5), (1.3, 0))
    config = MetresConfig(ground=Ground(camera=camera), height_m=height_m)
    told = measure(_motion(t, _seen(camera, body)), COCO17, config, (1920, 1080)).figures
    assert told["metres_from"] == "ground"
    assert told["px_per_m_from"] == ("ground" if height_m is None else "height 1.75 m")
    assert told["walks_or_runs"] in ("walks", "")
    unseen = _seen(camera, body)
    unseen[:, [COCO17.index(f"{side}_ankle") for side in ("left", "right")]] = np.nan
    nowhere = measure(_motion(t, unseen), COCO17, config, (1920, 1080)).figures
    assert nowhere["metres_from"] == "nothing: no place on the given ground is known"
    ends = _seen(camera, np.array([[-0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]))
    assert told["px_per_m"] == pytest.approx(ends[1, 0] - ends[0, 0], rel=0.02 if height_m is None else 0.08)
