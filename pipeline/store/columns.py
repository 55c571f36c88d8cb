"""Columns of the people's tables: every one has its unit in its name and again in the Parquet field metadata."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pyarrow as pa

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import Skeleton
from pipeline.store.checked import TableFile

VIDEO_TIME = "video_time_s"  # a column of runs whose seconds are not the video's
BOX = ("box_x1_px", "box_y1_px", "box_x2_px", "box_y2_px")
# The unit that a column's name ends with, longest first; UNITLESS are the ends of column names without a unit.
UNITS = {
    "px_per_m": "px/m", "steps_per_min": "1/min", "deg_s2": "deg/s²", "deg_s": "deg/s", "px_s2": "px/s²",
    "px_s": "px/s", "m_s2": "m/s²", "m_s": "m/s", "px": "px", "deg": "deg", "m": "m", "s": "s",
}  # fmt: skip
UNITLESS = ("frame", "score", "state", "contact", "person_id")
STATE = pa.dictionary(pa.int8(), pa.string())


def person_schema(
    skeleton: Skeleton,
    names_m: tuple[str, ...],
    metadata: dict[str, str],
    quantities: Sequence[str] = (),
    parts_m: Sequence[str] = ("x_m", "y_m", "z_m"),
    video_time: bool = False,
) -> pa.Schema:
    """Columns of a person's table: frame, time, box and score, then each joint's values, then ``quantities``.

    ``names_m`` are the joints with a position in metres, in the columns ``parts_m``. Joints that the skeleton lacks
    follow the skeleton's joints. Quantities whose names end in ``_state`` are categories. ``video_time``: `VIDEO_TIME`
    stands beside the real time.
    """
    fields = [("frame", pa.int64()), ("time_s", pa.float64())]
    fields += [(VIDEO_TIME, pa.float64())] if video_time else []
    fields += [(name, pa.float32()) for name in (*BOX, "score")]
    for joint in skeleton.names:
        fields += [(f"{joint}_{part}", pa.float32()) for part in ("x_px", "y_px", "score", "std_px")]
        fields += [(f"{joint}_state", STATE)]
        fields += [(f"{joint}_{part}", pa.float32()) for part in ("x_px_raw", "y_px_raw")]
        fields += [(f"{joint}_{part}", pa.float32()) for part in parts_m] if joint in names_m else []
    extra = [joint for joint in names_m if joint not in skeleton.names]
    fields += [(f"{joint}_{part}", pa.float32()) for joint in extra for part in parts_m]
    fields += [(name, STATE if name.endswith("_state") else pa.float32()) for name in quantities]
    return pa.schema([pa.field(n, t, metadata={"unit": unit_of(n)}) for n, t in fields], metadata=metadata)


@cache  # hundreds of columns, the same for everybody
def unit_of(column: str) -> str:
    """The unit that a column's name states; 1 for counts, scores and states. ValueError when it states none."""
    name = column.removesuffix("_raw")
    for end in ("_std", "_jitter"):  # <quantity>_std, with the quantity's unit
        name = name.removesuffix(end)
    for end, unit in UNITS.items():
        if name.endswith(f"_{end}") or name == end:
            return unit
    if name in UNITLESS or name.endswith(tuple(f"_{end}" for end in UNITLESS)):
        return "1"
    raise ValueError(f"column {column} states no unit: end its name in one of {', '.join([*UNITS, *UNITLESS])}")


def person_name(person_id: int) -> str:
    """Stem of a person's files."""
    return f"person_{person_id:04d}"


def person_of(file: TableFile) -> int:
    """The id of the person whose table this is; PoselineError unless the file's name agrees."""
    told = (file.schema.metadata or {}).get(b"person_id", b"").decode(errors="replace")
    if not told.isdecimal() or person_name(int(told)) != file.path.stem:
        raise PoselineError(f"{file.path}: no table of this person; poseline track on its run makes it again")
    return int(told)


def person_span(path: Path) -> tuple[int, int]:
    """First and last frame of a person's table, from its footer."""
    with TableFile(path) as file:
        return file.span()
