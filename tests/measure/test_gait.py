"""Steps of synthetic walkers and runners."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import SmoothConfig, TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Observations, played_fps
from pipeline.measure import tempo
from pipeline.measure.gait import STEP_COLUMNS, contacts
from pipeline.measure.gait_figures import summary, usual
from pipeline.motion.person import build_motion
from tests import synthetic
from tests.motion.exchanges import halpe, noisy
from tests.motion.motions import exact


@pytest.mark.parametrize("speed", [250.0, -250.0, 0.0])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_cadence_of_a_walker(speed: float, jitter: float) -> None:
    t = synthetic.times(np.random.default_rng(0), 12.0, 60.0, jitter)
    motion = exact(t, synthetic.walker(t, velocity_px_s=(speed, 0), stride_hz=0.95))
    columns, steps = contacts(motion, COCO17, None)
    assert tuple(steps) == STEP_COLUMNS
    told = summary(steps)
    assert told["cadence_steps_per_min"] == pytest.approx(2 * 0.95 * 60, rel=0.01)
    assert told["stride_time_s"] == pytest.approx(1 / 0.95, rel=0.01)
    assert told["symmetry_percent"] < 5
    assert told["walks_or_runs"] == 0
    assert len(steps["side"]) == pytest.approx(12 * 1.9, abs=3)
    assert (np.diff(steps["contact_time_s"]) > 0).all()
    # The foot is farthest ahead where the thigh is: a quarter of a stride after it hangs down.
    swing = (steps["contact_time_s"][steps["side"] == "left"] - t[0]) * 0.95 % 1
    assert np.ptp((swing + 0.5) % 1) < 0.05
    for side in ("left", "right"):
        assert set(np.unique(columns[f"{side}_foot_contact"][60:-60])) == {0.0, 1.0}


def test_contact_is_of_the_heel_and_off_of_the_big_toe() -> None:
    t = np.arange(0, 8, 1 / 60)
    body = halpe(synthetic.walker(t, velocity_px_s=(200.0, 0)), 400.0)
    plain = contacts(exact(t, body, HALPE26), HALPE26, None)[1]
    later = {}
    for part in ("heel", "big_toe"):
        moved, k = body.copy(), [HALPE26.index(f"{s}_{part}") for s in ("left", "right")]
        hips = body[:, [HALPE26.index("hip")]]
        shifted = (body[:, k] - hips)[np.maximum(np.arange(len(t)) - 6, 0)]  # a tenth of a second late
        moved[:, k] = hips + shifted
        later[part] = contacts(exact(t, moved, HALPE26), HALPE26, None)[1]
    inner = slice(2, -2)
    for column, part, other in (("contact_time_s", "heel", "big_toe"), ("off_time_s", "big_toe", "heel")):
        np.testing.assert_allclose(later[part][column][inner] - plain[column][inner], 0.1, atol=0.02)
        np.testing.assert_allclose(later[other][column][inner], plain[column][inner], atol=0.005)


def test_cadence_from_noisy_observations() -> None:
    rng = np.random.default_rng(1)
    t = synthetic.times(rng, 15.0, 30.0)
    obs = synthetic.observe(rng, t, synthetic.walker(t, velocity_px_s=(100, 0), stride_hz=0.9)[None]).observations
    motion = build_motion(1, obs, t, COCO17, TrackConfig(), SmoothConfig())
    assert summary(contacts(motion, COCO17, None)[1])["cadence_steps_per_min"] == pytest.approx(108, rel=0.02)


def test_a_sprinter_runs() -> None:
    t = np.arange(0, 3, 1 / 120)
    told = summary(contacts(exact(t, synthetic.sprinter(t)), COCO17, None)[1])
    assert told["walks_or_runs"] == 1
    assert told["cadence_steps_per_min"] == pytest.approx(2 * 2.2 * 60, rel=0.03)


def test_who_stands_takes_no_steps() -> None:
    rng = np.random.default_rng(2)
    t = np.arange(0, 20, 1 / 30)
    still = np.tile(synthetic.walker(t[:1]), (len(t), 1, 1)) + rng.normal(0, 1.5, (len(t), 17, 2))
    columns, steps = contacts(exact(t, still), COCO17, None)
    assert len(steps["side"]) == 0
    assert np.isnan(columns["left_foot_contact"]).all()
    assert np.isnan(summary(steps)["cadence_steps_per_min"])


def test_an_absence_is_no_stride() -> None:
    t = np.arange(0, 20, 1 / 30)
    keep = (t < 8) | (t > 13)
    truth = synthetic.walker(t, velocity_px_s=(0, 0))
    motion = exact(t[keep], truth[keep], frame=np.flatnonzero(keep))
    steps = contacts(motion, COCO17, None)[1]
    assert np.nanmax(steps["stride_s"]) < 1.5
    assert not ((steps["contact_time_s"] > 8.1) & (steps["contact_time_s"] < 12.9)).any()


def test_jumping_jacks_seen_from_the_front_are_no_steps() -> None:
    t = np.arange(0, 8, 1 / 30)
    spread = 0.5 - 0.5 * np.cos(2 * np.pi * 0.8 * t)
    z = np.zeros((len(t), 17, 2))
    for left, half, up in ((1, 8, 380), (3, 15, 375), (5, 45, 330), (7, 60, 260), (9, 60, 200), (11, 25, 210)):
        z[:, left], z[:, left + 1] = (500 + half, 900 - up), (500 - half, 900 - up)
    z[:, 0] = (500, 900 - 370)
    for left, half, up in ((13, 25, 110), (15, 25, 10)):
        across = half + spread * (0.7 * (210 - up) - half / 2)
        for point, side in ((left, 1), (left + 1, -1)):
            z[:, point] = np.stack([500 + side * across, 900 - up - 10 * spread], -1)
    columns, steps = contacts(exact(t, z), COCO17, None)
    assert len(steps["side"]) == 0
    assert all(np.isnan(column).all() for column in columns.values())


def test_cadence_is_what_counting_gives() -> None:
    step = np.array([np.nan, 0.66, 0.51, 0.52, 0.54, 0.51, 0.55, 0.53, np.nan, 0.63, 0.57, 0.51, 1.1])
    n = len(step)
    steps = {name: np.full(n, np.nan) for name in STEP_COLUMNS}
    steps |= {"side": np.where(np.arange(n) % 2, "left", "right"), "contact_time_s": np.arange(n) / 2, "step_s": step}
    steps |= {"running": np.zeros(n, bool), "backward": np.zeros(n, bool)}
    counted = step[np.isfinite(step) & (step < 1)]  # one contact was missed
    assert summary(steps)["cadence_steps_per_min"] == pytest.approx(60 * len(counted) / counted.sum(), rel=0.01)


def test_contact_times_state_their_errors() -> None:
    t, true = np.arange(0, 12, 1 / 30), np.arange(0, 12, 1 / 240)
    body, fine = (halpe(synthetic.walker(x, velocity_px_s=(200.0, 0)), 400.0) for x in (t, true))
    seen, score = noisy(np.random.default_rng(0), body, 400.0)
    n = len(t)
    obs = Observations(
        frame=np.arange(n),
        box_px=synthetic.boxes(body).astype(np.float32),
        score=np.full(n, 0.8, np.float32),
        keypoints_px=seen.astype(np.float32),
        keypoint_score=score.astype(np.float32),
        skeleton="halpe26",
    )
    told = contacts(build_motion(1, obs, t, HALPE26, TrackConfig(), SmoothConfig()), HALPE26, None)[1]
    truth = contacts(exact(true, fine, HALPE26), HALPE26, None)[1]
    for moment in ("contact", "off"):
        time, std = told[f"{moment}_time_s"], told[f"{moment}_time_std_s"]
        known = np.isfinite(time)
        assert np.array_equal(known, np.isfinite(std))
        assert ((std[known] > 0.009) & (std[known] < 0.04)).all()
        off = np.abs(time[known, None] - truth[f"{moment}_time_s"]).T
        assert (np.nanmin(off, 0) < 1.96 * std[known]).mean() >= 0.9


@pytest.mark.parametrize(("fps", "bias_s"), [(10, 0.004), (15, 0.0015)])
def test_few_frames_a_second_do_not_move_contacts_and_offs(fps: int, bias_s: float) -> None:
    """Lines between the frames cut the feet's extremes: lift-offs came up to .03 s early at 10 frames/s."""
    t, fine = np.arange(0, 12, 1 / fps), np.arange(0, 12, 1 / 240)
    few, many = (
        contacts(exact(x, halpe(synthetic.walker(x, stride_hz=1.15), 400.0), HALPE26), HALPE26, None)[1]
        for x in (t, fine)
    )
    for moment in ("contact_time_s", "off_time_s"):
        time = few[moment][np.isfinite(few[moment])][1:-1]
        error = np.array([(x - many[moment])[np.nanargmin(np.abs(x - many[moment]))] for x in time])
        assert len(time) > 20
        assert np.abs(error).max() < 0.012
        assert abs(error.mean()) < bias_s


