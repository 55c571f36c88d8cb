"""Detectors and pose networks: geometry and decoding on hand-made maps, and the real networks on the demo clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Config, TrackConfig
from pipeline.errors import PoselineError
from pipeline.models import nanodet
from pipeline.models.base import COCO_CLASSES, People, letterbox, long_side, square_crops, suppress
from pipeline.models.blazepose import PAD, BlazePose, crop_frames
from pipeline.models.combined import merge
from pipeline.models.movenet import SinglePose, decode_all, decode_one, refine, with_added
from pipeline.models.registry import DETECTORS, POSES, build_models, check_names, run_facts
from pipeline.models.runtime import ASSETS, Session, file_digest, pick_device
from pipeline.observe import pose_people
from pipeline.skeleton import BLAZEPOSE33
from pipeline.track.similarity import iou
from pipeline.types import Observations
from tests import treadmill

BOTH = "movenet-multipose+nanodet"


def dot(image: np.ndarray, x: float, y: float, colour=(255, 255, 255), sigma: float = 3.0) -> None:
    """Add a soft dot whose middle is at (x, y) px, pixel centres at .5."""
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    weight = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * sigma**2))[..., None]
    image[:] = np.maximum(image, (weight * np.array(colour)).round().astype(np.uint8))


def middle(channel: np.ndarray) -> np.ndarray:
    """x, y of the centroid of what is bright, pixel centres at .5."""
    ys, xs = np.mgrid[: channel.shape[0], : channel.shape[1]] + 0.5
    weight = channel.astype(np.float64) ** 2
    return np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()


def people_of(*boxes: tuple[float, float, float, float], image=0, score=0.8) -> People:
    n = len(boxes)
    return People.from_boxes(np.full(n, image), np.array(boxes, np.float32).reshape(n, 4), np.full(n, score))


# --- letterbox and crops ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "long_px", "wanted"),
    [
        ((480, 640), 320, (256, 320)),
        ((960, 544), 512, (512, 320)),
        ((100, 60), 200, (224, 128)),
        ((64, 64), 64, (64, 64)),
    ],
)
def test_letterbox_keeps_shape_and_pads_right_and_below(size, long_px, wanted):
    images = np.full((2, *size, 3), 200, np.uint8)
    out, scale = letterbox(images, long_px)
    assert out.shape == (2, *wanted, 3)
    assert out.dtype == np.uint8
    h, w = round(size[0] * scale), round(size[1] * scale)
    assert max(h, w) == long_px
    assert (out[:, :h, :w] == 200).all()
    assert (out[:, h:] == 0).all()
    assert (out[:, :, w:] == 0).all()


@pytest.mark.parametrize("long_px", [128, 320, 900])
def test_a_point_of_the_letterboxed_picture_maps_back(long_px):
    image = np.zeros((1, 300, 420, 3), np.uint8)
    dot(image[0], 317.3, 88.8, sigma=6)
    out, scale = letterbox(image, long_px)
    np.testing.assert_allclose(middle(out[0, ..., 0]), [317.3 * scale, 88.8 * scale], atol=0.5)  # the size is rounded


def test_a_picture_of_the_right_size_is_not_resampled():
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
    out, scale = letterbox(images, 96)
    assert scale == 1
    assert np.array_equal(out, images)


def test_long_side_is_a_share_of_the_picture_within_limits():
    def of(size):
        return long_side(np.zeros((1, *size, 3), np.uint8), 0.5, 512, 768)

    assert of((720, 1280)) == 640
    assert of((2160, 3840)) == 768
    assert of((960, 544)) == 512


@pytest.mark.parametrize(
    "box", [(100, 40, 180, 240), (30, 60, 230, 140), (-40, -30, 60, 120), (200, 150, 420, 330), (140, 100, 150, 112)]
)
def test_a_point_of_a_square_crop_maps_back(box):
    """Boxes beyond the border and smaller than the crop too."""
    box = np.array([box], np.float64)
    point = np.clip(box[0, :2] + 0.55 * (box[0, 2:] - box[0, :2]), 8, [312, 232])
    images = np.zeros((2, 240, 320, 3), np.uint8)
    dot(images[1], *point, sigma=max(1.0, np.ptp(box) / 60))
    crops, scale, centre = square_crops(images, np.array([1]), box, 192, 1.25)
    assert crops.shape == (1, 192, 192, 3)
    back = (middle(crops[0, ..., 0]) - 192 / 2) / scale[0] + centre[0]
    np.testing.assert_allclose(back, point, atol=0.3)
    side = max(box[0, 2] - box[0, 0], box[0, 3] - box[0, 1])
    assert 192 / scale[0] == pytest.approx(1.25 * side)


def test_clipped_boxes_stay_in_the_picture_and_empty_ones_go():
    people = people_of((-20, -5, 50, 60), (300, 10, 400, 90), (320, 0, 380, 50), (-30, 20, 0.5, 40), (10, 10, 20, 20))
    out = people.clipped(100, 320)
    np.testing.assert_array_equal(out.box_px, [[0, 0, 50, 60], [300, 10, 320, 90], [10, 10, 20, 20]])


def test_people_are_sorted_by_image_and_found_by_it():
    joined = People.concat(
        [people_of((0, 0, 2, 2), image=1), people_of((0, 0, 3, 3)), people_of((0, 0, 4, 4), image=1)]
    )
    assert joined.image.tolist() == [0, 1, 1]
    assert joined.of(1).box_px[:, 2].tolist() == [2, 4]
    assert len(joined.of(2)) == len(People.empty()) == len(People.concat([])) == 0


@given(
    st.lists(st.tuples(*[st.integers(0, 12)] * 4, st.integers(0, 5)), max_size=12),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_suppress_is_greedy_suppression(rows, threshold):
    box = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in rows], np.float32).reshape(-1, 4)
    score = np.array([s for *_, s in rows], np.float32)

    def overlap(a, b):
        inter = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
        return float(inter) / float(union) if union else 0.0

    kept: list[int] = []
    for i in sorted(range(len(box)), key=lambda i: -score[i]):
        if all(overlap(box[i], box[j]) <= threshold for j in kept):
            kept.append(i)
    assert suppress(box, score, threshold).tolist() == kept


# --- NanoDet ---------------------------------------------------------------------------------------------------------


PERSON = np.array([0])


def nanodet_maps(h: int = 64, w: int = 96) -> list[np.ndarray]:
    """Maps of an image of (h, w) px without anybody."""
    maps = [np.zeros((124, h // s, w // s), np.float32) for s in nanodet.STRIDES]
    for m in maps:
        m[: len(COCO_CLASSES)] = -9.0
    return maps


def test_nanodet_finds_the_known_box():
    maps = nanodet_maps()
    y, x, stride = 2, 3, 16
    maps[1][0, y, x] = 2.0
    for side, bins in enumerate((1, 2, 3, 10)):  # all weight on one bin: a whole number of strides
        maps[1][80 + 11 * side + bins, y, x] = 50.0
    box, score = nanodet.decode(maps, 0.3, PERSON)
    cx, cy = (x + 0.5) * stride, (y + 0.5) * stride
    np.testing.assert_allclose(box, [[cx - 16, cy - 32, cx + 48, cy + 160]], rtol=1e-5)
    np.testing.assert_allclose(score, [1 / (1 + np.exp(-2))], rtol=1e-6)
    assert box.dtype == score.dtype == np.float32


@pytest.mark.parametrize("level", range(3))
def test_nanodet_distances_are_expectations_over_the_bins(level):
    rng = np.random.default_rng(level)
    maps, stride = nanodet_maps(), nanodet.STRIDES[level]
    logits = rng.normal(0, 3, (4, 11)).astype(np.float32)
    maps[level][0, 1, 0] = 0.0
    maps[level][80:, 1, 0] = logits.ravel()
    box, score = nanodet.decode(maps, 0.3, PERSON)
    share = np.exp(logits.astype(np.float64))
    left, top, right, bottom = (share * np.arange(11)).sum(1) / share.sum(1) * stride
    cx, cy = 0.5 * stride, 1.5 * stride
    np.testing.assert_allclose(box, [[cx - left, cy - top, cx + right, cy + bottom]], rtol=1e-4)
    assert score.tolist() == [0.5]


def test_nanodet_takes_people_only_best_first():
    maps = nanodet_maps()
    maps[0][0, 1, 1], maps[2][0, 0, 1], maps[0][0, 3, 3] = 1.0, 3.0, -2.0
    maps[0][2, 5, 5] = 6.0  # a car
    box, score = nanodet.decode(maps, 0.3, PERSON)
    assert len(box) == 2
    assert score[0] > score[1] > 0.3
    np.testing.assert_allclose((box[:, 0] + box[:, 2]) / 2, [1.5 * 32, 1.5 * 8])
    boxes, scores = nanodet.decode(maps, 0.3, np.array([0, 2]))  # people and cars
    np.testing.assert_allclose((boxes[0, 0] + boxes[0, 2]) / 2, 5.5 * 8)
    assert scores[0] > scores[1] == score[0]
    box, score = nanodet.decode(nanodet_maps(), 0.3, PERSON)
    assert box.shape == (0, 4)
    assert score.shape == (0,)


# --- MoveNet ---------------------------------------------------------------------------------------------------------


def multipose_maps(h: int = 24, w: int = 32) -> dict[str, np.ndarray]:
    sizes = {"center": 1, "box_scale": 2, "box_offset": 2, "kpt_regress": 34, "kpt_heatmap": 17, "kpt_offset": 34}
    return {name: np.zeros((h, w, n), np.float32) for name, n in sizes.items()}


def put_person(maps, cell, points_yx, score, *, size_yx=(8, 4), heat=0.8, offset_yx=(0.0, 0.0)) -> None:
    """A person with a centre at ``cell`` (y, x), heatmap peaks at whole cells ``points_yx`` (17, 2), true guesses."""
    y, x = cell
    points = np.asarray(points_yx)
    maps["center"][y, x] = score
    maps["kpt_regress"][y, x] = (points - [y, x]).ravel()
    if "box_scale" in maps:
        maps["box_scale"][y, x] = size_yx
    k = np.arange(17)
    maps["kpt_heatmap"][points[:, 0], points[:, 1], k] = heat
    for axis in range(2):
        maps["kpt_offset"][points[:, 0], points[:, 1], 2 * k + axis] = offset_yx[axis]


def grid_points(low_yx, high_yx) -> np.ndarray:
    """17 whole cells that fill the rectangle, both corners among them."""
    t = np.linspace(0, 1, 17)
    across = np.abs(((t * 3) % 2) - 1)  # there and back
    yx = np.stack([low_yx[0] + t * (high_yx[0] - low_yx[0]), low_yx[1] + across * (high_yx[1] - low_yx[1])], 1)
    return yx.round().astype(int)


def test_multipose_decodes_box_keypoints_and_offsets():
    maps = multipose_maps()
    points = grid_points((6, 9), (16, 14))
    put_person(maps, (11, 12), points, 0.7, size_yx=(12.0, 7.0), heat=np.linspace(0.4, 0.9, 17), offset_yx=(0.25, -0.5))
    maps["box_offset"][11, 12] = (0.5, -0.25)
    maps["kpt_heatmap"][20, 28] = 1.0  # somebody else's keypoints, far away
    box, score, keypoints, keypoint_score = decode_all(maps, 0.1)
    cy, cx = 11.5, 11.75
    np.testing.assert_allclose(box, [[4 * (cx - 3.5), 4 * (cy - 6), 4 * (cx + 3.5), 4 * (cy + 6)]])
    np.testing.assert_allclose(score, [0.7], rtol=1e-6)
    np.testing.assert_allclose(keypoints[0], 4 * (points[:, ::-1] + [-0.5, 0.25]), atol=1e-4)
    np.testing.assert_allclose(keypoint_score[0], np.linspace(0.4, 0.9, 17), rtol=1e-6)
    assert {a.dtype for a in (box, score, keypoints, keypoint_score)} == {np.dtype(np.float32)}


def test_multipose_takes_peaks_above_the_threshold_best_first():
    maps = multipose_maps()
    left, right = grid_points((4, 3), (12, 7)), grid_points((5, 20), (14, 26))
    put_person(maps, (8, 5), left, 0.4)
    put_person(maps, (9, 23), right, 0.9)
    maps["center"][9, 24] = 0.8  # the slope of a peak is no person
    maps["center"][20, 15] = 0.09
    box, score, keypoints, _ = decode_all(maps, 0.1)
    np.testing.assert_allclose(score, [0.9, 0.4], rtol=1e-6)
    np.testing.assert_allclose(keypoints, 4 * np.stack([right, left])[..., ::-1])
    assert len(decode_all(maps, 0.5)[0]) == 1
    box, score, keypoints, keypoint_score = decode_all(multipose_maps(), 0.1)
    assert (box.shape, score.shape, keypoints.shape, keypoint_score.shape) == ((0, 4), (0,), (0, 17, 2), (0, 17))


@pytest.mark.parametrize("cell", [(0, 0), (0, 31), (23, 0), (23, 31)])
def test_multipose_people_at_the_border(cell):
    maps = multipose_maps()
    points = np.tile(cell, (17, 1))
    put_person(maps, cell, points, 0.6, size_yx=(10.0, 6.0))
    box, _, keypoints, _ = decode_all(maps, 0.1)
    assert len(box) == 1
    np.testing.assert_allclose(keypoints[0], 4.0 * points[:, ::-1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weighted", [False, True])
def test_refine_is_the_strongest_cell_near_the_guess(seed, weighted):
    rng = np.random.default_rng(seed)
    h, w, k = 9, 7, 5
    heat = rng.random((h, w, k), np.float32)
    offset = rng.normal(0, 1, (h, w, k, 2)).astype(np.float32)
    guess = rng.uniform(-3, 10, (k, 2))
    weight = rng.choice([0.1, 1.0], (h, w)).astype(np.float32) if weighted else None
    yx, score = refine(heat, offset, guess, weight)
    for p in range(k):
        best, place = -1.0, (0, 0)
        for y in range(h):
            for x in range(w):
                value = float(heat[y, x, p]) / (np.hypot(y - guess[p, 0], x - guess[p, 1]) + 1.8)
                value *= float(weight[y, x]) if weight is not None else 1.0
                if value > best:
                    best, place = value, (y, x)
        np.testing.assert_allclose(yx[p], np.array(place) + offset[*place, p], rtol=1e-5)
        assert score[p] == heat[*place, p]


def crop_maps(cells: int = 48) -> dict[str, np.ndarray]:
    sizes = {"center": 1, "kpt_regress": 34, "kpt_heatmap": 17, "kpt_offset": 34}
    return {name: np.zeros((cells, cells, n), np.float32) for name, n in sizes.items()}


@pytest.fixture
def two_in_a_crop():
    """A person who fills the box, and a neighbour whose centre is stronger and nearer to the crop's middle."""
    maps, box = crop_maps(), np.array([12.0, 5.0, 36.0, 43.0])
    person, neighbour = grid_points((5, 12), (43, 36)), grid_points((18, 26), (32, 47))
    put_person(maps, (26, 20), person, 0.5)
    put_person(maps, (24, 25), neighbour, 0.9)
    return maps, box, person, neighbour


