"""One model as two readers see it: onnx's protobuf, and graphcount's records, in the same words."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import onnx

from graphcount.domains import canonical
from graphcount.loading import model as records
from graphcount.loading.messages import DATA_FIELDS, MESSAGES
from graphcount.loading.wire import fields, varint

Reading: TypeAlias = "tuple[Any, ...]"

KINDS = {
    row.name: row.name.removesuffix("_type")
    for row in MESSAGES["TypeProto"].values()
    if row.type in MESSAGES
}
DATA = tuple(DATA_FIELDS.values())

VALUES = {
    1: ("f", "float"),
    2: ("i", "int"),
    3: ("s", "string"),
    6: ("floats", "float"),
    7: ("ints", "int"),
    8: ("strings", "string"),
}
"""Members of AttributeProto that hold numbers and strings, by AttributeProto.type."""

MESSAGE_VALUES = {4: "t", 5: "g", 9: "tensors", 10: "graphs", 11: "sparse_tensor"}
MESSAGE_VALUES |= {12: "sparse_tensors"}


def _text(value: str | bytes) -> str:
    """Return a string; what is not UTF-8 comes as bytes."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _texts(values: Iterable[str | bytes]) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)


def _number_bits(kind: str, values: Iterable[Any]) -> tuple[Any, ...]:
    """Return values so that NaN equals itself."""
    if kind == "float":
        return tuple(struct.pack("<f", value) for value in values)
    return tuple(values)


# --------------------------------------------------------------------------------- onnx's reading


def _entries(entries: Any) -> dict[str, str]:
    return {_text(entry.key): _text(entry.value) for entry in entries}


def _onnx_data(tensor: onnx.TensorProto) -> dict[str, Any]:
    held: dict[str, Any] = {}
    for name in DATA:
        value = getattr(tensor, name)
        if name == "raw_data":
            if tensor.HasField(name):
                held[name] = value
        elif len(value) == 0:
            continue
        elif name == "string_data":
            held[name] = b"".join(value)
        elif name in ("float_data", "double_data"):
            held[name] = struct.pack(f"<{len(value)}{'f' if name[0] == 'f' else 'd'}", *value)
        else:
            held[name] = tuple(value)
    return held


def _onnx_tensor(tensor: onnx.TensorProto) -> Reading:
    return (
        _text(tensor.name),
        tensor.data_type,
        tuple(tensor.dims),
        tensor.data_location == onnx.TensorProto.EXTERNAL,
        tuple((_text(entry.key), _text(entry.value)) for entry in tensor.external_data),
        tensor.HasField("segment"),
        _onnx_data(tensor),
    )


def _onnx_sparse(sparse: onnx.SparseTensorProto) -> Reading:
    return _onnx_tensor(sparse.values), _onnx_tensor(sparse.indices), tuple(sparse.dims)


def _onnx_attribute(attribute: onnx.AttributeProto) -> Reading:
    kind = attribute.type
    value: Any = None
    if kind in VALUES:
        member, what = VALUES[kind]
        single = len(member) == 1
        held = getattr(attribute, member)
        value = what, not single, _number_bits(what, [held] if single else held)
        if attribute.ref_attr_name and single and not attribute.HasField(member):
            value = None
        if attribute.ref_attr_name and not single and not len(held):
            value = None
    elif kind in MESSAGE_VALUES:
        held = getattr(attribute, MESSAGE_VALUES[kind])
        rows = held if kind in (9, 10, 12) else [held]
        if kind not in (9, 10, 12) and not attribute.HasField(MESSAGE_VALUES[kind]):
            rows = []
        read: Callable[[Any], Reading] = {4: _onnx_tensor, 9: _onnx_tensor}.get(
            kind, _onnx_graph if kind in (5, 10) else _onnx_sparse
        )
        value = tuple(read(row) for row in rows)
    return _text(attribute.name), kind, _text(attribute.ref_attr_name), value


