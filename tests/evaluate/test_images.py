"""The networks on annotated photographs: two frames of the demo clip, annotated with what the network says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17, Skeleton, mapping
from pipeline.core.types import Observations
from pipeline.evaluate.images import evaluate_images
from pipeline.models.registry import Models
from pipeline.observe.poses import pose_people
from tests import laboratory

FRAMES = (0, 66)


def observe() -> Observations:
    images = laboratory.half_size(*FRAMES)
    models = laboratory.models()
    people = models.detector.detect(images)
    return pose_people(images, np.arange(len(FRAMES)), people, models, laboratory.config())


def annotations(people: Observations) -> dict[str, Any]:
    """COCO annotations that say of each image what was observed in it: the 17 points of 26 that COCO has."""
    rows, columns = [], mapping(laboratory.models().skeleton, COCO17)
    for n in range(len(people)):
        x1, y1, x2, y2 = people.box_px[n].astype(float).tolist()
        points = np.concatenate([people.keypoints_px[n, columns].astype(float), np.full((17, 1), 2.0)], 1)
        rows.append(
            {
                "id": n + 1,
                "image_id": int(people.frame[n]) + 10,
                "category_id": 1,
                "keypoints": points.ravel().tolist(),
                "num_keypoints": 17,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": 0.5 * (x2 - x1) * (y2 - y1),
                "iscrowd": 0,
            }
        )
    return {
        "images": [{"id": i + 10, "file_name": f"sub/{frame}.png"} for i, frame in enumerate(FRAMES)],
        "annotations": rows,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.names)}],
    }


def written(path: Path, truth: Any) -> Path:
    path.write_text(json.dumps(truth), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    (folder / "sub").mkdir()
    for frame, image in zip(FRAMES, laboratory.half_size(*FRAMES), strict=True):
        assert cv2.imwrite(str(folder / "sub" / f"{frame}.png"), image[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    people = observe()
    assert len(people) >= 6
    return annotations(people)


def test_a_detector_that_finds_nobody_is_named(tmp_path, images, truth):
    gt, said = written(tmp_path / "truth.json", truth), []
    config = laboratory.config()
    blind = config.model_copy(update={"detect": config.detect.model_copy(update={"score": 1.0})})
    assert evaluate_images(gt, images, blind, False, said.append)["AP"] == 0
    assert [line.partition(":")[0] for line in said] == ["nobody was found in any picture by yolox-tiny with rtmpose-s"]


def test_the_networks_own_answer_scores_one(tmp_path, images, truth):
    """The step is the one that videos go through, and image files are read as frames are."""
    scores = evaluate_images(written(tmp_path / "gt.json", truth), images, laboratory.config(), gt_boxes=False)
    for name in ("AP", "AP50", "AP75", "AR", "PCK"):
        assert scores[name] == pytest.approx(1.0), name
    assert (scores["images"], scores["people"]) == (2, len(truth["annotations"]))


def test_the_true_boxes_are_the_people(tmp_path, images, truth):
    """With true boxes everybody annotated gets a pose, wherever the detector's threshold lies, and nobody else does."""
    config = laboratory.config()
    blind = config.model_copy(update={"detect": config.detect.model_copy(update={"score": 1.0})})
    path = written(tmp_path / "gt.json", truth)
    with_boxes = evaluate_images(path, images, blind, gt_boxes=True)
    assert with_boxes["AP"] > 0.9
    assert with_boxes["AR"] > 0.9
    without = evaluate_images(path, images, blind, gt_boxes=False)
    assert without["AR"] == 0


def test_people_that_are_wrong_cost_points(tmp_path, images, truth):
    moved = json.loads(json.dumps(truth))
    points = moved["annotations"][0]["keypoints"]
    points[0::3] = [x + 60 for x in points[0::3]]
    scores = evaluate_images(written(tmp_path / "gt.json", moved), images, laboratory.config(), gt_boxes=False)
    assert 0.5 < scores["AR"] < 1


def test_images_without_people(tmp_path, images, truth):
    """Nothing in the first image is annotated; what is found there is a false alarm, not an error."""
    path = written(
        tmp_path / "gt.json", {**truth, "annotations": [a for a in truth["annotations"] if a["image_id"] == 11]}
    )
    for gt_boxes in (False, True):
        scores = evaluate_images(path, images, laboratory.config(), gt_boxes)
        assert scores["AR"] > 0.9
        assert scores["images"] == 2


def test_crowds_and_people_without_keypoints_get_no_true_box(tmp_path, images, truth):
    extra = {"image_id": 10, "category_id": 1, "keypoints": [0] * 51, "bbox": [0, 0, 0, 0], "area": 1}
    more = [
        {**extra, "id": 91, "num_keypoints": 0, "iscrowd": 0},
        {**extra, "id": 92, "num_keypoints": 5, "iscrowd": 1},
    ]
    path = written(tmp_path / "gt.json", {**truth, "annotations": [*truth["annotations"], *more]})
    scores = evaluate_images(path, images, laboratory.config(), gt_boxes=True)
    assert scores["people"] == len(truth["annotations"])