def test_the_person_who_fills_the_box_is_chosen(two_in_a_crop):
    maps, box, person, _ = two_in_a_crop
    xy, score = decode_one(maps, box)
    np.testing.assert_allclose(xy, person[:, ::-1])
    np.testing.assert_allclose(score, 0.8)


def test_prior_only_takes_the_person_nearest_the_middle(two_in_a_crop):
    maps, box, _, neighbour = two_in_a_crop
    xy, score = decode_one(maps, box, prior_only=True)
    np.testing.assert_allclose(xy, neighbour[:, ::-1])
    np.testing.assert_allclose(score, 0.8)


def test_the_box_says_which_of_two_people_is_meant(two_in_a_crop):
    maps, _, _, neighbour = two_in_a_crop
    xy, _ = decode_one(maps, np.array([26.0, 18.0, 47.0, 32.0]))
    np.testing.assert_allclose(xy, neighbour[:, ::-1])


def test_a_crop_without_a_clear_centre_still_has_a_pose():
    xy, score = decode_one(crop_maps(), np.array([10.0, 10.0, 38.0, 38.0]))
    assert np.isfinite(xy).all()
    assert (score == 0).all()


class CropReader:
    """In place of a network: answers what it sees, the middle of each colour's dot, in the network's own format."""

    def __init__(self, answer):
        self.answer, self.crops = answer, []

    def run(self, crops):
        self.crops.extend(crops)
        outs = [self.answer(crop) for crop in crops]
        return {name: np.stack([o[name] for o in outs]) for name in outs[0]}