def _onnx_node(node: onnx.NodeProto) -> Reading:
    return (
        _text(node.op_type),
        canonical(_text(node.domain)),
        _text(node.name),
        _texts(node.input),
        _texts(node.output),
        tuple(_onnx_attribute(attribute) for attribute in node.attribute),
        _text(node.overload),
        _entries(node.metadata_props),
    )


def _onnx_info(info: onnx.ValueInfoProto) -> Reading:
    kind, data_type, shape = "", 0, None
    which = info.type.WhichOneof("value")
    if which is not None:
        kind = KINDS[which]
        if kind in ("tensor", "sparse_tensor"):
            inner = getattr(info.type, which)
            data_type = inner.elem_type
            if inner.HasField("shape"):
                shape = tuple(_onnx_dim(dim) for dim in inner.shape.dim)
    return _text(info.name), kind, data_type, shape


def _onnx_dim(dim: Any) -> int | str | None:
    which = dim.WhichOneof("value")
    if which == "dim_value":
        return int(dim.dim_value)
    return (_text(dim.dim_param) or None) if which else None


def _onnx_graph(graph: onnx.GraphProto) -> Reading:
    return (
        _text(graph.name),
        tuple(_onnx_node(node) for node in graph.node),
        tuple(_onnx_tensor(tensor) for tensor in graph.initializer),
        tuple(_onnx_sparse(sparse) for sparse in graph.sparse_initializer),
        tuple(_onnx_info(info) for info in graph.input),
        tuple(_onnx_info(info) for info in graph.output),
        tuple(_onnx_info(info) for info in graph.value_info),
        _entries(graph.metadata_props),
    )


def _onnx_function(function: onnx.FunctionProto) -> Reading:
    return (
        _text(function.name),
        _text(function.domain),
        _text(function.overload),
        _texts(function.input),
        _texts(function.output),
        _texts(function.attribute),
        tuple(_onnx_attribute(attribute) for attribute in function.attribute_proto),
        tuple(_onnx_node(node) for node in function.node),
        tuple(_onnx_info(info) for info in function.value_info),
        tuple((_text(row.domain), row.version) for row in function.opset_import),
        _entries(function.metadata_props),
    )


def onnx_reading(model: onnx.ModelProto) -> Reading:
    """Return what onnx's protobuf sees in a model."""
    training = [
        getattr(info, name)
        for info in model.training_info
        for name in ("initialization", "algorithm")
        if info.HasField(name)
    ]
    return (
        _onnx_graph(model.graph),
        model.ir_version,
        tuple((_text(row.domain), row.version) for row in model.opset_import),
        (_text(model.producer_name), _text(model.producer_version), _text(model.domain)),
        model.model_version,
        tuple(_onnx_function(function) for function in model.functions),
        frozenset(map(repr, (_onnx_graph(graph) for graph in training))),
        _entries(model.metadata_props),
    )


# ----------------------------------------------------------------------------- graphcount's reading


