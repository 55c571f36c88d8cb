"""observe: the chunk plan, detection on every Nth frame, and observations out of detections, mostly with stand-ins."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.errors import PoselineError
from pipeline.models.base import People, Poses
from pipeline.models.registry import Models
from pipeline.observe import (
    Chunk,
    as_coco,
    between,
    frame_range,
    plan_chunks,
    pose_people,
    process_chunk,
    second_opinion,
)
from pipeline.skeleton import BLAZEPOSE33, COCO17, Skeleton
from pipeline.types import Frames, Observations, VideoInfo
from tests import synthetic, treadmill

# --- stand-ins for networks ------------------------------------------------------------------------------------------


def frames(start: int, stop: int, batch: int) -> list[Frames]:
    """Tiny pictures whose pixels hold their frame's number, in batches."""
    out = []
    for low in range(start, stop, batch):
        index = np.arange(low, min(low + batch, stop))
        image = np.broadcast_to(index[:, None, None, None], (len(index), 4, 4, 3)).astype(np.uint8)
        out.append(Frames(index=index, time_s=index / 30, image=image))
    return out


class Detector:
    """Sees one person in each picture, who moves by 10 px a frame up to frame 40, then back; notes the frames."""

    sessions: list = []  # noqa: RUF012
    skeleton = COCO17

    def __init__(self):
        self.asked: list[int] = []

    @staticmethod
    def box(frame):
        x = 10.0 * np.minimum(frame, 80 - frame)
        return np.stack([x, x + 50, x + 100, x + 250], -1)

    def detect(self, images: np.ndarray) -> People:
        frame = images[:, 0, 0, 0].astype(int)
        self.asked += frame.tolist()
        people = People.from_boxes(np.arange(len(images)), self.box(frame), np.full(len(images), 0.9))
        points = people.box_px[:, None, :2] + np.linspace(0, 1, 17)[:, None] * (100, 200)
        return replace(people, keypoints_px=points.astype(np.float32), keypoint_score=np.full_like(points[..., 0], 0.7))


class Pose:
    """Puts the keypoints on the box's diagonal."""

    sessions: list = []  # noqa: RUF012
    skeleton = COCO17

    def estimate(self, images: np.ndarray, people: People):
        assert (people.image < len(images)).all()
        low, size = people.box_px[:, None, :2], (people.box_px[:, 2:] - people.box_px[:, :2])[:, None]
        points = low + np.linspace(0, 1, 17)[:, None] * size
        return Poses(points.astype(np.float32), np.full((len(people), 17), 0.8, np.float32))


def stand_ins() -> Models:
    return Models(Detector(), Pose(), COCO17, False)


def settings_of(**observe: int) -> Config:
    return Config.model_validate({"observe": observe})


def assert_same_bits(a: Observations, b: Observations) -> None:
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        assert (x.tobytes() == y.tobytes()) if isinstance(x, np.ndarray) else x == y, f.name


# --- the chunk plan --------------------------------------------------------------------------------------------------


@given(st.integers(0, 5000), st.integers(0, 3000), st.integers(1, 700))
@settings(deadline=None, derandomize=True)
def test_chunks_cover_the_range_in_order(first, length, size):
    chunks = plan_chunks((first, first + length), size)
    assert [c.number for c in chunks] == list(range(len(chunks)))
    assert [f for c in chunks for f in range(c.start, c.stop)] == list(range(first, first + length))
    assert all(c.stop - c.start == size for c in chunks[:-1])
    assert all(1 <= c.stop - c.start <= size for c in chunks)


def video(time_s: np.ndarray) -> VideoInfo:
    pts = (time_s * 90000).round().astype(np.int64)
    return VideoInfo(
        path=Path("walk.mp4"),
        size_px=(64, 48),
        rotation_deg=0,
        time_base=Fraction(1, 90000),
        fps=Fraction(25),
        pts=pts,
        time_s=time_s.astype(np.float64),
        is_key=np.ones(len(pts), bool),
        has_audio=False,
        digest="",
    )


