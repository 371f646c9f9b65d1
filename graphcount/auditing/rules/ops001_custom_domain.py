"""Operators of a domain that neither ONNX nor onnxruntime defines.

What it does:
    Lists domains outside ONNX's and onnxruntime's, with their operators and how many nodes use
    them. Operators of onnxruntime-extensions (`ai.onnx.contrib`) are low: they are known and
    need its library.

Why it matters:
    Such an operator is code that comes from elsewhere: the model runs only with a library that the
    author has to give you, and nothing here says what it does.

Example:
    `acme.ops::Decode`, 3 nodes.

What to do:
    Ask for the library's source, or for a model without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from graphcount.auditing.bodies import is_known
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("OPS001", "custom-domain", "medium")
EXTENSIONS = "ai.onnx.contrib"


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a domain."""
    counts: dict[str, Counter[str]] = {}
    first: dict[str, str] = {}
    for (domain, op_type), uses in context.by_operator.items():
        if not is_known(domain) or domain == EXTENSIONS:
            counts.setdefault(domain, Counter())[op_type] = len(uses)
            first.setdefault(domain, uses[0].place)
    for domain, operators in sorted(counts.items()):
        named = ", ".join(f"{count} {op}" for op, count in operators.most_common(5))
        known = domain == EXTENSIONS
        what = "onnxruntime-extensions" if known else "a custom domain"
        yield RULE.finding(
            f"operators of {what}, {domain!r}: {named}",
            {"node": first[domain], "domain": domain},
            severity="low" if known else "medium",
            operators=dict(sorted(operators.items())[:50]),
            nodes=operators.total(),
        )
