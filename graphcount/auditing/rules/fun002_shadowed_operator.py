"""A local function has the name of a known operator.

What it does:
    Reports functions whose domain and name are those of an operator: high in ONNX's own domains,
    medium in those of runtimes.

Why it matters:
    Which of the two runs is up to the runtime. A reviewer sees Relu and thinks of the operator;
    the function can do anything.

Example:
    A function `ai.onnx:Relu` that adds an offset for certain inputs.

What to do:
    Read the function's body. Ask for a model that gives it a name of its own.

References:
    onnx.proto, ModelProto.functions: "the behavior is defined by the runtimes".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.graph.scope import by_id, label
from graphcount.ops.schemas import versions
from graphcount.report.finding_rows import Finding

RULE = Rule("FUN002", "shadowed-operator", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a function."""
    for key, function in by_id(context.proto.functions)[0].items():
        domain, name, _ = key
        if versions(domain, name):
            standard = domain == "" or domain.startswith("ai.onnx")
            yield RULE.finding(
                f"function {label(key)} takes the place of the operator {domain or 'ai.onnx'}"
                f" {name}",
                {"function": label(key)},
                severity="high" if standard else "medium",
                nodes=len(function.nodes),
            )
