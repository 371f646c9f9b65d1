"""An operator that does not exist in the imported opset.

What it does:
    Reports operators that came with a later opset than the one imported, or were withdrawn before
    it.

Why it matters:
    Runtimes refuse the model, or run another version of the operator than the file asks for.

Example:
    `Gelu` (opset 20) in a model that imports opset 17.

What to do:
    Export again with the right opset, or correct the import.

References:
    onnx/docs/Changelog.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.ops.schemas import schema, versions
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("OPS006", "opset-mismatch", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding an operator."""
    counts: Counter[tuple[str, str, int]] = Counter()
    first: dict[tuple[str, str, int], str] = {}
    for use in context.uses:
        if use.opset is None or use.opset < 1:
            continue
        known = schema(*use.key, use.opset)
        if (known is None and versions(*use.key)) or (known is not None and known.withdrawn):
            key = (*use.key, use.opset)
            counts[key] += 1
            first.setdefault(key, use.place)
    for (domain, op_type, opset), count in sorted(counts.items()):
        since = versions(domain, op_type)
        known = schema(domain, op_type, opset)
        text = f"was withdrawn in {known.since}" if known else f"came with {since[0].since}"
        yield RULE.finding(
            f"{op_type} {text}; the model imports opset {opset} of {domain or 'ai.onnx'}"
            f" ({counted(count, 'node')})",
            {"node": first[domain, op_type, opset], "op_type": op_type, "domain": domain},
            imported=opset,
            expected=since[0].since,
            nodes=count,
        )
