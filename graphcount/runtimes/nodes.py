"""One node against the definition of its operator: arity, attributes, types.

The order and the rules are those of onnxruntime's `Graph::VerifyNodeAndOpMatch` and
`InferAndVerifyTypeMatch` (onnxruntime/core/graph/graph.cc) and of onnx's `check_node`
(onnx/checker.cc).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from graphcount.runtimes.records import Refused
from graphcount.runtimes.tables import Definition, Formal

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto

FIELDS = {
    1: "f",
    2: "i",
    3: "s",
    4: "t",
    5: "g",
    6: "floats",
    7: "ints",
    8: "strings",
    9: "tensors",
    10: "graphs",
    11: "sparse_tensor",
    12: "sparse_tensors",
    13: "tp",
    14: "type_protos",
}
"""The field of an AttributeProto that each type uses."""

SINGLE = ("f", "i", "s", "t", "g", "tp", "sparse_tensor")


def check_arguments(node: NodeProto, definition: Definition) -> None:
    """Hold the numbers of inputs and outputs and the attributes against the definition.

    Raises:
        Refused: Something is missing or too much.
    """
    if definition.withdrawn:
        raise Refused("operator", f"{node.op_type} is withdrawn since opset {definition.since}")
    _check_places("input", node.input, definition.inputs, definition.fewest[0])
    _check_places("output", node.output, definition.outputs, definition.fewest[1])
    seen = set()
    for attribute in node.attribute:
        if attribute.name in seen:
            raise Refused("arguments", f"attribute {attribute.name} is there twice")
        seen.add(attribute.name)
        wanted = definition.attributes.get(attribute.name)
        if wanted is None:
            if attribute.name.startswith("__") or definition.takes_any:  # `__`: marks of onnx
                continue
            raise Refused("arguments", f"the definition has no attribute {attribute.name}")
        if not attribute.ref_attr_name and attribute.type != wanted:
            raise Refused("arguments", f"attribute {attribute.name} is of another type")
    for name in sorted(definition.required - seen):
        raise Refused("arguments", f"attribute {name} is missing")


def check_attribute(attribute: AttributeProto) -> None:
    """Hold an attribute against itself: one value, of the type that is stated.

    Raises:
        Refused: The type is missing, or a value is missing, doubled or of another type.
    """
    if not attribute.name:
        raise Refused("arguments", "an attribute has no name")
    if attribute.ref_attr_name:
        return
    field = FIELDS.get(attribute.type)
    if field is None:
        raise Refused("arguments", f"attribute {attribute.name} has no type")
    for other in FIELDS.values():
        used = attribute.HasField(other) if other in SINGLE else len(getattr(attribute, other)) > 0
        if used and other != field:
            raise Refused("arguments", f"attribute {attribute.name} holds a value of another type")
    if field in ("t", "g", "tp", "sparse_tensor") and not attribute.HasField(field):
        raise Refused("arguments", f"attribute {attribute.name} holds no value")


def _check_places(word: str, names: Sequence[str], formals: Sequence[Formal], fewest: int) -> None:
    variadic = bool(formals) and formals[-1].letter in "vh"
    if len(names) < fewest:
        raise Refused("arguments", f"{len(names)} {word}s, needs {fewest}")
    if len(names) > len(formals) and not variadic:
        raise Refused("arguments", f"{len(names)} {word}s, takes {len(formals)}")
    if word == "input":
        for index, (name, formal) in enumerate(zip(names, formals, strict=False)):
            if not name and formal.letter == "r":
                raise Refused("arguments", f"input {index} is missing")


def formal_at(formals: Sequence[Formal], index: int) -> Formal:
    """Return the formal parameter of an actual one: the last one takes all that follow."""
    return formals[min(index, len(formals) - 1)]


def bound_types(node: NodeProto, inputs: Sequence[str], definition: Definition) -> dict[str, str]:
    """Return the type that each name of a type stands for; types of inputs as texts.

    Raises:
        Refused: A type is not permitted, or two that have to be the same are not.
    """
    bound: dict[str, str] = {}
    for index, (name, text) in enumerate(zip(node.input, inputs, strict=True)):
        formal = formal_at(definition.inputs, index)
        if not name or not text:
            continue
        if text not in formal.types:
            raise Refused("type", f"input {name} is {text}, which {node.op_type} does not take")
        if formal.letter == "h":
            continue
        other = bound.setdefault(formal.type, text)
        if other != text:
            raise Refused("type", f"{formal.type} of {node.op_type} is both {other} and {text}")
    return bound


def kinds(definition: Definition) -> Iterator[Formal]:
    """Yield the formal parameters, inputs first."""
    yield from definition.inputs
    yield from definition.outputs
