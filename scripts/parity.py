"""Do poseline's backends say what the OpenMMLab calls say? Prints two Markdown tables; needs make openmm.

python scripts/parity.py [CLIP] [--frames 4] [--onnx-dir DIR]

1. mmdet's inference_detector and mmpose's inference_topdown and inference_bottomup against poseline's torch backend.
2. poseline's torch backend against its ONNX backend, on files that `poseline models export` makes.

Weights are random (seed 0), which changes nothing in what is compared, but through mmdet's and mmpose's own random
weights signals die out before the last layer, and nobody is found. So detectors get others, all normalisations of pose
networks the statistics of a real frame, and last layers are shifted until some people are found.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.config import Config, with_settings  # noqa: E402
from pipeline.models.base import People  # noqa: E402
from pipeline.models.registry import build_models  # noqa: E402
from pipeline.models.runtime import pick_device  # noqa: E402
from pipeline.openmm import compat, load  # noqa: E402
from pipeline.openmm.onestage import around  # noqa: E402
from pipeline.video.decode import open_reader  # noqa: E402
from pipeline.video.index import index_video  # noqa: E402

SCORE = 0.3
LEAST = 20  # people that a network must find in all frames together, where it has a threshold
DETECTORS = {
    "RTMDet nano": "rtmdet_nano_320-8xb32_coco-person",
    "RTMDet tiny": "rtmdet_tiny_8xb32-300e_coco",
    "YOLOX tiny": "yolox_tiny_8xb8-300e_coco",
}
TOP_DOWN = {
    "RTMPose t": "rtmpose-t_8xb256-420e_coco-256x192",
    "HRNet w32": "td-hm_hrnet-w32_8xb64-210e_coco-256x192",
    "SimCC ResNet-50": "simcc_res50_8xb64-210e_coco-256x192",
    "RLE ResNet-50": "td-reg_res50_rle-8xb64-210e_coco-256x192",
    "RTMPose m, whole body": "rtmpose-m_8xb64-270e_coco-wholebody-256x192",
    "RTMPose m, hand": "rtmpose-m_8xb256-210e_hand5-256x256",
    "RTMPose m, face": "rtmpose-m_8xb64-120e_lapa-256x256",
    "RTMPose m, animal": "rtmpose-m_8xb64-210e_ap10k-256x256",
}
ONE_STAGE = {
    "RTMO s": "rtmo-s_8xb32-600e_coco-640x640",
    "YOLOX-Pose tiny": "yoloxpose_tiny_4xb64-300e_coco-416",
    "AE HRNet w32": "ae_hrnet-w32_8xb24-300e_coco-512x512",
    "CID HRNet w32": "cid_hrnet-w32_8xb20-140e_coco-512x512",
}
ONNX_DETECTORS, ONNX_POSES = ("RTMDet nano", "RTMDet tiny"), ("RTMPose t", "RTMPose m, whole body", "RTMPose m, hand")


class Row(NamedTuple):
    """What one network's two ways differ by, and take."""

    points: int
    people: int
    difference_px: float
    difference_score: float
    theirs_ms: float  # per frame
    ours_ms: float


def main(
    clip: Annotated[Path, typer.Argument(exists=True)] = ROOT / "data" / "treadmill.mp4",
    frames: Annotated[int, typer.Option(min=1)] = 4,
    threads: Annotated[int, typer.Option()] = 2,
) -> None:
    """Print both tables."""
    compat.ensure()
    info = index_video(clip)
    with open_reader(info) as reader:
        images = next(reader.read(0, min(frames, len(info)), frames)).image
    config = with_settings(
        Config(), ["runtime.random_weights=0", f"runtime.threads={threads}", f"detect.score={SCORE}"]
    )
    print(f"{len(images)} frames of {clip.name}, {images.shape[2]} × {images.shape[1]}, {threads} threads\n")
    _head("OpenMMLab, ms a frame", "poseline, ms a frame")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for shown, name in DETECTORS.items():
            _line(shown, detector_row(images, config, awake("mmdet", name, images, config, folder)))
        for shown, name in TOP_DOWN.items():
            _line(shown, pose_row(images, config, awake("mmpose", name, images, config, folder)))
        for shown, name in ONE_STAGE.items():
            _line(shown, one_stage_row(images, config, awake("mmpose", name, images, config, folder)))
        print()
        _head("torch, ms a frame", "ONNX Runtime, ms a frame")
        for shown in ONNX_DETECTORS:
            file = folder / f"{DETECTORS[shown]}.pth"
            _line(shown, onnx_detector_row(images, config, f"{DETECTORS[shown]}@{file}", folder / "det.onnx"))
        for shown in ONNX_POSES:
            file = folder / f"{TOP_DOWN[shown]}.pth"
            _line(shown, onnx_pose_row(images, config, f"{TOP_DOWN[shown]}@{file}", folder / "pose.onnx"))


