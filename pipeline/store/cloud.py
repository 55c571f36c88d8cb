"""Runs in object storage: made in a work folder on this machine, then uploaded as whole files, run.json last.

If a run stopped on this or another machine, its files are fetched from the storage first, so that the run continues.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.core.errors import PoselineError
from pipeline.store.atomic import atomic
from pipeline.store.folder import RunFolder
from pipeline.store.people_table import named_tables
from pipeline.store.person_table import is_person_table

WORK = Path("outputs/.work")
# In these storages an object appears once it is whole; elsewhere files are uploaded under another name and renamed.
AT_ONCE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"})
# Files that a run makes and may remove, by their paths in the run folder; a user's own files may lie beside them. Of
# tables only those that a run wrote are removed.
OBSERVED = re.compile(r"observations(?:-[0-9a-f]{8})?/(?:part-\d{5,}|index)\.parquet")
TABLED = re.compile(r"people/person_\d{4,}\.(?:parquet|csv)")
CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError"})


def is_remote(out: str | Path) -> bool:
    """Whether ``out`` is an address such as s3://bucket/prefix."""
    return re.match(r"[a-z][a-z0-9+.]*://", str(out)) is not None


class UploadedRun(RunFolder):
    """A run that is in the storage and no longer on this machine."""

    def __init__(self, url: str, manifest: dict[str, Any]) -> None:
        super().__init__(url)
        self.url = url
        self._manifest = manifest

    def manifest(self) -> dict[str, Any]:
        return self._manifest