def moved_to(network, session) -> object:
    """The network with another session in place of its own."""
    network.sessions = [session]
    return network


@pytest.mark.parametrize("name", ["movenet-thunder", "movenet-lightning"])
@pytest.mark.parametrize("box", [(60, 30, 140, 210), (10, 100, 200, 160), (-30, -20, 80, 120)])
def test_a_keypoint_at_a_known_place_comes_back_from_a_movenet_crop(name, box):
    """The stand-in puts all keypoints on the dot it sees in the crop; they must come back where the dot was drawn."""
    image = np.zeros((240, 320, 3), np.uint8)
    point = np.clip([box[0] + 0.6 * (box[2] - box[0]), box[1] + 0.45 * (box[3] - box[1])], 12, None)
    dot(image, *point, sigma=2.5)

    def answer(crop):
        maps = crop_maps(len(crop) // 4)
        xy = middle(crop[..., 0]) / 4
        cell = np.floor(xy[::-1]).astype(int)
        put_person(maps, cell, np.tile(cell, (17, 1)), 0.9, offset_yx=xy[::-1] - cell)
        return maps

    network = moved_to(SinglePose(pick_device("cpu", 1), name, 2), CropReader(answer))
    keypoints, score, world, _ = network.estimate(image[None], people_of(*[box] * 3))
    assert world is None
    assert len(network.sessions[0].crops) == 3
    np.testing.assert_allclose(keypoints, np.broadcast_to(point, (3, 17, 2)), atol=0.4)
    np.testing.assert_allclose(score, 0.8)


# --- BlazePose -------------------------------------------------------------------------------------------------------


def lying(angle_deg: float, size: float = 100.0, at=(200.0, 200.0)) -> tuple[People, np.ndarray, np.ndarray]:
    """Somebody with a known pose turned clockwise by the angle; the hips' middle, the torso's direction (x, y)."""
    upright = np.full((17, 2), np.nan)
    upright[:] = (0, -0.75)  # the head
    upright[[5, 6]] = (0.2, -0.5), (-0.2, -0.5)
    upright[[7, 8, 9, 10]] = (0.3, -0.25), (-0.3, -0.25), (0.3, 0), (-0.3, 0)
    upright[[11, 12]] = (0.12, 0), (-0.12, 0)
    upright[[13, 14, 15, 16]] = (0.15, 0.5), (-0.15, 0.5), (0.15, 1), (-0.15, 1)
    a = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    points = (upright * size) @ turn.T + at
    box = np.concatenate([points.min(0) - 5, points.max(0) + 5])
    people = people_of(box)
    people = replace(people, keypoints_px=points[None].astype(np.float32), keypoint_score=np.ones((1, 17), np.float32))
    return people, np.array(at), turn @ [0, -1]


@pytest.mark.parametrize("angle_deg", [0, 90, 180, 270, 37, -140])
def test_the_blazepose_crop_turns_with_the_torso(angle_deg):
    people, hips, _ = lying(angle_deg)
    centre, side, angle = crop_frames(people)
    np.testing.assert_allclose(centre, [hips], atol=1e-3)
    assert np.cos(angle[0] - np.deg2rad(angle_deg)) == pytest.approx(1, abs=1e-5)
    reach = np.linalg.norm(people.keypoints_px[0] - hips, axis=1).max()
    assert side[0] >= 2 * reach  # all of the body is inside
    assert side[0] < 2 * 1.3 * PAD * reach + 1


def test_without_a_sure_pose_the_blazepose_crop_stands_upright_on_the_box():
    sure, _, _ = lying(90)
    unknown = people_of(tuple(sure.box_px[0]))
    hips_missing = replace(sure, keypoint_score=np.where(np.isin(np.arange(17), [11]), 0.1, 1.0)[None])
    foreshortened = replace(sure, keypoints_px=np.tile(sure.keypoints_px[:, 11:12], (1, 17, 1)))
    for people in (unknown, hips_missing, foreshortened):
        centre, side, angle = crop_frames(people)
        box = people.box_px[0].astype(float)
        np.testing.assert_allclose(centre[0], (box[:2] + box[2:]) / 2)
        assert side[0] == pytest.approx(PAD * (box[2:] - box[:2]).max())
        assert angle[0] == 0


@pytest.fixture(scope="module")
def blazepose() -> BlazePose:
    return BlazePose(pick_device("cpu", 1), 2)


@pytest.mark.parametrize("angle_deg", [0, 90, 180, 270])
def test_keypoints_and_metres_come_back_from_a_turned_crop(blazepose, monkeypatch, angle_deg):
    """The stand-in answers with the red dot (a wrist) and says that the left hip is half a metre above the hips."""
    people, hips, up = lying(angle_deg)
    wrist, shoulders = people.keypoints_px[0, 9], hips + 50 * up
    image = np.zeros((400, 400, 3), np.uint8)
    dot(image, *wrist, (255, 0, 0))
    dot(image, *shoulders, (0, 255, 0))
    dot(image, *hips, (0, 0, 255))

    def answer(crop):
        points = np.full((39, 5), 20.0, np.float32)  # sigmoid 1
        points[:, :2] = middle(crop[..., 0])
        metres = np.zeros((39, 3), np.float32)
        metres[BLAZEPOSE33.index("left_hip")] = (0, -0.5, 0.2)
        return {"landmarks": points.ravel(), "world": metres.ravel(), "presence": np.array([0.75], np.float32)}

    reader = CropReader(answer)
    monkeypatch.setattr(blazepose, "sessions", [reader])
    keypoints, score, world, _ = blazepose.estimate(image[None], People.concat([people] * 3))
    np.testing.assert_allclose(keypoints, np.broadcast_to(wrist, (3, 33, 2)), atol=0.5)
    np.testing.assert_allclose(score, 0.75, atol=1e-4)
    np.testing.assert_allclose(world[:, BLAZEPOSE33.index("left_hip"), :2], np.tile(0.5 * up, (3, 1)), atol=1e-5)
    np.testing.assert_allclose(world[:, BLAZEPOSE33.index("left_hip"), 2], 0.2)
    for crop in reader.crops:  # hips in the middle, shoulders straight above them
        assert crop.shape == (256, 256, 3)
        assert 0.9 < crop.max() <= 1
        np.testing.assert_allclose(middle(crop[..., 2]), [128, 128], atol=0.5)
        top = middle(crop[..., 1])
        assert top[0] == pytest.approx(128, abs=0.7)
        assert top[1] < 118


def posed_at(*boxes: tuple[float, float, float, float], score: float) -> People:
    """People of one image in these boxes, their keypoints on the diagonal."""
    box = np.array(boxes, np.float32).reshape(-1, 4)
    along = np.linspace(0.1, 0.9, 17, dtype=np.float32)[None, :, None]
    points = box[:, None, :2] + along * (box[:, None, 2:] - box[:, None, :2])
    n = len(box)
    return People(np.zeros(n, np.int64), box, np.full(n, score, np.float32), points, np.full((n, 17), 0.9, np.float32))


def test_a_further_scale_adds_whom_the_first_missed_with_half_of_the_score() -> None:
    first = posed_at((0, 0, 40, 100), score=0.6)
    more = posed_at((2, 1, 41, 99), (200, 0, 220, 50), score=0.8)
    both = with_added(first, more)
    assert np.array_equal(both.box_px, np.array([[0, 0, 40, 100], [200, 0, 220, 50]], np.float32))
    assert both.score == pytest.approx([0.6, 0.4])
    nobody = posed_at(score=0.0)
    assert with_added(nobody, more).score == pytest.approx([0.4, 0.4])
    assert np.array_equal(with_added(first, nobody).box_px, first.box_px)


# --- MultiPose and NanoDet together ----------------------------------------------------------------------------------


def posed_of(box, score=0.9) -> People:
    people = people_of(*box, score=score)
    points = np.arange(len(box) * 34).reshape(-1, 17, 2).astype(np.float32)
    return replace(people, keypoints_px=points, keypoint_score=np.full((len(box), 17), 0.6, np.float32))


def test_somebody_both_networks_see_has_the_mean_box_and_score():
    posed, boxed = posed_of([(0, 0, 100, 200)]), people_of((10, 10, 110, 206), score=0.5)
    out = merge(posed, boxed)
    assert len(out) == 1
    np.testing.assert_allclose(out.box_px, [[5, 5, 105, 203]])
    np.testing.assert_allclose(out.score, [0.7])
    np.testing.assert_array_equal(out.keypoints_px, posed.keypoints_px)


def test_somebody_one_network_sees_has_half_its_score():
    posed, boxed = posed_of([(0, 0, 100, 200)]), people_of((300, 0, 400, 200), (600, 0, 700, 200), score=0.5)
    out = merge(posed, boxed)
    np.testing.assert_array_equal(out.box_px, np.concatenate([posed.box_px, boxed.box_px]))
    np.testing.assert_allclose(out.score, [0.45, 0.25, 0.25])
    assert (out.keypoint_score[0] > 0).all()
    assert (out.keypoint_score[1:] == 0).all()  # no pose is known of them


def test_merging_does_not_change_what_went_in_and_nobody_is_nobody():
    posed, boxed = posed_of([(0, 0, 100, 200)]), people_of((0, 0, 100, 190))
    merge(posed, boxed)
    np.testing.assert_array_equal(posed.box_px, [[0, 0, 100, 200]])
    np.testing.assert_allclose(posed.score, [0.9])
    assert len(merge(People.empty(), People.empty())) == 0
    assert len(merge(posed, People.empty())) == len(merge(People.empty(), boxed)) == 1


# --- registry and runtime --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"detect": {"name": "yolo"}}, r"--detector yolo: no such network; choose one of .*nanodet"),
        ({"pose": {"name": "hrnet"}}, r"--pose hrnet: no such network; choose one of .*movenet-thunder"),
        ({"detect": {"name": "mmdetect:x"}}, r"--detector mmdetect:x: no such network; .*mmdet:…, onnx:…"),
        ({"detect": {"classes": ["dog"]}}, "--classes dog: .*add --detector nanodet"),
        ({"detect": {"name": "nanodet"}, "pose": {"name": "movenet-multipose"}}, "leave out --detector nanodet"),
    ],
)
def test_networks_that_cannot_be_used_are_named(settings_, message):
    config = Config.model_validate(settings_)
    for ask in (check_names, run_facts, build_models):
        with pytest.raises(PoselineError, match=message) as error:
            ask(config)
        assert "\n" not in str(error.value)


