"""Where numbers of ONNX networks come from: the size of the input, places between bins, persons mirrored too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.keypoint_sets import HALPE26
from pipeline.models.detections import Detections
from pipeline.models.embedded import body as embedded
from pipeline.models.onnx.input import STEP, size_for
from pipeline.models.onnx.simcc import CPU_BATCH, both_ways, refined_simcc, simcc
from pipeline.models.runtime import pick_device
from tests import laboratory

SIDE = st.integers(1, 8000)

# --- the size of the input -------------------------------------------------------------------------------------------


@given(SIDE, SIDE, st.none() | st.integers(4096, 1 << 22))
def test_sides_are_whole_steps_and_turn_with_the_picture(height, width, pixels):
    w, h = size_for(height, width, pixels)
    assert w % STEP == h % STEP == 0
    assert min(w, h) >= STEP
    assert size_for(width, height, pixels) == (h, w)


@given(st.integers(100, 4000), st.floats(0.4, 2.5), st.integers(100_000, 2_000_000))
def test_the_input_has_about_so_many_pixels_in_the_pictures_shape(height, shape, pixels):
    width = round(height * shape)
    w, h = size_for(height, width, pixels)
    assert (w * h) == pytest.approx(pixels, rel=0.25)
    assert w / h == pytest.approx(width / height, rel=0.25)
    side = (pixels / (width * height)) ** 0.5
    assert abs(w - width * side) <= STEP / 2
    assert abs(h - height * side) <= STEP / 2


@given(st.integers(64, 2000), st.integers(64, 2000), st.floats(1, 4))
def test_larger_pictures_get_more_pixels_but_not_in_proportion(height, width, times):
    w, h = size_for(height, width)
    more_w, more_h = size_for(round(height * times), round(width * times))
    assert more_w >= w - STEP
    assert more_h >= h - STEP
    assert more_w * more_h <= 1.3 * times**2 * w * h + STEP**2


def test_sizes_of_usual_videos():
    assert size_for(480, 640) == (512, 384)
    assert size_for(1080, 1920) == (672, 384)
    assert size_for(1920, 1080) == (384, 672)
    assert size_for(1080, 1920, 65536) == (352, 192)


# --- between the bins ------------------------------------------------------------------------------------------------


def bins(centre: float, n: int, sigma: float) -> np.ndarray:
    return np.exp(-((np.arange(n) - centre) ** 2) / (2 * sigma**2)).astype(np.float32)


@given(st.floats(2, 93), st.floats(2, 125), st.floats(1.5, 6), st.floats(0.05, 1))
@settings(deadline=None)
def test_the_top_of_a_bump_is_found_between_the_bins(x, y, sigma, height):
    """RTMPose is trained on Gaussians of some bins' width; whole bins are off by up to a half."""
    out = {"simcc_x": height * bins(x, 96, sigma)[None, None], "simcc_y": bins(y, 128, sigma)[None, None]}
    size = (48, 64)  # two bins a pixel
    point, score = refined_simcc(out, size)
    np.testing.assert_allclose(2 * point[0, 0], [x, y], atol=0.03)
    assert score[0, 0] == out["simcc_x"].max()
    whole, same = simcc(out, size)
    np.testing.assert_array_equal(same, score)
    np.testing.assert_array_equal(2 * whole[0, 0], [out["simcc_x"].argmax(), out["simcc_y"].argmax()])
    assert np.abs(point - whole).max() <= 0.25 + 1e-6


@pytest.mark.parametrize("at", [0, 95])
def test_at_the_border_and_on_plateaus_a_place_is_the_bin(at):
    x = np.zeros((1, 2, 96), np.float32)
    x[0, 0, at] = 1.0
    x[0, 1, 40:43] = 0.7  # flat: the first of them, half a bin at most further
    point, _ = refined_simcc({"simcc_x": x, "simcc_y": np.ones((1, 2, 128), np.float32)}, (48, 64))
    assert 2 * point[0, 0, 0] == at
    assert 40 <= 2 * point[0, 1, 0] <= 40.5
    assert np.isfinite(point).all()


