"""A finished run as tables, for work in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.errors import PoselineError
from pipeline.store import RunFolder
from pipeline.tables import person_name


def read_run(path: str | Path) -> dict[str, Any]:
    """A finished run: ``manifest`` (dict), ``tracks`` and ``people`` (pandas), ``motion`` {person id: pandas table}."""
    import pandas as pd

    folder = RunFolder.existing(path)
    manifest = folder.manifest()
    if not manifest.get("finished"):
        raise PoselineError(f"{path}: the run is not finished; run poseline run on the video again to go on")
    people = pd.read_csv(folder.people_csv, keep_default_na=False)  # no warning is an empty text
    return {
        "manifest": manifest,
        "tracks": pd.read_parquet(folder.tracks),
        "people": people,
        "motion": {
            int(i): pd.read_parquet(folder.people / f"{person_name(int(i))}.parquet") for i in people["person_id"]
        },
    }
