"""The table people read in a terminal.

Everything from the model passes through `safe` and becomes `Text`, never markup.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from graphcount.domains import operator_name
from graphcount.errors import GraphcountError
from graphcount.formats.screen import (
    DEFAULT_WIDTH,
    fit,
    keep_numbers,
    new_table,
    paragraph,
    to_text,
)
from graphcount.formats.sentences import framework_sentence, headline
from graphcount.formats.text import ascii_only, one_line, safe, shape, sparkline
from graphcount.formats.view import View
from graphcount.report.records import Report
from graphcount.report.rollup import (
    Group as RollupGroup,
)
from graphcount.report.rollup import (
    arrange,
    default_sort,
    groups,
    has_modules,
    total,
    tree,
)
from graphcount.report.rows import NodeRow, TensorRow
from graphcount.units import exact, nbytes, percent

DEFAULT_DEPTH = 3
DEFAULT_TOP = 40
MOST_UNKNOWNS = 5
SPARK_WIDTH = 48
DIM, STRONG, WARN = "dim", "bold", "yellow"


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render each model as a block of text; several models end with a summary table."""
    reports = [item for item in outcomes if isinstance(item, Report)]
    parts = [_grouped(report, view) if view.by else _overview(report, view) for report in reports]
    if len(reports) > 1:
        parts.append(_models(reports, view))
    text = to_text(parts, view.width, view.color)
    return ascii_only(text) if view.ascii else text


def _overview(report: Report, view: View) -> RenderableType:
    parts: list[RenderableType] = [_title(report, view), _values(report)]
    parts.append(_tree(report, view) if has_modules(report) else _flat(report, view))
    parts += [_kinds_and_dtypes(report, view), _headline(report, view)]
    return Group(*parts, *_notes(report), Text())


def _grouped(report: Report, view: View) -> RenderableType:
    assert view.by is not None
    rows = groups(report, view.by, view.depth)
    top = arrange(rows, view.sort or default_sort(view.by), view.top or DEFAULT_TOP)
    body = _group_table(top, total(rows, "total"), view.by, report, view)
    return Group(_title(report, view), body, *_notes(report), Text())


# ------------------------------------------------------------------------------------- pieces


def _title(report: Report, view: View) -> Text:
    model = report.model
    opsets = ", ".join(
        f"{safe(domain, 40) or 'opset'} {version}"
        for domain, version in model.opset_imports.items()
    )
    facts = [
        safe(model.producer, 40),
        opsets,
        f"IR {model.ir_version}",
        f"{exact(model.node_count)} node{'' if model.node_count == 1 else 's'}",
        nbytes(model.file_nbytes, view.binary),
    ]
    text = Text(safe(model.path), style=STRONG)
    return text.append("\n  " + ", ".join(fact for fact in facts if fact), style=DIM)


def _values(report: Report) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(style=DIM, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, overflow="ellipsis")
    for label, values in (("input", report.model.inputs), ("output", report.model.outputs)):
        for value in values[:8]:
            kind = f"{value.dtype} {shape(value.shape)}"
            table.add_row(f"  {label}", safe(value.name, 60), Text(kind, style=DIM))
        if len(values) > 8:
            table.add_row(f"  {label}", f"... and {len(values) - 8} more", "")
    return table


def _new_table(footer: bool = True) -> Table:
    return Table(
        box=box.SIMPLE_HEAD,
        show_footer=footer,
        header_style=DIM,
        footer_style=STRONG,
        pad_edge=False,
        padding=(0, 1),
    )


class _Line(NamedTuple):
    """One row of the overview, before it is laid out."""

    label: str
    operators: str
    output: str
    parameters: int
    nbytes: int
    macs: int | None


def _tree(report: Report, view: View) -> Table:
    """Return modules as a tree."""
    top = view.top or DEFAULT_TOP
    rows, rest = tree(report, view.depth or DEFAULT_DEPTH, top)
    if rest is not None:
        rows = [*rows, rest._replace(label="... more (--top)")]
    lines = [
        _Line(
            "  " * row.level + safe(row.label),
            row.op_types,
            shape(row.output_shape),
            row.parameters,
            row.nbytes,
            row.macs,
        )
        for row in rows
    ]
    return _lines("module", lines, report, view)


