"""Operators that run code of the host by design.

What it does:
    Reports nodes that call Python or a framework: PythonOp, PyOp, PyCustomOpDef, ATen, and
    everything of `org.pytorch`.

Why it matters:
    What they do is not in the file: a function of the process that loads the model, chosen by a
    name in the model.

Example:
    `com.microsoft::PythonOp` with `func_name: "os.system"`.

What to do:
    Do not run it in a process that can reach anything of value. Ask for an export without it.

References:
    onnxruntime/docs/ContribOperators.md, PythonOp; onnxruntime-extensions, PyOp.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("OPS002", "host-code", "high")
OPERATORS = frozenset({"PythonOp", "PythonOpGrad", "PyOp", "PyCustomOpDef", "PyCustomOp", "ATen"})
OPERATORS |= {"ATenOp", "ATenGrad", "PythonFunction", "PyFunc", "EagerPyFunc"}
DOMAINS = ("org.pytorch", "torch.ops", "pyop")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding an operator."""
    for (domain, op_type), uses in sorted(context.by_operator.items()):
        named = any(domain == known or domain.startswith(f"{known}.") for known in DOMAINS)
        if not named and op_type not in OPERATORS:
            continue
        count = len(uses)
        yield RULE.finding(
            f"{domain or 'ai.onnx'}::{op_type} runs code of the host, not of the model"
            f" ({counted(count, 'node')})",
            {"node": uses[0].place, "op_type": op_type, "domain": domain},
            nodes=count,
        )