def test_every_listed_network_is_embedded_and_has_a_skeleton():
    for entry in (*DETECTORS.values(), *POSES.values()):
        assert all((ASSETS / file).is_file() for file in entry.files)
    for name in POSES:
        assert run_facts(treadmill.config("movenet-multipose", name)).skeleton is POSES[name].skeleton


def test_models_know_their_files():
    config = treadmill.config(BOTH, "movenet-lightning")
    digests = run_facts(config).digests
    assert {s.file.name for s in treadmill.models(BOTH, "movenet-lightning").sessions} == set(digests)
    assert set(digests) == {"movenet-multipose.onnx", "nanodet.onnx", "movenet-lightning.onnx"}
    assert all(digests[name] == file_digest(ASSETS / name) for name in digests)
    assert len(set(digests.values())) == 3


def test_a_missing_network_says_how_to_get_it(tmp_path):
    with pytest.raises(PoselineError, match=r"gone\.onnx: this network is missing; install poseline"):
        Session(tmp_path / "gone.onnx", pick_device("cpu", 1))


def test_cuda_without_cuda_is_an_error(monkeypatch):
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["AzureExecutionProvider", "CPUExecutionProvider"]
    )
    with pytest.raises(PoselineError, match=r"--device cuda: .*AzureExecutionProvider.*onnxruntime-gpu") as error:
        pick_device("cuda")
    assert "\n" not in str(error.value)
    assert pick_device("auto").name == pick_device("cpu").name == "cpu"


