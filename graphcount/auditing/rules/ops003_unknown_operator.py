"""An operator that its domain does not define.

What it does:
    Reports nodes of ONNX's own domains whose operator no version defines: high. Medium are
    operators of onnxruntime's domain that are not among those of 1.32, and some that old exporters
    wrote and runtimes still accept. Info is SimplifiedLayerNormalization, which onnxruntime defines
    in the default domain and its tools for language models write.

Why it matters:
    Runtimes refuse the model, or take the operator from a library that somebody registers.

Example:
    `Conw` in the default domain.

What to do:
    Look for a misspelled or replaced operator type.

References:
    onnx/docs/Operators.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.versions import STILL_ACCEPTED, no_operator
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule, Severity
from graphcount.ops import NEWEST_OPSET
from graphcount.ops.schemas import DOMAINS, versions
from graphcount.report.finding_rows import Finding

RULE = Rule("OPS003", "unknown-operator", "high")
IN_USE = frozenset({("", "SimplifiedLayerNormalization")})
"""Policy: onnxruntime's additions to the default domain that sound models of today hold."""


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding an operator."""
    for (domain, op_type), uses in sorted(context.by_operator.items()):
        if domain not in DOMAINS or versions(domain, op_type):
            continue
        newest = NEWEST_OPSET.get(domain, 1 << 30)
        severity: Severity = "high"
        if (domain, op_type) in IN_USE:
            severity = "info"
        elif (
            domain.startswith("com.")
            or op_type in STILL_ACCEPTED
            or any((use.opset or 0) > newest for use in uses)
        ):
            severity = "medium"
        yield RULE.finding(
            no_operator(domain, op_type, len(uses)),
            {"node": uses[0].place, "op_type": op_type, "domain": domain},
            severity=severity,
            nodes=len(uses),
        )
