"""Times as people read them."""

from __future__ import annotations


def clock(seconds: float, digits: int = 0, hours: bool = True) -> str:
    """``m:ss``, or ``h:mm:ss`` from an hour on, with so many digits behind the point; what is below 0 is 0.

    Without ``hours`` the minutes go on. Seconds are rounded before they are divided, so that none are 60.
    """
    minutes, rest = divmod(round(max(seconds, 0.0), digits), 60)
    text = f"{rest:0{digits + 3 if digits else 2}.{digits}f}"
    hour, minute = divmod(int(minutes), 60)
    return f"{hour}:{minute:02d}:{text}" if hours and hour else f"{int(minutes)}:{text}"
