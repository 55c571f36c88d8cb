"""Tables of a run in the formats of other tools; each a plain function in one dict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import PoselineError
from pipeline.export.coco import export_coco
from pipeline.export.mot import export_mot
from pipeline.store import RunFolder

# Format: (function, name of the file it writes by default)
FORMATS: dict[str, tuple[Callable[[RunFolder, Path], None], str]] = {
    "mot": (export_mot, "mot.txt"),
    "coco": (export_coco, "coco.json"),
}


def export_run(folder: RunFolder, name: str, out: Path | None = None) -> Path:
    """Write a run's tracks in a format; returns the file. PoselineError for unknown formats and unfinished runs."""
    if name not in FORMATS:
        raise PoselineError(f"--format {name}: no such format; choose one of {', '.join(FORMATS)}")
    if not folder.manifest().get("finished") or not folder.tracks.is_file():
        raise PoselineError(f"{folder.path}: the run is not finished; run poseline run on the video again to go on")
    export, default = FORMATS[name]
    path = out or folder.path / default
    export(folder, path)
    return path
