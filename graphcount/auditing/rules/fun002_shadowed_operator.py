"""A local function has the name of a known operator.

What it does:
    Reports functions whose domain and name are those of an operator of ONNX or onnxruntime, and
    those in a domain that is theirs.

Why it matters:
    Which of the two runs is up to the runtime: onnxruntime takes its own operator, others the
    function. A reviewer sees Relu and thinks of the operator; the function can do anything. The
    numbers hold both readings, and are lower bounds.

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
from graphcount.ops.schemas import is_reserved
from graphcount.report.finding_rows import Finding

RULE = Rule("FUN002", "shadowed-operator", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a function."""
    for key, function in by_id(context.proto.functions)[0].items():
        domain, name, _ = key
        if is_reserved(domain, name):
            yield RULE.finding(
                f"function {label(key)} takes the place of the operator {domain or 'ai.onnx'}"
                f" {name}",
                {"function": label(key)},
                nodes=len(function.nodes),
            )
