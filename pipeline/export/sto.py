"""OpenSim's storage files (STO) of joint angles: a person a file, in degrees, `nan` where an angle is not known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.export.options import ExportOptions
from pipeline.export.person import PersonTable
from pipeline.store.atomic import atomic

END = "_deg"  # angles; their velocities end in _deg_s


def export_sto(person: PersonTable, path: Path, options: ExportOptions) -> None:
    """Write all angles of one person at real times; PoselineError where the table has none."""
    angles, run = [name for name in person.columns if name.endswith(END)], person.file.parent.parent
    if not angles:
        raise PoselineError(f"{person.file}: has no angles; make them with poseline track {run}")
    first, stop = person.frames
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        out.write(
            f"{path.stem}\nversion=1\nnRows={stop - first}\nnColumns={1 + len(angles)}\ninDegrees=yes\nendheader\n"
        )
        out.write("\t".join(["time", *angles]) + "\n")
        row = "\t".join(["%r", *["%.6f"] * len(angles)]) + "\n"
        for frame, values in person.grid(angles):
            times = (person.time_s[frame] + options.offset_s).tolist()
            if not np.isfinite(values).all():
                options.say(f"{run}: some angles are nan; OpenSim's TimeSeriesTable reads on, its Storage stops there")
            out.writelines(row % (t, *v) for t, v in zip(times, values.tolist(), strict=True))
