"""ONNX Runtime sessions: devices, threads, times."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import PoselineError

if TYPE_CHECKING:
    import onnxruntime

ASSETS = Path(__file__).resolve().parent.parent / "assets"
PROVIDERS = {  # device: ONNX Runtime's provider, and the distribution that has it
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
}


@dataclass(frozen=True)
class Device:
    """Where networks run: an ONNX Runtime provider and the number of CPU threads of one session."""

    providers: tuple[str, ...]
    threads: int

    @property
    def name(self) -> str:
        return next((name for name, (provider, _) in PROVIDERS.items() if provider in self.providers), "cpu")


def pick_device(name: str = "auto", threads: int = 0) -> Device:
    """The device called ``name`` with ``threads`` CPU threads (0: all cores this process may use).

    ``name`` is auto (CUDA where offered, else cpu), cpu, cuda or openvino. Raises PoselineError when ONNX Runtime does
    not offer it.
    """
    import onnxruntime

    offered = onnxruntime.get_available_providers()
    if name in PROVIDERS and PROVIDERS[name][0] not in offered:
        raise PoselineError(
            f"--device {name}: this ONNX Runtime offers {', '.join(offered)}; install {PROVIDERS[name][1]} in place of "
            "onnxruntime or use --device cpu"
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    chosen = "cuda" if name == "auto" and PROVIDERS["cuda"][0] in offered else name
    first = (PROVIDERS[chosen][0],) if chosen in PROVIDERS else ()
    return Device((*first, "CPUExecutionProvider"), threads or cores)


def check_file(file: Path) -> None:
    """Raise PoselineError when a network's file is missing."""
    if not file.is_file():
        raise PoselineError(f"{file}: this network is missing; install poseline again")


def open_network(file: Path, options: onnxruntime.SessionOptions, providers: tuple[str, ...]) -> Any:
    """ONNX Runtime's session of a file; PoselineError for what is no network that it can run."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    refused = (state.Fail, state.InvalidProtobuf, state.InvalidGraph, state.InvalidArgument, state.NotImplemented)
    # OpenVINO has threads of its own.
    own: dict[str, dict[str, str]] = {PROVIDERS["openvino"][0]: {"num_of_threads": str(options.intra_op_num_threads)}}
    try:
        return onnxruntime.InferenceSession(
            str(file), options, providers=list(providers), provider_options=[own.get(p, {}) for p in providers]
        )
    except (*refused, state.NoSuchFile, state.RuntimeException, RuntimeError) as error:
        reason = str(error).splitlines()[0][:200]
        raise PoselineError(
            f"{file}: is no ONNX network that ONNX Runtime can run, or a damaged one ({reason})"
        ) from error


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
        options.log_severity_level = 4  # what fails is raised
        # Idle workers must not spin: decoding and drawing share the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._ort = open_network(self.file, options, self.device.providers)
        self._input = self._ort.get_inputs()[0].name
        self._names = [o.name for o in self._ort.get_outputs()]

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name for one batch."""
        start = time.perf_counter()
        out = self._ort.run(None, {self._input: image})
        self.seconds += time.perf_counter() - start
        self.calls += 1
        return dict(zip(self._names, out, strict=True))


@cache
def file_digest(file: Path) -> str:
    """Short hex digest of a network's file; PoselineError when it is missing."""
    check_file(file)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
