"""People of a batch of pictures, and suppression of those found twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.detections import Detections, Poses, suppress


def people_of(*boxes: tuple[float, float, float, float], image: int = 0) -> Detections:
    n = len(boxes)
    return Detections.from_boxes(np.full(n, image), np.array(boxes, np.float32).reshape(n, 4), np.full(n, 0.8))


def test_clipped_boxes_stay_in_the_picture_and_empty_ones_go():
    people = people_of((-20, -5, 50, 60), (300, 10, 400, 90), (320, 0, 380, 50), (-30, 20, 0.5, 40), (10, 10, 20, 20))
    out = people.clipped(100, 320)
    np.testing.assert_array_equal(out.box_px, [[0, 0, 50, 60], [300, 10, 320, 90], [10, 10, 20, 20]])


def test_people_are_sorted_by_image_and_found_by_it():
    joined = Detections.concat(
        [people_of((0, 0, 2, 2), image=1), people_of((0, 0, 3, 3)), people_of((0, 0, 4, 4), image=1)]
    )
    assert joined.image.tolist() == [0, 1, 1]
    assert joined.of(1).box_px[:, 2].tolist() == [2, 4]
    assert len(joined.of(2)) == len(Detections.empty()) == len(Detections.concat([])) == 0


def test_rows_of_poses_and_people_elsewhere():
    poses = Poses(np.arange(12.0).reshape(2, 3, 2), np.ones((2, 3)))
    assert poses.take(np.array([1])).keypoints_px[0, 0].tolist() == [6, 7]
    assert poses.take(np.array([1])).certainty is None
    assert poses._replace(certainty=np.array([0.2, 0.4])).take(np.array([False, True])).certainty.tolist() == [0.4]
    moved = people_of((0, 0, 2, 2), (0, 0, 4, 4)).placed(np.array([[1.0, 1, 3, 3], [5, 5, 9, 9]]))
    assert moved.box_px.tolist() == [[1, 1, 3, 3], [5, 5, 9, 9]]
    assert moved.box_px.dtype == np.float32


@given(
    st.lists(st.tuples(*[st.integers(0, 12)] * 4, st.integers(0, 5)), max_size=12),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
@settings(max_examples=60, deadline=None)
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
