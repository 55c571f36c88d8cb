"""Times as people read them."""

from __future__ import annotations


def clock(seconds: float, digits: int = 0, hours: bool = True) -> str:
    """``m:ss``, or ``h:mm:ss`` from one hour on, with ``digits`` decimals of the seconds; negative times read as 0.

    Without ``hours`` the minutes count beyond 59. The time is rounded before it is split, so that no part reads 60.
    """
    minutes, rest = divmod(round(max(seconds, 0.0), digits), 60)
    text = f"{rest:0{digits + 3 if digits else 2}.{digits}f}"
    hour, minute = divmod(int(minutes), 60)
    return f"{hour}:{minute:02d}:{text}" if hours and hour else f"{int(minutes)}:{text}"
