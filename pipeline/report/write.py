"""report.html: one file beside the video that shows a run and needs only a browser."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.names import shown_name
from pipeline.core.pitches import PITCHES
from pipeline.core.types import VideoInfo
from pipeline.render.draw.colours import person_colour
from pipeline.render.privacy import Privacy
from pipeline.report import facts as say
from pipeline.report.blocks import Put, Seconds, Table, path_of, person_blocks, plan, shortened
from pipeline.report.columns import GROUPS, Column, by_group
from pipeline.report.methods import methods_of
from pipeline.report.methods_facts import RunFacts
from pipeline.report.pack import packed, packed_ints
from pipeline.report.page import Page, charting_library
from pipeline.report.teams import TeamsOfPage
from pipeline.store.atomic import atomic
from pipeline.store.columns import person_name
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.index import stored_video
from pipeline.store.people_table import people_rows
from pipeline.store.settings import stored_config, video_is_current

MAX_MB = 24.0
_FACE = ("nose", "eye", "ear")
# What the page shows first: in the picture plane, or in space where more is known of it there.
KNEES = tuple([f"{s}_knee_flexion_{kind}" for s in ("left", "right")] for kind in ("deg", "3d_deg"))


def write_report(folder: RunFolder, privacy: Privacy, max_mb: float = MAX_MB) -> Path:
    """Write ``report.html`` of a finished run from its tables and return its path.

    Args:
        privacy: decides which video the page may play. A stricter privacy of annotated.mp4 takes precedence.
        max_mb: approximate limit of the page's size in MB. To keep to it, curves of long runs show the least and the
            greatest value of every few frames; the tables are not changed.

    Raises:
        PoselineError: the run is not finished, a table is missing or damaged, or the file cannot be written.
    """
    manifest = folder.manifest()
    if not manifest.get("finished"):
        raise PoselineError(f"{folder.path}: the run is not finished; run poseline run on the video again to go on")
    info = stored_video(folder)
    rows = people_rows(folder)
    target = folder.report
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(atomic(target))
        sink = stack.enter_context(open(temporary, "w", encoding="utf-8", newline="\n"))
        tables = [Table(folder.people / f"{person_name(int(row['person_id']))}.parquet") for row in rows]
        page = Page(sink, f"{shown_name(manifest['video']['path'])} · poseline")
        page.finish(_facts(folder, manifest, privacy, info, rows, tables, page, max_mb))
    return target


def _facts(
    folder: RunFolder,
    manifest: dict[str, Any],
    privacy: Privacy,
    info: VideoInfo,
    rows: list[dict[str, Any]],
    tables: list[Table],
    page: Page,
    max_mb: float,
) -> dict[str, Any]:
    """All facts of the page; arrays are stored as separate blocks, one person after another."""
    time_s = info.time_s  # the page plays the video: its clock is the video's own
    groups = by_group(name for table in tables for name in table.names)
    joints, world = _joints(tables)
    library = charting_library()
    thinning = plan(tables, groups, len(joints), max_mb * 1e6 - len(library.text))
    people, paths, heat = [], [], {"m": Seconds(0.1), "px": Seconds(4.0)}
    teams = TeamsOfPage(manifest)
    first = np.zeros(2, np.int64)  # known rows of knee flexion in the picture plane and in space
    feet = [n for n in skeleton_of_run(folder).names if n.endswith("_ankle")]
    for row, table in zip(rows, tables, strict=True):
        with table:
            path = path_of(table, feet)
            for unit, place in (("m", path[:, :2]), ("px", path[:, 2:])):
                heat[unit].add(place, info.real_s[table.frame()])
            teams.add(row.get("team"), path, info.real_s[table.frame()])
            paths.append(shortened(table, path, len(rows)))
            first += [np.isfinite(table.numbers(names)).any(1).sum() for names in KNEES]
            blocks = person_blocks(table, groups, joints, world, thinning, _of_person(page, row["person_id"]))
        people.append(_person(folder, row, info, teams) | blocks)
    ground = manifest.get("config", {}).get("metres", {}).get("ground") or {}
    pitch = PITCHES.get(ground.get("pitch") or "")
    return {
        "video": say.video_facts(folder, manifest, privacy, time_s),
        "stale": _stale(manifest, folder),
        "frames": [*manifest["frames_observed"], len(time_s)],
        "recorded_fps": None if info.recorded_fps is None else float(info.recorded_fps),
        "pace": float(info.pace),
        "times": page.put("times", packed_ints(np.round((time_s - time_s[0]) * 1e6))),
        "first": KNEES[int(first[1] > first[0])],
        "groups": [_group(key, columns) for key, columns in groups.items()],
        "thinning": thinning.tiers | {"space": thinning.space},
        "people": people,
        "paths": _paths(paths, page),
        "world": world,
        "joints": joints,
        "bones": _bones(joints, manifest["keypoints"]),
        "heat": {unit: seconds.facts() for unit, seconds in heat.items()} | say.heat_facts(folder),
        "zones": ground.get("zones") or {},
        "pitch": pitch.lines if pitch is not None else [],
        "teams": teams.facts(),
        "shots": manifest.get("shots") or [],
        "quality": _quality(folder),
        "warnings": say.run_warnings(manifest),
        "made": {key: manifest.get(key) for key in ("config", "networks", "lifter", "versions", "stages_s", "edits")},
        "methods": _methods(folder, manifest, rows, tables),
        "files": say.files_of(folder),
        "plotly": page.put("plotly", library),
    }


def _methods(
    folder: RunFolder, manifest: dict[str, Any], rows: list[dict[str, Any]], tables: list[Table]
) -> dict[str, Any]:
    columns = frozenset(name for table in tables for name in table.names)
    quality = say.read_csv(folder.path / "quality.csv")
    found = methods_of(RunFacts(manifest, rows, columns, quality, folder.drawn.is_file()))
    return {"parts": found.parts, "references": found.references, "text": found.text}


def _of_person(page: Page, person_id: int) -> Put:
    """A function that stores a block of one person."""
    return lambda name, block: page.put(f"{person_name(person_id)}.{name}", block)


def _group(key: str, columns: list[Column]) -> dict[str, Any]:
    label, tier = GROUPS[key]
    return {"key": key, "label": label, "tier": tier, "columns": [[c.name, c.label, c.unit, c.side] for c in columns]}


def _person(folder: RunFolder, row: dict[str, Any], info: VideoInfo, teams: TeamsOfPage) -> dict[str, Any]:
    person_id = row["person_id"]
    long = {"person_id", "name", "suspicious", "warnings"}
    return {
        "id": person_id,
        "name": row["name"],
        "team": row.get("team") or "",
        "colour": teams.colour(row.get("team"), person_colour(person_id)),
        "suspicious": [[t if t is None else info.in_video_s(t), why] for t, why in say.moments(row["suspicious"])],
        "seen_s": [info.in_video_s(row[key]) for key in ("first_time_s", "last_time_s")],
        "warnings": [w for w in row["warnings"].split("; ") if w],
        "figures": {k: say.plain(v) for k, v in row.items() if k not in long and v not in (None, "")},
        "files": say.person_files(folder, person_id),
    }


def _joints(tables: list[Table]) -> tuple[list[str], bool]:
    """The joints with a place in space, and whether that is one world for all people."""
    names = list(dict.fromkeys(name for table in tables for name in table.names))
    world = [n.removesuffix("_world_x_m") for n in names if n.endswith("_world_x_m")]
    if world:
        return world, True
    left_out = {"com", "path", "ground"}
    return [j for n in names if n.endswith("_x_m") and (j := n.removesuffix("_x_m")) not in left_out], False


def _bones(joints: list[str], skeleton: dict[str, Any]) -> list[list[int]]:
    """Pairs of joints with a bone between them, and the bone's side: the skeleton's bones and the middle line."""
    names = [(skeleton["names"][a], skeleton["names"][b]) for a, b in skeleton["limbs"]]
    if "neck" not in skeleton["names"]:  # a set with a neck has that line already
        names += [("neck", "thorax"), ("neck", "head_top")]
    if {"head", "head_top"} & set(joints):  # the head is drawn by its line
        names = [n for n in names if not any(part in _FACE for name in n for part in name.split("_"))]
    where = {n: i for i, n in enumerate(joints)}

    def side(a: str, b: str) -> int:
        sides = [(-1 if n.startswith("left_") else 1 if n.startswith("right_") else 0) for n in (a, b)]
        return 0 if {-1, 1} <= set(sides) else max(-1, min(1, sum(sides)))

    return [[where[a], where[b], side(a, b)] for a, b in names if a in where and b in where]


def _paths(paths: list[tuple[np.ndarray, np.ndarray]], page: Page) -> dict[str, Any] | None:
    if not paths:
        return None
    frames, places = np.concatenate([p[0] for p in paths]), np.concatenate([p[1] for p in paths])
    return {
        "frames": page.put("paths.frames", packed_ints(frames)),
        "places": page.put("paths.places", packed(places, ["m", "m", "px", "px"])),
        "lengths": [len(p[0]) for p in paths],
    }


def _quality(folder: RunFolder) -> dict[str, Any]:
    """quality.csv by people: column names, and for each id its rows."""
    rows = say.read_csv(folder.path / "quality.csv")
    columns = [c for c in (rows[0] if rows else {}) if c != "person_id"]
    people: dict[str, list[list[Any]]] = {}
    for row in rows:
        people.setdefault(row["person_id"], []).append([say.figure(row[c]) for c in columns])
    return {"columns": columns, "people": people}


def _stale(manifest: dict[str, Any], folder: RunFolder) -> bool:
    """Whether annotated.mp4 was drawn from other tables than those that are there now."""
    if not folder.drawn.is_file() or "config" not in manifest:
        return False
    return not video_is_current(folder, manifest, stored_config(folder))
