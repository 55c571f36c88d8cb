"""A finished run as tables, for work in Python."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv as pa_csv

from pipeline.core.errors import PoselineError
from pipeline.store.checked import TableFile
from pipeline.store.columns import person_name
from pipeline.store.folder import RunFolder
from pipeline.store.people_csv import text_of
from pipeline.store.people_table import people_table

# Tables by the names of their files, and the columns of CSV files that are no doubles.
PARQUET_FILES = ("gait_cycles", "gait_means", "heatmap")
CSV_FILES = ("gait", "cycles", "jumps", "quality")
TEXTS = ("movement", "side", "joint")
OTHERS = {name: pa.int64() for name in ("person_id", "cycle", "gaps_count")} | {
    name: pa.bool_() for name in ("running", "backward", "in_mean")
}


def read_run(path: str | Path) -> dict[str, Any]:
    """A finished run: ``manifest`` (dict), its tables (pandas), and ``motion`` {person id: pandas table}.

    The tables are ``tracks`` and ``people``, and, each named as its file, ``gait`` (steps), ``cycles``,
    ``gait_cycles``, ``gait_means``, ``jumps``, ``quality`` and ``heatmap``; one of these is None where the run has no
    such file, as runs of earlier versions. Names, warnings, sides, movements and joints are texts, counts integers,
    ``running``, ``backward`` and ``in_mean`` bool, and all else doubles or floats, NaN where not known. A table without
    rows has its columns.

    PoselineError where the run is not finished, its tracks, people or motions are missing, or a table is damaged.
    """
    folder = RunFolder.existing(path)
    manifest = folder.manifest()
    if not manifest.get("finished"):
        raise PoselineError(f"{path}: the run is not finished; run poseline run on the video again to go on")
    people = people_table(folder)
    files = {name: folder.path / f"{name}.parquet" for name in PARQUET_FILES}
    return {
        "manifest": manifest,
        "tracks": _table(folder.tracks),
        "people": people.to_pandas(),
        "motion": {i: _table(folder.people / f"{person_name(i)}.parquet") for i in people["person_id"].to_pylist()},
        **{name: _table(file) if file.is_file() else None for name, file in files.items()},
        **{name: _csv_table(folder.path / f"{name}.csv") for name in CSV_FILES},
    }


def _table(path: Path) -> Any:
    with TableFile(path) as file:
        return file.whole().to_pandas()


def _csv_table(path: Path) -> Any:
    """A small table of a run; None where there is no such file."""
    if not path.is_file():
        return None
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            names = next(csv.reader(handle))
        types = {name: OTHERS.get(name, pa.string() if name in TEXTS else pa.float64()) for name in names}
        options = pa_csv.ConvertOptions(column_types=types, strings_can_be_null=False)
        table = pa_csv.read_csv(path, convert_options=options).to_pandas()
    except (OSError, StopIteration, ValueError, csv.Error, pa.ArrowException) as error:
        raise PoselineError(f"{path}: damaged; poseline track {path.parent} makes it again") from error
    for name in set(TEXTS) & set(names):
        table[name] = table[name].map(text_of).astype(object)
    return table
