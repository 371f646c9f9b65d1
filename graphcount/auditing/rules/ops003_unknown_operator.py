"""An operator that its domain does not define.

What it does:
    Reports nodes of ONNX's own domains whose operator no version defines: high. Medium are
    operators of onnxruntime's domain that are not among those of 1.31, and some that old exporters
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

from collections import Counter
from collections.abc import Iterable

from graphcount.analysis.versions import STILL_ACCEPTED, no_operator
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule, Severity
from graphcount.ops import NEWEST_OPSET
from graphcount.ops.schemas import DOMAINS, versions
from graphcount.report.rows import Finding

RULE = Rule("OPS003", "unknown-operator", "high")
IN_USE = frozenset({("", "SimplifiedLayerNormalization")})
"""onnxruntime's additions to the default domain that sound models of today hold."""


def check(context: Context) -> Iterable[Finding]:
    """One finding an operator."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    newer: set[tuple[str, str]] = set()
    for use in context.uses:
        if use.node.domain in DOMAINS and not versions(*use.key):
            counts[use.key] += 1
            first.setdefault(use.key, use.place)
            if (use.opset or 0) > NEWEST_OPSET.get(use.node.domain, 1 << 30):
                newer.add(use.key)
    for key, count in sorted(counts.items()):
        domain, op_type = key
        severity: Severity = "high"
        if key in IN_USE:
            severity = "info"
        elif key in newer or domain.startswith("com.") or op_type in STILL_ACCEPTED:
            severity = "medium"
        yield RULE.finding(
            no_operator(domain, op_type, count),
            {"node": first[key], "op_type": op_type, "domain": domain},
            severity=severity,
            nodes=count,
        )
