"""One contestant of `bench.py models`, in a process of its own: prints one JSON line with what it took.

python bench_models_worker.py networks FOLDER CLIP      makes the networks that all contestants run
python bench_models_worker.py NAME FOLDER CLIP          runs one contestant: see CONTESTANTS
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

DETECTOR = "rtmdet_nano_320-8xb32_coco-person"
POSE = "rtmpose-t_8xb256-420e_coco-256x192"
PEOPLE, SCORE, NMS_IOU = 4, 0.3, 0.6  # found in every frame; thresholds of every contestant
BOX_CELLS = (0.75, 1.5)  # half width and height of their boxes, in cells of 32 px


# --- the networks ----------------------------------------------------------------------------------------------------


def networks(folder: Path, clip: Path) -> dict[str, Any]:
    """Random weights see nobody, so the detector's last layer is set by hand: four boxes in every frame.

    Their scores depend on the picture and their sizes do not; all that comes before is as costly as with real weights.
    """
    import torch

    from pipeline.openmm import compat, zoo

    compat.ensure()
    from mmdet.apis import inference_detector, init_detector
    from mmengine.config import Config
    from mmpose.apis import init_model

    torch.manual_seed(0)
    det = Config.fromfile(str(zoo.find_config("mmdet", DETECTOR)))
    det.model.test_cfg.update(score_thr=SCORE, max_per_img=PEOPLE)
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
    return {"made": sorted(p.name for p in folder.iterdir())}


def with_suppression(source: Path, out: Path) -> None:
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
        constant("most", [PEOPLE], np.int64),
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


# --- contestants -----------------------------------------------------------------------------------------------------


def inferencer(folder: Path, clip: Path) -> dict[str, Any]:
    """MMPose's own: MMPoseInferencer on the video, without drawing, at its defaults but for the thresholds."""
    from pipeline.openmm import compat

    compat.ensure()
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # it knows no other way; the file is our own
    from mmpose.apis import MMPoseInferencer

    start = time.perf_counter()
    ask = MMPoseInferencer(
        pose2d=str(folder / "pose.py"),
        pose2d_weights=str(folder / "pose.pth"),
        det_model=str(folder / "det.py"),
        det_weights=str(folder / "det.pth"),
        det_cat_ids=[0],
        device="cpu",
    )
    load_s = time.perf_counter() - start
    people, frames = 0, 0
    start = time.perf_counter()
    for result in ask(str(clip), bbox_thr=SCORE, nms_thr=NMS_IOU):
        frames += 1
        people += len(result["predictions"][0])
    return _told(start, load_s, frames, people)


def rtmlib(folder: Path, clip: Path) -> dict[str, Any]:
    """rtmlib's PoseTracker on ONNX Runtime, at its defaults."""
    import cv2
    from rtmlib import Custom, PoseTracker

    start = time.perf_counter()
    solution = partial(
        Custom,
        det_class="RTMDet",
        det=str(folder / "det.onnx"),
        det_input_size=(320, 320),
        pose_class="RTMPose",
        pose=str(folder / "pose.onnx"),
        pose_input_size=(192, 256),
    )
    ask = PoseTracker(solution, backend="onnxruntime", device="cpu")
    load_s = time.perf_counter() - start
    capture, people, frames = cv2.VideoCapture(str(clip)), 0, 0
    start = time.perf_counter()
    while True:
        good, image = capture.read()
        if not good:
            break
        keypoints, _ = ask(image)
        frames += 1
        people += len(keypoints)
    return _told(start, load_s, frames, people)


def poseline(folder: Path, clip: Path, detector: str, pose: str) -> dict[str, Any]:
    """poseline run --no-render: decoding, networks, identities, smoothing, tables."""
    from importlib import import_module
    from unittest import mock

    from pipeline.config import load_config

    story, work = import_module("pipeline.run"), import_module("pipeline.engines.work")
    spent: list[float] = []
    posed: list[int] = []

    def build(config: Any) -> Any:
        start = time.perf_counter()
        models = plain_build(config)
        estimate = models.pose.estimate

        def counted(images: Any, people: Any) -> Any:
            posed.append(len(people))
            return estimate(images, people)

        models.pose.estimate = counted
        spent.append(time.perf_counter() - start)
        return models

    plain_build = work.build_models
    sets = [f"detect.name={detector}", f"pose.name={pose}", f"detect.score={SCORE}", f"detect.nms_iou={NMS_IOU}"]
    config = load_config("default", sets)
    story.run_facts(config)  # the peers have read their configs by now, too
    with tempfile.TemporaryDirectory() as out, mock.patch.object(work, "build_models", build):
        start = time.perf_counter()
        made = story.run([str(clip)], out, config, render=False)[0]
        wall = time.perf_counter() - start
        low, high = made.manifest()["frames_observed"]
    told = _told(time.perf_counter() - (wall - sum(spent)), sum(spent), high - low, sum(posed))
    return told


def _told(start: float, load_s: float, frames: int, people: int) -> dict[str, Any]:
    return {"seconds": time.perf_counter() - start, "load_s": load_s, "frames": frames, "people": people}


def poseline_torch(folder: Path, clip: Path) -> dict[str, Any]:
    """poseline with the same configs and checkpoints, in torch."""
    names = (f"mmdet:{folder}/det.py@{folder}/det.pth", f"mmpose:{folder}/pose.py@{folder}/pose.pth")
    return poseline(folder, clip, *names)


def poseline_onnx(folder: Path, clip: Path) -> dict[str, Any]:
    """poseline with the ONNX files that rtmlib runs."""
    return poseline(folder, clip, f"onnx:{folder}/det.onnx", f"onnx:{folder}/pose.onnx")


CONTESTANTS = {
    "networks": networks,
    "MMPoseInferencer": inferencer,
    "rtmlib PoseTracker": rtmlib,
    "poseline torch": poseline_torch,
    "poseline onnx": poseline_onnx,
}

if __name__ == "__main__":
    name, where, video = sys.argv[1:]
    print("RESULT " + json.dumps(CONTESTANTS[name](Path(where), Path(video))), flush=True)
