"""Pitches as data: lines and named points in metres, x along the length and y across it, from the near left corner.

Sources: football, IFAB, Laws of the Game, law 1, at the 105 × 68 m of international matches; basketball, FIBA, Official
Basketball Rules, article 2; handball, IHF, Rules of the Game, rule 1; tennis, ITF, Rules of Tennis, rule 1; athletics,
World Athletics, Technical Rule 14 (lanes of 1.22 m), eight lanes of a straight of 100 m; hockey, FIH, Rules of Hockey,
rule 1. Near and far are the sides y = 0 and y = width, left and right the ends x = 0 and x = length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import PoselineError

Line = tuple[tuple[float, float], ...]
LANE_M, LANES, STRAIGHT_M = 1.22, 8, 100.0


@dataclass(frozen=True)
class Pitch:
    """A pitch: polylines and points, m."""

    name: str
    size_m: tuple[float, float]  # length, width
    lines: tuple[Line, ...]
    points: dict[str, tuple[float, float]]


def _arc(x: float, y: float, radius: float, low_deg: float, high_deg: float) -> Line:
    angle = np.radians(np.linspace(low_deg, high_deg, 25))
    return tuple(zip((x + radius * np.cos(angle)).tolist(), (y + radius * np.sin(angle)).tolist(), strict=True))


def _box(x1: float, y1: float, x2: float, y2: float) -> Line:
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1))


def _made(
    name: str,
    size: tuple[float, float],
    half: Sequence[Line],
    middle: Sequence[Line],
    named: dict[str, tuple[float, float]],
) -> Pitch:
    """A pitch from the lines and points of its left half, without and with those on the middle line.

    A point of the left half that is called NAME is also there as ``left_NAME`` and ``right_NAME``; with a ``near_`` in
    the name it is also there with ``far_``.
    """
    length, width = size
    other = [tuple((length - x, y) for x, y in line) for line in half]
    points: dict[str, tuple[float, float]] = {}
    for key, (x, y) in {"near_corner": (0.0, 0.0), **named}.items():
        for side, at in (("near_", y), ("far_", width - y)) if "near_" in key else (("", y),):
            called = key.replace("near_", side)
            if x == length / 2:
                points[called] = (x, at)
            else:
                points |= {f"left_{called}": (x, at), f"right_{called}": (length - x, at)}
    return Pitch(name, size, (_box(0, 0, length, width), *half, *other, *middle), points)


def _football() -> Pitch:
    far = 105.0, 68.0
    mid, deep, wide = 34.0, 16.5, 20.16
    half = [
        _box(0, mid - wide, deep, mid + wide), _box(0, mid - 9.16, 5.5, mid + 9.16),
        _arc(11, mid, 9.15, -53.05, 53.05), _arc(11, mid, 0.1, 0, 360),
    ]  # fmt: skip
    middle = [((52.5, 0.0), (52.5, 68.0)), _arc(52.5, mid, 9.15, 0, 360)]
    named = {
        "penalty_area_near_goal_line": (0.0, mid - wide), "penalty_area_near_corner": (deep, mid - wide),
        "goal_area_near_goal_line": (0.0, mid - 9.16), "goal_area_near_corner": (5.5, mid - 9.16),
        "near_post": (0.0, mid - 3.66), "penalty_mark": (11.0, mid), "near_halfway": (52.5, 0.0),
        "centre": (52.5, mid), "near_circle": (52.5, mid - 9.15),
    }  # fmt: skip
    return _made("football", far, half, middle, named)


def _basketball() -> Pitch:
    ring, key = 1.575, 2.45
    reach = float(np.degrees(np.arcsin(6.6 / 6.75)))
    straight = ring + float(np.sqrt(6.75**2 - 6.6**2))
    half = [
        _box(0, 7.5 - key, 5.8, 7.5 + key), _arc(5.8, 7.5, 1.8, -90, 90), _arc(ring, 7.5, 6.75, -reach, reach),
        ((0.0, 0.9), (straight, 0.9)), ((0.0, 14.1), (straight, 14.1)),
    ]  # fmt: skip
    middle = [((14.0, 0.0), (14.0, 15.0)), _arc(14, 7.5, 1.8, 0, 360)]
    named = {
        "key_near_end_line": (0.0, 7.5 - key), "key_near_corner": (5.8, 7.5 - key), "near_three_point_end": (0.0, 0.9),
        "near_centre_line": (14.0, 0.0), "centre": (14.0, 7.5), "near_circle": (14.0, 5.7),
    }  # fmt: skip
    return _made("basketball", (28.0, 15.0), half, middle, named)


def _handball() -> Pitch:
    half = [
        (*_arc(0, 8.5, 6, -90, 0), *_arc(0, 11.5, 6, 0, 90)), (*_arc(0, 8.5, 9, -70.5, 0), *_arc(0, 11.5, 9, 0, 70.5)),
        ((7.0, 9.5), (7.0, 10.5)), ((4.0, 9.925), (4.0, 10.075)),
    ]  # fmt: skip
    named = {
        "near_post": (0.0, 8.5), "goal_area_near_end_line": (0.0, 2.5), "goal_area_near_front": (6.0, 8.5),
        "seven_metre_mark": (7.0, 10.0), "near_centre_line": (20.0, 0.0), "centre": (20.0, 10.0),
    }  # fmt: skip
    return _made("handball", (40.0, 20.0), half, [((20.0, 0.0), (20.0, 20.0))], named)


def _tennis() -> Pitch:
    mid, single, serve = 10.97 / 2, 1.37, 23.77 / 2 - 6.4
    half = [((serve, single), (serve, 10.97 - single)), ((serve, mid), (23.77 / 2, mid)), ((0.0, mid), (0.1, mid))]
    middle = [
        ((0.0, single), (23.77, single)), ((0.0, 10.97 - single), (23.77, 10.97 - single)),
        ((23.77 / 2, 0.0), (23.77 / 2, 10.97)),
    ]  # fmt: skip
    named = {
        "singles_near_corner": (0.0, single), "service_near_corner": (serve, single), "service_middle": (serve, mid),
        "near_net": (23.77 / 2, 0.0), "net_middle": (23.77 / 2, mid),
    }  # fmt: skip
    return _made("tennis", (23.77, 10.97), half, middle, named)


def _athletics() -> Pitch:
    """Lane line 0 is the inner edge of lane 1."""
    across = [i * LANE_M for i in range(LANES + 1)]
    lines = [((0.0, y), (STRAIGHT_M, y)) for y in across]
    points = {f"lane_line_{i}_start": (0.0, y) for i, y in enumerate(across)}
    points |= {f"lane_line_{i}_finish": (STRAIGHT_M, y) for i, y in enumerate(across)}
    size = STRAIGHT_M, LANES * LANE_M
    return Pitch("athletics", size, (_box(0, 0, *size), *lines), points)


def _hockey() -> Pitch:
    half = [
        ((22.9, 0.0), (22.9, 55.0)), (*_arc(0, 25.67, 14.63, -90, 0), *_arc(0, 29.33, 14.63, 0, 90)),
        _arc(6.4, 27.5, 0.08, 0, 360),
    ]  # fmt: skip
    named = {
        "near_post": (0.0, 25.67), "circle_near_back_line": (0.0, 25.67 - 14.63), "circle_near_front": (14.63, 25.67),
        "near_23m_line": (22.9, 0.0), "penalty_spot": (6.4, 27.5), "near_centre_line": (45.7, 0.0),
    }  # fmt: skip
    return _made("hockey", (91.4, 55.0), half, [((45.7, 0.0), (45.7, 55.0))], named)


PITCHES = {p.name: p for p in (_football(), _basketball(), _handball(), _tennis(), _athletics(), _hockey())}


def check_pitch(name: str) -> None:
    """PoselineError where no pitch has the name that --pitch gives."""
    if name not in PITCHES:
        raise PoselineError(f"--pitch {name}: give one of {', '.join(PITCHES)}")
