"""A finished run as tables, for work in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.core.errors import PoselineError
from pipeline.store.checked import TableFile
from pipeline.store.columns import person_name
from pipeline.store.folder import RunFolder
from pipeline.store.people_table import people_table


def read_run(path: str | Path) -> dict[str, Any]:
    """A finished run: ``manifest`` (dict), ``tracks`` and ``people`` (pandas), ``motion`` {person id: pandas table}.

    In ``people`` names and warnings are texts, counts integers and all else doubles, NaN where not known.
    PoselineError where the run is not finished, or one of its tables is missing or damaged.
    """
    folder = RunFolder.existing(path)
    manifest = folder.manifest()
    if not manifest.get("finished"):
        raise PoselineError(f"{path}: the run is not finished; run poseline run on the video again to go on")
    people = people_table(folder)
    return {
        "manifest": manifest,
        "tracks": _table(folder.tracks),
        "people": people.to_pandas(),
        "motion": {i: _table(folder.people / f"{person_name(i)}.parquet") for i in people["person_id"].to_pylist()},
    }


def _table(path: Path) -> Any:
    with TableFile(path) as file:
        return file.whole().to_pandas()
