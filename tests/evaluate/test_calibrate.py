"""poseline eval calibrate: which boxes and keypoints are right, and what a fit on annotated pictures finds."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17
from pipeline.evaluate import calibrate as room
from pipeline.evaluate.calibrate import calibrate
from pipeline.evaluate.judged import Picture, judged_boxes, judged_points, pictures
from pipeline.models.calibration import ScoreMap
from pipeline.models.detections import Detections, Poses

MEANT = ScoreMap((0.02, 0.1, 0.4, 0.8, 0.95))
PEOPLE, SIZE = 4, (200, 60)  # people of a picture, and its width and height


def people() -> np.ndarray:
    """(PEOPLE, 4) boxes side by side."""
    left = 50.0 * np.arange(PEOPLE)
    return np.stack([left + 5, np.full(PEOPLE, 5.0), left + 45, np.full(PEOPLE, 55.0)], 1)


def keypoints() -> np.ndarray:
    """(PEOPLE, 17, 3): everybody's points on a line down the box."""
    box, down = people(), np.linspace(0.1, 0.9, len(COCO17))
    x = np.broadcast_to(box[:, :1] + 20, (PEOPLE, len(COCO17)))
    return np.stack([x, box[:, 1:2] + 50 * down, np.full((PEOPLE, len(COCO17)), 2.0)], -1)


class Guesses:
    """Boxes and keypoints that are right as often as `MEANT` says of their scores."""

    sessions, skeleton = (), COCO17

    def __init__(self) -> None:
        self.rng = np.random.default_rng(3)

    def _right(self, *shape: int) -> tuple[np.ndarray, np.ndarray]:
        score = self.rng.uniform(0.02, 0.98, shape)
        return score.astype(np.float32), self.rng.random(shape) < MEANT.probability(score)

    def detect(self, images: np.ndarray) -> Detections:
        score, right = self._right(PEOPLE)
        box = people().astype(np.float32)
        return Detections.from_boxes(np.zeros(PEOPLE), box + np.where(right, 0, 22)[:, None], score)

    def estimate(self, images: np.ndarray, found: Detections) -> Poses:
        score, right = self._right(len(found), len(COCO17))
        return Poses((keypoints()[..., :2] + np.where(right, 0, 30)[..., None]).astype(np.float32), score)


def photographs(folder: Path, count: int) -> tuple[Path, Path]:
    rows = []
    for image in range(count):
        cv2.imwrite(str(folder / f"{image:03}.png"), np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
        for box, points in zip(people(), keypoints(), strict=True):
            wide = [*box[:2].tolist(), 40.0, 50.0]
            row = {"id": len(rows) + 1, "image_id": image, "category_id": 1, "bbox": wide, "area": 1000.0, "iscrowd": 0}
            rows.append({**row, "keypoints": points.ravel().tolist(), "num_keypoints": 17})
    truth = {
        "images": [{"id": i, "file_name": f"{i:03}.png"} for i in range(count)],
        "annotations": rows,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.names)}],
    }
    gt = folder / "truth.json"
    gt.write_text(json.dumps(truth), encoding="utf-8")
    return gt, folder


def test_a_fit_finds_what_scores_mean_and_states_errors(tmp_path, monkeypatch):
    """Also that the second half of the pictures judges what the first half chose."""
    monkeypatch.setattr(room, "raw_models", lambda config, least: (Guesses(), Guesses()))
    monkeypatch.setattr(room, "scores_of", lambda config: {"detector": None, "pose": MEANT})
    found = calibrate([photographs(tmp_path, 120)], Config(), 1)
    for role, count in (("detector", 120 * PEOPLE), ("pose", 120 * PEOPLE * 17)):
        assert found[role]["judged"] == count
        np.testing.assert_allclose(found[role]["probability"], MEANT.probability_at, atol=0.12)
        assert found[role]["error"] < 0.07 < 0.09 < found[role]["error_raw"]
    assert found["detector"]["error_known"] is None
    assert found["pose"]["error_known"] < 0.02


def test_too_little_that_is_right_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "raw_models", lambda config, least: (Guesses(), None))
    with pytest.raises(PoselineError, match=r"truth\.json: fewer than 20 boxes .* give more pictures"):
        calibrate([photographs(tmp_path, 4)], Config(), 2)


def picture(counts: list[bool]) -> Picture:
    n = len(counts)
    image, none = np.zeros((SIZE[1], SIZE[0], 3), np.uint8), np.zeros((n, len(COCO17), 3))
    return Picture(image, people()[:n], np.array(counts), none, np.zeros(n))


def test_a_person_is_found_once_and_crowds_are_not_judged():
    box = np.concatenate([people()[[0, 0, 1]], people()[[2]] + 100]).astype(np.float32)
    found = Detections.from_boxes(np.zeros(4), box, np.array([0.5, 0.8, 0.9, 0.3]))
    judged = judged_boxes(found, picture([True, False]))
    assert judged.score.tolist() == pytest.approx([0.8, 0.5, 0.3])
    assert judged.right.tolist() == [True, False, False]


def test_points_without_labels_are_not_judged():
    assert len(judged_points(Guesses(), picture([True] * PEOPLE)).score) == 0
    labelled = picture([True] * PEOPLE)._replace(points=keypoints(), area=np.full(PEOPLE, 1000.0))
    labelled.points[0, 3:, 2] = 0
    assert len(judged_points(Guesses(), labelled).score) == 3 + (PEOPLE - 1) * 17


def test_frames_of_a_sequence_have_the_boxes_of_their_numbers(tmp_path):
    _, images = photographs(tmp_path, 5)
    gt = tmp_path / "gt.txt"
    gt.write_text("1,1,6,6,40,50,1,-1,-1,-1\n3,1,11,6,40,50,1,-1,-1,-1\n3,2,61,6,40,50,0,-1,-1,-1\n", encoding="utf-8")
    (tmp_path / "truth.json").unlink()
    shown = list(pictures(gt, _frames(images), 2))
    assert [len(p.box_px) for p in shown] == [1, 2, 0]
    assert shown[1].box_px[0].tolist() == [10, 5, 50, 55]
    assert shown[1].counts.tolist() == [True, False]


def _frames(folder: Path) -> Path:
    """The pictures alone in a folder."""
    place = folder / "frames"
    place.mkdir()
    for path in sorted(folder.glob("*.png")):
        path.rename(place / path.name)
    return place


def test_a_missing_picture_is_named(tmp_path):
    gt, images = photographs(tmp_path, 2)
    (images / "001.png").unlink()
    with pytest.raises(PoselineError, match=r"001\.png: this image of the annotations is missing"):
        list(pictures(gt, images, 1))
