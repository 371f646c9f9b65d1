"""Constants as onnxruntime has them: a Constant node is an initializer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphcount.runtimes.scope import CONSTANT_NBYTES

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

_FIELDS = {
    1: ("f", 1),
    2: ("i", 7),
    3: ("s", 8),
    6: ("floats", 1),
    7: ("ints", 7),
    8: ("strings", 8),
}
"""Field and element type of the value by the type of the attribute that holds it."""


def constant_of(node: NodeProto) -> tuple[str, TensorProto] | None:
    """Return the name and the tensor of a Constant node; None for others.

    Its first attribute holds it, whatever the domain of the node and the name of the attribute
    (onnxruntime/core/graph/graph_utils.cc, `ConstantNodeProtoToTensorProto`).
    """
    from onnx import TensorProto

    if node.op_type != "Constant" or len(node.output) != 1 or not node.attribute:
        return None
    attribute = node.attribute[0]
    if attribute.type == 4:
        return node.output[0], attribute.t
    if attribute.type not in _FIELDS or attribute.ref_attr_name:
        return None
    field, code = _FIELDS[attribute.type]
    many = field in ("floats", "ints", "strings")
    held = getattr(attribute, field)
    values = list(held) if many else [held]
    tensor = TensorProto(data_type=code)
    if many:
        tensor.dims.append(len(values))
    if code == 1:
        tensor.float_data.extend(values)
    elif code == 7:
        tensor.int64_data.extend(values)
    else:
        tensor.string_data.extend(values)
    return node.output[0], tensor


def small(tensor: TensorProto) -> bool:
    """Return whether a tensor holds all its elements, and few."""
    from math import prod

    if tensor.data_location or tensor.data_type not in (1, 6, 7, 9, 11):
        return False
    elements = prod(tensor.dims)
    width = {1: 4, 6: 4, 7: 8, 9: 1, 11: 8}[tensor.data_type]
    if min(tensor.dims, default=0) < 0 or elements * width > CONSTANT_NBYTES:
        return False
    if tensor.HasField("raw_data"):
        return bool(len(tensor.raw_data) == elements * width)
    held = {1: tensor.float_data, 7: tensor.int64_data, 11: tensor.double_data}
    return bool(len(held.get(tensor.data_type, tensor.int32_data)) == elements)