def _flat(report: Report, view: View) -> Table:
    """Return nodes in graph order, for models without modules; the largest when many."""
    top = view.top or DEFAULT_TOP
    nodes = report.nodes
    if len(nodes) > top:
        largest = sorted(nodes, key=lambda node: (-node.nbytes, -node.parameters))[:top]
        keep = {node.id for node in largest}
        nodes = tuple(node for node in nodes if node.id in keep)
    lines = [
        _Line(
            safe(node.id),
            operator_name(node.domain, node.op_type),
            shape(node.output_shapes[0]) if node.output_shapes else "",
            node.parameters,
            node.nbytes,
            node.macs,
        )
        for node in nodes
    ]
    if len(nodes) < len(report.nodes):
        others = len(report.nodes) - len(nodes)
        parameters = sum(n.parameters for n in report.nodes) - sum(n.parameters for n in nodes)
        size = sum(n.nbytes for n in report.nodes) - sum(n.nbytes for n in nodes)
        macs = _macs(report.nodes) - _macs(nodes)
        lines.append(_Line(f"({others:,} others)", "", "", parameters, size, macs))
    loose = report.totals.nbytes.total - sum(node.nbytes for node in report.nodes)
    if loose:
        lines.append(_Line("(used by no node)", "", "", 0, loose, 0))
    return _lines("node", lines, report, view)


def _macs(nodes: Sequence[NodeRow]) -> int:
    return sum(node.macs or 0 for node in nodes)


def _lines(name: str, lines: list[_Line], report: Report, view: View) -> Table:
    """Lay rows out: numbers are never cut, words are; columns of repeated facts go first."""
    numbers = _number_cells(lines, report, view)
    words = {
        name: [line.label for line in lines],
        "operators": [safe(line.operators) for line in lines],
        "output": [line.output for line in lines],
    }
    for missed in ((), ("share",), ("output",), ("output", "share")):
        kept = {key: cells for key, cells in numbers.items() if key not in missed}
        filled = [key for key, cells in words.items() if key not in missed and any(cells)]
        text = {key: words[key] for key in dict.fromkeys((name, *filled))}
        wanted = [min(40, max(map(len, (key, *cells)))) for key, cells in text.items()]
        wanted[0] = max(wanted[0], len("total"))
        widths = [max(map(len, (key, *cells))) for key, cells in kept.items()]
        room = (view.width or DEFAULT_WIDTH) - sum(widths) - _gaps(len(text) + len(kept))
        if room >= min(sum(wanted), _ENOUGH if "output" in text else _LITTLE):
            break
    table = _new_table()
    for key, width in zip(text, fit(wanted, room), strict=True):
        style = "" if key == name else DIM
        foot = "total" if key == name else ""
        table.add_column(key, foot, no_wrap=True, overflow="ellipsis", max_width=width, style=style)
    for (key, cells), width in zip(kept.items(), widths, strict=True):
        table.add_column(key, cells[-1], justify="right", no_wrap=True, min_width=width)
    for index in range(len(lines)):
        row = [*(Text(cells[index]) for cells in text.values())]
        table.add_row(*row, *(cells[index] for cells in kept.values()))
    return keep_numbers(table, view.width)


def _number_cells(lines: list[_Line], report: Report, view: View) -> dict[str, list[str]]:
    """Return cells of the numeric columns by head; the last of each is the total."""
    totals = report.totals
    cells = {
        "parameters": [exact(line.parameters) if line.parameters else "" for line in lines],
        "size": [nbytes(line.nbytes, view.binary) if line.nbytes else "" for line in lines],
        "MACs": [exact(line.macs) if line.macs else "" for line in lines],
        "share": [
            percent(line.parameters, totals.parameters) if line.parameters else "" for line in lines
        ],
    }
    cells["parameters"].append(exact(totals.parameters))
    cells["size"].append(nbytes(totals.nbytes.total, view.binary))
    cells["MACs"].append(exact(totals.macs or 0))
    cells["share"].append("")
    if not totals.macs:
        del cells["MACs"]
    return cells


def _gaps(columns: int) -> int:
    """Return spaces at both ends of a table and between its columns."""
    return 2 + 3 * (columns - 1)


_ENOUGH, _LITTLE = 60, 24
"""Room where three, or two, columns of words are kept even if some words are cut."""


