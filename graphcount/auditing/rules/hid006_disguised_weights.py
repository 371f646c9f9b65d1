"""Numbers of another kind do the work of weights.

What it does:
    Follows each stored operand of a product, a sum or a look-up back to what the file holds or
    draws from a seed. Reports where at least 1,024 numbers come there that are no parameters, and
    more of them than parameters: integers, text, labels, padding, means or zero points
    that the graph makes numbers of. Prints how many of which kind, and the way from the largest
    tensor to the product. Low where that has indices into a table or integers that are taken apart
    by bits, as quantizers write.

Why it matters:
    A budget of parameters is not kept by such a model, it is passed by; whoever reviews the weights
    does not see them.

Example:
    `LabelEncoder(values) -> Reshape -> MatMul`

What to do:
    Ask why the weights are not stored as weights. Set a budget of `operand_elements`, which counts
    them whatever they are called.

References:
    docs/counting.md, "Whatever the kind"; rates in docs/audit-rates.md. Filters and tables of
    floats that come to a product as they are stored are what their kind says, and not reported.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.disguise import find_disguises
from graphcount.auditing.grouping import and_more, shortened
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("HID006", "disguised-weights", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield at most one finding: of the largest operand, one that no quantizer writes before."""
    disguises = sorted(
        find_disguises(context), key=lambda one: (one.as_quantizers_write, -one.elements)
    )
    if not disguises:
        return
    first = disguises[0]
    kinds = ", ".join(f"{kind}: {number:,}" for kind, number in sorted(first.kinds.items()))
    yield RULE.finding(
        f"{first.elements:,} numbers that are no parameters ({kinds}) are an operand of"
        f" {first.node}{and_more(len(disguises) - 1, 'operand')}: {shortened(first.path)}",
        {"node": first.node, "input": first.operand},
        severity="low" if first.as_quantizers_write else "medium",
        kinds=dict(first.kinds),
        elements=first.elements,
        parameters=first.parameters,
        path=list(first.path[:200]),
        operands=len(disguises),
        all_elements=sum(one.elements for one in disguises),
    )
