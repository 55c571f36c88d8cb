"""Read a TensorFlow.js graph model (model.json and its .bin) and evaluate it in torch.

Tensors are NHWC at every node, as in TensorFlow; a convolution runs on a permuted view of them. Only the operations
that the embedded networks use are here; another one raises NotImplementedError with its name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

_CONVOLUTIONS = ("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")
_DTYPES = {"float32": np.float32, "int32": np.int32}


@dataclass(frozen=True)
class Node:
    """One operation. ``inputs`` are the names of the nodes it reads, ``attrs`` its decoded attributes."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attrs: dict[str, Any]


# ---------------------------------------------------------------------------------------------------------- reading


def _decode_attr(value: dict[str, Any]) -> Any:
    """One attribute of the JSON form of a TensorFlow NodeDef as a Python value."""
    if "s" in value:
        return base64.b64decode(value["s"]).decode()
    if "i" in value:
        return int(value["i"])
    if "list" in value:
        items = value["list"]
        return [int(i) for i in items.get("i", [])] or [base64.b64decode(s).decode() for s in items.get("s", [])]
    return next(iter(value.values()), None)  # a bool, a float, a type name or a shape


def _read_node(entry: dict[str, Any]) -> Node:
    inputs = tuple(i for i in entry.get("input", []) if not i.startswith("^"))  # ^name only orders the execution
    attrs = {key: _decode_attr(value) for key, value in entry.get("attr", {}).items()}
    return Node(entry["name"], entry["op"], inputs, attrs)


def _read_tensor(spec: dict[str, Any], data: bytes, offset: int) -> tuple[np.ndarray, int]:
    """The tensor that ``spec`` describes, from ``data`` at ``offset``, and the offset behind it."""
    half = spec.get("quantization", {}).get("dtype") == "float16"
    if "quantization" in spec and not half:
        raise NotImplementedError(f"weight {spec['name']}: quantisation {spec['quantization']['dtype']}")
    stored = np.dtype(np.float16 if half else _DTYPES[spec["dtype"]])
    count = int(np.prod(spec["shape"], dtype=np.int64))
    array = np.frombuffer(data, stored, count, offset).reshape(spec["shape"])
    return array.astype(_DTYPES[spec["dtype"]]), offset + count * stored.itemsize


def read_graph(path: Path) -> tuple[dict[str, Node], dict[str, np.ndarray]]:
    """Nodes and weights of a graph model, both by name. ValueError when the weight files have another size."""
    model = json.loads(path.read_text())
    weights: dict[str, np.ndarray] = {}
    for group in model["weightsManifest"]:
        data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
        offset = 0
        for spec in group["weights"]:
            weights[spec["name"]], offset = _read_tensor(spec, data, offset)
        if offset != len(data):
            raise ValueError(f"{path}: the manifest describes {offset} bytes of weights, the files hold {len(data)}")
    nodes = (_read_node(entry) for entry in model["modelTopology"]["node"])
    return {node.name: node for node in nodes}, weights


# ------------------------------------------------------------------------------------------------------- operations