@pytest.mark.parametrize("offset_s", [0.0, 1000.0, -3.0])
def test_start_and_end_count_from_the_first_frame(offset_s):
    info = video(offset_s + np.array([0, 0.25, 0.5, 1.0, 2.0, 4.0]))
    assert frame_range(info, None, None) == (0, 6)
    assert frame_range(info, 0.5, None) == (2, 6)
    assert frame_range(info, 0.6, 2.0) == (3, 4)  # up to and without the end
    assert frame_range(info, None, 0.01) == (0, 1)
    assert frame_range(info, 3.0, 99.0) == (5, 6)
    assert frame_range(info, -5.0, None) == (0, 6)


@pytest.mark.parametrize(("start_s", "end_s"), [(5.0, None), (1.0, 1.0), (2.0, 1.0), (None, 0.0), (2.5, 3.5)])
def test_a_range_without_a_frame_is_an_error(start_s, end_s):
    info = video(100 + np.array([0, 1.0, 2.0, 4.0]))
    with pytest.raises(PoselineError, match=r"walk\.mp4: no frame for --start .* between 0 and 4\.000 s") as error:
        frame_range(info, start_s, end_s)
    assert "\n" not in str(error.value)
    assert end_s is None or f"--end {end_s:g}" in str(error.value)


# --- between two detections ------------------------------------------------------------------------------------------


def people_at(*x: float, score=0.8, posed=True) -> People:
    """People of 100 × 200 px whose boxes begin at x."""
    box = np.array([(a, 0, a + 100, 200) for a in x], np.float32).reshape(-1, 4)
    people = People.from_boxes(np.zeros(len(x)), box, np.full(len(x), score))
    points = box[:, None, :2] + np.linspace(0, 1, 17)[:, None] * (100, 200)
    known = np.full((len(x), 17), 0.7 if posed else 0.0, np.float32)
    return replace(people, keypoints_px=points.astype(np.float32), keypoint_score=known)


@pytest.mark.parametrize("t", [0.25, 0.5, 0.9])
def test_paired_people_are_interpolated(t):
    a, b = people_at(0, 500, score=0.4), people_at(540, 20, score=0.8)  # in another order
    out = between(a, b, t)
    assert len(out) == 2
    np.testing.assert_allclose(np.sort(out.box_px[:, 0]), [20 * t, 500 + 40 * t], rtol=1e-5)
    np.testing.assert_allclose(out.score, 0.4 + 0.4 * t, rtol=1e-5)
    np.testing.assert_allclose(out.keypoints_px[:, 0, 0], out.box_px[:, 0], rtol=1e-5)
    np.testing.assert_allclose(out.keypoint_score, 0.7)
    assert out.box_px.dtype == out.score.dtype == out.keypoints_px.dtype == np.float32


def test_the_ends_are_the_detections():
    a, b = people_at(0, 500), people_at(20, 540)
    np.testing.assert_array_equal(between(a, b, 0.0).box_px, a.box_px)
    np.testing.assert_array_equal(between(a, b, 1.0).box_px, b.box_px)


def test_people_of_one_side_are_there_in_the_nearer_half():
    a, b = people_at(0, 900), people_at(10, 400)
    assert sorted(between(a, b, 0.4).box_px[:, 0].round().tolist()) == [4, 900]
    assert sorted(between(a, b, 0.6).box_px[:, 0].round().tolist()) == [6, 400]
    nobody = People.empty()
    assert len(between(nobody, b, 0.4)) == len(between(a, nobody, 0.6)) == 0
    assert len(between(nobody, b, 0.6)) == len(between(a, nobody, 0.4)) == 2
    assert len(between(nobody, nobody, 0.5)) == 0


def test_a_pose_known_on_one_side_only_is_not_known_between():
    out = between(people_at(0), people_at(10, posed=False), 0.5)
    assert (out.keypoint_score == 0).all()


# --- a chunk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "stop", "every"), [(0, 10, 1), (5, 15, 3), (5, 14, 4), (7, 8, 3), (0, 3, 10)])
def test_every_nth_frame_of_a_chunk_and_its_last_are_detected(start, stop, every):
    models = stand_ins()
    out = process_chunk(frames(start, stop, 4), Chunk(0, start, stop), models, settings_of(detect_every=every))
    assert sorted(models.detector.asked) == sorted({*range(start, stop, every), stop - 1})
    assert out.frame.tolist() == list(range(start, stop))


