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
from pipeline.evaluate.judged import Picture, judged, judged_boxes, judged_points, pictures
from pipeline.models.calibration import ScoreMap, error, error_by_chance
from pipeline.models.detections import Detections, Poses

PLAIN = Config.model_validate({"pose": {"turned": False}})
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
        who = (found.box_px[:, 0] // 50).astype(int)
        return Poses((keypoints()[who, :, :2] + np.where(right, 0, 30)[..., None]).astype(np.float32), score)


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
    found = calibrate([photographs(tmp_path, 120)], PLAIN, 1)
    for role, count in (("detector", 120 * PEOPLE), ("pose", 120 * PEOPLE * 17)):
        assert found[role]["judged"] == count
        np.testing.assert_allclose(found[role]["probability"], MEANT.probability_at, atol=0.12)
        assert found[role]["error"] < 0.07 < 0.09 < found[role]["error_raw"]
        assert 0 < found[role]["error_by_chance"] < 0.06
    assert found["detector"]["error_known"] is None
    assert found["pose"]["error_known"] < 0.02


def test_too_little_that_is_right_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "raw_models", lambda config, least: (Guesses(), None))
    with pytest.raises(PoselineError, match=r"truth\.json: fewer than 20 boxes .* give more pictures"):
        calibrate([photographs(tmp_path, 4)], PLAIN, 2)


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


def test_boxes_are_not_judged_where_a_truth_names_one_person_of_several(tmp_path, monkeypatch):
    """Other people in such photographs are found, and nothing says whether they are there."""
    gt, images = photographs(tmp_path, 30)
    told = json.loads(gt.read_text(encoding="utf-8"))
    told["annotations"] = told["annotations"][::PEOPLE]
    gt.write_text(json.dumps(told), encoding="utf-8")
    found = judged(Guesses(), Guesses(), pictures(gt, images, 1), False)
    assert found.single
    assert sum(len(part.score) for part in found.boxes) == 0
    assert sum(len(part.score) for part in found.points) == 30 * 17
    monkeypatch.setattr(room, "raw_models", lambda config, least: (Guesses(), Guesses()))
    monkeypatch.setattr(room, "scores_of", lambda config: {"detector": None, "pose": MEANT})
    lines: list[str] = []
    assert set(calibrate([(gt, images)], PLAIN, 1, lines.append)) == {"pose"}
    assert lines == [f"{gt}: names one person in each picture, maybe of several; its keypoints are judged, no boxes"]
    found = judged(Guesses(), Guesses(), pictures(gt, images, 2), False)  # 15 pictures say too little
    assert not found.single


class Lying(Guesses):
    """Sure of the points of an upright picture alone: somebody who lies is found upside down."""

    def estimate(self, images: np.ndarray, found: Detections) -> Poses:
        upright = images.shape[1] > images.shape[2]
        points = np.zeros((len(found), 17, 2), np.float32)
        box = found.box_px
        down = np.linspace(0.1, 0.9, len(COCO17)) if upright else np.full(len(COCO17), 0.5)
        along = np.full(len(COCO17), 0.5) if upright else np.linspace(0.1, 0.9, len(COCO17))
        points[..., 0] = box[:, :1] + (box[:, 2:3] - box[:, :1]) * along
        points[..., 1] = box[:, 1:2] + (box[:, 3:] - box[:, 1:2]) * down
        return Poses(points, np.full((len(found), 17), 0.9 if upright else 0.4, np.float32))


def test_whoever_lies_is_looked_at_again_as_in_runs():
    lying = picture([True])._replace(points=keypoints()[:1], area=np.full(1, 1000.0))
    assert judged_points(Lying(), lying).score.max() == pytest.approx(0.4)
    assert judged_points(Lying(), lying, True).score.max() == pytest.approx(0.9)


def test_few_true_probabilities_show_an_error_by_chance():
    stated = np.random.default_rng(1).uniform(size=4000)
    assert error_by_chance(stated[:100]) > 0.06 > 0.02 > error_by_chance(stated) > 0
    assert error_by_chance(stated) == error_by_chance(stated)
    assert error(stated, stated) == 0
