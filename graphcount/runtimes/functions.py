"""Functions: local ones, and those that define an operator that has no kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphcount.domains import STANDARD, canonical, opsets
from graphcount.runtimes.inference import schema_of, with_defaults
from graphcount.runtimes.records import Refused
from graphcount.runtimes.scope import NameScope, Walker

if TYPE_CHECKING:
    from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto

    from graphcount.runtimes.scope import Placed
    from graphcount.runtimes.tables import RuntimeTable


def call(
    walker: Walker, function: FunctionProto, name: str, node: NodeProto, scope: NameScope
) -> None:
    """Walk through a function with the types that a node gives it; its outputs get their types.

    Raises:
        Stop: A node of it is refused, or not known.
    """
    from onnx import TypeProto

    if len(node.input) > len(function.input) or len(node.output) > len(function.output):
        raise Refused("arguments", f"more arguments than function {function.name} has")
    inner = NameScope(f"{name}/", {**scope.opsets, **opsets(_imports(function))})
    for index, formal in enumerate(function.input):
        actual = node.input[index] if index < len(node.input) else ""
        value = scope.type(actual) if actual else None
        inner.types[formal] = TypeProto() if value is None else value
        constant = scope.constant(actual) if actual else None
        if constant is not None:
            inner.constants[formal] = constant
    absent = frozenset(f for f in function.input if not inner.types[f].WhichOneof("value"))
    values = {attribute.name: attribute for attribute in function.attribute_proto}
    values.update((attribute.name, attribute) for attribute in node.attribute)
    walker.body([_bound(row, values, absent) for row in function.node], inner)
    for output, formal in zip(node.output, function.output, strict=False):
        value = inner.type(formal) if output else None
        if output and value is None:
            raise Refused("graph", f"nothing makes the output {formal} of {function.name}")
        if value is not None:
            scope.types[output] = value


def check_function(function: FunctionProto, functions: Sequence[FunctionProto]) -> None:
    """Hold a local function against what is asked of all, those that nothing calls included.

    Raises:
        Refused: It uses a domain that it does not import, or calls itself.
    """
    imported = {canonical(row.domain) for row in function.opset_import}
    for node in function.node:
        domain = canonical(node.domain)
        if domain not in imported:
            name = domain or STANDARD
            raise Refused("domain", f"function {function.name} does not import {name}")
    bodies = {(canonical(f.domain), f.name): f for f in functions}
    start = canonical(function.domain), function.name
    seen, waiting = {start}, [start]
    while waiting:
        for node in bodies[waiting.pop()].node:
            key = canonical(node.domain), node.op_type
            if key == start:
                raise Refused("graph", f"function {function.name} calls itself")
            if key in bodies and key not in seen:
                seen.add(key)
                waiting.append(key)


def _imports(function: FunctionProto) -> list[tuple[str, int]]:
    return [(row.domain, row.version) for row in function.opset_import]


def _bound(node: NodeProto, values: dict[str, AttributeProto], absent: frozenset[str]) -> NodeProto:
    """Return a node of a function with its attributes in place, and inputs that are left out."""
    from onnx import NodeProto

    result = NodeProto()
    result.CopyFrom(node)
    for index, name in enumerate(result.input):
        if name in absent:
            result.input[index] = ""
    _bind_attributes(result, values)
    return result


def _bind_attributes(node: NodeProto, values: dict[str, AttributeProto]) -> None:
    kept = []
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            value = values.get(attribute.ref_attr_name)
            if value is None:
                continue
            name = attribute.name
            attribute.CopyFrom(value)
            attribute.name = name
        for graph in _graphs(attribute):
            for inner in graph.node:
                _bind_attributes(inner, values)
        kept.append(attribute)
    if len(kept) < len(node.attribute):
        copies = [type(row).FromString(row.SerializeToString()) for row in kept]
        del node.attribute[:]
        node.attribute.extend(copies)


def _graphs(attribute: AttributeProto) -> Sequence[GraphProto]:
    return [attribute.g] if attribute.type == 5 else list(attribute.graphs)


def body_of(placed: Placed, domain: str, table: RuntimeTable) -> FunctionProto | None:
    """Return the function that defines an operator for these types; None when there is none.

    One whose operators have changed since it was written does not count (onnx/defs/schema.cc,
    `OpSchema::GetFunction`).
    """
    from onnx import FunctionProto

    schema: Any = schema_of(placed.node, domain, placed.definition)  # its stub lacks much
    if schema is None:
        return None
    opset = placed.scope.opsets[domain]
    fixed = bool(schema.has_function)
    versions = (
        schema.function_opset_versions
        if fixed
        else schema.context_dependent_function_opset_versions
    )
    written = max((version for version in versions if version <= opset), default=None)
    if written is None:
        return None
    if fixed:
        data = schema.get_function_with_opset_version(written)
    else:
        data = _built(placed, schema, written)
    function = FunctionProto.FromString(data)
    for row in function.opset_import if not fixed else ():
        row.version = opset if not row.domain else row.version
    for node in function.node if fixed else ():
        key = canonical(node.domain), node.op_type
        if table.definition(*key, written) != table.definition(*key, opset):
            return None
    return function if data else None


def _built(placed: Placed, schema: Any, written: int) -> bytes:
    """Return the body that is made for the types and attributes of a node."""
    from onnx import TypeProto

    kinds = [placed.scope.type(name) or TypeProto() for name in placed.node.input]
    types = [kind.SerializeToString() for kind in kinds]
    record = with_defaults(placed.node, schema).SerializeToString()
    data: bytes = schema.get_context_dependent_function_with_opset_version(written, record, types)
    return data
