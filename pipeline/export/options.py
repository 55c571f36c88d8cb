"""Options of an export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.core.errors import PoselineError


def _silent(line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True)
class CsvForm:
    """What stands between the cells of a CSV table, and in front of a number's decimals.

    Raises:
        PoselineError: a separator or a decimal mark that no reader could tell apart from the rest.
    """

    separator: str = ","
    decimal: str = "."

    def __post_init__(self) -> None:
        if self.separator not in (",", ";", "\t", "|"):
            raise PoselineError(f"--csv-separator {self.separator!r}: write one of ',' ';' '|' or tab")
        if self.decimal not in (".", ","):
            raise PoselineError(f"--csv-decimal {self.decimal!r}: write '.' or ','")
        if self.separator == self.decimal:
            raise PoselineError(
                f"--csv-decimal {self.decimal!r}: is the separator, too; give --csv-separator ';' as well"
            )


@dataclass(frozen=True)
class ExportOptions:
    """``plane``: markers of the picture plane although there is 3D; ``metres``: C3D in m and not in mm.

    ``offset_s`` is added to every time; ``csv`` is the form of CSV tables; ``say`` gets messages for the user.
    """

    plane: bool = False
    metres: bool = False
    offset_s: float = 0.0
    csv: CsvForm = CsvForm()
    say: Callable[[str], None] = _silent
