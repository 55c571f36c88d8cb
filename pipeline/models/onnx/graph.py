"""Facts of an ONNX file that are read before it runs: input, outputs, its maker's notes and its layout.

The layouts are those that MMDeploy writes and rtmlib reads: RTMDet and YOLOX with suppression inside (``dets``,
``labels``), RTMPose and all SimCC networks (``simcc_x``, ``simcc_y``), RTMO (``dets``, ``keypoints``); YOLOX as its own
exporter writes it (one output, cells undecoded); and what `poseline models export` writes.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.models.kinds import wrong
from pipeline.models.runtime import open_network, run_network

NOTE = "poseline."  # prefix of the notes that `poseline models export` leaves in a file
Shape = tuple[int | None, ...]  # None where a side is free


class Graph(NamedTuple):
    """A file's input and outputs."""

    file: Path
    input: Shape  # (B, 3, H, W), also where the file wants colours last
    outputs: dict[str, Shape]
    notes: dict[str, Any]  # of `poseline models export`: layout, skeleton, classes, input
    colours_last: bool = False  # the file wants (B, H, W, 3)

    def __str__(self) -> str:
        made = ", ".join(f"{name} {_text(shape)}" for name, shape in self.outputs.items())
        return f"input {_text(self.input)}, outputs {made}"


def _text(shape: Shape) -> str:
    return "×".join("?" if n is None else str(n) for n in shape)


def graph_of(option: str, reference: str, colours_last: bool = False) -> Graph:
    """The graph in a file. ``option`` is how the user named it, for messages.

    Raises PoselineError when there is no such file, it is no ONNX network, or takes no pictures; also for one that
    wants (B, H, W, 3), unless ``colours_last`` allows it.
    """
    file = Path(reference)
    if seen := wrong(reference):
        raise PoselineError(f"{option} onnx:{reference}: {seen}")
    if not file.is_file():
        raise PoselineError(f"{option} onnx:{reference}: no such file; give the path of an .onnx file")
    graph = _read(option, file, file.stat().st_mtime_ns)
    if graph.colours_last and not colours_last:
        raise PoselineError(f"{option} onnx:{file}: takes colours last (1×H×W×3); export it for 1×3×H×W")
    return graph


@cache
def _read(option: str, file: Path, _modified: int) -> Graph:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # the graph is only inspected
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = open_network(file, options, ("CPUExecutionProvider",))
    try:
        inputs, made, metadata = session.get_inputs(), session.get_outputs(), session.get_modelmeta()
        notes = metadata.custom_metadata_map
        if len({o.name for o in made}) < len(made):
            raise ValueError("two outputs of one name")
    except ValueError as error:  # such as names that are no UTF-8
        raise PoselineError(f"{file}: this network is damaged ({error}); use another file") from error
    taken = _shape(inputs[0]) if len(inputs) == 1 and inputs[0].type == "tensor(float)" else ()
    last = len(taken) == 4 and taken[3] == 3 and taken[1] != 3
    if last:
        taken = (taken[0], 3, *taken[1:3])
    if len(taken) != 4 or taken[1] not in (3, None):
        given = ", ".join(f"{i.name} {i.type} {_text(_shape(i))}" for i in inputs)
        raise PoselineError(f"{option} onnx:{file}: takes no pictures (1×3×H×W floats) but {given}")
    outputs = {o.name: _shape(o) for o in made}
    graph = Graph(file, taken, outputs, _notes(file, notes), last)
    if graph.notes.get("any_size"):
        return graph
    if any(None in shape[-1:] or (len(shape) == 3 and shape[1] is None) for shape in outputs.values()):
        return _tried(graph, session)
    return graph


def _shape(value: Any) -> Shape:
    return tuple(n if isinstance(n, int) else None for n in value.shape or ())