@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 6), st.integers(1, 12), st.integers(1, 5))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_chunk_does_not_depend_on_its_batches(start, length, every, batch, batch_frames):
    chunk = Chunk(0, start, start + length)
    config = Config.model_validate({"observe": {"detect_every": every}, "runtime": {"batch_frames": batch_frames}})
    one = process_chunk(frames(start, chunk.stop, length), chunk, stand_ins(), settings_of(detect_every=every))
    other = process_chunk(frames(start, chunk.stop, batch), chunk, stand_ins(), config)
    assert_same_bits(one, other)
    truth = Detector.box(one.frame)
    detected = ((one.frame - start) % every == 0) | (one.frame == chunk.stop - 1)
    np.testing.assert_allclose(one.box_px[detected], truth[detected])
    if chunk.stop <= 40:  # steady motion is interpolated exactly
        np.testing.assert_allclose(one.box_px, truth, atol=1e-2)


def test_a_chunk_does_not_know_its_neighbours():
    """One chunk after another with the same networks, and each alone."""
    chunks, config = plan_chunks((3, 33), 8), settings_of(detect_every=3)
    models = stand_ins()
    in_sequence = [process_chunk(frames(c.start, c.stop, 3), c, models, config) for c in chunks]
    for chunk, part in zip(reversed(chunks), reversed(in_sequence), strict=True):
        assert_same_bits(part, process_chunk(frames(chunk.start, chunk.stop, 5), chunk, stand_ins(), config))
        assert set(part.frame) == set(range(chunk.start, chunk.stop))


@pytest.mark.parametrize("every", [1, 3])
def test_frames_that_did_not_decode_have_no_observations(every):
    """A frame left out by the decoder, also the first and a detected one, takes nothing else away."""
    (batch,) = frames(6, 16, 10)
    left = np.setdiff1d(np.arange(10), [0, 4, 6])
    some = Frames(index=batch.index[left], time_s=batch.time_s[left], image=batch.image[left])
    out = process_chunk([some], Chunk(0, 6, 16), stand_ins(), settings_of(detect_every=every))
    assert out.frame.tolist() == some.index.tolist()


def test_an_empty_chunk_and_a_chunk_without_people():
    class Nobody(Detector):
        def detect(self, images):
            return People.empty()

    for models in (stand_ins(), Models(Nobody(), Pose(), COCO17, False)):
        batches = [] if isinstance(models.detector, Detector) and type(models.detector) is Detector else frames(0, 9, 2)
        out = process_chunk(batches, Chunk(0, 0, 9), models, settings_of(detect_every=2))
        assert len(out) == 0
        assert out.keypoints_px.shape == (0, 17, 2)
        assert out.skeleton == "coco17"


# --- the real networks -----------------------------------------------------------------------------------------------

NAMES = ("movenet-multipose+nanodet", "movenet-lightning")
RANGE = (10, 18)


@pytest.fixture(scope="module")
def clip_frames() -> Frames:
    index = np.arange(*RANGE)
    return Frames(index=index, time_s=treadmill.clip().time_s[index], image=treadmill.half_size(*index.tolist()))


def clip_observations(clip_frames: Frames, chunk: Chunk, every: int, batch: int) -> Observations:
    config = treadmill.config(*NAMES)
    config = config.model_copy(update={"observe": config.observe.model_copy(update={"detect_every": every})})
    rows = np.arange(chunk.start - RANGE[0], chunk.stop - RANGE[0])
    parts = [
        Frames(index=clip_frames.index[r], time_s=clip_frames.time_s[r], image=clip_frames.image[r])
        for r in (rows[i : i + batch] for i in range(0, len(rows), batch))
    ]
    return process_chunk(parts, chunk, treadmill.models(*NAMES), config)


@pytest.fixture(scope="module")
def every_frame(clip_frames) -> Observations:
    return clip_observations(clip_frames, Chunk(0, *RANGE), 1, 4)


