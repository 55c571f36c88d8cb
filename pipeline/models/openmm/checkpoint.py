"""Checkpoints: a network's weights and the notes beside them, read without executing anything in the file.

torch's ``weights_only`` loader knows tensors, numbers and plain containers. MMEngine's checkpoints also hold numpy
arrays, which are registered with the loader, and the training's log, whose classes are replaced by inert stand-ins.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError

STATE = ("state_dict", "model", "module")  # where MMEngine, and others, keep the weights in a checkpoint
# Share of a file's weights that may have no place in the network: a ResNet-101 would fill a ResNet-50 without an error.
UNUSED = 0.1


class _Log:
    """In place of MMEngine's HistoryBuffer."""


def _nothing(*args: Any) -> None:
    """In place of ``getattr``, by which the log names its methods, and by which code could be reached."""


def _known() -> list[Any]:
    """The types in OpenMMLab's checkpoints beside tensors and numbers, for torch's loader."""
    known: list[Any] = [np.ndarray, np.dtype]
    array, scalar = np.zeros(0).__reduce__()[0], np.float64(0).__reduce__()[0]  # the functions that numpy pickles by
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):  # the module's name before and since numpy 2
        known += [(array, f"{module}._reconstruct"), (scalar, f"{module}.scalar")]
    kinds = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "U")
    known += [type(np.dtype(kind)) for kind in kinds]
    return [*known, (_Log, "mmengine.logging.history_buffer.HistoryBuffer"), (_nothing, "builtins.getattr")]


# --- reading ---------------------------------------------------------------------------------------------------------


@cache
def notes(path: Path, trust: bool) -> dict[str, Any]:
    """The ``meta`` of a checkpoint; empty where it has none. Raises as `weights` does."""
    if path.suffix == ".safetensors":
        return {}
    meta = _load(path, trust).get("meta")
    return dict(meta) if isinstance(meta, dict) else {}


def weights(path: Path, trust: bool) -> dict[str, Any]:
    """The tensors of a checkpoint by name. Raises PoselineError for other files, or for code without ``trust``."""
    import torch

    data = _safetensors(path) if path.suffix == ".safetensors" else _load(path, trust)
    state = next((data[key] for key in STATE if isinstance(data.get(key), dict)), data)
    named = {str(k).removeprefix("module."): v for k, v in state.items() if isinstance(v, torch.Tensor)}
    if not named:
        raise PoselineError(f"{path}: holds no weights; give a checkpoint as MMEngine saves it")
    found = OrderedDict(named)
    if hasattr(state, "_metadata"):  # versions of the layers, which tell old weight names from new ones
        found._metadata = state._metadata  # type: ignore[attr-defined]
    return found


def _load(path: Path, trust: bool) -> dict[str, Any]:
    """The contents of a checkpoint file; tensors of a current one stay on disk until they are used."""
    import torch

    try:
        with torch.serialization.safe_globals(_known()), warnings.catch_warnings(record=True):
            data = torch.load(path, map_location="cpu", weights_only=not trust, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise _unreadable(path, error) from error
    except Exception as error:  # a damaged file, or trusted code in it, may raise any error
        raise PoselineError(f"{path}: is no checkpoint, or a damaged one ({first_line(error)})") from error
    if not isinstance(data, dict):
        raise PoselineError(f"{path}: holds a {type(data).__name__}, not a checkpoint; save model.state_dict()")
    return data


def _unreadable(path: Path, error: Exception) -> PoselineError:
    """torch's refusal of an object, or of a file that is no pickle, as one line."""
    text = str(error)
    _, found, rest = text.partition("nsupported global: GLOBAL ")
    if found:
        what = f"holds {rest.split()[0]}, which may run any code"
    elif "Unsupported" in text or "Weights only load failed" in text:
        what = "is no checkpoint, or holds more than weights"
    else:
        return PoselineError(f"{path}: is no checkpoint, or a damaged one ({first_line(error)})")
    return PoselineError(f"{path}: {what}; if you trust its maker, add --trust-checkpoint")


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise PoselineError(f"{path}: reading it needs safetensors: pip install safetensors") from error
    try:
        return dict(load_file(str(path)))
    except (SafetensorError, OSError) as error:
        raise PoselineError(f"{path}: is no safetensors file, or a damaged one ({first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or the error's type where the message is empty."""
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__


# --- fitting ---------------------------------------------------------------------------------------------------------


def fit(model: Any, path: Path, trust: bool, config_name: str) -> None:
    """Give a network its weights from a file; PoselineError unless they are those of its config.

    Names are compared after loading, because the network's own hooks rename the weights of older versions.
    """
    given = weights(path, trust)
    try:
        result = model.load_state_dict(given, strict=False)
    except RuntimeError as error:  # torch lists what has another shape
        shapes = [line.split("size mismatch for ")[1] for line in str(error).splitlines() if "size mismatch" in line]
        if not shapes:
            raise PoselineError(f"{path}: does not fit {config_name} ({first_line(error)})") from error
        what = f"weights of another shape: {len(shapes)}, such as {shapes[0].split(':')[0]}"
        raise _misfit(path, config_name, what) from error
    lacking = [name for name in result.missing_keys if not _for_training(name)]
    if lacking:
        what = f"weights missing: {len(lacking)} of {len(model.state_dict())}, such as {lacking[0]}"
        raise _misfit(path, config_name, what)
    parts = tuple(f"{name}." for name, _ in model.named_children())
    unused = [name for name in result.unexpected_keys if name.startswith(parts) and not _for_training(name)]
    if len(unused) > UNUSED * len(given):
        what = f"weights without a place in it: {len(unused)} of {len(given)}, such as {unused[0]}"
        raise _misfit(path, config_name, what)


def _misfit(path: Path, config_name: str, what: str) -> PoselineError:
    return PoselineError(f"{path}: does not fit {config_name}: {what}; give the checkpoint of this config")


def _for_training(name: str) -> bool:
    """Whether only training needs this weight: batch counts, losses, and the preprocessor, which the config sets."""
    parts = name.split(".")
    return parts[0] == "data_preprocessor" or parts[-1] == "num_batches_tracked" or any("loss" in p for p in parts)
