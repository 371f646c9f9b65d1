"""Markdown (GitHub): a diff for a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.formats.diff.lines import (
    chosen,
    facts,
    group_rows,
    hashes,
    headline,
    key_of,
    name_of,
    node_details,
    relation_sentence,
    signed,
    sizes_sentence,
    summary,
    telling_nodes,
    telling_tensors,
    tensor_details,
    top_of,
    what,
)
from graphcount.formats.diff.view import DiffView
from graphcount.formats.text import escape, one_line
from graphcount.report.diff import Diff, GroupRow, NodeChange, TensorChange
from graphcount.units import exact

DEFAULT_TOP = 20
FACTS = 20


def render(diff: Diff, view: DiffView) -> str:
    """Render the totals and one table: of tensors, or of what `by` says."""
    lines = [f"### {escape(diff.old.path)} → {escape(diff.new.path)}", ""]
    lines += [f"{escape(relation_sentence(diff))}", ""]
    sizes = sizes_sentence(diff)
    lines += [escape(sizes), ""] if sizes else []
    totals, sentences = headline(diff, view.binary)
    lines += ["| | old | new | change | |", "|---|---:|---:|---:|---:|"]
    lines += [f"| {' | '.join(escape(cell) for cell in line)} |" for line in totals]
    lines.append("")
    lines += [f"- {escape(one_line(item.message, 400))}" for item in diff.findings]
    lines += [f"- {label}: {escape(one_line(text))}" for label, text in sentences]
    lines.append(f"- nodes: {escape(summary(diff.nodes, diff.same_nodes))}")
    lines.append(f"- tensors: {escape(summary(diff.tensors, diff.same_tensors))}")
    notes = [*hashes(diff), *facts(diff)]
    lines += [f"- {escape(one_line(line))}" for line in notes[:FACTS]]
    if len(notes) > FACTS:
        lines.append(f"- {len(notes) - FACTS:,} others")
    lines += [f"- {escape(one_line(note))}" for note in diff.notes]
    if view.by in (None, "tensor"):
        lines += _listed(telling_tensors(diff), view, "tensor")
    if view.by in (None, "node"):
        nodes = [row for row in diff.nodes if row.changes != ("renamed",)] if view.by else None
        lines += _listed(telling_nodes(diff) if nodes is None else nodes, view, "node")
    if view.by not in (None, "tensor", "node"):
        lines += _groups(group_rows(diff, view.by), view, view.by)
    return "\n".join(lines) + "\n"


def _listed(rows: Sequence[TensorChange | NodeChange], view: DiffView, label: str) -> list[str]:
    if not rows:
        return []
    top, others = chosen(list(rows), view.sort, top_of(view, DEFAULT_TOP))
    lines = ["", f"| | {label} | was, is | change |", "|---|---|---|---:|"]
    for row in top:
        side = row.new or row.old
        assert side is not None
        details = tensor_details(row) if isinstance(row, TensorChange) else node_details(row)
        cells = (what(row), name_of(side), one_line(details, 120), _change(row, view))
        lines.append(f"| {' | '.join(escape(cell) for cell in cells)} |")
    if others:
        rest = _signed(sum(key_of(row, view.sort) for row in others), view)
        lines.append(f"| | {exact(len(others))} others | | {escape(rest)} |")
    return lines


def _groups(rows: Sequence[GroupRow], view: DiffView, label: str) -> list[str]:
    top, others = chosen(list(rows), view.sort, top_of(view, DEFAULT_TOP))
    lines = ["", f"| {label} | nodes | tensors | parameters | change |", "|---|" + "---:|" * 4]
    for row in top:
        old, new = row.old_name, row.new_name
        name = f"{old} -> {new}" if old != new and old and new else new or old or "(none)"
        delta = row.delta
        counts = (signed(number) for number in (delta.nodes, delta.tensors, delta.parameters))
        cells = (name, *counts, _change(row, view))
        lines.append(f"| {' | '.join(escape(cell) for cell in cells)} |")
    if others:
        rest = _signed(sum(key_of(row, view.sort) for row in others), view)
        lines.append(f"| {exact(len(others))} others | | | | {escape(rest)} |")
    return lines


def _change(row: GroupRow | TensorChange | NodeChange, view: DiffView) -> str:
    return _signed(key_of(row, view.sort), view)


def _signed(delta: int, view: DiffView) -> str:
    return signed(delta, "bytes" if view.sort == "nbytes" else "count", view.binary)
