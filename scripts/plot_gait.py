"""Knee and hip angle over the gait cycle: python scripts/plot_gait.py RUN PERSON OUT.png [END_S] (needs matplotlib)."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
import matplotlib.pyplot as plt

SHARE = np.linspace(0, 100, 101)  # percent of the cycle
SEEN = 0.85  # share of a stride's rows in which the leg is measured
UNUSUAL = 0.15  # share by which a stride may last longer or shorter than the median one


def cycles(table: pd.DataFrame, steps: pd.DataFrame, usual_s: float, side: str, column: str) -> np.ndarray:
    """(C, 101) degrees, one row per stride of about the usual time in which the leg is bridged in few rows."""
    states = table[[f"{side}_{joint}_state" for joint in ("hip", "knee", "ankle")]]
    good = states.isin(["measured", "swapped"]).all(axis=1).to_numpy() & np.isfinite(table[column].to_numpy(float))
    time_s, out = table["time_s"].to_numpy(), []
    steps = steps[(steps.stride_s / usual_s - 1).abs() <= UNUSUAL]
    for begin, end in zip(steps.contact_time_s, steps.contact_time_s + steps.stride_s, strict=True):
        inside = (time_s >= begin) & (time_s <= end)
        if inside.sum() > 10 and good[inside].mean() >= SEEN:
            out.append(np.interp(begin + SHARE / 100 * (end - begin), time_s, table[column]))
    return np.array(out).reshape(-1, len(SHARE))


def main(run: Path, person: int, out: Path, end_s: float = np.inf) -> None:
    """Draw mean and standard deviation of both sides, of strides before ``end_s``."""
    table = pd.read_parquet(run / "people" / f"person_{person:04d}.parquet")
    steps = pd.read_csv(run / "gait.csv")
    usual_s = float(steps.stride_s[steps.person_id == person].median())
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharex=True)
    for axis, joint in zip(axes, ("knee", "hip"), strict=True):
        for side, colour in (("left", "tab:blue"), ("right", "tab:red")):
            mine = steps[(steps.person_id == person) & (steps.side == side) & (steps.contact_time_s < end_s)]
            found = cycles(table, mine, usual_s, side, f"{side}_{joint}_flexion_deg")
            if len(found):
                mean, spread = found.mean(0), found.std(0)
                axis.plot(SHARE, mean, colour, label=f"{side}, {len(found)} stride(s)")
                axis.fill_between(SHARE, mean - spread, mean + spread, color=colour, alpha=0.2)
        axis.set(title=f"{joint} flexion", xlabel="gait cycle, % from foot contact", ylabel="degrees")
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(out, dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), *map(float, sys.argv[4:]))
