"""An OpenMMLab network from ``CONFIG[@CHECKPOINT]``: found, described before it is loaded, built, and given weights.

Nothing is downloaded, and nothing in a checkpoint is executed: it is read by torch's ``weights_only`` loader, which
knows tensors, numbers and the few numpy types that OpenMMLab's own checkpoints hold. A config is a Python file that
mmengine executes: it is as trusted as any other program.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import pickle
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.config import Config
from pipeline.errors import PoselineError
from pipeline.models.runtime import Device, file_digest
from pipeline.openmm import compat
from pipeline.openmm.zoo import find_config, official_checkpoint

OPTION = {"mmdet": "--detector mmdet:", "mmpose": "--pose mmpose:"}


class Reference(NamedTuple):
    """A network that was named, and is there."""

    scope: str  # mmdet or mmpose
    config_file: Path
    checkpoint: Path | None  # None: random weights
    digests: dict[str, str]
    warnings: tuple[str, ...]


class Loaded(NamedTuple):
    """A network that is ready."""

    model: Any  # torch.nn.Module in eval mode
    config: Any  # mmengine.Config
    meta: dict[str, Any]  # dataset_meta
    device: Any  # torch.device
    half: bool  # computes in half precision


# --- before loading --------------------------------------------------------------------------------------------------


def find(scope: str, reference: str, config: Config, option: str = "") -> Reference:
    """The network that ``CONFIG[@CHECKPOINT]`` names. Raises PoselineError when a part of it is not there.

    ``option`` is how the user named it, for messages: ``--lifter mmpose:``.
    """
    seed = config.runtime.random_weights
    return _find(scope, reference, seed, option or OPTION[scope])


@cache
def _find(scope: str, reference: str, seed: int | None, option: str) -> Reference:
    compat.ensure()
    name, _, checkpoint = reference.partition("@")
    if not name:
        raise PoselineError(f"{option}{reference}: write {option}CONFIG@CHECKPOINT, such as {option}my.py@my.pth")
    file = find_config(scope, name)
    digest = hashlib.sha256(_read(file).pretty_text.encode()).hexdigest()[:16]
    digests = {f"{file.stem}.py": digest}
    if checkpoint:
        path = Path(checkpoint)
        if not path.is_file():
            raise PoselineError(f"{option}{reference}: no such checkpoint {checkpoint}; {_where(scope, file, option)}")
        return Reference(scope, file, path, {**digests, path.name: file_digest(path)}, ())
    if seed is None:
        raise PoselineError(f"{option}{reference}: needs a checkpoint; {_where(scope, file, option)}")
    warning = f"{file.stem} HAS RANDOM WEIGHTS (seed {seed}): what it says means nothing"
    return Reference(scope, file, None, {**digests, f"{file.stem} weights": f"random, seed {seed}"}, (warning,))


def _where(scope: str, file: Path, option: str) -> str:
    """How to come by a checkpoint."""
    official = official_checkpoint(scope, file)
    fetch = f"fetch {official}" if official else "fetch the one published with the config"
    return f"{fetch} and name it: {option}{file.stem}@FILE"


@cache
def _read(file: Path) -> Any:
    from mmengine.config import Config as MMConfig
    from mmengine.config.utils import ConfigParsingError

    try:
        config = MMConfig.fromfile(str(file))
    except (ConfigParsingError, SyntaxError, ImportError, NameError, TypeError, ValueError, KeyError, OSError) as error:
        raise PoselineError(f"{file}: is no OpenMMLab config ({_first_line(error)})") from error
    if "model" not in config or "type" not in config.model:
        raise PoselineError(f"{file}: this config describes no model; give one of a detector or a pose network")
    return config


def read_config(reference: Reference) -> Any:
    """A copy of the network's mmengine Config, without pretrained parts to download."""
    config = _read(reference.config_file).copy()
    _drop_pretrained(config.model)
    return config