def test_less_certain_feet_and_slower_turns_make_contacts_less_certain() -> None:
    t = np.arange(0, 8, 1 / 60)
    motion = exact(t, synthetic.walker(t, velocity_px_s=(200.0, 0)))
    sure, unsure = (
        contacts(replace(motion, keypoint_std_px=motion.keypoint_std_px * f), COCO17, None)[1] for f in (1, 3)
    )
    assert (sure["contact_time_std_s"] < unsure["contact_time_std_s"]).all()
    slow = contacts(exact(t, synthetic.walker(t, velocity_px_s=(200.0, 0), stride_hz=0.7)), COCO17, None)[1]
    assert np.median(slow["contact_time_std_s"]) > np.median(sure["contact_time_std_s"])


def test_deviations_of_durations_and_figures_follow_from_those_of_the_contacts() -> None:
    t = np.arange(0, 12, 1 / 60)
    steps = contacts(exact(t, synthetic.walker(t)), COCO17, 200.0, scale_std=0.1)[1]
    n = len(steps["side"])
    rng, std = np.random.default_rng(0), 0.004
    steps = steps | {name: np.full(n, std) for name in ("contact_time_std_s", "off_time_std_s")}
    told, tries = summary(steps), []
    for _ in range(400):
        on, off = (steps[name] + std * rng.standard_normal(n) for name in ("contact_time_s", "off_time_s"))
        stride = np.append(on[2:] - on[:-2], [np.nan, np.nan])
        moved = {"stance_s": off - on, "stride_s": stride, "step_s": np.append(np.nan, np.diff(on))}
        tries.append(summary(steps | moved | {"contact_time_s": on}))
    for name, deviation in (
        ("step_time_s", "step_time_std_s"), ("stride_time_s", "stride_time_std_s"),
        ("cadence_steps_per_min", "cadence_std_steps_per_min"),
    ):  # fmt: skip
        assert told[deviation] == pytest.approx(np.std([one[name] for one in tries]), rel=0.2), name
    share = np.std([one["stance_share"] for one in tries])
    assert told["stance_std_share"] == pytest.approx(np.sqrt(2) * share, rel=0.2)  # real errors are not independent
    folded = np.sqrt(np.mean(np.square([one["symmetry_percent"] for one in tries])))
    assert told["symmetry_std_percent"] == pytest.approx(folded, rel=0.2)
    whole = contacts(exact(t, synthetic.walker(t)), COCO17, 200.0, scale_std=0.1)[1]
    known = np.isfinite(whole["step_length_m"])
    assert (whole["step_length_std_m"][known] > 0.1 * np.abs(whole["step_length_m"][known])).all()
    on, off = whole["contact_time_std_s"], whole["off_time_std_s"]
    np.testing.assert_allclose(whole["stance_std_s"], np.hypot(on, off))
    np.testing.assert_allclose(whole["stride_std_s"][:-2], np.hypot(on[2:], on[:-2]))
    assert np.isnan(whole["stride_std_s"][-2:]).all()
    assert np.isnan(whole["step_std_s"][0])


