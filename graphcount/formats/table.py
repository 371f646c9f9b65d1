"""The table people read in a terminal.

Everything from the model passes through `safe` and becomes `Text`, never markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from graphcount.errors import GraphcountError
from graphcount.formats import View
from graphcount.formats.bars import sparkline
from graphcount.formats.screen import DEFAULT_WIDTH, to_text
from graphcount.formats.sentences import framework_sentence, headline
from graphcount.formats.text import ascii_only, one_line, safe, shape
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
from graphcount.report.rows import NodeRow
from graphcount.units import exact, nbytes, percent

DEFAULT_DEPTH = 3
DEFAULT_TOP = 40
SHOWN_UNKNOWNS = 5
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
    shown = arrange(rows, view.sort or default_sort(view.by), view.top or DEFAULT_TOP)
    body = _group_table(shown, total(rows, "total"), view.by, report, view)
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
        f"{exact(model.node_count)} nodes",
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
    """Modules as a tree."""
    top = view.top or DEFAULT_TOP
    rows, cut = tree(report, view.depth or DEFAULT_DEPTH, top)
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
    table = _lines("module", lines, report, view)
    if cut:
        table.add_row(Text("... more (--top, --depth)", style=DIM))
    return table


def _flat(report: Report, view: View) -> Table:
    """Nodes in graph order, for models whose names carry no modules; the largest when many."""
    top = view.top or DEFAULT_TOP
    nodes = report.nodes
    if len(nodes) > top:
        largest = sorted(nodes, key=lambda node: (-node.nbytes, -node.parameters))[:top]
        keep = {node.id for node in largest}
        nodes = tuple(node for node in nodes if node.id in keep)
    lines = [
        _Line(
            safe(node.id),
            f"{node.domain}::{node.op_type}" if node.domain else node.op_type,
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
    """Lay rows out: numbers are never cut, words give way, and on 80 columns shapes go first."""
    totals = report.totals
    heads = ["parameters", "size", "share"]
    foot = [exact(totals.parameters), nbytes(totals.nbytes.total, view.binary), ""]
    numbers = [
        [
            exact(line.parameters) if line.parameters else "",
            nbytes(line.nbytes, view.binary) if line.nbytes else "",
            percent(line.parameters, totals.parameters) if line.parameters else "",
        ]
        for line in lines
    ]
    if totals.macs:
        heads.insert(2, "MACs")
        foot.insert(2, exact(totals.macs))
        for line, row in zip(lines, numbers, strict=True):
            row.insert(2, exact(line.macs) if line.macs else "")
    widths = [max(map(len, column)) for column in zip(heads, foot, *numbers, strict=True)]
    room = (view.width or DEFAULT_WIDTH) - sum(widths) - _PADDING - 3 * (len(heads) - 3)
    columns = [(line.label, line.operators, line.output) for line in lines]
    wanted = sum(min(40, max(map(len, column))) for column in zip(*columns, strict=True))
    with_output = any(line.output for line in lines) and room >= min(wanted, 60)
    table = _new_table()
    table.add_column(name, "total", no_wrap=True, overflow="ellipsis", max_width=40)
    table.add_column("operators", no_wrap=True, overflow="ellipsis", style=DIM)
    if with_output:
        table.add_column("output", no_wrap=True, overflow="ellipsis", style=DIM)
    for head, total_of, width in zip(heads, foot, widths, strict=True):
        table.add_column(head, total_of, justify="right", no_wrap=True, min_width=width)
    for line, row in zip(lines, numbers, strict=True):
        words = [Text(line.label), Text(safe(line.operators))]
        table.add_row(*words, *([Text(line.output)] if with_output else []), *row)
    return table


_PADDING = 15
"""Columns that rich puts between six columns of this table."""


def _group_table(
    rows: list[RollupGroup], whole: RollupGroup, by: str, report: Report, view: View
) -> Table:
    table = _new_table()
    detailed = any(row.detail for row in rows)
    table.add_column(by, "total", no_wrap=True, overflow="ellipsis", ratio=3)
    if detailed:
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=3, style=DIM)
    columns = [("nodes", 2), ("tensors", 3), ("parameters", 4), ("buffers", 5), ("elements", 6)]
    columns = [(name, index) for name, index in columns if whole[index]]
    for name, index in columns:
        foot = exact(int(whole[index]))
        width = max(len(name), len(foot))
        table.add_column(name, foot, justify="right", no_wrap=True, min_width=width)
    sizes = [nbytes(row.nbytes, view.binary) for row in (*rows, whole)]
    width = max(map(len, sizes))
    table.add_column("size", sizes[-1], justify="right", no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(
            Text(safe(row.label) or "(no module)"),
            *([Text(safe(row.detail))] if detailed else []),
            *(exact(int(row[index])) for _, index in columns),
            nbytes(row.nbytes, view.binary),
        )
    return table


def _kinds_and_dtypes(report: Report, view: View) -> RenderableType:
    """Kinds and dtypes side by side, when there is more than one line to say."""
    kinds = groups(report, "kind")
    table = _new_table(footer=False)
    for name in ("kind", "dtype"):
        table.add_column(name, no_wrap=True)
    for name in ("tensors", "elements", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    pairs: dict[tuple[str, str], list[int]] = {}
    for tensor in report.tensors:
        sums = pairs.setdefault((tensor.kind, tensor.dtype), [0, 0, 0])
        sums[0] += 1
        sums[1] += tensor.elements
        sums[2] += tensor.nbytes
    order = [name for name in _KIND_ORDER if any(row.label == name for row in kinds)]
    for kind in order:
        for (name, dtype), sums in sorted(pairs.items(), key=lambda item: -item[1][2]):
            if name == kind:
                size = nbytes(sums[2], view.binary)
                table.add_row(kind, dtype, exact(sums[0]), exact(sums[1]), size)
    return table if pairs else Text()


_KIND_ORDER = ("parameter", "buffer", "quantization", "constant", "unused")


def _headline(report: Report, view: View) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style=DIM, no_wrap=True)
    table.add_column(style=STRONG)
    for label, text in headline(report, view.binary):
        table.add_row(f"  {label}", text)
        if label == "activations" and report.timeline:
            table.add_row("", Text(sparkline(report.timeline, SPARK_WIDTH), style=DIM))
    return table


def _notes(report: Report) -> list[RenderableType]:
    notes: list[RenderableType] = []
    sentence = framework_sentence(report)
    if sentence:
        notes.append(Text(f"  {safe(sentence, 600)}"))
    for unknown in report.unknown[:SHOWN_UNKNOWNS]:
        text = f"  unknown: {unknown.where}: {unknown.what}: {unknown.why}"
        notes.append(Text(one_line(text), style=WARN))
    if len(report.unknown) > SHOWN_UNKNOWNS:
        more = len(report.unknown) - SHOWN_UNKNOWNS
        notes.append(Text(f"  unknown: {more:,} more (--format json has all)", style=WARN))
    return notes


def _models(reports: list[Report], view: View) -> Table:
    """One line a model, when there are several."""
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
