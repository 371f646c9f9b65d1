"""Graph and report → what to draw: modules folded at a depth, stored tensors with their owners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphcount.domains import operator_name
from graphcount.graph import GraphNode, ModelGraph, Use
from graphcount.report.drawing import (
    Drawing,
    DrawnEdge,
    DrawnKind,
    DrawnNode,
    DrawnTensor,
    FlowRow,
)
from graphcount.report.records import Report
from graphcount.report.rows import Dim, NodeRow, TensorRow
from graphcount.symbolic import Dim as Size
from graphcount.symbolic import Expr, TooComplexError
from graphcount.symbolic.text import parse


def draw(model_graph: ModelGraph, report: Report, depth: int | None = None) -> Drawing:
    """Lay out what is drawn.

    Args:
        model_graph: The graph.
        report: Its report.
        depth: Modules of this depth become one node each, with all that is in them; what stands
            higher stays as it is. None: every operator is a node.
    """
    rows = {row.id: row for row in report.nodes}
    groups: dict[str, list[str]] = {}
    place_of: dict[str, str] = {}
    for node, data in model_graph.nodes.items():
        if data.kind == "initializer" or (data.kind == "input" and data.scope):
            continue
        place = _place(rows[node].module, depth) if node in rows else ""
        key = f"module {place}" if place else f"node {node}"
        groups.setdefault(key, []).append(node)
        place_of[node] = key
    owned: dict[str, list[TensorRow]] = {}
    for tensor in report.tensors:
        if tensor.owner is not None:
            owned.setdefault(tensor.owner, []).append(tensor)
    nodes = _drawn(model_graph, report, groups, owned)
    numbers = report.in_numbers
    if numbers is not report:
        sized = _drawn(model_graph, numbers, groups, owned)
        nodes = tuple(
            node._replace(assumed_macs=at_sizes.macs, assumed_shape=at_sizes.shape)
            for node, at_sizes in zip(nodes, sized, strict=True)
        )
    number = {key: position for position, key in enumerate(groups)}
    position = {node: number[key] for node, key in place_of.items()}
    edges = tuple(_edges(model_graph, position))
    return Drawing(report.model.graph_name, nodes, edges, report.assumed_sizes)


def flows(model_graph: ModelGraph, report: Report) -> tuple[FlowRow, ...]:
    """Return what flows between the nodes of a report, its inputs and its outputs.

    It is what `draw` draws between operators: what is stored is left out, bodies take part.
    """
    first = len(report.nodes)
    last = first + len(report.model.inputs)
    place = {row.id: at for at, row in enumerate(report.nodes)}
    place |= {f"input:{row.name}": at for at, row in enumerate(report.model.inputs, first)}
    place |= {f"output:{row.name}": at for at, row in enumerate(report.model.outputs, last)}
    stored = {node.id for node in model_graph.nodes.values() if node.kind == "initializer"}
    rows = []
    for ends, uses in _uses(model_graph, place).items():
        producer, value = model_graph.made(uses[0])
        outputs = model_graph.nodes[producer].outputs
        if producer not in stored:
            output = outputs.index(value) if value in outputs else 0
            rows.append(FlowRow(*ends, output, len(uses)))
    return tuple(rows)


def _drawn(
    model_graph: ModelGraph,
    report: Report,
    groups: dict[str, list[str]],
    owned: dict[str, list[TensorRow]],
) -> tuple[DrawnNode, ...]:
    """Return what is drawn of each group, with the shapes and MACs of a report."""
    rows = {row.id: row for row in report.nodes}
    shapes = {f"input:{row.name}": row.shape for row in report.model.inputs}
    shapes.update({f"output:{row.name}": row.shape for row in report.model.outputs})
    return tuple(
        _module(key.removeprefix("module "), [rows[node] for node in members], owned)
        if key.startswith("module ")
        else _single(model_graph.nodes[members[0]], rows, owned, shapes)
        for key, members in groups.items()
    )


def _place(module: str, depth: int | None) -> str:
    """Return the folded module that a node of `module` disappears in; empty for none."""
    if depth is None:
        return ""
    parts = module.split(".") if module else []
    return ".".join(parts[:depth]) if len(parts) >= depth else ""


def _module(path: str, rows: list[NodeRow], owned: dict[str, list[TensorRow]]) -> DrawnNode:
    macs = [row.macs for row in rows]
    known = [number for number in macs if number is not None]
    formulas = [row.macs_expression for row in rows if row.macs is None]
    return DrawnNode(
        id=path,
        kind="module",
        name="",
        label=path,
        title=rows[0].op_type if len(rows) == 1 else f"{len(rows):,} nodes",
        module=path.rpartition(".")[0],
        nodes=len(rows),
        parameters=sum(row.parameters for row in rows),
        nbytes=sum(row.nbytes for row in rows),
        macs=sum(known) if len(known) == len(rows) else None,
        macs_expression=_sum(formulas, sum(known)),
        shape=_first_shape(rows[-1]),
        tensors=_tensors(tensor for row in rows for tensor in owned.get(row.id, ())),
    )


def _single(
    node: GraphNode,
    rows: dict[str, NodeRow],
    owned: dict[str, list[TensorRow]],
    shapes: dict[str, tuple[Dim, ...] | None],
) -> DrawnNode:
    row = rows.get(node.id)
    if row is None or node.kind != "operator":
        drawn: DrawnKind = "output" if node.kind == "output" else "input"
        name = node.name or node.id.partition(":")[2]
        return DrawnNode(
            node.id, drawn, "", name, drawn, "", 0, 0, 0, None, None, shapes.get(node.id), ()
        )
    return DrawnNode(
        id=node.id,
        kind="operator",
        name=row.name,
        label=row.name.rpartition("/")[2] or node.id,
        title=operator_name(row.domain, row.op_type),
        module=row.module,
        nodes=1,
        parameters=row.parameters,
        nbytes=row.nbytes,
        macs=row.macs,
        macs_expression=row.macs_expression,
        shape=_first_shape(row),
        tensors=_tensors(owned.get(node.id, ())),
    )


def _edges(model_graph: ModelGraph, position: dict[str, int]) -> Iterable[DrawnEdge]:
    """Return edges between what is drawn; those inside a folded module are not."""
    for (start, end), uses in _uses(model_graph, position).items():
        yield DrawnEdge(start, end, uses[0].value, len(uses))


def _uses(model_graph: ModelGraph, position: dict[str, int]) -> dict[tuple[int, int], list[Use]]:
    """Return the uses of values between two positions, by these."""
    between: dict[tuple[int, int], list[Use]] = {}
    for source in model_graph.nodes:
        for use in model_graph.readers(source):
            for ends in _ends(model_graph, use, position):
                between.setdefault(ends, []).append(use)
    return between


def _ends(model_graph: ModelGraph, use: Use, position: dict[str, int]) -> Iterable[tuple[int, int]]:
    """Return where an edge begins and ends in the drawing: inputs of bodies are passed through."""
    start = position.get(use.producer)
    if start is None:
        return
    ends, seen = [use.node], {use.node}
    while ends:
        node = ends.pop()
        end = position.get(node)
        if end is None:
            inner = [
                following for following in model_graph.consumers(node) if following not in seen
            ]
            seen.update(inner)
            ends += inner
        elif end != start:
            yield start, end


def _tensors(rows: Iterable[TensorRow]) -> tuple[DrawnTensor, ...]:
    return tuple(
        DrawnTensor(row.name, row.role, row.dtype, row.shape, row.elements) for row in rows
    )


def _first_shape(row: NodeRow) -> tuple[Dim, ...] | None:
    return row.output_shapes[0] if row.output_shapes else None


MAX_SUM = 64
"""Formulas added up for a module; more would be nobody's reading."""


def _sum(expressions: Sequence[str | None], known: int) -> str | None:
    """Return the sum of formulas and a number; None when one is unknown or it is too long."""
    if not expressions or len(expressions) > MAX_SUM or None in expressions:
        return None
    total: Size = known
    try:
        for text in expressions:
            total = total + (parse(text or "") or 0)
    except TooComplexError:
        return None
    return str(total) if isinstance(total, Expr) else None
