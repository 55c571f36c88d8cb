"""An OpenMMLab network from ``CONFIG[@CHECKPOINT]``: found, described before it is loaded, built, and given weights.

Nothing is downloaded, and nothing in a checkpoint is executed (`pipeline.models.openmm.checkpoint`). A config is a
Python file that mmengine executes: it is as trusted as any other program.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib.util
import io
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.models.openmm import checkpoint as checkpoints
from pipeline.models.openmm import compat
from pipeline.models.openmm.checkpoint import first_line
from pipeline.models.openmm.zoo import find_config, official_checkpoint
from pipeline.models.runtime import Device, file_digest

OPTION = {"mmdet": "--detector mmdet:", "mmpose": "--pose mmpose:"}


class Reference(NamedTuple):
    """A network that the user named, with its files found."""

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
    """The network that ``CONFIG[@CHECKPOINT]`` names. Raises PoselineError when config or checkpoint is missing.

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
    # The digest covers the config's settings, inherited ones included, and not the file's layout.
    settings = hashlib.sha256(repr(_read(file).to_dict()).encode()).hexdigest()[:16]
    # The digest is named after the config, because two networks' checkpoints may both be called best.pth.
    what, of_weights = f"{scope}:{file.stem}", f"{scope}:{file.stem} weights"
    if checkpoint:
        path = Path(checkpoint)
        if not path.is_file():
            fetch = _fetch(scope, file, f"{option}{name}")
            raise PoselineError(f"{option}{reference}: no such checkpoint {checkpoint}; {fetch}")
        return Reference(scope, file, path, {what: settings, of_weights: file_digest(path)}, ())
    if seed is None:
        raise PoselineError(f"{option}{reference}: needs a checkpoint; {_fetch(scope, file, f'{option}{name}')}")
    warning = f"{file.stem} HAS RANDOM WEIGHTS (seed {seed}): what it says means nothing"
    return Reference(scope, file, None, {what: settings, of_weights: f"random, seed {seed}"}, (warning,))


def _fetch(scope: str, file: Path, named: str) -> str:
    """Instructions to download a checkpoint and to name it in the reference."""
    official = official_checkpoint(scope, file) or "the one published with the config"
    return f"fetch {official} and name it: {named}@FILE"


@cache
def _read(file: Path) -> Any:
    from mmengine.config import Config as MMConfig

    try:
        with quiet():
            config = MMConfig.fromfile(str(file))
    except Exception as error:  # a config is a program, which may fail in any way
        raise PoselineError(f"{file}: is no OpenMMLab config ({first_line(error)})") from error
    if "model" not in config or "type" not in config.model:
        raise PoselineError(f"{file}: this config describes no model; give one of a detector or a pose network")
    return config


def read_config(reference: Reference) -> Any:
    """A copy of the network's mmengine Config, without pretrained parts to download.

    The copy is deep: networks change settings in the Config, such as thresholds, which must not reach the next network.
    """
    config = copy.deepcopy(_read(reference.config_file))
    _drop_pretrained(config.model)
    return config


def _drop_pretrained(node: Any) -> None:
    """Delete the entries of a model's config, in place, that name weights to download."""
    if isinstance(node, dict):
        init = node.get("init_cfg")
        if init:
            kept = [i for i in (init if isinstance(init, list | tuple) else [init]) if not _is_pretrained(i)]
            node["init_cfg"] = kept or None
        if "pretrained" in node:
            node["pretrained"] = False if isinstance(node["pretrained"], bool) else None
        for value in node.values():
            _drop_pretrained(value)
    elif isinstance(node, list | tuple):
        for value in node:
            _drop_pretrained(value)


def _is_pretrained(init: Any) -> bool:
    """Whether an ``init_cfg`` entry reads the first weights from a file. The entry's type is a name or a class."""
    kind = init.get("type") if isinstance(init, dict) else None
    return getattr(kind, "__name__", str(kind)).rsplit(".")[-1] in ("Pretrained", "PretrainedInit")


