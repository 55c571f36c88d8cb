"""Numbers with their nouns in messages."""

from __future__ import annotations


def counted(count: int, one: str, several: str = "") -> str:
    """``1 frame``, ``2 frames``; ``several`` is the plural where it is not ``one`` with an s."""
    return f"{count} {one if count == 1 else several or one + 's'}"
