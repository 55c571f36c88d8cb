"""Which files in the folder of people a run takes for its own."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.prepare import start_over
from pipeline.store.folder import RunFolder
from pipeline.store.people_table import write_people

HEADER = "frame,time_s,box_x1_px,box_y1_px,box_x2_px,box_y2_px,score\n"


def test_starting_over_removes_what_a_run_wrote_and_nothing_else(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.people.mkdir()
    write_people(folder, [{"person_id": 1, "name": ""}])
    table = pa.table({"frame": [1]})
    pq.write_table(table.replace_schema_metadata({"person_id": "2"}), folder.people / "person_0002.parquet")
    (folder.people / "person_0001.csv").write_text("damaged")  # the table of a person of the run
    (folder.people / "person_0002.csv").write_text(HEADER)  # of a run that was killed before it named its people
    (folder.people / "person_0003.parquet").write_text("damaged")
    mine = {"person_0099.csv": b"day,mass_kg\n1,70\n", "person_0098.csv": b"", "notes.txt": b"mine"}
    for name, content in mine.items():
        (folder.people / name).write_bytes(content)
    pq.write_table(table, folder.people / "person_0097.parquet")
    start_over(folder)
    assert {path.name for path in folder.people.iterdir()} == {*mine, "person_0097.parquet"}
    assert all((folder.people / name).read_bytes() == content for name, content in mine.items())


def test_starting_over_leaves_no_empty_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.people.mkdir()
    (folder.people / "person_0001.csv").write_text(HEADER)
    start_over(folder)
    assert not folder.people.exists()
