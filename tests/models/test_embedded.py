"""The embedded networks, YOLOX-tiny and RTMPose-s, on the demo clip and on pictures without people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.similarity import iou
from pipeline.models.detections import Detections, Poses
from pipeline.models.embedded import body as embedded
from pipeline.models.runtime import pick_device
from pipeline.observe.poses import pose_people
from tests import laboratory
from tests.laboratory import BEHIND, BOXES_PX, FRAMES, FRONT, MAN

# Where joints are, by eye, in px of the half-size frames. The woman in front shows her back.
JOINTS_PX = {
    (0, FRONT): {
        "left_shoulder": (18, 208), "right_shoulder": (70, 208), "left_elbow": (16, 243), "right_elbow": (73, 243),
        "right_wrist": (86, 270), "left_ankle": (40, 352), "right_ankle": (69, 352), "left_heel": (40, 361),
        "right_heel": (66, 363), "right_big_toe": (87, 349), "head": (41, 160),
    },
    (0, MAN): {
        "left_shoulder": (160, 132), "right_shoulder": (121, 139), "left_elbow": (171, 158), "right_elbow": (116, 162),
        "left_wrist": (180, 184), "right_wrist": (106, 186), "left_knee": (146, 228), "left_ankle": (142, 266),
        "right_ankle": (153, 254), "left_big_toe": (139, 279), "head": (135, 100),
    },
    (0, BEHIND): {"left_wrist": (197, 144), "right_shoulder": (193, 141), "left_ankle": (204, 214), "head": (199, 121)},
    (66, FRONT): {
        "right_shoulder": (62, 204), "left_elbow": (4, 243), "right_elbow": (87, 208), "right_wrist": (80, 175),
        "right_ankle": (69, 352), "right_big_toe": (88, 350), "left_heel": (27, 360),
    },
    (66, MAN): {
        "left_shoulder": (168, 158), "right_shoulder": (133, 138), "left_elbow": (179, 190), "right_elbow": (100, 134),
        "left_wrist": (183, 222), "right_wrist": (110, 120), "left_knee": (133, 240), "right_knee": (99, 232),
        "left_ankle": (140, 268), "right_ankle": (98, 275), "left_big_toe": (137, 281), "right_big_toe": (97, 288),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Detections:
    return laboratory.models().detector.detect(laboratory.half_size())


def true_people() -> Detections:
    """The three people of each frame in the boxes drawn by eye."""
    boxes = np.concatenate([BOXES_PX[f] for f in FRAMES])
    return Detections.from_boxes(np.repeat(np.arange(len(FRAMES)), 3), boxes, np.ones(len(boxes)))


def assert_same_bits(a: Detections | Poses, b: Detections | Poses) -> None:
    one, other = (p._asdict() if isinstance(p, Poses) else vars(p) for p in (a, b))
    for name, value in one.items():
        assert (value is other[name] is None) or value.tobytes() == other[name].tobytes(), name


# --- YOLOX-tiny ------------------------------------------------------------------------------------------------------


def test_the_three_people_and_nobody_else_are_found(found):
    """Not the skeleton under its cloth."""
    for i, frame in enumerate(FRAMES):
        people, truth = found.of(i), np.array(BOXES_PX[frame])
        overlap = iou(truth, people.box_px)
        assert sorted(overlap.argmax(1).tolist()) == [0, 1, 2]
        assert (overlap.max(1) > 0.8).all(), (frame, overlap)
        assert len(people) == 3
        assert (people.score > 0.6).all()
        assert (people.score <= 1).all()
        assert (np.diff(people.score) <= 0).all()  # best first
    assert not found.keypoint_score.any()


# Top, bottom, left, right: odd, wide, tall, one person alone; and who is seen whole there.
VIEWS = [
    (1, 480, 1, 272, (FRONT, MAN, BEHIND)),
    (90, 301, 0, 271, (MAN, BEHIND)),
    (80, 480, 93, 220, (MAN, BEHIND)),
    (100, 237, 181, 232, (BEHIND,)),
]


@pytest.mark.parametrize(("top", "bottom", "left", "right", "whole"), VIEWS)
def test_pictures_of_any_shape(top, bottom, left, right, whole):
    picture = laboratory.half_size(0)[:, top:bottom, left:right]
    people = laboratory.models().detector.detect(np.ascontiguousarray(picture))
    truth = np.array(BOXES_PX[0], float)[list(whole)] - [left, top, left, top]
    overlap = iou(truth, people.box_px)
    assert (overlap.max(1) > 0.75).all(), overlap
    assert (people.box_px >= 0).all()
    assert (people.box_px <= np.tile([right - left, bottom - top], 2)).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1000, 7), (5, 1500)])
def test_the_smallest_and_the_narrowest_pictures_are_pictures(size):
    people = laboratory.models().detector.detect(np.full((1, *size, 3), 90, np.uint8))
    assert len(people) == 0


def test_pixels_are_a_setting():
    """With few of them the small woman behind is lost, whom more of them show."""
    detectors = {}
    for pixels in (30_000, 226_304):
        config = laboratory.config()
        detect = config.detect.model_copy(update={"pixels": pixels})
        detectors[pixels] = embedded.detector(pick_device("cpu", 1), config.model_copy(update={"detect": detect}))
    few, many = (d.detect(laboratory.half_size(0)) for d in detectors.values())
    behind = np.array(BOXES_PX[0][BEHIND:], float)
    assert iou(behind, many.box_px).max() > 0.8
    assert few.score[iou(behind, few.box_px)[0] > 0.5].max(initial=0) < many.score.min()
    assert iou(np.array(BOXES_PX[0][:1], float), few.box_px).max() > 0.7


def test_detections_do_not_depend_on_batches_or_threads(found):
    images = laboratory.half_size()
    singles = [laboratory.models().detector.detect(images[i : i + 1]) for i in range(len(images))]
    assert_same_bits(found, Detections.concat([replace(p, image=p.image + i) for i, p in enumerate(singles)]))
    for threads in (2, 3):
        assert_same_bits(found, laboratory.models(threads=threads).detector.detect(images))


# --- RTMPose-s -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def poses() -> Poses:
    return laboratory.models().pose.estimate(laboratory.half_size(), true_people())


@pytest.mark.parametrize(("frame", "who"), JOINTS_PX)
def test_joints_are_where_they_are(poses, frame, who):
    row = 3 * FRAMES.index(frame) + who
    height = np.ptp(BOXES_PX[frame][who][1::2])
    for name, place in JOINTS_PX[frame, who].items():
        k = HALPE26.index(name)
        assert np.hypot(*(poses.keypoints_px[row, k] - place)) < 0.045 * height, (name, poses.keypoints_px[row, k])
        assert poses.score[row, k] > 0.3, name


def test_scores_are_scores_and_everything_lies_about_the_person(poses):
    assert poses.keypoints_px.shape == (12, 26, 2)
    assert poses.keypoints_px.dtype == poses.score.dtype == np.float32
    assert (poses.score >= 0).all()
    assert (poses.score <= 1).all()
    box = true_people().box_px
    slack = 0.1 * (box[:, 3:] - box[:, 1:2])[:, None]
    assert (poses.keypoints_px > box[:, None, :2] - slack).all()
    assert (poses.keypoints_px < box[:, None, 2:] + slack).all()


def test_a_point_lies_between_the_bins(poses):
    """Of the crop's half pixels; a path of points on them would have steps."""
    box = true_people().box_px.astype(np.float64)
    step = 1.25 * np.maximum(box[:, 3] - box[:, 1], (box[:, 2] - box[:, 0]) / 0.75) / 512  # px of a bin of 512
    bins = (poses.keypoints_px[..., 1] - ((box[:, 1] + box[:, 3]) / 2)[:, None]) / step[:, None]
    off = np.abs(bins - bins.round())
    assert 0.15 < np.median(off) < 0.35


