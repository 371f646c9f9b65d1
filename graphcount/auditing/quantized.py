"""Scales and zero points of quantized operators against the data they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphcount.analysis.shapes import ValueShapes
from graphcount.graph import ModelGraph
from graphcount.ops.call import Call, Shape


class Triple(NamedTuple):
    """Input positions of data, scale and zero point; None where the data is an output."""

    data: int | None
    scale: int
    zero: int
    per_axis: bool = True


_QLINEAR_BINARY = (Triple(0, 1, 2, False), Triple(3, 4, 5, False), Triple(None, 6, 7, False))

TRIPLES: dict[tuple[str, str], tuple[Triple, ...]] = {
    ("", "QLinearConv"): (Triple(0, 1, 2, False), Triple(3, 4, 5), Triple(None, 6, 7, False)),
    ("", "QLinearMatMul"): (Triple(0, 1, 2), Triple(3, 4, 5), Triple(None, 6, 7)),
    ("com.microsoft", "QLinearAdd"): _QLINEAR_BINARY,
    ("com.microsoft", "QLinearMul"): _QLINEAR_BINARY,
    **{(domain, "DequantizeLinear"): (Triple(0, 1, 2),) for domain in ("", "com.microsoft")},
    **{(domain, "QuantizeLinear"): (Triple(None, 1, 2),) for domain in ("", "com.microsoft")},
}
"""Operators with quantized operands."""

LINEAR = frozenset({"QuantizeLinear", "DequantizeLinear"})


def mismatches(graph: ModelGraph, shapes: ValueShapes) -> Iterator[tuple[str, str, str, str]]:
    """Node id, operator, kind of mismatch, and what is wrong."""
    for node in graph.operators:
        triples = TRIPLES.get((node.domain, node.op_type))
        if not triples:
            continue
        call = shapes.calls(node.id)
        for triple in triples:
            for kind, why in _of_triple(call, triple):
                yield node.id, node.op_type, kind, why


def _of_triple(call: Call, triple: Triple) -> Iterator[tuple[str, str]]:
    scale, zero = call.input(triple.scale), call.input(triple.zero)
    if scale is not None and zero is not None and _differ(scale, zero):
        yield "pair", f"scale {_text(scale)} and zero point {_text(zero)} differ in shape"
    if triple.data is not None and call.has(triple.zero):
        data, point = call.dtype(triple.data), call.dtype(triple.zero)
        if data and point and data != point:
            yield "type", f"the zero point has type {point}, its data type {data}"
    if scale is None or any(not isinstance(dim, int) for dim in scale):
        return
    count = 1
    for dim in scale:
        count *= dim if isinstance(dim, int) else 1
    if count == 1:
        return
    if not triple.per_axis:
        yield "length", f"{count} scales where one value is wanted"
    elif call.node.op_type in LINEAR:
        yield from _along_axis(call, scale, count)
    elif call.node.op_type == "QLinearConv":
        weight = call.input(3)
        filters = weight[0] if weight else None
        if isinstance(filters, int) and filters != count:
            yield "length", f"{count} scales for {filters} filters"


def _along_axis(call: Call, scale: Shape, count: int) -> Iterator[tuple[str, str]]:
    data = call.input(0)
    block = call.node.integer("block_size", 0)
    if data is None:
        return
    axis = call.node.integer("axis", 1)
    if not -len(data) <= axis < len(data):
        yield "axis", f"axis {axis} of {len(data)} dimensions with {count} scales"
        return
    dim = data[axis]
    if not isinstance(dim, int):
        return
    if block > 0:
        expected = -(-dim // block)
        if len(scale) != len(data):
            yield "length", f"blocked scales have {len(scale)} dimensions, not {len(data)}"
        elif scale[axis] != expected:
            yield "length", f"{scale[axis]} blocks of scales along an axis that needs {expected}"
    elif len(scale) > 1:
        yield "length", f"scales of {len(scale)} dimensions without a block_size"
    elif count != dim:
        yield "length", f"{count} scales for {dim} channels of axis {axis}"


def _differ(a: Shape, b: Shape) -> bool:
    if len(a) != len(b):
        return max(len(a), len(b)) > 1 or any(dim != 1 for dim in (*a, *b))
    pairs = zip(a, b, strict=True)
    return any(isinstance(x, int) and isinstance(y, int) and x != y for x, y in pairs)


def _text(shape: Shape) -> str:
    return "[" + ", ".join("?" if dim is None else str(dim) for dim in shape) + "]"
