"""One person, one id: scenes with known truth, each a way in which trackers lose people."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.settings import TrackConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import Observations
from pipeline.tracking.assemble import Assembled
from pipeline.tracking.identify import identify, not_done
from tests import synthetic

SIZE = synthetic.SIZE_PX


def _who(scene: synthetic.Scene, camera: np.ndarray | None = None, **settings: object) -> Assembled:
    config = TrackConfig().model_copy(update=settings)
    return identify([scene.observations], scene.time_s, SIZE, COCO17, config, camera=camera)


@pytest.mark.parametrize("dressed", [True, False])
@pytest.mark.parametrize("fps", [7.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
def test_who_cross_stay_who_they_are(seed: int, fps: float, dressed: bool) -> None:
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 6.0, fps, jitter=0.2)
    right = synthetic.walker(t, start_px=(400, 900), velocity_px_s=(180, 0))
    left = synthetic.walker(t, start_px=(1500, 870), velocity_px_s=(-180, 0), height_px=390, phase=0.4)
    looks = synthetic.clothes(rng, 2) if dressed else None
    scene = synthetic.observe(rng, t, np.array([right, left]), looks=looks)
    ids = _who(scene).person
    assert synthetic.switches(ids, scene.truth_id) == 0
    assert ids.max() == 2


@pytest.mark.parametrize("dressed", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_two_seconds_behind_something(seed: int, dressed: bool) -> None:
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 9.0, 25.0)
    walkers = [synthetic.walker(t, start_px=(300 + 200 * i, 700 + 150 * i), velocity_px_s=(120, 0)) for i in range(3)]
    present = np.ones((3, len(t)), bool)
    present[1, (t > 3) & (t < 5)] = False
    looks = synthetic.clothes(rng, 3) if dressed else None
    scene = synthetic.observe(rng, t, np.array(walkers), present=present, looks=looks)
    ids = _who(scene).person
    assert synthetic.switches(ids, scene.truth_id) == 0
    assert ids.max() == 3


@pytest.mark.parametrize("seed", range(4))
def test_who_comes_back_after_ten_seconds_in_the_same_clothes_is_known(seed: int) -> None:
    scene = synthetic.leaving(np.random.default_rng(seed), same_clothes=True)
    ids = _who(scene).person
    assert ids.max() == 5
    back = set(ids[(scene.truth_id == 5) & (ids > 0)].tolist())
    assert back == set(ids[(scene.truth_id == 4) & (ids > 0)].tolist())


@pytest.mark.parametrize("seed", range(4))
def test_who_comes_in_in_other_clothes_is_somebody_else(seed: int) -> None:
    scene = synthetic.leaving(np.random.default_rng(seed), same_clothes=False)
    ids = _who(scene).person
    assert ids.max() == 6
    five = _who(scene, people=5)  # nothing shows who of the six that is
    assert (five.person == _who(scene).person).all()
    (line,) = not_done(5, range(1, 7), five.surplus)
    assert line.startswith("--people 5: 6 people are left (1, 2, 3, 4, 5, 6)")


def test_who_is_seen_beside_as_many_clearer_people_is_left_out_and_told() -> None:
    scene = synthetic.leaving(np.random.default_rng(0), same_clothes=False)
    four = _who(scene, people=4)
    assert four.person.max() == 4
    assert [each.frames for each in four.surplus] == [72, 75]
    (line,) = not_done(4, [1, 2, 3, 4], four.at(lambda at_s: at_s + 100).surplus)
    assert line.startswith("--people 4 left out who is seen beside 4 clearer people: 100.20 to 104.93 s (72 frames)")
    assert _who(scene, people=6).surplus == []
    assert not_done(7, range(1, 7), []) == ["--people 7: no more than 6 people were found"]
    assert not_done(None, range(1, 7), []) == []


@pytest.mark.parametrize("seed", range(4))
def test_who_walks_out_and_comes_in_again_by_the_same_door_after_ten_seconds(seed: int) -> None:
    """Out on the right at 4 s and in again at 14 s, in the same clothes and in others."""
    for same in (True, False):
        rng = np.random.default_rng(seed)
        t = synthetic.times(rng, 20.0, 15.0)
        walkers = [synthetic.walker(t, start_px=(300 + 300 * i, 900), velocity_px_s=(5, 0)) for i in range(3)]
        out = synthetic.walker(t, start_px=(1450, 700), velocity_px_s=(110, 0), height_px=300)
        back = synthetic.walker(t, start_px=(1920 + 14 * 110, 720), velocity_px_s=(-110, 0), height_px=300)
        present = np.ones((5, len(t)), bool)
        present[3, out.max(1)[:, 0] > 1920], present[4, back.max(1)[:, 0] > 1920] = False, False
        looks = synthetic.clothes(rng, 5)
        looks[4] = looks[3] if same else looks[4]
        scene = synthetic.observe(rng, t, np.array([*walkers, out, back]), present=present, looks=looks)
        assert _who(scene).person.max() == (4 if same else 5)


def test_those_seen_at_once_are_never_one_person_however_alike() -> None:
    rng = np.random.default_rng(0)
    t = synthetic.times(rng, 6.0, 25.0)
    walkers = [synthetic.walker(t, start_px=(300 + 600 * i, 900), velocity_px_s=(20, 0)) for i in range(3)]
    present = np.ones((3, len(t)), bool)
    present[0, t > 3.2], present[2, t < 3.0] = False, False
    looks = np.tile(synthetic.clothes(rng, 1), (3, 1))
    scene = synthetic.observe(rng, t, np.array(walkers), present=present, looks=looks)
    ids = _who(scene, people=1).person
    frames = scene.observations.frame[ids == 1]
    assert len(np.unique(frames)) == len(frames)


@pytest.mark.parametrize("fps", [15.0, 30.0])
def test_a_pan_of_twenty_pixels_a_frame(fps: float) -> None:
    rng = np.random.default_rng(1)
    t = synthetic.times(rng, 4.0, fps)
    walkers = [
        synthetic.walker(t, start_px=(250 + 160 * i, 850 + 20 * i), velocity_px_s=(20 * (-1) ** i, 0), height_px=260)
        for i in range(5)
    ]
    seen, camera = synthetic.panned(np.array(walkers), 20.0, 40)
    scene = synthetic.observe(rng, t, seen)
    ids = _who(scene, camera).person
    assert synthetic.switches(ids, scene.truth_id) == 0
    assert ids.max() == 5


def test_fifty_people_in_a_crowd() -> None:
    """Most of them are hidden behind others at some time, so that some switches cannot be helped: at most 10 in 8 s."""
    rng = np.random.default_rng(2)
    t = synthetic.times(rng, 8.0, 15.0)
    scene = synthetic.observe(rng, t, synthetic.passers(rng, t, 50), looks=synthetic.clothes(rng, 50), miss_rate=0.02)
    ids = _who(scene).person
    assert synthetic.switches(ids, scene.truth_id) <= 10
    assert 45 <= ids.max() <= 56
    assert synthetic.idf1(ids, scene.truth_id) > 0.9


@pytest.mark.parametrize("seed", range(2))
def test_one_detection_in_three_is_missed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 8.0, 25.0)
    scene = synthetic.observe(
        rng,
        t,
        synthetic.passers(rng, t, 6),
        miss_rate=1 / 3,
        miss_s=0.1,
        looks=synthetic.clothes(rng, 6),
        clutter_per_frame=1.0,
    )
    ids = _who(scene).person
    assert synthetic.switches(ids, scene.truth_id) == 0
    assert ids.max() == 6


@pytest.mark.parametrize("seed", range(2))
def test_lost_frames(seed: int) -> None:
    """A quarter of the frames is lost, and three times half a second at once."""
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, 8.0, 30.0)
    kept = rng.uniform(size=len(t)) > 0.25
    for start in (2.0, 4.0, 6.0):
        kept &= (t < start) | (t > start + 0.5)
    scene = synthetic.observe(rng, t[kept], synthetic.passers(rng, t, 5)[:, kept], looks=synthetic.clothes(rng, 5))
    ids = _who(scene).person
    assert synthetic.switches(ids, scene.truth_id) == 0
    assert ids.max() == 5


def test_an_exchange_that_the_fold_did_not_see_is_undone_by_clothes() -> None:
    """Two meet, stand in one place unseen for a second, and part: motion alone cannot tell who is who."""
    rng = np.random.default_rng(3)
    t = synthetic.times(rng, 10.0, 25.0)
    away = np.abs(t - 5.0) * 100
    a = synthetic.walker(t, start_px=(900, 900), velocity_px_s=(0, 0)) - np.stack([away, 0 * t], -1)[:, None]
    b = synthetic.walker(t, start_px=(900, 890), velocity_px_s=(0, 0)) + np.stack([away, 0 * t], -1)[:, None]
    crossed_a, crossed_b = np.where((t < 5)[:, None, None], a, b), np.where((t < 5)[:, None, None], b, a)
    present = np.tile((t < 4.4) | (t > 5.6), (2, 1))
    looks = synthetic.clothes(rng, 2)
    for truth in ([a, b], [crossed_a, crossed_b]):
        scene = synthetic.observe(rng, t, np.array(truth), present=present, looks=looks)
        result = _who(scene)
        assert synthetic.switches(result.person, scene.truth_id) == 0
        assert result.person.max() == 2


def test_what_is_doubtful_is_said() -> None:
    scene = synthetic.leaving(np.random.default_rng(0), same_clothes=True)
    result = _who(scene)
    person = int(result.person[scene.truth_id == 5][0])
    assert any(who == person and 14.5 < at < 16 and "same person" in what for at, who, what, _ in result.moments) or (
        not result.moments
    )


def test_without_any_appearance_nothing_fails() -> None:
    scene = synthetic.leaving(np.random.default_rng(1), same_clothes=True)
    o = scene.observations
    bare = Observations(o.frame, o.box_px, o.score, o.keypoints_px, o.keypoint_score)
    ids = identify([bare], scene.time_s, SIZE, COCO17, TrackConfig()).person
    assert 5 <= ids.max() <= 6
