"""OKS and IoU against pycocotools, and greedy duplicate removal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.similarity import common_points, iou, iou_of_pairs, oks, oks_of_pairs, suppress_duplicates
from pipeline.core.skeleton import COCO17

SIGMAS = np.array(COCO17.sigmas)


def _people(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(0, 200, (1, 17, 2)) + rng.normal(0, 12, (n, 17, 2)), rng.uniform(0, 1, (n, 17))


def _coco_oks(truth: np.ndarray, seen: np.ndarray, area: np.ndarray, found: np.ndarray) -> np.ndarray:
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    evaluation = cocoeval.COCOeval(iouType="keypoints")
    evaluation.params.maxDets = [len(found)]
    visibility = np.where(seen, 2, 0)[..., None]
    evaluation._gts[1, 1] = [
        {"keypoints": np.concatenate([k, v], -1).ravel().tolist(), "bbox": [0, 0, 1, 1], "area": a}
        for k, v, a in zip(truth, visibility, area, strict=True)
    ]
    evaluation._dts[1, 1] = [
        {"keypoints": np.concatenate([k, np.ones((17, 1))], -1).ravel().tolist(), "score": -i}
        for i, k in enumerate(found)
    ]
    return evaluation.computeOks(1, 1).T  # (truth, found)


def test_oks_equals_pycocotools() -> None:
    rng = np.random.default_rng(0)
    a, score_a = _people(rng, 5)
    b, _ = _people(rng, 7)
    area = rng.uniform(500, 20000, 5)
    ours = oks(a, score_a, b, np.ones((7, 17)), area, SIGMAS)
    np.testing.assert_allclose(ours, _coco_oks(a, score_a >= 0.3, area, b), rtol=1e-12)


def test_iou_equals_pycocotools() -> None:
    mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(1)
    corner, size = rng.uniform(0, 100, (12, 2)), rng.uniform(1, 80, (12, 2))
    box = np.concatenate([corner, corner + size], -1)
    xywh = np.concatenate([corner, size], -1)
    np.testing.assert_allclose(iou(box[:5], box[5:]), mask.iou(xywh[:5], xywh[5:], [0] * 7), rtol=1e-12)


def test_boxes_without_area_overlap_nothing() -> None:
    assert iou(np.array([[5.0, 5, 5, 5], [9, 9, 1, 1]]), np.array([[0.0, 0, 10, 10]])).max() == 0


def test_unseen_points_do_not_matter_even_when_nan() -> None:
    rng = np.random.default_rng(2)
    a, score = _people(rng, 3)
    b = a + 3
    blank = np.where((score < 0.3)[..., None], np.nan, b)
    area = np.full(3, 5e3)
    np.testing.assert_array_equal(oks(a, score, blank, score, area, SIGMAS), oks(a, score, b, score, area, SIGMAS))


def test_too_few_common_points_is_zero_and_extra_variance_forgives() -> None:
    a, score = np.zeros((1, 17, 2)), np.zeros((1, 17))
    score[0, :2] = 1
    area = np.array([4e4])
    assert oks(a, score, a, score, area, SIGMAS)[0, 0] == 1
    assert oks(a, score, a, score, area, SIGMAS, min_points=3)[0, 0] == 0
    assert common_points(score, score)[0, 0] == 2
    ones = np.ones((1, 17))
    far = oks(a, ones, a + 40, ones, area, SIGMAS)
    assert far < 0.3 < oks(a, ones, a + 40, ones, area, SIGMAS, extra_var=np.array([1600.0]))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.floats(0.1, 20), st.floats(-500, 500))
def test_oks_ignores_where_and_how_large(seed: int, scale: float, offset: float) -> None:
    rng = np.random.default_rng(seed)
    a, score_a = _people(rng, 3)
    b, score_b = _people(rng, 4)
    area = rng.uniform(500, 20000, 3)
    moved = oks(a * scale + offset, score_a, b * scale + offset, score_b, area * scale**2, SIGMAS)
    np.testing.assert_allclose(moved, oks(a, score_a, b, score_b, area, SIGMAS), atol=1e-9)


def test_duplicates_keep_the_better_and_ties_the_first() -> None:
    rng = np.random.default_rng(3)
    person, other = rng.uniform(0, 100, (17, 2)), rng.uniform(300, 400, (17, 2))
    kp = np.stack([person, person + 1, other, other + 1, person - 1])
    seen, area = np.ones((5, 17)), np.full(5, 1e4)
    keep = suppress_duplicates(kp, seen, np.array([0.5, 0.9, 0.7, 0.7, 0.6]), area, SIGMAS, 0.7)
    assert keep.tolist() == [False, True, True, False, False]
    assert suppress_duplicates(kp[:0], seen[:0], np.zeros(0), area[:0], SIGMAS).tolist() == []


def test_duplicates_without_common_points_go_by_box() -> None:
    kp, seen = np.zeros((2, 17, 2)), np.zeros((2, 17))
    box = np.array([[0.0, 0, 100, 200], [2, 2, 100, 200]])
    score, area = np.array([0.2, 0.3]), np.full(2, 2e4)
    assert suppress_duplicates(kp, seen, score, area, SIGMAS).all()
    assert suppress_duplicates(kp, seen, score, area, SIGMAS, box=box).tolist() == [False, True]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_duplicates_do_not_depend_on_the_order(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    kp, seen = _people(rng, n)
    score, area, order = rng.uniform(size=n), np.full(n, 8e3), rng.permutation(n)
    keep = suppress_duplicates(kp, seen, score, area, SIGMAS, 0.5)
    shuffled = suppress_duplicates(kp[order], seen[order], score[order], area, SIGMAS, 0.5)
    np.testing.assert_array_equal(keep[order], shuffled)
    assert keep[np.argmax(score)]


def test_pair_by_pair_is_what_all_pairs_say() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.uniform(0, 200, (6, 17, 2)), rng.uniform(0, 200, (6, 17, 2))
    b[:3] = a[:3] + rng.normal(0, 8, (3, 17, 2))
    score_a, score_b = rng.uniform(0, 1, (6, 17)), rng.uniform(0, 1, (6, 17))
    area, extra = rng.uniform(1e3, 1e4, 6), rng.uniform(0, 200, 6)
    value, count = oks_of_pairs(a, score_a, b, score_b, area, SIGMAS, extra)
    np.testing.assert_allclose(value, np.diagonal(oks(a, score_a, b, score_b, area, SIGMAS, extra_var=extra)))
    np.testing.assert_array_equal(count, np.diagonal(common_points(score_a, score_b)))
    boxes = np.sort(rng.uniform(0, 100, (12, 2, 2)), axis=1).reshape(12, 4)
    np.testing.assert_allclose(iou_of_pairs(boxes[:6], boxes[6:]), np.diagonal(iou(boxes[:6], boxes[6:])))
