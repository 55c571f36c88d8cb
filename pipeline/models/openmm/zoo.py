"""The model zoo as the installed packages hold it: names of configs, and where their official checkpoints are."""

from __future__ import annotations

import difflib
import importlib.util
from functools import cache
from pathlib import Path

from pipeline.core.errors import PoselineError

# Folders of a package's own data that hold configs; mmpose brings the detectors of its demos.
FOLDERS = {
    "mmdet": (("mmdet", "configs"), ("mmpose", "demo/mmdetection_cfg"), ("mmpose", "projects")),
    "mmpose": (("mmpose", "configs"), ("mmpose", "projects")),
}
# These checkpoints are published for MMPose's demos and are in no metafile.
_RTMPOSE = "https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/"
DEMO_CHECKPOINTS = {
    "rtmdet_nano_320-8xb32_coco-person": _RTMPOSE + "rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.pth",
    "rtmdet_m_640-8xb32_coco-person": _RTMPOSE + "rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth",
    "rtmdet_nano_320-8xb32_hand": _RTMPOSE + "rtmdet_nano_8xb32-300e_hand-267f9c8f.pth",
}


def _package(name: str) -> Path:
    """The folder of a package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        from pipeline.models.openmm.compat import INSTALL

        raise PoselineError(f"{name}: is not installed; {INSTALL}")
    return Path(next(iter(spec.submodule_search_locations)))


def _roots(scope: str) -> list[Path]:
    return [_package(package) / ".mim" / folder for package, folder in FOLDERS[scope]]


@cache
def configs(scope: str) -> dict[str, Path]:
    """Name: file of every config that the package brings (its bases left out)."""
    found: dict[str, Path] = {}
    for root in _roots(scope):
        for path in sorted(root.rglob("*.py")):
            if not {"_base_", "__pycache__"} & set(path.parts):
                found.setdefault(path.stem, path)
    return found


@cache
def _metafile(path: Path) -> tuple[tuple[str, str, str], ...]:
    """(name, config's stem, checkpoint's address) of the models of a metafile."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is there
    data = yaml.load(path.read_text(encoding="utf-8-sig"), loader)
    models = data.get("Models") or [] if isinstance(data, dict) else []
    return tuple((str(m["Name"]), Path(str(m.get("Config", ""))).stem, str(m.get("Weights") or "")) for m in models)


def _metafiles(scope: str, near: Path | None = None) -> list[Path]:
    """Metafiles beside a config first, then all."""
    beside = sorted(near.parent.glob("*.yml")) if near else []
    return beside + [p for root in _roots(scope) for p in sorted(root.rglob("*.yml"))]


def find_config(scope: str, name: str) -> Path:
    """The config called ``name``: a file, or a name of the model zoo. PoselineError when there is none."""
    path = Path(name)
    if path.suffix == ".py":
        if path.is_file():
            return path.resolve()
        raise PoselineError(f"{name}: no such config file; give one that is there, or a name of {scope}'s model zoo")
    known = configs(scope)
    if name in known:
        return known[name]
    stems = {other: stem for file in _metafiles(scope) for other, stem, _ in _metafile(file) if stem in known}
    if name in stems:
        return known[stems[name]]
    near = difflib.get_close_matches(name, {**known, **stems}, 3, 0.5)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise PoselineError(f"{scope}:{name}: no config file and no name of {scope}'s model zoo{hint}")


def official_checkpoint(scope: str, config_file: Path) -> str | None:
    """The address of a model-zoo config's checkpoint from the packages' metafiles; None where they have none."""
    if config_file.stem in DEMO_CHECKPOINTS:
        return DEMO_CHECKPOINTS[config_file.stem]
    own = config_file.stem
    for by in (1, 0):  # by file name first: some entries have another config's name
        for metafile in _metafiles(scope, config_file):
            for model in _metafile(metafile):
                if model[by] == own and model[2]:
                    return model[2]
    return None
