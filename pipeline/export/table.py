"""One CSV of everybody: the people's tables below one another."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.csv as pc
import pyarrow.parquet as pq

from pipeline.export.options import CsvForm, ExportOptions
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
        form = options.csv
        out.write((form.separator.join(schema.names) + "\n").encode())  # pyarrow would quote the header
        written = _written(schema, form)
        bare = pc.WriteOptions(include_header=False, delimiter=form.separator)
        with pc.CSVWriter(out, written, write_options=bare) as writer:
            for person in people:
                with TableFile(person.file) as file:
                    for group in range(file.row_groups):
                        table = _moved(_rows(file.read(group), person, schema), options.offset_s)
                        writer.write_table(_marked(table, written, form))


def _written(schema: pa.Schema, form: CsvForm) -> pa.Schema:
    """The columns as they are written: numbers with another decimal mark than the point are texts."""
    if form.decimal == ".":
        return schema
    return pa.schema([pa.field(f.name, pa.string() if pa.types.is_floating(f.type) else f.type) for f in schema])


def _moved(table: pa.Table, offset_s: float) -> pa.Table:
    """The table with ``offset_s`` added to its times."""
    if not offset_s:
        return table
    at = table.column_names.index("time_s")
    return table.set_column(at, table.schema.field(at), compute.add(table["time_s"], offset_s))


def _marked(table: pa.Table, written: pa.Schema, form: CsvForm) -> pa.Table:
    """The table with the decimal mark of the form."""
    columns = [
        compute.replace_substring(table[f.name].cast(f.type), ".", form.decimal)
        if pa.types.is_floating(table.schema.field(f.name).type) and f.type == pa.string()
        else table[f.name]
        for f in written
    ]
    return pa.table(columns, schema=written)


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
