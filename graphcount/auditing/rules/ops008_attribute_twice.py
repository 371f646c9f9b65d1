"""A node gives the same attribute twice.

What it does:
    Reports nodes with two attributes of one name, and functions with two defaults of one.

Why it matters:
    Readers differ in which one they take, the first or the last: the model that is reviewed is not
    the one that runs. onnxruntime refuses such nodes, and takes the first default.

Example:
    Softmax with `axis: 1` and `axis: -1`.

What to do:
    Do not trust what any one tool shows of this node. Export the model again.

References:
    onnx.proto, NodeProto: attribute names are unique.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.graph.scope import by_id, label
from graphcount.loading.model import Attribute
from graphcount.report.finding_rows import Finding

RULE = Rule("OPS008", "attribute-twice", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding an operator and attribute, and one a function and attribute."""
    places: dict[tuple[str, str], list[str]] = {}
    for body in context.bodies:
        for index, node in enumerate(body.nodes):
            twice = _twice(node.attributes)
            if twice is not None:
                places.setdefault((node.op_type, twice), []).append(body.place(index))
    for (op_type, name), where in places.items():
        yield RULE.finding(
            f"{op_type} has the attribute {name!r} more than once ({len(where)} nodes)",
            {"node": where[0], "attribute": name},
            nodes=len(where),
        )
    for key, function in by_id(context.proto.functions)[0].items():
        twice = _twice(function.attribute_protos)
        if twice is not None:
            yield RULE.finding(
                f"function {label(key)} has the attribute {twice!r} more than once",
                {"function": label(key), "attribute": twice},
            )


def _twice(attributes: Sequence[Attribute]) -> str | None:
    """Return a name that two of some attributes have."""
    names = Counter(attribute.name for attribute in attributes) if len(attributes) > 1 else {}
    return next((name for name, times in names.items() if times > 1), None)
