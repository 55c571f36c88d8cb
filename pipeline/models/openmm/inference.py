"""Code that all OpenMMLab networks share at run time: timing, inference mode, input pictures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.models.openmm.compat import MissingOperatorError
from pipeline.models.openmm.load import Loaded, quiet


@dataclass
class Stopwatch:
    """Seconds inside a network, counted as in `pipeline.models.runtime.Session`."""

    seconds: float = 0.0
    calls: int = 0


@contextlib.contextmanager
def inference(loaded: Loaded, scope: str, watch: Stopwatch) -> Iterator[None]:
    """Around a forward pass: no gradients, half precision where asked for, the right registry, silence, time."""
    import torch
    from mmengine.registry import DefaultScope

    start = time.perf_counter()
    half = torch.autocast(loaded.device.type, enabled=loaded.half)
    try:
        with DefaultScope.overwrite_default_scope(scope), torch.inference_mode(), half, quiet():
            yield
    except MissingOperatorError as error:
        raise PoselineError(str(error)) from error
    watch.seconds += time.perf_counter() - start
    watch.calls += 1


def pipeline_of(loaded: Loaded, scope: str) -> tuple[list[dict[str, Any]], Any]:
    """The config's own steps from a picture to the network's input: their settings, and built.

    The first step, which would read a file, takes arrays instead.
    """
    from mmengine.dataset import Compose
    from mmengine.registry import DefaultScope

    data = loaded.config.test_dataloader.dataset
    while "pipeline" not in data and "dataset" in data:  # data sets wrapped into others
        data = data.dataset
    steps = [dict(step) for step in data.pipeline]
    # Annotations are for training.
    steps = [s for s in steps if not str(s["type"]).rsplit(".")[-1].startswith("LoadAnnotations")]
    if scope == "mmdet":
        steps[0] = {"type": "mmdet.LoadImageFromNDArray"}
    with DefaultScope.overwrite_default_scope(scope), quiet():
        return steps, Compose(steps)


def bgr(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) u8 RGB as OpenMMLab reads files: BGR, contiguous."""
    return np.ascontiguousarray(image[..., ::-1])
