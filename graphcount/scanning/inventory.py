"""The inventory: a SQLite file that knows which models there are, which are done, and their rows.

Every row is written as it comes, in a transaction of its own (write-ahead log), so that whatever
ends the program leaves all finished rows behind. A later scan of the same file goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from graphcount.errors import NotReadableError
from graphcount.loading.source import public_path
from graphcount.scanning.row import COLUMNS, InventoryRow
from graphcount.scanning.targets import Target
from graphcount.scanning.work import Done, Task

APPLICATION_ID = 0x67636E74
"""`gcnt`: how SQLite knows our files."""
VERSION = 2
"""Of the tables; a file of another version is refused."""
PAGE = 500
"""Rows fetched at a time."""
INT64 = 1 << 63

# Columns have no type: SQLite then keeps a value as it is. Numbers beyond 64 bits are kept as text.
_SCHEMA = f"""
CREATE TABLE scan (run INTEGER);
CREATE TABLE models (
  key BLOB PRIMARY KEY, run INTEGER, ordinal INTEGER, options TEXT, problem TEXT,
  known TEXT, done INTEGER, {", ".join(f'"{column.name}"' for column in COLUMNS)}
);
CREATE UNIQUE INDEX models_in_order ON models (run, ordinal);
CREATE INDEX models_by_architecture ON models (architecture);
CREATE VIEW inventory AS SELECT {", ".join(f'"{column.name}"' for column in COLUMNS)}
  FROM models, scan WHERE models.run = scan.run AND done ORDER BY ordinal;
"""


class Inventory:
    """An open inventory.

    Args:
        path: The file, made when missing; `:memory:` for none.
        options: Fingerprint of the analysis: rows of another one are not taken over.

    Raises:
        NotReadableError: The file is something else, or cannot be written.
    """

    def __init__(self, path: str, options: str) -> None:
        self.path = path
        self.options = options
        self._secret: dict[int, str] = {}
        with self._as_one_line("is no inventory of a scan"):
            self._db = sqlite3.connect(path, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    @contextmanager
    def _as_one_line(self, what: str) -> Iterator[None]:
        """Turn what SQLite raises into one line."""
        try:
            yield
        except sqlite3.Error as error:
            raise NotReadableError(f"{what}: {error}", self.path) from None

    def _open(self) -> None:
        db = self._db
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        empty = not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not empty and (application, version) != (APPLICATION_ID, VERSION):
            raise NotReadableError("is another SQLite file than the inventory of a scan", self.path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if empty:
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute("INSERT INTO scan VALUES (0)")
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")
        (self._run,) = db.execute("SELECT run FROM scan").fetchone()

    def begin(self, targets: Iterable[Target]) -> int:
        """List what is to be done, each model once; returns how many there are.

        The list is written as one transaction: a scan that ends while listing changes nothing.
        """
        with self._as_one_line("the inventory cannot be written"):
            return self._begin(targets)

    def _begin(self, targets: Iterable[Target]) -> int:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            self._run += 1
            db.execute("UPDATE scan SET run = ?", (self._run,))
            ordinal = 0
            for target in targets:
                key = _key(target.path)
                added = db.execute(
                    "INSERT INTO models (key, run, ordinal, problem, done) VALUES (?, ?, ?, ?, 0)"
                    " ON CONFLICT (key) DO UPDATE SET run = excluded.run, done = 0,"
                    " ordinal = excluded.ordinal, problem = excluded.problem"
                    " WHERE run <> excluded.run",
                    (key, self._run, ordinal, target.problem),
                ).rowcount
                if added:
                    if key != os.fsencode(target.path):
                        self._secret[ordinal] = target.path
                    ordinal += 1
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        return ordinal

    def tasks(self) -> Iterator[Task]:
        """Yield the listed tasks, in order."""
        query = (
            "SELECT ordinal, key, problem, CASE WHEN options = ? THEN known ELSE '' END"
            " FROM models WHERE run = ? AND ordinal > ? ORDER BY ordinal LIMIT ?"
        )
        last = -1
        while rows := self._db.execute(query, (self.options, self._run, last, PAGE)).fetchall():
            for ordinal, key, problem, known in rows:
                path = self._secret.get(ordinal) or os.fsdecode(key)
                yield Task(ordinal, path, problem or "", known or "")
            last = rows[-1][0]

    def put(self, done: Done) -> None:
        """Keep what became of a task."""
        place = (self._run, done.ordinal)
        with self._as_one_line("the inventory cannot be written"):
            if done.row is None:
                query = "UPDATE models SET done = 1 WHERE run = ? AND ordinal = ?"
                self._db.execute(query, place)
                return
            row = done.row
            values = [_to_sql(column.kind, row.get(column.name)) for column in COLUMNS]
            self._db.execute(_PUT, (self.options, done.known, *values, *place))

    def finish(self) -> int:
        """Forget models that are no longer among the targets, and return how many."""
        return self._db.execute("DELETE FROM models WHERE run <> ?", (self._run,)).rowcount

    def rows(self) -> Iterator[InventoryRow]:
        """Yield finished rows, in order."""
        names = ", ".join(f'"{column.name}"' for column in COLUMNS)
        query = (
            f"SELECT ordinal, {names} FROM models"
            " WHERE run = ? AND done AND ordinal > ? ORDER BY ordinal LIMIT ?"
        )
        last = -1
        while rows := self._db.execute(query, (self._run, last, PAGE)).fetchall():
            for values in rows:
                yield {
                    column.name: _from_sql(column.kind, value)
                    for column, value in zip(COLUMNS, values[1:], strict=True)
                }
            last = rows[-1][0]

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the view `inventory`."""
        return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        self._db.close()


_PUT = (
    "UPDATE models SET done = 1, options = ?, known = ?, "
    + ", ".join(f'"{column.name}" = ?' for column in COLUMNS)
    + " WHERE run = ? AND ordinal = ?"
)


def _key(path: str) -> bytes:
    """Return the key of a model: its path; of secrets in a URL only the hash."""
    public = public_path(path)
    if public == path:
        return os.fsencode(path)
    return f"{public} {hashlib.sha256(path.encode()).hexdigest()[:16]}".encode()


def _to_sql(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "json":
        return json.dumps(value)
    if kind == "text":
        return str(value).encode("utf-8", "backslashreplace").decode()
    return value if -INT64 <= value < INT64 else str(value)


def _from_sql(kind: str, value: Any) -> Any:
    if value is None or kind == "text":
        return value
    return json.loads(value) if kind == "json" else int(value)
