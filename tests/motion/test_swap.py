"""Exchanges of left and right in walks, runs and sprints with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.motion.swap import _facing, unswap_all
from pipeline.motion.trajectories import Trajectories
from tests import synthetic
from tests.motion import exchanges

LEGS, ARMS, BODY = range(11, 17), range(5, 11), range(1, 17)
ANKLES, WRISTS = range(15, 17), range(9, 11)
HEIGHT = 400.0
GAITS = {
    "walk": lambda t: synthetic.walker(t, height_px=HEIGHT),
    "run": lambda t: synthetic.walker(t, height_px=HEIGHT, stride_hz=1.4, hip_deg=40, knee_deg=95),
    "sprint": lambda t: synthetic.sprinter(t, height_px=HEIGHT),
}


def _unswapped(
    time_s: np.ndarray, z: np.ndarray, score: np.ndarray, measured: np.ndarray, std: np.ndarray, skeleton: Skeleton
) -> Trajectories:
    """`unswap_all` for one person of `HEIGHT` px."""
    size, none = np.full(len(time_s), HEIGHT), np.zeros(measured.shape, bool)
    return unswap_all([Trajectories(time_s, z, score, measured, size, none)], [std], skeleton)[0]


def _exchanged(rng: np.random.Generator, time_s: np.ndarray, per_s: float, mean_s: float) -> np.ndarray:
    """(T,) bool: stretches of ``mean_s`` that begin ``per_s`` times a second."""
    out, now = np.zeros(len(time_s), bool), False
    for i, dt in enumerate(np.diff(time_s), 1):
        now = rng.uniform() > dt / mean_s if now else bool(rng.uniform() < per_s * dt)
        out[i] = now
    return out


def _scores(
    seed: int,
    truth: np.ndarray,
    time_s: np.ndarray,
    groups: tuple[range, ...],
    mean_s: float = 0.3,
    noise: float = 4.0,
    missing: float = 0.1,
) -> tuple[int, int, int]:
    """Measured points of the body exchanged and found, found, exchanged; ``missing`` are not measured at all."""
    rng = np.random.default_rng(seed)
    z = truth + rng.normal(0, noise, truth.shape)
    really = np.zeros(z.shape[:2], bool)
    for group in groups:
        # Sides are names: who is called wrong for most of the time is right, if only motion tells.
        rows = _exchanged(rng, time_s, min(0.5, 0.3 / mean_s), mean_s)
        order = np.arange(17)
        order[group] = COCO17.flip[group]
        z[rows] = z[rows][:, order]
        really[np.ix_(rows, list(group))] ^= True
    measured = rng.uniform(size=really.shape) >= missing
    score, std = np.full(really.shape, 0.8), np.full(really.shape, 4.0)
    found = _unswapped(time_s, z, score, measured, std, COCO17)
    order = np.where(found.swapped, COCO17.flip, np.arange(17))
    row = np.arange(len(z))[:, None]
    np.testing.assert_array_equal(found.keypoints_px, z[row, order])
    assert (measured[row, order] | ~found.measured).all()
    assert (measured[row, order] & ~found.measured)[:, 5:].mean() < 0.002  # two limbs that are one, by chance
    body = slice(5, None)  # eyes are nearer to one another than the noise is wide
    said, really = found.swapped[:, body] & found.measured[:, body], really[:, body] & found.measured[:, body]
    return int((said & really).sum()), int(said.sum()), int(really.sum())


@pytest.mark.parametrize(
    ("fps", "groups", "mean_s", "missing"),
    [
        (15.0, (LEGS, ARMS), 0.3, 0.1),
        (25.0, (LEGS, ARMS), 0.3, 0.1),
        (30.0, (LEGS,), 0.3, 0.1),
        (30.0, (ARMS,), 0.3, 0.1),
        (30.0, (BODY,), 0.3, 0.1),
        (30.0, (LEGS, ARMS), 2.0, 0.1),
        (30.0, (LEGS, ARMS), 0.3, 0.3),
        (60.0, (LEGS, ARMS), 0.3, 0.1),
        (60.0, (ANKLES, WRISTS), 0.3, 0.1),
        (60.0, (LEGS, ARMS), 0.3, 0.3),
        (120.0, (LEGS, ARMS, BODY), 0.3, 0.1),
    ],
)
@pytest.mark.parametrize("gait", ["walk", "run", "sprint"])
def test_precision_and_recall(fps: float, groups: tuple[range, ...], mean_s: float, missing: float, gait: str) -> None:
    total = np.zeros(3)
    for seed in range(2):
        t = synthetic.times(np.random.default_rng(seed), 15.0, fps, jitter=0.2)
        total += _scores(seed, GAITS[gait](t), t, groups, mean_s, missing=missing)
    hit, found, really = total
    assert really > 150
    assert hit / found >= 0.95
    assert hit / really >= 0.95


@pytest.mark.parametrize("gait", ["walk", "run", "sprint"])
def test_exact_measurements_stay_as_they_are(gait: str) -> None:
    for fps in (10.0, 25.0, 60.0, 120.0):
        t = synthetic.times(np.random.default_rng(7), 6.0, fps, jitter=0.2)
        truth = GAITS[gait](t)
        assert _scores(7, truth, t, (), noise=0.0, missing=0.0)[1] == 0
        z, yes = exchanges.halpe(truth, HEIGHT), np.ones((len(t), len(HALPE26)), bool)
        found = _unswapped(t, z, 0.8 * yes, yes, 4.0 * yes, HALPE26)
        assert not found.swapped.any()
        assert found.measured.all()


@pytest.mark.parametrize("fps", [10.0, 30.0, 120.0])
@pytest.mark.parametrize("velocity", [(250.0, 0.0), (-250.0, 0.0), (0.0, 0.0)])
def test_nothing_is_found_where_nothing_was_exchanged(fps: float, velocity: tuple[float, float]) -> None:
    t = synthetic.times(np.random.default_rng(3), 20.0, fps, jitter=0.2)
    truth = synthetic.walker(t, height_px=HEIGHT, velocity_px_s=velocity)
    _, found, _ = _scores(3, truth, t, ())
    assert found <= (0.01 if fps < 15 else 0.001) * 12 * len(t)


def test_who_stands_still_or_is_hardly_seen_stays_as_said() -> None:
    t = np.arange(90) / 30.0
    still = np.tile(synthetic.walker(t[:1]), (90, 1, 1))
    assert _scores(5, still, t, ())[1] == 0
    for rows in (0, 1, 2, 5):
        z = still[:rows]
        none = _unswapped(t[:rows], z, np.zeros(z.shape[:2]), np.zeros(z.shape[:2], bool), z[..., 0], COCO17)
        assert not none.swapped.any()


def test_single_frames() -> None:
    t = synthetic.times(np.random.default_rng(0), 10.0, 30.0)
    z = synthetic.walker(t, height_px=HEIGHT) + np.random.default_rng(1).normal(0, 3, (len(t), 17, 2))
    legs = np.arange(17)
    legs[11:] = COCO17.flip[11:]
    wrong = np.arange(20, 280, 23)
    z[wrong] = z[wrong][:, legs]
    yes = np.ones(z.shape[:2], bool)
    found = _unswapped(t, z, 0.8 * yes, yes, 4.0 * yes, COCO17).swapped
    assert found[wrong][:, 11:].all()
    assert found.sum() == 6 * len(wrong)


def test_an_arm_that_the_trunk_hides_is_no_reason_to_exchange_one() -> None:
    t = np.arange(120) / 30.0
    z = synthetic.walker(t, height_px=HEIGHT) + np.random.default_rng(0).normal(0, 2, (120, 17, 2))
    yes = np.ones(z.shape[:2], bool)
    for hidden in (7, 8):
        score = np.full(yes.shape, 0.8)
        score[:, [hidden, hidden + 2]] = 0.3
        assert not _unswapped(t, z, score, yes, 2.0 * yes, COCO17).swapped[:, 5:].any()


def _on_one_leg(
    seed: int, gait: str, fps: float, share: float, knees: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points exchanged, found, measured and such of which one can tell (T, 26), of legs put on one where they pass."""
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 15.0, fps, jitter=0.2)
    truth = exchanges.halpe(GAITS[gait](t), HEIGHT)
    z, score = exchanges.noisy(rng, truth, HEIGHT)
    z, really, clear = exchanges.collapsed(rng, t, z, truth, share, knees)
    measured = score >= 0.3
    std = 0.008 * HEIGHT / np.clip(score, 0.1, 1.0)
    found = _unswapped(t, z, score, measured, std, HALPE26)
    return really & measured, found.swapped & measured, found.measured, clear & measured


