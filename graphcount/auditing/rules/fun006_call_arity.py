"""A call of a local function does not fit it.

What it does:
    Reports calls with more inputs or outputs than the function has, or without an attribute it
    needs.

Why it matters:
    Runtimes refuse such a call or drop what does not fit.

Example:
    `F(a, b, c)` where F takes two inputs.

What to do:
    Export the model again.

References:
    onnx/docs/IR.md, "Functions".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.graph.scope import by_id, label
from graphcount.loading.model import Function, Node
from graphcount.report.finding_rows import Finding

RULE = Rule("FUN006", "call-arity", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a function, with its first call that does not fit."""
    functions = by_id(context.proto.functions)[0]
    wrong: dict[tuple[str, str], list[str]] = {}
    if functions:
        for body in context.bodies:
            for index, node in enumerate(body.nodes):
                key = node.domain, node.op_type, node.overload
                why = _mismatch(node, functions[key]) if key in functions else ""
                if why:
                    wrong.setdefault((label(key), why), []).append(body.place(index))
    for (name, why), places in wrong.items():
        yield RULE.finding(
            f"{places[0]} does not fit function {name}: {why}",
            {"node": places[0], "function": name},
            calls=len(places),
        )


def _mismatch(node: Node, function: Function) -> str:
    for what, given, known in (
        ("inputs", node.inputs, function.inputs),
        ("outputs", node.outputs, function.outputs),
    ):
        if len(given) > len(known):
            return f"{len(given)} {what} for {len(known)}"
    missing = set(function.attributes) - {attribute.name for attribute in node.attributes}
    return f"attribute {min(missing)!r} is missing" if missing else ""
