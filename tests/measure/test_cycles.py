"""Strides of known walks, repetitions of a known number, jumps of known flight times, and their tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import MetresConfig, SmoothConfig, TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import INTERPOLATED, Observations
from pipeline.measure.cycle_tables import write_cycles
from pipeline.measure.jumps import GRAVITY_M_S2
from pipeline.measure.measure import Measured, measure
from pipeline.motion.person import build_motion
from pipeline.store.cycles_table import CYCLE_COLUMNS, cycles_files, unit_of_cycles
from pipeline.store.folder import RunFolder
from tests import synthetic
from tests.motion.motions import exact
from tests.motion.movements import flight, knee_deg, person, repeated

STRIDE_HZ = 0.95


def measured(t: np.ndarray, points: np.ndarray, skeleton=HALPE26) -> Measured:
    return measure(exact(t, points, skeleton), skeleton, MetresConfig(height_m=1.7), (1920, 1080))


def noisy(t: np.ndarray, points: np.ndarray, px: float) -> Measured:
    rng = np.random.default_rng(0)
    n, k = points.shape[:2]
    seen = points + rng.normal(0, px, points.shape)
    obs = Observations(
        frame=np.arange(n),
        box_px=synthetic.boxes(points).astype(np.float32),
        score=np.full(n, 0.8, np.float32),
        keypoints_px=seen.astype(np.float32),
        keypoint_score=np.full((n, k), 0.75, np.float32),
        skeleton="halpe26",
    )
    motion = build_motion(1, obs, t, HALPE26, TrackConfig(), SmoothConfig())
    return measure(motion, HALPE26, MetresConfig(height_m=1.7), (1920, 1080))


def written(tmp_path, made: Measured, metric: bool = True) -> RunFolder:
    folder = RunFolder(tmp_path)
    with cycles_files(folder, {}) as files:
        write_cycles(files, made.motion, made.cycles, metric)
    return folder


def walk(speed: float = 250.0, duration_s: float = 12.0) -> Measured:
    t = 7.0 + np.arange(0, duration_s, 1 / 60)
    points = synthetic.walker(t, velocity_px_s=(speed, 0), stride_hz=STRIDE_HZ)
    return measured(t, synthetic.from_the_side(points), COCO17)


def test_strides_of_a_walk_have_its_duration_number_and_curves(tmp_path):
    made = walk()
    assert set(made.cycles.movement) == {"walk"}
    for side in ("left", "right"):
        mine = made.cycles.take(made.cycles.side == side)
        assert len(mine) == pytest.approx(12 * STRIDE_HZ - 1, abs=1.1)
        assert mine.cycle.tolist() == list(range(1, len(mine) + 1))
        np.testing.assert_allclose(mine.end_s - mine.start_s, 1 / STRIDE_HZ, atol=0.012)
        np.testing.assert_allclose(mine.end_s[:-1], mine.start_s[1:], atol=1e-9)
        assert mine.in_mean.all()
    folder = written(tmp_path, made)
    curves, means = pd.read_parquet(folder.gait_cycles), pd.read_parquet(folder.gait_means)
    assert list(curves.columns[:7]) == ["person_id", "movement", "side", "cycle", "in_mean", "percent", "time_s"]
    assert len(curves) == 101 * len(made.cycles)
    # The knee is what the walker was told, at the time of each row.
    swing = 2 * np.pi * STRIDE_HZ * (curves["time_s"] - 7.0) + np.where(curves["side"] == "right", np.pi, 0)
    knee = 55 * (0.15 + 0.85 * np.maximum(np.cos(swing + 0.3), 0) ** 2)
    assert np.abs(curves["knee_flexion_deg"] - knee).max() < 1.0
    left = means[means["side"] == "left"].set_index("percent")
    assert left["knee_flexion_deg_mean"].max() == pytest.approx(55, abs=1)
    assert left["knee_flexion_deg_sd"].max() < 3
    assert (left["cycles"] == (made.cycles.side == "left").sum()).all()
    both = curves[curves["in_mean"]].groupby(["side", "percent"])["knee_flexion_deg"].agg(["mean", "std"])
    told = means.set_index(["side", "percent"])
    np.testing.assert_allclose(both["mean"], told["knee_flexion_deg_mean"], rtol=1e-4)
    np.testing.assert_allclose(both["std"], told["knee_flexion_deg_sd"], rtol=1e-2, atol=1e-2)
    # What lasts does not shrink with the number of cycles, what differs between them does.
    knee = curves[curves["in_mean"]].groupby(["side", "percent"])
    whole, jitter = (knee[f"knee_flexion_deg_{end}"].agg(lambda v: np.mean(v**2)) for end in ("std", "jitter"))
    expected = np.sqrt(told["knee_flexion_deg_sd"] ** 2 / told["cycles"] + whole - jitter)
    np.testing.assert_allclose(told["knee_flexion_deg_mean_std"], expected, rtol=1e-3)
    table = pd.read_csv(folder.cycles_csv)
    assert tuple(table.columns[: len(CYCLE_COLUMNS)]) == CYCLE_COLUMNS
    np.testing.assert_allclose(table["knee_flexion_deg_range"], 0.85 * 55, atol=1.5)
    np.testing.assert_allclose(table["duration_s"], 1 / STRIDE_HZ, atol=0.012)
    assert {"ankle_speed_m_s", "knee_flexion_deg_s", "foot_contact", "trunk_lean_deg"} <= set(curves.columns)
    for path in (folder.gait_cycles, folder.gait_means):
        schema = pq.read_schema(path)
        assert all(field.metadata[b"unit"].decode() == unit_of_cycles(field.name) != "" for field in schema)


def test_backward_walking_is_a_movement_of_its_own():
    t = np.arange(0, 8, 1 / 60)
    forward = synthetic.walker(t, velocity_px_s=(200.0, 0), stride_hz=STRIDE_HZ)
    assert not measured(t, forward, COCO17).steps["backward"].any()
    made = measured(t, forward[::-1], COCO17)
    assert made.steps["backward"].all()
    assert set(made.cycles.movement) == {"walk_backward"}


def test_a_stride_of_unusual_duration_or_bridged_legs_does_not_count_for_the_mean():
    t = np.arange(0, 12, 1 / 60)
    slow = np.where((t > 5) & (t < 6.2), 0.6, 1.0)  # one stride takes half as long again
    own = np.concatenate([[0], np.cumsum(slow[:-1] / 60)])
    even = synthetic.walker(t, velocity_px_s=(0.0, 0), stride_hz=STRIDE_HZ)
    points = np.stack([[np.interp(own, t, even[:, k, i]) for i in (0, 1)] for k in range(17)]).transpose(2, 0, 1)
    made = measured(t, points, COCO17)
    last = made.cycles.end_s - made.cycles.start_s
    assert (~made.cycles.in_mean).sum() >= 1
    np.testing.assert_array_equal(made.cycles.in_mean, last < 1.15 * np.median(last))
    motion = exact(t, even)
    motion.provenance[120:180, [COCO17.index(f"left_{n}") for n in ("hip", "knee", "ankle")]] = 2
    cycles = measure(motion, COCO17, MetresConfig(), (1920, 1080)).cycles
    bridged = (cycles.start_s < 3.0) & (cycles.end_s > 2.0) & (cycles.side == "left")
    assert not cycles.in_mean[bridged & (cycles.measured_share < 0.85)].any()
    assert cycles.in_mean[~bridged].all()
    assert (cycles.measured_share[bridged] < 0.85).any()


def test_curves_are_empty_where_frames_are_missing(tmp_path):
    t = np.arange(0, 8, 1 / 60)
    keep = (t < 4.0) | (t > 4.15)
    points = synthetic.from_the_side(synthetic.walker(t, velocity_px_s=(0, 0)))
    motion = exact(t[keep], points[keep], frame=np.flatnonzero(keep))
    made = measure(motion, COCO17, MetresConfig(), (1920, 1080))
    curves = pd.read_parquet(written(tmp_path, made, False).gait_cycles)
    gap = (curves["time_s"] > 4.0) & (curves["time_s"] < 4.15)
    assert gap.any()
    assert curves.loc[gap, "knee_flexion_deg"].isna().all()
    assert curves.loc[~gap, "knee_flexion_deg"].notna().mean() > 0.98


@pytest.mark.parametrize(("front", "pause_s"), [(False, 0.8), (True, 0.0)])
def test_squats_are_counted_and_cut_where_they_begin_and_end(front: bool, pause_s: float):
    t = np.arange(0, 32, 1 / 30)
    starts = [2.0 + i * (2.4 + pause_s) for i in range(8)]
    depth = 0.22 * repeated(t, starts, 2.4)
    made = noisy(t, person(t, lower=depth, front=front), 1.5)
    squats = made.cycles.take(made.cycles.movement == "squat")
    assert set(made.cycles.movement) == {"squat"}
    assert (squats.side == "left").sum() == (squats.side == "right").sum() == 8
    left = squats.take(squats.side == "left")
    # Left and reached again where the curve is 10 % of its rise above rest.
    late = 2.4 / np.pi * np.arcsin(np.sqrt(0.1))
    for told, true in ((left.start_s, np.array(starts) + late), (left.end_s, np.array(starts) + 2.4 - late)):
        assert np.abs(told - true).max() < 0.2
        assert np.abs(told - true).mean() < 0.06
    assert made.figures["repetitions"] == 8
    assert made.figures["jumps"] == 0
    assert len(made.steps["side"]) == 0


def test_the_knee_of_a_squat_bends_as_far_as_it_does(tmp_path):
    t = np.arange(0, 16, 1 / 30)
    depth = 0.2 * repeated(t, [1.0, 4.0, 7.0, 10.0], 2.5)
    table = pd.read_csv(written(tmp_path, measured(t, person(t, lower=depth))).cycles_csv)
    assert len(table) == 8
    np.testing.assert_allclose(table["knee_flexion_deg_max"], knee_deg(depth).max(), atol=2)


@pytest.mark.parametrize("front", [False, True])
def test_arm_raises_are_counted_a_side(front: bool):
    t = np.arange(0, 20, 1 / 30)
    arms = 90 * repeated(t, [1.0 + 3.0 * i for i in range(6)], 2.4)
    made = noisy(t, person(t, arms_deg=arms, front=front), 1.5)
    assert set(made.cycles.movement) == {"arm_raise"}
    assert (made.cycles.side == "left").sum() == (made.cycles.side == "right").sum() == 6
    assert made.figures["repetitions"] == 6


def test_who_stands_or_walks_repeats_nothing():
    t = np.arange(0, 10, 1 / 30)
    assert len(noisy(t, person(t), 2.0).cycles) == 0
    two = 0.2 * repeated(t, [1.0, 5.0], 2.5)  # two are no series
    assert len(noisy(t, person(t, lower=two), 2.0).cycles) == 0
    assert walk().figures["repetitions"] == 0


@pytest.mark.parametrize(
    ("fps", "flight_s", "front"), [(25, 0.5, False), (30, 0.35, True), (60, 0.5, True), (120, 0.3, False)]
)
def test_a_jump_has_its_flight_time_and_height(fps: int, flight_s: float, front: bool):
    t = np.arange(0, 4, 1 / fps)
    up, lower = flight(t, 2.013, flight_s)
    made = noisy(t, person(t, up=up, lower=lower, front=front), 0.8)
    jump = {name: values.tolist() for name, values in made.jumps.items()}
    assert len(jump["flight_time_s"]) == 1
    (told,), (std,) = jump["flight_time_s"], jump["flight_time_std_s"]
    assert std >= 1 / fps / np.sqrt(6)
    assert std < 1.5 / fps / np.sqrt(6) + 0.01
    assert told == pytest.approx(flight_s, abs=2 * std)
    assert jump["take_off_time_s"][0] == pytest.approx(2.013, abs=2 * std)
    assert jump["landing_time_s"][0] - jump["take_off_time_s"][0] == pytest.approx(told, abs=1e-9)
    assert jump["jump_height_m"][0] == pytest.approx(GRAVITY_M_S2 * told**2 / 8)
    assert jump["jump_height_std_m"][0] == pytest.approx(GRAVITY_M_S2 * told / 4 * std)
    assert made.figures["jumps"] == 1
    assert made.figures["highest_jump_m"] == jump["jump_height_m"][0]
    assert made.figures["highest_jump_std_m"] == jump["jump_height_std_m"][0]
    assert len(made.cycles) == 0  # its knee bends are no squats


def test_lifted_feet_and_slow_motion_are_no_jumps():
    t = np.arange(0, 6, 1 / 60)
    up, lower = flight(t, 2.0, 0.5)
    assert len(measured(t, person(t, up=up, lower=lower)).jumps["flight_time_s"]) == 1
    seated = person(t)
    feet = [k for k, n in enumerate(HALPE26.names) if n.endswith(("ankle", "toe", "heel"))]
    seated[:, feet, 1] -= 400 * up[:, None]  # the legs are pulled up, the body stays
    assert len(measured(t, seated).jumps["flight_time_s"]) == 0
    assert len(measured(2 * t, person(t, up=up, lower=lower)).jumps["flight_time_s"]) == 0
    assert len(walk().jumps["flight_time_s"]) == 0
    sprint = np.arange(0, 3, 1 / 120)
    assert len(measured(sprint, synthetic.sprinter(sprint), COCO17).jumps["flight_time_s"]) == 0


def test_tables_are_there_without_cycles_and_a_rerun_replaces_them(tmp_path):
    t = np.arange(0, 4, 1 / 30)
    folder = written(tmp_path, walk())
    assert len(pd.read_parquet(folder.gait_cycles))
    written(tmp_path, measured(t, person(t)))
    assert len(pd.read_parquet(folder.gait_cycles)) == len(pd.read_parquet(folder.gait_means)) == 0
    assert len(pd.read_csv(folder.cycles_csv)) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cycles.csv", "gait_cycles.parquet", "gait_means.parquet"]
    with cycles_files(folder, {}):
        pass  # nobody at all
    assert list(pd.read_parquet(folder.gait_cycles).columns)[:3] == ["person_id", "movement", "side"]


def test_a_write_that_fails_leaves_the_tables_as_they_were(tmp_path):
    folder = written(tmp_path, walk())
    before = {p: p.read_bytes() for p in sorted(tmp_path.iterdir())}
    with pytest.raises(ValueError, match="states no unit"), cycles_files(folder, {}) as files:
        files.begin(["knee_wobble"])
    assert {p: p.read_bytes() for p in sorted(tmp_path.iterdir())} == before


def test_who_lands_lower_or_is_hardly_seen_in_the_air_has_not_jumped():
    t = np.arange(0, 6, 1 / 60)
    up, lower = flight(t, 2.0, 0.5)
    off_a_wall = person(t, up=up, lower=lower)
    off_a_wall[..., 1] += 80 * np.clip((t - 2.25) / 0.25, 0, 1)[:, None]  # .2 of the height further down
    assert len(measured(t, off_a_wall).jumps["flight_time_s"]) == 0
    motion = exact(t, person(t, up=up, lower=lower), HALPE26)
    feet = [k for k, n in enumerate(HALPE26.names) if n.endswith(("ankle", "toe", "heel"))]
    motion.provenance[np.ix_((t > 2.1) & (t < 2.4), feet)] = INTERPOLATED
    assert len(measure(motion, HALPE26, MetresConfig(height_m=1.7), (1920, 1080)).jumps["flight_time_s"]) == 0
