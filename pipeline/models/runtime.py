"""Where networks run: devices, precision, threads, lanes, times; by ONNX Runtime, or OpenVINO where that is faster."""

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
from pipeline.models import openvino

if TYPE_CHECKING:
    import onnxruntime

Task = TypeVar("Task")
Made = TypeVar("Made")
ASSETS = Path(__file__).resolve().parent.parent / "assets"
CUDA = ("CUDAExecutionProvider", "onnxruntime-gpu")  # ONNX Runtime's provider, and the distribution that has it
CPU_PROVIDER = "CPUExecutionProvider"


@dataclass(frozen=True)
class Device:
    """Where networks run: ONNX Runtime's providers or ("openvino",), CPU threads, and calls of a network that run side
    by side. ``precision`` is f32 or bf16.

    Two calls of one thread each take .8 to .9 of the time of two calls of two threads, with the same bits, and what
    surrounds the calls runs side by side too. One call alone is faster with all threads.
    """

    providers: tuple[str, ...]
    threads: int
    lanes: int = 1  # calls at once; each has threads // lanes threads
    precision: str = "f32"

    def laned(self) -> Device:
        """This device with a lane for each CPU thread, where networks run on the CPU."""
        return replace(self, lanes=self.threads) if self.on_cpu else self

    def exact(self) -> Device:
        """This device, or ONNX Runtime in f32 in place of OpenVINO: for networks whose outputs are coordinates."""
        return replace(self, providers=(CPU_PROVIDER,), precision="f32") if self.name == openvino.NAME else self

    @property
    def name(self) -> str:
        """cpu, cuda or openvino."""
        return "cuda" if CUDA[0] in self.providers else openvino.NAME if openvino.NAME in self.providers else "cpu"

    @property
    def on_cpu(self) -> bool:
        """Whether networks run on the CPU, in whichever library."""
        return self.name != "cuda"

    @property
    def computes(self) -> str:
        """What the last bits of the outputs depend on beside the networks; "" for ONNX Runtime."""
        return openvino.kind(self.precision) if self.name == openvino.NAME else ""


def pick_device(name: str = "auto", threads: int = 0, precision: str = "auto") -> Device:
    """The device called ``name`` with ``threads`` CPU threads (0: all cores this process may use).

    ``name`` is auto, cpu, cuda or openvino. auto is CUDA where ONNX Runtime offers it; else OpenVINO in bf16 where it
    is installed and the processor is fast at that (`pipeline.models.openvino.halves`); else ONNX Runtime in f32.
    ``precision`` is auto, f32 or bf16. Raises PoselineError for what this machine cannot do.
    """
    import onnxruntime

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    offered = onnxruntime.get_available_providers()
    if name == "cuda" and CUDA[0] not in offered:
        raise PoselineError(
            f"--device {name}: this ONNX Runtime offers {', '.join(offered)}; install {CUDA[1]} in place of "
            "onnxruntime or use --device cpu"
        )
    if name == "auto" and CUDA[0] in offered:
        name = "cuda"
    if name == "auto" and (precision == "bf16" or (precision == "auto" and openvino.halves())):
        name = openvino.NAME
    if name == openvino.NAME:
        told = precision if precision != "auto" else "bf16" if openvino.halves() else "f32"
        openvino.check(told)
        return Device((name,), threads or cores, precision=told)
    if precision == "bf16":
        raise PoselineError(f"runtime.precision=bf16: --device {name} computes in f32; use --device {openvino.NAME}")
    return Device((CUDA[0], CPU_PROVIDER) if name == "cuda" else (CPU_PROVIDER,), threads or cores)


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

    try:
        return onnxruntime.InferenceSession(str(file), options, providers=list(providers))
    except refusals() as error:
        raise PoselineError(
            f"{file}: is no ONNX network that ONNX Runtime can run, or a damaged one ({_first_line(error)}); give "
            "another file"
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
    batch: int | None = None  # that the file fixes
    seconds: float = 0.0  # spent inside the network, of all lanes together
    calls: int = 0
    _call: Callable[[np.ndarray], dict[str, np.ndarray]] = field(init=False, repr=False)
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        check_file(self.file)
        self._call = self._compiled() if self.device.name == openvino.NAME else self._opened()

    def _compiled(self) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The call of this network in OpenVINO."""
        device = self.device
        digest = file_digest(self.file)
        return openvino.Compiled(self.file, digest, device.precision, device.threads, device.lanes, self.batch).run

    def _opened(self) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The call of this network in ONNX Runtime."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(self.device.threads // self.device.lanes, 1)
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # failures are raised as errors, so ONNX Runtime need not log them
        # Idle workers must not spin: decoding and drawing share the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = open_network(self.file, options, self.device.providers)
        name, names = session.get_inputs()[0].name, [o.name for o in session.get_outputs()]
        return lambda image: dict(zip(names, run_network(self.file, session, {name: image}), strict=True))

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name for one batch."""
        start = time.perf_counter()
        out = self._call(image)
        with self._counting:
            self.seconds += time.perf_counter() - start
            self.calls += 1
        return out


@cache
def file_digest(file: Path) -> str:
    """Short hex digest of a network's file; PoselineError when it is missing."""
    check_file(file)
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
