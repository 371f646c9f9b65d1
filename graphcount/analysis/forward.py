"""A forward pass in the report: shapes, MACs, element-wise work and activations.

Numbers where every dimension is known; where the model leaves dimensions free, expressions in their
names, which `Report.macs(batch=8)` evaluates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from graphcount.analysis.cost import ModelCost, NodeCost, model_cost
from graphcount.analysis.counts import Row
from graphcount.analysis.memory import Memory, memory
from graphcount.analysis.shapes import Bindings, ValueShapes, infer_shapes
from graphcount.analysis.values import Values
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph, computes
from graphcount.loading.model import ModelProto
from graphcount.ops.call import Call, Shape
from graphcount.ops.cost import NO_RULES, CostRule, explain
from graphcount.ops.formulas import number
from graphcount.ops.operator import Key
from graphcount.report.records import Report, is_lower_bound
from graphcount.report.rows import (
    CacheInputRow,
    Dim,
    KVCacheRow,
    MomentRow,
    NodeRow,
    PeakRow,
    ValueRow,
)
from graphcount.symbolic import Dim as Size
from graphcount.symbolic import Expr

MOMENTS = 2_000
"""Moments of a timeline at most."""


class CostOptions(NamedTuple):
    """How a forward pass is measured.

    Attributes:
        bindings: Sizes for dimensions the model leaves open.
        with_bias: Count additions of biases as MACs too, as torchinfo does.
        in_place: Results take over the memory of inputs where they can; see `memory`.
        timeline: Report the bytes alive at each step, too.
        operators: Rules for operators that the program does not know.
    """

    bindings: Bindings = Bindings()
    with_bias: bool = False
    in_place: bool = False
    timeline: bool = False
    operators: Mapping[Key, CostRule] = NO_RULES


def add_cost(
    report: Report,
    proto: ModelProto,
    model_graph: ModelGraph,
    rows: tuple[Row, ...],
    values: Values,
    options: CostOptions,
) -> Report:
    """Return the report with the cost of a forward pass.

    Raises:
        ShapeError: A binding does not fit the model.
    """
    shapes = infer_shapes(proto, model_graph, rows, values, options.bindings)
    cost = model_cost(model_graph, shapes, options.operators, with_bias=options.with_bias)
    used = memory(model_graph, shapes, in_place=options.in_place, timeline=options.timeline)
    made, stored = _settled(report.unknown, model_graph, shapes)
    unknown = (*stored, *_lost(shapes), *cost.unknowns)
    return replace(
        report,
        dims=dict(options.bindings.dims),
        model=report.model._replace(
            inputs=_bound(report.model.inputs, model_graph, shapes),
            outputs=_bound(report.model.outputs, model_graph, shapes),
        ),
        totals=report.totals._replace(
            macs=_number(cost.macs),
            flops=_number(cost.macs * 2),
            elementwise=_number(cost.elementwise),
            macs_expression=_expression(cost.macs),
            elementwise_expression=_expression(cost.elementwise),
            activation_expression=_expression(used.activations),
            generated=report.totals.generated + made,
            lower_bound=is_lower_bound(unknown),
            input_nbytes=_number(used.inputs),
            output_nbytes=_number(used.outputs),
            activation_nbytes=_number(used.activations),
            peak_activation_nbytes=used.peak.nbytes if used.peak else None,
        ),
        nodes=_node_rows(report.nodes, shapes, cost, options),
        peak=_peak_row(used),
        timeline=_timeline(used),
        kv_cache=_kv_cache_row(model_graph, shapes),
        unknown=unknown,
    )


def _number(dim: Size | None) -> int | None:
    return dim if isinstance(dim, int) else None


def _expression(dim: Size | None) -> str | None:
    return str(dim) if isinstance(dim, Expr) else None


def _lost(shapes: ValueShapes) -> tuple[Unknown, ...]:
    """Return shapes that could not be resolved; they concern the cost, not what is stored."""
    return tuple(unknown._replace(affects="cost") for unknown in shapes.unresolved)


def _reported(shape: Shape | None) -> tuple[Dim, ...] | None:
    """Return a shape as a report has it: numbers, expressions as text, None."""
    if shape is None:
        return None
    return tuple(str(dim) if isinstance(dim, Expr) else dim for dim in shape)


Tail: TypeAlias = (
    "tuple[tuple[tuple[Dim, ...] | None, ...], int | None, int | None, str, str | None]"
)
"""The fields of a `NodeRow` that a cost fills."""


def _node_rows(
    rows: tuple[NodeRow, ...], shapes: ValueShapes, costs: ModelCost, options: CostOptions
) -> tuple[NodeRow, ...]:
    """Return the rows of nodes with their shapes and costs; those of equal calls share them."""
    tails: dict[tuple[Call, int, bool], Tail] = {}
    made = []
    for row in rows:
        node = costs.nodes.get(row.id)
        if node is None:  # an output of the graph
            made.append(row)
            continue
        call = shapes.calls(row.id)
        key = call, id(node), bool(row.parameters or row.buffers)
        tail = tails.get(key)
        if tail is None:
            tail = tails[key] = _tail(call, node, key[2], options)
        made.append(NodeRow._make(row[:_COUNTED] + tail))
    return tuple(made)


def _tail(call: Call, node: NodeCost, owns: bool, options: CostOptions) -> Tail:
    """Return the fields of a row that a cost fills; those that say nothing about it stay empty."""
    cost = _shown_cost(node)
    explained = owns or cost.has_macs or (call.node.domain, call.node.op_type) in options.operators
    text = explain(call, options.operators) if explained else ""
    if text:
        text += _repeated(node.times)
    outputs = tuple(_reported(shape) for shape in call.outputs)
    return outputs, cost.macs, cost.elementwise, text, cost.expression


def _repeated(times: Size) -> str:
    """Return what becomes of a formula, which is for one run, in a body of Loop, Scan or If."""
    if times == 1:
        return ""
    if times == 0:
        return "; not counted: of the branches of an If only the most expensive one is"
    return f"; runs {number(times)} times"


_COUNTED = NodeRow._fields.index("output_shapes")
"""Fields of a row that are known without shapes."""


class _Shown(NamedTuple):
    """A node's cost as a report has it."""

    macs: int | None
    expression: str | None
    elementwise: int | None
    has_macs: bool


