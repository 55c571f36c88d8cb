"""One file from an address: resumed, retried, never larger than told, its digest checked before it gets its name.

pooch checks the digest and moves the file to its name at once. It neither resumes nor bounds what a server sends, so
the transfer itself is done here, as a downloader that pooch calls.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import PoselineError
from pipeline.models.catalogue import megabytes
from pipeline.models.kinds import is_zip, wrong_content
from pipeline.store.atomic import write_error

if TYPE_CHECKING:
    import requests

TRIES = 5  # in a row that bring nothing new
WAIT_S = (1.0, 2.0, 4.0, 8.0)  # before the next try
TIMEOUT_S = (20.0, 60.0)  # to connect, and between two pieces
PIECE_BYTES = 1 << 18
MOST_BYTES = 2 << 30  # of a file whose size is not known
MOST_REDIRECTS = 10
LATER = (408, 425, 429, 500, 502, 503, 504)  # answers after which another try makes sense


class Transfer:
    """Shows nothing. What a download tells of itself; sizes in bytes."""

    def begin(self, name: str, total: int, done: int) -> None:
        """A file of ``total`` bytes (0: not known) is read on from ``done``."""

    def advance(self, count: int) -> None:
        """``count`` more bytes are here."""

    def say(self, line: str) -> None:
        """One line the user should read."""

    def close(self) -> None:
        """Ends the display."""


class AddressError(PoselineError):
    """An address that does not give the file; another one may."""


def download(url: str, folder: Path, sha256: str, most: int, transfer: Transfer) -> Path:
    """The file at an address, in ``folder``, under a name of our own. ``sha256`` is "" where it is not known.

    ``most`` is the largest size in bytes that is taken, 0 for `MOST_BYTES`. A part that an earlier call left is
    continued. Raises AddressError where the address gives no such file.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")  # what is fetched is told by ``transfer``
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    file = folder / f"{name}.whole"
    file.unlink(missing_ok=True)
    reader = _Resumed(folder / f"{name}.part", most or MOST_BYTES, transfer)
    while True:
        try:
            pooch.retrieve(url, f"sha256:{sha256}" if sha256 else None, file.name, folder, downloader=reader)
            return file
        except ValueError as error:  # of pooch: another digest
            if reader.resumed:  # the part may have been of another file
                transfer.say(f"{url}: the continued file is not the right one; it is read again from its beginning")
                reader.resumed = False
                continue
            raise AddressError(f"{url}: gives another file than the catalogue tells ({_said(error)})") from error
        except OSError as error:  # requests' own errors are OSErrors, too, and are caught where they arise
            raise write_error(file, error) from error


def _said(error: Exception) -> str:
    found = re.findall(r"[0-9a-f]{64}", str(error))
    return f"SHA-256 {found[-1][:16]}… and not {found[0][:16]}…" if len(found) > 1 else str(error)


class _Resumed:
    """pooch's downloader: reads into ``part``, and gives pooch the whole file."""

    def __init__(self, part: Path, most: int, transfer: Transfer):
        self.part, self.most, self.transfer = part, most, transfer
        self.mark = part.with_suffix(".mark")  # what tells whether the server still has the same file
        self.resumed = False

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        import requests

        furthest, failed = self._there(), 0
        with requests.Session() as session:
            session.max_redirects = MOST_REDIRECTS
            while True:
                try:
                    self._read(session, url)
                    break
                except (requests.RequestException, _AgainError) as error:
                    failed = 1 if self._there() > furthest else failed + 1
                    furthest = max(furthest, self._there())
                    lasting = isinstance(error, requests.TooManyRedirects | requests.exceptions.InvalidURL)
                    lasting = lasting or isinstance(error, requests.exceptions.InvalidSchema)
                    if lasting or failed >= TRIES:
                        raise AddressError(
                            f"{url}: {_reason(error)}; try again later, or give another source"
                        ) from error
                    time.sleep(WAIT_S[min(failed, len(WAIT_S)) - 1])
        seen = "" if is_zip(self.part) else wrong_content(self.part)
        if seen:
            self._forget()
            raise AddressError(f"{url}: what it gives {seen}")
        os.replace(self.part, output_file)
        self._forget()

    def _there(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.mark.unlink(missing_ok=True)

    def _read(self, session: requests.Session, url: str) -> None:
        """Read on from where the part ends. _AgainError where another try makes sense, AddressError where none does."""
        have = self._there() if self.mark.is_file() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": self.mark.read_text(encoding="latin-1")}
        with session.get(url, stream=True, timeout=TIMEOUT_S, headers=headers) as answer:
            if answer.status_code == 416:
                self._forget()
                raise _AgainError("there is no more of the file than is here")
            if answer.status_code in LATER:
                raise _AgainError(f"the server says {answer.status_code} {answer.reason}")
            if answer.status_code not in (200, 206):
                raise AddressError(f"{url}: the server says {answer.status_code} {answer.reason}; give another source")
            at = _start(answer)
            if at not in (0, have):
                self._forget()
                raise _AgainError(f"the server goes on at byte {at} and not {have}")
            self._write(answer, url, at)

    def _write(self, answer: requests.Response, url: str, at: int) -> None:
        length = answer.headers.get("Content-Length", "")
        total = at + int(length) if length.isdecimal() else 0
        if total > self.most:
            raise AddressError(f"{url}: {_large(total, self.most)}")
        if not at:
            self._mark(answer)
        self.resumed |= at > 0
        self.transfer.begin(url.rsplit("/", 1)[-1], total, at)
        with self.part.open("r+b" if at else "wb") as out:
            out.truncate(at)
            out.seek(at)
            for piece in answer.iter_content(PIECE_BYTES):
                at += len(piece)
                if at > self.most:
                    out.truncate(0)
                    raise AddressError(f"{url}: {_large(at, self.most)}")
                out.write(piece)
                self.transfer.advance(len(piece))
        if total and at < total:
            raise _AgainError(f"the connection ended after {at} of {total} bytes")

    def _mark(self, answer: requests.Response) -> None:
        """Note what names this state of the file; without such a mark a part is not continued."""
        tag = answer.headers.get("ETag", "")
        mark = answer.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
        if mark:
            self.mark.write_text(mark, encoding="latin-1")
        else:
            self.mark.unlink(missing_ok=True)


class _AgainError(Exception):
    """A failure that may pass."""


def _start(answer: requests.Response) -> int:
    """The offset at which the answer begins, -1 where a part does not say."""
    if answer.status_code == 200:
        return 0
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
    return int(told[1]) if told else -1


def _large(count: int, most: int) -> str:
    return f"sends {megabytes(count)} or more where {megabytes(most)} at most are taken; give another source"


def _reason(error: Exception) -> str:
    """The innermost reason that a chain of errors gives, on one line."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    said = str(inner if str(inner).strip() else error) or type(error).__name__
    return " ".join(said.split())[:200]
