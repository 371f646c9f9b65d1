"""A node gives the same attribute twice.

What it does:
    Reports nodes with two attributes of one name.

Why it matters:
    Readers differ in which one they take, the first or the last: the model that is reviewed is not
    the one that runs.

Example:
    Softmax with `axis: 1` and `axis: -1`.

What to do:
    Do not trust what any one tool shows of this node. Export the model again.

References:
    onnx.proto, NodeProto: attribute names are unique.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("OPS008", "attribute-twice", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding an operator and attribute."""
    places: dict[tuple[str, str], list[str]] = {}
    for body in context.bodies:
        for index, node in enumerate(body.nodes):
            if len(node.attributes) < 2:
                continue
            names = Counter(attribute.name for attribute in node.attributes)
            if len(names) < len(node.attributes):
                twice = next(name for name, times in names.items() if times > 1)
                places.setdefault((node.op_type, twice), []).append(body.place(index))
    for (op_type, name), where in places.items():
        yield RULE.finding(
            f"{op_type} has the attribute {name!r} more than once ({len(where)} nodes)",
            {"node": where[0], "attribute": name},
            nodes=len(where),
        )
