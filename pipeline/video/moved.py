"""A run's video that was moved together with its run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.core.types import VideoInfo
from pipeline.store.folder import RunFolder
from pipeline.video.inputs import image_files
from pipeline.video.media import digest_of


def source_of(folder: RunFolder, path: Path, digest: str) -> Path:
    """Where a run's video is now: ``path`` if it is there, else a video of its name and bytes in or beside the folder.

    ``path`` itself where there is none.
    """
    if path.exists():
        return path
    here = folder.path.resolve()
    for place in (here, here.parent, here.parent.parent):
        found = place / path.name
        if found.exists() and digest_of(image_files(found) if found.is_dir() else [found]) == digest:
            return found
    return path


def at_hand(folder: RunFolder, info: VideoInfo) -> VideoInfo:
    """The run's video with the path at which it is now."""
    return replace(info, path=source_of(folder, info.path, info.digest))


def gone(folder: RunFolder, info: VideoInfo) -> str:
    """What to tell of a video that is nowhere to be found, and the remedy; the reader's purpose may follow."""
    name, parent = info.path.name, folder.path.parent
    return (
        f"{info.path}: the source video is gone, and {folder.path} has none of its bytes in it or beside it; put it"
        f" beside it, or say where it is by poseline run NEW/{name} --out {parent}"
    )
