"""Where a node's numbers come from: the values around it, and the tensors it owns."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from graphcount.domains import operator_name
from graphcount.errors import UsageError
from graphcount.graph import ModelGraph, Use
from graphcount.report.explanation import Explained, Explanation, ValueOf
from graphcount.report.records import Report
from graphcount.report.rows import OUTPUT, Dim, NodeRow, TensorRow

SHOWN = 5
"""Ids that an error names."""

COMPARED = 20_000
"""Ids that are compared with one nobody has, and so many characters of each below."""

COMPARED_LENGTH = 120


def explain(report: Report, graph: ModelGraph, texts: Sequence[str] = ()) -> Explained:
    """Put beside nodes what goes into them, what comes out, and what they own.

    Args:
        report: The report of a model.
        graph: Its graph.
        texts: Ids and names of nodes, modules, operators, tensors, or parts of names that only one
            node has; empty for every node that owns parameters or has MACs.

    Raises:
        UsageError: Nothing is called so, or several nodes by their own names.
    """
    ids = [node.id for node in _wanted(report, texts)]
    nodes = _explained(report, graph, ids)
    numbers = report.in_numbers
    return Explained(report, nodes, nodes if numbers is report else _explained(numbers, graph, ids))


def _explained(report: Report, graph: ModelGraph, ids: Sequence[str]) -> tuple[Explanation, ...]:
    """Return nodes with what is around them, at the sizes of a report."""
    shapes = _Shapes(report, graph)
    owned: dict[str | None, list[TensorRow]] = {}
    for tensor in report.tensors:
        owned.setdefault(tensor.owner, []).append(tensor)
    rows = {node.id: node for node in report.nodes}
    return tuple(
        Explanation(
            rows[node],
            shapes.inputs(rows[node]),
            shapes.outputs(rows[node]),
            tuple(owned.get(node, ())),
        )
        for node in ids
    )


# ------------------------------------------------------------------------------ which nodes


def _wanted(report: Report, texts: Sequence[str]) -> list[NodeRow]:
    """Return the nodes asked for, in the order asked, each once.

    Raises:
        UsageError: Nothing is called so, or several nodes by their own names.
    """
    rows = [node for node in report.nodes if node.op_type != OUTPUT]
    if not texts:
        return [node for node in rows if _is_worth_it(node)]
    nodes = [node for text in texts for node in _called(report, rows, text)]
    return list({node.id: node for node in nodes}.values())


def _is_worth_it(node: NodeRow) -> bool:
    """Return whether a node owns parameters or has MACs."""
    return bool(node.parameters or node.macs or node.macs_expression)


def _called(report: Report, rows: Sequence[NodeRow], text: str) -> Sequence[NodeRow]:
    """Return the nodes that a text of any table means.

    Raises:
        UsageError: Nothing is called so, or several nodes by their own names.
    """
    path = report.model.path
    owners = {tensor.owner for tensor in report.tensors if text and tensor.name == text}
    below = f"{text}."
    for is_one, matches in (
        (True, [node for node in rows if node.id == text]),
        (True, [node for node in rows if node.name == text]),
        (False, [node for node in rows if text and f"{node.module}.".startswith(below)]),
        (False, [node for node in rows if operator_name(node.domain, node.op_type) == text]),
        (False, [node for node in rows if node.id in owners]),
        (True, [node for node in rows if text and text in node.id]),
        (True, [node for node in rows if text and text in node.name]),
    ):
        if is_one and len(matches) > 1:
            ids = _listed([node.id for node in matches])
            raise UsageError(f"{text!r} fits {len(matches):,} nodes: {ids}", path)
        if matches:
            return matches
    if owners:
        raise UsageError(f"no node uses the tensor {text!r}", path)
    near = _nearest(report, rows, text)
    raise UsageError(f"no node, module, operator or tensor {text!r}; nearest: {near}", path)


def _nearest(report: Report, rows: Sequence[NodeRow], text: str) -> str:
    names = [node.id for node in rows[:COMPARED]]
    names += [row.name for row in report.modules[1:COMPARED]]
    names += [operator_name(row.domain, row.op_type) for row in report.op_types]
    names += [tensor.name for tensor in report.tensors[:COMPARED]]
    known = {name[:COMPARED_LENGTH].lower(): name for name in names}
    wanted = text[:COMPARED_LENGTH].lower()
    close = difflib.get_close_matches(wanted, known, n=SHOWN, cutoff=0.3)
    return _listed([known[name] for name in close] or names[:SHOWN])


def _listed(ids: Sequence[str]) -> str:
    listed = ", ".join(name if len(name) <= 60 else f"{name[:57]}..." for name in ids[:SHOWN])
    return f"{listed}, ..." if len(ids) > SHOWN else listed or "(the model has no nodes)"


# --------------------------------------------------------------------------- what they touch


class _Shapes:
    """Names and shapes of values around nodes: the report has those of outputs and of inputs."""

    def __init__(self, report: Report, graph: ModelGraph) -> None:
        self._graph = graph
        self._rows = {node.id: node for node in report.nodes}
        self._inputs = {value.name: value.shape for value in report.model.inputs}

    def outputs(self, node: NodeRow) -> tuple[ValueOf, ...]:
        """Return results of a node; optional ones that it leaves out are left out here."""
        names = self._graph.nodes[node.id].outputs
        named = zip(names, _padded(node.output_shapes, len(names)), strict=True)
        return tuple(ValueOf(name, dims) for name, dims in named if name)

    def inputs(self, node: NodeRow) -> tuple[ValueOf, ...]:
        """Return operands of a node, as they are called where it stands, in their order."""
        record = self._graph.nodes[node.id]
        names = record.record.inputs if record.kind == "operator" else ()
        dims = {use.index: self._produced(use) for use in self._graph.operands(node.id)}
        return tuple(ValueOf(name, dims.get(at)) for at, name in enumerate(names) if name)

    def _produced(self, use: Use) -> tuple[Dim, ...] | None:
        node = self._graph.nodes[use.producer]
        if node.kind == "initializer":
            return tuple(node.tensor.dims)
        if node.kind == "input":
            return self._inputs.get(use.value) if not node.scope else None
        row = self._rows.get(node.id)
        if row is None or node.kind != "operator":
            return None
        names = node.outputs
        at = names.index(use.value) if use.value in names else 0 if len(names) == 1 else len(names)
        return _padded(row.output_shapes, at + 1)[at]


def _padded(shapes: Sequence[tuple[Dim, ...] | None], count: int) -> list[tuple[Dim, ...] | None]:
    return [*shapes, *[None] * count][:count]
