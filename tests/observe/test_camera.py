"""The camera's motion, found in real pictures that are shifted, turned and zoomed by known amounts."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pipeline.core.homography import STILL, corners, jacobian, moved, of_rows, poses, similarities, travels
from pipeline.observe.camera import CameraMotion, unpacked
from pipeline.observe.found_again import joined
from pipeline.video.decode import open_reader
from pipeline.video.index import index_video
from tests import field
from tests.laboratory import CLIP

NOBODY = np.zeros((0, 4), np.float32)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    info = index_video(CLIP)
    with open_reader(info) as reader:
        image = next(reader.read(0, 1, 1)).image[0]
    return cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


def seen(picture: np.ndarray, motion: tuple[float, float, float, float]) -> np.ndarray:
    """The picture after the camera's motion, its middle part."""
    a, b, x, y = motion
    height, width = picture.shape[:2]
    turned = cv2.warpAffine(picture, np.array([[a, -b, x], [b, a, y]], float), (width, height))
    return np.ascontiguousarray(turned[200 : height - 200, 150 : width - 150])


@pytest.mark.parametrize(
    ("angle_deg", "zoom", "x", "y"), [(0, 1, 20, 0), (0, 1, -20, 6), (2, 1, 5, 5), (0, 1.03, 0, 0), (-1, 0.98, 8, -12)]
)
def test_pans_turns_and_zooms_are_found(picture, angle_deg, zoom, x, y):
    angle = np.deg2rad(angle_deg)
    motion = (zoom * np.cos(angle), zoom * np.sin(angle), x, y)
    camera = CameraMotion()
    camera.show(0, seen(picture, (1, 0, 0, 0)), NOBODY)
    camera.show(1, seen(picture, motion), NOBODY)
    np.testing.assert_array_equal(camera.motions[0], STILL)
    height, width = picture.shape[:2]
    ends = corners((width - 300, height - 400))
    cut = np.array([150.0, 200.0])
    truth = moved(ends + cut, of_rows([motion])[0]) - cut
    assert np.abs(moved(ends, camera.motions[1]) - truth).max() < 1.5


def test_a_still_camera_is_still_whatever_people_do(picture):
    a = seen(picture, (1, 0, 0, 0))
    b = a.copy()
    b[300:900, 100:500] = a[300:900, 130:530]  # somebody large moves
    noise = np.random.default_rng(0).integers(-3, 4, a.shape)
    camera = CameraMotion()
    camera.show(0, a, np.array([[100, 300, 530, 900]], np.float32))
    camera.show(1, (b + noise).clip(0, 255).astype(np.uint8), np.array([[100, 300, 530, 900]], np.float32))
    np.testing.assert_array_equal(camera.motions[1], STILL)


@pytest.mark.parametrize("far", [3, 6])
def test_whoever_is_overlooked_before_a_bare_wall_is_not_the_background(far):
    """Most corners are on somebody whom the detector did not find; the others keep their places."""
    wall = np.full((240, 320, 3), 120, np.uint8)
    for x in (40, 90, 140, 190, 240, 290):
        wall[226:234, x : x + 12] = 160
    person = np.random.default_rng(1).integers(0, 2, (8, 10, 1)).repeat(8, 0).repeat(8, 1) * 200 + 25
    camera = CameraMotion()
    for i in range(6):
        image = wall.copy()
        image[60:124, 80 + far * i : 160 + far * i] = person
        camera.show(i, image, NOBODY)
    assert all((motion == STILL).all() for motion in camera.motions)


def test_what_is_cut_goes_on_without_a_picture(picture):
    """Of a stream no picture is stored; the first motion of a part is that from the last frame of the one before."""
    frames = [seen(picture, (1, 0, 12.0 * i, 0)) for i in range(4)]
    camera, parts = CameraMotion(), []
    for start in (0, 2):
        for i in (start, start + 1):
            camera.show(i, frames[i], NOBODY)
        parts.append((start, camera.cut()))
    np.testing.assert_allclose(joined(parts, 4)[:, 0, 2], [0, 12, 12, 12], atol=0.5)
    assert not any("edges" in text or "keys" in text for _, text in parts)
    assert camera.cut() == ""


