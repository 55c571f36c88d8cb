"""ONNX Runtime sessions: devices, threads, lanes, times."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pipeline.core.errors import PoselineError

if TYPE_CHECKING:
    import onnxruntime

Task = TypeVar("Task")
Made = TypeVar("Made")
ASSETS = Path(__file__).resolve().parent.parent / "assets"
PROVIDERS = {  # device: ONNX Runtime's provider, and the distribution that has it
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
}


@dataclass(frozen=True)
class Device:
    """Where networks run: an ONNX Runtime provider, CPU threads, and calls of a network that run side by side.

    Two calls of one thread each take .8 to .9 of the time of two calls of two threads, with the same bits, and what
    surrounds the calls runs side by side too. One call alone is faster with all threads.
    """

    providers: tuple[str, ...]
    threads: int
    lanes: int = 1  # calls at once; each has threads // lanes threads

    def laned(self) -> Device:
        """This device with a lane for each CPU thread, where networks run on ONNX Runtime's own CPU code."""
        return replace(self, lanes=self.threads) if self.name == "cpu" else self

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


def in_lanes(device: Device, work: Callable[[Task], Made], tasks: Sequence[Task]) -> list[Made]:
    """``work`` of every task, in the order of the tasks, as many at once as the device has lanes.

    ``work`` must not call this function: it would wait for its own lane.
    """
    if device.lanes == 1 or len(tasks) < 2:
        return [work(task) for task in tasks]
    return list(_lanes(device.lanes).map(work, tasks))


@cache
def _lanes(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "lane")


def check_file(file: Path) -> None:
    """Raise PoselineError when a network's file is missing."""
    if not file.is_file():
        raise PoselineError(f"{file}: this network is missing; install poseline again")


def refusals() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises for a network, or an input, that it cannot run."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    known = ("Fail", "InvalidProtobuf", "InvalidGraph", "InvalidArgument", "NotImplemented", "NoSuchFile", "NoModel")
    others = (state.RuntimeException, state.EPFail, RuntimeError, UnicodeDecodeError)  # for names that are no UTF-8
    return (*(getattr(state, name) for name in known), *others)


def open_network(file: Path, options: onnxruntime.SessionOptions, providers: tuple[str, ...]) -> Any:
    """ONNX Runtime's session of a file; PoselineError for a file that ONNX Runtime cannot run."""
    import onnxruntime

    # OpenVINO has threads of its own.
    own: dict[str, dict[str, str]] = {PROVIDERS["openvino"][0]: {"num_of_threads": str(options.intra_op_num_threads)}}
    try:
        return onnxruntime.InferenceSession(
            str(file), options, providers=list(providers), provider_options=[own.get(p, {}) for p in providers]
        )
    except refusals() as error:
        raise PoselineError(
            f"{file}: is no ONNX network that ONNX Runtime can run, or a damaged one ({_first_line(error)})"
        ) from error


def run_network(file: Path, session: Any, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of one call; PoselineError where the network fails, or returns other ranks than its file declares."""
    try:
        made = session.run(None, feeds)
    except refusals() as error:
        raise PoselineError(f"{file}: this network fails ({_first_line(error)}); use another file") from error
    for told, array in zip(session.get_outputs(), made, strict=True):
        if told.shape and len(told.shape) != np.ndim(array):
            raise PoselineError(
                f"{file}: its output {told.name} has {np.ndim(array)} axes and not the {len(told.shape)} that it claims"
                "; use another file"
            )
    return made


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


@dataclass
class Session:
    """One network. ``run`` takes the input array and returns the outputs by name; calls are timed for the manifest."""

    file: Path
    device: Device
    seconds: float = 0.0  # spent inside the network, of all lanes together
    calls: int = 0
    _ort: onnxruntime.InferenceSession = field(init=False, repr=False)
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        import onnxruntime

        check_file(self.file)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(self.device.threads // self.device.lanes, 1)
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # failures are raised as errors, so ONNX Runtime need not log them
        # Idle workers must not spin: decoding and drawing share the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._ort = open_network(self.file, options, self.device.providers)
        self._input = self._ort.get_inputs()[0].name
        self._names = [o.name for o in self._ort.get_outputs()]

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name for one batch."""
        start = time.perf_counter()
        out = run_network(self.file, self._ort, {self._input: image})
        with self._counting:
            self.seconds += time.perf_counter() - start
            self.calls += 1
        return dict(zip(self._names, out, strict=True))


@cache
def file_digest(file: Path) -> str:
    """Short hex digest of a network's file; PoselineError when it is missing."""
    check_file(file)
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
