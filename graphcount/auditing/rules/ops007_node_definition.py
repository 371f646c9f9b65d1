"""A node does not fit the definition of its operator.

What it does:
    Checks every node against its operator's definition at the imported opset, without running it:
    numbers of inputs and outputs, required inputs and attributes, kinds of attributes, ranges
    (strides, groups, block sizes, permutations), and axes against known ranks. Constant inputs and
    attributes are compared with the shapes that are known: steps of 0, sizes that do not add up,
    indices and axes out of range, windows, channels and equations that do not fit.

Why it matters:
    A runtime's loader refuses such a model, and one that does not divides by zero or reads beyond
    its memory.

Example:
    `DepthToSpace` with `blocksize: 4294967296`, which ends onnxruntime 1.31 with SIGFPE.

What to do:
    Export the model again; do not load this one.

References:
    onnx/docs/Operators.md; onnx's checker.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.definitions import checked, mismatches, refused
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("OPS007", "node-definition", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding an operator and cause, with its first node."""
    places: dict[tuple[str, str, str], list[str]] = {}
    known: dict[Hashable, tuple[str, ...]] = {}
    for use in context.uses:
        key = checked(use)
        if key not in known:
            known[key] = tuple(mismatches(use))
        for why in known[key]:
            places.setdefault((*use.key, why), []).append(use.place)
    for node_id, node, why in refused(context.graph, context.shapes):
        places.setdefault((node.domain, node.op_type, why), []).append(node_id)
    for (domain, op_type, why), where in places.items():
        also = f" ({len(where)} nodes)" if len(where) > 1 else ""
        yield RULE.finding(
            f"{domain + '::' if domain else ''}{op_type} {where[0]!r}: {why}{also}",
            {"node": where[0], "op_type": op_type},
            nodes=len(where),
        )
