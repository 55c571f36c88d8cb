"""The inputs on a command line: files, folders of videos or of images, and pipes, which are copied to files."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
from pathlib import Path

from pipeline.core.errors import PoselineError
from pipeline.core.names import shown_address
from pipeline.store.atomic import temporary_name, write_error
from pipeline.video.media import BLOCK_BYTES, digest_of

VIDEO_SUFFIXES = frozenset(
    [
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"),
        *(".3gp", ".ogv", ".mxf", ".y4m", ".dv", ".m2t", ".vob", ".h264", ".h265", ".hevc", ".264", ".265"),
    ]
)
SPHERICAL_SUFFIXES = frozenset((".insv", ".360"))  # two fisheyes or a cube in one file
IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"))


def find_inputs(paths: list[str], recursive: bool = False, photos: bool = False) -> list[Path]:
    """Expand files and folders, in the given order, into inputs for ``index_video`` ('-' and FIFOs are kept).

    A folder stands for the videos directly in it (by extension, in natural order) or, where it has none, is itself one
    input made of images; with ``photos`` it stands for these images. With ``recursive`` it also stands for the inputs
    in its subfolders. Raises PoselineError for a path that is missing, an address, or a folder with neither.
    """
    found: list[Path] = []
    for name in paths:
        path = Path(name)
        if name != "-" and not path.exists():
            raise PoselineError(_of_address(name) or f"{path}: no such file or folder; check the path")
        if not path.is_dir():
            found.append(path)
        elif inside := _inputs_in(path) + [i for f in (_folders(path) if recursive else []) for i in _inputs_in(f)]:
            found += [i for one in inside for i in (image_files(one) if photos and one.is_dir() else [one])]
        else:
            raise PoselineError(f"{path}: {_of_empty(path, recursive)}")
    return found


def is_photo(path: Path) -> bool:
    """Whether this is an image file, by its name."""
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def refuse_spherical(path: Path) -> None:
    """PoselineError for a file of a 360° camera, whose pictures no network could make sense of."""
    if path.suffix.lower() in SPHERICAL_SUFFIXES and path.is_file():
        raise PoselineError(f"{path}: 360° video is not read; export it flat, as MP4, with the camera's program")


def _inputs_in(folder: Path) -> list[Path]:
    """The videos directly in a folder; the folder itself where it has only images."""
    return _listed(folder, VIDEO_SUFFIXES) or ([folder] if _listed(folder, IMAGE_SUFFIXES) else [])


def _folders(folder: Path) -> list[Path]:
    """All visible folders below a folder, at any depth, in natural order."""
    found = [Path(place) for place, _, _ in os.walk(folder) if Path(place) != folder]
    visible = [p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    return sorted(visible, key=lambda p: [_natural(part) for part in p.relative_to(folder).parts])


def _of_empty(folder: Path, recursive: bool) -> str:
    """The error message for a folder without videos and images."""
    deeper = 0 if recursive else sum(bool(_inputs_in(f)) for f in _folders(folder))
    if deeper:
        return f"no videos and no images directly in this folder, but in {deeper} inside it; add --recursive"
    return "no videos and no images in this folder; give a folder that holds some"


def _of_address(name: str) -> str | None:
    """The error message for an address in place of a file; None where the name is no address."""
    scheme, there, _ = name.partition("://")
    if not there or not scheme.isalnum():
        return None
    shown = shown_address(name)
    if scheme in ("http", "https"):
        return f"{shown}: is an address; download the file first, or follow a stream with poseline live {shown}"
    if scheme in ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "srt", "rtp", "tcp"):
        return f"{shown}: is a stream; follow it with poseline live {shown}"
    return f"{shown}: is an address; download the file first"


def image_files(folder: Path) -> list[Path]:
    """The images directly in a folder in natural order: frame2 before frame10; by value where names are numbers."""
    files = _listed(folder, IMAGE_SUFFIXES)
    if all(re.fullmatch(r"\d+(\.\d+)?", file.stem) for file in files):
        return sorted(files, key=lambda file: float(file.stem))  # 0.167 before 0.5
    return files


def _listed(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """Visible files with one of the suffixes, numbers in names compared as numbers."""
    try:
        names = [p for p in folder.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith(".")]
    except OSError as error:
        raise PoselineError(f"{folder}: cannot list the folder ({error.strerror}); check its permissions") from error
    return sorted((p for p in names if p.is_file()), key=lambda p: (_natural(p.name), p.name))


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name.lower()) if part]


def is_pipe(source: Path | str) -> bool:
    """Whether the input is standard input ('-') or a FIFO."""
    try:
        return str(source) == "-" or stat.S_ISFIFO(Path(source).stat().st_mode)
    except OSError:
        return False


def kept_name(source: Path | str) -> str:
    """The name under which the video of a pipe is kept."""
    return "stdin.video" if str(source) == "-" else f"{Path(source).name}.video"


def spool(source: Path | str, folder: Path) -> Path:
    """Copy a pipe ('-' for standard input, or a FIFO) to a temporary file in ``folder``; a file is returned as it is.

    All later steps seek, which a pipe cannot. The copy goes through a small buffer, so the disk must hold the video
    but memory need not. The caller, who learns from the copy which video it is, moves it to its place with `keep`, or
    removes it. Raises PoselineError when nothing arrives or the copy cannot be written.
    """
    name = str(source)
    if not is_pipe(name):
        return Path(name)
    target = temporary_name(folder / kept_name(name), "partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as out:
            if name == "-":
                shutil.copyfileobj(sys.stdin.buffer, out, BLOCK_BYTES)
            else:
                with open(name, "rb") as pipe:
                    shutil.copyfileobj(pipe, out, BLOCK_BYTES)
    except OSError as error:
        target.unlink(missing_ok=True)
        where = "disk full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise PoselineError(f"{target}: cannot keep the piped video ({where}); choose another folder") from error
    if target.stat().st_size == 0:
        target.unlink()
        raise PoselineError(f"{name}: the pipe gave no data; pipe a video into it")
    return target


def keep(copied: Path, source: Path | str, folder: Path, digest: str) -> Path:
    """Move the copy of a pipe into its run folder; returns where it is. Other files there are never overwritten."""
    target = folder / kept_name(source)
    if target.exists() and digest_of([target]) != digest:
        target = target.with_name(f"{target.stem}-{digest[:8]}.video")
    try:
        os.replace(copied, target)
    except OSError as error:
        raise write_error(target, error) from error
    return target
