"""File names and addresses, which may hold any bytes and secrets: how they are shown and how they are written."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pipeline.core.errors import one_line

# Parameters in an address's path that tell cameras apart and are no secret.
_NUMBERED = re.compile(
    r"(?<![a-z])(?:channel|ch|stream|streamtype|subtype|camera|cam|track)=\d{1,3}(?!\d)", re.IGNORECASE
)


def shown_name(path: str | Path) -> str:
    """The last part of a path as one line of text: invalid bytes and control characters become escapes."""
    return one_line(Path(path).name)


def written(text: str) -> str:
    r"""The text as UTF-8 can hold it: bytes of names that are no UTF-8 become ``\udcXX``, which JSON reads back."""
    return text.encode("utf-8", "backslashreplace").decode()


def quoted_path(path: str | Path) -> str:
    """A relative path as a part of a URL: every byte that a URL's path may not hold is quoted."""
    return quote(os.fsencode(Path(path).as_posix()))


def shown_address(address: str) -> str:
    """An address without user name, password and query, wherever they stand in the address.

    Recorders also take ``user=admin&password=…`` in the path: a part of the path with a ``=`` keeps only the numbers
    of channels and streams.
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # not an address, such as one with an unclosed bracket
        return address.partition("://")[0] + "://…"
    path = "/".join(_harmless(part) for part in parts.path.split("/"))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))


def _harmless(part: str) -> str:
    plain = unquote(part)
    return "&".join(_NUMBERED.findall(plain)) if "=" in plain else part
