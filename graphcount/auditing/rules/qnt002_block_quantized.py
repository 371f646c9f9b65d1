"""A block-quantized matrix does not fit its attributes.

What it does:
    Compares K, N, bits and block_size of MatMulNBits with the shapes of its packed weight and
    scales.

Why it matters:
    The kernel takes its bounds from the attributes and its memory from the tensor: attributes that
    promise more read beyond it.

Example:
    K = 4096, N = 4096, bits = 4, block_size = 32 with a packed weight of [4096, 64, 16]: 128
    blocks are needed.

What to do:
    Quantize the model again; do not load this one.

References:
    onnxruntime/docs/ContribOperators.md, MatMulNBits.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.shapes import ValueShapes
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.auditing.sizes import elements_of
from graphcount.ops.call import Call
from graphcount.ops.packing import nbits_nbytes
from graphcount.report.rows import Finding

RULE = Rule("QNT002", "block-quantized", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model, with its first node."""
    shapes: ValueShapes | None = context.shapes
    if shapes is None:
        return
    mismatched = [
        (node.id, why)
        for node in context.graph.operators
        if node.op_type == "MatMulNBits" and (why := _mismatch(shapes.calls(node.id)))
    ]
    if mismatched:
        node, why = mismatched[0]
        also = f" ({len(mismatched)} nodes)" if len(mismatched) > 1 else ""
        yield RULE.finding(
            f"MatMulNBits {node!r}: {why}{also}", {"node": node}, nodes=len(mismatched)
        )


def _mismatch(call: Call) -> str:
    node = call.node
    rows, columns = node.integer("K", 0), node.integer("N", 0)
    bits, block = node.integer("bits", 4), node.integer("block_size", 0)
    expected = nbits_nbytes(node)
    if not expected:
        return f"K {rows}, N {columns}, bits {bits}, block_size {block} make no sense"
    packed = elements_of(call.input(1))
    if packed is not None and packed != expected:
        return f"the packed weight has {packed:,} bytes, its attributes ask {expected:,}"
    scales, blocks = elements_of(call.input(2)), columns * -(-rows // block)
    if scales is not None and scales != blocks:
        return f"{scales:,} scales where there are {blocks:,} blocks"
    return ""
