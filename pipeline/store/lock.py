"""One poseline at a time in a run folder: a lock that ends with the process that holds it.

The lock is the kernel's (flock) on ``.lock`` in the folder. The file may stay behind when a process is killed; the lock
does not, so it is never in the way. Where a file system has no such locks the work goes on without, which is said.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.core.errors import PoselineError
from pipeline.store.atomic import remove_leftovers, write_error

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_held: set[Path] = set()  # by this process, which may take a lock again inside


@contextlib.contextmanager
def locked(folder: Path, say: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Hold the run folder, which is made where it is missing; what killed processes left in it is removed.

    ``say`` is told where there are no locks. PoselineError where another process holds it, or it may not be written to.
    """
    real = folder.resolve()
    if real in _held:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _take(folder)
    except OSError as error:
        raise write_error(folder / NAME, error) from error
    if handle is None:
        say(f"{folder}: this file system has no locks; let one poseline at a time work in this folder")
    _held.add(real)
    try:
        remove_leftovers(folder, alone=handle is not None)
        yield
    finally:
        _held.discard(real)
        if handle is not None:
            with contextlib.suppress(OSError):  # the folder may be gone, or read-only by now
                (folder / NAME).unlink()
            os.close(handle)


def _take(folder: Path) -> int | None:
    """The open file that holds the lock; None where there are no locks."""
    if fcntl is None:
        return None
    while True:
        handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 200).decode("utf-8", "replace").strip()
            os.close(handle)
            if error.errno in _NO_LOCKS:
                return None
            if not isinstance(error, BlockingIOError):
                raise
            who = f" ({owner})" if owner else ""
            raise PoselineError(
                f"{folder}: another poseline{who} is at work in this run folder; wait for it, or choose another --out"
            ) from error
        if _is_the_file(handle, folder / NAME):  # not one that its last owner has just deleted
            break
        os.close(handle)
    os.ftruncate(handle, 0)
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name in it
        os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
    return handle


def _is_the_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
