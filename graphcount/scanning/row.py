"""One model as one row of an inventory: the columns, and how each is read from a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from graphcount.domains import operator_name
from graphcount.errors import GraphcountError
from graphcount.report.finding_rows import SEVERITIES
from graphcount.report.records import Report
from graphcount.report.serial import dumps as to_json
from graphcount.scanning.identity import identify

MOST_FINDINGS = 50
"""Findings kept in a row; `findings` counts all of them."""
MOST_OP_TYPES = 40
"""Operators kept in a row, most nodes first."""

OK, FAILED, ERROR = "ok", "failed", "error"
"""Status of a row: counted; over budget or with a finding; not read."""

InventoryRow = dict[str, Any]
"""Values by column; a missing column is unknown."""


class Column(NamedTuple):
    """A column of the inventory.

    Attributes:
        kind: `text`, `integer` (exact, of any size) or `json`.
        read: Its value in a report; None for those that are filled in otherwise.
    """

    name: str
    kind: str
    read: Callable[[Report], Any] | None


COLUMNS: tuple[Column, ...] = (
    Column("path", "text", lambda r: r.model.path),
    Column("status", "text", None),
    Column("error", "text", None),
    Column("message", "text", None),
    Column("format", "text", lambda r: r.model.format),
    Column("file_nbytes", "integer", lambda r: r.model.file_nbytes),
    Column("external_nbytes", "integer", lambda r: r.model.external_nbytes),
    Column("sha256", "text", lambda r: r.model.sha256),
    Column("ir_version", "integer", lambda r: r.model.ir_version),
    Column("opset", "integer", lambda r: r.model.opset_imports.get("")),
    Column("producer", "text", lambda r: r.model.producer),
    Column("nodes", "integer", lambda r: r.model.node_count),
    Column("parameters", "integer", lambda r: r.totals.parameters),
    Column("framework_parameters", "integer", lambda r: r.framework.parameters),
    Column("buffers", "integer", lambda r: r.totals.buffers),
    Column("quantization", "integer", lambda r: r.totals.quantization),
    Column("constants", "integer", lambda r: r.totals.constants),
    Column("unused", "integer", lambda r: r.totals.unused),
    Column("elements", "integer", lambda r: r.totals.elements),
    Column("generated", "integer", lambda r: r.totals.generated),
    Column("operand_elements", "integer", lambda r: r.totals.operand_elements),
    Column("nbytes", "integer", lambda r: r.totals.nbytes.total),
    Column("lower_bound", "integer", lambda r: int(r.totals.lower_bound)),
    Column("macs", "integer", lambda r: r.totals.macs),
    Column("macs_expression", "text", lambda r: r.totals.macs_expression),
    Column("macs_assumed", "integer", lambda r: r.assumed.totals.macs if r.assumed else None),
    Column("sizes_assumed", "json", lambda r: r.assumed_sizes or None),
    Column("dims", "json", lambda r: r.dims or None),
    Column("elementwise", "integer", lambda r: r.totals.elementwise),
    Column("peak_activation_nbytes", "integer", lambda r: r.totals.peak_activation_nbytes),
    Column("dtypes", "json", lambda r: {row.dtype: row.nbytes for row in r.dtypes}),
    Column("op_types", "json", lambda r: _op_types(r)),
    Column("unknown", "integer", lambda r: len(r.unknown)),
    Column("findings", "integer", lambda r: len(r.findings)),
    Column("severity", "text", lambda r: _worst(r)),
    Column("rules", "json", lambda r: dict(sorted(Counter(f.rule for f in r.findings).items()))),
    Column("finding_messages", "json", lambda r: _messages(r)),
    Column("architecture", "text", None),
    Column("weights", "text", None),
)
"""Every column, in order. Names are the report's where the report has them.

`macs` is null where dimensions are dynamic. `macs_assumed` is then the number at `sizes_assumed`,
for reading: no budget looks at it. `dims` has the sizes that were given and that the model uses.
"""


def report_row(report: Report, fail_on: str) -> InventoryRow:
    """Return the row of a model that was read."""
    row = {column.name: column.read(report) for column in COLUMNS if column.read is not None}
    row.update(identify(report)._asdict())
    worst = row["severity"]
    failed = worst is not None and SEVERITIES.index(worst) >= SEVERITIES.index(fail_on)
    incomplete = report.audit is not None and not report.audit.complete
    row["status"] = FAILED if failed or incomplete else OK
    if report.unknown:
        first = report.unknown[0]
        row["message"] = f"unknown: {first.where}: {first.what}: {first.why}"
    return row


def error_row(error: GraphcountError) -> InventoryRow:
    """Return the row of a model that was not."""
    return {
        "path": error.path or "",
        "status": ERROR,
        "error": error.slug,
        "message": error.message,
    }


def _op_types(report: Report) -> dict[str, int]:
    rows = sorted(report.op_types, key=lambda row: (-row.nodes, row.domain, row.op_type))
    names = {}
    for row in rows[:MOST_OP_TYPES]:
        names[operator_name(row.domain, row.op_type)] = row.nodes
    return names


def _worst(report: Report) -> str | None:
    levels = [SEVERITIES.index(finding.severity) for finding in report.findings]
    return SEVERITIES[max(levels)] if levels else None


def _messages(report: Report) -> list[str]:
    return [f"{f.rule} {f.severity}: {f.message}" for f in report.findings[:MOST_FINDINGS]]


def plain(row: InventoryRow) -> InventoryRow:
    """Return a row with all columns, in their order."""
    return {column.name: row.get(column.name) for column in COLUMNS}


def dumps(row: InventoryRow) -> str:
    """Return a row as one line of JSON."""
    return to_json(plain(row), None)
