"""Names of files and addresses, which may hold any bytes and secrets: as they are shown, and as they are written."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pipeline.core.errors import one_line

# What in an address's path tells cameras apart and is no secret.
_NUMBERED = re.compile(
    r"(?<![a-z])(?:channel|ch|stream|streamtype|subtype|camera|cam|track)=\d{1,3}(?!\d)", re.IGNORECASE
)


def shown_name(path: str | Path) -> str:
    """The last part of a path as one line of text: what is no character, or steers a terminal, becomes an escape."""
    return one_line(Path(path).name)


def written(text: str) -> str:
    r"""The text as UTF-8 can hold it: bytes of names that are no UTF-8 become ``\udcXX``, which JSON reads back."""
    return text.encode("utf-8", "backslashreplace").decode()


def quoted_path(path: str | Path) -> str:
    """A relative path as a part of a URL: every byte that is odd there is quoted."""
    return quote(os.fsencode(Path(path).as_posix()))


def shown_address(address: str) -> str:
    """An address without user name, password and query, wherever in it they stand.

    Recorders take ``user=admin&password=…`` in the path, too: of a part with a ``=`` in it only the numbers of channels
    and streams are left.
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # no address, such as a bracket that is not closed
        return address.partition("://")[0] + "://…"
    path = "/".join(_harmless(part) for part in parts.path.split("/"))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))


def _harmless(part: str) -> str:
    plain = unquote(part)
    return "&".join(_NUMBERED.findall(plain)) if "=" in plain else part
