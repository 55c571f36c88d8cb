"""Small text files that users write, read with bounds: no file, however made, fills memory or ends in a traceback."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

MOST_BYTES = 2 << 20
MOST_DOTS = 1000  # of a line: reading a key of many parts takes time that grows with their square


def read_text(path: Path) -> str:
    """The text of a file. OSError where it cannot be read, ValueError where it is no UTF-8 or far too large."""
    with open(path, "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES >> 20} MiB")
    return data.decode("utf-8")


def parse_toml(text: str) -> dict[str, Any]:
    """TOML as a dict; ValueError with one line for what is none, or is nested beyond all measure."""
    if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
        raise ValueError(f"a line with more than {MOST_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
