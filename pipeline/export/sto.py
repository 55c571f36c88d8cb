"""OpenSim's storage files (STO) of joint angles: a person a file, in degrees, `nan` where an angle is not known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.export.clock import beat_of
from pipeline.export.options import ExportOptions
from pipeline.export.person import PersonTable
from pipeline.store.atomic import atomic

END = "_deg"  # angles; their velocities end in _deg_s


def export_sto(person: PersonTable, path: Path, options: ExportOptions) -> None:
    """Write all angles of one person at real times; PoselineError where the table has none.

    Unevenly spaced frames are resampled at their median rate: OpenSim's filters take even steps for granted.
    """
    angles, run = [name for name in person.columns if name.endswith(END)], person.file.parent.parent
    if not angles:
        raise PoselineError(f"{person.file}: has no angles; make them with poseline track {run}")
    first, stop = person.frames
    beat = beat_of(person.time_s[first:stop], person.fps)
    if beat.resampled:
        options.say(f"{path}: frames are unevenly spaced; resampled to {float(beat.rate):.6g} per second")
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        out.write(f"{path.stem}\nversion=1\nnRows={beat.count}\nnColumns={1 + len(angles)}\ninDegrees=yes\nendheader\n")
        out.write("\t".join(["time", *angles]) + "\n")
        row = "\t".join(["%r", *["%.6f"] * len(angles)]) + "\n"
        blocks = person.grid(angles)
        for _, time_s, values in beat.frames(person.time_s, _unwrapped(blocks) if beat.resampled else blocks):
            times = (time_s + options.offset_s).tolist()
            if not np.isfinite(values).all():
                options.say(f"{run}: some angles are nan; OpenSim's TimeSeriesTable reads on, its Storage stops there")
            out.writelines(row % (t, *v) for t, v in zip(times, values.tolist(), strict=True))


def _unwrapped(blocks: Iterator[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames (n,) and angles (n, C) in degrees in one block, without the leaps of angles that pass 180°."""
    parts = list(blocks)
    frame, angles = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    turns = np.nan_to_num(np.rint(np.diff(angles.astype(np.float64), axis=0) / 360))
    angles[1:] -= 360 * np.cumsum(turns, 0)
    yield frame, angles
