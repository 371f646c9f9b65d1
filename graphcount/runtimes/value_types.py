"""Types and shapes of values as onnxruntime compares them.

A type is its text: `tensor(float)`, `seq(tensor(int64))` (onnx/defs/data_type_utils.cc); a shape is
merged as its `MergeShapeInfo` does (onnxruntime/core/graph/graph.cc).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import TypeProto

ELEMENTS = {
    1: "float",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "double",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8e4m3fn",
    18: "float8e4m3fnuz",
    19: "float8e5m2",
    20: "float8e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4e2m1",
    24: "float8e8m0",
    25: "uint2",
    26: "int2",
    27: "float6e2m3",
    28: "float6e3m2",
}
"""Element types by TensorProto.DataType code, as onnxruntime writes them."""

CODES = {name: code for code, name in ELEMENTS.items()}

MAX_NESTING = 64
"""Types within types that are looked at."""


def type_text(value: TypeProto, depth: int = 0) -> str:
    """Return the text of a type; empty when it is not stated to the end."""
    kind = value.WhichOneof("value")
    if kind is None or depth > MAX_NESTING:
        return ""
    if kind in ("tensor_type", "sparse_tensor_type"):
        element = ELEMENTS.get(getattr(value, kind).elem_type, "")
        return element and f"{kind.removesuffix('_type')}({element})"
    if kind == "map_type":
        key = ELEMENTS.get(value.map_type.key_type, "")
        inner = type_text(value.map_type.value_type, depth + 1)
        return f"map({key},{inner})" if key and inner else ""
    if kind in ("sequence_type", "optional_type"):
        inner = type_text(getattr(value, kind).elem_type, depth + 1)
        word = "seq" if kind == "sequence_type" else "optional"
        return inner and f"{word}({inner})"
    return f"{kind.removesuffix('_type')}()"


def type_of(text: str) -> TypeProto:
    """Return the type that a text names, without a shape."""
    from onnx import TypeProto

    value = TypeProto()
    word, _, inner = text.removesuffix(")").partition("(")
    if word == "tensor":
        value.tensor_type.elem_type = CODES.get(inner, 0)
    elif word == "sparse_tensor":
        value.sparse_tensor_type.elem_type = CODES.get(inner, 0)
    elif word == "seq":
        value.sequence_type.elem_type.CopyFrom(type_of(inner))
    elif word == "optional":
        value.optional_type.elem_type.CopyFrom(type_of(inner))
    elif word == "map":
        key, _, rest = inner.partition(",")
        value.map_type.key_type = CODES.get(key, 0)
        value.map_type.value_type.CopyFrom(type_of(rest))
    return value


def without_shape(value: TypeProto) -> TypeProto:
    """Return the same type of any shape."""
    return type_of(type_text(value))


def with_shape(value: TypeProto, shape: tuple[int | str | None, ...]) -> TypeProto:
    """Return a tensor type of another shape."""
    result = without_shape(value)
    result.tensor_type.shape.SetInParent()
    for size in shape:
        dim = result.tensor_type.shape.dim.add()
        if isinstance(size, int):
            dim.dim_value = size
        elif size:
            dim.dim_param = size
    return result


def shape_of(value: TypeProto) -> tuple[int | str | None, ...] | None:
    """Return the shape of a tensor type; None when it has none."""
    if value.WhichOneof("value") != "tensor_type" or not value.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
        for dim in value.tensor_type.shape.dim
    )


def merged(inferred: TypeProto, declared: TypeProto) -> TypeProto:
    """Return what is known of a value after both: sizes that contradict are not known.

    Where the ranks differ nothing is known of the shape.
    """
    one, other = shape_of(inferred), shape_of(declared)
    if one is None:
        return declared
    if other is None:
        return inferred
    if len(one) != len(other):
        return without_shape(inferred)
    numbers = [
        (a, b) for a, b in zip(one, other, strict=True) if isinstance(a, int) and isinstance(b, int)
    ]
    clash = any(a != b for a, b in numbers)
    return with_shape(inferred, tuple(_size(a, b, clash) for a, b in zip(one, other, strict=True)))


def _size(a: int | str | None, b: int | str | None, clash: bool) -> int | str | None:
    if clash:  # the union of both: only what they agree in
        return a if a == b else None
    if isinstance(a, int) or not isinstance(b, int):
        return a if a is not None else b
    return b
