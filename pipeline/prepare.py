"""Before a video is observed: choose its run folder, keep what is still valid there, and fill in the manifest."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.core.config import Config
from pipeline.core.errors import HIDDEN, PoselineError
from pipeline.core.libraries import opencv_names, version_of
from pipeline.core.progress import Progress
from pipeline.core.types import VideoInfo
from pipeline.models.protocols import NetworkFacts
from pipeline.observe.tiles import is_large
from pipeline.store.folder import RunFolder
from pipeline.store.index import indexed_digest, write_index
from pipeline.store.manifest import FORMAT_VERSION, OBSERVED_VERSION, begun, video_facts
from pipeline.store.parts import part_digest
from pipeline.store.people_table import named_tables
from pipeline.store.person_table import is_person_table

VERSIONED = ("poseline", "numpy", "onnxruntime", "av", "decord2", "pyarrow", "scipy", "lap")
VERSIONED_IF_COMPUTING = "openvino"
VERSIONED_IF_USED = ("torch", "mmengine", "mmdet", "mmpose")  # of networks of the model zoo

PART = re.compile(r"(part|ids)-\d{5,}\.parquet|index\.parquet")  # what a run writes into observations,
TABLE = re.compile(r"person_\d{4,}\.(parquet|csv)")  # and into people
MOST_NAME_BYTES = 200  # of a run folder's name: file systems take 255, and a digest may be put behind it


def folder_name(video: Path) -> str:
    """A run folder's name: the video's without its suffix, as one plain name that cannot lead out of the folder."""
    name = "stdin" if str(video) == "-" else video.resolve().name if video.is_dir() else video.stem
    name = "".join("_" if unicodedata.category(c) in HIDDEN else c for c in name)
    name = name.encode()[:MOST_NAME_BYTES].decode(errors="ignore")
    return name if name.strip(".") else f"video{name}"  # "..mp4" would be ".", and "...mp4" ".."


def folders_of(out: Path, video: Path, digest: str) -> tuple[RunFolder, RunFolder]:
    """The run folder that a video has, and the one that it has where another video already has that name."""
    name = folder_name(video)
    return RunFolder(out / name), RunFolder(out / f"{name}-{digest[:8]}")


def choose_folder(
    out: Path, video: Path, info: VideoInfo, progress: Progress, fetch: Callable[[RunFolder], None] | None = None
) -> RunFolder:
    """``out/<video stem>``, with the video's digest appended where another video already has that name.

    ``fetch`` is called with each folder before the folder is read.
    """
    folder, other = folders_of(out, video, info.digest)
    if fetch:
        fetch(folder)
        fetch(other)
    try:
        known = folder.manifest().get("video", {})
        taken = known and known["digest"] != info.digest and known["path"] != str(info.path.resolve())
    except PoselineError as error:
        progress.say(f"{error}, now")
        taken = indexed_digest(folder) not in ("", info.digest)
    itself = folder.path.resolve() == info.path.resolve()  # a folder of images would hold the run's own pictures
    return other if taken or itself else folder


def tables_of_people(folder: RunFolder) -> list[Path]:
    """The people's tables in the run folder: what a run wrote into ``people``, and nothing that a user put there."""
    known = named_tables(folder)  # of other files their content tells
    return [path for path in _written(folder.people, TABLE) if path.stem in known or is_person_table(path)]


def start_over(folder: RunFolder) -> None:
    """Remove what a run makes, and nothing else that a user may have put beside it."""
    # A part that cannot be deleted is an error: it would be taken for new.
    _clear(folder.observations, _written(folder.observations, PART))
    _clear(folder.people, tables_of_people(folder))
    made = (folder.manifest_file, folder.tracks, folder.people_csv, folder.people_parquet, folder.video, folder.photo)
    cycles = (folder.gait_cycles, folder.gait_means, folder.cycles_csv, folder.jumps_csv, folder.shots_csv)
    for path in (*made, *cycles, folder.players_csv, folder.report, folder.methods_md, folder.methods_txt):
        path.unlink(missing_ok=True)


def _written(place: Path, name: re.Pattern[str]) -> list[Path]:
    """The files of such names in a folder, which may be missing."""
    return sorted(path for path in place.glob("*") if name.fullmatch(path.name))


