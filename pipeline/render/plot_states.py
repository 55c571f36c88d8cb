"""Which of two angles a plot shows, in the picture plane or in space, and where neither is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.types import ANGLE_STATES, TOO_FAST
from pipeline.store.checked import TableFile

_PLANE, _SPACE = "_deg", "_3d_deg"
_VALUES = ANGLE_STATES[: TOO_FAST + 1]  # states that have a value


def valid_kind(path: Path, columns: list[str], names: list[str]) -> list[str]:
    """The columns of the picture plane, or those of the same angles in space where these are known in more rows."""
    space = [c.removesuffix(_PLANE) + _SPACE for c in columns]
    if any(c.endswith(_SPACE) or not c.endswith(_PLANE) for c in columns) or not set(space) <= set(names):
        return columns
    return space if known_share(path, space) > known_share(path, columns) else columns


def known_share(path: Path, columns: list[str]) -> float:
    """Share of the rows in which the best known of some columns has a value."""
    with TableFile(path) as file:
        table = file.whole(columns)
    return max((float(np.isfinite(table[c].to_numpy().astype(np.float64)).mean()) for c in columns), default=0.0)


def states_of(columns: list[str], names: list[str]) -> dict[str, str]:
    """The state column of each angle and angular velocity that has one."""
    found = {c: c.removesuffix("_s").removesuffix("_deg") + "_state" for c in columns if c.endswith(("_deg", "_deg_s"))}
    return {c: state for c, state in found.items() if state in names}


def flags(table: pa.Table, states: Mapping[str, str]) -> dict[str, np.ndarray]:
    """``<column> unknown`` and ``<column> fast`` (L,) 0 or 1 of each column."""
    out = {}
    for column, state in states.items():
        told = table[state].cast(pa.string()).to_numpy()
        out[f"{column} unknown"] = (~np.isin(told, _VALUES)).astype(np.float64)
        out[f"{column} fast"] = (told == ANGLE_STATES[TOO_FAST]).astype(np.float64)
    return out


def hatch(axis: Any, values: Mapping[str, np.ndarray], columns: list[str]) -> None:
    """Hatch a panel where none of its angles is known, and cross the values that change faster than joints can."""
    told = [values[f"{c} unknown"] for c in columns if f"{c} unknown" in values]
    if len(told) == len(columns):
        nothing = np.all(np.stack(told) == 1, 0)
        axis.fill_between(
            values["time_s"], 0, 1, where=nothing, transform=axis.get_xaxis_transform(), hatch="///",
            facecolor="none", edgecolor="0.8", linewidth=0, step="mid",
        )  # fmt: skip
    for column in columns:
        fast = values.get(f"{column} fast", np.zeros(0)) == 1
        if fast.any():
            axis.plot(values["time_s"][fast], values[column][fast], "x", color="black", markersize=4)
