"""Reads small text files of users with size limits: no file can fill the memory or cause a traceback."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

MOST_BYTES = 2 << 20
MOST_DOTS = 1000  # in a line: the time to parse a dotted key grows with the square of its number of parts


def read_text(path: Path) -> str:
    """The text of a file, without a byte-order mark.

    OSError where it cannot be read, ValueError where it is no UTF-8 or far too large.
    """
    with open(path, "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES >> 20} MiB")
    return data.decode("utf-8-sig")


def parse_toml(text: str) -> dict[str, Any]:
    """TOML as a dict; ValueError with a one-line message for text that is not TOML or is nested too deeply."""
    if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
        raise ValueError(f"a line with more than {MOST_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