def _shown_cost(node: NodeCost) -> _Shown:
    macs = node.macs
    has_macs = macs is not None and macs != 0
    return _Shown(_number(macs), _expression(macs), _number(node.elementwise), has_macs)


def _bound(
    values: tuple[ValueRow, ...], model_graph: ModelGraph, shapes: ValueShapes
) -> tuple[ValueRow, ...]:
    """Return inputs and outputs with what bindings and inference made of their shapes."""
    known: Mapping[tuple[str, str], Shape] = shapes.shapes
    producers = {
        node.name: use.producer
        for node in model_graph.outputs
        for use in model_graph.operands(node.id)
    }
    bound = []
    for value in values:
        producer = producers.get(value.name, f"input:{value.name}")
        shape = known.get((f"input:{value.name}", value.name)) or known.get((producer, value.name))
        bound.append(value._replace(shape=_reported(shape)) if shape is not None else value)
    return tuple(bound)


def _settled(
    unknowns: tuple[Unknown, ...], graph: ModelGraph, shapes: ValueShapes
) -> tuple[int, tuple[Unknown, ...]]:
    """Return what shapes say of generated elements whose size was not known; see `settled`."""
    if not any(unknown.affects == "generated" for unknown in unknowns):
        return 0, unknowns
    from graphcount.analysis.generated import settled

    return settled(unknowns, graph, shapes)


def _kv_cache_row(graph: ModelGraph, shapes: ValueShapes) -> KVCacheRow | None:
    """Return the cache of a decoder; a graph without an operator that takes a past has none."""
    kinds = [nodes[0] for nodes in graph.by_operator.values()]
    if not any(
        computes(kind) == "Concat" or (kind.operator and kind.operator.past) for kind in kinds
    ):
        return None
    from graphcount.analysis.kv_cache import find_kv_cache

    cache = find_kv_cache(graph, shapes)
    if cache is None:
        return None
    return KVCacheRow(
        layers=cache.layers,
        inputs=tuple(CacheInputRow(*row) for row in cache.inputs),
        nbytes_per_token=_number(cache.nbytes_per_token),
        nbytes=_number(cache.nbytes),
        expression=_expression(cache.nbytes),
    )


def _timeline(used: Memory) -> tuple[MomentRow, ...] | None:
    """At most `MOMENTS` moments: of each run of steps, the one with the most bytes alive."""
    if used.timeline is None:
        return None
    steps = used.timeline
    run = -(-len(steps) // MOMENTS) or 1
    highest = (
        max(range(start, min(start + run, len(steps))), key=lambda index: steps[index][1])
        for start in range(0, len(steps), run)
    )
    return tuple(MomentRow(index, *steps[index]) for index in highest)


def _peak_row(used: Memory) -> PeakRow | None:
    if used.peak is None:
        return None
    return PeakRow(used.peak.node, used.peak.nbytes, used.peak.values[:10])