def _same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """TensorFlow's SAME padding along one axis: (before, after), the odd pixel after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def _nchw(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _nhwc(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _pad_same(x: Tensor, kernel: list[int], stride: list[int], dilation: list[int], fill: float) -> Tensor:
    """Pad (B, C, H, W). The sizes are taken as Python numbers, so an exported graph holds the padding of this size:
    right for every size with the same remainders by the strides (the detectors take multiples of 32)."""
    axes = zip((int(x.shape[2]), int(x.shape[3])), kernel, stride, dilation, strict=True)
    (top, bottom), (left, right) = (_same_padding(*axis) for axis in axes)
    return fn.pad(x, (left, right, top, bottom), value=fill)


def _convolution(node: Node, x: Tensor, kernel: Tensor, *extra: Tensor) -> Tensor:
    """All four convolutions; ``kernel`` has torch's layout (out, in / groups, h, w), ``extra`` is bias and slope."""
    x = _nchw(x)
    stride, dilation = node.attrs["strides"][1:3], node.attrs.get("dilations", [1, 1, 1, 1])[1:3]
    fused = node.attrs.get("fused_ops", [])
    size = list(kernel.shape[2:])
    padding: int | list[int] = 0
    if node.attrs["padding"] == "SAME":
        if stride == [1, 1] and size[0] % 2 and size[1] % 2:  # symmetric and independent of the image's size
            padding = [(k - 1) * d // 2 for k, d in zip(size, dilation, strict=True)]
        else:
            x = _pad_same(x, size, stride, dilation, 0.0)
    groups = x.shape[1] if "Depthwise" in node.op else 1
    bias = extra[0] if "BiasAdd" in fused else None
    y = fn.conv2d(x, kernel, bias, stride, padding, dilation, int(groups))
    for name in fused:
        if name == "Relu":
            y = y.relu()
        elif name == "Relu6":
            y = y.clamp(0, 6)
        elif name == "Prelu":
            y = fn.prelu(y, extra[1].flatten())
        elif name != "BiasAdd":
            raise NotImplementedError(f"{node.name}: fused {name}")
    return _nhwc(y)


def _max_pool(node: Node, x: Tensor) -> Tensor:
    x = _nchw(x)
    kernel, stride = node.attrs["ksize"][1:3], node.attrs["strides"][1:3]
    if node.attrs["padding"] == "SAME":
        x = _pad_same(x, kernel, stride, [1, 1], -1e30)
    return _nhwc(fn.max_pool2d(x, kernel, stride))


def _pad(_: Node, x: Tensor, amounts: Tensor, fill: Tensor | None = None) -> Tensor:
    flat = [int(n) for pair in reversed(amounts.tolist()) for n in pair]  # torch lists the last axis first
    return fn.pad(x, flat, value=0.0 if fill is None else float(fill))


def _resize(node: Node, x: Tensor, ratio: float) -> Tensor:
    """Bilinear with half-pixel centres; the only kind the embedded networks use."""
    if node.attrs.get("align_corners") or not node.attrs.get("half_pixel_centers"):
        raise NotImplementedError(f"{node.name}: bilinear resizing without half-pixel centres")
    return _nhwc(fn.interpolate(_nchw(x), scale_factor=ratio, mode="bilinear", align_corners=False))


def _slice(node: Node, x: Tensor, begin: Tensor, end: Tensor, step: Tensor) -> Tensor:
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    if any(node.attrs.get(mask) for mask in masks):
        raise NotImplementedError(f"{node.name}: a strided slice with masks")
    return x[tuple(slice(int(b), int(e), int(s)) for b, e, s in zip(begin, end, step, strict=True))]


def _integers(x: Tensor) -> list[int]:
    return [int(v) for v in x.flatten()]


OPS: dict[str, Callable[..., Tensor]] = {
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    **dict.fromkeys(("Add", "AddV2"), lambda node, a, b: a + b),
    "AddN": lambda node, *terms: sum(terms[1:], terms[0]),
    "ConcatV2": lambda node, *parts: torch.cat(parts[:-1], int(parts[-1])),
    "Identity": lambda node, x: x,
    "LeakyRelu": lambda node, x: fn.leaky_relu(x, node.attrs.get("alpha", 0.2)),
    "MaxPool": _max_pool,
    "Mean": lambda node, x, axes: x.mean(dim=_integers(axes), keepdim=bool(node.attrs.get("keep_dims"))),
    "Mul": lambda node, a, b: a * b,
    **dict.fromkeys(("Pad", "PadV2"), _pad),
    "Prelu": lambda node, x, slope: torch.where(x > 0, x, x * slope),
    "Relu6": lambda node, x: x.clamp(0, 6),
    "Reshape": lambda node, x, shape: x.reshape(_integers(shape)),
    "Shape": lambda node, x: torch.tensor(x.shape),
    "Sigmoid": lambda node, x: x.sigmoid(),
    "StridedSlice": _slice,
    "Sub": lambda node, a, b: a - b,
    "Transpose": lambda node, x, order: x.permute(_integers(order)),
    "_FusedMatMul": lambda node, x, weight, bias: x @ weight + bias,
}


# ------------------------------------------------------------------------------------------------------ the network


def _needed(nodes: dict[str, Node], outputs: list[str], inputs: list[str]) -> list[str]:
    """The nodes between ``inputs`` and ``outputs``, each after those that it reads."""
    order: list[str] = []
    seen = set(inputs)
    stack = [(name, False) for name in reversed(outputs)]
    while stack:
        name, ready = stack.pop()
        if ready:
            order.append(name)
        elif name not in seen:
            seen.add(name)
            stack.append((name, True))
            stack.extend((source, False) for source in reversed(nodes[name].inputs))
    return order


def _torch_kernel(kernel: Tensor, depthwise: bool) -> Tensor:
    """A TensorFlow kernel (h, w, in, out), or (h, w, in, multiplier) when depthwise, as torch's (out, in, h, w)."""
    if depthwise:
        h, w, channels, multiplier = kernel.shape
        return kernel.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, h, w).contiguous()
    return kernel.permute(3, 2, 0, 1).contiguous()


