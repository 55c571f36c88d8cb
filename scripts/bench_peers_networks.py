"""The networks that every contestant of `bench.py peers` runs: RTMDet-nano and RTMPose-t, random weights, seeded.

python bench_peers_networks.py make FOLDER CLIP PEOPLE      configs and checkpoints
python bench_peers_networks.py wrap RAW.onnx OUT.onnx PEOPLE      a detector's file with suppression inside
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

DETECTOR = "rtmdet_nano_320-8xb32_coco-person"
POSE = "rtmpose-t_8xb256-420e_coco-256x192"
SCORE, NMS_IOU = 0.3, 0.6  # thresholds of every contestant
BOX_CELLS = (0.75, 1.5)  # half width and height of their boxes, in cells of 32 px


def networks(folder: Path, clip: Path, people: int) -> None:
    """Random weights see nobody, so the detector's last layer is set by hand: so many boxes in every frame.

    Their scores depend on the picture and their sizes do not; all that comes before is as costly as with real weights.
    """
    import torch

    from pipeline.models.openmm import compat, zoo

    compat.ensure()
    from mmdet.apis import inference_detector, init_detector
    from mmengine.config import Config
    from mmpose.apis import init_model

    torch.manual_seed(0)
    det = Config.fromfile(str(zoo.find_config("mmdet", DETECTOR)))
    det.model.test_cfg.update(score_thr=SCORE, max_per_img=people)
    det.model.test_cfg.nms.iou_threshold = NMS_IOU
    det.dump(str(folder / "det.py"))
    model = init_detector(det, None, device="cpu")
    head = model.bbox_head
    seen: list[torch.Tensor] = []
    hook = head.rtm_cls[2].register_forward_hook(lambda module, given, out: seen.append(out))
    with torch.no_grad():
        for level in range(3):
            head.rtm_reg[level].weight.zero_()
            head.rtm_reg[level].bias.copy_(torch.tensor(BOX_CELLS * 2))
            if level < 2:
                head.rtm_cls[level].weight.zero_()
                head.rtm_cls[level].bias.fill_(-20)
        head.rtm_cls[2].bias.zero_()
        inference_detector(model, _first_frame(clip))
        spread = 0.3 / seen[0].std()
        head.rtm_cls[2].weight.mul_(spread)
        head.rtm_cls[2].bias.fill_(1.4 - float(seen[0].mean() * spread))
    hook.remove()
    _save(model, folder / "det.pth")
    pose = Config.fromfile(str(zoo.find_config("mmpose", POSE)))
    pose.model.backbone.init_cfg = None
    pose.dump(str(folder / "pose.py"))
    _save(init_model(pose, None, device="cpu"), folder / "pose.pth")


def with_suppression(source: Path, out: Path, people: int) -> None:
    """A detector's file with suppression inside, as mmdeploy writes it and rtmlib reads it: dets (1, N, 5), labels."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(source))
    graph = model.graph
    boxes, scores = (next(o.name for o in graph.output if o.name == name) for name in ("boxes", "scores"))

    def constant(name: str, values: Any, dtype: Any) -> str:
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def node(kind: str, given: list[str], made: str, **options: Any) -> str:
        graph.node.append(helper.make_node(kind, given, [made], **options))
        return made

    turned = node("Transpose", [scores], "by_class", perm=[0, 2, 1])  # (1, C, N)
    limits = [
        constant("most", [people], np.int64),
        constant("overlap", [NMS_IOU], np.float32),
        constant("least", [SCORE], np.float32),
    ]
    chosen = node("NonMaxSuppression", [boxes, turned, *limits], "chosen")  # (n, 3) image, class, box
    which = node("Gather", [chosen, constant("third", 2, np.int64)], "which", axis=1)  # (n,)
    kept = node("Gather", [boxes, which], "kept_boxes", axis=1)
    sure = node("Gather", [scores, which], "kept_scores", axis=1)
    best = node("ReduceMax", [sure], "best", axes=[2], keepdims=1)
    node("Concat", [kept, best], "dets", axis=2)
    node("Unsqueeze", [node("Gather", [chosen, constant("second", 1, np.int64)], "class", axis=1),
                       constant("front", [0], np.int64)], "labels")  # fmt: skip
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("dets", TensorProto.FLOAT, [1, None, 5]))
    graph.output.append(helper.make_tensor_value_info("labels", TensorProto.INT64, [1, None]))
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    del model.metadata_props[:]  # rtmlib's files have none
    onnx.checker.check_model(model)
    onnx.save(model, str(out))


def _save(model: Any, path: Path) -> None:
    import torch

    torch.save({"state_dict": model.state_dict(), "meta": {"dataset_meta": dict(model.dataset_meta or {})}}, path)


def _first_frame(clip: Path) -> Any:
    import cv2

    capture = cv2.VideoCapture(str(clip))
    good, image = capture.read()
    capture.release()
    if not good:
        raise SystemExit(f"{clip}: cannot be read")
    return image


if __name__ == "__main__":
    what, source, target, people = sys.argv[1:]
    {"make": networks, "wrap": with_suppression}[what](Path(source), Path(target), int(people))
