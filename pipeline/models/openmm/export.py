"""Exports OpenMMLab networks to verified ONNX files, which ``onnx:`` and rtmlib run.

Inputs are planes as the network's preprocessor makes them; layouts are in `pipeline.models.openmm.graphs`. Beside
the graph a file holds notes that its users need: pixel values, crop, keypoint set, classes.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.models.onnx.graph import NOTE
from pipeline.models.openmm import compat, load
from pipeline.models.openmm.load import Loaded, Reference
from pipeline.models.openmm.meta import skeleton
from pipeline.models.runtime import Session, pick_device

OPSET = 17
TOLERANCE = 1e-3  # largest error of an output in px or score, and as a share of the largest output
HALF_TOLERANCE = 0.02  # the same share in half precision
BATCHES = (1, 3)  # batch sizes that ONNX Runtime and torch are compared on
KNOWN = "RTMDet, YOLOX, SimCC networks such as RTMPose, heatmap networks, RTMO"


def export(reference: str, out: Path, config: Config, half: bool = False) -> dict[str, Any]:
    """Write the network ``mmpose:CONFIG@CHECKPOINT`` or ``mmdet:…`` to an ONNX file, and verify it.

    ``half`` stores weights in half precision; inputs and outputs stay f32. Returns file, layout, input size and the
    maximum difference between ONNX Runtime and torch. Raises PoselineError, and leaves no file, for a network that
    cannot be exported or whose outputs differ.
    """
    scope, colon, rest = reference.partition(":")
    if not colon or scope not in load.OPTION:
        raise PoselineError(f"models export {reference}: write mmpose:CONFIG@CHECKPOINT or mmdet:CONFIG@CHECKPOINT")
    compat.ensure()
    import torch

    found = load.find(scope, rest, config, f"models export {scope}:")
    device = pick_device("cpu", config.runtime.threads)
    loaded = load.load(found, device, config)
    notes = _notes(found, loaded, half)
    layout, size = notes["layout"], tuple(notes["input"]["size"])
    if half and layout == "rtmo":
        raise PoselineError(f"models export {reference} --half: RTMO is exported in full precision only; leave it out")
    module = _module(loaded.model, layout, size, torch.float32)
    pictures = [_pictures(loaded.model.data_preprocessor, b, size) for b in BATCHES]
    if layout == "rtmo":
        threshold = module.least
        module.least = module.cut(torch.from_numpy(pictures[-1]))  # the usual threshold leaves no boxes in noise
    wanted = [_answers(module, planes) for planes in pictures]
    if half:
        loaded.model.half()
        module = _module(loaded.model, layout, size, torch.float16)
    part = out.with_name(out.name + ".part")  # only a verified file gets the given name
    try:
        _write(module, part, size, notes, reference)
        difference, share = _verified(Session(part, device), pictures, wanted, half, reference)
        if layout == "rtmo":
            _set_threshold(part, threshold)
        part.replace(out)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PoselineError(f"--out {out}: cannot be written ({reason}); name a file in another folder") from error
    finally:
        part.unlink(missing_ok=True)
    return {
        "file": str(out),
        "layout": layout,
        "input": f"B×3×{size[1]}×{size[0]}",
        "largest difference": f"{difference:.1e}, {share:.1e} of the largest",
    }


# --- what is exported ------------------------------------------------------------------------------------------------


def _notes(found: Reference, loaded: Loaded, half: bool) -> dict[str, Any]:
    """The notes of the file: layout, pixel values, crop, keypoint set, classes."""
    preprocessor = loaded.model.data_preprocessor
    layout = _layout(found, loaded)
    notes: dict[str, Any] = {
        "layout": layout,
        "network": found.config_file.stem,
        "digests": found.digests,
        "warnings": list(found.warnings),
        "half": half,
        "input": {
            **_geometry(found, loaded, layout),
            "mean": _values(preprocessor, "mean", 0.0),
            "std": _values(preprocessor, "std", 1.0),
            "rgb": bool(preprocessor._channel_conversion),
        },
    }
    if found.scope == "mmdet":
        notes["classes"] = [str(name) for name in loaded.meta.get("classes") or ()]
    else:
        notes["skeleton"] = skeleton(loaded.meta).spec()
    return notes


def _values(preprocessor: Any, name: str, default: float) -> list[float]:
    if not preprocessor._enable_normalize:
        return [default] * 3
    # Rounded to the seven digits of a f32, as the config writes them.
    return [float(f"{float(v):.7g}") for v in getattr(preprocessor, name).flatten()]


def _layout(found: Reference, loaded: Loaded) -> str:
    """The layout that the network's head has. PoselineError for an unknown head."""
    model, settings = loaded.model, loaded.config.model
    head = str((settings.get("bbox_head") or settings.get("head") or {}).get("type", settings.type)).rsplit(".")[-1]
    if found.scope == "mmdet":
        for layout, kind in (("rtmdet", "RTMDet"), ("yolox", "YOLOX")):
            if head.startswith(kind) and "Ins" not in head and "Rotated" not in head:
                return layout
    elif head == "RTMOHead":
        return "rtmo"
    elif settings.type == "TopdownPoseEstimator" and not model.test_cfg.get("output_keypoint_indices"):
        codec = type(model.head.decoder).__name__ if getattr(model.head, "decoder", None) else ""
        if codec == "SimCCLabel" and not model.head.decoder.use_dark:
            return "simcc"
        if codec == "MSRAHeatmap" and not model.head.decoder.unbiased:
            return "heatmap"
        head = f"{head} with {codec}" if codec else head
    raise PoselineError(
        f"models export {found.scope}:{found.config_file.stem}: {head} cannot be exported, only {KNOWN}"
    )