def _drop_pretrained(node: Any) -> None:
    """Remove weights that would be downloaded, from a model's config, in place."""
    if isinstance(node, dict):
        init = node.get("init_cfg")
        inits = init if isinstance(init, list | tuple) else [init]
        if any(isinstance(i, dict) and i.get("type") == "Pretrained" for i in inits):
            node["init_cfg"] = None
        if "pretrained" in node:
            node["pretrained"] = None
        for value in node.values():
            _drop_pretrained(value)
    elif isinstance(node, list | tuple):
        for value in node:
            _drop_pretrained(value)


def dataset_meta(reference: Reference, config: Config) -> dict[str, Any]:
    """Names, limbs, pairs and sigmas (mmpose) or classes (mmdet): the checkpoint's, else those of the config's data."""
    stored: dict[str, Any] = {}
    if reference.checkpoint is not None:
        stored = dict(_checkpoint(reference.checkpoint, config.runtime.trust_checkpoint)[1].get("dataset_meta") or {})
    declared = _declared_meta(reference.scope, reference.config_file)
    stored = {key.lower(): value for key, value in stored.items()}
    return stored if stored.get("keypoint_id2name") or stored.get("classes") else {**declared, **stored}


@cache
def _declared_meta(scope: str, file: Path) -> dict[str, Any]:
    from mmengine.registry import DefaultScope

    config = _read(file)
    loader = config.get("test_dataloader") or config.get("val_dataloader") or config.get("train_dataloader") or {}
    data = loader.get("dataset") or {}
    with DefaultScope.overwrite_default_scope(scope), quiet():
        if scope == "mmpose":
            from mmpose.apis.inference import dataset_meta_from_config

            for mode in ("test", "train"):
                meta = dataset_meta_from_config(config, dataset_mode=mode)
                if meta:
                    return dict(meta)
            return {}
        from mmdet.registry import DATASETS

        declared = dict(data.get("metainfo") or {})
        kind = DATASETS.get(data.get("type")) if data.get("type") else None
        own = dict(getattr(kind, "METAINFO", {}) or {})
        return {key.lower(): value for key, value in {**own, **declared}.items()}


# --- checkpoints -----------------------------------------------------------------------------------------------------


def _safe_types() -> list[Any]:
    """What checkpoints of OpenMMLab hold beside tensors and numbers: numpy arrays and scalars."""
    import numpy.core.multiarray as old  # the name under which older checkpoints know it

    array: list[Any] = [np.ndarray, np.dtype, np._core.multiarray._reconstruct, np._core.multiarray.scalar]
    array += [(old._reconstruct, "numpy.core.multiarray._reconstruct"), (old.scalar, "numpy.core.multiarray.scalar")]
    kinds = (np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.bool_)
    return array + [type(np.dtype(kind)) for kind in kinds]


@cache
def _checkpoint(path: Path, trust: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """(weights by name, meta) of a checkpoint file. Raises PoselineError for what is none, or may run code."""
    import torch

    if path.suffix == ".safetensors":
        return _safetensors(path), {}
    try:
        with torch.serialization.safe_globals(_safe_types()):
            data = torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        raise _unreadable(path, error) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, ImportError, TypeError) as error:
        raise PoselineError(f"{path}: is no checkpoint, or a damaged one ({_first_line(error)})") from error
    if not isinstance(data, dict):
        raise PoselineError(f"{path}: holds a {type(data).__name__}, not a checkpoint; save model.state_dict()")
    weights = next((data[key] for key in ("state_dict", "model", "module") if isinstance(data.get(key), dict)), data)
    meta = data.get("meta")
    weights = {str(k).removeprefix("module."): v for k, v in weights.items() if isinstance(v, torch.Tensor)}
    if not weights:
        raise PoselineError(f"{path}: holds no weights; give a checkpoint as MMEngine saves it")
    return weights, dict(meta) if isinstance(meta, dict) else {}


