"""Scales and zero points of quantized operators against the data they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from graphcount.analysis.shapes import ValueShapes
from graphcount.graph import ModelGraph
from graphcount.ops.call import Call, Shape, whole
from graphcount.ops.operator import Scaled


def mismatches(graph: ModelGraph, shapes: ValueShapes) -> Iterator[tuple[str, str, str, str]]:
    """Yield node id, operator, kind of mismatch, and what is wrong."""
    for node in graph.operators:
        operator = node.operator
        if operator is None or not operator.scaled:
            continue
        call = shapes.calls(node.id)
        for scaled in operator.scaled:
            for kind, why in _mismatches(call, scaled):
                yield node.id, node.op_type, kind, why


def _mismatches(call: Call, scaled: Scaled) -> Iterator[tuple[str, str]]:
    scale, zero = call.input(scaled.scale), call.input(scaled.zero)
    if scale is not None and zero is not None and _differ(scale, zero):
        yield "pair", f"scale {_text(scale)} and zero point {_text(zero)} differ in shape"
    if scaled.data is not None and call.has(scaled.zero):
        data, point = call.dtype(scaled.data), call.dtype(scaled.zero)
        if data and point and data != point:
            yield "type", f"the zero point has type {point}, its data type {data}"
    sizes = whole(scale)
    if sizes is None or prod(sizes) == 1:
        return
    count = prod(sizes)
    if scaled.scales == "one":
        yield "length", f"{count} scales where one value is wanted"
    elif scaled.scales == "axis":
        yield from _along_axis(call, sizes, count)
    elif scaled.scales == "filters" and scaled.data is not None:
        weight = call.input(scaled.data)
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
