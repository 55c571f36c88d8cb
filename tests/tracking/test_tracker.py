"""The fold on scenes with known truth, from 3 to 120 frames per second."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.settings import TrackConfig
from pipeline.core.skeleton import BLAZEPOSE33, COCO17
from pipeline.core.types import Observations
from pipeline.tracking.identify import assign
from pipeline.tracking.tracker import Tracker
from tests import synthetic

RATES = [3.0, 7.0, 15.0, 30.0, 60.0, 120.0]


def _track(scene: synthetic.Scene, config: TrackConfig | None = None) -> np.ndarray:
    return assign([scene.observations], scene.time_s, synthetic.SIZE_PX, COCO17, config or TrackConfig())


def _crowd(seed: int, fps: float, people: int, duration_s: float = 8.0, **options: float) -> synthetic.Scene:
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, duration_s, fps, jitter=0.3)
    walkers = []
    for i in range(people):
        way = 1 if i % 2 else -1
        walkers.append(
            synthetic.walker(
                t,
                height_px=rng.uniform(250, 450),
                start_px=(rng.uniform(100, 900) if way > 0 else rng.uniform(1000, 1800), 900 - 8 * i),
                velocity_px_s=(way * rng.uniform(60, 400), 0),
                phase=rng.uniform(),
            )
        )
    return synthetic.observe(rng, t, np.array(walkers), **options)


def _one_per_frame(ids: np.ndarray, observations: Observations) -> bool:
    pairs = np.stack([observations.frame, ids], -1)[ids > 0]
    return len(np.unique(pairs, axis=0)) == len(pairs)


@pytest.mark.parametrize("fps", RATES)
def test_two_people_who_cross_keep_their_ids(fps: float) -> None:
    rng = np.random.default_rng(0)
    t = synthetic.times(rng, 6.0, fps, jitter=0.2)
    right = synthetic.walker(t, start_px=(400, 900), velocity_px_s=(180, 0))
    left = synthetic.walker(t, start_px=(1500, 860), velocity_px_s=(-180, 0), height_px=380, phase=0.4)
    scene = synthetic.observe(rng, t, np.array([right, left]), clutter_per_frame=2.0)
    ids = _track(scene)
    assert ids.max() == 2
    assert synthetic.idf1(ids, scene.truth_id) > 0.97


@pytest.mark.parametrize("fps", RATES)
def test_a_crowd_with_misses_and_clutter(fps: float) -> None:
    scores = []
    for seed in range(2):
        scene = _crowd(100 + seed, fps, 5, miss_rate=0.05, clutter_per_frame=3.0)
        ids = _track(scene)
        assert _one_per_frame(ids, scene.observations)
        assert 5 <= ids.max() <= 8
        assert np.mean(scene.truth_id[ids > 0] < 0) < 0.01  # hardly any clutter in people
        scores.append(synthetic.idf1(ids, scene.truth_id))
    assert np.mean(scores) > (0.7 if fps < 7 else 0.85)


@pytest.mark.parametrize(("fps", "sudden"), [(7.0, False), (15.0, False), (30.0, True), (60.0, True)])
def test_turns_at_speed_keep_the_id(fps: float, sudden: bool) -> None:
    t = synthetic.times(np.random.default_rng(1), 8.0, fps)
    still = synthetic.walker(t, start_px=(900, 900), velocity_px_s=(0, 0))
    swing = np.sin(2 * np.pi * 0.25 * t)  # up to 2.5 body lengths / s, 4.4 m/s, one way and then the other
    zigzag = 1000 * np.arcsin(swing) / (np.pi / 2) if sudden else 640 * swing
    truth = still + np.stack([zigzag, 0 * t], -1)[:, None]
    ids = _track(synthetic.observe(np.random.default_rng(2), t, truth[None]))
    assert ids.min() == ids.max() == 1


@pytest.mark.parametrize(("gap_s", "people"), [(0.8, 1), (1.6, 2)])
@pytest.mark.parametrize("fps", [5.0, 30.0, 120.0])
def test_lost_people_are_kept_for_max_gap_s(fps: float, gap_s: float, people: int) -> None:
    t = synthetic.times(np.random.default_rng(3), 6.0, fps)
    truth = synthetic.walker(t, velocity_px_s=(200, 0))[None]
    present = ((t < 2.5) | (t > 2.5 + gap_s))[None]
    scene = synthetic.observe(np.random.default_rng(4), t, truth, present=present)
    ids = _track(scene, TrackConfig(relink=False))
    assert ids.max() == people
    assert ids.min() == 1
    assert set(_track(scene).tolist()) == {1}  # with the whole file at hand


def test_feet_leaving_the_picture_do_not_change_the_id() -> None:
    t = synthetic.times(np.random.default_rng(5), 4.0, 30.0)
    scene = synthetic.observe(np.random.default_rng(6), t, synthetic.walker(t)[None])
    o = scene.observations
    half = (o.frame > 40) & (o.frame < 80)
    box, seen = o.box_px.copy(), o.keypoint_score.copy()
    box[half, 3] = o.keypoints_px[half, 11, 1]  # cut off at the hips from one frame to the next
    seen[np.ix_(half, range(13, 17))] = 0.05
    cut = Observations(o.frame, box, o.score, o.keypoints_px, seen)
    assert set(assign([cut], t, synthetic.SIZE_PX, COCO17, TrackConfig()).tolist()) == {1}


def test_low_scores_continue_people_and_never_start_them() -> None:
    t = synthetic.times(np.random.default_rng(7), 4.0, 30.0)
    o = synthetic.observe(np.random.default_rng(8), t, synthetic.walker(t)[None]).observations
    weak = (o.frame > 30) & (o.frame < 90)  # two seconds, longer than max_gap_s
    score = np.where(weak, 0.5, o.score).astype(np.float32)
    faint = Observations(o.frame, o.box_px, score, o.keypoints_px, o.keypoint_score)
    assert set(assign([faint], t, synthetic.SIZE_PX, COCO17, TrackConfig()).tolist()) == {1}
    never = Observations(o.frame, o.box_px, np.full_like(score, 0.56), o.keypoints_px, o.keypoint_score)
    assert set(assign([never], t, synthetic.SIZE_PX, COCO17, TrackConfig()).tolist()) == {-1}


def test_the_first_low_scores_of_a_person_are_the_persons() -> None:
    t = synthetic.times(np.random.default_rng(7), 4.0, 30.0)
    o = synthetic.observe(np.random.default_rng(8), t, synthetic.walker(t)[None]).observations
    score = np.where(o.frame < 60, 0.55, o.score).astype(np.float32)
    faint = Observations(o.frame, o.box_px, score, o.keypoints_px, o.keypoint_score)
    assert set(assign([faint], t, synthetic.SIZE_PX, COCO17, TrackConfig()).tolist()) == {1}
    # Two high scores confirm nobody, whatever low ones are beside them.
    score = np.where(np.isin(o.frame, (60, 70)), 0.7, 0.55).astype(np.float32)
    faint = Observations(o.frame, o.box_px, score, o.keypoints_px, o.keypoint_score)
    assert set(assign([faint], t, synthetic.SIZE_PX, COCO17, TrackConfig()).tolist()) == {-1}


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_order_within_a_frame_does_not_matter(seed: int) -> None:
    scene = _crowd(seed, 10.0, 4, duration_s=3.0, miss_rate=0.1, clutter_per_frame=2.0)
    ids, o = _track(scene), scene.observations
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.uniform(size=len(o)), o.frame))
    shuffled = assign([o.take(order)], scene.time_s, synthetic.SIZE_PX, COCO17, TrackConfig())
    pairs = np.unique(np.stack([ids[order], shuffled], -1), axis=0)  # the same people, perhaps numbered otherwise
    assert len(pairs) == len(np.unique(ids)) == len(np.unique(shuffled))
    assert _one_per_frame(ids, o)


def test_update_reports_tracklets_and_wants_rising_frames() -> None:
    tracker = Tracker(TrackConfig(confirm_hits=2), BLAZEPOSE33, (640, 480))
    box, score = np.array([[100.0, 100, 200, 350]]), np.array([0.7])
    kp, seen = np.random.default_rng(9).uniform(100, 200, (1, 33, 2)), np.ones((1, 33))
    assert tracker.update(0, 0.0, box, score, kp, seen).tolist() == [1]
    assert len(tracker.tracklets().id) == 0
    assert tracker.update(1, 0.1, box, score, kp, seen).tolist() == [1]
    assert tracker.update(2, 0.2, box[:0], score[:0], kp[:0], seen[:0]).tolist() == []
    summary = tracker.tracklets()
    assert (summary.id.tolist(), summary.hits.tolist(), summary.last_s.tolist()) == ([1], [2], [0.1])
    with pytest.raises(ValueError, match="frames must rise"):
        tracker.update(2, 0.3, box, score, kp, seen)
    tracker.reset()
    assert tracker.update(0, 0.0, box, score, kp, seen).tolist() == [1]


def test_state_is_bounded_by_the_people_present() -> None:
    tracker = Tracker(TrackConfig(), COCO17, (640, 480))
    rng = np.random.default_rng(10)
    for frame in range(400):  # somebody new somewhere else in every frame
        corner = rng.uniform(0, 5000, 2)
        kp = corner + rng.uniform(0, 100, (1, 17, 2))
        box = np.concatenate([corner, corner + 100])[None]
        tracker.update(frame, frame / 30, box, np.array([0.65]), kp, np.ones((1, 17)))
    assert len(tracker._tracks) < 15
    assert not tracker._ended