def test_what_neither_axis_knows_is_nowhere():
    nothing = {"simcc_x": np.zeros((1, 1, 96), np.float32), "simcc_y": np.zeros((1, 1, 128), np.float32)}
    point, score = refined_simcc(nothing, (48, 64))
    assert point.tolist() == [[[-0.5, -0.5]]]
    assert score.tolist() == [[0]]


# --- mirrored too ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_px", [1, 2, 3])
def test_bins_of_the_mirror_image_are_turned_back(per_px):
    """Pixel i is pixel w - 1 - i of the mirror image, and left is right."""
    width, flip = 12, np.array([0, 2, 1])
    x, y = (np.stack([bins(c, n, 1.0) for c in at]) for n, at in ((12 * per_px, (5, 14, 8)), (20, (3, 4, 5))))
    x[:, 0] = 0  # bin 0 is in no other picture's bins
    last = per_px * (width - 1)
    mirrored = np.zeros_like(x)
    for b in range(last + 1):
        mirrored[flip, last - b] = x[:, b]
    x[:, last + 1 :] = 0
    out = both_ways(
        {"simcc_x": x[None], "simcc_y": y[None]}, {"simcc_x": mirrored[None], "simcc_y": y[None, flip]}, flip, width
    )
    np.testing.assert_allclose(out["simcc_x"][0], x, atol=1e-7)
    np.testing.assert_allclose(out["simcc_y"][0], y, atol=1e-7)


def test_heatmaps_of_the_mirror_image_are_turned_back():
    maps, flip = np.random.default_rng(0).random((2, 3, 8, 6)).astype(np.float32), np.array([1, 0, 2])
    mirrored = maps[:, flip, :, ::-1]
    out = both_ways({"heatmap": maps}, {"heatmap": mirrored}, flip, 24)
    np.testing.assert_array_equal(out["heatmap"], maps)


def flipping(flip_test: bool, batch: int = 16):
    config = laboratory.config(batch_people=batch)
    pose = config.pose.model_copy(update={"flip_test": flip_test})
    return embedded.pose(pick_device("cpu", 1), config.model_copy(update={"pose": pose}))


def test_a_mirrored_picture_has_the_mirrored_pose_with_the_flip_test():
    """To about a hundredth of a pixel, where one look alone is off by more."""
    images = laboratory.half_size(0)
    box = np.array(laboratory.BOXES_PX[0], np.float32)
    width = images.shape[2]
    # The middle of the crop is the corner of a pixel, hence the crop's pixel by which the mirror image lies elsewhere.
    shift = 1.25 * (box[:, 3:] - box[:, 1:2]) / 256
    other = np.concatenate(
        [width - 1 - box[:, 2:3] + shift, box[:, 1:2], width - 1 - box[:, 0:1] + shift, box[:, 3:]], 1
    )
    apart = {}
    for flip_test in (False, True):
        network = flipping(flip_test)
        a = network.estimate(images, Detections.from_boxes(np.zeros(3), box, np.ones(3)))
        b = network.estimate(
            np.ascontiguousarray(images[:, :, ::-1]), Detections.from_boxes(np.zeros(3), other, np.ones(3))
        )
        back = b.keypoints_px[:, HALPE26.flip] * [-1, 1] + [width - 1, 0]
        apart[flip_test] = np.linalg.norm(back - a.keypoints_px, axis=2)
    assert np.median(apart[True]) < 0.05
    assert np.median(apart[False]) > 0.2


def test_the_flip_test_does_not_depend_on_batches_and_asks_twice():
    images = laboratory.half_size(0, 66)
    boxes = np.concatenate([laboratory.BOXES_PX[f] for f in (0, 66)])
    people = Detections.from_boxes(np.repeat([0, 1], 3), boxes, np.ones(6))
    made = []
    for batch in (1, 4, 16):
        network = flipping(True, batch)
        made.append(network.estimate(images, people))
        assert network.sessions[0].calls == 2 * -(-6 // min(batch, CPU_BATCH))
    for poses in made[1:]:
        assert poses.keypoints_px.tobytes() == made[0].keypoints_px.tobytes()
        assert poses.score.tobytes() == made[0].score.tobytes()
    plain = flipping(False).estimate(images, people)
    away = np.linalg.norm(plain.keypoints_px - made[0].keypoints_px, axis=2)
    assert 0 < np.median(away) < 1.5
