"""Options of an export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _silent(line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True)
class ExportOptions:
    """``plane``: markers of the picture plane although there is 3D; ``say`` gets messages for the user."""

    plane: bool = False
    say: Callable[[str], None] = _silent
