"""Types and shapes of what a node makes: onnx's own inference functions, a node at a time.

onnxruntime runs the same functions for ONNX's operators. Where onnx has none (com.microsoft), the
names of types in the definition say which output has the type of which input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from graphcount.runtimes.nodes import formal_at
from graphcount.runtimes.records import Refused, Undecided
from graphcount.runtimes.scope import NameScope
from graphcount.runtimes.tables import Definition
from graphcount.runtimes.value_types import ELEMENTS, merged, type_of, type_text

if TYPE_CHECKING:
    from onnx import NodeProto, TypeProto
    from onnx.defs import OpSchema


InferenceKey: TypeAlias = tuple[object, ...]
"""What inference looks at."""

InferredTypes: TypeAlias = "dict[InferenceKey, list[TypeProto]]"
"""Types of outputs that were inferred."""


def schema_of(node: NodeProto, domain: str, definition: Definition) -> OpSchema | None:
    """Return onnx's definition of the same version; None when the installed onnx has none."""
    from onnx import defs

    try:
        schema = defs.get_schema(node.op_type, definition.since, domain)
    except defs.SchemaError:
        return None
    return schema if schema.since_version == definition.since else None


def with_defaults(node: NodeProto, schema: OpSchema) -> NodeProto:
    """Return a node that states the attributes it leaves out, as onnxruntime's nodes do."""
    from onnx import NodeProto

    stated = {attribute.name for attribute in node.attribute}
    defaults = [
        row.default_value
        for name, row in schema.attributes.items()
        if name not in stated and row.default_value.type
    ]
    if not defaults:
        return node
    whole = NodeProto()
    whole.CopyFrom(node)
    whole.attribute.extend(defaults)
    return whole


def whole(node: NodeProto, domain: str, definition: Definition) -> NodeProto:
    """Return a node that states the attributes it leaves out, as far as onnx knows them."""
    schema = schema_of(node, domain, definition)
    return node if schema is None else with_defaults(node, schema)


def inferred(
    node: NodeProto, domain: str, definition: Definition, scope: NameScope, known: InferredTypes
) -> dict[str, TypeProto]:
    """Return what inference says of the outputs, by name; what it does not say is missing.

    Args:
        node: The node.
        domain: Its domain.
        definition: What holds for it.
        scope: Where it stands.
        known: What other nodes made of the same; filled here.

    Raises:
        Refused: The inference function refuses what enters.
    """
    key = _key(node, domain, definition, scope)
    if key in known:
        return dict(zip(node.output, known[key], strict=True))
    made = _inferred(node, domain, definition, scope)
    from onnx import TypeProto

    known[key] = [made.get(name, TypeProto()) for name in node.output]
    return made


def _key(node: NodeProto, domain: str, definition: Definition, scope: NameScope) -> InferenceKey:
    """Return what inference looks at: nodes that have it in common make the same."""
    values = [(scope.type(name), scope.constant(name)) if name else () for name in node.input]
    read = [row and row.SerializeToString() for pair in values for row in pair]
    attributes = [row.SerializeToString() for row in node.attribute]
    outputs = tuple(map(bool, node.output))
    return domain, node.op_type, definition.since, (*read,), (*attributes,), outputs, len(values)


def _inferred(
    node: NodeProto, domain: str, definition: Definition, scope: NameScope
) -> dict[str, TypeProto]:
    """Ask onnx.

    Raises:
        Refused: The inference function refuses what enters.
    """
    from onnx import checker, shape_inference

    schema = schema_of(node, domain, definition)
    if schema is None or not schema.has_type_and_shape_inference_function:
        return {}
    node = with_defaults(node, schema)
    names = [name for name in node.input if name]
    types = {name: kind for name in names if (kind := scope.type(name)) is not None}
    data = {name: tensor for name in names if (tensor := scope.constant(name)) is not None}
    try:
        return shape_inference.infer_node_outputs(schema, node, types, data)
    except shape_inference.InferenceError as error:
        text = str(error).strip().splitlines()[0][:200] if str(error) else "inference failed"
        cause = "type" if "TypeInference" in text else "shape"
        raise Refused(cause, f"{node.op_type}: {text}") from None
    except (checker.ValidationError, RuntimeError, ValueError) as error:
        raise Undecided("type", f"{node.op_type}: {str(error)[:200]}") from None


def outputs_of(
    node: NodeProto,
    definition: Definition,
    bound: Mapping[str, str],
    known: Mapping[str, TypeProto],
    codes: Sequence[int],
    scope: NameScope,
) -> None:
    """Put what is known of the outputs of a node into its scope.

    Raises:
        Refused: The file declares another type, or the type is not permitted.
    """
    from onnx import TypeProto

    for index, name in enumerate(node.output):
        if not name:
            continue
        formal = formal_at(definition.outputs, index)
        declared = scope.declared.get(name)
        value = known.get(name, TypeProto())
        text = type_text(value)
        if not text:
            text = bound.get(formal.type, "") if formal.letter != "h" else ""
            if not text and len(formal.types) == 1:
                text = next(iter(formal.types))
            if not text and index < len(codes) and codes[index]:
                text = f"tensor({ELEMENTS[codes[index]]})"
            if not text and declared is not None:
                text = type_text(declared)
            value = type_of(text)
        if text and text not in formal.types:
            raise Refused("type", f"output {name} is {text}, which {node.op_type} does not make")
        stated = type_text(declared) if declared is not None else ""
        if text and stated and stated != text:
            raise Refused("type", f"output {name} is declared {stated}, but is {text}")
        scope.types[name] = merged(value, declared) if declared is not None else value