def _geometry(found: Reference, loaded: Loaded, layout: str) -> dict[str, Any]:
    """Size (w, h) of the input, and how crops are cut."""
    data = loaded.config.test_dataloader.dataset
    while "pipeline" not in data and "dataset" in data:  # data sets wrapped into others
        data = data.dataset
    steps = {str(step["type"]).rsplit(".")[-1]: step for step in data.pipeline}
    if layout in ("rtmdet", "yolox") and "Resize" in steps:
        return {"size": [int(v) for v in steps.get("Pad", {}).get("size") or steps["Resize"]["scale"]]}
    if layout == "rtmo" and "BottomupResize" in steps:
        return {"size": [int(v) for v in steps["BottomupResize"]["input_size"]]}
    if layout in ("simcc", "heatmap") and "TopdownAffine" in steps and "GetBBoxCenterScale" in steps:
        affine = steps["TopdownAffine"]
        return {
            "size": [int(v) for v in affine["input_size"]],
            "udp": bool(affine.get("use_udp", False)),
            "padding": float(steps["GetBBoxCenterScale"].get("padding", 1.25)),
        }
    raise PoselineError(f"{found.config_file}: cannot be exported: its test pipeline does not tell the input's size")


def _module(model: Any, layout: str, size: tuple[int, ...], dtype: Any) -> Any:
    from pipeline.models.openmm import graphs

    w, h = size
    if layout in ("simcc", "heatmap"):
        return graphs.Points(model, layout, dtype).eval()
    return (graphs.PosedPeople if layout == "rtmo" else graphs.Boxes)(model, (w, h), dtype).eval()


# --- writing and verifying -------------------------------------------------------------------------------------------


