"""Operators of a domain that the model does not import.

What it does:
    Compares the domains of nodes with `opset_import` of the model, or of the function they stand
    in.

Why it matters:
    Which version of the operator is meant is not known; runtimes refuse the model or guess.

Example:
    A node of `com.microsoft` in a model that imports `ai.onnx` only.

What to do:
    Add the import, or export the model again.

References:
    onnx/docs/IR.md, "Operator Sets".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("OPS005", "domain-not-imported", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a domain; where nothing at all is imported it is VER002."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for use in context.uses:
        function = use.body.function
        imports = context.proto.opset_imports if function is None else function.opset_imports
        if use.opset is None and imports:
            place = function.name if function is not None else ""
            counts[use.node.domain, place] += 1
            first.setdefault((use.node.domain, place), use.place)
    for (domain, place), count in sorted(counts.items()):
        inside = f" in function {place}" if place else ""
        yield RULE.finding(
            f"domain {domain or 'ai.onnx'!r} is used{inside} and not imported ({count} nodes)",
            {"node": first[domain, place], "domain": domain},
            nodes=count,
        )