def test_auto_takes_cuda_where_it_is(monkeypatch):
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    assert pick_device("auto").providers == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert pick_device("cuda").name == "cuda"
    assert pick_device("cpu").providers == ("CPUExecutionProvider",)


def test_threads_are_as_asked_for_or_all():
    assert pick_device("cpu", 3).threads == 3
    assert pick_device("cpu", 0).threads >= 1


# --- the real networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_finds_the_three_people(name):
    models = treadmill.models(name, "movenet-lightning")
    found = models.detector.detect(treadmill.half_size())
    for i, frame in enumerate(treadmill.FRAMES):
        people, truth = found.of(i), np.array(treadmill.BOXES_PX[frame])
        overlap = iou(truth, people.box_px)
        assert (overlap.max(1) > 0.7).all(), (frame, overlap)
        assert len(np.unique(overlap.argmax(1))) == 3
        others = people.score[overlap.max(0) < 0.4]  # such as the skeleton under its cloth
        assert len(others) <= 2
        if name != "nanodet":  # which also finds others, at scores like those of people
            assert people.score[overlap.argmax(1)].min() > 2 * others.max(initial=0), (frame, people.score)


def test_multipose_poses_come_with_its_people():
    people = treadmill.models("movenet-multipose", "movenet-multipose").detector.detect(treadmill.half_size(0))
    assert (people.keypoint_score.max(1) > 0.3).all()
    inside = (people.keypoints_px > people.box_px[:, None, :2] - 10) & (
        people.keypoints_px < people.box_px[:, None, 2:] + 10
    )
    assert inside.all(2).mean() > 0.95