def _write(module: Any, out: Path, size: tuple[int, ...], notes: dict[str, Any], reference: str) -> None:
    """The graph with its notes. Batches are free, and so is RTMO's number of people."""
    import onnx
    import torch

    out.parent.mkdir(parents=True, exist_ok=True)
    free: dict[str, dict[int, str]] = {"input": {0: "batch"}, **{name: {0: "batch"} for name in module.names}}
    if "image" in module.names:
        free = {"input": {0: "batch"}, "dets": {1: "people"}, "keypoints": {1: "people"}, "image": {0: "people"}}
    blank = torch.zeros(2, 3, size[1], size[0])
    try:
        with warnings.catch_warnings(record=True), load.quiet(), torch.inference_mode():
            torch.onnx.export(
                module,
                (blank,),
                str(out),
                dynamo=False,
                opset_version=OPSET,
                input_names=["input"],
                output_names=list(module.names),
                dynamic_axes=free,
            )
    except RuntimeError as error:  # the errors of torch's exporter are RuntimeErrors, too
        reason = str(error).strip().splitlines()[0][:160]
        raise PoselineError(f"models export {reference}: torch cannot export it ({reason})") from error
    model = onnx.load(str(out))
    onnx.helper.set_model_props(model, {f"{NOTE}{key}": json.dumps(value) for key, value in notes.items()})
    onnx.save(model, str(out))


def _set_threshold(out: Path, threshold: float) -> None:
    """Set the score threshold of the suppression in the file."""
    import onnx

    model = onnx.load(str(out))
    (node,) = (n for n in model.graph.node if n.op_type == "NonMaxSuppression")
    for owner in model.graph.node:
        if node.input[4] in owner.output:
            owner.attribute[0].t.CopyFrom(onnx.numpy_helper.from_array(np.array([threshold], np.float32)))
    onnx.save(model, str(out))


def _pictures(preprocessor: Any, batch: int, size: tuple[int, ...]) -> np.ndarray:
    """Planes (B, 3, h, w) f32 of pictures that are smooth in places and noisy in others."""
    rng = np.random.default_rng(batch)
    coarse = rng.integers(0, 256, (batch, 3, 8, 8)).astype(np.float32)
    smooth = np.stack(
        [np.kron(c, np.ones((-(-size[1] // 8), -(-size[0] // 8)), np.float32)) for c in coarse.reshape(-1, 8, 8)]
    )
    values = smooth.reshape(batch, 3, *smooth.shape[1:])[..., : size[1], : size[0]]
    values = (values + rng.integers(-20, 20, values.shape)).clip(0, 255).astype(np.float32)
    mean = np.array(_values(preprocessor, "mean", 0.0), np.float32)[:, None, None]
    std = np.array(_values(preprocessor, "std", 1.0), np.float32)[:, None, None]
    return np.ascontiguousarray((values - mean) / std)


def _answers(module: Any, planes: np.ndarray) -> dict[str, np.ndarray]:
    import torch

    with torch.inference_mode():
        return {n: t.numpy() for n, t in zip(module.names, module(torch.from_numpy(planes)), strict=True)}


def _verified(
    session: Session, pictures: list[np.ndarray], wanted: list[dict[str, np.ndarray]], half: bool, reference: str
) -> tuple[float, float]:
    """Largest difference of the file's outputs from the wanted ones, and its share. PoselineError when too large."""
    pairs = [_difference(session.run(p), w) for p, w in zip(pictures, wanted, strict=True)]
    difference, share = max(d for d, _ in pairs), max(s for _, s in pairs)
    if not (share <= HALF_TOLERANCE if half else max(difference, share) <= TOLERANCE):
        raise PoselineError(
            f"models export {reference}: ONNX Runtime differs from torch by {difference:.1e} ({share:.1e} of the most)"
        )
    return difference, share


def _difference(made: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> tuple[float, float]:
    """The largest difference, and its share of an output's largest number; infinite where shapes differ."""
    worst, share = 0.0, 0.0
    for name, array in wanted.items():
        if array.shape != made[name].shape or not np.isfinite(made[name]).all():
            return np.inf, np.inf
        off = float(np.abs(made[name].astype(np.float64) - array).max(initial=0))
        largest = float(np.abs(array).max(initial=0))
        worst, share = max(worst, off), max(share, off / largest if largest else off)
    return worst, share
