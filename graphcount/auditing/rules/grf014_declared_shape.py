"""A declared shape contradicts what the operators make.

What it does:
    Derives shapes from the inputs on and compares them with those the file declares. Only certain
    contradictions count: another number of dimensions, or another number in one. Values that are
    wrong because one before them is are counted with it.

Why it matters:
    Tools that trust declarations plan memory and cost for a model that does not exist; runtimes
    warn or refuse.

Example:
    `value_info` says [1, 64, 56, 56] where a Conv of stride 2 makes [1, 64, 28, 28].

What to do:
    For a value within the graph, drop value_info: everyone can infer it. For an output, declare
    what is made, or export again with that dimension dynamic.

References:
    onnx/docs/ShapeInference.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.ops.call import Shape
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("GRF014", "declared-shape", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a cause: the first value that contradicts, and how many follow from it."""
    for conflict in context.shapes.conflicts if context.shapes else ():
        more = conflict.values - 1
        yield RULE.finding(
            f"{conflict.value!r} is declared as {_text(conflict.declared)} where {conflict.node}"
            f" makes {_text(conflict.derived)}"
            + (f"; {counted(more, 'value')} after it with it" if more else ""),
            {"node": conflict.node, "value": conflict.value},
            declared=_text(conflict.declared),
            derived=_text(conflict.derived),
            values=conflict.values,
        )


def _text(shape: Shape) -> str:
    return "[" + ", ".join("?" if dim is None else str(dim) for dim in shape) + "]"
