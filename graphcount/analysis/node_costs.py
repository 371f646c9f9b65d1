"""Nodes and totals of a report with what a forward pass says of them, in numbers or formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graphcount.analysis.cost import ModelCost, NodeCost
from graphcount.analysis.gaps import reported
from graphcount.analysis.memory import total
from graphcount.analysis.precision import Multiplied, bit_operations, products
from graphcount.analysis.shapes import ValueShapes
from graphcount.analysis.traffic import ModelTraffic, Traffic
from graphcount.ops.call import Call
from graphcount.ops.cost import CostRule, explain
from graphcount.ops.formulas import number as in_words
from graphcount.ops.operator import Key
from graphcount.ops.precision import OperandTypes
from graphcount.report.rows import NodeRow, PrecisionRow, Totals
from graphcount.symbolic import Dim, Expr

COUNTED = NodeRow._fields.index("output_shapes")
"""Fields of a row that are known without shapes."""


class NodeCosts(NamedTuple):
    """What the nodes of a forward pass cost, move and multiply.

    Attributes:
        cost: MACs and element-wise work.
        traffic: Bytes that are read and written.
        types: What is multiplied, by id; None where it is not known.
    """

    cost: ModelCost
    traffic: ModelTraffic
    types: Mapping[str, OperandTypes | None]


def number(dim: Dim | None) -> int | None:
    """Return a number; None for a formula."""
    return dim if isinstance(dim, int) else None


def expression(dim: Dim | None) -> str | None:
    """Return a formula as text; None for a number."""
    return str(dim) if isinstance(dim, Expr) else None


# ------------------------------------------------------------------------------------------ totals


def costed(totals: Totals, nodes: NodeCosts) -> Totals:
    """Return totals with work, and with what is multiplied, read and written."""
    cost, rows = nodes.cost, products(nodes.cost, nodes.types)
    bits, (read, written) = total(row.bit_operations for row in rows), nodes.traffic.whole
    return totals._replace(
        macs=number(cost.macs),
        flops=number(cost.macs * 2),
        elementwise=number(cost.elementwise),
        macs_expression=expression(cost.macs),
        elementwise_expression=expression(cost.elementwise),
        macs_at_most=number(cost.macs_at_most),
        elementwise_at_most=number(cost.elementwise_at_most),
        precision=tuple([_precision_row(row) for row in rows]),
        bit_operations=number(bits),
        bit_operations_expression=expression(bits),
        read_nbytes=number(read),
        read_expression=expression(read),
        written_nbytes=number(written),
        written_expression=expression(written),
    )


def _precision_row(row: Multiplied) -> PrecisionRow:
    types = row.types
    return PrecisionRow(
        operand_types=None if types is None else (types.first.name, types.second.name),
        bits=None if types is None else (types.first.bits, types.second.bits),
        nodes=row.nodes,
        macs=number(row.macs),
        macs_expression=expression(row.macs),
        bit_operations=number(row.bit_operations),
    )


# ------------------------------------------------------------------------------------------- nodes


def node_rows(
    rows: tuple[NodeRow, ...],
    shapes: ValueShapes,
    nodes: NodeCosts,
    operators: Mapping[Key, CostRule],
) -> tuple[NodeRow, ...]:
    """Return the rows of nodes with their shapes and costs; those of equal calls share them.

    Args:
        rows: The rows as they are without a forward pass.
        shapes: Shapes of all values.
        nodes: What the nodes cost.
        operators: Rules for operators that the program does not know.
    """
    tails: dict[tuple[object, ...], tuple[object, ...]] = {}
    costs, traffic, types = nodes.cost.nodes, nodes.traffic.nodes, nodes.types
    made = []
    for row in rows:
        cost = costs.get(row.id)
        if cost is None:  # an output of the graph
            made.append(row)
            continue
        call, moves, pair = shapes.calls(row.id), traffic[row.id], types.get(row.id)
        owns = bool(row.parameters or row.buffers)
        key = call, id(cost), id(moves), pair, owns
        tail = tails.get(key)
        if tail is None:
            head = _head(call, cost, operators, owns=owns)
            tail = tails[key] = head + _moves(cost, moves, pair)
        made.append(NodeRow._make(row[:COUNTED] + tail))
    return tuple(made)


def _head(
    call: Call, node: NodeCost, operators: Mapping[Key, CostRule], *, owns: bool
) -> tuple[object, ...]:
    """Return shapes, costs and their explanation, which is empty where it says nothing of them."""
    macs = node.macs
    explained = owns or macs not in (None, 0) or (call.node.domain, call.node.op_type) in operators
    text = explain(call, operators) if explained else ""
    if text:
        text += _repeated(node)
    outputs = tuple(reported(shape) for shape in call.outputs)
    return outputs, number(macs), number(node.elementwise), text, expression(macs)


def _moves(node: NodeCost, traffic: Traffic, types: OperandTypes | None) -> tuple[object, ...]:
    """Return what a node multiplies, reads and writes; one without MACs multiplies nothing."""
    names = None if types is None else (types.first.name, types.second.name)
    return (
        () if node.macs == 0 else names,
        number(bit_operations(node.macs, types)),
        number(traffic.read),
        expression(traffic.read),
        number(traffic.written),
        expression(traffic.written),
    )


def _repeated(node: NodeCost) -> str:
    """Return what becomes of a formula, which is for one run, in a body of Loop, Scan or If."""
    times = "" if node.times in (0, 1) else f"; runs {in_words(node.times)} times"
    return times + (f"; {node.why}" if node.why else "")
