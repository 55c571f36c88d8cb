"""Parquet tables whose damage is found on reading: by a checksum of the content, or by checksums of the pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PoselineError
from pipeline.store.atomic import atomic

CHECKED_PAGES = {"write_page_checksum": True}  # so that any reader of Parquet can tell a page that was damaged


def write_table(path: Path, table: pa.Table, metadata: dict[str, str]) -> None:
    """Write a table with metadata, and a checksum of both."""
    metadata = {**metadata, "checksum": _checksum(table, metadata)}
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd", **CHECKED_PAGES)


def read_table(path: Path) -> pa.Table:
    """A table that `write_table` wrote; ValueError where its content has changed. Old tables have no checksum."""
    table = pq.read_table(path, page_checksum_verification=True)
    metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    told = metadata.pop("checksum", None)
    if told is not None and told != _checksum(table, metadata):
        raise ValueError("its checksum is not that of its content")
    return table


def _checksum(table: pa.Table, metadata: dict[str, str]) -> str:
    """Hex digest of names, types, values and metadata; it does not depend on the file's layout."""
    total = hashlib.blake2b(json.dumps(metadata, sort_keys=True).encode("utf-8", "backslashreplace"), digest_size=16)
    for name, column in zip(table.column_names, table.columns, strict=True):
        rows, flat = len(column), column.combine_chunks()
        if pa.types.is_fixed_size_list(flat.type):
            flat = flat.flatten()
        total.update(f"{name} {flat.type} {rows} {len(flat)}\n".encode())
        total.update(np.ascontiguousarray(flat.to_numpy(zero_copy_only=False)).tobytes())
    return total.hexdigest()


class TableFile:
    """A table of a run that is read row group by row group, its pages checked; a context manager.

    Every read raises PoselineError where the file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: pq.ParquetFile = self._said(
            lambda: pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)
        )
        self.schema: pa.Schema = self._said(lambda: self._file.schema_arrow)
        self.row_groups: int = self._file.num_row_groups
        self.rows: int = self._file.metadata.num_rows

    def read(self, group: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of one group."""
        return self._said(lambda: self._file.read_row_group(group, columns=columns))

    def whole(self, columns: list[str] | None = None) -> pa.Table:
        """All rows."""
        return self._said(lambda: self._file.read(columns=columns))

    def span(self) -> tuple[Any, Any]:
        """First and last value of the first column, which rises, from the footer."""
        return self._said(
            lambda: (
                self._file.metadata.row_group(0).column(0).statistics.min,
                self._file.metadata.row_group(self.row_groups - 1).column(0).statistics.max,
            )
        )

    def _said(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (OSError, pa.ArrowException, KeyError, AttributeError, ValueError) as error:
            run = self.path.parent.parent if self.path.parent.name == "people" else self.path.parent
            raise PoselineError(f"{self.path}: missing or damaged; poseline track {run} makes it again") from error

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