def test_no_steps_have_no_deviations() -> None:
    steps = contacts(exact(np.arange(9) / 30, np.full((9, 17, 2), 5.0)), COCO17, None)[1]
    assert all(np.isnan(value) for name, value in summary(steps).items() if "_std_" in name)
    assert not usual(np.full(3, np.nan)).any()


@pytest.mark.parametrize(("times", "mean"), [([0.3, 1.0], 0.65), ([0.5, 0.6, 5.0], 0.55), ([], None), ([0.4], 0.4)])
def test_times_far_apart_have_a_mean_and_no_warning(times, mean):
    """Of two times far apart none is near their median: a warning that --quiet did not stop."""
    if times:
        assert tempo._typical(np.array(times)) == pytest.approx(mean)
    assert played_fps(np.cumsum([0.0, *times, *times]), Fraction(25)) > 0


def test_a_rate_of_two_steps_far_apart_is_the_mean():
    assert played_fps(np.array([0.0, 0.1, 10.0]), Fraction(25)) == 25


def test_forward_and_backward_steps_are_not_pooled() -> None:
    t = np.arange(300) / 30.0
    steps = contacts(exact(t, synthetic.walker(t)), COCO17, 200.0, scale_std=0.1)[1]
    n = len(steps["side"])
    alone = summary(steps)
    assert alone["steps_backward"] == 0
    back = np.arange(n) >= n - 4
    slower = {name: np.where(back, 1.2, 1.0) * steps[name] for name in ("step_s", "stride_s", "stance_s")}
    both = summary(steps | slower | {"backward": back})
    assert (both["steps"], both["steps_backward"]) == (n, 4)
    for name in ("step_time_s", "stride_time_s", "cadence_steps_per_min", "stance_share"):
        assert both[name] == pytest.approx(alone[name], rel=0.01), name
    turned = summary(steps | {"backward": np.ones(n, bool)})
    assert turned == alone | {"steps_backward": n}
