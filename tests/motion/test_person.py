"""One person's motion: rows, provenance, raw beside processed."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.settings import SmoothConfig, TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import INTERPOLATED, MEASURED, MISSING, Motion, Observations
from pipeline.motion.person import body_length, build_motion
from tests import synthetic


def _person(keep: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, Observations]:
    rng = np.random.default_rng(0)
    t = synthetic.times(rng, 6.0, 30.0, jitter=0.2)
    truth = synthetic.walker(t)
    obs = synthetic.observe(rng, t, truth[None]).observations
    return t, truth, obs if keep is None else obs.take(np.flatnonzero(keep[obs.frame]))


def _build(t: np.ndarray, obs: Observations, **smooth: object) -> Motion:
    return build_motion(3, obs, t, COCO17, TrackConfig(), SmoothConfig(**smooth))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["kalman", "butterworth", "savgol", "one_euro", "fixed_lag", "none"])
def test_gaps_are_bridged_or_left_out(method: str) -> None:
    keep = np.ones(180, bool)
    keep[20:23], keep[50:70], keep[100:150] = False, False, False  # 0.1, 0.7 and 1.7 s
    t, truth, obs = _person(keep)
    m = _build(t, obs, method=method)
    assert m.frame.tolist() == [*range(100), *range(150, 180)]
    np.testing.assert_array_equal(m.state == MEASURED, keep[m.frame])
    assert np.isnan(m.score[m.state == INTERPOLATED]).all()
    assert np.isfinite(m.box_px).all()
    gap = m.state == INTERPOLATED
    assert (m.provenance[gap] == INTERPOLATED).all()
    assert np.isnan(m.raw_px[gap]).all()
    assert (m.keypoint_score[gap] == 0).all()
    assert np.isfinite(m.keypoints_px).all()
    error = np.linalg.norm(m.keypoints_px - truth[m.frame], axis=-1)
    torso = [0, 5, 6, 11, 12]
    assert error[gap][:, torso].max() < 25
    far = np.isin(m.frame, range(57, 63))
    assert m.keypoint_std_px[far].min() > m.keypoint_std_px[10:15].max()
    np.testing.assert_allclose(m.time_s, t[m.frame])


def test_keypoint_states() -> None:
    t, _, obs = _person()
    seen = obs.keypoint_score.copy()
    seen[:, 0] = 0.1  # never seen
    seen[40:50, 9] = 0.1  # 0.3 s
    seen[60:130, 10] = 0.1  # 2.3 s
    seen[:20, 15], seen[-20:, 15] = 0.1, 0.1
    kp = obs.keypoints_px.copy()
    kp[100, 5] += 200
    m = _build(t, Observations(obs.frame, obs.box_px, obs.score, kp, seen))
    assert (m.provenance[:, 0] == MISSING).all()
    assert (m.provenance[40:50, 9] == INTERPOLATED).all()
    assert (m.provenance[60:130, 10] == MISSING).all()
    assert (m.provenance[:20, 15] == MISSING).all()
    assert (m.provenance[-20:, 15] == MISSING).all()
    assert m.provenance[100, 5] == INTERPOLATED
    np.testing.assert_array_equal(np.isnan(m.keypoints_px[..., 0]), m.provenance == MISSING)
    np.testing.assert_array_equal(np.isnan(m.keypoint_std_px), m.provenance == MISSING)
    np.testing.assert_array_equal(m.raw_px, kp)  # raw stays as it came
    np.testing.assert_array_equal(m.keypoint_score, seen)
    assert (m.state == MEASURED).all()


def test_none_passes_measurements_through() -> None:
    t, _, obs = _person()
    m = _build(t, obs, method="none")
    assert (m.provenance == MEASURED).all()
    np.testing.assert_array_equal(m.keypoints_px, obs.keypoints_px)
    assert m.keypoints_px is not m.raw_px


def test_smoothing_is_better_than_raw() -> None:
    t, truth, obs = _person()
    m = _build(t, obs)
    error = [np.sqrt(np.mean(np.square(p - truth))) for p in (m.keypoints_px, m.raw_px)]
    assert error[0] < 0.5 * error[1]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_few_rows_are_enough(n: int) -> None:
    t, _, obs = _person()
    m = _build(t, obs.take(np.arange(n)))
    assert len(m) == n
    assert (m.provenance == MEASURED).all()
    np.testing.assert_allclose(m.keypoints_px, m.raw_px, atol=25)


@pytest.mark.parametrize("fps", [1.0, 3.0, 7.0])
def test_low_frame_rates(fps: float) -> None:
    rng = np.random.default_rng(1)
    t = synthetic.times(rng, 20.0, fps)
    truth = synthetic.walker(t)
    m = _build(t, synthetic.observe(rng, t, truth[None]).observations)
    assert (m.provenance == MEASURED).mean() > 0.99
    assert np.sqrt(np.mean(np.square(m.keypoints_px - truth))) < 4.4  # at least not worse than the 4 px that came


def test_size_is_robust_against_a_cut_off_box() -> None:
    box = np.tile(np.array([[0, 0, 100, 400]], np.float32), (40, 1))
    box[20:24, 3] = 150
    assert set(body_length(box).tolist()) == {400.0}


def test_impossible_people_are_errors() -> None:
    t, _, obs = _person()
    with pytest.raises(ValueError, match="person 3 has no observations"):
        _build(t, obs.take(np.arange(0)))
    with pytest.raises(ValueError, match="two observations of one person"):
        _build(t, obs.take(np.array([0, 0])))
    with pytest.raises(ValueError, match="outside the pts table"):
        _build(t[:100], obs)


def test_motion_checks_its_row_states() -> None:
    t, _, obs = _person()
    m = _build(t, obs)
    with pytest.raises(ValueError, match=r"Motion.state must be uint8"):
        Motion(**{**vars(m), "state": m.state.astype(np.int64)})


@pytest.mark.parametrize("method", ["kalman", "butterworth", "savgol", "one_euro", "fixed_lag", "none"])
def test_too_few_measurements_have_no_velocity(method: str) -> None:
    """A run of one measurement has no velocity, a run of two no acceleration; of 0 nothing is told."""
    keep = np.zeros(180, bool)
    keep[[10, 60, 61, *range(120, 124)]] = True  # runs of one, two and four rows, more than a second apart
    t, _, obs = _person(keep)
    m = _build(t, obs, method=method)
    assert m.velocity_px_s is not None
    assert m.acceleration_px_s2 is not None
    torso = [5, 6, 11, 12]
    speed, bend = (np.isfinite(v[:, torso]).all((1, 2)) for v in (m.velocity_px_s, m.acceleration_px_s2))
    none = ~np.isfinite(m.velocity_px_s[m.frame == 10]).any(), ~np.isfinite(m.acceleration_px_s2[m.frame < 62]).any()
    assert none == (True, True)
    assert m.frame[speed].tolist() == [60, 61, *range(120, 124)]
    assert m.frame[bend].tolist() == [*range(120, 124)]


@pytest.mark.parametrize("method", ["kalman", "butterworth", "savgol", "one_euro", "fixed_lag", "none"])
def test_a_measurement_between_bridged_gaps_has_the_speed_of_its_lines(method: str) -> None:
    keep = np.ones(180, bool)
    keep[70:84], keep[85:99] = False, False  # a row alone between two gaps of half a second
    t, _, obs = _person(keep)
    m = _build(t, obs, method=method, bridge_s=0.2)
    assert m.velocity_px_s is not None
    hips = m.velocity_px_s[:, [11, 12]].mean(1)
    beside = (hips[m.frame == 83] + hips[m.frame == 85]) / 2
    np.testing.assert_allclose(hips[m.frame == 84], beside, rtol=0.3, atol=15)


def test_with_no_lag_the_first_row_has_no_velocity() -> None:
    t, _, obs = _person()
    m = _build(t, obs, method="fixed_lag", lag_s=0)
    assert m.velocity_px_s is not None
    assert np.isnan(m.velocity_px_s[0]).all()
    assert np.isfinite(m.velocity_px_s[2:, 11]).all()
