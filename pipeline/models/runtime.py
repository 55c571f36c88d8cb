"""ONNX Runtime sessions for the embedded networks."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import PoselineError

if TYPE_CHECKING:
    import onnxruntime

ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True)
class Device:
    """Where networks run: an ONNX Runtime provider and the number of CPU threads of one session."""

    providers: tuple[str, ...]
    threads: int

    @property
    def name(self) -> str:
        return "cuda" if "CUDAExecutionProvider" in self.providers else "cpu"


def pick_device(name: str = "auto", threads: int = 0) -> Device:
    """The device called ``name`` (auto, cpu or cuda) with ``threads`` CPU threads (0: all cores this process may use).

    Raises PoselineError when CUDA is asked for and ONNX Runtime does not offer it.
    """
    import onnxruntime

    offered = onnxruntime.get_available_providers()
    cuda = "CUDAExecutionProvider" in offered
    if name == "cuda" and not cuda:
        raise PoselineError(
            f"--device cuda: this ONNX Runtime offers {', '.join(offered)}; install onnxruntime-gpu or use --device cpu"
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    use_cuda = cuda and name != "cpu"
    return Device(("CUDAExecutionProvider",) * use_cuda + ("CPUExecutionProvider",), threads or cores)


def check_file(file: Path) -> None:
    """Raise PoselineError when a network's file is missing."""
    if not file.is_file():
        raise PoselineError(f"{file}: this network is missing; install poseline again")


@dataclass
class Session:
    """One network. ``run`` takes the input array and returns the outputs by name; calls are timed for the manifest."""

    file: Path
    device: Device
    seconds: float = 0.0  # spent inside the network
    calls: int = 0
    _ort: onnxruntime.InferenceSession = field(init=False, repr=False)

    def __post_init__(self) -> None:
        import onnxruntime

        check_file(self.file)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.device.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle workers must not spin: decoding and drawing share the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._ort = onnxruntime.InferenceSession(str(self.file), options, providers=list(self.device.providers))
        self._names = [o.name for o in self._ort.get_outputs()]

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name for one batch."""
        start = time.perf_counter()
        out = self._ort.run(None, {"image": image})
        self.seconds += time.perf_counter() - start
        self.calls += 1
        return dict(zip(self._names, out, strict=True))


@cache
def file_digest(file: Path) -> str:
    """Short hex digest of a network's file; PoselineError when it is missing."""
    check_file(file)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
