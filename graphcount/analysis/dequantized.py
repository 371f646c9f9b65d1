"""Integers that a graph turns back into floats step by step: quantized weights and their scales.

What DequantizeLinear does in one node, tools also write as Cast, Sub(zero point) and Mul(scale),
at once or after rows were gathered, moved or multiplied with. A way starts at a stored tensor of
few bits, ends at the factor, and says what the other stored operands on it are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from graphcount.analysis.attribution import Attributed, TensorUse, uses_behind
from graphcount.analysis.operands import MAX_LOOK, is_made_up, operands, stored_operand
from graphcount.analysis.verdict import (
    LEARNED_ROLES,
    KindContext,
    NodeInput,
    Verdict,
    label,
    may_be_quantized,
)
from graphcount.dtypes import BY_NAME
from graphcount.graph import ModelGraph, OperatorNode, Use, computes, is_constant, traits_of

NARROW_BITS = 8
"""Tensors of no more bits that become floats are weights in any place where floats are."""

WIDE = frozenset({"int16", "uint16", "int32"})
"""Types of quantized weights and biases, and of much else: they want a place of learned floats."""

DEQUANTIZED = frozenset({"DequantizeLinear", "QuantizeLinear"})
"""Policy: what has a scale of its own: no other one is looked for behind it."""


MAX_FACTORS = 2
"""Products of scales that are looked into, one in another."""


CONVERTS = frozenset({"Cast", "CastLike"})
"""Policy: what makes floats of integers."""

SHIFTS = frozenset({"Add", "Sub"})
"""Policy: what a zero point, or a least value, is put beside floats with."""

BEFORE_SCALE = frozenset({"Sub", "Clip"})
"""Policy: what quantizers put between integers and their scale."""


class Chain(NamedTuple):
    """The way of a tensor from integers to floats.

    Attributes:
        end: Id of the node that multiplies with the scale; empty where none does.
        sides: What stored operands on the way are.
        gathered: Rows of it are looked up on the way.
        multiplied: A matrix product of it comes before the scale.
    """

    end: str
    sides: Mapping[NodeInput, str]
    gathered: bool
    multiplied: bool


class Dequantized(NamedTuple):
    """What a graph turns back into floats.

    Attributes:
        weights: Verdict on each tensor of integers, by its key.
        uses: What uses the floats that they become, by their keys, where that is another use.
        sides: What their scales and zero points are, by the places where these enter.
    """

    weights: Mapping[int, Verdict]
    uses: Mapping[int, tuple[TensorUse, ...]]
    sides: Mapping[NodeInput, str]


def dequantized(tensors: Iterable[Attributed], context: KindContext) -> Dequantized:
    """Return which stored tensors are quantized weights, and which their scales and zero points."""
    weights: dict[int, Verdict] = {}
    uses: dict[int, tuple[TensorUse, ...]] = {}
    sides: dict[NodeInput, str] = {}
    for tensor in tensors:
        row = BY_NAME.get(tensor.stored.dtype)
        if row is None or not may_be_quantized(tensor):
            continue
        narrow, key = row.bits <= NARROW_BITS, tensor.stored.key
        if not narrow and tensor.stored.dtype not in WIDE:
            continue
        behind: list[TensorUse] = []
        for use in tensor.uses:
            chain = _chain(use, context.graph)
            onward = _uses(use, chain, context.graph)
            behind += onward
            if chain is None or (row.family == "float" and not chain.end):
                continue
            verdict = _verdict(tensor, onward, chain, context, narrow=narrow)
            if verdict is not None:
                weights.setdefault(key, verdict)
            if verdict is not None or use.role == "quantized weight":
                sides.update(chain.sides)
        if key in weights:
            uses[key] = tuple(dict.fromkeys(behind))
    return Dequantized(weights, uses, sides)


def _uses(use: TensorUse, chain: Chain | None, graph: ModelGraph) -> tuple[TensorUse, ...]:
    """Return the uses of the floats at the end; a look-up and a product are uses themselves."""
    if chain is None or chain.gathered or chain.multiplied:
        return (use,)
    made = graph.nodes[chain.end].op_type
    return tuple(
        [
            floats._replace(via=(*use.via, made, *floats.via))
            for floats in uses_behind(graph, [chain.end])[chain.end]
        ]
    )


def _verdict(
    tensor: Attributed,
    uses: tuple[TensorUse, ...],
    chain: Chain,
    context: KindContext,
    *,
    narrow: bool,
) -> Verdict | None:
    """Judge integers by what the floats that they become are used for."""
    made = context.graph.nodes[chain.end].op_type if chain.end else "Cast"
    if chain.gathered or chain.multiplied:
        role = "embedding" if chain.gathered else uses[0].role
        if not narrow or role not in LEARNED_ROLES or _is_flags(tensor, context):
            return None
        return _parameter(role or "", f"{made}, behind {label(uses[0], context)}")
    for floats in uses:
        if floats.role in LEARNED_ROLES or (
            floats.role == "operand" and _is_operand(tensor, floats, context, narrow=narrow)
        ):
            how = f"{made}, for {label(floats, context)}"
            return _parameter(floats.role or "operand", how)
    return None


def _parameter(role: str, how: str) -> Verdict:
    return Verdict("parameter", role, f"dequantized by {how}", "dequantized-by-steps")


def _is_operand(
    tensor: Attributed, floats: TensorUse, context: KindContext, *, narrow: bool
) -> bool:
    """Return whether the floats would be a parameter where they are computed with."""
    if narrow:
        flags = _is_flags(tensor, context)
        return not flags and not is_made_up(tensor, floats, context)
    verdict = stored_operand(tensor, floats, context)
    return verdict is not None and verdict.rule == "bias-behind-product"


def _is_flags(tensor: Attributed, context: KindContext) -> bool:
    """Return whether it holds zeros and ones, or less: a choice or a mask."""
    head = context.values.head(tensor.stored)
    return head is not None and set(head) <= {0, 1}


# ------------------------------------------------------------------------------------------ the way


class _Stage(NamedTuple):
    node: str
    index: int | None  # type: ignore[assignment]  # hides the method of tuples
    converted: bool
    gathered: bool
    multiplied: bool


def _chain(use: TensorUse, graph: ModelGraph) -> Chain | None:
    """Return the way from a use on; None where it begins none."""
    if use.index is None or not DEQUANTIZED.isdisjoint(use.via):
        return None
    converted = not CONVERTS.isdisjoint(use.via)
    stack = [_Stage(use.node, use.index, converted, gathered=False, multiplied=False)]
    sides: dict[NodeInput, str] = {}
    weighted: _Stage | None = None
    for _ in range(MAX_LOOK):
        if not stack:
            break
        step = stack.pop()
        node = graph.nodes[step.node]
        if node.kind != "operator" or node.operator is None:
            continue
        if node.op_type == "DequantizeLinear" and step.index == 0:  # integers were clipped
            return Chain(node.id, sides, step.gathered, multiplied=False)
        factor = _factor(node, step, graph) if step.converted or step.multiplied else {}
        if factor:
            return _end(node, {**sides, **factor}, step, graph)
        onward = _onward(node, step)
        if onward is None:
            continue
        if onward.multiplied:
            weighted = onward
        sides.update(_shift(node, step, graph))
        readers = graph.readers(node.id)[:MAX_LOOK]
        stack += [
            onward._replace(node=edge.node, index=edge.index)
            for edge in readers
            if edge.index is not None
        ]
    return (
        Chain("", {}, gathered=False, multiplied=True) if weighted and weighted.converted else None
    )


def _end(node: OperatorNode, sides: dict[NodeInput, str], step: _Stage, graph: ModelGraph) -> Chain:
    """Return the way to a factor, and to what is added to the weights behind it."""
    readers = graph.readers(node.id)
    if len(readers) == 1 and not step.gathered and not step.multiplied:
        after = graph.nodes[readers[0].node]
        if after.kind == "operator" and after.op_type in SHIFTS:
            beside = _stored_beside(after, readers[0].index, graph)
            if beside:
                sides = {**sides, **dict.fromkeys(beside, "zero point")}
                node = after
    return Chain(node.id, sides, step.gathered, step.multiplied)


def _onward(node: OperatorNode, step: _Stage) -> _Stage | None:
    """Return what is known behind a node that is on the way; None for one that is not."""
    operator = node.operator
    if operator is None or step.index is None:
        return None
    if step.index in operator.passes and node.op_type not in DEQUANTIZED:
        return step._replace(converted=step.converted or node.op_type in CONVERTS)
    if any(step.index == table for _, table in operator.lookups):
        return step._replace(gathered=True)
    if operator.multiplies and not step.multiplied and not step.gathered:
        unscaled = "unscaled" in traits_of(node)
        if step.converted or (unscaled and operator.role(step.index) == "quantized weight"):
            return step._replace(multiplied=True)
    if node.op_type in BEFORE_SCALE and step.index == 0:
        return step
    return step if node.op_type == "Add" and step.multiplied and not step.converted else None


def _shift(node: OperatorNode, step: _Stage, graph: ModelGraph) -> dict[NodeInput, str]:
    """Return the stored operand that a Sub takes away before the scale: the zero point."""
    if node.op_type != "Sub":
        return {}
    return dict.fromkeys(_stored_beside(node, step.index, graph), "zero point")


def _factor(node: OperatorNode, step: _Stage, graph: ModelGraph) -> dict[NodeInput, str]:
    """Return the stored operands that a node multiplies with, or divides by."""
    if computes(node) != "Mul" and not (node.op_type == "Div" and step.index == 0):
        return {}
    return dict.fromkeys(_stored_beside(node, step.index, graph), "quantization scale")


def _stored_beside(node: OperatorNode, index: int | None, graph: ModelGraph) -> list[NodeInput]:
    """Return where stored tensors enter the other operand of a node."""
    return [
        place
        for edge in operands(graph, node.id, index)
        for place in _entries((node.id, edge.index), edge, graph, MAX_FACTORS) or ()
    ]


def _entries(
    place: NodeInput, edge: Use, graph: ModelGraph, products: int
) -> list[NodeInput] | None:
    """Return where stored tensors enter an operand: as it is, looked up, or a product of such.

    Nowhere, where it is a scale of the other factor that each run finds; None where it is computed.
    """
    for _ in range(MAX_LOOK):
        producer = graph.nodes[edge.producer]
        if producer.kind == "initializer" or is_constant(producer):
            return [place]
        if producer.kind != "operator" or producer.operator is None:
            return None
        if producer.op_type == "DynamicQuantizeLinear":
            return []
        factors = operands(graph, producer.id)
        if producer.op_type == "Mul":
            parts = [
                _entries((producer.id, factor.index), factor, graph, products - 1)
                for factor in factors[: 2 if products else 0]
            ]
            return [one for part in parts for one in part or ()] if _all_stored(parts) else None
        tables = {table for _, table in producer.operator.lookups}
        ways = [way for way in factors if way.index in producer.operator.passes | tables]
        if len(ways) != 1 or producer.op_type == "QuantizeLinear":
            return None
        edge = ways[0]
        if edge.index in tables:
            place = (producer.id, edge.index)
    return None


def _all_stored(parts: Iterable[list[NodeInput] | None]) -> bool:
    """Return whether no part is computed, and there is one."""
    parts = list(parts)
    return bool(parts) and None not in parts
