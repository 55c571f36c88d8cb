"""Exports of tables that are made again: they are moved aside, so that none stays beside tables that say otherwise."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.config import Config
from pipeline.export.run import FORMATS, Each
from pipeline.store.atomic import write_error
from pipeline.store.folder import RunFolder

ASIDE = "exports_before"  # the folder in the run folder


def tables_digest(observed: str, config: Config, edits: str) -> str:
    """What a run's tables are made from: the digests of its observations, of the settings and of the user's edits."""
    return hashlib.sha256(json.dumps([observed, config.digest(), edits]).encode()).hexdigest()[:16]


def set_aside(folder: RunFolder) -> list[str]:
    """Move all exports of the run folder into `ASIDE`, over those of before; returns a line about them, if any."""
    moved = []
    for name, path in exported(folder):
        target = folder.path / ASIDE / path.relative_to(folder.path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
            if path.parent != folder.path and not any(path.parent.iterdir()):
                path.parent.rmdir()
        except OSError as error:
            raise write_error(target, error) from error
        moved.append(name)
    if not moved:
        return []
    names = ", ".join(dict.fromkeys(moved))
    again = " and ".join(f"poseline export {folder.path} --format {name}" for name in dict.fromkeys(moved))
    return [f"{folder.path}: exports of other tables ({names}) are kept in {ASIDE}; {again} writes them anew"]


def exported(folder: RunFolder) -> Iterator[tuple[str, Path]]:
    """Each format and file that `export_run` wrote into the run folder under its own name."""
    for name, form in FORMATS.items():
        if isinstance(form, Each):
            ours = re.compile(rf"person_\d{{4,}}(_part\d+)?{re.escape(form.suffix)}")
            place = folder.path / form.suffix[1:]
        else:
            ours = re.compile(r".*_\d{12}_keypoints\.json", re.DOTALL)
            place = folder.path / form.default
            if place.is_file():
                yield name, place
        if place.is_dir():
            yield from ((name, path) for path in sorted(place.iterdir()) if ours.fullmatch(path.name))
