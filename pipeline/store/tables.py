"""The tables people open: one Parquet and one CSV per person, people.csv; and reading them back frame by frame.

Every column has its unit in its name and again in the Parquet field metadata. A missing value is null (empty in CSV).
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import MEASURED, STATE_NAMES, Motion
from pipeline.store.atomic import atomic
from pipeline.store.checked import CHECKED_PAGES, TableFile

ROW_GROUP = 4096  # rows written and read at once, so that ten hours take the memory of a minute
BOX = ("box_x1_px", "box_y1_px", "box_x2_px", "box_y2_px")
# The unit that a column's name ends with, longest first; UNITLESS are the ends of those that have none.
UNITS = {
    "px_per_m": "px/m", "steps_per_min": "1/min", "deg_s2": "deg/s²", "deg_s": "deg/s", "px_s2": "px/s²",
    "px_s": "px/s", "m_s2": "m/s²", "m_s": "m/s", "px": "px", "deg": "deg", "m": "m", "s": "s",
}  # fmt: skip
UNITLESS = ("frame", "score", "state", "contact", "person_id")
_STATE = pa.dictionary(pa.int8(), pa.string())


def person_schema(
    skeleton: Skeleton,
    names_m: tuple[str, ...],
    metadata: dict[str, str],
    quantities: Sequence[str] = (),
    parts_m: Sequence[str] = ("x_m", "y_m", "z_m"),
) -> pa.Schema:
    """Columns of a person's table: frame, time, box and score, then each joint's values, then ``quantities``.

    ``names_m`` are the joints with a place in metres, with the columns ``parts_m``; those that the
    skeleton lacks follow its joints.
    """
    fields = [("frame", pa.int64()), ("time_s", pa.float64())]
    fields += [(name, pa.float32()) for name in (*BOX, "score")]
    for joint in skeleton.names:
        fields += [(f"{joint}_{part}", pa.float32()) for part in ("x_px", "y_px", "score", "std_px")]
        fields += [(f"{joint}_state", _STATE)]
        fields += [(f"{joint}_{part}", pa.float32()) for part in ("x_px_raw", "y_px_raw")]
        fields += [(f"{joint}_{part}", pa.float32()) for part in parts_m] if joint in names_m else []
    extra = [joint for joint in names_m if joint not in skeleton.names]
    fields += [(f"{joint}_{part}", pa.float32()) for joint in extra for part in parts_m]
    fields += [(name, pa.float32()) for name in quantities]
    return pa.schema([pa.field(n, t, metadata={"unit": unit_of(n)}) for n, t in fields], metadata=metadata)


@cache  # hundreds of columns, the same for everybody
def unit_of(column: str) -> str:
    """The unit that a column's name states; 1 for counts, scores and states. ValueError when it states none."""
    name = column.removesuffix("_raw")
    for end, unit in UNITS.items():
        if name.endswith(f"_{end}") or name == end:
            return unit
    if name in UNITLESS or name.endswith(tuple(f"_{end}" for end in UNITLESS)):
        return "1"
    raise ValueError(f"column {column} states no unit: end its name in one of {', '.join([*UNITS, *UNITLESS])}")


def _rows(motion: Motion, schema: pa.Schema, skeleton: Skeleton, rows: slice) -> pa.RecordBatch:
    values: dict[str, np.ndarray] = {"frame": motion.frame[rows], "time_s": motion.time_s[rows]}
    values |= {name: motion.box_px[rows, i] for i, name in enumerate(BOX)}
    values["score"] = motion.score[rows]
    states = pa.array([STATE_NAMES[i] for i in range(len(STATE_NAMES))])
    columns: dict[str, pa.Array] = {}
    for k, joint in enumerate(skeleton.names):
        for i, axis in enumerate("xy"):
            values[f"{joint}_{axis}_px"] = motion.keypoints_px[rows, k, i]
            values[f"{joint}_{axis}_px_raw"] = motion.raw_px[rows, k, i]
        values[f"{joint}_score"] = motion.keypoint_score[rows, k]
        values[f"{joint}_std_px"] = motion.keypoint_std_px[rows, k]
        codes = pa.array(motion.provenance[rows, k].astype(np.int8))
        columns[f"{joint}_state"] = pa.DictionaryArray.from_arrays(codes, states)
    if motion.keypoints_m is not None:
        for k, joint in enumerate(motion.names_m):
            values |= {f"{joint}_{axis}_m": motion.keypoints_m[rows, k, i] for i, axis in enumerate("xyz")}
            if motion.world_m is not None:
                values |= {f"{joint}_world_{axis}_m": motion.world_m[rows, k, i] for i, axis in enumerate("xyz")}
            if motion.keypoint_std_m is not None:
                values[f"{joint}_std_m"] = motion.keypoint_std_m[rows, k]
    values |= {name: column[rows] for name, column in motion.quantities.items()}
    columns |= {name: pa.array(v, schema.field(name).type, from_pandas=True) for name, v in values.items()}
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def person_name(person_id: int) -> str:
    """Stem of a person's files."""
    return f"person_{person_id:04d}"