@pytest.mark.parametrize("name", [name for name, entry in POSES.items() if "nose" in entry.skeleton.names])
def test_every_network_of_bodies_gives_plausible_poses(name):
    """All three stand: shoulders, hips, knees and ankles from top to bottom, left and right where they are."""
    models = treadmill.models("movenet-multipose", name)
    config = treadmill.config("movenet-multipose", name)
    images = treadmill.half_size(0)
    people = pose_people(images, np.array([0]), models.detector.detect(images), models, config)
    skeleton, truth = models.skeleton, np.array(treadmill.BOXES_PX[0])
    overlap = iou(truth, people.box_px)
    assert (overlap.max(1) > 0.7).all()
    for who, row in enumerate(overlap.argmax(1)):
        points, height = people.keypoints_px[row], np.ptp(truth[who, 1::2])

        def y(part, points=points):
            return points[[skeleton.index(f"left_{part}"), skeleton.index(f"right_{part}")], 1]

        for upper, lower in (("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle")):
            assert (y(lower) - y(upper) > 0.1 * height).all(), (who, upper, lower)
        assert y("ankle").max() > truth[who, 3] - 0.15 * height
        assert points[skeleton.index("nose"), 1] < y("shoulder").min()
        assert (points > truth[who, :2] - 0.08 * height).all()
        assert (points < truth[who, 2:] + 0.08 * height).all()
        across = points[skeleton.index("left_shoulder"), 0] - points[skeleton.index("right_shoulder"), 0]
        assert across < 0 if who == treadmill.FRONT else across > 0  # she shows her back, the others face the camera
    assert (people.score[overlap.argmax(1)] > 0.35).all()
    assert (people.world_m is not None) == (name == "blazepose-heavy")


