"""The result of a scan on one screen."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from graphcount.formats.text import one_line, safe
from graphcount.formats.view import View
from graphcount.report.finding_rows import SEVERITIES
from graphcount.scanning.inventory import Inventory
from graphcount.scanning.numbers import ABSURD, short, size
from graphcount.scanning.row import ERROR, FAILED, OK, InventoryRow
from graphcount.units import counted, exact

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

TOP = 10
"""Rows of each table."""


class SameArchitecture(NamedTuple):
    """Models with one architecture: how many, of how many parameters, and one of them."""

    models: int
    parameters: int
    path: str
    weights: int


class Summary(NamedTuple):
    """The numbers of the summary.

    Attributes:
        status: Models by status.
        errors: Models that were not read, by slug of the error.
        severities: Models by the severity of their worst finding.
        largest: Rows with the most bytes of stored tensors.
        bad: The first rows that failed or were not read.
        shared: Architectures that several models have, the most frequent first.
        sharing_models: Models that share their architecture with another.
    """

    status: Counter[str]
    errors: Counter[str]
    severities: Counter[str]
    parameters: int
    file_nbytes: int
    external_nbytes: int
    incomplete: int
    largest: tuple[InventoryRow, ...]
    bad: tuple[InventoryRow, ...]
    shared: tuple[SameArchitecture, ...]
    shared_architectures: int
    sharing_models: int


def summarize(inventory: Inventory) -> Summary:
    """Go through an inventory once."""
    status, errors, severities = Counter[str](), Counter[str](), Counter[str]()
    sums = Counter[str]()
    incomplete = 0
    largest: list[tuple[int, int, InventoryRow]] = []
    bad: list[InventoryRow] = []
    for number, row in enumerate(inventory.rows()):
        status[row["status"]] += 1
        if row["status"] == ERROR:
            errors[row["error"]] += 1
        if row["severity"]:
            severities[row["severity"]] += 1
        if row["status"] != OK and len(bad) < TOP:
            bad.append(row)
        for name in ("parameters", "file_nbytes", "external_nbytes"):
            sums[name] += row[name] or 0
        incomplete += bool(row["unknown"])
        if row["nbytes"] is not None:
            entry = (row["nbytes"], -number, row)
            (heapq.heappush if len(largest) < TOP else heapq.heappushpop)(largest, entry)
    groups, models, shared = _same_architecture(inventory)
    return Summary(
        status=status,
        errors=errors,
        severities=severities,
        parameters=sums["parameters"],
        file_nbytes=sums["file_nbytes"],
        external_nbytes=sums["external_nbytes"],
        incomplete=incomplete,
        largest=tuple(row for _, _, row in sorted(largest, reverse=True, key=lambda e: e[:2])),
        bad=tuple(bad),
        shared=shared,
        shared_architectures=groups,
        sharing_models=models,
    )


def _same_architecture(inventory: Inventory) -> tuple[int, int, tuple[SameArchitecture, ...]]:
    grouped = (
        "SELECT count(*) AS n, max(parameters), min(path), count(DISTINCT weights) FROM inventory"
        " WHERE architecture IS NOT NULL GROUP BY architecture HAVING n > 1"
    )
    ((groups, models),) = inventory.query(f"SELECT count(*), sum(n) FROM ({grouped})")
    rows = inventory.query(f"{grouped} ORDER BY n DESC, 3 LIMIT ?", TOP // 2)
    shared = tuple(SameArchitecture(row[0], int(row[1] or 0), row[2], row[3]) for row in rows)
    return groups, models or 0, shared


def render(summary: Summary, view: View) -> str:
    """Return the summary as text."""
    from graphcount.formats.screen import to_text

    return to_text(_parts(summary, view), view.width, view.color)


def _parts(summary: Summary, view: View) -> Iterator[RenderableType]:
    from rich.text import Text

    total = sum(summary.status.values())
    yield Text(counted(total, "model"), style="bold")
    for label, text in _lines(summary, view):
        yield Text(f"  {label:<18} {text}")
    if total > 1:
        yield _largest(summary.largest, view)
    if summary.shared:
        yield _groups(summary.shared, view)
    if summary.bad:
        yield _bad(summary.bad, summary.status, view)


def _lines(summary: Summary, view: View) -> Iterable[tuple[str, str]]:
    yield "read", exact(summary.status[OK] + summary.status[FAILED])
    if summary.errors:
        yield "not read", f"{exact(summary.status[ERROR])} ({_counted(summary.errors)})"
    if summary.status[FAILED]:
        yield "failed", exact(summary.status[FAILED])
    if summary.severities:
        order = {name: summary.severities[name] for name in reversed(SEVERITIES)}
        yield "findings", f"models by their worst: {_counted(Counter(order))}"
    if summary.incomplete:
        yield "unknowns", f"in {counted(summary.incomplete, 'model')}"
    if summary.sharing_models:
        some = summary.shared_architectures
        which = "one architecture" if some == 1 else f"one of {exact(some)} architectures"
        yield "same architecture", f"{exact(summary.sharing_models)} models have {which}"
    yield "parameters", _exact(summary.parameters)
    yield "files", size(summary.file_nbytes, view.binary)
    if summary.external_nbytes:
        yield "external data", size(summary.external_nbytes, view.binary)


def _exact(number: int) -> str:
    """Write a sum exactly, and shortened where only an absurd dimension can make it so large."""
    if not 10_000 <= number < ABSURD:
        return short(number)
    return f"{exact(number)} ({short(number)})"


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{exact(number)} {name}" for name, number in counter.items() if number)


def _largest(rows: Iterable[InventoryRow], view: View) -> Table:
    from graphcount.formats.screen import new_table

    table = new_table(["largest"], ["parameters", "weights", "MACs"])
    for row in rows:
        at_least = ">= " if row["lower_bound"] else ""
        macs = ""
        if row["macs"] is None and row["macs_expression"]:
            assumed = row["macs_assumed"]
            macs = "formula" if assumed is None else f"{short(assumed)} assumed"
        table.add_row(
            _path(row["path"], (view.width or 100) - 40),
            at_least + short(row["parameters"]),
            size(row["nbytes"], view.binary),
            macs if row["macs"] is None else short(row["macs"]),
        )
    return table


def _groups(shared: Iterable[SameArchitecture], view: View) -> Table:
    from graphcount.formats.screen import new_table

    table = new_table(["one architecture"], ["models", "different files", "parameters"])
    for group in shared:
        files = exact(group.weights) if group.weights else "?"
        table.add_row(
            _path(group.path, (view.width or 100) - 45),
            exact(group.models),
            files,
            short(group.parameters),
        )
    return table


def _bad(rows: Iterable[InventoryRow], status: Counter[str], view: View) -> Table:
    from graphcount.formats.screen import new_table

    limit = (view.width or 100) * 9 // 20
    lines = []
    for row in rows:
        why = (row["finding_messages"] or [row["message"]])[0]
        lines.append((_path(row["path"], limit), one_line(why or "", 120)))
    table = new_table(["failed or not read", "why"], [])
    table.columns[0].min_width = max(len(path) for path, _ in lines)
    for line in lines:
        table.add_row(*line)
    left = status[FAILED] + status[ERROR] - len(lines)
    if left:
        table.add_row(f"... and {exact(left)} more", "")
    return table


def _path(path: str, limit: int) -> str:
    """Return the end of a long path, which says more than its beginning."""
    plain = safe(path, None)
    return plain if len(plain) <= limit else f"...{plain[3 - limit :]}"
