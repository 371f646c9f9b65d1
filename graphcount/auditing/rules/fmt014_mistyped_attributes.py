"""An attribute holds something else than its type names.

What it does:
    Reports attributes with a value in a field that their type does not name, with more than one
    value, or without a type (which IR version 1 did not have).

Why it matters:
    An attribute is a union of fields, and its type says which of them holds. Readers that go by the
    fields see another value than readers that go by the type, and onnxruntime refuses some of these
    models and takes others.

Example:
    `value_float` of a Constant with type FLOAT, `f: 3` and a tensor of a gigabyte in `t`.

What to do:
    Do not trust what any one tool shows of this node. Export the model again.

References:
    onnx.proto, AttributeProto: "the type field MUST be present".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT014", "mistyped-attributes", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all of them."""
    ir_version = context.proto.ir_version
    rows = [row for row in context.proto.mistyped_attributes if row.why(ir_version)]
    if rows:
        first = rows[0]
        yield RULE.finding(
            f"attribute {first.name[:80]!r}: {first.why(ir_version)}"
            f"{and_more(len(rows) - 1, 'attribute')}",
            {"attribute": first.name, "offset": first.offset},
            attributes=len(rows),
        )
