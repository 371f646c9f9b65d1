"""A node against its operator's definition: inputs, outputs, attributes (onnx's checker)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from graphcount.auditing.operators import Use
from graphcount.loading.model import Attribute
from graphcount.ops import NEWEST_OPSET
from graphcount.ops.schemas import ATTRIBUTE_TYPES, Places, Schema, schema

KIND_NAMES = {
    1: "a float",
    2: "an int",
    3: "a string",
    4: "a tensor",
    5: "a graph",
    6: "floats",
    7: "ints",
    8: "strings",
    9: "tensors",
    10: "graphs",
    11: "a sparse tensor",
    12: "sparse tensors",
    13: "a type",
    14: "types",
}
"""AttributeProto.AttributeType in words."""

COMPLETE_DOMAINS = frozenset({"", "ai.onnx.ml", "ai.onnx.preview.training"})
"""Domains where an attribute outside the definition is wrong; runtimes add to their own."""

ONE_OF = {
    ("", "Constant"): frozenset(
        {"value", "sparse_value"}
        | {f"value_{kind}{s}" for kind in ("float", "int", "string") for s in ("", "s")}
    )
}
"""Attributes of which a node has exactly one (Operators.md, Constant)."""


def alike(use: Use) -> Hashable:
    """What `misfits` looks at: nodes with the same key have the same misfits."""
    node = use.node
    return (
        use.key,
        use.opset,
        tuple(map(bool, node.inputs)),
        tuple(map(bool, node.outputs)),
        tuple((attribute.name, _kind(attribute)) for attribute in node.attributes),
    )


def misfits(use: Use) -> Iterator[str]:
    """Everything about a node that its definition forbids; nothing where there is none."""
    if use.opset is None or use.opset > NEWEST_OPSET.get(use.node.domain, 1 << 30):
        return
    known = schema(*use.key, use.opset)
    if known is None or known.withdrawn:
        return
    yield from _places("input", use.node.inputs, known.inputs)
    yield from _places("output", use.node.outputs, known.outputs)
    yield from _attributes(use, known)


def _places(what: str, names: tuple[str, ...], places: Places) -> Iterator[str]:
    given = len(names)
    while given and not names[given - 1]:
        given -= 1
    if places.most is not None and given > places.most:
        yield f"{given} {what}s where there are at most {places.most}"
    if given < places.fewest:
        yield f"{given} {what}s where there are at least {places.fewest}"
    elif what == "input":
        for index in range(given):
            if not names[index] and places.required(index):
                yield f"input {index} is required and left out"


def _attributes(use: Use, known: Schema) -> Iterator[str]:
    names = set()
    for attribute in use.node.attributes:
        names.add(attribute.name)
        expected = known.attributes.get(attribute.name)
        if expected is None:
            if use.node.domain in COMPLETE_DOMAINS and not attribute.name.startswith("__"):
                yield f"attribute {attribute.name!r} is not defined"
            continue
        found = _kind(attribute)
        if found and found != expected:
            yield (
                f"attribute {attribute.name!r} is {KIND_NAMES.get(found, 'of no kind')},"
                f" not {KIND_NAMES[expected]}"
            )
    for name in sorted(known.required - names):
        yield f"attribute {name!r} is missing"
    choices = ONE_OF.get(use.key, frozenset()) & set(known.attributes)
    given = sorted(names & choices)
    if len(choices) > 1 and len(given) != 1:
        yield f"{' and '.join(given) or 'no value'} where there is exactly one"


def _kind(attribute: Attribute) -> int:
    """The kind an attribute holds, whatever it says; 0 when that cannot be told."""
    if attribute.ref_attr_name:
        return attribute.type
    numbers = attribute.numbers
    if numbers is not None:
        letter = {"float": "f", "int": "i", "string": "s"}[numbers.kind]
        return ATTRIBUTE_TYPES[letter.upper() if numbers.is_list else letter]
    return attribute.type