class GraphModel(torch.nn.Module):
    """The part of a graph model between ``inputs`` (default: its placeholders) and ``outputs``, as a torch module.

    ``base_shape`` is the input's shape that the graph was made for. A resizing node keeps its ratio at that shape, so
    that a fully convolutional network takes other sizes although the graph names fixed ones.
    """

    def __init__(self, path: Path, outputs: list[str], inputs: list[str] | None, base_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.nodes, weights = read_graph(path)
        self.inputs = inputs or [n.name for n in self.nodes.values() if n.op == "Placeholder"]
        self.outputs = outputs
        order = _needed(self.nodes, outputs, self.inputs)
        self.steps = [self.nodes[name] for name in order if self.nodes[name].op != "Const"]
        self.constants: dict[str, Tensor] = {}  # scalars and integers: axes, shapes, paddings
        self.weights: dict[str, str] = {}  # node -> the buffer with its values, which follows double() and to()
        self._load(weights, [name for name in order if self.nodes[name].op == "Const"])
        self.last_reader = {name: step.name for step in self.steps for name in step.inputs}
        self.ratio: dict[str, float] = {}  # resizing node -> its scale; filled by the first evaluation
        with torch.inference_mode():
            self(torch.zeros(base_shape))
        self.eval()

    def _load(self, weights: dict[str, np.ndarray], names: list[str]) -> None:
        """Make tensors of the constants; kernels turn into torch's layout."""
        kernels = {step.inputs[1]: "Depthwise" in step.op for step in self.steps if step.op in _CONVOLUTIONS}
        for name in names:
            tensor = torch.from_numpy(weights[name])
            if name in kernels:
                tensor = _torch_kernel(tensor, kernels[name])
            if tensor.is_floating_point() and tensor.dim():
                self.weights[name] = f"w{len(self.weights)}"  # torch forbids the dots and slashes of TensorFlow's names
                self.register_buffer(self.weights[name], tensor)
            else:
                self.constants[name] = tensor

    def _run(self, step: Node, values: dict[str, Tensor]) -> Tensor:
        args = [values[name] for name in step.inputs]
        if step.op == "ResizeBilinear":
            if step.name not in self.ratio:
                (height, width), source = _integers(args[1]), args[0].shape
                if height * source[2] != width * source[1]:
                    raise NotImplementedError(f"{step.name}: a resizing that changes the aspect ratio")
                self.ratio[step.name] = height / source[1]
            return _resize(step, args[0], self.ratio[step.name])
        if step.op not in OPS:
            raise NotImplementedError(f"{step.name}: operation {step.op}")
        return OPS[step.op](step, *args)

    def forward(self, *feeds: Tensor) -> tuple[Tensor, ...]:
        """Evaluate; one tensor per input, one result per output, in the order of the names."""
        values = {**self.constants, **dict(zip(self.inputs, feeds, strict=True))}
        values.update((name, self.get_buffer(buffer)) for name, buffer in self.weights.items())
        for step in self.steps:
            values[step.name] = self._run(step, values)
            for name in step.inputs:  # what nobody reads any more makes room
                if self.last_reader[name] == step.name and name not in self.outputs:
                    values.pop(name, None)
        return tuple(values[name] for name in self.outputs)
