"""What texts of the command line mean; each reader takes the flag, for its errors, and the text."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from pipeline.core.errors import PoselineError
from pipeline.core.team_text import read_told

OFF = "off"  # takes back what an earlier command told
_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_names(flag: str, text: str) -> list[str]:
    """Names between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def parse_points(flag: str, text: str) -> list[float]:
    """Numbers between commas: a rectangle's x1,y1,x2,y2, or the x,y of a polygon's corners."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) < 4 or len(found) % 2 or not all(map(math.isfinite, found)):
        raise PoselineError(f"{flag} {text}: write x1,y1,x2,y2 in px, or the x,y of three corners and more")
    return found


def parse_count(flag: str, text: str) -> int | None:
    """A whole number; ``off`` is None."""
    try:
        return None if text == OFF else int(text)
    except ValueError:
        raise PoselineError(f"{flag} {text}: write a whole number, such as 3, or {OFF}") from None


def parse_teams(flag: str, text: str) -> str:
    """auto, off, or two teams such as A=red,B=white."""
    try:
        if text not in ("auto", "off"):
            read_told(text)
    except ValueError as error:
        raise PoselineError(f"{flag} {text}: {error}; or auto, or off") from None
    return text


def parse_separator(flag: str, text: str) -> str:
    """A separator of cells; ``tab`` and ``\\t`` are the tab."""
    return "\t" if text in ("tab", "\\t") else text


def parse_rate(flag: str, text: str) -> Fraction:
    """Frames per second from ``25`` or ``30000/1001``."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise PoselineError(f"{flag} {text}: write a frame rate above 0, such as 25 or 30000/1001")
    return rate


def parse_recorded(flag: str, text: str) -> float | None:
    """Frames recorded in a second, from ``240`` or ``30000/1001``; ``off`` is None."""
    return None if text == OFF else float(parse_rate(flag, text))


def parse_seconds(flag: str, text: str) -> float:
    """Seconds from ``12.5``, ``1:02.5`` or ``1:00:02.5``."""
    try:
        seconds = 0.0
        for part in text.split(":"):
            seconds = 60 * seconds + float(part)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise PoselineError(f"{flag} {text}: write seconds such as 12.5, or minutes and seconds such as 1:02.5")
    return seconds


def parse_duration(flag: str, text: str) -> float:
    """Seconds from ``90``, ``90s``, ``10m`` or ``1.5h``."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([smh]?)", text.strip().lower())
    if not found or float(found[1]) <= 0:
        raise PoselineError(f"{flag} {text}: write a length of time above 0, such as 90, 90s, 10m or 1.5h")
    return float(found[1]) * _UNITS_S[found[2]]