def main_people(obs: Observations, frame: int) -> Observations:
    """The three people of a frame, from left to right."""
    rows = np.flatnonzero((obs.frame == frame) & (obs.box_px[:, 2] < 225) & (obs.score > 0.35))
    return obs.take(rows[np.argsort(obs.box_px[rows, 0])])


def test_all_people_of_the_clip_are_observed_in_every_frame(every_frame):
    for frame in range(*RANGE):
        people = main_people(every_frame, frame)
        assert len(people) == 3
        low, high = people.box_px[:, None, :2] - 12, people.box_px[:, None, 2:] + 12
        assert ((people.keypoints_px > low) & (people.keypoints_px < high)).all()
    assert (every_frame.score >= Config().pose.min_score).all()
    assert every_frame.keypoint_score.max() <= 1


def test_boxes_between_detections_lie_between(clip_frames, every_frame):
    third = clip_observations(clip_frames, Chunk(0, *RANGE), 3, 4)
    for frame in (10, 13, 16, 17):  # every third and the last
        a, b = third.take(third.frame == frame), every_frame.take(every_frame.frame == frame)
        assert_same_bits(a, b)
    for before, after in ((10, 13), (13, 16)):
        ends = np.stack([main_people(third, f).box_px for f in (before, after)])
        for frame in range(before + 1, after):
            people = main_people(third, frame)
            assert (people.box_px >= ends.min(0) - 1e-3).all()
            assert (people.box_px <= ends.max(0) + 1e-3).all()
            away = np.linalg.norm(people.keypoints_px - main_people(every_frame, frame).keypoints_px, axis=2)
            assert np.median(away) < 4  # poses are estimated in every frame


def test_a_real_chunk_alone_is_the_same_as_in_a_sequence(clip_frames, every_frame):
    first, second = plan_chunks(RANGE, 4)
    sequence = [clip_observations(clip_frames, c, 1, 4) for c in (first, second)]
    assert_same_bits(Observations.concat(sequence), every_frame)
    assert_same_bits(sequence[1], clip_observations(clip_frames, second, 1, 2))


# --- observations out of detections ----------------------------------------------------------------------------------


class Answer:
    """A pose network that always gives the same answer."""

    sessions: list = []  # noqa: RUF012

    def __init__(self, keypoints, score=0.8, skeleton=COCO17, world=None):
        self.keypoints, self.score, self.skeleton, self.world = np.asarray(keypoints), score, skeleton, world

    def estimate(self, images, people):
        n, k = self.keypoints.shape[:2]
        score = np.broadcast_to(self.score, (n, k)).astype(np.float32)
        return Poses(self.keypoints.astype(np.float32), score.copy(), self.world)


def posed(
    keypoints: np.ndarray, own: np.ndarray | None, people_score: np.ndarray, pose_score=0.8, **pose
) -> Observations:
    """Observations where the pose network answers ``keypoints`` and the detector's own poses are ``own``."""
    keypoints = np.asarray(keypoints, np.float32)
    people = People.from_boxes(np.zeros(len(keypoints)), synthetic.boxes(keypoints), np.asarray(people_score))
    if own is not None:
        own = np.asarray(own, np.float32)
        people = replace(
            people,
            box_px=synthetic.boxes(own).astype(np.float32),
            keypoints_px=own,
            keypoint_score=np.full(own.shape[:2], 0.6, np.float32),
        )
    models = Models(Detector(), Answer(keypoints, pose_score), COCO17, False, seconded=True)
    config = Config.model_validate({"pose": pose})
    return pose_people(np.zeros((1, 8, 8, 3), np.uint8), np.array([42]), people, models, config)


WALKERS = synthetic.walker(np.zeros(1))[0] + np.array([(0, 0), (90, 0), (1200, 0)])[:, None]
ONE, NEAR, FAR = WALKERS


