"""Models with one thing changed: versions, types, attributes, names, operators; seeded."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, helper, numpy_helper

LARGEST = 100_000
"""Bytes of a model that is changed."""

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
NUMBERS = (-3, -1, 0, 1, 2, 5, 7, 100)
OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas()} | {"Nope"})

Change = Callable[[random.Random, ModelProto, NodeProto], bool]
"""Changes a model at a node; False where it has nothing of the kind."""


def opset(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    for row in model.opset_import:
        if not row.domain:
            row.version = draw.randint(1, 29)
            return True
    return False


def ir_version(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    model.ir_version = draw.randint(1, 16)
    return True


def type_of_input(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    return _type_of(draw, list(model.graph.input))


def type_of_output(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    return _type_of(draw, list(model.graph.output))


def _type_of(draw: random.Random, values: list[onnx.ValueInfoProto]) -> bool:
    tensors = [value for value in values if value.type.HasField("tensor_type")]
    if tensors:
        draw.choice(tensors).type.tensor_type.elem_type = draw.randint(1, 28)
    return bool(tensors)


def type_of_initializer(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    if model.graph.initializer:
        draw.choice(model.graph.initializer).data_type = draw.randint(1, 28)
    return bool(model.graph.initializer)


def every_type(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    """Turn every value of one type into another, with its elements."""
    before = draw.choice((1, 1, 1, 1, 7, 10, 6))
    after = draw.choice((1, 2, 3, 5, 6, 7, 10, 10, 10, 11, 11, 16, 16, 12, 13, 4))
    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type
        while (name := kind.WhichOneof("value")) in ("sequence_type", "optional_type"):
            kind = getattr(kind, str(name)).elem_type
        if _is(kind, before):
            kind.tensor_type.elem_type = after
    attributes = [row for inner in graph.node for row in inner.attribute]
    for row in attributes:
        if row.name in ("to", "dtype") and row.i == before:
            row.i = after
    for tensor in (*graph.initializer, *(row.t for row in attributes if row.type == 4)):
        if tensor.data_type == before and not tensor.data_location:
            _convert(tensor, after)
    return before != after


def _is(kind: TypeProto, code: int) -> bool:
    return kind.HasField("tensor_type") and kind.tensor_type.elem_type == code


def _convert(tensor: TensorProto, code: int) -> None:
    try:
        array = numpy_helper.to_array(tensor).astype(np.float64)
        values = array if code in FLOATS else array.astype(np.int64)
        made = helper.make_tensor(tensor.name, code, array.shape, values.ravel().tolist())
    except (ValueError, TypeError, OverflowError):
        return
    tensor.CopyFrom(made)


def without_attribute(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    if not node.attribute:
        return False
    del node.attribute[draw.randrange(len(node.attribute))]
    return True


def number_of_attribute(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    rows = [row for row in node.attribute if row.type == 2 or (row.type == 7 and row.ints)]
    if not rows:
        return False
    row = draw.choice(rows)
    if row.type == 2:
        row.i = draw.choice(NUMBERS)
    else:
        row.ints[draw.randrange(len(row.ints))] = draw.choice(NUMBERS)
    return True


def word_of_attribute(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    rows = [row for row in node.attribute if row.type == 3]
    if rows:
        draw.choice(rows).s = draw.choice((b"nope", b"", b"SAME_UPPER", b"linear", b"constant"))
    return bool(rows)


def type_of_attribute(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    if node.attribute:
        draw.choice(node.attribute).type = draw.randint(0, 13)
    return bool(node.attribute)


def another_attribute(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    name = draw.choice(("foo", "axis", "axes", "keepdims", "mode", "to"))
    values: tuple[int | list[int] | str | float, ...] = (1, [0], "x", 1.5)
    node.attribute.append(helper.make_attribute(name, draw.choice(values)))
    return True


def another_operator(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    node.op_type = draw.choice(OPERATORS)
    return True


def another_domain(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    node.domain = draw.choice(("com.microsoft", "ai.onnx.ml", "foo", "ai.onnx"))
    return True


def fewer_inputs(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    if node.input:
        node.input.pop()
        return True
    return False


def more_inputs(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    node.input.append(node.input[0] if node.input else "nowhere")
    return True


def fewer_outputs(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    if len(node.output) < 2:
        return False
    node.output.pop()
    return True


def other_input(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    if node.input:
        node.input[draw.randrange(len(node.input))] = draw.choice(("", "nowhere"))
    return bool(node.input)


def exchanged_inputs(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    if len(node.input) < 2:
        return False
    node.input[0], node.input[1] = node.input[1], node.input[0]
    return True


def other_shape(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    shapes = [value.type.tensor_type.shape for value in model.graph.input]
    shapes = [shape for shape in shapes if shape.dim]
    if not shapes:
        return False
    shape, way = draw.choice(shapes), draw.randrange(3)
    if way == 0:
        draw.choice(shape.dim).dim_value = draw.choice((0, 1, 2, 3, 7, 50))
    elif way == 1:
        shape.dim.pop()
    else:
        shape.dim.add().dim_value = 2
    return True


def defined_twice(draw: random.Random, model: ModelProto, node: NodeProto) -> bool:
    other = draw.choice(model.graph.node)
    if other is node or not other.output or not node.output:
        return False
    node.output[0] = other.output[0]
    return True


CHANGES: tuple[Change, ...] = (
    *(opset, opset, ir_version, type_of_input, type_of_output, type_of_initializer),
    *(every_type, every_type, every_type, every_type),
    *(without_attribute, number_of_attribute, word_of_attribute, type_of_attribute),
    *(another_attribute, another_operator, another_domain, fewer_inputs, more_inputs),
    *(fewer_outputs, other_input, exchanged_inputs, other_shape, defined_twice),
)
"""What can be changed, the more often named the more often drawn."""


def mutants(models: list[Path], number: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Names of changes, and the files that they make of some of the models."""
    draw = random.Random(seed)
    small = [path for path in models if path.stat().st_size < LARGEST]
    while number:
        model = onnx.load(draw.choice(small), load_external_data=False)
        change = draw.choice(CHANGES)
        if not model.graph.node or not change(draw, model, draw.choice(model.graph.node)):
            continue
        try:
            data = model.SerializeToString()
        except ValueError:
            continue
        yield change.__name__, data
        number -= 1