class Records:
    """Reads records; `data` is the file that their offsets refer to."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def held(self, tensor: records.Tensor) -> dict[str, Any]:
        """Return data fields as onnx gives them."""
        held = {}
        for field in tensor.data_fields:
            if field.data is not None:
                raw = field.data
            elif field.occurrences == 1 or field.field == "raw_data":  # the last one holds
                raw = self.data[field.offset : field.offset + field.nbytes]
            else:
                raw = self.pieces(tensor, field)
            if field.nbytes == 0 and field.field != "raw_data" and field.field != "string_data":
                continue
            integers = field.field in ("int32_data", "int64_data", "uint64_data")
            held[field.field] = _integers(raw, field.field) if integers else raw
        return held

    def pieces(self, tensor: records.Tensor, field: records.DataField) -> bytes:
        """Return data that lies in many pieces, from where the tensor begins."""
        number = next(n for n, row in MESSAGES["TensorProto"].items() if row.name == field.field)
        out = []
        for tag, a, b in fields(self.data, tensor.offset, len(self.data)):
            if tag >> 3 == number:
                out.append(self.data[a:b] if tag & 7 else self.data[b - _nbytes(a) : b])
            if len(out) == field.occurrences:
                break
        return b"".join(out)

    def tensor(self, tensor: records.Tensor) -> Reading:
        """Return a tensor in the words of `onnx_reading`."""
        return (
            tensor.name,
            tensor.data_type,
            tensor.dims,
            tensor.is_external,
            tensor.external,
            tensor.segmented,
            self.held(tensor),
        )

    def sparse(self, sparse: records.SparseTensor) -> Reading:
        """Return a sparse tensor."""
        return self.tensor(sparse.values), self.tensor(sparse.indices), sparse.dims

    def attribute(self, attribute: records.Attribute) -> Reading:
        """Return an attribute: of what it holds what its type says."""
        value: Any = None
        kind = attribute.type
        if kind in VALUES and attribute.numbers is not None:
            numbers = attribute.numbers
            value = numbers.kind, numbers.is_list, _number_bits(numbers.kind, list(numbers.values))
        elif kind in (4, 9):
            value = tuple(self.tensor(tensor) for tensor in attribute.tensors)
        elif kind in (5, 10):
            value = tuple(self.graph(graph) for graph in attribute.graphs)
        elif kind in (11, 12):
            value = tuple(self.sparse(sparse) for sparse in attribute.sparse_tensors)
        elif kind not in (13, 14) and attribute.numbers is not None:
            value = attribute.numbers  # a value under no type
        return attribute.name, kind, attribute.ref_attr_name, value

    def node(self, node: records.Node) -> Reading:
        """Return a node."""
        return (
            node.op_type,
            node.domain,
            node.name,
            node.inputs,
            node.outputs,
            tuple(self.attribute(attribute) for attribute in node.attributes),
            node.overload,
            node.metadata,
        )

    def graph(self, graph: records.Graph) -> Reading:
        """Return a graph."""
        return (
            graph.name,
            tuple(self.node(node) for node in graph.nodes),
            tuple(self.tensor(tensor) for tensor in graph.initializers),
            tuple(self.sparse(sparse) for sparse in graph.sparse_initializers),
            _infos(graph.inputs),
            _infos(graph.outputs),
            _infos(graph.value_info),
            graph.metadata,
        )

    def function(self, function: records.Function) -> Reading:
        """Return a local function."""
        return (
            *(function.name, function.domain, function.overload),
            *(function.inputs, function.outputs, function.attributes),
            tuple(self.attribute(attribute) for attribute in function.attribute_protos),
            tuple(self.node(node) for node in function.nodes),
            _infos(function.value_info),
            function.opset_imports,
            function.metadata,
        )


def _infos(infos: Sequence[records.ValueInfo]) -> Reading:
    return tuple((info.name, info.type, info.data_type, info.shape) for info in infos)


def _nbytes(number: int) -> int:
    return max(1, (number.bit_length() + 6) // 7)


def _integers(raw: bytes, field: str) -> tuple[int, ...]:
    """Return packed varints as the type of their field has them."""
    bits = 32 if field == "int32_data" else 64
    out, at = [], 0
    while at < len(raw):
        number, at = varint(raw, at, len(raw))
        number &= (1 << bits) - 1
        if field != "uint64_data" and number >> (bits - 1):
            number -= 1 << bits
        out.append(number)
    return tuple(out)


def own_reading(proto: records.ModelProto, data: bytes) -> Reading:
    """Return what graphcount sees in a model, in the words of `onnx_reading`."""
    read = Records(data)
    return (
        read.graph(proto.graph),
        proto.ir_version,
        proto.opset_imports,
        (proto.producer_name, proto.producer_version, proto.domain),
        proto.model_version,
        tuple(read.function(function) for function in proto.functions),
        frozenset(map(repr, map(read.graph, proto.training_graphs))),
        proto.metadata,
    )


def difference(one: Any, other: Any, where: str = "") -> str:
    """Return the first place where two readings differ, and how; empty where they do not."""
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            if a != b:
                return difference(a, b, f"{where}/{index}")
    return "" if one == other else f"{where}: {one!r:.200} != {other!r:.200}"