@pytest.mark.parametrize("world", [False, True])
def test_zero_people_give_zero_observations(world):
    skeleton = BLAZEPOSE33 if world else COCO17
    k = len(skeleton)
    answer = Answer(np.zeros((0, k, 2)), 0.0, skeleton, np.zeros((0, k, 3), np.float32) if world else None)
    for pose in (answer, None) if not world else (answer,):
        models = Models(Detector(), pose, skeleton, world)
        out = pose_people(np.zeros((3, 8, 8, 3), np.uint8), np.arange(3), People.empty(), models, Config())
        assert len(out) == 0
        assert out.keypoints_px.shape == (0, k, 2)
        assert (out.world_m is not None) == world
        assert out.skeleton == skeleton.name


def test_rows_carry_their_frame_and_keep_its_order():
    image = np.array([0, 0, 2])
    people = replace(People.from_boxes(image, synthetic.boxes(WALKERS[[0, 2, 0]]), np.ones(3)))
    models = Models(Detector(), Answer(WALKERS[[0, 2, 0]]), COCO17, False)
    out = pose_people(np.zeros((3, 8, 8, 3), np.uint8), np.array([7, 8, 11]), people, models, Config())
    assert out.frame.tolist() == [7, 7, 11]
    np.testing.assert_allclose(out.keypoints_px, WALKERS[[0, 2, 0]], rtol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_a_score_does_not_depend_on_who_else_is_in_the_batch(seed):
    rng = np.random.default_rng(seed)
    score, certainty = rng.uniform(0.3, 1, (3, 17)), rng.uniform(0.5, 1, 3)
    together = posed(WALKERS, None, certainty, score)
    alone = [posed(WALKERS[[i]], None, certainty[[i]], score[[i]]) for i in range(3)]
    assert_same_bits(together, Observations.concat(alone))


def test_people_below_the_least_score_are_not_stored():
    assert len(posed([ONE, FAR], None, [0.9, 0.01], min_score=0.2)) == 1
    assert len(posed([ONE, FAR], None, [0.9, 0.01], pose_score=0.01, min_score=0.2)) == 0
    assert len(posed([ONE, FAR], None, [0.9, 0.01], min_score=0.0)) == 2


def test_a_one_stage_network_gives_only_people_with_poses():
    people = People.from_boxes(np.zeros(2), synthetic.boxes(WALKERS[[0, 2]]), np.full(2, 0.9))
    points, known = people.keypoints_px.copy(), people.keypoint_score.copy()
    points[0], known[0] = ONE, 0.6
    people = replace(people, keypoints_px=points, keypoint_score=known)
    out = pose_people(
        np.zeros((1, 8, 8, 3), np.uint8), np.array([0]), people, Models(Detector(), None, COCO17, False), Config()
    )
    assert len(out) == 1
    np.testing.assert_allclose(out.keypoints_px[0], ONE, rtol=1e-6)
    np.testing.assert_allclose(out.keypoint_score, 0.6)


def test_the_second_opinion_moves_keypoints_that_agree():
    out = posed([ONE], [ONE + np.array([6.0, 0.0])], [0.9])
    moved = out.keypoints_px[0] - ONE
    assert ((moved[:, 0] > 0) & (moved[:, 0] < 3)).all()  # towards it, but less than half way
    np.testing.assert_allclose(moved[:, 1], 0, atol=1e-3)
    np.testing.assert_allclose(out.keypoint_score, 0.8)


def test_the_second_opinion_counts_by_its_scores():
    people = People.from_boxes(np.zeros(1), [[0, 0, 100, 100]], np.ones(1))
    own = np.tile([[[4.0, 0.0]]], (1, 17, 1)).astype(np.float32)
    mine = np.zeros((1, 17, 2), np.float32)

    def moved(score, own_score):
        known = np.full((1, 17), own_score, np.float32)
        seen = np.full((1, 17), score, np.float32)
        points, after, _, _ = second_opinion(Poses(mine, seen), replace(people, keypoints_px=own, keypoint_score=known))
        np.testing.assert_array_equal(after, seen)
        return float(points[0, 0, 0])

    assert moved(0.9, 0.0) == 0  # the detector knows no pose
    assert moved(1.0, 1.0) == pytest.approx(4 * 0.3 / 1.3, rel=1e-4)
    assert moved(0.2, 0.9) > moved(0.9, 0.9) > moved(0.9, 0.2) > 0


def test_a_second_opinion_that_disagrees_changes_nothing():
    out = posed([ONE], [ONE + np.array([150.0, 0.0])], [0.9])
    np.testing.assert_allclose(out.keypoints_px[0], ONE, rtol=1e-6)


def test_the_same_person_seen_twice_is_stored_once():
    out = posed([ONE, ONE + 2, FAR], None, [0.6, 0.9, 0.5])
    assert len(out) == 2
    np.testing.assert_allclose(out.keypoints_px, [ONE + 2, FAR], rtol=1e-5)  # the surer one stays
    out = posed([ONE, ONE + 2, FAR], [ONE, ONE + 1, FAR], [0.6, 0.9, 0.5])  # the detector's own pose is no help
    assert len(out) == 2


def test_a_neighbour_the_pose_network_missed_keeps_the_detectors_pose():
    """Two people stand close, the pose network sees the front one in both crops, the detector sees each."""
    out = posed([ONE, ONE], [ONE, NEAR], [0.9, 0.7])
    assert len(out) == 2
    np.testing.assert_allclose(out.keypoints_px, [ONE, NEAR], atol=1e-2)
    np.testing.assert_allclose(out.keypoint_score[1], 0.6)
    plain = posed([ONE, NEAR], [ONE, NEAR], [0.9, 0.7])
    assert out.score[0] == plain.score[0]
    assert out.score[1] < plain.score[1]


def test_people_close_together_and_in_other_frames_are_people_of_their_own():
    assert len(posed([ONE, NEAR, FAR], None, [0.9, 0.7, 0.5])) == 3
    people = People.from_boxes(np.arange(2), synthetic.boxes(WALKERS[[0, 0]]), np.ones(2))
    models = Models(Detector(), Answer(WALKERS[[0, 0]]), COCO17, False)
    assert len(pose_people(np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1]), people, models, Config())) == 2


