"""Atomic writing, so that every existing file is whole: a file is written to a temporary name, fsynced and renamed."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import PoselineError
from pipeline.core.names import written

_count = itertools.count()  # threads of one process must not write to one temporary file
# .NAME.PROCESS-NUMBER.tmp; runs of the first version had no number. Some libraries write to their own suffix only.
_LEFTOVER = re.compile(r"\..+\.(\d+)(?:-\d+)?\.(?:tmp|partial)(?:\.\w+)?", re.DOTALL)


def temporary_name(path: Path, kind: str = "tmp") -> Path:
    """A name beside ``path`` that nobody else uses: not another process, and not another thread of this one.

    ``kind`` is tmp, or partial for a file that is written over a long time. `remove_leftovers` knows these names.
    """
    return path.with_name(f".{path.name}.{os.getpid()}-{next(_count)}.{kind}")


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it becomes ``path`` when the block ends well and is removed when it does not.

    OSErrors become a PoselineError that names the file and the remedy.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, alone: bool = False) -> None:
    """Delete the temporary files of runs that were killed.

    The video of a live segment (``.live.mp4``) stays: a killed segment has no other video, and `pipeline.live` uses it.
    With ``alone``, no other process can be at work in the folder and all temporary files go, because another process
    may have the number by now. Otherwise the temporary files of living processes stay.
    """
    for path in folder.rglob(".*"):
        left = _LEFTOVER.fullmatch(path.name)
        if left and not path.name.startswith(".live.") and (alone or not _alive(int(left[1]))):
            path.unlink(missing_ok=True)
    for path in folder.glob(".motions-*") if alone else ():
        shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def write_error(path: Path, error: OSError) -> PoselineError:
    """The error that a user sees when a file cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return PoselineError(f"{path}: the disk is full; free some space and run the same command again to go on")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PoselineError(f"{path.parent}: may not be written to; {_elsewhere(path.parent)}")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return PoselineError(f"{path.parent}: is not a folder; choose another one with --out")
    return PoselineError(f"{path}: cannot be written ({error.strerror or error}); {_elsewhere(path.parent)}")


def _elsewhere(folder: Path) -> str:
    """What to do when a folder cannot be written to. Commands on a finished run, such as report, have no --out."""
    in_run = any(os.path.isfile(place / "run.json") for place in (folder, folder.parent))
    copied = "copy the run folder and work on the copy, or " if in_run else ""
    return f"{copied}choose another folder with --out{', where the command has it' if in_run else ''}"


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically.

    Bytes of file names that are no UTF-8 become ``\\udcXX``, which JSON reads back as they were.
    """
    with atomic(path) as temporary:
        temporary.write_bytes(written(text).encode())
