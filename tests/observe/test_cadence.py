"""How often people are looked for, and where they are in between: with networks that know the truth, and real ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.config import Config
from pipeline.core.similarity import iou
from pipeline.core.types import Frames, Observations
from pipeline.models.detections import Poses
from pipeline.observe.cadence import LEAST_POINTS, SEEN, PeopleSearch, moved
from pipeline.observe.process import Chunk, plan_chunks, process_chunk
from tests import laboratory, stand_ins, synthetic
from tests.stand_ins import assert_same_bits, frames, walkers


def every(seconds: float, **pose: float) -> Config:
    return Config.model_validate({"observe": {"detect_every_s": seconds, "detect_apart_s": 0}, "pose": pose})


def looked(models, config: Config, parts: list[Frames]) -> Observations:
    """What one search sees in batches."""
    search = PeopleSearch(models, config)
    return Observations.concat([search.look(p.image, p.index, p.time_s) for p in parts])


def detected(time_s: np.ndarray, seconds: float) -> np.ndarray:
    """The frames in which the detector is asked."""
    models = stand_ins.models(lambda frame: np.zeros((0, 17, 2)))
    looked(models, every(seconds), frames(range(len(time_s)), time_s, batch=5))
    return np.array(models.detector.asked)


# --- when ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start_s", [0.0, 100.0, 12345.6])
@pytest.mark.parametrize(
    ("fps", "seconds", "step"),
    [
        (25, 0.04, 1), (30, 0.04, 1), (60, 0.04, 2), (120, 0.04, 5), (7, 0.04, 1),
        (25, 0.3, 7), (30, 0.3, 9), (30000 / 1001, 0.3, 9), (60, 0.3, 18), (7, 0.3, 2), (2, 0.3, 1),
        (25, 0.0, 1), (240, 0.0, 1),
    ],
)  # fmt: skip
def test_the_detector_looks_so_often(fps, seconds, step, start_s):
    """Every so many frames, the nearest to the seconds; of two as near, the earlier, however clocks round."""
    n = 3 * step + 2
    assert detected(start_s + np.arange(n) / fps, seconds).tolist() == list(range(0, n, step))


@given(st.lists(st.floats(0.001, 0.5), min_size=1, max_size=30), st.floats(0.01, 1.0))
@settings(max_examples=60, deadline=None)
def test_frames_at_uneven_times_are_detected_about_as_often(steps, seconds):
    time_s = np.cumsum([0.0, *steps])
    asked = detected(time_s, seconds)
    assert asked[0] == 0
    for a, b in zip(asked, [*asked[1:], len(time_s)], strict=True):
        last = time_s[b - 1] - time_s[a]
        assert last <= seconds  # no frame without detection is later
        if b < len(time_s):
            own = (time_s[b] - time_s[b - 1]) / 2
            assert time_s[b] - time_s[a] >= seconds - own - 1e-9


def test_every_frame_is_given_to_the_detector_in_whole_batches():
    models = stand_ins.models()
    looked(models, every(0.0), frames(range(12), batch=4))
    assert models.detector.calls == 3
    assert models.detector.asked == list(range(12))
    models = stand_ins.models()
    looked(models, every(0.1), frames(range(12), batch=12))
    assert models.detector.calls == 3  # and so are those that are due, block by block
    assert models.detector.asked == [0, 3, 6, 9]


def test_a_network_that_finds_people_and_poses_together_looks_at_every_frame():
    one_stage = stand_ins.models()._replace(pose=None)
    looked(one_stage, every(0.3), frames(range(12), batch=4))
    assert one_stage.detector.asked == list(range(12))
    assert one_stage.detector.calls == 3


def test_after_a_cut_people_are_looked_for():
    models = stand_ins.models()
    search = PeopleSearch(models, every(0.3))
    for part in frames(range(6), batch=2):
        search.look(part.image, part.index, part.time_s)
        if part.index[0] == 2:
            search.forget()
    assert models.detector.asked == [0, 4]


@given(st.integers(0, 300), st.integers(1, 30), st.sampled_from([0.0, 0.04, 0.1, 0.3]), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_a_chunk_does_not_depend_on_its_batches(start, length, seconds, batch):
    chunk = Chunk(0, start, start + length)
    truth = lambda frame: walkers(frame - start)[: frame // 3 % 3]  # noqa: E731  # nobody, one, both
    models = stand_ins.models(truth)
    one = process_chunk(frames(range(start, chunk.stop), batch=length), chunk, models, every(seconds))
    other = process_chunk(frames(range(start, chunk.stop), batch=batch), chunk, stand_ins.models(truth), every(seconds))
    assert_same_bits(one, other)
    assert models.detector.asked[0] == start


def test_a_chunk_does_not_know_its_neighbours():
    """Its first frame is detected, whoever looked at the chunk before."""
    chunks, config = plan_chunks((3, 33), 8), every(0.3)
    models = stand_ins.models()
    in_sequence = [process_chunk(frames(range(c.start, c.stop)), c, models, config) for c in chunks]
    assert models.detector.asked == [3, 11, 19, 27]
    for chunk, part in zip(reversed(chunks), reversed(in_sequence), strict=True):
        alone = process_chunk(frames(range(chunk.start, chunk.stop), batch=5), chunk, stand_ins.models(), config)
        assert_same_bits(part, alone)


# --- where -----------------------------------------------------------------------------------------------------------


def test_boxes_go_with_the_people():
    """Who walk, bob and come nearer: between detections as where they are detected, but for margins that grow late."""
    models = stand_ins.models()
    found = looked(models, every(0.3), frames(range(20)))
    assert models.detector.asked == [0, 9, 18]
    assert found.frame.tolist() == np.repeat(np.arange(20), 2).tolist()
    for frame in range(20):
        truth, here = walkers(frame), found.take(found.frame == frame)
        np.testing.assert_allclose(here.keypoints_px, truth, atol=1e-3)
        np.testing.assert_allclose(here.box_px[0], synthetic.boxes(truth)[0], atol=1e-3)
        np.testing.assert_allclose(here.box_px[1], synthetic.boxes(truth)[1], atol=0.06 * 0.09 * 200)
    np.testing.assert_allclose(found.score, np.sqrt(0.8 * 0.9), rtol=1e-6)


def test_a_person_between_detections_is_as_sure_as_the_pose():
    found = looked(stand_ins.models(scores=lambda frame, who: 0.9 - 0.05 * frame), every(0.3), frames(range(8)))
    wanted = np.sqrt(0.9 * (0.9 - 0.05 * np.arange(8)))
    np.testing.assert_allclose(found.score[0::2], wanted, rtol=1e-5)


def test_who_leaves_the_picture_ends_and_who_comes_is_found_at_the_next_detection():
    def truth(frame):
        leaving = stand_ins.FIGURE + np.array([560 + 25 * frame, 300])
        coming = stand_ins.FIGURE + np.array([200, 300])
        return np.stack([leaving, coming] if frame >= 3 else [leaving])

    found = looked(stand_ins.models(truth), every(0.3), frames(range(12)))
    width = np.ptp(synthetic.boxes(stand_ins.FIGURE)[0::2])
    for frame in range(9):
        here = found.take(found.frame == frame)
        left = synthetic.boxes(truth(frame))[0, 0]
        assert len(here) == (left < 639), frame
        if len(here):
            assert here.box_px[0, 2] <= 640
            assert here.box_px[0, 2] - here.box_px[0, 0] <= width + 1e-3
    assert not (found.frame == 8).any()
    later = found.take(found.frame >= 9)
    assert set(later.frame.tolist()) == {9, 10, 11}
    np.testing.assert_allclose(later.box_px[:, 0], synthetic.boxes(truth(9)[1])[0], atol=1e-3)


def test_who_is_not_seen_any_more_ends_until_the_next_detection():
    scores = lambda frame, who: 0.0 if who == 0 and 3 <= frame < 6 else 0.8  # noqa: E731
    found = looked(stand_ins.models(scores=scores), every(0.3), frames(range(12)))
    count = np.bincount(found.frame)
    assert count.tolist() == [2] * 3 + [1] * 6 + [2] * 3


def test_two_boxes_on_one_person_become_one():
    """Who passes behind another is posed as the other, whose box then holds both."""

    def truth(frame):
        return walkers(0)[[0]] if frame >= 2 else np.stack([walkers(0)[0], walkers(0)[0] + 70])

    found = looked(stand_ins.models(truth), every(1.0), frames(range(5)))
    assert np.bincount(found.frame).tolist() == [2, 2, 1, 1, 1]


def test_nobody_stays_nobody_until_the_next_detection():
    truth = lambda frame: walkers(frame)[: 2 * (frame > 2)]  # noqa: E731
    found = looked(stand_ins.models(truth), every(0.3), frames(range(12)))
    assert np.bincount(found.frame, minlength=12).tolist() == [0] * 9 + [2] * 3


def pose_at(points: np.ndarray, score: np.ndarray | float = 0.9) -> Poses:
    points = np.asarray(points, np.float32)
    return Poses(points, np.broadcast_to(np.float32(score), points.shape[:2]))


def test_edges_go_as_far_as_the_outermost_points_on_their_sides():
    box = np.array([[0, 0, 100, 200]], np.float32)
    then = pose_at([[(10, 10), (90, 20), (50, 100), (20, 190), (80, 180)]])
    now = pose_at([[(15, 10), (90, 12), (50, 130), (25, 190), (70, 199)]])
    np.testing.assert_allclose(moved(box, then, now, box + 7), [[5, 0, 100, 209]])


@pytest.mark.parametrize("lost", ["then", "now"])
def test_points_count_where_they_are_seen_both_times(lost):
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (1, 6, 2))
    points[0, 5] = -500
    scores = {"then": np.full((1, 6), 0.9), "now": np.full((1, 6), 0.9)}
    scores[lost][0, 5] = SEEN - 0.01
    box = np.array([[0, 0, 100, 100]], np.float32)
    step = points + np.array([4, -3])
    step[0, 5] = 900
    out = moved(box, pose_at(points, scores["then"]), pose_at(step, scores["now"]), box)
    np.testing.assert_allclose(out, [[4, -3, 104, 97]], atol=1e-4)


def test_with_too_few_points_a_box_stays():
    box, last = np.array([[0, 0, 9, 9]] * 2, np.float32), np.array([[1, 2, 3, 4]] * 2, np.float32)
    points = np.random.default_rng(1).uniform(0, 9, (2, 8, 2))
    seen = np.zeros((2, 8))
    seen[0, :LEAST_POINTS], seen[1, : LEAST_POINTS - 1] = 0.9, 0.9
    out = moved(box, pose_at(points, seen), pose_at(points + 2, seen), last)
    np.testing.assert_allclose(out, [[2, 2, 11, 11], [1, 2, 3, 4]], atol=1e-5)
    assert out.dtype == np.float32


# --- the real networks -----------------------------------------------------------------------------------------------

RANGE = (10, 19)  # of 60 frames a second: two detections at .1 s


@pytest.fixture(scope="module")
def clip_frames() -> Frames:
    index = np.arange(*RANGE)
    return Frames(index=index, time_s=laboratory.clip().time_s[index], image=laboratory.half_size(*index.tolist()))


def clip_observations(whole: Frames, seconds: float, batch: int) -> Observations:
    parts = [slice(i, i + batch) for i in range(0, len(whole.index), batch)]
    cut = [Frames(index=whole.index[p], time_s=whole.time_s[p], image=whole.image[p]) for p in parts]
    config = laboratory.config().model_copy(update={"observe": every(seconds).observe})
    return process_chunk(cut, Chunk(0, *RANGE), laboratory.models(), config)


def test_the_clips_people_are_carried_where_they_are_detected(clip_frames):
    always, seldom = (clip_observations(clip_frames, seconds, 4) for seconds in (0.0, 0.1))
    for frame in range(*RANGE):
        a, b = (o.take(o.frame == frame) for o in (always, seldom))
        overlap = iou(a.box_px, b.box_px)
        match = overlap.argmax(1)
        assert sorted(match.tolist()) == [0, 1, 2]
        assert overlap.max(1).min() > (0.999 if frame in (10, 16) else 0.8)
        away = np.linalg.norm(a.keypoints_px - b.keypoints_px[match], axis=2)
        assert np.median(away) < 1
    assert not np.array_equal(always.box_px, seldom.box_px)


def test_the_clips_people_are_the_same_in_batches_of_any_size(clip_frames):
    for seconds in (0.0, 0.1):
        one = clip_observations(clip_frames, seconds, 9)
        for batch in (1, 4):
            assert_same_bits(one, clip_observations(clip_frames, seconds, batch))