def _clear(place: Path, files: list[Path]) -> None:
    """Remove these files of a folder, and the folder if nothing else is in it."""
    for path in files:
        path.unlink()
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()


def prepare(
    folder: RunFolder,
    info: VideoInfo,
    config: Config,
    facts: NetworkFacts,
    frames: tuple[int, int],
    progress: Progress,
) -> str:
    """Make the run folder ready for observations made under these settings; returns the digest of those settings.

    Observations made under other settings are moved aside, and taken back when their settings return.
    """
    try:
        manifest = folder.manifest()
    except PoselineError:  # choose_folder has warned; the files can be made again, and each part names its settings
        manifest = {}
    settings = config.digest("observe", "detect", "pose")
    content: list[Any] = [FORMAT_VERSION, OBSERVED_VERSION, info.digest, str(info.fps), frames, settings, facts.digests]
    content += _as_seen(info) + ([facts.computes] if facts.computes else [])
    content += ["tiles"] if is_large(config, info.size_px) else []  # else auto means none, as before there were tiles
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    _set_aside(folder, digest, progress, folder.manifest_file.is_file())
    write_index(folder, info)
    video = {**video_facts(info), "path": str(info.path.resolve())}
    made = begun(
        config, video, facts.skeleton, frames, digest, facts.digests, versions(config), facts.warnings, facts.computes
    )
    still = ("stages_s", "rendered", "rendered_privacy", "tables_digest")
    kept = {key: manifest[key] for key in still if key in manifest}
    folder.write_manifest(made.but(video_warnings=list(info.warnings), **kept))
    return digest


def _as_seen(info: VideoInfo) -> list[Any]:
    """How pictures and frames of this video are read, where that is not as stored: observations depend on it."""
    holes = info.kind == "images" and int(info.pts[-1]) != len(info) - 1
    told = [str(info.pixel_aspect), info.mirrored, info.seen is not None, info.deinterlace, info.stream, info.bits]
    found: list[Any] = [[*told, holes]] if holes or told != ["1", False, False, "", -1, 16] else []
    return [*found, [info.hdr, info.peak_nits]] if info.hdr else found


def _set_aside(folder: RunFolder, digest: str, progress: Progress, going_on: bool) -> None:
    """Move observations of other settings into folders of their own, and move those of these settings back.

    The settings that the parts themselves name count, not the manifest's: a run may have been killed between these
    renames and the next manifest. Without ``going_on`` the run starts over, and nothing is moved back.
    """
    digests = [known for known in map(part_digest, folder.parts()) if known]
    if digests and digest not in digests:
        aside = folder.path / f"observations-{digests[0][:8]}"
        _move(folder.observations, aside)
        progress.say(f"{folder.path}: observations made under other settings are kept in {aside.name}")
    back = folder.path / f"observations-{digest[:8]}"
    if going_on and back.is_dir():
        if digest not in map(part_digest, folder.parts()):
            _clear(folder.observations, _written(folder.observations, PART))  # the folder holds no complete part
        _move(back, folder.observations)


def _move(place: Path, to: Path) -> None:
    """Move the observations from one folder to another, at once where nothing else is there.

    Two parts of the same name are equal, since both come from the same settings. A user's own files are not moved.
    """
    parts = _written(place, PART)
    if not to.exists() and len(parts) == len(list(place.iterdir())):
        place.rename(to)
        return
    to.mkdir(exist_ok=True)
    for path in parts:
        path.replace(to / path.name)
    if not any(place.iterdir()):
        place.rmdir()


def remove_other_parts(folder: RunFolder, wanted: set[Path]) -> None:
    """Delete the parts that are not ``wanted``."""
    for path in folder.parts():
        if path not in wanted:
            path.unlink()


def versions(config: Config) -> dict[str, str]:
    """The versions of Python and of the packages that may change a result."""
    names = (config.detect.name, config.pose.name, config.lift.name)
    zoo = VERSIONED_IF_USED if any(n.startswith(("mmdet:", "mmpose:")) for n in names) else ()
    vino = (VERSIONED_IF_COMPUTING,) if config.runtime.device == VERSIONED_IF_COMPUTING else ()
    packages = (*VERSIONED, *opencv_names(), *vino, *zoo)
    return {name: version_of(name) or "not installed" for name in packages} | {"python": platform.python_version()}
