"""People's heights and a known length, from the command line: --height and --length."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.core.errors import PoselineError
from pipeline.core.settings import LEAST_HEIGHT_M, MOST_HEIGHT_M

_LEAST_LENGTH_PX = 10.0  # of a known length; a click is good to about 2 px
_HEIGHT_EXAMPLE = "give metres, such as --height 1.70 for everybody or --height 1=1.78 for person 1"
_LENGTH_EXAMPLE = "write X1,Y1,X2,Y2=METRES, such as --length 100,900,700,900=2.5"


def parse_heights(texts: list[str]) -> tuple[float | None, dict[str, float]]:
    """``height_m`` and ``heights_m`` from the values of --height: "1.70", "1=1.78", "Ann=1.66"."""
    everybody: float | None = None
    people: dict[str, float] = {}
    for text in texts:
        who, equals, value = (part.strip() for part in text.rpartition("="))
        height = _number(value, f"--height {text}", _HEIGHT_EXAMPLE)
        if not LEAST_HEIGHT_M <= height <= MOST_HEIGHT_M:
            raise PoselineError(
                f"--height {text}: {value} m is no person's height ({LEAST_HEIGHT_M}–{MOST_HEIGHT_M} m); "
                f"{_HEIGHT_EXAMPLE}"
            )
        if equals and not who:
            raise PoselineError(f"--height {text}: names nobody before =; {_HEIGHT_EXAMPLE}")
        if people.get(who, height) != height or (not equals and everybody not in (None, height)):
            raise PoselineError(f"--height {text}: {who or 'everybody'} has another height already; give one of them")
        if equals:
            people[who] = height
        else:
            everybody = height
    return everybody, people


def parse_length(text: str) -> tuple[float, float, float, float, float]:
    """``length`` from the value of --length, "X1,Y1,X2,Y2=METRES"."""
    ends, _, metres = text.partition("=")
    numbers = [_number(part, f"--length {text}", _LENGTH_EXAMPLE) for part in (*ends.split(","), metres)]
    if len(numbers) != 5:
        raise PoselineError(f"--length {text}: has {len(numbers) - 1} coordinates, not 4; {_LENGTH_EXAMPLE}")
    x1, y1, x2, y2, length = numbers
    if length <= 0:
        raise PoselineError(f"--length {text}: {metres} m is no length; {_LENGTH_EXAMPLE}")
    px = math.hypot(x2 - x1, y2 - y1)
    if px < _LEAST_LENGTH_PX:
        raise PoselineError(f"--length {text}: is only {px:.1f} px long; take a longer one in the picture")
    return x1, y1, x2, y2, length


def check_length(length: Sequence[float] | None, path: object, size_px: tuple[int, int]) -> None:
    """Raise PoselineError for a known length with an end outside a video's picture of a size (w, h)."""
    if length is None:
        return
    ends = (length[:2], length[2:4])
    if any(not (0 <= x <= size_px[0] and 0 <= y <= size_px[1]) for x, y in ends):
        given = ",".join(f"{value:g}" for value in length[:4])
        raise PoselineError(
            f"--length {given}={length[4]:g}: an end lies outside {path}, whose picture has "
            f"{size_px[0]} × {size_px[1]} px; {_LENGTH_EXAMPLE}"
        )


def _number(text: str, what: str, remedy: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise PoselineError(f"{what}: {text.strip() or 'nothing'!r} is not a number; {remedy}")
    return value