def test_blazepose_metres_are_those_of_a_person():
    models = treadmill.models("movenet-multipose", "blazepose-heavy")
    images = treadmill.half_size(0)
    keypoints, _, world, _ = models.pose.estimate(images, models.detector.detect(images))
    at = models.skeleton.index
    hips = world[:, [at("left_hip"), at("right_hip")]].mean(1)
    assert np.abs(hips).max() < 0.05
    for side in ("left", "right"):
        thigh = np.linalg.norm(world[:, at(f"{side}_hip")] - world[:, at(f"{side}_knee")], axis=1)
        assert ((thigh > 0.25) & (thigh < 0.55)).all()
    assert (world[:, at("nose"), 1] < -0.3).all()  # y points down
    assert keypoints.dtype == world.dtype == np.float32


def as_one_batch(detector, images: np.ndarray) -> People:
    """People found in one image at a time, numbered as in a batch of all."""
    singles = [detector.detect(images[i : i + 1]) for i in range(len(images))]
    return People.concat([replace(p, image=p.image + i) for i, p in enumerate(singles)])


def assert_same_bits(a: People, b: People) -> None:
    for name in ("image", "box_px", "score", "keypoints_px", "keypoint_score"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name


def test_detections_do_not_depend_on_batches_or_threads():
    """MultiPose and NanoDet, both in the default detector."""
    images = treadmill.half_size()
    alone = as_one_batch(treadmill.models(BOTH, "movenet-lightning").detector, images)
    assert len(alone) >= 12
    for threads in (1, 2):
        detector = treadmill.models(BOTH, "movenet-lightning", threads=threads).detector
        assert_same_bits(alone, detector.detect(images))


@pytest.mark.parametrize("name", ["movenet-thunder", "movenet-lightning", "blazepose-heavy"])
def test_poses_do_not_depend_on_batches_or_threads(name):
    images = treadmill.half_size()
    boxes = np.concatenate([treadmill.BOXES_PX[f] for f in treadmill.FRAMES])
    people = People.from_boxes(np.repeat(np.arange(4), 3), boxes, np.ones(12))
    runs = [
        treadmill.models("movenet-multipose", name, threads=threads, batch_people=batch).pose.estimate(images, people)
        for threads, batch in ((1, 1), (1, 5), (2, 16))
    ]
    for other in runs[1:]:
        for a, b in zip(runs[0], other, strict=True):
            assert (a is None and b is None) or a.tobytes() == b.tobytes()


EMPTY = {
    "black": np.zeros((240, 320, 3), np.uint8),
    "white": np.full((240, 320, 3), 255, np.uint8),
    "grey": np.full((200, 360, 3), 128, np.uint8),
    "sensor noise": np.random.default_rng(0).normal(100, 12, (240, 320, 3)).clip(0, 255).astype(np.uint8),
}
NETWORKS = [
    (BOTH, "movenet-thunder"),
    ("nanodet", "movenet-lightning"),
    ("movenet-multipose", "blazepose-heavy"),
    ("movenet-multipose", "movenet-multipose"),
]


def observed(image: np.ndarray, detector: str, pose: str) -> tuple[People, Observations]:
    models = treadmill.models(detector, pose)
    people = models.detector.detect(image[None])
    return people, pose_people(image[None], np.array([7]), people, models, treadmill.config(detector, pose))


@pytest.mark.parametrize(("detector", "pose"), NETWORKS)
def test_an_empty_picture_gives_no_observation(detector, pose):
    """Never a pose on the whole image, never a placeholder person."""
    for name, image in EMPTY.items():
        _, found = observed(image, detector, pose)
        assert len(found) == 0, name
        assert found.keypoints_px.shape == (0, len(treadmill.models(detector, pose).skeleton), 2)
        assert (found.world_m is not None) == (pose == "blazepose-heavy")


@pytest.mark.parametrize(("detector", "pose"), NETWORKS)
def test_clutter_gives_nobody_who_could_become_a_person(detector, pose):
    """The networks do see something in white noise or in folds of a mat; it stays below what the tracker keeps."""
    clutter = {
        "white noise 1": np.random.default_rng(1).integers(0, 256, (480, 272, 3), dtype=np.uint8),
        "white noise 3": np.random.default_rng(3).integers(0, 256, (480, 272, 3), dtype=np.uint8),
        "gradient": np.broadcast_to(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], (240, 320, 3)).copy(),
        "mat": treadmill.half_size(0)[0, 280:450, 160:],
    }
    for name, image in clutter.items():
        people, found = observed(image, detector, pose)
        assert found.score.max(initial=0) < TrackConfig().min_mean_score, name
        whole = np.array([[0, 0, *image.shape[1::-1]]])
        assert iou(whole, found.box_px).max(initial=0) < 0.9, name
        assert all(box in people.box_px.tolist() for box in found.box_px.tolist()), name  # each one was detected
