"""Control flow: what the bodies of If, Loop and Scan get, and what they make.

Specification: onnx/defs/controlflow/utils.cc (IfInferenceFunction, LoopInferenceFunction,
ScanInferenceFunction).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from graphcount.runtimes.records import Refused
from graphcount.runtimes.scope import NameScope, Walker
from graphcount.runtimes.value_types import (
    merged,
    shape_of,
    type_of,
    type_text,
    with_shape,
    without_shape,
)

if TYPE_CHECKING:
    from onnx import NodeProto, TypeProto

BodyRule = Callable[[Walker, str, "NodeProto", NameScope], dict[str, "TypeProto"]]


def _body(
    walker: Walker, name: str, node: NodeProto, scope: NameScope, key: str, given: list[TypeProto]
) -> list[TypeProto]:
    """Walk through the body of a node."""
    graph = next(attribute.g for attribute in node.attribute if attribute.name == key)
    inner = NameScope(f"{name}/{key}/", scope.opsets, scope)
    return walker.graph(graph, inner, given)


def _if(walker: Walker, name: str, node: NodeProto, scope: NameScope) -> dict[str, TypeProto]:
    then, other = (
        _body(walker, name, node, scope, key, []) for key in ("then_branch", "else_branch")
    )
    if not len(then) == len(other) == len(node.output):
        sizes = f"{len(then)} and {len(other)}"
        raise Refused("type", f"branches make {sizes} outputs, the If has {len(node.output)}")
    known = {}
    for output, one, two in zip(node.output, then, other, strict=True):
        if type_text(one) != type_text(two):
            why = f"branches make {type_text(one)} and {type_text(two)} of {output}"
            raise Refused("type", why)
        known[output] = _union(one, two)
    return known


def _union(one: TypeProto, two: TypeProto) -> TypeProto:
    """Return a type that covers both."""
    first, second = shape_of(one), shape_of(two)
    if first is None or second is None or len(first) != len(second):
        return without_shape(one)
    pairs = zip(first, second, strict=True)
    return with_shape(one, tuple(a if a == b else None for a, b in pairs))


def _loop(walker: Walker, name: str, node: NodeProto, scope: NameScope) -> dict[str, TypeProto]:
    states = [scope.type(value) for value in node.input[2:]]
    given = [with_shape(type_of("tensor(int64)"), ()), with_shape(type_of("tensor(bool)"), ())]
    given += [without_shape(value) for value in states if value is not None]
    made = _body(walker, name, node, scope, "body", given)
    if len(made) != len(node.output) + 1:
        raise Refused("type", f"the body makes {len(made)} values for {len(node.output)} outputs")
    known = {}
    for index, (output, value) in enumerate(zip(node.output, made[1:], strict=True)):
        if index < len(states):
            _same(states[index], value, output)
            known[output] = without_shape(value)
        else:
            known[output] = _stacked(value, 0, None)
    return known


def _same(state: TypeProto | None, value: TypeProto, output: str) -> None:
    """Refuse a state whose type changes."""
    text = type_text(state) if state is not None else ""
    if not (text.startswith("tensor") and type_text(value).startswith("tensor")):
        return  # an optional state may be of another type behind it
    if text != type_text(value):
        raise Refused("type", f"state {output} is {text} before and {type_text(value)} after")


def _scan(walker: Walker, name: str, node: NodeProto, scope: NameScope) -> dict[str, TypeProto]:
    numbers = {attribute.name: attribute for attribute in node.attribute}
    scanned = numbers["num_scan_inputs"].i
    if scope.opsets[""] < 9:
        return _batched_scan(walker, name, node, scope, scanned)
    states = len(node.input) - scanned
    if states < 0 or scanned < 1:
        raise Refused("arguments", f"{scanned} of {len(node.input)} inputs are scanned")
    given, length = [], None
    axes = list(numbers["scan_input_axes"].ints) if "scan_input_axes" in numbers else []
    for index, value in enumerate(node.input):
        kind = scope.type(value)
        assert kind is not None
        if index >= states:
            place = index - states
            axis = axes[place] if place < len(axes) else 0
            size, kind = _slice(kind, axis)
            length = size if length is None else length
        given.append(kind)
    made = _body(walker, name, node, scope, "body", given)
    if len(made) != len(node.output):
        raise Refused("type", f"the body makes {len(made)} values for {len(node.output)} outputs")
    out_axes = list(numbers["scan_output_axes"].ints) if "scan_output_axes" in numbers else []
    known = {}
    for index, (output, value) in enumerate(zip(node.output, made, strict=True)):
        if index < states:
            _same(scope.type(node.input[index]), value, output)
            known[output] = merged(value, given[index])
        else:
            place = index - states
            known[output] = _stacked(value, out_axes[place] if place < len(out_axes) else 0, length)
    return known


def _batched_scan(
    walker: Walker, name: str, node: NodeProto, scope: NameScope, scanned: int
) -> dict[str, TypeProto]:
    """Return what the Scan of opset 8 makes: values have a batch in front, some steps as well."""
    values = node.input[1:]
    states = len(values) - scanned
    given = []
    for index, value in enumerate(values):
        kind = scope.type(value)
        shape = None if kind is None else shape_of(kind)
        front = 1 if index < states else 2
        text = "" if kind is None else type_text(kind)
        if shape is None or len(shape) < front:
            given.append(type_of(text))
        else:
            given.append(with_shape(type_of(text), shape[front:]))
    made = _body(walker, name, node, scope, "body", given)
    if len(made) != len(node.output):
        raise Refused("type", f"the body makes {len(made)} values for {len(node.output)} outputs")
    return {output: without_shape(value) for output, value in zip(node.output, made, strict=True)}


def _sequence_map(
    walker: Walker, name: str, node: NodeProto, scope: NameScope
) -> dict[str, TypeProto]:
    given = []
    for value in node.input:
        kind = scope.type(value)
        assert kind is not None
        if kind.WhichOneof("value") == "sequence_type":
            kind = kind.sequence_type.elem_type
        given.append(kind)
    made = _body(walker, name, node, scope, "body", given)
    if len(made) != len(node.output):
        raise Refused("type", f"the body makes {len(made)} values for {len(node.output)} outputs")
    return {
        output: type_of(f"seq({type_text(value)})")
        for output, value in zip(node.output, made, strict=True)
    }


def _slice(kind: TypeProto, axis: int) -> tuple[int | str | None, TypeProto]:
    """Return the length of an axis, and the type without it."""
    shape = shape_of(kind)
    if shape is None:
        return None, kind
    if not -len(shape) <= axis < len(shape):
        raise Refused("shape", f"axis {axis} of a value of rank {len(shape)} is scanned")
    sizes = list(shape)
    size = sizes.pop(axis)
    return size, with_shape(kind, tuple(sizes))


def _stacked(kind: TypeProto, axis: int, length: int | str | None) -> TypeProto:
    shape = shape_of(kind)
    if shape is None:
        return kind
    place = axis if axis >= 0 else axis + len(shape) + 1
    if not 0 <= place <= len(shape):
        raise Refused("shape", f"values of rank {len(shape)} are put together along axis {axis}")
    return with_shape(kind, (*shape[:place], length, *shape[place:]))


BODIES: dict[tuple[str, str], BodyRule] = {
    ("", "If"): _if,
    ("", "Loop"): _loop,
    ("", "Scan"): _scan,
    ("", "SequenceMap"): _sequence_map,
}
"""Policy: operators whose bodies are walked through; other ones with bodies are not decided."""