def test_the_limit_of_likeness_is_a_setting():
    assert len(posed([ONE, ONE + 2], None, [0.6, 0.9], duplicate_oks=1.0)) == 2
    assert len(posed([ONE, NEAR], None, [0.6, 0.9], duplicate_oks=0.01)) == 1


def test_a_wider_skeleton_keeps_its_own_points():
    """The detector's 17 points are neither mixed into 33 nor a fallback for them; 3D stays with its person."""
    k, n = len(BLAZEPOSE33), 3
    points = np.tile(np.array([300, 500.0]) + np.random.default_rng(0).normal(0, 60, (1, k, 2)), (n, 1, 1))
    points[2] += 900
    world = np.arange(n * k * 3).reshape(n, k, 3).astype(np.float32)
    people = People.from_boxes(np.zeros(n), synthetic.boxes(points), np.array([0.5, 0.9, 0.7]))
    people = replace(people, keypoints_px=WALKERS.astype(np.float32), keypoint_score=np.ones((n, 17), np.float32))
    models = Models(Detector(), Answer(points, 0.8, BLAZEPOSE33, world), BLAZEPOSE33, True)
    out = pose_people(np.zeros((1, 8, 8, 3), np.uint8), np.array([5]), people, models, Config())
    np.testing.assert_allclose(out.keypoints_px, points[1:], rtol=1e-5)
    np.testing.assert_array_equal(out.world_m, world[1:])


# --- networks of other keypoint sets ---------------------------------------------------------------------------------

HANDS = Skeleton("hands", tuple(f"left_hand_{i}" for i in range(4)), (), (0.03,) * 4)


class Posed(Detector):
    """Sees one person, with a pose of another keypoint set."""

    def __init__(self, skeleton):
        super().__init__()
        self.skeleton = skeleton


