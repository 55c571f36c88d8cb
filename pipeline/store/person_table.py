"""One Parquet and one CSV per person. A missing value is null (empty in CSV)."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import ANGLE_STATES, STATE_NAMES, Motion
from pipeline.store.atomic import atomic
from pipeline.store.checked import CHECKED_PAGES
from pipeline.store.columns import BOX, STATE, VIDEO_TIME, person_name, person_schema

ROW_GROUP = 4096  # rows written and read at once, so that ten hours take the memory of a minute


def _rows(motion: Motion, schema: pa.Schema, skeleton: Skeleton, rows: slice) -> pa.RecordBatch:
    values: dict[str, np.ndarray] = {"frame": motion.frame[rows], "time_s": motion.time_s[rows]}
    if motion.video_time_s is not None:
        values[VIDEO_TIME] = motion.video_time_s[rows]
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
    for name, column in motion.states.items():
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(column[rows].astype(np.int8)), pa.array(ANGLE_STATES))
    columns |= {name: pa.array(v, schema.field(name).type, from_pandas=True) for name, v in values.items()}
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def write_person(folder: Path, motion: Motion, skeleton: Skeleton, metadata: dict[str, str]) -> None:
    """Write ``person_NNNN.parquet`` and ``.csv`` of one person into ``folder``."""
    facts = {**metadata, **motion.facts, "person_id": str(motion.person_id)}
    parts_m = ["x_m", "y_m", "z_m"] + (["std_m"] if motion.keypoint_std_m is not None else [])
    parts_m += ["world_x_m", "world_y_m", "world_z_m"] if motion.world_m is not None else []
    columns, beside = (*motion.quantities, *motion.states), motion.video_time_s is not None
    schema = person_schema(skeleton, motion.names_m, facts, columns, parts_m, beside)
    plain = pa.schema([pa.field(f.name, pa.string() if f.type == STATE else f.type) for f in schema])
    stem = person_name(motion.person_id)
    with contextlib.ExitStack() as stack:
        parquet = stack.enter_context(atomic(folder / f"{stem}.parquet"))
        csv = stack.enter_context(atomic(folder / f"{stem}.csv"))
        states = [field.name for field in schema if field.type == STATE]  # numbers hardly ever repeat
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


def is_person_table(path: Path) -> bool:
    """Whether a run wrote the file, as far as its content tells; a damaged Parquet file counts as a run's."""
    if path.suffix == ".parquet":
        try:
            return b"person_id" in (pq.read_schema(path).metadata or {})
        except (OSError, pa.ArrowException):
            return True
    with open(path, "rb") as file:
        return file.readline(1 << 20).replace(b'"', b"").startswith(",".join(("frame", "time_s", *BOX)).encode())
