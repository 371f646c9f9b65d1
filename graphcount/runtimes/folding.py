"""Small integers that nodes make of constants: shapes and axes, before the model runs.

onnxruntime folds constants when a session is made, and infers shapes again with what comes out.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from graphcount.loading.model import Attribute, AttributeValues, Node
from graphcount.ops import lookup
from graphcount.ops.call import Facts, Numbers, Shape, whole
from graphcount.ops.inference import CANNOT
from graphcount.runtimes.value_types import CODES, shape_of, type_text

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto, TensorProto, TypeProto

    from graphcount.runtimes.scope import NameScope

INTEGERS = {6: "<i", 7: "<q", 9: "<?"}
"""Element types of shapes, axes and conditions, as `struct` names their bytes."""


def call_of(node: NodeProto, domain: str, scope: NameScope) -> Facts:
    """Return a node with what is known around it, as rules of operators see it."""
    kinds = [scope.type(name) if name else None for name in node.input]
    numbers = tuple(elements(scope.constant(name) if name else None) for name in node.input)
    return Facts(
        record_of(node),
        scope.opsets.get(domain, 1),
        tuple(map(_static, kinds)),
        tuple(None if row is None else whole(row) for row in numbers),
        tuple(0 if kind is None else _code(kind) for kind in kinds),
        (),
        numbers,
        next((elements(row.t) for row in node.attribute if row.type == 4), None),
    )


def fold(node: NodeProto, domain: str, scope: NameScope) -> None:
    """Keep the elements of the results of a node that are known, where it can be folded."""
    operator = lookup(domain, node.op_type)
    if operator is None or operator.data is None:
        return
    shape_only = "shape only" in operator.traits
    names = [name for name in node.input if name]
    if not shape_only and any(scope.constant(name) is None for name in names):
        return
    facts = call_of(node, domain, scope)
    for name, shape, numbers in zip(node.input, facts.inputs, facts.numbers, strict=True):
        unknown = (shape is None or None in shape) if shape_only else numbers is None
        if name and unknown:
            return
    kinds = [scope.type(name) if name else None for name in node.output]
    try:
        results = operator.data(facts, tuple(map(_static, kinds)))
    except CANNOT:
        return
    for name, kind, made in zip(node.output, kinds, results, strict=False):
        tensor = _tensor(made, kind)
        if name and tensor is not None:
            scope.constants[name] = tensor


def dtypes_of(node: NodeProto, domain: str, scope: NameScope) -> list[int]:
    """Return element types of the results that the record of an operator states; 0: not known."""
    operator = lookup(domain, node.op_type)
    if operator is None or operator.dtypes is None or not domain:
        return []
    try:
        return operator.dtypes(call_of(node, domain, scope))
    except CANNOT:
        return []


def elements(tensor: TensorProto | None) -> Numbers | None:
    """Return the elements of a small tensor of integers; None for another one."""
    if tensor is None or tensor.data_type not in INTEGERS:
        return None
    if tensor.HasField("raw_data"):
        row = struct.iter_unpack(INTEGERS[tensor.data_type], tensor.raw_data)
        return tuple(int(number) for (number,) in row)
    return tuple(tensor.int64_data if tensor.data_type == 7 else tensor.int32_data)


def record_of(node: NodeProto) -> Node:
    """Return a node as rules of operators read it: with the numbers of its attributes."""
    attributes = tuple(_attribute(row) for row in node.attribute)
    names = tuple(node.input), tuple(node.output)
    return Node(node.op_type, node.domain, node.name, *names, attributes, "", {}, 0)


def _attribute(row: AttributeProto) -> Attribute:
    values = {
        1: AttributeValues("float", (row.f,), 0, False),
        2: AttributeValues("int", (row.i,), 0, False),
        3: AttributeValues("string", (row.s,), 0, False),
        6: AttributeValues("float", tuple(row.floats), 0, True),
        7: AttributeValues("int", tuple(row.ints), 0, True),
        8: AttributeValues("string", tuple(row.strings), 0, True),
    }
    return Attribute(row.name, row.type, "", values.get(row.type), (), (), (), 0)


def _static(kind: TypeProto | None) -> Shape | None:
    """Return a shape with its numbers; None for dimensions with a name."""
    shape = None if kind is None else shape_of(kind)
    return None if shape is None else tuple(d if isinstance(d, int) else None for d in shape)


def _code(kind: TypeProto) -> int:
    return CODES.get(type_text(kind).removeprefix("tensor(").removesuffix(")"), 0)


def _tensor(numbers: Numbers | None, kind: TypeProto | None) -> TensorProto | None:
    """Return a tensor of these elements; None where one is not known."""
    from onnx import TensorProto

    row, shape = whole(numbers), _static(kind)
    code = 0 if kind is None else _code(kind)
    if row is None or shape is None or None in shape or code not in INTEGERS:
        return None
    tensor = TensorProto(data_type=code, dims=[d for d in shape if isinstance(d, int)])
    (tensor.int64_data if code == 7 else tensor.int32_data).extend(row)
    return tensor
