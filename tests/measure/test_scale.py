"""A person's size in the picture from their bones, and the way they go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import SmoothConfig, TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import MISSING, SWAPPED, Motion
from pipeline.measure.scale import (
    LINK_S,
    Way,
    line_fits,
    path,
    path_columns,
    px_per_m,
    px_per_m_of_length,
    row_seconds,
    running_px,
    sizes,
    standing_px,
    summary,
)
from pipeline.motion.person import build_motion
from tests import synthetic
from tests.motion.exchanges import halpe
from tests.motion.motions import exact


def _motion(time_s: np.ndarray, px: np.ndarray, seed: int = 0, noise_px: float = 4.0) -> Motion:
    observations = synthetic.observe(np.random.default_rng(seed), time_s, px[None], noise_px=noise_px).observations
    return build_motion(1, observations, time_s, COCO17, TrackConfig(), SmoothConfig())


def _walk(seed: int, height_px: float, duration_s: float = 10.0, **how: float) -> Motion:
    t = synthetic.times(np.random.default_rng(seed), duration_s, 30.0, jitter=0.2)
    way = {"start_px": (100.0, 900.0), "velocity_px_s": (0.5 * height_px, 0.0)} | how
    return _motion(t, synthetic.walker(t, height_px=height_px, phase=seed / 5, **way), seed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("height_px", "most"), [(800.0, 0.01), (400.0, 0.01), (200.0, 0.03)])
def test_height_of_walkers_under_noise(height_px: float, most: float) -> None:
    errors = [standing_px(_walk(seed, height_px), COCO17) / height_px - 1 for seed in range(4)]
    assert abs(np.mean(errors)) < most
    assert np.std(errors) < 0.01


def test_the_top_of_the_head_is_the_last_part_of_the_height() -> None:
    t = synthetic.times(np.random.default_rng(0), 8.0, 30.0)
    body = halpe(synthetic.walker(t, height_px=400.0, velocity_px_s=(200.0, 0.0)), 400.0)
    shoulders = body[:, 5:7].mean(1)
    body[:, HALPE26.index("head")] = shoulders - (0, 0.182 * 400)
    assert standing_px(exact(t, body, HALPE26), HALPE26) == pytest.approx(400, rel=0.01)
    hidden = exact(t, body, HALPE26)
    hidden.provenance[:, [k for k, name in enumerate(HALPE26.names) if "shoulder" not in name and name != "head"]] = 0
    assert standing_px(hidden, HALPE26) == pytest.approx(400, rel=0.01)  # as somebody behind a desk


def test_height_of_a_walker_from_the_front() -> None:
    t = synthetic.times(np.random.default_rng(0), 8.0, 30.0)
    side = synthetic.walker(t, velocity_px_s=(0.0, 0.0))
    front = side.copy()
    hips = side[:, [11, 12, 11, 12]]
    front[:, 13:17, 0] = hips[..., 0] + 0.1 * (side[:, 13:17, 0] - hips[..., 0])  # thigh and shank swing in depth
    assert standing_px(_motion(t, front), COCO17) == pytest.approx(400, rel=0.03)


def test_sitting_and_bending_do_not_count() -> None:
    t = synthetic.times(np.random.default_rng(0), 12.0, 30.0)
    body = synthetic.walker(t, velocity_px_s=(0.0, 0.0), hip_deg=0.0, knee_deg=0.0)
    sits = t < 7  # from the front: the thighs point at the camera
    drop = 0.2 * 400
    body[sits, :13, 1] += drop
    m = _motion(t, body)
    assert standing_px(m, COCO17) == pytest.approx(400, rel=0.03)
    seated = _motion(t[sits], body[sits])
    assert 0.75 * 400 < standing_px(seated, COCO17) < 410  # shank and trunk alone


def test_people_cut_off_at_the_knees_are_measured_by_the_trunk() -> None:
    m = _walk(0, 400.0)
    hidden = m.provenance.copy()
    hidden[:, 13:] = MISSING
    assert standing_px(replace(m, provenance=hidden), COCO17) == pytest.approx(400, rel=0.03)
    hidden[:, 5:] = MISSING
    nobody = replace(m, provenance=hidden)
    assert np.isnan(standing_px(nobody, COCO17))
    assert np.isnan(px_per_m(nobody, COCO17, 1.7))
    assert np.isnan(running_px(nobody, COCO17)).all()
    assert np.isnan(sizes(nobody, COCO17)).all()


def test_px_per_m() -> None:
    assert px_per_m(_walk(0, 400.0), COCO17, 1.6) == pytest.approx(250, rel=0.02)
    assert px_per_m_of_length((100, 900, 400, 1300, 2.5)) == pytest.approx(200)


def test_size_follows_who_comes_nearer() -> None:
    t = synthetic.times(np.random.default_rng(0), 20.0, 30.0)
    grows = np.linspace(1.0, 2.0, len(t))
    body = synthetic.walker(t, start_px=(0.0, 0.0), velocity_px_s=(0.0, 0.0), height_px=200.0)
    m = _motion(t, body * grows[:, None, None] + [900.0, 1000.0])
    height = running_px(m, COCO17)
    np.testing.assert_allclose(height[60:-60], 200 * grows[60:-60], rtol=0.05)
    assert sizes(m, COCO17)[1] > 1.4
    assert sizes(_walk(0, 400.0), COCO17)[1] < 1.05


def test_few_rows() -> None:
    t = synthetic.times(np.random.default_rng(0), 8.0, 2.0)
    assert standing_px(_motion(t, synthetic.walker(t, velocity_px_s=(20.0, 0.0))), COCO17) == pytest.approx(
        400, rel=0.04
    )
    assert np.isnan(standing_px(_motion(t[:1], synthetic.walker(t[:1])), COCO17))


# --- ways ------------------------------------------------------------------------------------------------------------


def test_a_walk_across_the_picture() -> None:
    m = _walk(1, 400.0, velocity_px_s=(250.0, 0.0), duration_s=6.0)  # type: ignore[arg-type]
    columns = path_columns(m, COCO17, 200.0)
    assert {name: column.dtype for name, column in columns.items()} == {
        "path_speed_m_s": np.float32,
        "path_speed_m_s_std": np.float32,
        "path_distance_m": np.float32,
        "path_distance_m_std": np.float32,
    }
    found = summary(columns, m.time_s)
    length = 1.25 * (m.time_s[-1] - m.time_s[0])
    assert found["distance_m"] == pytest.approx(length, rel=0.02)
    assert found["mean_speed_m_s"] == pytest.approx(1.25, rel=0.02)
    assert found["max_speed_m_s"] == pytest.approx(1.25, rel=0.1)
    assert 0.002 < found["distance_std_m"] < 0.05
    assert abs(found["distance_m"] - length) < 1.96 * found["distance_std_m"]
    assert found["mean_speed_std_m_s"] == pytest.approx(found["distance_std_m"] / 6, rel=0.02)
    wrong_scale = summary(path_columns(m, COCO17, 200.0, 0.03), m.time_s)
    assert wrong_scale["distance_std_m"] == pytest.approx(0.03 * length, rel=0.05)
    assert wrong_scale["max_speed_std_m_s"] == pytest.approx(0.03 * 1.25, rel=0.2)


def test_standing_for_a_minute_is_no_way() -> None:
    t = synthetic.times(np.random.default_rng(0), 60.0, 30.0)
    body = np.repeat(synthetic.walker(t[:1]), len(t), 0)
    columns = path_columns(_motion(t, body), COCO17, 200.0)
    assert columns["path_distance_m"][-1] < 0.1
    assert columns["path_speed_m_s"].max() < 0.1


@pytest.mark.parametrize("fps", [10.0, 30.0, 120.0])
def test_noise_adds_no_way_and_curves_lose_little(fps: float) -> None:
    rng = np.random.default_rng(0)
    t = synthetic.times(rng, 40.0, fps, jitter=0.2)
    circle = 4.0 * np.stack([np.cos(t / 4), np.sin(t / 4)], 1)  # 1 m/s
    place, speed, distance, _ = path(t, circle + 0.03 * rng.standard_normal(circle.shape), np.full(len(t), 0.03))
    assert np.sqrt(np.mean(np.square(place - circle))) < 0.025
    assert distance[-1] == pytest.approx(t[-1] - t[0], rel=0.03)
    assert np.median(speed) == pytest.approx(1.0, rel=0.03)
    assert (np.diff(distance) >= 0).all()
    still = path(t, 0.03 * rng.standard_normal(circle.shape), np.full(len(t), 0.03)).distance_m
    assert still[-1] < 0.2


def test_rows_far_apart_are_not_linked() -> None:
    t = np.concatenate([np.arange(0, 3, 0.1), np.arange(3 + 2 * LINK_S, 8, 0.1)])
    place = np.stack([t, np.zeros_like(t)], 1)
    place[10] = np.nan
    smooth, speed, distance, _ = path(t, place, np.full(len(t), 0.01))
    assert np.isnan(smooth[10]).all()
    assert np.isnan(speed[10])
    known = np.isfinite(distance)
    np.testing.assert_allclose(smooth[known], place[known], atol=1e-9)
    assert distance[known][-1] == pytest.approx(2.9 + 2.9, abs=0.05)
    assert all(np.isnan(out).all() for out in path(t, place * np.nan, np.full(len(t), 0.01)))


def test_a_row_alone_has_no_speed() -> None:
    t = np.concatenate([np.arange(0, 2, 0.1), [5.0], np.arange(8, 10, 0.1)])
    place = np.stack([t, np.zeros_like(t)], 1)
    way = path(t, place, np.full(len(t), 0.01))
    columns = way.columns("path", 0.03)
    assert np.flatnonzero(np.isnan(columns["path_speed_m_s"])).tolist() == [20]
    assert np.flatnonzero(np.isnan(columns["path_speed_m_s_std"])).tolist() == [20]
    assert np.isfinite(columns["path_distance_m"]).all()
    assert np.isfinite(list(summary(columns, t).values())).all()
    one = path(t[:1], place[:1], np.full(1, 0.01)).columns("path")
    assert np.isnan([one["path_speed_m_s"], one["path_speed_m_s_std"]]).all()
    assert np.isnan(list(summary(one, t[:1]).values())).all()


@pytest.mark.parametrize("fps", [1.0, 2.0, 3.0])
def test_the_speed_of_few_frames_a_second(fps: float) -> None:
    t = np.arange(0, 20, 1 / fps)
    speed = path(t, np.stack([1.3 * t, 0 * t], 1), np.full(len(t), 0.01)).speed_m_s
    np.testing.assert_allclose(speed[2:], 1.3, rtol=0.02)


def test_lines_are_fitted_exactly() -> None:
    rng = np.random.default_rng(0)
    t = np.cumsum(rng.uniform(0.01, 0.2, 60))
    lines = np.stack([2 + 3 * t, -t], 1)
    value, slope = line_fits(t, lines, rng.uniform(0.1, 3, 60), 0.3)
    np.testing.assert_allclose(value, lines, atol=1e-9)
    np.testing.assert_allclose(slope, np.tile([3.0, -1.0], (60, 1)), atol=1e-9)
    alone = line_fits(np.array([0.0, 9.0]), np.array([[1.0], [5.0]]), np.ones(2), 0.3)
    assert alone[0].ravel().tolist() == [1.0, 5.0]
    assert np.isnan(alone[1]).all()  # a row alone has no slope, rather than one of 0


def test_seconds_of_rows() -> None:
    t = np.array([0.0, 1.0, 1.5, 4.0, 4.2])
    np.testing.assert_allclose(row_seconds(t, np.ones(5, bool)), [0.5, 0.75, 0.25, 0.1, 0.1])
    np.testing.assert_allclose(row_seconds(t, np.array([1, 0, 1, 1, 1], bool)), [0, 0, 0, 0.1, 0.1])


def _way(speed: np.ndarray, distance: np.ndarray) -> dict[str, np.ndarray]:
    return Way(np.stack([distance] * 2, 1), speed, distance, 0.01 * distance).columns("path")


def test_summary_of_nobody() -> None:
    unknown = _way(np.full(3, np.nan), np.full(3, np.nan))
    assert all(np.isnan(value) for value in summary(unknown, np.arange(3.0)).values())


@pytest.mark.parametrize("fps", [4.0, 10.0, 24.0, 30.0, 120.0])
def test_the_highest_speed_is_that_of_whole_windows(fps: float) -> None:
    t = np.arange(round(3 * fps) + 1) / fps
    speed = np.where((t > 1.2) & (t < 1.7), np.nan, 1.0)
    known = np.flatnonzero(np.isfinite(speed))
    steady = _way(speed, t)
    assert summary(steady, t)["max_speed_m_s"] == pytest.approx(1.0)
    for row in (known[-1], known[np.flatnonzero(np.diff(known) > 1)[0]]):
        wrong = speed.copy()
        wrong[row] = 5.0
        rows = max(0.2 * fps, 1.0)  # of which it is one
        assert summary(steady | {"path_speed_m_s": wrong}, t)["max_speed_m_s"] < 1 + 4.1 / rows


def test_the_highest_speed_of_somebody_seen_for_less_than_a_window_is_not_known() -> None:
    t = np.arange(4) / 30
    found = summary(_way(np.ones(4), t), t)
    assert np.isnan(found["max_speed_m_s"])
    assert found["mean_speed_m_s"] == pytest.approx(1.0)


def test_exchanged_points_are_measured() -> None:
    t = np.arange(120) / 30
    walk = exact(t, synthetic.walker(t, height_px=400.0))
    usual = sizes(walk, COCO17)
    walk.provenance[:] = SWAPPED
    assert sizes(walk, COCO17) == usual