def write_person(folder: Path, motion: Motion, skeleton: Skeleton, metadata: dict[str, str]) -> None:
    """Write ``person_NNNN.parquet`` and ``.csv`` of one person into ``folder``."""
    facts = {**metadata, **motion.facts, "person_id": str(motion.person_id)}
    parts_m = ["x_m", "y_m", "z_m"] + (["std_m"] if motion.keypoint_std_m is not None else [])
    parts_m += ["world_x_m", "world_y_m", "world_z_m"] if motion.world_m is not None else []
    schema = person_schema(skeleton, motion.names_m, facts, tuple(motion.quantities), parts_m)
    plain = pa.schema([pa.field(f.name, pa.string() if f.type == _STATE else f.type) for f in schema])
    stem = person_name(motion.person_id)
    with contextlib.ExitStack() as stack:
        parquet = stack.enter_context(atomic(folder / f"{stem}.parquet"))
        csv = stack.enter_context(atomic(folder / f"{stem}.csv"))
        states = [field.name for field in schema if field.type == _STATE]  # numbers hardly ever repeat
        options = {"compression": "zstd", "use_dictionary": states, **CHECKED_PAGES}
        binary = stack.enter_context(pq.ParquetWriter(parquet, schema, **options))
        sink = stack.enter_context(open(csv, "wb"))
        sink.write((",".join(schema.names) + "\n").encode())  # pyarrow would quote the header
        bare = pc.WriteOptions(include_header=False, quoting_style="none")
        text = stack.enter_context(pc.CSVWriter(sink, plain, write_options=bare))
        for start in range(0, len(motion), ROW_GROUP):
            batch = _rows(motion, schema, skeleton, slice(start, start + ROW_GROUP))
            binary.write_batch(batch)
            text.write(batch.cast(plain))


# --- people.csv ------------------------------------------------------------------------------------------------------


def person_summary(
    motion: Motion,
    mean_step_s: float,
    doubts: Sequence[tuple[float, str]] = (),
    name: str = "",
    figures: Mapping[str, float | str] | None = None,
    further: Sequence[str] = (),
) -> dict[str, Any]:
    """One row of people.csv: when a person was there, how much of it was measured, how sure.

    ``doubts`` are the times at which it may be somebody else, and why; ``name`` is what the user calls the person;
    ``figures`` are further columns and ``further`` warnings, as `pipeline.measure.measure` has them.
    """
    seen = motion.state == MEASURED
    span_s = float(motion.time_s[-1] - motion.time_s[0])
    steps = np.diff(motion.time_s[seen])
    gaps = steps[np.diff(motion.frame[seen]) > 1]
    frames = int(motion.frame[-1] - motion.frame[0]) + 1
    coverage = float(seen.sum()) / frames
    low = float(np.mean(motion.score[seen]))
    warnings = []
    if coverage < 0.5:
        warnings.append(f"measured in only {coverage:.0%} of the frames between first and last sighting")
    if low < 0.4:
        warnings.append("low mean score: may be no person, or hardly visible")
    if mean_step_s > 1 / 20:
        warnings.append(f"low frame rate ({1 / mean_step_s:.3g} per second): fast movements are under-sampled")
    return {
        "person_id": motion.person_id,
        "name": name,
        "first_time_s": round(float(motion.time_s[0]), 6),
        "last_time_s": round(float(motion.time_s[-1]), 6),
        "duration_s": round(span_s, 6),
        "frames_measured": int(seen.sum()),
        "frames_interpolated": int((~seen).sum()),
        "coverage": round(coverage, 4),
        "gaps": len(gaps),
        "longest_gap_s": round(float(gaps.max()), 6) if len(gaps) else 0.0,
        "mean_score": round(low, 4),
        "suspicious": "; ".join(f"{t:.2f} s: {what}" for t, what in doubts),
        **{key: shown(value) for key, value in (figures or {}).items()},
        "warnings": "; ".join([*warnings, *further]),
    }


