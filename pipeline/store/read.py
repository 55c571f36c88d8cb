"""A finished run as tables, for work in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.core.errors import PoselineError
from pipeline.store.checked import TableFile
from pipeline.store.columns import person_name
from pipeline.store.folder import RunFolder
from pipeline.store.people_csv import text_of


def read_run(path: str | Path) -> dict[str, Any]:
    """A finished run: ``manifest`` (dict), ``tracks`` and ``people`` (pandas), ``motion`` {person id: pandas table}."""
    import pandas as pd

    folder = RunFolder.existing(path)
    manifest = folder.manifest()
    if not manifest.get("finished"):
        raise PoselineError(f"{path}: the run is not finished; run poseline run on the video again to go on")
    try:
        people = pd.read_csv(folder.people_csv, keep_default_na=False)  # no warning is an empty text
        people["name"] = people["name"].astype(str).map(text_of)
        ids = people["person_id"].astype(int)
    except (OSError, KeyError, ValueError) as error:
        raise PoselineError(f"{folder.people_csv}: missing or damaged; poseline track {path} makes it again") from error
    return {
        "manifest": manifest,
        "tracks": _table(folder.tracks),
        "people": people,
        "motion": {int(i): _table(folder.people / f"{person_name(int(i))}.parquet") for i in ids},
    }


def _table(path: Path) -> Any:
    with TableFile(path) as file:
        return file.whole().to_pandas()
