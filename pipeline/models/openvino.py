"""OpenVINO's own runtime: what it can do on this processor, and networks compiled for fixed shapes and kept.

With a free batch axis the last bits depend on the batch, so every shape is compiled by itself, and batches of more
than `EXACT` are padded to powers of two. The bits are then the same for any batch and any number of threads, on one
kind of processor.
"""

from __future__ import annotations

import hashlib
import os
import platform
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.libraries import version_of
from pipeline.models.centred import centre, means_of
from pipeline.store.atomic import atomic

NAME, REMEDY = "openvino", "pip install 'poseline[openvino]', or use --device cpu"
KEPT_BYTES = 1 << 30  # of all compiled networks; the longest unused are deleted
EXACT = 4  # inputs of a batch that is compiled as it is
GRAPHS = 1  # version of the changes to graphs before they are compiled
# OpenVINO's bindings make some values at their first use, and wait for Python's lock within: two threads that begin at
# once wait for each other for ever. So a process's first call ends before another begins, and networks are compiled one
# at a time.
_BEGINNING, _BEGUN, _COMPILING = threading.Lock(), threading.Event(), threading.Lock()
_DIGEST = 32  # bytes before a compiled network, its SHA-256: OpenVINO would run a damaged one


def installed() -> bool:
    """Whether the package is there."""
    return find_spec(NAME) is not None


def abilities() -> frozenset[str]:
    """The number formats that OpenVINO computes in on this processor, such as FP32 and BF16; none without OpenVINO."""
    return frozenset(_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")) if installed() else frozenset()


def halves() -> bool:
    """Whether half precision pays here: where an x86 processor multiplies bfloat16, by AVX512-BF16 or AMX."""
    return platform.machine().lower() in ("x86_64", "amd64") and "BF16" in abilities()


def kind(precision: str) -> str:
    """Version, precision and kind of processor: networks return the same bits where these are the same."""
    # OpenVINO offers FP16 on processors with AMX.
    processor = "plain" if "BF16" not in abilities() else "amx" if "FP16" in abilities() else "avx512"
    return f"{NAME} {version_of(NAME)} {precision} {platform.machine()} {processor}"


def check(precision: str) -> None:
    """Raise PoselineError where OpenVINO is missing or this processor has no such precision."""
    if not installed():
        raise PoselineError(f"--device {NAME}: {NAME} is not installed; {REMEDY}")
    if precision == "bf16" and "BF16" not in abilities():
        raise PoselineError("runtime.precision=bf16: this processor does not compute in bfloat16; leave it out")


@cache
def _core() -> Any:
    import openvino

    return openvino.Core()


def place() -> Path:
    """The folder of compiled networks; it need not be there."""
    from platformdirs import user_cache_path

    return user_cache_path("poseline", appauthor=False) / "compiled"


def padded(count: int) -> int:
    """The batch that is compiled for ``count`` inputs: as many, or the next power of two."""
    return count if 0 < count <= EXACT else 1 << max(count - 1, 0).bit_length()


class Compiled:
    """A network in OpenVINO. ``fixed`` is the batch size that its file fixes, if it does; ``lanes`` calls run at once
    with ``threads`` in all."""

    def __init__(self, file: Path, digest: str, precision: str, threads: int, lanes: int, fixed: int | None) -> None:
        self._file, self._fixed = file, fixed
        self._settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": lanes,
            "ENABLE_CPU_PINNING": False,  # decoding and drawing share the cores
        }
        self._key = [GRAPHS, digest, kind(precision)]
        self._shapes: dict[tuple[int, ...], Any] = {}
        self._requests = threading.local()

    def run(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs by name of inputs (B, …) f32. Raises PoselineError for what OpenVINO cannot run."""
        count = len(inputs)
        batch = self._fixed or padded(count)
        if count < batch:
            inputs = np.concatenate([inputs, np.zeros((batch - count, *inputs.shape[1:]), np.float32)])
        try:
            if _BEGUN.is_set():
                return self._outputs(inputs, count)
            with _BEGINNING:
                made = self._outputs(inputs, count)
            _BEGUN.set()
        except RuntimeError as error:
            raise PoselineError(
                f"{self._file}: OpenVINO cannot run this network ({_line(error)}); use --device cpu"
            ) from error
        return made

    def _outputs(self, inputs: np.ndarray, count: int) -> dict[str, np.ndarray]:
        """The first ``count`` outputs by name."""
        made = self._request(inputs.shape).infer([inputs], share_inputs=True, share_outputs=True)
        # The arrays of a request are written again by its next call.
        return {output.get_any_name(): np.array(array[:count]) for output, array in made.items()}

    def _request(self, shape: tuple[int, ...]) -> Any:
        """This thread's request for inputs of that shape."""
        mine = self._requests.__dict__.setdefault("of", {})
        if shape not in mine:
            with _COMPILING:
                if shape not in self._shapes:
                    self._shapes[shape] = self._compiled(shape)
            mine[shape] = self._shapes[shape].create_infer_request()
        return mine[shape]

    def _read(self, shape: tuple[int, ...]) -> Any:
        """The graph for inputs of that shape."""
        model = _core().read_model(self._file)
        model.reshape({model.inputs[0]: list(shape)})
        return model

    def _compiled(self, shape: tuple[int, ...]) -> Any:
        """The network for inputs of that shape: as it was kept, else compiled now and kept."""
        core = _core()
        name = hashlib.sha256(repr((*self._key, shape)).encode()).hexdigest()[:32]
        kept = place() / f"{name}.bin"
        if (content := _whole(kept)) is not None:
            return core.import_model(content, "CPU", self._settings)
        model = self._read(shape)
        if self._settings["INFERENCE_PRECISION_HINT"] == "bf16":
            # Of one picture, so that the means do not depend on the batch.
            centre(model, means_of(self._read((self._fixed or 1, *shape[1:])), core))
        made = core.compile_model(model, "CPU", self._settings)
        _keep(kept, made.export_model().getvalue())
        return made


def unable(file: Path, digest: str, precision: str, shape: tuple[int, ...]) -> str:
    """Why OpenVINO cannot run the network on inputs of that shape, in words; "" where it can."""
    try:
        Compiled(file, digest, precision, 1, 1, shape[0]).run(np.zeros(shape, np.float32))
    except PoselineError as error:
        return str(error)
    return ""


def _line(error: Exception) -> str:
    """The last line of OpenVINO's message that says anything; those before tell where in its source it arose."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__


def _whole(kept: Path) -> bytes | None:
    """The content of a kept file; None where there is none, or a damaged one."""
    try:
        content = kept.read_bytes()
        if hashlib.sha256(memoryview(content)[_DIGEST:]).digest() != content[:_DIGEST]:
            return None
        os.utime(kept)  # it was used now
    except OSError:
        return None  # it is compiled again
    return content[_DIGEST:]


def _keep(kept: Path, content: bytes) -> None:
    """Write the file, and delete those longest unused. Where that cannot be done, starting takes longer next time."""
    try:
        with atomic(kept) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
        room = KEPT_BYTES
        for file in sorted(kept.parent.glob("*.bin"), key=lambda path: path.stat().st_mtime, reverse=True):
            room -= file.stat().st_size
            if room < 0:
                file.unlink(missing_ok=True)
    except (PoselineError, OSError):
        return  # poseline doctor tells of a folder that cannot be written
