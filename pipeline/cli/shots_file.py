"""--shots: a CSV table of the shots of a video, as shots.csv is written and then corrected."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from pipeline.core.errors import PoselineError
from pipeline.core.texts import read_text


def read_shots(flag: str, text: str) -> list[list[float | int]]:
    """The beginning in seconds and the camera of each shot (0 where it is not told) in the CSV file of that name; none
    for ``auto``: the shots are found.

    Raises PoselineError that names the file, the line and what would be right.
    """
    if text == "auto":
        return []
    try:
        content = read_text(Path(text))
    except (OSError, ValueError) as error:
        raise PoselineError(f"{flag} {text}: cannot be read; give a CSV file such as a run's shots.csv") from error
    # A spreadsheet with decimal commas writes semicolons between the columns.
    semicolons = ";" in content.partition("\n")[0]
    table = csv.DictReader(io.StringIO(content), delimiter=";" if semicolons else ",")
    if "start_s" not in (table.fieldnames or ()):
        raise PoselineError(f"{flag} {text}: has no column start_s; a run's shots.csv shows how it is written")
    out: list[list[float | int]] = []
    for number, row in enumerate(table, 2):
        try:
            second = row["start_s"].replace(",", ".") if semicolons and row["start_s"] else row["start_s"]
            start_s, camera = float(second), int(row.get("camera") or 0)
            if camera < 0 or not 0 <= start_s < float("inf") or (out and start_s <= out[-1][0]):
                raise ValueError
        except (TypeError, ValueError) as error:
            raise PoselineError(
                f"{flag} {text}: line {number}: start_s {row['start_s']!r} and camera {row.get('camera')!r} are no"
                " seconds, later than those above, and a number from 1 on, or empty"
            ) from error
        out.append([start_s, camera])
    if not out:
        raise PoselineError(f"{flag} {text}: has no shot; --set track.shots=off makes the video a single one")
    return out