def test_a_detectors_pose_of_another_set_reaches_the_pose_network_as_coco():
    turned = Skeleton("turned", COCO17.names[::-1], (), COCO17.sigmas[::-1])
    seen: list[People] = []

    class Hints(Answer):
        def estimate(self, images, people):
            seen.append(people)
            return super().estimate(images, people)

    mine = np.arange(34, dtype=np.float32).reshape(1, 17, 2)
    people = replace(
        People.from_boxes(np.zeros(1), [[0, 0, 99, 99]], np.ones(1)),
        keypoints_px=mine,
        keypoint_score=np.linspace(0.1, 0.9, 17, dtype=np.float32)[None],
    )
    models = Models(Posed(turned), Hints(mine), COCO17, False)
    pose_people(np.zeros((1, 8, 8, 3), np.uint8), np.array([0]), people, models, Config())
    np.testing.assert_array_equal(seen[0].keypoints_px, mine[:, ::-1])
    np.testing.assert_array_equal(seen[0].keypoint_score, people.keypoint_score[:, ::-1])


def test_points_a_detector_lacks_are_not_known():
    people = People.from_boxes(np.zeros(2), np.tile([0, 0, 9, 9], (2, 1)), np.ones(2), k=4)
    people.keypoint_score[:] = 0.9
    hints = as_coco(people, HANDS)
    assert hints.keypoints_px.shape == (2, 17, 2)
    assert not hints.keypoint_score.any()


def test_hidden_hands_hide_nobody():
    """A network that sees no point of a person may still be sure of the person, whom the box then tells apart."""
    boxes = np.array([[0, 0, 100, 300], [4, 2, 103, 300], [150, 0, 250, 300]], np.float32)
    people = People.from_boxes(np.zeros(3), boxes, np.array([0.9, 0.8, 0.7]))

    class Hidden(Answer):
        def estimate(self, images, people):
            return super().estimate(images, people)._replace(certainty=np.full(3, 0.9, np.float32))

    models = Models(Detector(), Hidden(np.zeros((3, 4, 2)), 0.0, HANDS), HANDS, False)
    out = pose_people(np.zeros((1, 8, 8, 3), np.uint8), np.array([3]), people, models, Config())
    np.testing.assert_array_equal(out.box_px, boxes[[0, 2]])  # the second is the first again
    np.testing.assert_allclose(out.score, np.sqrt(0.9 * np.array([0.9, 0.7])), rtol=1e-6)
    assert not out.keypoint_score.any()


def test_only_networks_that_gain_from_it_hear_the_detector():
    """MoveNet does; the poses of a network of the user's own are stored as they are."""
    keypoints = ONE[None] + np.float32(3)
    people = replace(
        People.from_boxes(np.zeros(1), synthetic.boxes(ONE[None]), np.array([0.9])),
        keypoints_px=ONE[None].astype(np.float32),
        keypoint_score=np.full((1, 17), 0.9, np.float32),
    )
    image = np.zeros((1, 8, 8, 3), np.uint8)
    for seconded in (True, False):
        models = Models(Detector(), Answer(keypoints), COCO17, False, seconded)
        out = pose_people(image, np.array([0]), people, models, Config())
        assert np.array_equal(out.keypoints_px, keypoints.astype(np.float32)) != seconded


def test_a_whole_body_is_corrected_in_its_body_alone():
    whole = Skeleton("whole", (*COCO17.names, "left_thumb"), COCO17.limbs, (*COCO17.sigmas, 0.03))
    mine = np.concatenate([WALKERS[:2], WALKERS[:2, :1]], 1)
    both = np.stack([mine[0], mine[0]])  # the network sees the nearer person twice
    people = replace(
        People.from_boxes(np.zeros(2), synthetic.boxes(WALKERS[:2]), np.array([0.9, 0.8])),
        keypoints_px=WALKERS[:2].astype(np.float32),
        keypoint_score=np.full((2, 17), 0.6, np.float32),
    )
    models = Models(Detector(), Answer(both, skeleton=whole), whole, False, seconded=True)
    out = pose_people(np.zeros((1, 8, 8, 3), np.uint8), np.array([0]), people, models, Config())
    assert len(out) == 2
    np.testing.assert_allclose(out.keypoints_px[1, :17], WALKERS[1], atol=1e-3)
    assert out.keypoint_score[1, 17] == 0  # the thumb was the other person's
    assert out.keypoint_score[0, 17] > 0