def _notes(file: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        notes = {k.removeprefix(NOTE): json.loads(v) for k, v in metadata.items() if k.startswith(NOTE)}
        for name, kind in (("input", dict), ("skeleton", dict), ("classes", list), ("warnings", list)):
            if not isinstance(notes.get(name, kind()), kind):
                raise ValueError(name)
        return notes
    except (ValueError, RecursionError) as error:
        raise PoselineError(f"{file}: the notes of poseline in its metadata are damaged; export it again") from error


def _tried(graph: Graph, session: Any) -> Graph:
    """The graph with its open sides, such as the number of keypoints, filled in from a run on a blank picture; a
    detector's number of boxes differs from picture to picture and stays open."""
    w, h = input_size(graph)
    sides = (h, w, 3) if graph.colours_last else (3, h, w)
    blank = np.zeros((graph.input[0] or 1, *sides), np.float32)
    made = run_network(graph.file, session, {session.get_inputs()[0].name: blank})
    shapes = {}
    for (name, declared), array in zip(graph.outputs.items(), made, strict=True):
        people = name in ("dets", "labels", "keypoints", "boxes", "scores")
        shapes[name] = tuple(
            None if (axis == 0 and declared[:1] == (None,)) or (axis == 1 and people) else int(n)
            for axis, n in enumerate(array.shape)
        )
    return graph._replace(outputs=shapes)


MOST_INPUT_PX = 8192  # longest side of the input: a file may claim any size
FREE_PX = 640  # side of the input where the file leaves it open: the usual side of RTMDet, YOLOX and RTMO


def input_size(graph: Graph) -> tuple[int, int]:
    """(width, height) of the input in px."""
    noted = graph.notes.get("input", {}).get("size")
    size = noted or (graph.input[3] or FREE_PX, graph.input[2] or FREE_PX)
    if not (isinstance(size, list | tuple) and len(size) == 2 and all(_is_side(n) for n in size)):
        raise PoselineError(
            f"onnx:{graph.file}: claims an input of {size} px; 1 to {MOST_INPUT_PX} a side are taken; use another file"
        )
    return int(size[0]), int(size[1])


def _is_side(n: Any) -> bool:
    return isinstance(n, int | float) and 1 <= n <= MOST_INPUT_PX


def detector_layout(graph: Graph, told: str) -> str:
    """``rtmdet`` or ``yolox``, which want different pixel values. PoselineError for a graph that is neither.

    ``told`` is the setting detect.layout. For auto the file's notes decide, else the graph: YOLOX begins by taking
    every other pixel (its Focus layer), RTMDet begins with a convolution.
    """
    names = set(graph.outputs)
    single = len(graph.outputs) == 1 and len(shape := next(iter(graph.outputs.values()))) == 3 and (shape[2] or 0) > 5
    if not (names >= {"dets", "labels"} or names >= {"boxes", "scores"} or single):
        raise PoselineError(
            f"--detector onnx:{graph.file}: its layout is unknown ({graph}); a detector has the outputs dets and "
            "labels, boxes and scores, or YOLOX's single one (B×N×(5 + classes))"
        )
    if told != "auto":
        return told
    noted = str(graph.notes.get("layout", ""))
    if noted in ("rtmdet", "yolox"):
        return noted
    return "yolox" if single or _has_focus(graph.file) else "rtmdet"


def pose_layout(graph: Graph, told: str) -> str:
    """``simcc``, ``heatmap`` or ``rtmo``. PoselineError for a graph that is none of them.

    ``told`` is the setting pose.layout; it must fit the outputs all the same.
    """
    shapes = sorted(graph.outputs.values(), key=len)
    ranks = [len(shape) for shape in shapes]
    w, h = input_size(graph)
    bins = ranks == [3, 3] and shapes[0][1] == shapes[1][1] and (shapes[0][2] or 0) * h == (shapes[1][2] or 0) * w
    people = ranks == [3, 4] and shapes[0][2] == 5 and shapes[1][3] == 3
    fits = {
        "simcc": ({"simcc_x", "simcc_y"} <= set(graph.outputs) and ranks[:2] == [3, 3]) or bins,
        "heatmap": ranks == [4],
        "rtmo": ({"dets", "keypoints"} <= set(graph.outputs) and len(graph.outputs["keypoints"]) == 4) or people,
    }
    wanted = [told] if told != "auto" else [str(graph.notes.get("layout", "")), *fits]
    for layout in wanted:
        if fits.get(layout):
            return layout
    what, ask = ("unknown", "") if told == "auto" else (f"not {told}", "; leave out pose.layout")
    raise PoselineError(
        f"--pose onnx:{graph.file}: its layout is {what} ({graph}); a SimCC network has the outputs simcc_x and "
        f"simcc_y, a heatmap network one (B×K×h×w), RTMO dets and keypoints{ask}"
    )


def _has_focus(file: Path) -> bool:
    """Whether pixels are rearranged before the first convolution, as YOLOX does."""
    for operator in operators(file):
        if operator == "Conv":
            return False
        if operator in ("Slice", "SpaceToDepth", "Transpose"):  # MMDeploy writes Reshape, Transpose, Reshape
            return True
    return False


def operators(file: Path) -> Iterator[str]:
    """The operator names of the graph's nodes in order, read from the file because ONNX Runtime does not list them.

    ONNX is a protocol buffer (onnx.proto): ModelProto.graph is field 7, GraphProto.node 1, NodeProto.op_type 4.
    """
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for number, start, stop in _fields(data, 0, len(data)):
            if number == 7:
                for inner, first, last in _fields(data, start, stop):
                    if inner == 1:
                        for kind, low, high in _fields(data, first, last):
                            if kind == 4:
                                yield data[low:high].decode()


def _fields(data: mmap.mmap, at: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """(field number, start, stop) of a message's fields of variable length; other fields are skipped."""
    while at < stop:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 2:
            length, at = _varint(data, at)
            yield key >> 3, at, at + length
            at += length
        elif kind == 0:
            _, at = _varint(data, at)
        else:
            at += 8 if kind == 1 else 4


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """A number stored in groups of 7 bits, the lowest first, and the offset of its end."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
