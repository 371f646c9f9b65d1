"""A declared shape contradicts what the operators make.

What it does:
    Infers shapes from the inputs on and compares them with those the file declares. Only certain
    contradictions count: another number of dimensions, or another number in one.

Why it matters:
    Tools that trust declarations plan memory and cost for a model that does not exist; runtimes
    warn or refuse.

Example:
    `value_info` says [1, 64, 56, 56] where a Conv of stride 2 makes [1, 64, 28, 28].

What to do:
    Drop value_info and infer shapes again.

References:
    onnx/docs/ShapeInference.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.ops.call import Shape
from graphcount.report.rows import Finding

RULE = Rule("GRF014", "declared-shape", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model: the first contradiction in graph order, and how many values."""
    conflicts = context.shapes.conflicts if context.shapes else ()
    values = dict.fromkeys((conflict.node, conflict.value) for conflict in conflicts)
    if conflicts:
        first = conflicts[0]
        yield RULE.finding(
            f"{first.value!r} is declared as {_text(first.declared)} where {first.node} makes"
            f" {_text(first.inferred)}"
            + (f"; {len(values) - 1} more values contradict" if len(values) > 1 else ""),
            {"node": first.node, "value": first.value},
            declared=_text(first.declared),
            inferred=_text(first.inferred),
            values=len(values),
        )


def _text(shape: Shape) -> str:
    return "[" + ", ".join("?" if dim is None else str(dim) for dim in shape) + "]"
