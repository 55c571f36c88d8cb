"""poseline: long videos of people in, one motion time series per person and an annotated video out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline.core import libraries
from pipeline.core.version import VERSION

if TYPE_CHECKING:
    from pipeline.core.config import Config, load_config
    from pipeline.core.errors import PoselineError
    from pipeline.finish import render_run, track
    from pipeline.store.read import read_run
    from pipeline.workflow import run

__all__ = ["Config", "PoselineError", "load_config", "read_run", "render_run", "run", "track"]
__version__ = VERSION
_PUBLIC = {  # name: where it is, imported when it is first asked for
    "Config": "pipeline.core.config",
    "PoselineError": "pipeline.core.errors",
    "load_config": "pipeline.core.config",
    "read_run": "pipeline.store.read",
    "render_run": "pipeline.finish",
    "run": "pipeline.workflow",
    "track": "pipeline.finish",
}
_LIGHT = ("Config", "PoselineError", "load_config")  # need no library that a user may have another version of


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _LIGHT:
        libraries.check()
    found = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
