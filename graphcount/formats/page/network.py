"""What flows between the places of a report, as the page carries it: sources by place, compactly.

Places are those of `FlowRow`. The page folds them by module itself, by the
rule of `graphcount.analysis.drawing`; a test holds one against the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphcount.formats.page.data import column
from graphcount.report.drawing import FlowRow
from graphcount.report.records import Report


def network(report: Report, flows: Iterable[FlowRow]) -> dict[str, Any]:
    """Return for each place how far before it its sources stand.

    Which output of a source it is, and how many values, are named where they are not 0 and 1.
    """
    model = report.model
    rows: list[list[FlowRow]] = [
        [] for _ in range(len(report.nodes) + len(model.inputs) + len(model.outputs))
    ]
    for flow in flows:
        rows[flow.target].append(flow)
    return {
        "reads": column([tuple(flow.target - flow.source for flow in row) for row in rows]),
        "outputs": _unusual([[flow.output for flow in row] for row in rows], 0),
        "values": _unusual([[flow.values for flow in row] for row in rows], 1),
    }


def _unusual(rows: list[list[int]], usual: int) -> dict[str, list[int]]:
    """Return the rows that have another number than the usual one, by their place."""
    return {str(at): row for at, row in enumerate(rows) if any(item != usual for item in row)}
