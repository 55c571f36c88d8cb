"""The page's words and figures: people.csv, warnings, suspicious moments, settings, files, the video."""

from __future__ import annotations

import contextlib
import csv
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.names import quoted_path
from pipeline.render.privacy import Privacy
from pipeline.store.checked import TableFile
from pipeline.store.columns import person_name
from pipeline.store.folder import RunFolder
from pipeline.store.settings import stored_config, video_is_current
from pipeline.video.media import open_media
from pipeline.video.moved import source_of

_MOMENT = re.compile(r"(-?\d+(?:\.\d+)?) s: (.+)")
_TABLES = {
    "people.csv": "one row per person",
    "people.parquet": "the same with its types",
    "quality.csv": "one row per person and joint",
    "gait.csv": "one row per foot contact",
    "cycles.csv": "one row per stride or repetition: times, ranges of motion",
    "gait_cycles.parquet": "strides and repetitions over 0 to 100 %",
    "gait_means.parquet": "their mean and standard deviation",
    "jumps.csv": "one row per jump",
    "players.csv": "one row per player: distance, speed bands, sprints, accelerations",
    "heatmap.csv": "seconds in each cell",
    "heatmap.png": "the heat map as a picture",
    "tracks.parquet": "everybody in one table",
    "methods.md": "the methods section of a paper",
    "methods.txt": "the same as plain text",
    "run.json": "video, settings, networks, versions, warnings",
}


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a small table; none where there is no such file, PoselineError where it is damaged."""
    if not path.is_file():
        return []
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            return list(csv.DictReader(handle, restval=""))
    except (OSError, csv.Error, ValueError) as error:
        raise PoselineError(f"{path}: damaged; poseline track {path.parent} makes it again") from error


def figure(text: str) -> float | str | None:
    """The value of a CSV cell: a number where the text is one, None for an empty cell."""
    try:
        value = float(text)
    except ValueError:
        return text or None
    return plain(value) if np.isfinite(value) else None


def plain(value: float | str) -> float | str:
    """A figure as the page shows it: whole numbers without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def moments(text: str) -> list[list[Any]]:
    """``6.00 s: why; 9.10 s: why`` of people.csv as [seconds or None, why]."""
    found: list[list[Any]] = []
    for part in filter(None, (p.strip() for p in text.split("; "))):
        match = _MOMENT.fullmatch(part)
        if match:
            found.append([float(match[1]), match[2]])
        elif found:  # a reason with a semicolon in it
            found[-1][1] += f"; {part}"
        else:
            found.append([None, part])
    return found


def url(path: Path, start: Path) -> str:
    """The URL of a file on a page in the folder ``start``: relative where possible, special characters quoted."""
    try:
        relative = os.path.relpath(path.resolve(), start.resolve())
    except ValueError:  # another drive
        return path.resolve().as_uri()
    return quoted_path(relative)


def video_facts(folder: RunFolder, manifest: dict[str, Any], privacy: Privacy, time_s: np.ndarray) -> dict[str, Any]:
    """The page's video, and the table's time at the video's time 0; kind "none" where ``privacy`` allows no video.

    ``annotated.mp4`` starts at the first frame drawn. For the source, players take the container's first time as 0.
    """
    facts = manifest["video"]
    source = source_of(folder, Path(facts["path"]), facts["digest"])
    low = int((manifest.get("rendered_frames") or manifest["frames_observed"])[0])
    shown: dict[str, Any] = {"name": source.name, "src": None, "kind": "none", "at_zero_s": float(time_s[low])}
    if folder.drawn.is_file() and privacy.shows_video(manifest, _drawn_so(folder, manifest)):
        shown |= {"src": quote(folder.drawn.name), "kind": "annotated", "still": folder.drawn == folder.photo}
        shown["at_zero_s"] += 0.0 if shown["still"] else _container_start_s(folder.video) or 0.0
    elif source.is_file() and facts["kind"] == "file" and privacy.shows_source:
        shown |= {"src": url(source, folder.path), "kind": "source"}
        start_s = _container_start_s(source)
        shown["at_zero_s"] = float(time_s[0]) if start_s is None else start_s
    keys = ("width_px", "height_px", "fps", "codec", "frames", "has_audio", "start_s", "end_s")
    return shown | {key: facts[key] for key in keys}


def _drawn_so(folder: RunFolder, manifest: dict[str, Any]) -> Privacy | None:
    """The privacy of the run's settings, where annotated.mp4 was drawn with these settings; else None."""
    if "config" not in manifest:
        return None
    config = stored_config(folder)
    return Privacy.of(config.render) if video_is_current(folder, manifest, config) else None


def _container_start_s(path: Path) -> float | None:
    with contextlib.suppress(av.FFmpegError, OSError), open_media(path) as container:
        if container.start_time is not None:
            return container.start_time / av.time_base
    return None


def heat_facts(folder: RunFolder) -> dict[str, Any]:
    """The cells of heatmap.parquet by their unit: side, centres and seconds; empty where there is none."""
    path = folder.path / "heatmap.parquet"
    if not path.is_file():
        return {}
    with TableFile(path) as file:
        table = file.whole()
    unit = table.column_names[0].rsplit("_", 1)[-1]
    side = float((table.schema.metadata or {}).get(f"cell_{unit}".encode(), b"0") or 0)
    cells = [table[i].to_numpy().round(3).tolist() for i in range(3)]
    return {unit: {"side": side, "x": cells[0], "y": cells[1], "s": cells[2]}}


def files_of(folder: RunFolder) -> list[list[str]]:
    """The existing tables of the run: [URL, name, description]."""
    return [[quote(name), name, about] for name, about in _TABLES.items() if (folder.path / name).is_file()]


def person_files(folder: RunFolder, person_id: int) -> list[list[str]]:
    """The existing files of one person: [URL, name]."""
    stem = f"people/{person_name(person_id)}"
    return [
        [quote(f"{stem}.{kind}"), kind] for kind in ("csv", "parquet") if (folder.path / f"{stem}.{kind}").is_file()
    ]


def run_warnings(manifest: dict[str, Any]) -> list[str]:
    """The warnings of the run as a whole; people's own warnings stand with the people."""
    return [w for w in manifest.get("warnings", []) if not re.match(r"person \d+: ", w)]
