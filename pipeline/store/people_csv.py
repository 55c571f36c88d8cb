"""people.csv and other small CSV tables, written so that no reader takes a name for a formula, a number or nothing."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.store.atomic import atomic

PEOPLE_COLUMNS = (
    "person_id", "name", "first_time_s", "last_time_s", "duration_s", "frames_measured", "frames_interpolated",
    "coverage", "gaps", "longest_gap_s", "mean_score", "suspicious", "warnings",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of a formula
# What pandas takes for a missing value, and spreadsheets and pandas for a truth value.
_WORDS = frozenset(["na", "n/a", "#na", "#n/a", "<na>", "nan", "null", "none", "true", "false", "1.#ind", "1.#qnan"])
_NUMBER = re.compile(r"[\d.,:/ \-]*\d[\d.,:/ %\-]*(e[+-]?\d+)?|inf(inity)?", re.IGNORECASE)  # numbers, dates, times


def shown(value: Any) -> Any:
    """A figure for a CSV file: seven digits, empty where it is not known."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.7g}") if np.isfinite(value) else ""


def write_people_csv(path: Path, people: list[dict[str, Any]]) -> None:
    """Write people.csv: `PEOPLE_COLUMNS`, figures, warnings; without people it has only its header."""
    write_rows(path, people_columns(people), people)


def people_columns(people: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns of these rows in their order: `PEOPLE_COLUMNS`, figures, warnings."""
    columns = dict.fromkeys([*PEOPLE_COLUMNS, *(key for person in people for key in person)])
    return [c for c in columns if c != "warnings"] + ["warnings"]


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a small CSV table; what a row lacks is empty."""
    with atomic(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, restval="")
        writer.writeheader()
        writer.writerows({k: cell(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows)


def cell(text: str) -> str:
    """A text as a CSV cell: what looks like no text gets an apostrophe in front, as in spreadsheets.

    That is a formula, a number, a date, a truth value, or a word such as NA, which pandas takes for a missing value.
    """
    return f"'{text}" if _no_text(text.lstrip("'")) else text


def text_of(cell: str) -> str:
    """The text that `cell` was made of."""
    return cell[1:] if cell.startswith("'") and _no_text(cell.lstrip("'")) else cell


def _no_text(text: str) -> bool:
    """Whether a spreadsheet or pandas reads something else than this text."""
    plain = text.strip()
    return text.startswith(FORMULA) or plain.lower() in _WORDS or _NUMBER.fullmatch(plain) is not None