def test_nobody_can_be_recognised_in_what_is_stored(picture):
    """Of boxes, those of faint people too, hardly any detail is left, in both of the pictures; elsewhere all of it."""
    frame = seen(picture, (1, 0, 0, 0))
    boxes, faint = np.array([[100, 200, 260, 700]], np.float32), np.array([[500, 300, 620, 700]], np.float32)
    camera, plain = CameraMotion(), CameraMotion()
    for i in range(30):  # missed in some frames
        camera.show(i, frame, NOBODY if i in (0, 29) else boxes, NOBODY if i in (0, 29) else faint)
        plain.show(i, frame, NOBODY)
    scale = camera._scale
    for hidden, whole in zip(*(json.loads(c.stored())["edges"] for c in (camera, plain)), strict=True):
        (now, free), (before, _) = unpacked(hidden), unpacked(whole)
        for x1, y1, x2, y2 in (np.concatenate([boxes, faint]) * scale).round().astype(int):
            part = np.s_[y1:y2, x1:x2]
            assert np.diff(now[part].astype(float)).std() < 0.35 * np.diff(before[part].astype(float)).std()
            assert not free[part].any()
        far = np.s_[:, round(700 * scale) :]
        assert np.abs(now[far].astype(int) - before[far]).mean() < 3


def test_a_picture_without_anything_in_it_stands_still():
    camera = CameraMotion()
    for i, level in enumerate((0, 90, 200)):
        camera.show(i, np.full((120, 160, 3), level, np.uint8), NOBODY)
    np.testing.assert_array_equal(camera.motions, [STILL] * 3)


def stored(frames: list[np.ndarray], numbers: range | list[int]) -> str:
    """What a chunk stores of the frames that decode."""
    camera = CameraMotion()
    for number in numbers:
        camera.show(number, frames[number], NOBODY)
    return camera.stored()


def test_chunks_are_joined_as_if_they_had_been_one(picture):
    frames = [seen(picture, (1, 0, 12.0 * i, 0)) for i in range(6)]
    whole = CameraMotion()
    for i, frame in enumerate(frames):
        whole.show(i, frame, NOBODY)
    parts = [(start, stored(frames, range(start, start + 3))) for start in (0, 3)]
    motions = joined(parts, 6)
    np.testing.assert_allclose(motions[:, 0, 2], [0, 12, 12, 12, 12, 12], atol=0.5)
    np.testing.assert_allclose(motions[:, :2], np.array(whole.motions)[:, :2], atol=0.3)
    np.testing.assert_array_equal(joined([(0, ""), (3, parts[1][1])], 6)[:4], [STILL] * 4)


def test_frames_that_do_not_decode_leave_the_motion_where_it_was(picture):
    frames = [seen(picture, (1, 0, 8.0 * max(i - 4, 0), 0)) for i in range(12)]  # a pan into the frames from 5 on
    parts = [(0, stored(frames, [3, 4, 5, 8])), (9, ""), (10, stored(frames, [11]))]
    truth = np.zeros(12)
    truth[[5, 8, 11]] = 8, 24, 24
    np.testing.assert_allclose(joined(parts, 12)[:, 0, 2], truth, atol=0.5)


def test_parts_without_frame_numbers_are_read(picture):
    frames = [seen(picture, (1, 0, 12.0 * i, 0)) for i in range(4)]
    parts = []
    for start in (0, 2):
        part = json.loads(stored(frames, range(start, start + 2)))
        del part["frames"]
        parts.append((start, json.dumps(part)))
    np.testing.assert_allclose(joined(parts, 4)[:, 0, 2], [0, 12, 12, 12], atol=0.5)


