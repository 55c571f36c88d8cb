"""Networks of random weights that find people, and OpenMMLab's own calls to them, for scripts/parity.py.

Through mmdet's and mmpose's own random weights signals die out before the last layer, and nobody is found. So detectors
get others, all normalisations of pose networks the statistics of a real frame, and last layers are shifted until some
people are found.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.config import Config
from pipeline.models.detections import Detections
from pipeline.models.openmm import load
from pipeline.models.openmm.onestage import around
from pipeline.models.runtime import pick_device

LEAST = 20  # people that a network must find in all frames together, where it has a threshold
STEP = 0.1  # of the last layer's bias, up to that


def awake(scope: str, name: str, images: np.ndarray, config: Config, folder: Path) -> str:
    """CONFIG@CHECKPOINT of a network of random weights that finds people; the checkpoint is written to ``folder``."""
    import torch
    from mmpose.apis import inference_topdown

    model = their_model(scope, name, config)
    hooks = _listening(model) if scope == "mmpose" else _kaiming(model)
    if type(model).__name__ == "TopdownPoseEstimator":
        scoped(scope, lambda: inference_topdown(model, bgr(images[0]), boxes(images).of(0).box_px))
    else:
        if scope == "mmpose":  # the head of associative embedding fails without it
            model.test_cfg["flip_test"] = model.head.__class__.__name__ == "AssociativeEmbeddingHead"
        their_people(scope, model, images[:1], config.detect.score)
    for hook in hooks:
        hook.remove()
    head = getattr(model, "bbox_head", None) or model.head
    named = dict(head.named_parameters())
    last = [n for n in named if n.endswith("bias") and "convs" not in n and named[n].ndim == 1]
    sure = [named[n] for n in last if "cls" in n or "obj" in n]
    with torch.no_grad():
        for parameter in sure:
            parameter[1:] -= 3.0  # of other classes, which would fill the most that mmdet finds in a picture
    if sure and "score_thr" in model.test_cfg:
        for _ in range(200):
            if len(their_people(scope, model, images, config.detect.score)) >= LEAST:
                break
            with torch.no_grad():
                for parameter in sure:
                    parameter[0] += STEP  # of persons, the first class
    file = folder / f"{name}.pth"
    torch.save({"state_dict": model.state_dict()}, file)
    return f"{name}@{file}"


def their_model(scope: str, reference: str, config: Config) -> Any:
    """The network, loaded apart from ours, with a one-stage network's threshold where ours has it."""
    device = pick_device("cpu", config.runtime.threads)
    model = load.load(load.find(scope, reference, config), device, config).model
    if scope == "mmpose" and "score_thr" in model.test_cfg:  # else other matrix sizes make other last bits
        model.test_cfg["score_thr"] = config.detect.score
    return model


def their_people(scope: str, model: Any, images: np.ndarray, least: float) -> Detections:
    """What their calls find in images above a score, cut at the border as ours are, best first."""
    from mmdet.apis import inference_detector
    from mmpose.apis import inference_bottomup

    def ask() -> list[Any]:
        if scope == "mmdet":
            return [inference_detector(model, bgr(image)).pred_instances for image in images]
        return [inference_bottomup(model, bgr(image))[0].pred_instances for image in images]

    parts = [_people_of(i, found, least) for i, found in enumerate(scoped(scope, ask))]
    return Detections.concat(parts).clipped(*images.shape[1:3])


def _people_of(i: int, found: Any, least: float) -> Detections:
    if "labels" in found and "keypoints" not in found:
        found = found[(found.scores > least) & (found.labels == 0)]
        return Detections.from_boxes(np.full(len(found), i), found.bboxes.numpy(), found.scores.numpy())
    points, seen = np.asarray(found.keypoints, np.float32), np.asarray(found.keypoint_scores, np.float32)
    score = np.asarray(found.bbox_scores if "bbox_scores" in found else seen.mean(1), np.float32)
    box = np.asarray(found.bboxes, np.float32) if "bboxes" in found else around(points, seen.clip(0, 1))
    order = np.argsort(-score, kind="stable")
    order = order[score[order] >= least]
    return Detections(np.full(len(order), i), box[order], score[order].clip(0, 1), points[order], seen[order])


def boxes(images: np.ndarray) -> Detections:
    """Four boxes in each picture: a person's, a wide one, one that leaves the picture, a small one."""
    height, width = images.shape[1:3]
    shares = np.array([(0.1, 0.2, 0.4, 0.9), (0.2, 0.5, 0.9, 0.7), (-0.1, 0.3, 0.3, 1.1), (0.6, 0.6, 0.65, 0.75)])
    px = (shares * [width, height, width, height]).astype(np.float32)
    return Detections.from_boxes(
        np.repeat(np.arange(len(images)), 4), np.tile(px, (len(images), 1)), np.full(4 * len(images), 0.9)
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
        share = (0.1 if "reg" in name else 0.5) / (out - shift).std()
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

    from pipeline.models.openmm.load import quiet

    with DefaultScope.overwrite_default_scope(scope), quiet():
        return call()


def bgr(image: np.ndarray) -> np.ndarray:
    """As OpenMMLab reads files."""
    return np.ascontiguousarray(image[..., ::-1])
