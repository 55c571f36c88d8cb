"""Exported networks answer as torch does, and carry what their users must know."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.models.detections import COCO_CLASSES, Detections
from pipeline.models.onnx import family as onnx_family
from pipeline.models.onnx.graph import graph_of
from pipeline.models.openmm import export as exporting
from pipeline.models.openmm import family, load
from pipeline.models.runtime import Device

CPU = Device(("CPUExecutionProvider",), 1)
POSE = "rtmpose-t_8xb256-420e_coco-256x192"
DETECTOR = "rtmdet_nano_320-8xb32_coco-person"


def config(**sections) -> Config:
    return Config.model_validate({"runtime": {"random_weights": 0, "threads": 1}, **sections})


def pictures(n: int) -> np.ndarray:
    """(n, 240, 320, 3) u8: coarse patterns that differ."""
    coarse = np.random.default_rng(0).integers(0, 256, (n, 12, 16, 3)).astype(np.uint8)
    return coarse.repeat(20, 1).repeat(20, 2)


@pytest.fixture(scope="module")
def pose_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pose") / "pose.onnx"
    told = exporting.export(f"mmpose:{POSE}", path, config())
    assert told["layout"] == "simcc"
    assert told["input"] == "B×3×256×192"
    return path


def test_a_pose_network_poses_as_torch_does(pose_file):
    images = pictures(2)
    boxes = np.array([(20, 30, 120, 220), (100, 10, 310, 200), (-10, -10, 60, 60)], np.float32)
    people = Detections.from_boxes(np.repeat([0, 1], 3), np.tile(boxes, (2, 1)), np.ones(6))
    torch_poses = family.build_pose(POSE, CPU, config()).estimate(images, people)
    poses = onnx_family.build_pose(str(pose_file), CPU, config()).estimate(images, people)
    assert np.ptp(poses.keypoints_px) > 50
    assert np.abs(poses.keypoints_px - torch_poses.keypoints_px).max() <= 1e-3
    assert np.abs(poses.score - torch_poses.score).max() <= 1e-3


def test_a_pose_file_notes_keypoints_and_random_weights(pose_file):
    facts = onnx_family.pose_facts(str(pose_file), config())
    theirs = family.pose_facts(POSE, config())
    assert facts.skeleton == theirs.skeleton
    assert facts.warnings == theirs.warnings
    assert not facts.one_stage


def with_boxes(network: str, path) -> str:
    """A checkpoint of random weights with large boxes and scores that differ, so that there is what to compare."""
    loaded = load.load(load.find("mmdet", network, config()), CPU, config())
    head, made = loaded.model.bbox_head, []
    classify = list(getattr(head, "rtm_cls", None) or head.multi_level_conv_cls)
    hooks = [layer.register_forward_hook(lambda _, given, out: made.append(out)) for layer in classify]
    random = torch.Generator().manual_seed(0)
    if loaded.model.data_preprocessor._enable_normalize:  # signals of small pixels die away in the many layers
        for layer in loaded.model.modules():
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=random)
    with torch.no_grad():
        for layer in getattr(head, "rtm_reg", None) or head.multi_level_conv_reg:
            layer.weight.mul_(0.1)
            layer.bias.fill_(1.3)
        for layer in getattr(head, "multi_level_conv_obj", ()):
            layer.bias.fill_(0.0)
        planes = exporting._pictures(loaded.model.data_preprocessor, 2, (320, 320))
        head(loaded.model.extract_feat(torch.from_numpy(planes)))
        for layer, out in zip(classify, made, strict=True):
            layer.weight.mul_(1 / out.std())
            layer.bias.fill_(float((layer.bias.mean() - out.mean()) / out.std()))
    for hook in hooks:
        hook.remove()
    torch.save({"state_dict": loaded.model.state_dict(), "meta": {}}, path)
    return str(path)


@pytest.mark.parametrize(("network", "layout"), [(DETECTOR, "rtmdet"), ("yolox_tiny_8xb8-300e_coco", "yolox")])
def test_a_detector_finds_the_boxes_that_torch_finds(tmp_path, network, layout):
    images, path = pictures(3), tmp_path / "a.onnx"
    network += f"@{with_boxes(network, tmp_path / 'a.pth')}"
    assert exporting.export(f"mmdet:{network}", path, config())["layout"] == layout
    # The strongest boxes are compared, above a score between two that lie apart.
    classes, overlap = (COCO_CLASSES, 0.65) if layout == "yolox" else (("person",), 0.6)
    low = config(detect={"score": 0.0, "nms_iou": overlap, "classes": classes})
    scores = np.sort(onnx_family.build_detector(str(path), CPU, low).detect(images).score)[::-1][:60]
    gap = int((scores[20:59] - scores[21:60]).argmax()) + 20
    cut = config(detect={**low.detect.model_dump(), "score": float(scores[gap] + scores[gap + 1]) / 2})
    ours = onnx_family.build_detector(str(path), CPU, cut).detect(images)
    theirs = family.build_detector(network, CPU, cut).detect(images)
    assert len(ours) == len(theirs) == gap + 1
    for i in range(len(images)):
        a, b = ours.of(i), theirs.of(i)
        a, b = a.take(np.lexsort(a.box_px.round(1).T)), b.take(np.lexsort(b.box_px.round(1).T))
        assert a.box_px == pytest.approx(b.box_px, abs=1e-3)
        assert a.score == pytest.approx(b.score, abs=1e-5)


def test_rtmo_is_one_stage_and_poses_as_torch_does(tmp_path):
    path = tmp_path / "a.onnx"
    network = "rtmo-s_8xb32-600e_coco-640x640"
    assert exporting.export(f"mmpose:{network}", path, config())["layout"] == "rtmo"
    facts = onnx_family.pose_facts(str(path), config())
    assert facts.one_stage
    assert facts.skeleton == family.pose_facts(network, config()).skeleton
    people = onnx_family.build_pose(str(path), CPU, config()).detect(pictures(1))
    assert len(people) == 0  # random weights


def test_half_precision_differs_little_and_takes_and_gives_floats(tmp_path, pose_file):
    path = tmp_path / "half.onnx"
    told = exporting.export(f"mmpose:{POSE}", path, config(), half=True)
    assert told["largest difference"].endswith("of the largest")
    assert path.stat().st_size < 0.6 * pose_file.stat().st_size
    assert graph_of("--pose", str(path)).notes["half"] is True


def test_a_file_that_differs_is_refused_and_removed(tmp_path, monkeypatch):
    written = exporting._write

    def spoilt(module, out, size, notes, reference) -> None:
        written(module, out, size, notes, reference)
        model = onnx.load(str(out))
        weight = next(w for w in model.graph.initializer if len(w.dims) == 4)
        values = onnx.numpy_helper.to_array(weight) * 1.5
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), weight.name))
        onnx.save(model, str(out))

    monkeypatch.setattr(exporting, "_write", spoilt)
    with pytest.raises(PoselineError, match="ONNX Runtime differs from torch by"):
        exporting.export(f"mmpose:{POSE}", tmp_path / "a.onnx", config())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("network", "part"),
    [
        (
            "mmpose:td-reg_res50_rle-8xb64-210e_coco-256x192",
            "RLEHead with RegressionLabel cannot be exported, only RTMDet",
        ),
        ("mmdet:faster-rcnn_r50_fpn_1x_coco", "FasterRCNN cannot be exported"),
        (f"onnx:{POSE}", "write mmpose:CONFIG@CHECKPOINT"),
        (f"mmpose:{POSE}@none.pth", "no such checkpoint none.pth"),
    ],
)
def test_what_cannot_be_exported(tmp_path, network, part):
    with pytest.raises(PoselineError, match=part) as caught:
        exporting.export(network, tmp_path / "a.onnx", config())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.onnx").exists()
