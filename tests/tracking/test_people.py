"""From parts to people: chunking, numbering, dropping, duplicates, errors."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.settings import TrackConfig
from pipeline.core.skeleton import BLAZEPOSE33, COCO17
from pipeline.core.types import Observations
from pipeline.tracking.identify import assign
from tests import synthetic

SIZE = synthetic.SIZE_PX


def _scene(seed: int = 0, **options: float) -> synthetic.Scene:
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 5.0, 25.0, jitter=0.2)
    walkers = [
        synthetic.walker(t, start_px=(200 + 500 * i, 900 - 30 * i), velocity_px_s=(60, 0), phase=0.3 * i)
        for i in range(3)
    ]
    return synthetic.observe(rng, t, np.array(walkers), **options)


def test_how_the_video_is_cut_does_not_matter() -> None:
    scene = _scene(miss_rate=0.1, clutter_per_frame=2.0)
    whole = assign([scene.observations], scene.time_s, SIZE, COCO17, TrackConfig())
    assert whole.dtype == np.int32
    for frames in (1, 7, 64):
        seen: list[int] = []
        parts = synthetic.split(scene.observations, frames)
        np.testing.assert_array_equal(
            assign(iter(parts), scene.time_s, SIZE, COCO17, TrackConfig(), seen.append), whole
        )
        assert seen == sorted(seen)
        assert seen[-1] == scene.observations.frame[-1] + 1


def test_people_are_numbered_by_first_appearance_without_holes() -> None:
    t = np.arange(100) / 25.0
    present = np.ones((3, 100), bool)
    present[0, :50], present[1, 30:] = False, False
    walkers = np.array([synthetic.walker(t, start_px=(300 + 500 * i, 900), velocity_px_s=(0, 0)) for i in range(3)])
    scene = synthetic.observe(np.random.default_rng(1), t, walkers, present=present)
    ids = assign([scene.observations], t, SIZE, COCO17, TrackConfig())
    assert sorted(set(ids.tolist())) == [1, 2, 3]
    assert set(ids[scene.truth_id == 0].tolist()) == {3}


def test_earlier_observations_of_a_person_confirmed_later_are_theirs() -> None:
    scene = _scene()
    ids = assign([scene.observations], scene.time_s, SIZE, COCO17, TrackConfig())
    assert set(ids[scene.observations.frame == 0].tolist()) == {1, 2, 3}


@pytest.mark.parametrize("fps", [5.0, 30.0, 120.0])
def test_short_and_doubtful_people_are_nobody(fps: float) -> None:
    t = np.arange(int(4 * fps)) / fps
    walkers = np.array([synthetic.walker(t, start_px=(300 + 600 * i, 900), velocity_px_s=(0, 0)) for i in range(3)])
    present = np.ones((3, len(t)), bool)
    present[1, t >= 0.25] = False
    scene = synthetic.observe(np.random.default_rng(2), t, walkers, present=present, shuffle=False)
    o = scene.observations
    score = o.score.copy()
    score[(scene.truth_id == 2) & (t[o.frame] > 0.15)] = 0.15
    ids = assign(
        [Observations(o.frame, o.box_px, score, o.keypoints_px, o.keypoint_score)], t, SIZE, COCO17, TrackConfig()
    )
    assert set(ids[scene.truth_id == 0].tolist()) == {1}
    assert set(ids[scene.truth_id > 0].tolist()) == {-1}


def test_one_person_seen_twice_is_one() -> None:
    scene = _scene()
    o = scene.observations
    twin = np.repeat(np.arange(len(o)), 1 + ((scene.truth_id == 0) & (o.frame >= 3)))
    second = np.append(False, twin[1:] == twin[:-1])
    o, truth = o.take(twin), scene.truth_id[twin]
    rng = np.random.default_rng(3)
    kp = o.keypoints_px + np.where(second, 3.0, 0.0)[:, None, None] * rng.standard_normal(o.keypoints_px.shape)
    kp = np.where(((o.frame == 3) & second)[:, None, None], kp + 60, kp)  # at first it looks like somebody else
    box = np.where(((o.frame == 3) & second)[:, None], o.box_px + 60, o.box_px)
    score = np.where(second, 0.65, o.score)
    twice = Observations(
        o.frame, box.astype(np.float32), score.astype(np.float32), kp.astype(np.float32), o.keypoint_score
    )
    ids = assign([twice], scene.time_s, SIZE, COCO17, TrackConfig())
    assert ids.max() == 3
    frames, count = np.unique(o.frame[(truth == 0) & (ids > 0)], return_counts=True)
    assert len(frames) == len(scene.time_s)
    assert count.max() == 1  # whichever of the two views, they are alike
    apart = assign([twice], scene.time_s, SIZE, COCO17, TrackConfig(duplicate_oks=1.0))
    assert apart.max() == 4


def test_very_short_videos_have_people_too() -> None:
    for frames in (1, 2, 5):
        t = np.arange(frames) / 30.0
        o = synthetic.observe(np.random.default_rng(4), t, synthetic.walker(t)[None]).observations
        assert set(assign([o], t, SIZE, COCO17, TrackConfig()).tolist()) == {1}


def test_nothing_seen_is_nobody() -> None:
    empty = Observations.empty(17, "coco17")
    assert len(assign([empty, empty], np.arange(9.0), SIZE, COCO17, TrackConfig())) == 0
    assert len(assign([], np.zeros(0), SIZE, COCO17, TrackConfig())) == 0


def test_a_pause_between_two_frames_is_no_absence() -> None:
    t = np.append(np.arange(50) / 25.0, 5.0 + np.arange(50) / 25.0)  # no frames for three seconds
    still = synthetic.walker(t, velocity_px_s=(0, 0), stride_hz=0.0)[None]
    o = synthetic.observe(np.random.default_rng(5), t, still).observations
    assert set(assign([o], t, SIZE, COCO17, TrackConfig()).tolist()) == {1}


def test_wrong_parts_are_errors() -> None:
    scene = _scene()
    a, b = synthetic.split(scene.observations, 100)
    with pytest.raises(ValueError, match="must rise"):
        assign([b, a], scene.time_s, SIZE, COCO17, TrackConfig())
    with pytest.raises(ValueError, match="the video has 100"):
        assign([a, b], scene.time_s[:100], SIZE, COCO17, TrackConfig())
    with pytest.raises(ValueError, match="skeleton coco17"):
        assign([a], scene.time_s, SIZE, BLAZEPOSE33, TrackConfig())