@pytest.mark.parametrize("fps", [15.0, 30.0, 120.0])
@pytest.mark.parametrize("knees", [True, False])
@pytest.mark.parametrize("gait", ["walk", "run", "sprint"])
def test_legs_put_on_one_where_they_pass_and_then_exchanged(fps: float, knees: bool, gait: str) -> None:
    total = np.zeros(3)
    for seed in range(3):
        really, found, _, clear = _on_one_leg(seed, gait, fps, 0.4, knees)
        total += [(really & found & clear).sum(), (found & clear).sum(), (really & clear).sum()]
        feet = [HALPE26.names.index(f"left_{name}") for name in ("ankle", "heel", "big_toe", "small_toe")]
        assert (found[:, feet].any(1) == found[:, feet].all(1))[clear[:, feet].all(1)].all()
    hit, said, really_ = total
    assert really_ > 250
    assert hit / said >= 0.95
    assert hit / really_ >= 0.95


@pytest.mark.parametrize("fps", [15.0, 30.0, 120.0])
@pytest.mark.parametrize("gait", ["walk", "run", "sprint"])
def test_noise_of_low_scores_is_no_exchange(fps: float, gait: str) -> None:
    _, found, known, clear = _on_one_leg(5, gait, fps, 0.0, False)
    assert not found.any()
    assert (clear & ~known).mean() < 0.003