def test_similarities_of_earlier_versions_are_read():
    text = json.dumps({"frames": [0, 1], "motions": [[1.0, 0.0, 0.0, 0.0], [1.1, 0.2, 5.0, -3.0]], "scale": 0.5})
    motions = joined([(0, text)], 3)
    np.testing.assert_allclose(motions[1], [[1.1, -0.2, 5], [0.2, 1.1, -3], [0, 0, 1]])
    np.testing.assert_array_equal(motions[[0, 2]], [STILL] * 2)


def test_a_similarity_is_its_own_nearest_one_and_poses_lead_back():
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 1000, (5, 2))
    motions = of_rows([[1, 0, 0, 0], [1.02, 0.03, 5, -7], [0.97, -0.01, -3, 2]])
    np.testing.assert_allclose(similarities(motions, (1280, 720)), motions, atol=1e-9)
    forth = moved(moved(points, motions[1]), motions[2])
    np.testing.assert_allclose(moved(forth, poses(motions)[2]), points)
    np.testing.assert_allclose(jacobian(points, motions[1]), np.broadcast_to(motions[1][:2, :2], (5, 2, 2)))


def test_a_pose_begins_afresh_with_a_shot():
    motions = of_rows([[1, 0, 0, 0], [1, 0, 5, 0], [1, 0, 0, 0], [1, 0, 3, 0]])
    np.testing.assert_allclose(poses(motions, [2])[:, 0, 2], [0, -5, 0, -3])


@pytest.mark.parametrize(
    ("steps", "far"), [([30.0], True), ([9.0] * 5, True), ([-30.0, 30.0], True), ([9.0, -9.0] * 5, False)]
)
def test_a_camera_travels_when_it_carries_the_picture_away(steps, far):
    motions = np.tile(STILL, (len(steps) + 1, 1, 1))
    motions[1:, 0, 2] = steps
    assert travels(motions, (1280, 720), 0.02) == far
    assert not travels(np.tile(STILL, (9, 1, 1)), (1280, 720), 0.02)


@pytest.mark.parametrize("chunk", [64, 1000])
def test_a_camera_that_turns_and_zooms_to_and_fro_does_not_drift(chunk):
    """However the video is cut into chunks, each place is found within 1 % of the picture's width."""
    times, rng = np.arange(0, 18, 1 / 9), np.random.default_rng(0)
    ground, parts = field.texture(), []
    for start in range(0, len(times), chunk):
        camera = CameraMotion()
        for i in range(start, min(start + chunk, len(times))):
            camera.show(i, field.picture(ground, times[i], rng), NOBODY)
        parts.append((start, camera.stored()))
    found = poses(joined(parts, len(times)))
    some = corners(field.SIZE) * 0.6 + np.array(field.SIZE) * 0.2
    off = [
        np.abs(moved(moved(some, field.motion(t, 0)), np.linalg.inv(found[i])) - some).max()
        for i, t in enumerate(times)
    ]
    assert max(off) < 0.01 * field.SIZE[0]


def test_writing_on_the_picture_is_not_the_background():
    """A clock and a logo, with more contrast than the ground behind them, keep their places while the camera pans."""
    rng, ground = np.random.default_rng(0), (field.texture() * 0.08 + 90).astype(np.uint8)
    camera, times = CameraMotion(), np.arange(3.0, 4.5, 0.1)
    for i, t in enumerate(times):
        image = field.picture(ground, t, rng)
        for text, at, size in (('9"98', (5, 40), 1.4), ("LIVE TV", (270, 215), 1.0), ("EUROPE 2", (10, 215), 0.8)):
            cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 3)
        camera.show(i, image, NOBODY)
    middle = np.array(field.SIZE) / 2
    truth = moved(middle, field.motion(times[0], times[-1])) - middle
    assert np.hypot(*truth) > 40
    assert np.abs(moved(middle, np.linalg.inv(poses(np.array(camera.motions))[-1])) - middle - truth).max() < 4