def shown(value: Any) -> Any:
    """A figure for a CSV file: seven digits, empty where it is not known."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.7g}") if np.isfinite(value) else ""


PEOPLE_COLUMNS = (
    "person_id", "name", "first_time_s", "last_time_s", "duration_s", "frames_measured", "frames_interpolated",
    "coverage", "gaps", "longest_gap_s", "mean_score", "suspicious", "warnings",
)  # fmt: skip


def write_people_csv(path: Path, people: list[dict[str, Any]]) -> None:
    """Write people.csv: `PEOPLE_COLUMNS`, figures, warnings; with nobody there it has its header only."""
    columns = list(dict.fromkeys([*PEOPLE_COLUMNS, *(key for person in people for key in person)]))
    columns = [c for c in columns if c != "warnings"] + ["warnings"]
    write_rows(path, columns, people)


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a small CSV table; what a row lacks is empty."""
    with atomic(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, restval="")
        writer.writeheader()
        writer.writerows({k: cell(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows)


FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of a formula


def cell(text: str) -> str:
    """A text as a CSV cell: one that would be a formula gets an apostrophe in front, as spreadsheets have it."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def text_of(cell: str) -> str:
    """The text that `cell` was made of."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell


def read_people_csv(path: Path) -> list[dict[str, str]]:
    """The rows of people.csv, names as the user gave them; PoselineError where it is missing or damaged."""
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            rows = [{**row, "name": text_of(row.get("name") or "")} for row in csv.DictReader(handle)]
        for row in rows:
            int(row["person_id"])
        return rows
    except (OSError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise PoselineError(f"{path}: missing or damaged; poseline track {path.parent} makes it again") from error


# --- reading back ----------------------------------------------------------------------------------------------------


class PersonCursor:
    """Walks through a person's table with rising frames, holding one row group at a time.

    ``further`` are columns whose values are wanted too; one that the table lacks is NaN.
    """

    def __init__(self, path: Path, skeleton: Skeleton, further: Sequence[str] = ()):
        self._file = TableFile(path)
        self.person_id = person_of(self._file)
        names = [f"{j}_{a}_px" for j in skeleton.names for a in "xy"]
        self._further = further
        there = set(self._file.schema.names)
        extra = [name for name in further if name in there]
        self._columns = list(
            dict.fromkeys(["frame", *BOX, *names, *(f"{j}_state" for j in skeleton.names), "score", *extra])
        )
        self._k = len(skeleton)
        self._groups = iter(range(self._file.row_groups))
        self.last = self._file.span()[1]
        self._frame = np.zeros(0, np.int64)

    def close(self) -> None:
        self._file.close()

    def at(self, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool, np.ndarray] | None:
        """Box (4,), keypoints (K, 2), state codes (K,), whether measured, and the further values, in this frame.

        None when the person is not there.
        """
        while not len(self._frame) or self._frame[-1] < frame:
            group = next(self._groups, None)
            if group is None:
                return None
            self._load(group)
        i = int(np.searchsorted(self._frame, frame))
        if self._frame[i] != frame:
            return None
        seen = bool(np.isfinite(self._score[i]))
        return self._box[i], self._keypoints[i], self._state[i], seen, self._values[i]

    def _load(self, group: int) -> None:
        table = self._file.read(group, self._columns)

        def numbers(names: list[str]) -> np.ndarray:
            return np.stack([table[n].to_numpy() for n in names], 1).astype(np.float32)

        self._frame = table["frame"].to_numpy()
        self._box = numbers(list(BOX))
        self._score = table["score"].to_numpy()
        lost = np.full(table.num_rows, np.nan, np.float32)
        further = [table[n].to_numpy() if n in table.column_names else lost for n in self._further]
        self._values = np.stack(further, 1).astype(np.float32) if further else np.zeros((table.num_rows, 0), np.float32)
        joints = [c[:-6] for c in self._columns if c.endswith("_state")]
        xy = numbers([f"{j}_{a}_px" for j in joints for a in "xy"])
        self._keypoints = xy.reshape(len(xy), self._k, 2)
        codes = {name: code for code, name in STATE_NAMES.items()}
        self._state = np.stack(
            [np.array([codes[s] for s in table[f"{j}_state"].to_pylist()], np.uint8) for j in joints], 1
        )


def person_of(file: TableFile) -> int:
    """Whose table it is; PoselineError unless the file is called so."""
    told = (file.schema.metadata or {}).get(b"person_id", b"").decode(errors="replace")
    if not told.isdecimal() or person_name(int(told)) != file.path.stem:
        raise PoselineError(f"{file.path}: no table of this person; poseline track on its run makes it again")
    return int(told)


def person_span(path: Path) -> tuple[int, int]:
    """First and last frame of a person's table, from its footer."""
    with TableFile(path) as file:
        return file.span()


def people_by_frame(
    folder: Path, skeleton: Skeleton, frames: range, further: Sequence[str] = ()
) -> Iterator[list[tuple[int, np.ndarray, np.ndarray, np.ndarray, bool, np.ndarray]]]:
    """For each frame of the rising range: (id, box, keypoints, states, measured, further) of the people there."""
    spans = sorted(((*person_span(path), path) for path in folder.glob("person_*.parquet")), reverse=True)
    active: list[PersonCursor] = []
    for frame in frames:
        while spans and spans[-1][0] <= frame:
            _, last, path = spans.pop()
            if last >= frame:
                active.append(PersonCursor(path, skeleton, further))
        here = []
        for cursor in active:
            found = cursor.at(frame)
            if found is not None:
                here.append((cursor.person_id, *found))
        for cursor in [c for c in active if c.last <= frame]:
            cursor.close()
            active.remove(cursor)
        yield sorted(here, key=lambda person: person[0])