def _head(theirs: str, ours: str) -> None:
    print(f"| network | points | people | largest difference, px | in scores | {theirs} | {ours} |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)


def _line(name: str, row: Row) -> None:
    print(
        f"| {name} | {row.points or 'box'} | {row.people} | {row.difference_px:.1g} | {row.difference_score:.1g} "
        f"| {row.theirs_ms:.0f} | {row.ours_ms:.0f} |",
        flush=True,
    )


# --- OpenMMLab against poseline --------------------------------------------------------------------------------------


def detector_row(images: np.ndarray, config: Config, reference: str) -> Row:
    """Boxes of `mmdet.apis.inference_detector` and ours, of persons above the threshold."""
    network = build_models(with_settings(config, [f"detect.name=mmdet:{reference}"])).detector
    ours, ours_ms = timed(lambda: network.detect(images), len(images))
    model = their_model("mmdet", reference, config)
    theirs, theirs_ms = timed(lambda: their_people("mmdet", model, images), len(images))
    return Row(0, len(ours), *_differ(ours, theirs, ours.box_px, theirs.box_px), theirs_ms, ours_ms)


def pose_row(images: np.ndarray, config: Config, reference: str) -> Row:
    """Poses of `mmpose.apis.inference_topdown` and ours, in the same boxes."""
    from mmpose.apis import inference_topdown

    network = build_models(with_settings(config, [f"pose.name=mmpose:{reference}"])).pose
    assert network is not None
    people = _people(images)
    poses, ours_ms = timed(lambda: network.estimate(images, people), len(images))
    model = network.loaded.model  # type: ignore[attr-defined]

    def ask() -> list[Any]:
        return [r for i, image in enumerate(images) for r in inference_topdown(model, bgr(image), people.of(i).box_px)]

    theirs, theirs_ms = timed(lambda: scoped("mmpose", ask), len(images))
    points = np.concatenate([r.pred_instances.keypoints for r in theirs])
    score = np.concatenate([r.pred_instances.keypoint_scores for r in theirs]).clip(0, 1)
    apart = (float(np.abs(points - poses.keypoints_px).max()), float(np.abs(score - poses.score).max()))
    return Row(len(network.skeleton), len(people), *apart, theirs_ms, ours_ms)


def one_stage_row(images: np.ndarray, config: Config, reference: str) -> Row:
    """People with poses of `mmpose.apis.inference_bottomup` and ours."""
    model = their_model("mmpose", reference, config)
    if "score_thr" not in model.test_cfg:  # these have no threshold of their own, and random weights reach none
        config = with_settings(config, ["detect.score=0.0"])
    network = build_models(with_settings(config, [f"pose.name=mmpose:{reference}"])).detector
    model.test_cfg["flip_test"] = network.loaded.model.test_cfg["flip_test"]  # type: ignore[attr-defined]
    ours, ours_ms = timed(lambda: network.detect(images), len(images))
    least = config.detect.score
    theirs, theirs_ms = timed(lambda: their_people("mmpose", model, images, least), len(images))
    apart = _differ(ours, theirs, ours.keypoints_px, theirs.keypoints_px)
    return Row(len(network.skeleton), len(ours), *apart, theirs_ms, ours_ms)


def their_model(scope: str, reference: str, config: Config) -> Any:
    """The network, loaded apart from ours, whose thresholds are raised."""
    device = pick_device("cpu", config.runtime.threads)
    return load.load(load.find(scope, reference, config), device, config).model


def their_people(scope: str, model: Any, images: np.ndarray, least: float = SCORE) -> People:
    """What their calls find in images above a score, cut at the border as ours are, best first."""
    from mmdet.apis import inference_detector
    from mmpose.apis import inference_bottomup

    def ask() -> list[Any]:
        if scope == "mmdet":
            return [inference_detector(model, bgr(image)).pred_instances for image in images]
        return [inference_bottomup(model, bgr(image))[0].pred_instances for image in images]

    parts = [_people_of(i, found, least) for i, found in enumerate(scoped(scope, ask))]
    return People.concat(parts).clipped(*images.shape[1:3])


def _people_of(i: int, found: Any, least: float) -> People:
    if "labels" in found and "keypoints" not in found:
        found = found[(found.scores > least) & (found.labels == 0)]
        return People.from_boxes(np.full(len(found), i), found.bboxes.numpy(), found.scores.numpy())
    points, seen = np.asarray(found.keypoints, np.float32), np.asarray(found.keypoint_scores, np.float32)
    score = np.asarray(found.bbox_scores if "bbox_scores" in found else seen.mean(1), np.float32)
    box = np.asarray(found.bboxes, np.float32) if "bboxes" in found else around(points, seen.clip(0, 1))
    order = np.argsort(-score, kind="stable")
    order = order[score[order] >= least]
    return People(np.full(len(order), i), box[order], score[order].clip(0, 1), points[order], seen[order])


def awake(scope: str, name: str, images: np.ndarray, config: Config, folder: Path) -> str:
    """CONFIG@CHECKPOINT of a network of random weights that finds people; the checkpoint is written to ``folder``."""
    import torch
    from mmpose.apis import inference_topdown

    model = their_model(scope, name, config)
    hooks = _listening(model) if scope == "mmpose" else _kaiming(model)
    if type(model).__name__ == "TopdownPoseEstimator":
        scoped(scope, lambda: inference_topdown(model, bgr(images[0]), _people(images).of(0).box_px))
    else:
        if scope == "mmpose":  # the head of associative embedding fails without it
            model.test_cfg["flip_test"] = model.head.__class__.__name__ == "AssociativeEmbeddingHead"
        their_people(scope, model, images[:1])
    for hook in hooks:
        hook.remove()
    head = getattr(model, "bbox_head", None) or model.head
    last = [(n, p) for n, p in head.named_parameters() if n.endswith("bias") and "convs" not in n and p.ndim == 1]
    sure = [parameter for n, parameter in last if "cls" in n or "obj" in n]
    for _ in range(60):
        if not sure or "score_thr" not in model.test_cfg or len(their_people(scope, model, images)) >= LEAST:
            break
        with torch.no_grad():
            for parameter in sure:
                parameter[0] += 0.25  # of persons, the first class
    file = folder / f"{name}.pth"
    torch.save({"state_dict": model.state_dict()}, file)
    return f"{name}@{file}"


# --- torch against ONNX ----------------------------------------------------------------------------------------------


def onnx_detector_row(images: np.ndarray, config: Config, name: str, file: Path) -> Row:
    """Boxes of the torch backend and of the exported file."""
    from pipeline.openmm.export import export

    torch_net = build_models(with_settings(config, [f"detect.name=mmdet:{name}"])).detector
    export(f"mmdet:{name}", file, config)
    onnx_net = build_models(with_settings(config, [f"detect.name=onnx:{file}"])).detector
    reference, torch_ms = timed(lambda: torch_net.detect(images), len(images))
    ours, onnx_ms = timed(lambda: onnx_net.detect(images), len(images))
    return Row(0, len(ours), *_differ(ours, reference, ours.box_px, reference.box_px), torch_ms, onnx_ms)


def onnx_pose_row(images: np.ndarray, config: Config, name: str, file: Path) -> Row:
    """Poses of the torch backend and of the exported file, in the same boxes."""
    from pipeline.openmm.export import export

    torch_net = build_models(with_settings(config, [f"pose.name=mmpose:{name}"])).pose
    export(f"mmpose:{name}", file, config)
    onnx_net = build_models(with_settings(config, [f"pose.name=onnx:{file}"])).pose
    assert torch_net is not None
    assert onnx_net is not None
    people = _people(images)
    reference, torch_ms = timed(lambda: torch_net.estimate(images, people), len(images))
    ours, onnx_ms = timed(lambda: onnx_net.estimate(images, people), len(images))
    apart = np.abs(ours.keypoints_px - reference.keypoints_px).max(), np.abs(ours.score - reference.score).max()
    return Row(len(torch_net.skeleton), len(people), float(apart[0]), float(apart[1]), torch_ms, onnx_ms)


# --- both ------------------------------------------------------------------------------------------------------------


def _differ(a: People, b: People, of_a: np.ndarray, of_b: np.ndarray) -> tuple[float, float]:
    """Largest difference of values and of scores of the same people; infinite when there are not as many."""
    if len(a) != len(b):
        return float("inf"), float("inf")
    if not len(a):
        raise SystemExit("parity: nobody is found, so nothing is compared")
    return float(np.abs(of_a - of_b).max()), float(np.abs(a.score - b.score).max())


def _people(images: np.ndarray) -> People:
    """Four boxes in each picture: a person's, a wide one, one that leaves the picture, a small one."""
    height, width = images.shape[1:3]
    shares = np.array([(0.1, 0.2, 0.4, 0.9), (0.2, 0.5, 0.9, 0.7), (-0.1, 0.3, 0.3, 1.1), (0.6, 0.6, 0.65, 0.75)])
    boxes = (shares * [width, height, width, height]).astype(np.float32)
    return People.from_boxes(
        np.repeat(np.arange(len(images)), 4), np.tile(boxes, (len(images), 1)), np.full(4 * len(images), 0.9)
    )


def _listening(model: Any) -> list[Any]:
    """Make all normalisations take the statistics of what passes through them next; returns the hooks to remove."""
    from torch.nn.functional import batch_norm
    from torch.nn.modules.batchnorm import _BatchNorm

    def hook(layer: Any, inputs: tuple[Any], _: Any) -> Any:
        x, others = inputs[0], [d for d in range(inputs[0].ndim) if d != 1]
        layer.running_mean.copy_(x.mean(others))
        layer.running_var.copy_(x.var(others, unbiased=False))
        settings = layer.weight, layer.bias, False, 0.0, layer.eps
        return batch_norm(x, layer.running_mean, layer.running_var, *settings)

    return [layer.register_forward_hook(hook) for layer in model.modules() if isinstance(layer, _BatchNorm)]


def _kaiming(model: Any) -> list[Any]:
    """Give a detector weights that keep signals as large as they are, and outputs that vary by as much as makes boxes.

    Its normalisations keep still: statistics of random layers magnify the last bits ten-thousandfold in a detector's
    depth, and ONNX Runtime's would not be torch's. Returns the hooks to remove after a call.
    """
    import torch

    random = torch.Generator().manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=random)

    def hook(layer: Any, _: Any, out: Any, name: str) -> Any:
        shift = layer.bias[:, None, None]
        share = 0.5 / (out - shift).std()
        layer.weight.mul_(share)
        made = (out - shift) * share + shift
        if "reg" not in name:
            return made
        layer.bias.add_(1.3)  # sides of some strides
        return made + 1.3

    last = [(n, m) for n, m in model.bbox_head.named_modules() if isinstance(m, torch.nn.Conv2d) and m.bias is not None]
    return [module.register_forward_hook(partial(hook, name=name)) for name, module in last]


def scoped(scope: str, call: Callable[[], Any]) -> Any:
    """Call with the registry that the package's own calls expect."""
    from mmengine.registry import DefaultScope

    from pipeline.openmm.load import quiet

    with DefaultScope.overwrite_default_scope(scope), quiet():
        return call()


def timed(call: Callable[[], Any], frames: int) -> tuple[Any, float]:
    """The result and the milliseconds a frame of the second of two calls."""
    call()
    start = time.perf_counter()
    result = call()
    return result, 1000 * (time.perf_counter() - start) / frames


def bgr(image: np.ndarray) -> np.ndarray:
    """As OpenMMLab reads files."""
    return np.ascontiguousarray(image[..., ::-1])


if __name__ == "__main__":
    typer.run(main)
