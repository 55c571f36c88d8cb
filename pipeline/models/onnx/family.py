"""onnx: as a family of networks, for `pipeline.models.registry`: RTMDet, YOLOX, RTMPose, heatmaps, RTMO in files."""

from __future__ import annotations

from functools import partial
from typing import Any

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.keypoint_sets import by_count, by_name
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.models import openvino
from pipeline.models.detections import COCO_CLASSES, class_rows
from pipeline.models.onnx.graph import Graph, detector_layout, graph_of, input_size, pose_layout
from pipeline.models.onnx.input import PIXELS, Pixels, size_for
from pipeline.models.onnx.rtmdet import Decoder, OnnxDetector, from_dets, from_scores
from pipeline.models.onnx.rtmo import OnnxRTMO
from pipeline.models.onnx.simcc import Crop, TopDownOnnx, heatmap, refined_simcc, simcc
from pipeline.models.onnx.yolox import from_cells
from pipeline.models.protocols import NetworkFacts
from pipeline.models.runtime import Device, Session, file_digest, pick_device

DETECTOR, POSE = "--detector", "--pose"


def pick(name: str, threads: int, precision: str) -> Device:
    """The device for networks in ONNX files."""
    return pick_device(name, threads, precision)


def unable(reference: str, precision: str) -> str:
    """Why OpenVINO cannot run a network's file, in words; "" where it can, or where the file is wrong altogether."""
    try:
        graph = graph_of("a network", reference)
    except PoselineError:
        return ""  # said with its option, when its facts are read
    w, h = input_size(graph)
    return openvino.unable(graph.file, file_digest(graph.file), precision, (graph.input[0] or 1, 3, h, w))


def detector_facts(reference: str, config: Config) -> NetworkFacts:
    """What is known of a detector's file. PoselineError when it is not there, or is no detector."""
    graph = graph_of(DETECTOR, reference)
    detector_layout(graph, config.detect.layout)
    class_rows(config.detect.classes, _classes(graph), f"onnx:{reference}")
    idle = {}
    if None not in graph.input[2:]:
        idle["detect.pixels"] = "its input has {} × {} px".format(*input_size(graph))
    if "dets" in graph.outputs and "boxes" not in graph.outputs:
        idle["detect.nms_iou"] = "its file drops overlapping boxes itself"
    return NetworkFacts(_digests(graph), COCO17, warnings=_warnings(graph), idle=idle)


def pose_facts(reference: str, config: Config) -> NetworkFacts:
    """What is known of a pose network's file. PoselineError when it is not there, or estimates no poses."""
    graph = graph_of(POSE, reference)
    layout = pose_layout(graph, config.pose.layout)
    skeleton, warning = _skeleton(graph, layout, config)
    unnamed = (f"{graph.file.name}: {warning}",) if warning else ()
    idle = {}
    if layout == "rtmo":
        idle["pose.flip_test"] = "it finds people and poses together, in one look"
        if "image" in graph.outputs:
            idle["detect.nms_iou"] = "its file drops overlapping boxes itself"
    elif warning:
        idle["pose.flip_test"] = "its keypoints have no names, so left and right are not known"
    return NetworkFacts(_digests(graph), skeleton, layout == "rtmo", _warnings(graph) + unnamed, idle)


def build_detector(reference: str, device: Device, config: Config) -> OnnxDetector:
    """Load a detector's file."""
    graph = graph_of(DETECTOR, reference)
    layout, c = detector_layout(graph, config.detect.layout), config.detect
    wanted = class_rows(c.classes, _classes(graph), f"onnx:{reference}")
    decode: Decoder = from_cells
    if "boxes" in graph.outputs:
        decode = from_scores
    elif "dets" in graph.outputs:
        decode = from_dets
    free = None in graph.input[2:] and (c.pixels is not None or graph.notes.get("any_size"))
    return OnnxDetector(
        Session(graph.file, device, graph.input[0]),
        partial(size_for, pixels=c.pixels) if free else input_size(graph),
        _pixels(graph, layout),
        graph.input[0],
        decode,
        wanted,
        c.score,
        None if decode is from_dets else c.nms_iou,  # suppression is inside the graph
    )


def build_pose(reference: str, device: Device, config: Config) -> TopDownOnnx | OnnxRTMO:
    """Load a pose network's file."""
    graph = graph_of(POSE, reference)
    layout = pose_layout(graph, config.pose.layout)
    skeleton, unnamed = _skeleton(graph, layout, config)
    session, size, pixels = Session(graph.file, device, graph.input[0]), input_size(graph), _pixels(graph, layout)
    if layout == "rtmo":
        return OnnxRTMO(session, skeleton, size, pixels, graph.input[0], config.detect.score, config.detect.nms_iou)
    noted = graph.notes.get("input", {})
    crop = Crop(size, pixels, float(noted.get("padding", 1.25)), bool(noted.get("udp", False)))
    decode = heatmap if layout == "heatmap" else refined_simcc if graph.notes.get("refined") else simcc
    flip_test = config.pose.flip_test and not unnamed
    return TopDownOnnx(session, skeleton, crop, decode, config.runtime.batch_people, graph.input[0], flip_test)


def _digests(graph: Graph) -> dict[str, str]:
    return {graph.file.name: file_digest(graph.file)}


def _warnings(graph: Graph) -> tuple[str, ...]:
    return tuple(str(text) for text in graph.notes.get("warnings", ()))


def _pixels(graph: Graph, layout: str) -> Pixels:
    noted = graph.notes.get("input", {})
    if "mean" not in noted:
        return PIXELS[layout]
    return Pixels(tuple(noted["mean"]), tuple(noted["std"]), bool(noted["rgb"]))


def _classes(graph: Graph) -> tuple[str, ...]:
    """The detector's classes: those its file notes, else COCO's, person first, as many as it has."""
    noted = graph.notes.get("classes")
    if noted:
        return tuple(str(name) for name in noted)
    if "scores" in graph.outputs:
        count = graph.outputs["scores"][2]
    elif "dets" in graph.outputs:
        count = None  # the graph does not fix the number of classes
    else:
        count = (next(iter(graph.outputs.values()))[2] or 5) - 5
    if count in (None, 1, len(COCO_CLASSES)):
        return COCO_CLASSES[:count]
    return tuple(f"class_{i}" for i in range(count))


def _skeleton(graph: Graph, layout: str, config: Config) -> tuple[Skeleton, str]:
    """The keypoint set and a warning or "": the setting's set, else the file's, else the usual one for the number."""
    k = _points(graph, layout)
    if config.pose.keypoints != "auto":
        return by_name(config.pose.keypoints, k), ""
    noted: Any = graph.notes.get("skeleton")
    if noted is None:
        return by_count(k)
    try:
        skeleton = Skeleton.from_spec(noted)
        if len(skeleton) != k:
            raise ValueError(f"{len(skeleton)} names for {k} keypoints")
    except (KeyError, TypeError, ValueError) as error:
        raise PoselineError(f"{graph.file}: its keypoint set is damaged ({error}); export it again") from error
    return (COCO17 if skeleton.names == COCO17.names else skeleton), ""


def _points(graph: Graph, layout: str) -> int:
    """The number of keypoints."""
    if layout == "rtmo":
        shape = graph.outputs.get("keypoints") or next(s for s in graph.outputs.values() if len(s) == 4)
        return int(shape[2] or 0)
    shape = graph.outputs.get("simcc_x") or next(iter(graph.outputs.values()))
    return int(shape[1] or 0)
