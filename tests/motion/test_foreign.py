"""Limbs that are somebody else's, limbs that are too long, feet off their way: left out, bridged, named."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import SmoothConfig, TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import INTERPOLATED, MEASURED, Motion, Observations
from pipeline.core.wholebody_sets import FACE68
from pipeline.motion.claims import claims, joined
from pipeline.motion.foreign import OFF_ITS_WAY, THEIRS, TOO_LONG, put_aside
from pipeline.motion.person import build_motions
from pipeline.motion.trajectories import Trajectories
from tests import synthetic

SIZE = 400.0
TIME = np.arange(120) / 30
KNEE, ANKLE = COCO17.index("left_knee"), COCO17.index("left_ankle")
ELBOW, WRIST = COCO17.index("right_elbow"), COCO17.index("right_wrist")


def pair(gap_px: float = 80.0, phase: float = 0.5, speeds: tuple[float, float] = (110.0, 110.0)) -> np.ndarray:
    """(2, T, 17, 2) px of two people who walk one behind the other; the first lags by ``gap_px``."""
    return np.stack(
        [
            synthetic.walker(TIME, start_px=(300.0, 900.0), velocity_px_s=(speeds[0], 0.0), phase=0.1),
            synthetic.walker(TIME, start_px=(300.0 + gap_px, 905.0), velocity_px_s=(speeds[1], 0.0), phase=phase),
        ]
    )


def seen(points_px: np.ndarray, score: np.ndarray, noise_px: float = 1.5, seed: int = 1) -> Observations:
    """All people (P, T, K, 2) in every frame with their scores (P, T, K); person p of frame t is row P·t + p."""
    rng = np.random.default_rng(seed)
    p, t, k, _ = points_px.shape
    noisy = points_px + noise_px * rng.standard_normal(points_px.shape)
    return Observations(
        frame=np.repeat(np.arange(t), p),
        box_px=synthetic.boxes(points_px).swapaxes(0, 1).reshape(-1, 4).astype(np.float32),
        score=np.full(p * t, 0.8, np.float32),
        keypoints_px=noisy.swapaxes(0, 1).reshape(-1, k, 2).astype(np.float32),
        keypoint_score=score.swapaxes(0, 1).reshape(-1, k).astype(np.float32),
    )


def motions(obs: Observations, people: int = 2) -> list[Motion]:
    near = claims(obs, COCO17)
    rows = [np.arange(i, len(obs), people) for i in range(people)]
    each = [(i, obs.take(its), None if near is None else near[its]) for i, its in enumerate(rows)]
    return build_motions(each, TIME, COCO17, TrackConfig(), SmoothConfig())


def path(points_px: np.ndarray) -> Trajectories:
    """One person's measurements (T, K, 2)."""
    shape = points_px.shape[:2]
    score, known = np.full(shape, 0.8, np.float32), np.ones(shape, bool)
    size = np.full(len(points_px), SIZE, np.float32)
    return Trajectories(TIME, points_px.astype(np.float32), score, known, size, np.zeros(shape, bool))


def eased(start_s: float, stop_s: float, ease_s: float = 0.2) -> np.ndarray:
    """(T,) 0 outside, 1 inside, with slow ways between."""
    inside = np.minimum(TIME - (start_s - ease_s), (stop_s + ease_s) - TIME) / ease_s
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(inside, 0, 1)))


