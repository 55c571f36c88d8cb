"""Appearance by a ReID network in an ONNX file, such as OSNet's or FastReID's: one vector of length 1 per person.

Crops are the boxes, stretched to the network's input, RGB, with ImageNet's means, as those projects export them. The
colours may be the input's second axis or, as TensorFlow has it, its last one.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.models.kept import file_of
from pipeline.models.onnx.graph import Graph, graph_of
from pipeline.models.onnx.input import PIXELS, Planes, outputs, tasks
from pipeline.models.runtime import Device, Session, file_digest

NONE = "none"
LARGEST = 4096  # values of a vector
SIZE = (128, 256)  # (w, h) of the input, where the file leaves it open


def reference(name: str) -> str | None:
    """The file of a ``--reid`` setting, None for none. Raises PoselineError for anything else."""
    if name == NONE:
        return None
    prefix, _, file = name.partition(":")
    if prefix == "onnx" and file:
        return file
    if named := file_of("--reid", name):
        return str(named)
    raise PoselineError(f"--reid {name}: give onnx:FILE, a name of poseline models list, or none")


def digests(name: str) -> dict[str, str]:
    """The file and its digest; PoselineError when the network gives no vector per picture."""
    file = reference(name)
    if file is None:
        return {}
    graph = _graph(file)
    return {graph.file.name: file_digest(graph.file)}


def build(name: str, device: Device) -> ReId | None:
    """Load the network of a ``--reid`` setting."""
    file = reference(name)
    return None if file is None else ReId(_graph(file), device)


def _graph(file: str) -> Graph:
    graph = graph_of("--reid", file, colours_last=True)
    shapes = list(graph.outputs.values())
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise PoselineError(f"--reid onnx:{file}: gives no vector per person ({graph}); export the features only")
    return graph


class ReId:
    """Describes people by vectors."""

    def __init__(self, graph: Graph, device: Device):
        self.session = Session(graph.file, device, graph.input[0])
        fixed, _, height, width = graph.input
        self.size, self.fixed, self._last = (width or SIZE[0], height or SIZE[1]), fixed, graph.colours_last
        self.planes = Planes(PIXELS["simcc"])
        blank = np.zeros((1, 3, self.size[1], self.size[0]), np.float32)
        self.width = self._vectors(blank).shape[1]
        if not 2 <= self.width <= LARGEST:
            raise PoselineError(f"--reid onnx:{graph.file}: vectors of {self.width} values; 2 to {LARGEST} make sense")

    def describe(self, images: np.ndarray, image: np.ndarray, box_px: np.ndarray, batch: int) -> np.ndarray:
        """(N, D) f16 of people in images (B, H, W, 3): ``image (N,)`` has their rows, ``box_px (N, 4)`` their boxes.

        NaN for a box that lies outside.
        """
        height, width = images.shape[1:3]
        planes = np.zeros((len(box_px), 3, self.size[1], self.size[0]), np.float32)
        out = np.full((len(box_px), self.width), np.nan, np.float32)
        low = np.floor(box_px[:, :2]).clip(0, [width, height]).astype(int)
        high = np.ceil(box_px[:, 2:]).clip(0, [width, height]).astype(int)
        good = np.flatnonzero((high - low > 1).all(1))
        for n in good:
            crop = images[image[n], low[n, 1] : high[n, 1], low[n, 0] : high[n, 0]]
            self.planes.fill(cv2.resize(crop, self.size, interpolation=cv2.INTER_LINEAR), planes[n])
        for rows in tasks(self.session.device, len(good), self.fixed, batch, len(good)):
            vectors = self._vectors(planes[good[rows]])[: len(rows)].astype(np.float32)
            out[good[rows]] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return out.astype(np.float16)

    def _vectors(self, planes: np.ndarray) -> np.ndarray:
        """(n, D) of planes (n, 3, h, w)."""
        given = np.ascontiguousarray(planes.transpose(0, 2, 3, 1)) if self._last else planes
        return next(iter(outputs(self.session, given, self.fixed).values()))