# --- errors ----------------------------------------------------------------------------------------------------------


def failure(gt: Path, folder: Path, config: Config | None = None, gt_boxes: bool = False) -> str:
    with pytest.raises(PoselineError) as error:
        evaluate_images(gt, folder, config or laboratory.config(), gt_boxes)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_image_is_named(tmp_path, truth):
    (tmp_path / "sub").mkdir()
    message = failure(written(tmp_path / "gt.json", truth), tmp_path)
    assert message == f"{tmp_path / 'sub' / '0.png'}: this image of the annotations is missing; check --images"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00\x01", b"images: []"])
def test_annotations_that_are_no_json(tmp_path, images, content):
    path = tmp_path / "gt.json"
    path.write_bytes(content)
    assert failure(path, images).startswith(f"{path}: not JSON")
    assert "gone.json: cannot be read" in failure(tmp_path / "gone.json", images)


def edited(truth: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The annotations with other parts; a change is a value, or a function of the entries' list."""
    truth = json.loads(json.dumps(truth))
    return truth | {k: v(truth[k]) if callable(v) else v for k, v in changes.items()}


@pytest.mark.parametrize(
    "changes",
    [
        {"images": 3},
        {"images": ["0.png"]},
        {"images": [{"id": 10}]},
        {"images": [{"id": 10, "file_name": None}]},
        {"images": [{"file_name": "0.png"}]},
        {"annotations": {}},
        {"annotations": lambda entries: [{**entries[0], "keypoints": [1, 2, 3]}]},
        {"annotations": lambda entries: [{k: v for k, v in entries[0].items() if k != "image_id"}]},
        {"categories": [{"id": 1, "name": "person", "keypoints": ["head", "neck"]}]},
        {"categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.names)[::-1]}]},
    ],
    ids=str,
)
def test_json_that_is_no_coco_is_said_before_any_network_runs(tmp_path, images, truth, monkeypatch, changes):
    monkeypatch.setattr("pipeline.evaluate.images.pose_people", lambda *_: pytest.fail("networks ran"))
    path = written(tmp_path / "gt.json", edited(truth, **changes))
    for gt_boxes in (False, True):
        assert failure(path, images, gt_boxes=gt_boxes).startswith(f"{path}: ")


@pytest.mark.parametrize("content", [[], "text", {"images": []}, {"annotations": []}], ids=str)
def test_json_of_another_kind(tmp_path, images, content):
    path = written(tmp_path / "gt.json", content)
    assert failure(path, images).startswith(f"{path}: not COCO keypoint annotations")


def test_a_category_of_another_number(tmp_path, images, truth):
    """Only the keypoints' category counts, whatever its number is."""
    renumbered = edited(
        truth,
        categories=lambda entries: [{"id": 1, "name": "dog"}, {**entries[0], "id": 7}],
        annotations=lambda entries: [{**a, "category_id": 7} for a in entries],
    )
    scores = evaluate_images(written(tmp_path / "gt.json", renumbered), images, laboratory.config(), False)
    assert scores["AP"] == pytest.approx(1.0)


def test_annotations_without_boxes_have_those_of_their_keypoints(tmp_path, images, truth):
    bare = edited(truth, annotations=lambda entries: [{k: v for k, v in a.items() if k != "bbox"} for a in entries])
    scores = evaluate_images(written(tmp_path / "gt.json", bare), images, laboratory.config(), gt_boxes=True)
    assert scores["AR50"] > 0.7


def one_stage_file(path: Path) -> Path:
    """An RTMO that finds nobody."""
    shapes = {"dets": [1, 3, 5], "keypoints": [1, 3, 17, 3]}
    blank = [numpy_helper.from_array(np.zeros(shape, np.float32), f"no_{name}") for name, shape in shapes.items()]
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"no_{name}"], [name]) for name in shapes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        blank,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_a_one_stage_network_needs_no_setting_but_finds_its_people_itself(tmp_path, images, truth):
    name = f"onnx:{one_stage_file(tmp_path / 'rtmo.onnx')}"
    config, gt = Config.model_validate({"pose": {"name": name}}), written(tmp_path / "gt.json", truth)
    assert evaluate_images(gt, images, config, gt_boxes=False)["AR"] == 0
    message = failure(gt, images, config, gt_boxes=True)
    assert message.startswith(f"--gt-boxes: {name} finds its people itself; choose another --pose")


def test_a_keypoint_set_without_cocos_points_is_not_scored(tmp_path, images, truth, monkeypatch):
    hands = Skeleton("hands", ("left_thumb", "right_thumb"), (), (0.1, 0.1))
    monkeypatch.setattr("pipeline.evaluate.images.build_models", lambda config: Models(None, None, hands))
    config = Config.model_validate({"pose": {"name": "hands"}})
    assert failure(written(tmp_path / "gt.json", truth), images, config) == "--pose hands: lacks COCO's nose"


def test_an_unknown_network_is_named(tmp_path, images, truth):
    message = failure(written(tmp_path / "gt.json", truth), images, Config.model_validate({"detect": {"name": "yolo"}}))
    assert "--detector yolo: no such network" in message
