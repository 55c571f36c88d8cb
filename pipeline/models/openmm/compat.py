"""Make mmdet 3.3 and mmpose 1.3 importable on a current Python, where a package they need is missing or broken.

Both need three packages. mmcv's compiled operators have wheels for old torch versions only, though the common networks
use none but ``nms``. torchvision is needed for one class that inference never calls. xtcocotools is built for numpy 1;
pycocotools replaces it. The real package is used wherever it works.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError

INSTALL = "run make openmm, or python scripts/install_openmm.py with poseline's Python"
INSTALL_MMPRETRAIN = "python scripts/install_openmm.py --with-mmpretrain with poseline's Python"
NEEDED = ("torch", "mmengine", "mmcv", "mmdet", "mmpose")


def missing() -> list[str]:
    """The packages that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


@cache
def ensure() -> dict[str, str]:
    """Make the packages importable. Returns for each doubtful package: real with its version, a stand-in, or an alias.

    Raises PoselineError when a package is not installed or does not import.
    """
    absent = missing()
    if absent:
        raise PoselineError(f"mmdet: and mmpose: networks need {', '.join(absent)}, not installed here; {INSTALL}")
    # Waiting threads of torch must not spin: decoding shares the cores, and spinning made a run five times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is loaded
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # language models of some detectors: nothing is downloaded
    try:
        with warnings.catch_warnings(record=True):  # deprecations that only the packages can mend
            pieces = {
                "pkg_resources": _pkg_resources(),
                "torchvision": _torchvision(),
                "mmcv operators": _mmcv_operators(),
                "xtcocotools": _xtcocotools(),
            }
            importlib.import_module("mmdet.models")
            importlib.import_module("mmpose.models")
    except Exception as error:  # packages that do not fit one another may raise any error
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PoselineError(f"the OpenMMLab packages do not import ({first}); {INSTALL}") from error
    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel(logging.ERROR)  # mmengine logs every new weight to standard output
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    warnings.filterwarnings("ignore", category=FutureWarning, module="mm(det|pose|engine|cv)")
    return pieces


def _pkg_resources() -> str:
    """mmengine imports pkg_resources, which setuptools has below version 81."""
    if importlib.util.find_spec("pkg_resources") is None:
        raise ImportError("pkg_resources is missing: setuptools must be below 81")
    return f"real, of setuptools {version('setuptools')}"


class MissingOperatorError(RuntimeError):
    """A network called a function that is not installed."""


class _StandIn(ModuleType):
    """A module with any function; each one raises MissingOperatorError when it is called."""

    def __init__(self, name: str, remedy: str, **contents: Any):
        super().__init__(name)
        self.__dict__.update(contents, __spec__=ModuleSpec(name, None), __path__=[], _remedy=remedy)
        sys.modules[name] = self
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, self)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def absent(*args: Any, **kwargs: Any) -> Any:
            raise MissingOperatorError(f"this network needs {self.__name__}.{name}: {self._remedy}")

        return absent


def _forget(package: str) -> None:
    """Drop what a failed import has left behind."""
    for name in [n for n in sys.modules if n.split(".")[0] == package]:
        del sys.modules[name]


# --- torchvision -----------------------------------------------------------------------------------------------------


TORCHVISION = ("torchvision", "torchvision.ops", "torchvision.ops.boxes", "torchvision.transforms")  # what is imported


def _torchvision() -> str:
    """mmpose imports torchvision to draw, mmpretrain for networks of text and pictures; pose networks never call it."""
    try:
        return f"real {importlib.import_module('torchvision').__version__}"
    except Exception:  # a torchvision built for another torch may raise any error
        _forget("torchvision")
    for name in TORCHVISION:
        _StandIn(name, "install the torchvision that was built for your torch", __version__="0.0.0")
    return "stand-in (imported, but not used by inference)"


# --- mmcv ------------------------------------------------------------------------------------------------------------


MMCV_REMEDY = "install mmcv 2.1.0, built for your torch"


def _mmcv_operators() -> str:
    """The compiled module behind ``mmcv.ops``, which mmcv has and mmcv-lite lacks."""
    mmcv = importlib.import_module("mmcv")
    try:
        importlib.import_module("mmcv._ext")
        return f"real, of mmcv {mmcv.__version__}"
    except ImportError:
        pass
    vision = sys.modules.get("torchvision")
    lent = {} if vision is None or isinstance(vision, _StandIn) else LENT
    _StandIn("mmcv._ext", MMCV_REMEDY, nms=nms, **lent)
    return f"stand-in: {', '.join(['nms', *lent])} (mmcv-lite {mmcv.__version__})"


def nms(boxes: Any, scores: Any, iou_threshold: float, offset: int = 0) -> Any:
    """Indices (n,) i64 of the boxes (N, 4) kept by greedy suppression, best first; torch tensors."""
    import torch

    box = boxes.detach().to("cpu", torch.float32).numpy()
    order = np.argsort(-scores.detach().to("cpu", torch.float32).numpy(), kind="stable")
    x1, y1, x2, y2 = box[order].T
    area = (x2 - x1 + offset) * (y2 - y1 + offset)
    alive, kept = np.ones(len(order), bool), []
    for i in range(len(order)):
        if not alive[i]:
            continue
        kept.append(order[i])
        rest = i + 1 + np.flatnonzero(alive[i + 1 :])
        width = np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest]) + offset
        height = np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest]) + offset
        common = width.clip(0) * height.clip(0)
        alive[rest[common > iou_threshold * (area[i] + area[rest] - common)]] = False
    return torch.as_tensor(np.array(kept, np.int64), device=boxes.device)


def _roi_align(
    feature: Any, rois: Any, output: Any, argmax_y: Any, argmax_x: Any, aligned_height: int, aligned_width: int,
    spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    """Average-pooling RoIAlign by torchvision, written into ``output``."""
    from torchvision.ops import roi_align

    if pool_mode != 1:
        raise MissingOperatorError(f"this network needs mmcv's roi_align by maxima: {MMCV_REMEDY}")
    size = (aligned_height, aligned_width)
    output.copy_(roi_align(feature, rois, size, spatial_scale, sampling_ratio, aligned))


def _deform_conv(
    feature: Any, weight: Any, shift: Any, output: Any, columns: Any, ones: Any, kW: int, kH: int, dW: int, dH: int,
    padW: int, padH: int, dilationW: int, dilationH: int, group: int, deformable_group: int, im2col_step: int,
) -> None:  # fmt: skip
    """Deformable convolution by torchvision, which reads the groups off the shapes; written into ``output``."""
    from torchvision.ops import deform_conv2d

    output.copy_(deform_conv2d(feature, shift, weight, None, (dH, dW), (padH, padW), (dilationH, dilationW)))


LENT = {"roi_align_forward": _roi_align, "deform_conv_forward": _deform_conv}  # by torchvision, where it is real


# --- xtcocotools -----------------------------------------------------------------------------------------------------


def _xtcocotools() -> str:
    """mmpose's data sets read annotations with xtcocotools, whose wheels are built for numpy 1."""
    try:
        importlib.import_module("xtcocotools.mask")
        return f"real {version('xtcocotools')}"
    except PackageNotFoundError:
        return "real"
    except (ImportError, ValueError):  # numpy says ValueError of a module built for another version
        _forget("xtcocotools")
    for name in ("", ".mask", ".coco", ".cocoeval"):
        sys.modules[f"xtcocotools{name}"] = importlib.import_module(f"pycocotools{name}")
    return f"alias of pycocotools {version('pycocotools')}"
