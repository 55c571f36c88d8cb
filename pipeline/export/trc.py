"""OpenSim's marker files (TRC): a person a file, in metres, y up.

The layout is that of OpenSim's TRCFileAdapter: a tab follows each value, also the last of a row; `nan` marks a missing
marker.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.export.clock import beat_of
from pipeline.export.markers import markers
from pipeline.export.options import ExportOptions
from pipeline.export.person import PersonTable, decimal
from pipeline.store.atomic import atomic

KEYS = (
    "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame", "OrigNumFrames",
)  # fmt: skip


def export_trc(person: PersonTable, path: Path, options: ExportOptions) -> None:
    """Write one person's joints at real times; unevenly spaced frames are resampled at their median rate.

    Raises:
        PoselineError: the joints have no place in metres.
    """
    there = markers(person, options.plane, options.say)
    first, stop = person.frames
    beat = beat_of(person.time_s[first:stop], person.fps)
    if beat.resampled:
        options.say(f"{path}: frames are unevenly spaced; resampled to {float(beat.rate):.6g} per second")
    rate, count, names = decimal(beat.rate), beat.count, there.labels
    values = (rate, rate, count, len(names), "m", decimal(person.fps), first + 1, stop - first)
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        out.write(f"PathFileType\t4\t(X/Y/Z)\t{path.name}\n")
        out.write("\t".join(KEYS) + "\n" + "\t".join(map(str, values)) + "\n")
        out.write("Frame#\tTime\t" + "".join(f"{name}\t\t\t" for name in names) + "\n")
        out.write("\t\t" + "".join(f"{axis}{i}\t" for i in range(1, len(names) + 1) for axis in "XYZ") + "\n\n")
        row = "\t".join(["%d", "%r", *["%.6f"] * (3 * len(names))]) + "\t\n"
        for frame, time_s, place in beat.frames(person.time_s, there.grid()):
            numbers = place.reshape(len(frame), -1).tolist()
            times = (time_s + options.offset_s).tolist()
            out.writelines(row % (f + 1, t, *n) for f, t, n in zip(frame.tolist(), times, numbers, strict=True))