def _unreadable(path: Path, error: Exception) -> PoselineError:
    """torch's refusal of an object, or of a file that is no pickle, as one line."""
    text = str(error)
    _, found, rest = text.partition("Unsupported global: GLOBAL ")
    if not found:
        _, found, rest = text.partition("unsupported global: GLOBAL ")
    if found:
        return PoselineError(
            f"{path}: holds {rest.split()[0]}, which may run any code; if you trust its maker, add --trust-checkpoint"
        )
    if "Unsupported" in text or "Weights only load failed" in text:
        return PoselineError(
            f"{path}: is no checkpoint, or holds more than weights; if you trust its maker, add --trust-checkpoint"
        )
    return PoselineError(f"{path}: is no checkpoint, or a damaged one ({_first_line(error)})")


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise PoselineError(f"{path}: reading it needs safetensors: pip install safetensors") from error
    try:
        return dict(load_file(str(path)))
    except (SafetensorError, OSError) as error:
        raise PoselineError(f"{path}: is no safetensors file, or a damaged one ({_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__


# --- loading ---------------------------------------------------------------------------------------------------------


def load(reference: Reference, device: Device, config: Config) -> Loaded:
    """Build the network on the device, in eval mode, with its weights. Raises PoselineError when they do not fit."""
    import torch

    if device.name == "cuda" and not torch.cuda.is_available():
        raise PoselineError("--device cuda: this torch has no CUDA; install one that has, or use --device cpu")
    torch.set_num_threads(device.threads)
    where = torch.device("cuda" if device.name == "cuda" else "cpu")
    settings = read_config(reference)
    model = _build(reference, settings, config.runtime.random_weights)
    if reference.checkpoint is not None:
        weights, _ = _checkpoint(reference.checkpoint, config.runtime.trust_checkpoint)
        _fit(model, weights, reference)
    meta = dataset_meta(reference, config)
    model.dataset_meta = meta
    model.cfg = settings
    half = config.observe.half and where.type == "cuda"
    return Loaded(model.to(where).eval(), settings, meta, where, half)


def _build(reference: Reference, settings: Any, seed: int | None) -> Any:
    """The model with weights that the seed decides."""
    import torch
    from mmengine.model import revert_sync_batchnorm
    from mmengine.registry import DefaultScope

    settings.model.pop("train_cfg", None)
    registry = _registry(reference.scope)
    state = torch.random.get_rng_state()
    torch.manual_seed(seed or 0)
    try:
        with DefaultScope.overwrite_default_scope(reference.scope), quiet():
            model = registry.build(settings.model)
            if hasattr(model, "init_weights") and reference.checkpoint is None:
                model.init_weights()
            return revert_sync_batchnorm(model)
    except RuntimeError as error:
        raise PoselineError(f"{reference.config_file}: cannot be built ({_first_line(error)})") from error
    except (KeyError, TypeError, ImportError, AttributeError, ValueError, AssertionError) as error:
        extra = "; pip install mmpretrain==1.2.0" if "mmpretrain" in f"{settings.model} {error}" else ""
        raise PoselineError(f"{reference.config_file}: cannot be built ({_first_line(error)}){extra}") from error
    finally:
        torch.random.set_rng_state(state)


def _registry(scope: str) -> Any:
    if scope == "mmdet":
        from mmdet.registry import MODELS
        from mmdet.utils import register_all_modules
    else:
        from mmpose.registry import MODELS  # type: ignore[no-redef]
        from mmpose.utils import register_all_modules  # type: ignore[no-redef]
    register_all_modules(init_default_scope=False)
    return MODELS


def _fit(model: Any, weights: dict[str, Any], reference: Reference) -> None:
    """Give the model its weights; PoselineError unless they are those of this config."""
    own = model.state_dict()
    lacking = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
    other = [name for name in own if name in weights and weights[name].shape != own[name].shape]
    # What only training needs, and a preprocessor's constants, which the config decides.
    lacking = [name for name in lacking if not name.startswith("data_preprocessor")]
    if lacking or other:
        example = (other or lacking)[0]
        raise PoselineError(
            f"{reference.checkpoint}: does not fit {reference.config_file.name}: {len(lacking)} of {len(own)} weights "
            f"are missing and {len(other)} have another shape, such as {example}; give the checkpoint of this config"
        )
    model.load_state_dict({name: weights[name] for name in own if name in weights}, strict=False)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what the packages print to standard output, which is for results, and warn of, which no user can mend."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True):
        yield
