"""One poseline at a time in a run folder: a lock that ends with the process that holds it.

The lock is the kernel's (flock) on ``.lock`` in the folder. The file may stay behind when a process is killed, but the
lock ends with the process and blocks no later run. On a file system without such locks the work goes on without a lock,
and the user is told. Threads of one process exclude each other in the same way, with or without the kernel's locks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import threading
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
_Owner = tuple[int, int]  # process (a fork copies what its parent held) and thread
_held: dict[Path, _Owner] = {}  # by this process; a thread may take its own lock again inside
_guard = threading.Lock()  # over _held


@contextlib.contextmanager
def locked(folder: Path, say: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Hold the run folder. A missing folder is made, and temporary files of killed processes are removed.

    The thread that holds the folder may take it again inside. ``say`` gets a line where the file system has no locks.
    PoselineError where another thread or process holds the folder, or where the folder may not be written to.
    """
    real, me = folder.resolve(), (os.getpid(), threading.get_ident())
    with _guard:
        owner = _held.get(real)
        free = owner is None or owner[0] != me[0]
        if free:
            _held[real] = me
    if owner == me:
        yield
        return
    if not free:
        raise _busy(folder, "another thread of this process")
    try:
        with _kernel_lock(folder, say):
            yield
    finally:
        with _guard:
            _held.pop(real, None)


def locked_for(
    folder: Path, out: Path | None, say: Callable[[str], None] = lambda line: None
) -> contextlib.AbstractContextManager[None]:
    """Hold the run folder only if ``out`` lies in it (None does); for other outputs the folder may be read-only."""
    inside = out is None or folder.resolve() in out.resolve().parents
    return locked(folder, say) if inside else contextlib.nullcontext()


@contextlib.contextmanager
def _kernel_lock(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the folder against other processes; leftovers are removed once it is held."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _take(folder)
    except OSError as error:
        raise write_error(folder / NAME, error) from error
    if handle is None:
        say(f"{folder}: this file system has no locks; let one poseline at a time work in this folder")
    try:
        remove_leftovers(folder, alone=handle is not None)
        yield
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):  # the folder may be gone, or read-only by now
                (folder / NAME).unlink()
            os.close(handle)


def _busy(folder: Path, who: str) -> PoselineError:
    return PoselineError(
        f"{folder}: another poseline{f' ({who})' if who else ''} is at work in this run folder;"
        " wait for it, or choose another folder with --out, where the command has it"
    )


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
            raise _busy(folder, owner) from error
        if _is_the_file(handle, folder / NAME):  # not a lock file that its last owner has just deleted
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
