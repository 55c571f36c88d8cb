"""Times as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.clock import clock


@pytest.mark.parametrize(
    ("seconds", "digits", "shown"),
    [
        (59.96, 1, "1:00.0"),  # once 0:60.0
        (3779.6, 0, "1:03:00"),  # once 1:02:60
        (0.0, 1, "0:00.0"),
        (-0.3, 2, "0:00.00"),
        (59.994, 2, "0:59.99"),
        (59.996, 2, "1:00.00"),
        (7.0, 0, "0:07"),
        (3599.97, 1, "1:00:00.0"),
        (36005.0, 0, "10:00:05"),
    ],
)
def test_a_time_is_shown_in_minutes_and_hours(seconds: float, digits: int, shown: str) -> None:
    assert clock(seconds, digits) == shown


def test_minutes_go_on_where_no_hours_are_wanted() -> None:
    assert clock(3779.999, 2, hours=False) == "63:00.00"


@given(st.floats(0, 1e6), st.integers(0, 3))
def test_no_part_reaches_sixty_and_nothing_is_lost(seconds: float, digits: int) -> None:
    parts = clock(seconds, digits).split(":")
    assert all(float(part) < 60 for part in parts[1:])
    total = 0.0
    for part in parts:
        total = total * 60 + float(part)
    assert abs(total - seconds) <= 0.5 * 10**-digits + 1e-6