def dataset_meta(reference: Reference, config: Config) -> dict[str, Any]:
    """Names, limbs, pairs and sigmas (mmpose) or classes (mmdet): the checkpoint's, else those of the config's data."""
    stored: dict[str, Any] = {}
    if reference.checkpoint is not None:
        notes = checkpoints.notes(reference.checkpoint, config.runtime.trust_checkpoint)
        old = {"classes": notes["CLASSES"]} if notes.get("CLASSES") else {}  # as before MMDetection 3
        stored = {str(key).lower(): value for key, value in (notes.get("dataset_meta") or old).items()}
    if stored.get("keypoint_id2name") or stored.get("classes"):
        return stored
    return {**_declared_meta(reference.scope, reference.config_file), **stored}


@cache
def _declared_meta(scope: str, file: Path) -> dict[str, Any]:
    from mmengine.registry import DefaultScope

    config = _read(file)
    try:
        with DefaultScope.overwrite_default_scope(scope), quiet():
            return _points(config) if scope == "mmpose" else _classes(config)
    except Exception as error:  # a config may cause any error
        raise PoselineError(f"{file}: its data set cannot be read ({first_line(error)})") from error


def _points(config: Any) -> dict[str, Any]:
    """The keypoint set of an mmpose config's data set; empty where it has none."""
    from mmpose.apis.inference import dataset_meta_from_config

    for mode in ("test", "train"):
        meta = dataset_meta_from_config(config, dataset_mode=mode)
        if meta:
            return dict(meta)
    return {}


def _classes(config: Any) -> dict[str, Any]:
    """The classes of an mmdet config's data set; empty where it has none."""
    from mmdet.registry import DATASETS

    loader = config.get("test_dataloader") or config.get("val_dataloader") or config.get("train_dataloader") or {}
    data = loader.get("dataset") or {}
    while "metainfo" not in data and "dataset" in data:  # data sets wrapped into others
        data = data["dataset"]
    kind = DATASETS.get(data["type"]) if data.get("type") else None
    meta = {**(getattr(kind, "METAINFO", None) or {}), **(data.get("metainfo") or {})}
    return {str(key).lower(): value for key, value in meta.items()}


# --- loading ---------------------------------------------------------------------------------------------------------


def load(reference: Reference, device: Device, config: Config) -> Loaded:
    """Build the network on the device, in eval mode, with its weights. Raises PoselineError when they do not fit."""
    import torch

    cuda = device.name == "cuda"
    torch.set_num_threads(device.threads)
    where = torch.device("cuda" if cuda else "cpu")
    settings = read_config(reference)
    model = _build(reference, settings, config.runtime.random_weights)
    if reference.checkpoint is not None:
        trust = config.runtime.trust_checkpoint
        checkpoints.fit(model, reference.checkpoint, trust, reference.config_file.name)
    meta = dataset_meta(reference, config)
    model.dataset_meta = meta
    model.cfg = settings
    half = config.observe.half and where.type == "cuda"
    return Loaded(model.to(where).eval(), settings, meta, where, half)


def _build(reference: Reference, settings: Any, seed: int | None) -> Any:
    """The model with random weights from the seed."""
    import torch
    from mmengine.model import revert_sync_batchnorm
    from mmengine.registry import DefaultScope

    if "train_cfg" in settings.model:  # two-stage detectors want it named
        settings.model.train_cfg = None
    registry = _registry(reference.scope)
    state = torch.random.get_rng_state()
    torch.manual_seed(seed or 0)
    try:
        with DefaultScope.overwrite_default_scope(reference.scope), quiet():
            model = registry.build(settings.model)
            if hasattr(model, "init_weights") and reference.checkpoint is None:
                model.init_weights()
            return revert_sync_batchnorm(model)
    except Exception as error:  # a config may cause any error
        wanted = "mmpretrain" in f"{settings.model} {error}" and importlib.util.find_spec("mmpretrain") is None
        extra = f"; it needs mmpretrain: {compat.INSTALL_MMPRETRAIN}" if wanted else ""
        raise PoselineError(f"{reference.config_file}: cannot be built ({first_line(error)}){extra}") from error
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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop the packages' prints, as standard output is for results, and their warnings, which no user can mend."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True):
        yield
