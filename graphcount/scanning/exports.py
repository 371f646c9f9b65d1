"""An inventory as a file: the format follows from the file's suffix. One row at a time."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from graphcount.credentials import mask
from graphcount.errors import NotReadableError, UsageError, not_writable
from graphcount.formats.csv import cell
from graphcount.loading.writing import replacing
from graphcount.report.serial import dumps as to_json
from graphcount.scanning.page import write_page
from graphcount.scanning.row import COLUMNS, InventoryRow, dumps

DATABASES = (".sqlite", ".sqlite3", ".db")
"""Suffixes of the inventory itself."""
GROUP = 10_000
"""Rows in a row group of Parquet."""
INT64 = 1 << 63

Rows = Iterable[InventoryRow]


def export(rows: Rows, path: str, binary: bool) -> None:
    """Write rows to a file, whole or not at all.

    Raises:
        NotReadableError: It cannot be written, or a package is missing.
    """
    writer = WRITERS[suffix(path)]
    try:
        with replacing(path) as temporary:
            writer(rows, temporary, binary)
    except OSError as error:
        raise not_writable(path, error) from None


def suffix(path: str) -> str:
    """Return the suffix of a file that an inventory can be written to.

    Raises:
        UsageError: It says no format.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in WRITERS and ending not in DATABASES:
        known = ", ".join((*DATABASES[:1], *WRITERS))
        raise UsageError(f"-o {path}: the suffix says the format; known are {known}")
    return ending


def jsonl_lines(rows: Rows) -> Iterator[str]:
    """Yield one JSON object a model."""
    for row in rows:
        yield dumps(row) + "\n"


def write_csv(rows: Rows, file: IO[str]) -> None:
    """Write CSV (RFC 4180); names are harmless to terminals and spreadsheets."""
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(column.name for column in COLUMNS)
    for row in rows:
        writer.writerow(_cell(row[column.name]) for column in COLUMNS)


def _cell(value: Any) -> str | int:
    if value is None:
        return ""
    if isinstance(value, int):
        return value
    return cell(value if isinstance(value, str) else to_json(value, None))


def _jsonl(rows: Rows, path: str, binary: bool) -> None:
    with open(path, "w", encoding="ascii", newline="") as file:
        file.writelines(jsonl_lines(rows))


def _csv(rows: Rows, path: str, binary: bool) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        write_csv(rows, file)


def _html(rows: Rows, path: str, binary: bool) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        write_page(rows, file, binary)


def _parquet(rows: Rows, path: str, binary: bool) -> None:
    """Write Parquet: integers are int64; larger ones are null and exact in `beyond_int64`."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        why = "Parquet needs pyarrow, which is not installed: pip install 'graphcount[parquet]'"
        raise NotReadableError(why) from None
    kinds = {"integer": pyarrow.int64(), "text": pyarrow.string(), "json": pyarrow.string()}
    fields = [(column.name, kinds[column.kind]) for column in COLUMNS]
    schema = pyarrow.schema([*fields, ("beyond_int64", pyarrow.string())])
    with parquet.ParquetWriter(path, schema) as writer:
        for group in _groups(rows):
            table = [_parquet_row(row) for row in group]
            writer.write_table(pyarrow.Table.from_pylist(table, schema))


def _parquet_row(row: InventoryRow) -> InventoryRow:
    cells: InventoryRow = {}
    beyond = {}
    for column in COLUMNS:
        value = row[column.name]
        if column.kind == "json" and value is not None:
            value = to_json(value, None)
        elif column.kind == "text" and value is not None:
            value = mask(value)
        elif column.kind == "integer" and value is not None and not -INT64 <= value < INT64:
            beyond[column.name] = value
            value = None
        cells[column.name] = value
    cells["beyond_int64"] = to_json(beyond, None) if beyond else None
    return cells


def _groups(rows: Rows) -> Iterator[list[InventoryRow]]:
    group: list[InventoryRow] = []
    for row in rows:
        group.append(row)
        if len(group) == GROUP:
            yield group
            group = []
    yield group


WRITERS: dict[str, Callable[[Rows, str, bool], None]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
    ".html": _html,
}
"""Writers by suffix."""