def _knees_alone(seed: int, gait: str, fps: float, rows: int) -> tuple[int, int, int]:
    """Points exchanged and found, found, exchanged, where knees alone are exchanged for ``rows`` once they passed."""
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 10.0, fps, jitter=0.2)
    truth = exchanges.halpe(GAITS[gait](t), HEIGHT)
    z, score = exchanges.noisy(rng, truth, HEIGHT)
    apart = truth[:, exchanges.KNEES[0], 0] - truth[:, exchanges.KNEES[1], 0]
    passed = np.flatnonzero(np.diff(np.sign(apart)))[1::3]
    really, clear = np.zeros(z.shape[:2], bool), np.ones(z.shape[:2], bool)
    for row in passed[passed + rows + 2 < len(t)]:
        some = np.arange(row + 1, row + 1 + rows)
        z[np.ix_(some, exchanges.KNEES)] = z[np.ix_(some, exchanges.KNEES[::-1])]
        really[np.ix_(some, exchanges.KNEES)] = True
    clear[np.ix_(abs(apart) < 0.03 * HEIGHT, exchanges.KNEES)] = False  # too near each other to tell
    yes = np.ones(really.shape, bool)
    found = _unswapped(t, z, score, yes, 0.008 * HEIGHT / np.clip(score, 0.1, 1.0), HALPE26).swapped & clear
    return int((found & really).sum()), int(found.sum()), int((really & clear).sum())


@pytest.mark.parametrize(("fps", "gait"), [(30.0, "run"), (60.0, "walk"), (120.0, "walk"), (120.0, "run")])
def test_knees_alone_exchanged_where_they_pass(fps: float, gait: str) -> None:
    hit, said, really = np.sum([_knees_alone(seed, gait, fps, round(0.13 * fps)) for seed in range(2)], 0)
    assert really > 10
    assert hit / said >= 0.95
    assert hit / really >= 0.75


