"""A node against its operator: the definition (as onnx's checker does), and what it can take."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from graphcount.analysis.shapes import ValueShapes
from graphcount.auditing.bodies import OperatorUse
from graphcount.graph import ModelGraph
from graphcount.loading.model import Attribute, Node
from graphcount.ops import NEWEST_OPSET
from graphcount.ops.call import Call
from graphcount.ops.schemas import ATTRIBUTE_TYPES, EXACTLY_ONE, Places, Schema, schema

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


def checked(use: OperatorUse) -> Hashable:
    """Return all that `mismatches` looks at: nodes with the same have the same mismatches."""
    node = use.node
    return (
        use.key,
        use.opset,
        tuple(map(bool, node.inputs)),
        tuple(map(bool, node.outputs)),
        tuple((attribute.name, _kind(attribute)) for attribute in node.attributes),
    )


def mismatches(use: OperatorUse) -> Iterator[str]:
    """Yield everything about a node that its definition forbids; nothing where there is none."""
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


def _attributes(use: OperatorUse, known: Schema) -> Iterator[str]:
    names = set()
    for attribute in use.node.attributes:
        names.add(attribute.name)
        expected = known.attributes.get(attribute.name)
        if expected is None:
            if use.node.domain in COMPLETE_DOMAINS and not attribute.name.startswith("__"):
                yield f"attribute {attribute.name!r} is not defined"
            continue
        kind = _kind(attribute)
        if kind and kind != expected:
            yield (
                f"attribute {attribute.name!r} is {KIND_NAMES.get(kind, 'of no kind')},"
                f" not {KIND_NAMES[expected]}"
            )
    for name in sorted(known.required - names):
        yield f"attribute {name!r} is missing"
    choices = EXACTLY_ONE.get(use.key, frozenset()) & set(known.attributes)
    given = sorted(names & choices)
    if len(choices) > 1 and len(given) != 1:
        yield f"{' and '.join(given) or 'no value'} where there is exactly one"


def _kind(attribute: Attribute) -> int:
    """Return the kind an attribute holds, whatever it states; 0 when that is not known."""
    if attribute.ref_attr_name:
        return attribute.type
    numbers = attribute.numbers
    if numbers is not None:
        letter = {"float": "f", "int": "i", "string": "s"}[numbers.kind]
        return ATTRIBUTE_TYPES[letter.upper() if numbers.is_list else letter]
    return attribute.type


def refused(graph: ModelGraph, shapes: ValueShapes | None) -> Iterator[tuple[str, Node, str]]:
    """Yield id and record of every node that asks for what its operator cannot take, and why.

    The records of operators have the checks: of attributes by themselves, and of a call, with the
    shapes and constants that are known. Calls are shared, since a network repeats its layers: each
    is looked at once.
    """
    faults: dict[Call, str] = {}
    for node in graph.operators:
        operator = node.operator
        if operator is None:
            continue
        check, why = operator.check, ""
        if operator.attribute_check is not None and node.record.attributes:
            why = operator.attribute_check(node.record)
        if not why and check is not None and shapes is not None:
            call = shapes.calls(node.id)
            if call not in faults:
                faults[call] = check(call)
            if faults[call] and not _in_branch(graph, node.scope):
                why = faults[call]
        if why:
            yield node.id, node.record, why


def _in_branch(graph: ModelGraph, scope: str) -> bool:
    """Return whether nodes of a scope stand in a branch, which need not be the one taken.

    Exporters write `If(dim == 1, Squeeze(x), x)`: the Squeeze is wrong wherever it is not reached.
    """
    return any(body.node.op_type == "If" for body in graph.around(scope))
