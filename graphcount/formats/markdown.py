"""Markdown (GitHub): headline numbers and one table, for a pull request or a README."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.errors import GraphcountError
from graphcount.formats.sentences import (
    framework_sentence,
    headline,
    mismatch_words,
    unknown_sentence,
)
from graphcount.formats.text import escape, one_line
from graphcount.formats.view import View
from graphcount.report.records import Report
from graphcount.report.rollup import Group, arrange, groups, has_modules, total
from graphcount.units import exact, nbytes, percent

DEFAULT_TOP = 50


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render each model as a section."""
    return "\n".join(
        _report(item, view) if isinstance(item, Report) else _error(item) for item in outcomes
    )


def _error(error: GraphcountError) -> str:
    return f"### {escape(error.path or '')}\n\n{escape(one_line(error.message))}\n"


def _report(report: Report, view: View) -> str:
    if report.audit is not None:
        from graphcount.formats.findings_markdown import section

        return section(report, view)
    totals = report.totals
    by = view.by or ("module" if has_modules(report) else "node")
    depth = view.depth or (2 if view.by is None else None)
    rows = groups(report, by, depth)
    whole = total(rows, "Total")
    top = arrange(rows, view.sorting, view.rows(DEFAULT_TOP))
    lines = [f"### {escape(report.model.path)}", ""]
    lines += [f"- {escape(label)}: {escape(text)}" for label, text in headline(report, view.binary)]
    for sentence in (
        framework_sentence(report),
        mismatch_words(report),
        unknown_sentence(report.in_numbers),
    ):
        if sentence:
            lines.append(f"- {escape(sentence)}")
    of_nodes = by in ("module", "node", "op_type")  # no node is counted in the other tables
    heads = ["nodes"] if of_nodes else []
    heads += ["parameters", "buffers", "size", "share"]
    heads += ["zeros"] if report.sparsity is not None else []
    lines += ["", f"| {by} | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for row in [*top, whole]:
        zeros = [percent(row.zeros, row.elements_read)] if report.sparsity is not None else []
        lines.append(_row(row, totals.parameters, view.binary, of_nodes, zeros))
    return "\n".join(lines) + "\n"


def _row(
    row: Group, parameters: int, binary: bool, of_nodes: bool, more: Sequence[str] = ()
) -> str:
    cells = (
        escape(row.label) or "(no module)",
        *((exact(row.nodes),) if of_nodes else ()),
        exact(row.parameters),
        exact(row.buffers),
        nbytes(row.nbytes, binary),
        percent(row.parameters, parameters),
        *more,
    )
    return f"| {' | '.join(cells)} |"
