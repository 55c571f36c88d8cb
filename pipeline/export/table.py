"""One CSV of everybody: the people's tables below one another."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from pipeline.export.options import ExportOptions
from pipeline.export.person import PersonTable, everybody
from pipeline.store.atomic import atomic
from pipeline.store.checked import TableFile
from pipeline.store.columns import person_schema
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.people_csv import cell


def export_csv(folder: RunFolder, path: Path, options: ExportOptions) -> None:
    """Write person_id, name and every column that any person's table has; sorted by person and frame, streamed."""
    people = everybody(folder)
    schema = _schema(folder, people)
    with atomic(path) as temporary, open(temporary, "wb") as out:
        out.write((",".join(schema.names) + "\n").encode())  # pyarrow would quote the header
        with pc.CSVWriter(out, schema, write_options=pc.WriteOptions(include_header=False)) as writer:
            for person in people:
                with TableFile(person.file) as file:
                    for group in range(file.row_groups):
                        writer.write_table(_rows(file.read(group), person, schema))


def _schema(folder: RunFolder, people: list[PersonTable]) -> pa.Schema:
    """The union of the columns in the order of the tables; the columns of an empty table where nobody was found."""
    fields = {"person_id": pa.int64(), "name": pa.string()}
    schemas = [pq.read_schema(person.file) for person in people] or [person_schema(skeleton_of_run(folder), (), {})]
    for schema in schemas:
        for field in schema:
            fields.setdefault(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type)
    return pa.schema(list(fields.items()))


def _rows(table: pa.Table, person: PersonTable, schema: pa.Schema) -> pa.Table:
    n = table.num_rows
    own = {
        "person_id": pa.array([person.person_id] * n, pa.int64()),
        "name": pa.array([cell(person.name) or None] * n, pa.string()),  # None: pyarrow writes "" for an empty text
    }
    columns = []
    for field in schema:
        if field.name in own:
            columns.append(own[field.name])
        elif field.name in table.column_names:
            columns.append(table[field.name].cast(field.type))
        else:
            columns.append(pa.nulls(n, field.type))
    return pa.table(columns, schema=schema)
