"""What coaches count of each player on a known ground: players.csv.

Speed bands are those of `pipeline.measure.zones` (Bradley et al. 2009). A sprint is faster than 7 m/s (25.2 km/h, same
source) for at least a second; an acceleration is one of more than 3 m/s² for at least half a second, as Akenhead et al.
2013 (J. Sci. Med. Sport 16:556–561) bound a high one. There is no consensus on these bounds, so they stand in the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.core.types import Motion
from pipeline.measure.scale import LINK_S, line_fits, row_seconds, summary
from pipeline.measure.zones import SPEED_ZONES
from pipeline.store.people_csv import shown

SPRINT_M_S, SPRINT_S = SPEED_ZONES["sprinting"], 1.0
HIGH_M_S2, HIGH_S = 3.0, 0.5
BOUNDS = ("sprint_from_m_s", "acceleration_from_m_s2")
PLAYER_COLUMNS = (
    "person_id", "name", "team", "time_s", "distance_m", "distance_std_m", "mean_speed_m_s", "top_speed_m_s",
    "top_speed_std_m_s", *(f"{band}_s" for band in SPEED_ZONES), *(f"{band}_m" for band in SPEED_ZONES), "sprints",
    "sprint_distance_m", "accelerations", "decelerations", *BOUNDS,
)  # fmt: skip
_SMOOTH_S = 0.2  # deviation of the Gaussian under which acceleration is the slope of the speed


def player_row(motion: Motion, name: str, team: str) -> dict[str, Any]:
    """A person's row of players.csv; ``motion`` has the columns of `ground_columns`."""
    counted = player(dict(motion.quantities), motion.time_s)
    who = {"person_id": motion.person_id, "name": name, "team": team}
    return who | {key: shown(value) for key, value in counted.items()}


def player(columns: dict[str, np.ndarray], time_s: np.ndarray) -> dict[str, float]:
    """The figures of `PLAYER_COLUMNS` of one person, NaN unknown, from the columns of `ground_columns` (L,)."""
    speed = columns["ground_speed_m_s"].astype(np.float64)
    known = np.isfinite(speed)
    spent = row_seconds(time_s, known)
    way = spent * np.nan_to_num(speed)
    band = np.digitize(np.nan_to_num(speed), list(SPEED_ZONES.values())) - 1
    figures = summary(columns, time_s)
    out = {
        "time_s": float(spent.sum()),
        "distance_m": figures["distance_m"],
        "distance_std_m": figures["distance_std_m"],
        "mean_speed_m_s": figures["mean_speed_m_s"],
        "top_speed_m_s": figures["max_speed_m_s"],
        "top_speed_std_m_s": figures["max_speed_std_m_s"],
    }
    out |= {f"{name}_s": float(spent[known & (band == i)].sum()) for i, name in enumerate(SPEED_ZONES)}
    out |= {f"{name}_m": float(way[known & (band == i)].sum()) for i, name in enumerate(SPEED_ZONES)}
    sprints = efforts(time_s, speed >= SPRINT_M_S, SPRINT_S)
    faster = _acceleration(time_s, speed)
    return out | {
        "sprints": float(len(sprints)),
        "sprint_distance_m": float(sum(way[a:b].sum() for a, b in sprints)),
        "accelerations": float(len(efforts(time_s, faster >= HIGH_M_S2, HIGH_S))),
        "decelerations": float(len(efforts(time_s, faster <= -HIGH_M_S2, HIGH_S))),
        "sprint_from_m_s": SPRINT_M_S,
        "acceleration_from_m_s2": HIGH_M_S2,
    }


def efforts(time_s: np.ndarray, high: np.ndarray, least_s: float) -> list[tuple[int, int]]:
    """First row and one past the last of each stretch of ``high (L,)`` rows that lasts so long; gaps end a stretch."""
    begins = np.append(True, np.diff(time_s) > LINK_S)
    label = np.cumsum(begins | (np.diff(high, prepend=False) != 0))
    out = []
    for one in np.unique(label[high]):
        rows = np.flatnonzero(label == one)
        if time_s[rows[-1]] - time_s[rows[0]] >= least_s - 1e-9:
            out.append((int(rows[0]), int(rows[-1]) + 1))
    return out


def _acceleration(time_s: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """(L,) m/s² the slope of a speed (L,); NaN where it is not known."""
    known, out = np.isfinite(speed), np.full(len(speed), np.nan)
    if known.any():
        out[known] = line_fits(time_s[known], speed[known, None], np.ones(int(known.sum())), _SMOOTH_S)[1][:, 0]
    return out