def _from_the_front(time_s: np.ndarray, back: bool = False) -> np.ndarray:
    """(T, 26, 2) px of somebody who walks towards the camera, or away from it; it looks down a little."""
    body = synthetic.walker(time_s, height_px=HEIGHT, velocity_px_s=(0.0, 0.0), hip_deg=10.0, knee_deg=20.0)
    way = -1.0 if back else 1.0
    wide = {"eye": 0.02, "ear": 0.04, "shoulder": 0.1, "elbow": 0.12, "wrist": 0.13, "hip": 0.06, "knee": 0.06}
    z = exchanges.halpe(body, HEIGHT)
    z[..., 0] = 300.0
    for k, name in enumerate(HALPE26.names):
        side, _, part = name.partition("_")
        if side in ("left", "right") and part:
            z[:, k, 0] += way * (1 if side == "left" else -1) * wide.get(part, 0.06) * HEIGHT
    for side in ("left", "right"):
        at = {n: HALPE26.names.index(f"{side}_{n}") for n in ("ankle", "heel", "big_toe", "small_toe")}
        z[:, at["heel"], 1] = z[:, at["ankle"], 1] + 0.02 * HEIGHT
        for toe in ("big_toe", "small_toe"):
            z[:, at[toe], 1] = z[:, at["heel"], 1] + way * 0.03 * HEIGHT
    return z


def _exchanged_in(rows: list[int] | slice, names: range | None, back: bool, face: float = 0.7) -> np.ndarray:
    """(T, 26) what is found where these rows of somebody from the front or behind are exchanged."""
    t = np.arange(300) / 30.0
    z = _from_the_front(t, back) + np.random.default_rng(0).normal(0, 2.0, (300, 26, 2))
    order = np.arange(26)
    order[names or slice(None)] = HALPE26.flip[names or slice(None)]
    z[rows] = z[rows][:, order]
    yes = np.ones(z.shape[:2], bool)
    score = np.full(yes.shape, 0.8)
    score[:, :5] = face
    return _unswapped(t, z, score, yes, 2.0 * yes, HALPE26).swapped


PAIRED = [k for k, name in enumerate(HALPE26.names) if name.startswith(("left_", "right_"))]


def test_somebody_mirrored_throughout_is_put_right() -> None:
    assert _exchanged_in(slice(None), None, back=False)[:, PAIRED].all()
    most = [i for i in range(300) if i != 150]
    found = _exchanged_in(most, None, back=False)[:, PAIRED]
    assert found[most].all()
    assert not found[150].any()


def test_ordinary_people_are_not_mirrored() -> None:
    for back, face in ((False, 0.7), (True, 0.1), (True, 0.7)):  # networks put faces on backs of heads
        assert not _exchanged_in([], None, back, face).any()
        assert not _exchanged_in([150], None, back, face)[np.arange(300) != 150].any()


def test_legs_mirrored_throughout_are_put_right_by_the_shoulders() -> None:
    legs = range(11, 26)
    found = _exchanged_in(slice(None), legs, back=False)
    paired = [k for k in PAIRED if k >= 11]
    assert found[:, paired].all()
    assert not found[:, :11].any()


def test_hips_that_fit_to_the_shoulders_go_with_them() -> None:
    n, dt = 60, 1 / 30
    apart = {
        "hip": np.full(n, 9 * dt),
        "shoulder": np.full(n, 4 * dt),
        "torso": np.full(n, dt),
        "fits": np.full(n, -dt),
    }
    for none in (np.zeros(n, bool), np.arange(n) == 7):
        found = _facing({"hip": none, "shoulder": none}, apart)
        assert (found["hip"] == ~none).all()
        assert (found["shoulder"] == ~none).all()
