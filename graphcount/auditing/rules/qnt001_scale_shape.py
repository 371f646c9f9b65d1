"""A quantization scale or zero point does not fit its data.

What it does:
    Checks quantized operators: scale and zero point have the same shape; that is one value, or as
    many as the axis (or the blocks) ask for; the zero point has the type of the quantized data.

Why it matters:
    Kernels index scales by channel. Where there are too few, they read beyond them; where the type
    differs, every value is off.

Example:
    `DequantizeLinear` of a weight [64, 3, 3, 3] along axis 0 with 63 scales.

What to do:
    Quantize the model again.

References:
    onnx/docs/Operators.md, QuantizeLinear, DequantizeLinear, QLinearConv.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.quantized import mismatches
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("QNT001", "scale-shape", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding an operator and kind of mismatch, with its first node."""
    if context.shapes is None:
        return
    places: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for node, op_type, kind, why in mismatches(context.graph, context.shapes):
        places.setdefault((op_type, kind), []).append((node, why))
    for (op_type, _), nodes in places.items():
        node, why = nodes[0]
        also = f" ({len(nodes)} nodes)" if len(nodes) > 1 else ""
        yield RULE.finding(f"{op_type} {node!r}: {why}{also}", {"node": node}, nodes=len(nodes))
