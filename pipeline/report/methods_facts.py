"""What is known of a run for its methods section; settings are those that run.json holds, never later defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class RunFacts:
    """A finished run."""

    manifest: Mapping[str, Any]  # run.json
    people: Sequence[Mapping[str, Any]]  # rows of people.csv
    columns: frozenset[str]  # of all people's tables
    quality: Sequence[Mapping[str, str]]  # rows of quality.csv
    drawn: bool  # whether annotated.mp4 is there

    def setting(self, section: str, key: str) -> Any:
        """A setting of the run; None where run.json does not hold it."""
        values = (self.manifest.get("config") or {}).get(section)
        return values.get(key) if isinstance(values, Mapping) else None

    @property
    def video(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.manifest["video"]
        return found

    @property
    def version(self) -> str:
        """Of poseline; empty where not known."""
        return str((self.manifest.get("versions") or {}).get("poseline", ""))

    @property
    def live(self) -> bool:
        """Whether the run is a segment of a live stream."""
        return self.video.get("kind") == "live"

    @property
    def fps(self) -> float:
        """Frames a real second."""
        told = (self.manifest.get("time") or {}).get("recorded_fps")
        return float(Fraction(told if told is not None else self.video["fps"]))

    def rows(self) -> int:
        """Rows of all people's tables."""
        return sum((p.get("frames_measured") or 0) + (p.get("frames_interpolated") or 0) for p in self.people)

    def total(self, figure: str) -> int:
        """The sum of a figure of people.csv over all people."""
        return round(sum(p.get(figure) or 0 for p in self.people))

    def has(self, *names: str) -> bool:
        """Whether somebody's table has a column of one of these endings."""
        return any(column.endswith(names) for column in self.columns)


def number(value: float, digits: int = 4) -> str:
    """A figure with so many digits, without zeros at its end."""
    return f"{value:.{digits}g}"


def count(n: int, what: str, several: str = "") -> str:
    """``three people`` of (3, "person", "people")."""
    return f"{_WORDS[n] if n < len(_WORDS) else n} {what if n == 1 else several or what + 's'}"


def listed(parts: Iterable[str]) -> str:
    """``a, b and c``."""
    *before, last = parts
    return f"{', '.join(before)} and {last}" if before else last


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def spread(values: Sequence[float], unit: str, digits: int = 3) -> str:
    """``1.6 to 1.8 m``, or ``1.7 m`` where all are the same."""
    low, high = number(min(values), digits), number(max(values), digits)
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