def stolen_leg() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, what is seen, and scores of two people; the first one's left leg goes over to the other's for .5 s."""
    truth = pair()
    shown, score = truth.copy(), np.full(truth.shape[:3], 0.8)
    share = eased(1.5, 2.0)[:, None, None]
    legs = [KNEE, ANKLE]
    shown[0][:, legs] = (1 - share) * truth[0][:, legs] + share * truth[1][:, legs]
    score[0][:, legs] -= 0.35 * (share[..., 0] > 0)
    return truth, shown, score


def test_a_leg_that_goes_over_to_somebody_elses_slowly_is_bridged_and_named() -> None:
    truth, shown, score = stolen_leg()
    one, other = motions(seen(shown, score))
    there = (TIME >= 1.5) & (TIME <= 2.0)
    for k in (KNEE, ANKLE):
        assert (one.provenance[there, k] == INTERPOLATED).all()
        off = np.linalg.norm(one.keypoints_px[there, k] - truth[0, there, k], axis=1)
        assert (off <= 3 * one.keypoint_std_px[there, k]).mean() >= 0.9  # the deviation is honest
        assert (one.keypoint_std_px[there, k] > 2 * np.median(one.keypoint_std_px[:30, k])).all()
    named = [(s, why) for s, why in one.doubts if "somebody else's" in why]
    assert len(named) == 1
    assert 1.2 < named[0][0] < 1.6
    assert "left knee" in named[0][1]
    assert "left ankle" in named[0][1]
    assert other.doubts == ()
    assert not other.aside_share.any()
    assert (one.provenance[~there & ((TIME < 1.1) | (TIME > 2.4))] == MEASURED).mean() > 0.97


def test_without_the_others_it_is_not_seen() -> None:
    _, shown, score = stolen_leg()
    obs = seen(shown, score)
    _, why = put_aside(path(obs.keypoints_px[::2]), None, COCO17)
    assert not (why == THEIRS).any()


def test_hands_that_are_held_stay() -> None:
    truth, score = pair(gap_px=150.0), np.full((2, 120, 17), 0.8)
    share = eased(1.0, 3.0, 0.5)[:, None]
    middle = (truth[0, :, WRIST] + truth[1, :, WRIST]) / 2
    for p in (0, 1):
        reach = middle - truth[p, :, WRIST]
        truth[p, :, WRIST] += share * reach
        truth[p, :, ELBOW] += share * reach / 2
    score[0, :, WRIST] = 0.5
    for motion in motions(seen(truth, score)):
        assert motion.doubts == ()
        assert not motion.aside_share.any()


def test_a_joint_that_jumps_there_and_back_alone() -> None:
    truth = pair(gap_px=90.0)
    shown, score = truth.copy(), np.full(truth.shape[:3], 0.8)
    rows = slice(60, 63)
    shown[0, rows, WRIST], score[0, rows, WRIST] = truth[1, rows, WRIST], 0.5
    obs = seen(shown, score)
    apart = np.linalg.norm(truth[0, rows, WRIST] - truth[1, rows, WRIST], axis=1).min()
    assert apart > 0.15 * SIZE
    near = claims(obs, COCO17)
    assert near is not None
    _, why = put_aside(path(obs.keypoints_px[::2]), near[::2], COCO17)
    assert (why[rows, WRIST] > 0).all()


@settings(deadline=None, max_examples=40)
@given(
    gap=st.floats(-0.6, 0.6),
    phase=st.floats(0, 1),
    faster=st.floats(-0.1, 0.1),
    scores=st.tuples(st.floats(0.35, 0.95), st.floats(0.35, 0.95)),
    seed=st.integers(0, 99),
)
def test_nobody_loses_joints_beside_somebody(
    gap: float, phase: float, faster: float, scores: tuple[float, float], seed: int
) -> None:
    truth = pair(gap * SIZE, phase, (110.0, 110.0 + faster * SIZE))
    score = np.broadcast_to(np.array(scores)[:, None, None], truth.shape[:3])
    obs = seen(truth, score, seed=seed)
    near = claims(obs, COCO17)
    for i in (0, 1):
        _, why = put_aside(path(obs.keypoints_px[i::2]), None if near is None else near[i::2], COCO17)
        assert not why.any(), np.unique(np.nonzero(why)[1])


@settings(deadline=None, max_examples=40)
@given(least=st.floats(0, 1), hz=st.floats(0.1, 2), phases=st.lists(st.floats(0, 6.3), min_size=8, max_size=8))
def test_a_short_limb_is_never_too_long(least: float, hz: float, phases: list[float]) -> None:
    points = foreshortened(least, hz, phases)
    _, why = put_aside(path(points), None, COCO17)
    assert not why.any()


def foreshortened(least: float, hz: float, phases: list[float]) -> np.ndarray:
    """(T, 17, 2) a walker each of whose limbs is shortened to between ``least`` and 1 of its length, in its rhythm."""
    whole = synthetic.walker(TIME)
    out = whole.copy()
    chains = [(5, 7, 9), (6, 8, 10), (11, 13, 15), (12, 14, 16)]
    for i, (root, middle, end) in enumerate(chains):
        for j, (a, b) in enumerate(((root, middle), (middle, end))):
            share = least + (1 - least) * (0.5 + 0.5 * np.cos(2 * np.pi * hz * TIME + phases[2 * i + j]))
            out[:, b] = out[:, a] + share[:, None] * (whole[:, b] - whole[:, a])
    return out


def test_an_ankle_that_slowly_goes_far_away_is_bridged_and_named() -> None:
    truth = synthetic.walker(TIME)
    shown = truth.copy()
    shown[:, ANKLE] += eased(1.5, 2.0)[:, None] * (truth[:, ANKLE] - truth[:, KNEE])
    score = np.full(shown.shape[:2], 0.8)
    [motion] = motions(seen(shown[None], score[None]), people=1)
    there = (TIME >= 1.5) & (TIME <= 2.0)
    assert (motion.provenance[there, ANKLE] == INTERPOLATED).all()
    assert any("left ankle" in why and "too far" in why for _, why in motion.doubts)
    others = [k for k in range(17) if k not in (ANKLE, KNEE)]
    assert (motion.provenance[:, others] == MEASURED).all()


def test_somebody_larger_than_the_box_keeps_the_limbs() -> None:
    points = synthetic.walker(TIME)
    one = path(points)._replace(size_px=np.where(TIME < 2, SIZE, 0.45 * SIZE).astype(np.float32))
    _, why = put_aside(one, None, COCO17)
    assert not why.any()


def feet() -> np.ndarray:
    """(T, 26, 2) somebody who stands."""
    walker = synthetic.walker(TIME, velocity_px_s=(0.0, 0.0), hip_deg=0.0, knee_deg=0.0)
    out = np.full((len(TIME), len(HALPE26), 2), np.nan)
    out[:, :17] = walker
    for side in ("left", "right"):
        ankle = walker[:, COCO17.index(f"{side}_ankle")]
        for name, (x, y) in {"heel": (-0.03, 0.03), "big_toe": (0.09, 0.04), "small_toe": (0.08, 0.04)}.items():
            out[:, HALPE26.index(f"{side}_{name}")] = ankle + SIZE * np.array([x, y])
    return out


def test_a_heel_that_leaves_its_foot() -> None:
    points, heel = feet(), HALPE26.index("left_heel")
    one = path(points)._replace(measured=np.isfinite(points[..., 0]))
    _, why = put_aside(one, None, HALPE26)
    assert not why.any()
    points[50:54, heel] += np.array([0.07 * SIZE, -0.03 * SIZE])
    _, why = put_aside(one._replace(keypoints_px=points), None, HALPE26)
    assert (why[50:54, heel] == OFF_ITS_WAY).all()
    assert why.astype(bool).sum() == 4
    points[50:54, heel] += 0.3 * SIZE
    _, why = put_aside(one._replace(keypoints_px=points), None, HALPE26)
    assert (why[50:54, heel] == TOO_LONG).all()
    assert why.astype(bool).sum() == 4


def test_an_ankle_on_the_other_foot_goes_and_its_own_foot_stays() -> None:
    points = feet()
    left = [k for k, name in enumerate(HALPE26.names) if name.startswith("left_") and name.endswith(("heel", "toe"))]
    points[:, [*left, ANKLE], 0] += 0.3 * SIZE
    points[50:56, ANKLE] = points[50:56, COCO17.index("right_ankle")] + 3.0
    one = path(points)._replace(measured=np.isfinite(points[..., 0]))
    one.measured[:, KNEE] = False
    _, why = put_aside(one, None, HALPE26)
    assert (why[50:56, ANKLE] == TOO_LONG).all()
    assert why.astype(bool).sum() == 6


def test_a_foot_that_leaves_as_a_whole_stays() -> None:
    points = feet()
    foot = [k for k, name in enumerate(HALPE26.names) if name.startswith(("left_heel", "left_big", "left_small"))]
    points[50:56, [*foot, ANKLE]] += np.array([0.08 * SIZE, 0.0])
    one = path(points)._replace(measured=np.isfinite(points[..., 0]))
    _, why = put_aside(one, None, HALPE26)
    assert not (why == OFF_ITS_WAY).any()


def test_claims_depend_on_their_frame_alone() -> None:
    _, shown, score = stolen_leg()
    obs = seen(shown, score)
    whole = claims(obs, COCO17)
    assert whole is not None
    assert np.isfinite(whole).any()
    cuts = np.split(np.arange(len(obs)), [60, 62, 150])
    some = [obs.take(rows) for rows in cuts]
    parts = joined([claims(part, COCO17) for part in some], some)
    np.testing.assert_array_equal(parts, whole)
    mine = np.arange(0, len(obs), 2)
    np.testing.assert_array_equal(claims(obs, COCO17, mine), whole[mine])


def test_somebody_alone_costs_nothing() -> None:
    obs = seen(synthetic.walker(TIME)[None], np.full((1, 120, 17), 0.8))
    assert claims(obs, COCO17) is None
    assert joined([None], [obs]) is None


def test_sets_without_limbs_say_nothing() -> None:
    obs = seen(pair(), np.full((2, 120, 17), 0.8))
    points = np.zeros((120, len(FACE68), 2), np.float32)
    one = path(points)
    assert not put_aside(one, None, FACE68)[1].any()
    assert claims(obs.take(np.zeros(0, np.int64)), COCO17) is None
