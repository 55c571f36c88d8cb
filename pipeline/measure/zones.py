"""How many seconds a person spends in each zone of speed and of the floor."""

from __future__ import annotations

import re

import numpy as np

from pipeline.core.settings import Ground
from pipeline.measure.scale import of_way, row_seconds

# Lower bounds in m/s, 7.2, 14.4, 19.8 and 25.2 km/h: Bradley et al. 2009, J. Sports Sci. 27(2):159–168, whose standing
# (below 0.7 km/h) is part of walking here.
SPEED_ZONES = {"walking": 0.0, "jogging": 2.0, "running": 4.0, "high_speed_running": 5.5, "sprinting": 7.0}


def zone_column(name: str) -> str:
    """The column of a zone's seconds: ``zone_NAME_s``, in small letters, anything but letters and digits as _."""
    plain = re.sub(r"[\W_]+", "_", name.lower()).strip("_")
    return f"zone_{plain}_s"


def zone_times(columns: dict[str, np.ndarray], time_s: np.ndarray, ground: Ground | None = None) -> dict[str, float]:
    """Seconds in each speed zone (``walking_s`` …) and in each polygon of the ground file (``zone_NAME_s``).

    ``columns`` are those of `ground_columns`, or of `path_columns`, which know speed zones only.
    """
    speed = of_way(columns, "speed_m_s")
    spent = row_seconds(time_s, np.isfinite(speed))
    number = np.digitize(np.nan_to_num(speed), list(SPEED_ZONES.values())) - 1
    out = {f"{name}_s": float(spent[number == i].sum()) for i, name in enumerate(SPEED_ZONES)}
    if "ground_x_m" in columns:
        place = np.stack([columns["ground_x_m"], columns["ground_y_m"]], 1).astype(np.float64)
        for name, polygon in (ground.zones if ground else {}).items():
            out[zone_column(name)] = float(spent[inside(place, np.array(polygon))].sum())
    return out


def inside(place: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """(L,) whether places (L, 2) lie in a polygon (N, 2), by the number of edges to their right; NaN is outside."""
    x, y = place.T
    out = np.zeros(len(place), bool)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        if y1 != y2:
            out ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return out
