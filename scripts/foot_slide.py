"""How fast feet that stand slide over the floor: python scripts/foot_slide.py RUN…

An ankle stands where it was measured and keeps its place in the picture to less than .12 of the person's size a second
for .1 s or longer. Median and 95th percentile of its speed in the world, horizontally, over all people of a run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

STILL_LEN_S, LEAST_S = 0.12, 0.1


def speeds(table: pd.DataFrame, side: str) -> np.ndarray:
    """(n,) mm/s of one ankle where it stands."""
    step = np.diff(table["time_s"])
    size = (table["box_y2_px"] - table["box_y1_px"]).rolling(15, min_periods=1, center=True).median().to_numpy()
    seen, floor = (
        table[[f"{side}_ankle_{a}" for a in axes]].to_numpy(float)
        for axes in (("x_px", "y_px"), ("world_x_m", "world_y_m"))
    )
    measured = (table[f"{side}_ankle_state"] == "measured").to_numpy()
    still = np.linalg.norm(np.diff(seen, axis=0), axis=1) / step / size[1:] < STILL_LEN_S
    still &= (np.diff(table["frame"]) == 1) & measured[1:] & measured[:-1]
    edges = np.flatnonzero(np.diff(np.r_[False, still, False])).reshape(-1, 2)
    for first, last in edges[(edges[:, 1] - edges[:, 0]) * np.median(step) < LEAST_S * 0.99]:
        still[first:last] = False
    speed = 1000 * np.linalg.norm(np.diff(floor, axis=0), axis=1) / step
    return speed[still & np.isfinite(speed)]


for run in sys.argv[1:]:
    tables = [pd.read_parquet(file) for file in sorted(Path(run).glob("people/*.parquet"))]
    placed = [t for t in tables if "left_ankle_world_x_m" in t and len(t) > 2]
    found = [speeds(t, side) for t in placed for side in ("left", "right")]
    speed = np.concatenate(found) if found else np.zeros(0)
    if len(speed):
        median, most = np.percentile(speed, [50, 95])
        print(f"{run}: {len(speed)} frames, median {median:.0f}, 95th percentile {most:.0f} mm/s")
    else:
        print(f"{run}: no feet that stand")