def test_poses_do_not_depend_on_batches_or_threads(poses):
    for threads, batch in ((1, 1), (1, 5), (2, 16), (3, 7)):
        network = laboratory.models(threads=threads, batch_people=batch).pose
        assert_same_bits(poses, network.estimate(laboratory.half_size(), true_people()))


def test_a_loose_box_moves_nobody(poses):
    """A fifth more on every side: the same pose, a little coarser."""
    people = true_people()
    side = (people.box_px[:, 2:] - people.box_px[:, :2]) * 0.1
    loose = people.placed(people.box_px + np.concatenate([-side, side], 1))
    other = laboratory.models().pose.estimate(laboratory.half_size(), loose)
    away = np.linalg.norm(other.keypoints_px - poses.keypoints_px, axis=2)
    assert np.median(away) < 1
    assert np.quantile(away, 0.95) < 8


# --- nobody ----------------------------------------------------------------------------------------------------------

NOISE = np.random.default_rng(0)
NOBODY = {
    "black": np.zeros((240, 320, 3), np.uint8),
    "white": np.full((240, 320, 3), 255, np.uint8),
    "grey": np.full((200, 360, 3), 128, np.uint8),
    "sensor noise": NOISE.normal(100, 12, (240, 320, 3)).clip(0, 255).astype(np.uint8),
    "white noise": NOISE.integers(0, 256, (480, 272, 3), dtype=np.uint8),
    "gradient": np.tile(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], (240, 1, 3)),
}


@pytest.mark.parametrize("name", [*NOBODY, "mat"])
def test_a_picture_without_people_gives_no_observation(name):
    """Never a pose on the whole image, never a placeholder person."""
    image = NOBODY[name] if name in NOBODY else np.ascontiguousarray(laboratory.half_size(0)[0, 280:450, 160:])
    models = laboratory.models()
    people = models.detector.detect(image[None])
    out = pose_people(image[None], np.array([7]), people, models, laboratory.config())
    assert len(out) == 0
    assert out.keypoints_px.shape == (0, 26, 2)
    assert out.skeleton == "halpe26"
