"""What nodes multiply: the element types of their operands, seen through to what they stand for.

A float that DequantizeLinear made of an int8 multiplies as int8, one that QONNX's Quant rounded to
three bits as int3; operators that only move elements hand that on. All else is what its ONNX
element type says. Bit operations are MACs x bits of the one x bits of the other, as qonnx has them
(qonnx.util.inference_cost, without its discount for zeros).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from graphcount.analysis.cost import ModelCost
from graphcount.analysis.runs import added, probe, scaled
from graphcount.analysis.shapes import ValueShapes
from graphcount.dtypes import Precision
from graphcount.graph import ModelGraph, OperatorNode, Use, is_constant, traits_of
from graphcount.ops.call import Call
from graphcount.ops.precision import ACTIVATIONS, WEIGHTS, OperandTypes, operand_types
from graphcount.symbolic import Dim

Worth: TypeAlias = "Mapping[tuple[str, str], Precision]"
"""What floats stand for, by the node that makes them and their name there."""


class Multiplied(NamedTuple):
    """MACs by the types that are multiplied.

    Attributes:
        types: Of the two operands; None where they are not known.
        nodes: How many nodes multiply so.
        macs: Their MACs, of those that are known; None where the formula is too long.
    """

    types: OperandTypes | None
    nodes: int
    macs: Dim | None

    @property
    def bit_operations(self) -> Dim | None:
        """MACs x bits x bits."""
        return bit_operations(self.macs, self.types)


def bit_operations(macs: Dim | None, types: OperandTypes | None) -> Dim | None:
    """Return MACs x bits of the one operand x bits of the other; None where one is not known."""
    if macs == 0:
        return 0
    return None if types is None else scaled(macs, types.first.bits * types.second.bits)


def multiplied(graph: ModelGraph, shapes: ValueShapes) -> dict[str, OperandTypes | None]:
    """Return what each node multiplies that is known to do matrix work, by its id."""
    worth = _worth(graph, shapes)
    plain: dict[Call, OperandTypes | None] = {}
    types: dict[str, OperandTypes | None] = {}
    for nodes in graph.by_operator.values():
        operator = nodes[0].operator
        if operator is None or not operator.multiplies:
            continue
        for node in nodes:
            call, behind = shapes.calls(node.id), {}
            if worth:
                made = {use.index: worth.get(graph.made(use)) for use in graph.operands(node.id)}
                behind = {index: one for index, one in made.items() if one is not None}
            if behind or call not in plain:
                pair = operand_types(call, operator, behind.get)
                types[node.id] = pair = _activation_first(graph, node, pair)
                if not behind and (pair is None or pair.first == pair.second):
                    plain[call] = pair
            else:
                types[node.id] = plain[call]
    return types


def products(cost: ModelCost, types: Mapping[str, OperandTypes | None]) -> tuple[Multiplied, ...]:
    """Return MACs by what is multiplied, most first; nodes without MACs are not in it."""
    counted = Counter([(types.get(id), node) for id, node in cost.nodes.items() if node.macs])
    sums: dict[OperandTypes | None, list[tuple[Dim | None, int]]] = {}
    for (pair, node), count in counted.items():
        sums.setdefault(pair, []).append((node.macs, count))
    rows = []
    for pair, parts in sums.items():
        total, lost = added(parts)
        rows.append(Multiplied(pair, sum(count for _, count in parts), None if lost else total))
    return tuple(sorted(rows, key=lambda row: -1 if row.macs is None else -probe(row.macs)))


def _worth(graph: ModelGraph, shapes: ValueShapes) -> Worth:
    """Return what floats stand for integers, or for numbers of few bits."""
    worth: dict[tuple[str, str], Precision] = {}
    if not any(
        nodes[0].operator and nodes[0].operator.precision for nodes in graph.by_operator.values()
    ):
        return worth
    for id in graph.order:
        node = graph.nodes[id]
        if node.kind != "operator" or node.operator is None:
            continue
        rule, moves = node.operator.precision, "keeps values" in traits_of(node)
        if rule is None and not (moves and worth):
            continue
        first = _first(graph, node, worth)
        made = first if rule is None else rule(shapes.calls(id), first)
        if made is not None:
            outputs = node.outputs if moves else node.outputs[:1]
            worth.update(dict.fromkeys([(id, name) for name in outputs], made))
    return worth


def _first(graph: ModelGraph, node: OperatorNode, worth: Worth) -> Precision | None:
    """Return what the elements that a node takes stand for, where all of them are alike."""
    operator = node.operator
    made = {
        worth.get(graph.made(use))
        for use in graph.operands(node.id)
        if operator is not None
        and use.index is not None
        and operator.role(use.index) in ACTIVATIONS
    }
    return made.pop() if len(made) == 1 else None


def _activation_first(
    graph: ModelGraph, node: OperatorNode, types: OperandTypes | None
) -> OperandTypes | None:
    """Return the types with that of a stored operand last, where roles do not say which it is."""
    if types is None or types.first == types.second or node.operator is None:
        return types
    if not node.operator.is_matrix_product or node.operator.role(0) in ACTIVATIONS:
        return types
    is_stored = [
        _is_stored(graph, use)
        for use in graph.operands(node.id)
        if use.index is not None and node.operator.role(use.index) in WEIGHTS
    ]
    return OperandTypes(types.second, types.first) if is_stored == [True, False] else types


def _is_stored(graph: ModelGraph, use: Use) -> bool:
    """Return whether an operand is a stored tensor, seen through what moves and dequantizes it."""
    node = graph.nodes[graph.source(use, _moves).producer]
    return node.kind == "initializer" or is_constant(node)


def _moves(node: OperatorNode) -> bool:
    operator = node.operator
    return operator is not None and bool(operator.passes or operator.precision)