def _group_table(
    rows: list[RollupGroup], whole: RollupGroup, by: str, report: Report, view: View
) -> Table:
    table = _new_table()
    detailed = any(row.detail for row in rows)
    sizes = [nbytes(row.nbytes, view.binary) for row in (*rows, whole)]
    width = max(map(len, sizes))
    room = (view.width or DEFAULT_WIDTH) - width - 3 - _WORDS * (1 + detailed)
    columns = _number_columns(whole, room, with_macs=bool(report.totals.macs))
    labels = [safe(row.label) or "(no module)" for row in rows]
    details = [safe(row.detail) for row in rows]
    words = [max(map(len, (by, "total", *labels))), *([max(map(len, details))] if detailed else [])]
    taken = sum(_wide(name, exact(int(whole[index]))) for name, index in columns)
    room = (view.width or DEFAULT_WIDTH) - width - taken - _gaps(len(words) + len(columns) + 1)
    for head, most in zip((by, ""), fit(words, room), strict=False):
        style = "" if head else DIM
        foot = "total" if head else ""
        table.add_column(head, foot, no_wrap=True, overflow="ellipsis", max_width=most, style=style)
    for name, index in columns:
        foot = exact(int(whole[index]))
        table.add_column(name, foot, justify="right", no_wrap=True, min_width=_wide(name, foot))
    table.add_column("size", sizes[-1], justify="right", no_wrap=True, min_width=width)
    for row, label, detail in zip(rows, labels, details, strict=True):
        table.add_row(
            Text(label),
            *([Text(detail)] if detailed else []),
            *(exact(int(row[index])) for _, index in columns),
            nbytes(row.nbytes, view.binary),
        )
    return keep_numbers(table, view.width)


_WORDS = 19
"""Columns that distinguishable words need, with the space beside them."""


def _wide(name: str, foot: str) -> int:
    return max(len(name), len(foot))


def _number_columns(whole: RollupGroup, room: int, *, with_macs: bool) -> list[tuple[str, int]]:
    """Return names and positions of the number columns that are not empty and fit."""
    columns = [("nodes", 2), ("tensors", 3), ("parameters", 4), ("buffers", 5), ("elements", 6)]
    columns += [("MACs", 8)] if with_macs else []  # not for a formula
    columns = [(name, index) for name, index in columns if whole[index]]
    for least_missed in ("elements", "tensors", "nodes"):
        if sum(_wide(name, exact(int(whole[index]))) + 3 for name, index in columns) > room:
            columns = [column for column in columns if column[0] != least_missed]
    return columns


def _kinds_and_dtypes(report: Report, view: View) -> RenderableType:
    """Return kinds and dtypes side by side."""
    pairs: defaultdict[tuple[str, str], list[TensorRow]] = defaultdict(list)
    for tensor in report.tensors:
        pairs[tensor.kind, tensor.dtype].append(tensor)
    sums = [
        (*pair, len(rows), sum(row.elements for row in rows), sum(row.nbytes for row in rows))
        for pair, rows in pairs.items()
    ]
    table = new_table(("kind", "dtype"), ("tensors", "elements", "size"))
    largest_first = sorted(sums, key=lambda row: -row[4])
    for kind in _KIND_ORDER:
        for name, dtype, tensors, elements, size in largest_first:
            if name == kind:
                cells = exact(tensors), exact(elements), nbytes(size, view.binary)
                table.add_row(kind, dtype, *cells)
    return table if pairs else Text()


_KIND_ORDER = ("parameter", "buffer", "quantization", "constant", "unused")


def _headline(report: Report, view: View) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style=DIM, no_wrap=True)
    table.add_column(style=STRONG)
    for label, text in headline(report, view.binary):
        table.add_row(f"  {label}", Text(safe(text, 600)))
        if label == "activations" and report.timeline:
            table.add_row("", Text(sparkline(report.timeline, SPARK_WIDTH), style=DIM))
    return table


def _notes(report: Report) -> list[RenderableType]:
    notes: list[RenderableType] = []
    sentence = framework_sentence(report)
    if sentence:
        notes.append(paragraph(safe(sentence, 600)))
    for unknown in report.unknown[:MOST_UNKNOWNS]:
        text = f"unknown: {unknown.where}: {unknown.what}: {unknown.why}"
        notes.append(paragraph(one_line(text), WARN))
    if len(report.unknown) > MOST_UNKNOWNS:
        more = len(report.unknown) - MOST_UNKNOWNS
        notes.append(paragraph(f"unknown: {more:,} more (--format json has all)", WARN))
    return notes


def _models(reports: list[Report], view: View) -> Table:
    """Return one line a model, when there are several."""
    table = _new_table(footer=False)
    table.add_column("model", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in ("nodes", "parameters", "buffers", "weights", "file"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        totals = report.totals
        table.add_row(
            Text(safe(report.model.path)),
            exact(report.model.node_count),
            ("at least " if report.doubts else "") + exact(totals.parameters),
            exact(totals.buffers),
            nbytes(totals.nbytes.total, view.binary),
            nbytes(report.model.file_nbytes, view.binary),
        )
    return table