class Store:
    """A place for run folders, such as s3://bucket/prefix.

    Raises PoselineError, before anything is computed, where the place cannot be written to.
    """

    def __init__(self, url: str, work: str | Path | None = None) -> None:
        self.url = url.rstrip("/")
        self._fs, root = _file_system(self.url)
        self._root = root.rstrip("/")
        self.work = Path(work or WORK) / _work_name(self.url)
        self._sent: dict[Path, tuple[int, int]] = {}
        probe = f"{self._root}/.poseline"
        names = self._fs.protocol
        self._at_once = not AT_ONCE.isdisjoint([names] if isinstance(names, str) else names)
        if not self._at_once:
            self._try(self._fs.makedirs, self._root, exist_ok=True)
        self._try(self._fs.pipe_file, probe, b"")
        self._try(self._fs.rm_file, probe)

    def fetch_manifest(self, folder: RunFolder) -> None:
        """Fetch run.json, if the storage has one, so that the folder can be chosen."""
        self._fetch(folder, ["run.json"])

    def fetch(self, folder: RunFolder, parts: bool, video: bool) -> None:
        """Fetch what a run continues from: the edits, with ``parts`` the observations, with ``video`` what is drawn."""
        at = self._place(folder.path)
        found = self._try(self._fs.find, at) if self._try(self._fs.exists, at) else []
        names = [str(path)[len(at) :].lstrip("/") for path in found]
        drawn = (folder.video.name, folder.photo.name)
        self._fetch(
            folder,
            [
                name
                for name in names
                if name == "edits.toml" or (parts and OBSERVED.fullmatch(name)) or (video and name in drawn)
            ],
        )

    def keep(self, path: Path, say: Callable[[str], None]) -> None:
        """Upload a file now. If this fails, the file is uploaded with the others at the end of the run."""
        try:
            self._put(path)
        except PoselineError as error:
            say(f"{error}; tried again at the end")

    def upload(self, folder: RunFolder) -> UploadedRun:
        """Upload a finished run and remove the local copy. A failed upload raises PoselineError and keeps the copy."""
        files = [p for p in sorted(folder.path.rglob("*")) if p.is_file() and not p.name.startswith(".")]
        others = self._others(folder, files)  # told by the stored table of people, so before it is replaced
        for path in files:
            if path != folder.manifest_file:
                self._put(path)
        for at in others:
            self._try(self._fs.rm_file, at)
        self._put(folder.manifest_file)
        uploaded = UploadedRun(f"{self.url}/{folder.path.name}", folder.manifest())
        shutil.rmtree(folder.path)
        return uploaded

    def _others(self, folder: RunFolder, files: list[Path]) -> list[str]:
        """Stored observations and people's tables of an earlier run that this one does not have."""
        at = self._place(folder.path)
        here = {str(p.relative_to(folder.path)) for p in files}
        found = {str(path)[len(at) :].lstrip("/"): str(path) for path in self._try(self._fs.find, at)}
        there = {name: path for name, path in found.items() if name not in here}
        old = [path for name, path in there.items() if OBSERVED.fullmatch(name)]
        tables = [path for name, path in there.items() if TABLED.fullmatch(name)]
        if not tables:
            return old
        with TemporaryDirectory(prefix=".", dir=self.work) as temporary:
            before = RunFolder(temporary)
            for path in (before.people_parquet, before.people_csv):
                if path.name in found:
                    self._try(self._fs.get_file, found[path.name], str(path))
            known = named_tables(before)
            return old + [path for path in tables if Path(path).stem in known or self._is_table(path, before.path)]

    def _is_table(self, at: str, beside: Path) -> bool:
        """Whether a run wrote the stored file, by its content."""
        path = beside / Path(at).name
        self._try(self._fs.get_file, at, str(path))
        return is_person_table(path)

    def _place(self, path: Path) -> str:
        return f"{self._root}/{path.relative_to(self.work).as_posix()}"

    def _fetch(self, folder: RunFolder, names: list[str]) -> None:
        for name in names:
            path = folder.path / name
            if path.exists():
                continue
            at = self._place(path)
            if self._try(self._fs.exists, at):
                with atomic(path) as temporary:
                    self._try(self._fs.get_file, at, str(temporary))
                self._sent[path] = _stamp(path)

    def _put(self, path: Path) -> None:
        if self._sent.get(path) == _stamp(path):
            return
        stamp, at = _stamp(path), self._place(path)
        if self._at_once:
            self._try(self._fs.put_file, str(path), at)
        else:
            folder = at.rpartition("/")[0]
            beside = f"{folder}/.{path.name}.tmp"
            self._try(self._fs.makedirs, folder, exist_ok=True)
            self._try(self._fs.put_file, str(path), beside)
            self._try(self._fs.mv, beside, at)
        self._sent[path] = stamp

    def _try(self, act: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """The result of ``act``. The errors of every storage's library become a PoselineError."""
        try:
            return act(*arguments, **named)
        except PoselineError:
            raise
        except Exception as error:
            raise _told(self.url, error, self.work) from error


def _work_name(url: str) -> str:
    """A plain folder name for an address. Its digest keeps s3://b/p and s3://b_p apart."""
    plain = re.sub(r"[^\w.-]+", "_", url)[:100]
    return f"{plain}-{hashlib.sha256(url.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def _file_system(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise PoselineError(f"--out {url}: needs fsspec; pip install 'poseline[cloud]'") from error
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise PoselineError(f"--out {url}: {str(error).rstrip('.')}; s3:// comes with 'poseline[cloud]'") from error
    except ValueError as error:
        raise PoselineError(f"--out {url}: {str(error).rstrip('.')}; write s3://BUCKET/PREFIX or a folder") from error
    except Exception as error:  # of the storage's library
        raise _told(url, error, WORK) from error


def _told(url: str, error: Exception, work: Path) -> PoselineError:
    """A one-line error for an exception of a storage's library."""
    kind, reason = type(error).__name__, (str(error).strip() or type(error).__name__).split("\n")[0][:200]
    if isinstance(error, FileNotFoundError):
        return PoselineError(f"--out {url}: there is no such bucket or folder ({reason}); make it first")
    if isinstance(error, PermissionError) or kind in CREDENTIALS:
        return PoselineError(
            f"--out {url}: access is refused ({reason}); check the credentials (for S3 AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, or AWS_PROFILE) and their rights"
        )
    return PoselineError(
        f"--out {url}: {kind}: {reason}; what is computed is in {work}; run the same command again to go on"
    )


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns
