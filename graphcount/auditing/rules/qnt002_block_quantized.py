"""A block-quantized matrix does not fit its attributes.

What it does:
    Compares K, N, bits and block_size of MatMulNBits and its kin with the shapes of their packed
    weights and scales.

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

from collections.abc import Callable, Iterable

from graphcount.analysis.shapes import ValueShapes
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.auditing.sizes import elements_of
from graphcount.loading.model import Node
from graphcount.ops.call import Call, Matrix
from graphcount.report.finding_rows import Finding

RULE = Rule("QNT002", "block-quantized", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model, with its first node."""
    shapes: ValueShapes | None = context.shapes
    if shapes is None:
        return
    mismatched = [
        (node.id, node.op_type, why)
        for node in context.graph.operators
        if (packing := node.operator.packing if node.operator is not None else None) is not None
        and packing.matrix is not None
        and (why := _mismatch(shapes.calls(node.id), packing.matrix))
    ]
    if mismatched:
        node_id, op_type, why = mismatched[0]
        also = f" ({len(mismatched)} nodes)" if len(mismatched) > 1 else ""
        yield RULE.finding(
            f"{op_type} {node_id!r}: {why}{also}", {"node": node_id}, nodes=len(mismatched)
        )


def _mismatch(call: Call, matrix_at: Callable[[Node, int], Matrix | None]) -> str:
    node = call.node
    for index in range(len(node.inputs)):
        matrix = matrix_at(node, index)
        if matrix is None:
            continue
        if not matrix.nbytes:
            bits, block = node.integer("bits", 4), node.integer("block_size", 0)
            sizes = f"K {matrix.columns}, N {matrix.rows}, bits {bits}, block_size {block}"
            return f"{sizes} make no sense"
        packed, scales = elements_of(call.input(index)), elements_of(call.input(index + 1))
        if packed is not None and packed != matrix.nbytes:
            asked = f"its attributes ask {matrix.nbytes:,}"
            return f"the packed weight has {packed:,} bytes, {asked}"
        if matrix.blocks and scales is not None and scales != matrix.blocks:
            return f"{scales:,} scales where there are {matrix.blocks:,} blocks"
    return ""
