"""Every message of onnx.proto (onnx 1.23): field number → name, type, singular or repeated.

The one statement of onnx.proto: the decoder, the walk that leaves tensor data out, and whoever
looks at every string or for unknown fields read these tables. Types are `string`, `bytes`, `int32`,
`int64`, `uint64`, `float`, `double`, or the name of an enum or a message.
"""

from __future__ import annotations

from typing import NamedTuple

VARINT, I64, LEN, I32 = 0, 1, 2, 5

ENUMS = {"AttributeProto.AttributeType": 15, "TensorProto.DataLocation": 2}
"""How many values each enum has, from 0 on."""

INTEGERS = frozenset({"int32", "int64", "uint64", *ENUMS})
"""Types that are written as varints."""

WIRE_TYPES = dict.fromkeys(INTEGERS, VARINT) | {"float": I32, "double": I64}
"""Wire types of numbers that are not packed; all else is length-delimited."""


class Field(NamedTuple):
    """A field of a message.

    Attributes:
        name: As in onnx.proto.
        type: See the module.
        many: Repeated.
        text: What a string is for: a `name`, a `doc`, a `value` (free text beside a key), or
            `data` (what the model computes with).
        oneof: Only one field of the message with this word holds: the last one that is given.
    """

    name: str
    type: str
    many: bool = False
    text: str = ""
    oneof: str = ""


def _name(name: str, many: bool = False) -> Field:
    return Field(name, "string", many, "name")


def _doc() -> Field:
    return Field("doc_string", "string", False, "doc")


def _data(name: str, many: bool = False) -> Field:
    return Field(name, "bytes", many, "data")


def _int(name: str, many: bool = False) -> Field:
    return Field(name, "int64", many)


def _int32(name: str, many: bool = False) -> Field:
    return Field(name, "int32", many)


def _value(name: str, type_: str, text: str = "") -> Field:
    """Return a member of a oneof; onnx.proto has at most one in a message."""
    return Field(name, type_, False, text, "value")


def _entries(name: str) -> Field:
    return Field(name, "StringStringEntryProto", True)


MESSAGES: dict[str, dict[int, Field]] = {
    "ModelProto": {
        1: _int("ir_version"),
        2: _name("producer_name"),
        3: _name("producer_version"),
        4: _name("domain"),
        5: _int("model_version"),
        6: _doc(),
        7: Field("graph", "GraphProto"),
        8: Field("opset_import", "OperatorSetIdProto", True),
        14: _entries("metadata_props"),
        20: Field("training_info", "TrainingInfoProto", True),
        25: Field("functions", "FunctionProto", True),
        26: Field("configuration", "DeviceConfigurationProto", True),
    },
    "OperatorSetIdProto": {1: _name("domain"), 2: _int("version")},
    "StringStringEntryProto": {1: _name("key"), 2: Field("value", "string", False, "value")},
    "GraphProto": {
        1: Field("node", "NodeProto", True),
        2: _name("name"),
        5: Field("initializer", "TensorProto", True),
        10: _doc(),
        11: Field("input", "ValueInfoProto", True),
        12: Field("output", "ValueInfoProto", True),
        13: Field("value_info", "ValueInfoProto", True),
        14: Field("quantization_annotation", "TensorAnnotation", True),
        15: Field("sparse_initializer", "SparseTensorProto", True),
        16: _entries("metadata_props"),
    },
    "NodeProto": {
        1: _name("input", True),
        2: _name("output", True),
        3: _name("name"),
        4: _name("op_type"),
        5: Field("attribute", "AttributeProto", True),
        6: _doc(),
        7: _name("domain"),
        8: _name("overload"),
        9: _entries("metadata_props"),
        10: Field("device_configurations", "NodeDeviceConfigurationProto", True),
    },
    "AttributeProto": {
        1: _name("name"),
        2: Field("f", "float"),
        3: _int("i"),
        4: _data("s"),
        5: Field("t", "TensorProto"),
        6: Field("g", "GraphProto"),
        7: Field("floats", "float", True),
        8: _int("ints", True),
        9: _data("strings", True),
        10: Field("tensors", "TensorProto", True),
        11: Field("graphs", "GraphProto", True),
        13: _doc(),
        14: Field("tp", "TypeProto"),
        15: Field("type_protos", "TypeProto", True),
        20: Field("type", "AttributeProto.AttributeType"),
        21: _name("ref_attr_name"),
        22: Field("sparse_tensor", "SparseTensorProto"),
        23: Field("sparse_tensors", "SparseTensorProto", True),
    },
    "TensorProto": {
        1: _int("dims", True),
        2: _int32("data_type"),
        3: Field("segment", "TensorProto.Segment"),
        4: Field("float_data", "float", True),
        5: _int32("int32_data", True),
        6: _data("string_data", True),
        7: _int("int64_data", True),
        8: _name("name"),
        9: Field("raw_data", "bytes"),
        10: Field("double_data", "double", True),
        11: Field("uint64_data", "uint64", True),
        12: _doc(),
        13: _entries("external_data"),
        14: Field("data_location", "TensorProto.DataLocation"),
        16: _entries("metadata_props"),
    },
    "TensorProto.Segment": {1: _int("begin"), 2: _int("end")},
    "SparseTensorProto": {
        1: Field("values", "TensorProto"),
        2: Field("indices", "TensorProto"),
        3: _int("dims", True),
    },
    "ValueInfoProto": {
        1: _name("name"),
        2: Field("type", "TypeProto"),
        3: _doc(),
        4: _entries("metadata_props"),
    },
    "TypeProto": {
        1: _value("tensor_type", "TypeProto.Tensor"),
        4: _value("sequence_type", "TypeProto.Sequence"),
        5: _value("map_type", "TypeProto.Map"),
        6: _name("denotation"),
        7: _value("opaque_type", "TypeProto.Opaque"),
        8: _value("sparse_tensor_type", "TypeProto.SparseTensor"),
        9: _value("optional_type", "TypeProto.Optional"),
    },
    "TypeProto.Tensor": {1: _int32("elem_type"), 2: Field("shape", "TensorShapeProto")},
    "TypeProto.SparseTensor": {1: _int32("elem_type"), 2: Field("shape", "TensorShapeProto")},
    "TypeProto.Sequence": {1: Field("elem_type", "TypeProto")},
    "TypeProto.Optional": {1: Field("elem_type", "TypeProto")},
    "TypeProto.Map": {1: _int32("key_type"), 2: Field("value_type", "TypeProto")},
    "TypeProto.Opaque": {1: _name("domain"), 2: _name("name")},
    "TensorShapeProto": {1: Field("dim", "TensorShapeProto.Dimension", True)},
    "TensorShapeProto.Dimension": {
        1: _value("dim_value", "int64"),
        2: _value("dim_param", "string", "name"),
        3: _name("denotation"),
    },
    "TensorAnnotation": {
        1: _name("tensor_name"),
        2: _entries("quant_parameter_tensor_names"),
    },
    "TrainingInfoProto": {
        1: Field("initialization", "GraphProto"),
        2: Field("algorithm", "GraphProto"),
        3: _entries("initialization_binding"),
        4: _entries("update_binding"),
    },
    "FunctionProto": {
        1: _name("name"),
        2: _int("since_version"),
        3: _int("status"),
        4: _name("input", True),
        5: _name("output", True),
        6: _name("attribute", True),
        7: Field("node", "NodeProto", True),
        8: _doc(),
        9: Field("opset_import", "OperatorSetIdProto", True),
        10: _name("domain"),
        11: Field("attribute_proto", "AttributeProto", True),
        12: Field("value_info", "ValueInfoProto", True),
        13: _name("overload"),
        14: _entries("metadata_props"),
    },
    "DeviceConfigurationProto": {
        1: _name("name"),
        2: _int32("num_devices"),
        3: _name("device", True),
    },
    "NodeDeviceConfigurationProto": {
        1: _name("configuration_id"),
        2: Field("sharding_spec", "ShardingSpecProto", True),
        3: _int32("pipeline_stage"),
    },
    "ShardingSpecProto": {
        1: _name("tensor_name"),
        2: _int("device", True),
        3: Field("index_to_device_group_map", "IntIntListEntryProto", True),
        4: Field("sharded_dim", "ShardedDimProto", True),
    },
    "IntIntListEntryProto": {1: _int("key"), 2: _int("value", True)},
    "ShardedDimProto": {
        1: _int("axis"),
        2: Field("simple_sharding", "SimpleShardedDimProto", True),
    },
    "SimpleShardedDimProto": {
        1: _value("dim_value", "int64"),
        2: _value("dim_param", "string", "name"),
        3: _int("num_shards"),
    },
}
"""All messages by name. FunctionProto 2 and 3 are of IR version 8 and older."""


def tag(message: str, name: str) -> int:
    """Return a field's tag, `number << 3 | wire type`; of a repeated number the unpacked one."""
    number, row = next(item for item in MESSAGES[message].items() if item[1].name == name)
    return number << 3 | WIRE_TYPES.get(row.type, LEN)


def tags(message: str) -> dict[int, str]:
    """Return the names of a message's fields by tag; a repeated number has two (packed)."""
    names = {}
    for number, row in MESSAGES[message].items():
        names[number << 3 | WIRE_TYPES.get(row.type, LEN)] = row.name
        if row.many:
            names[number << 3 | LEN] = row.name
    return names


def _paths_to_tensors() -> dict[str, dict[int, str]]:
    """Return messages that can hold a tensor, by the field that leads to them."""
    paths: dict[str, dict[int, str]] = {"TensorProto": {}}
    grown = True
    while grown:
        larger = {
            name: {n: row.type for n, row in message.items() if row.type in paths}
            for name, message in MESSAGES.items()
        }
        larger = {name: rows for name, rows in larger.items() if rows or name in paths}
        grown, paths = larger != paths, larger
    return paths


PATHS_TO_TENSORS = _paths_to_tensors()
"""Messages that can hold a tensor, by the field that leads to them."""

DATA_FIELDS = {
    number: row.name
    for number, row in MESSAGES["TensorProto"].items()
    if row.name.endswith("_data") and row.type not in MESSAGES
}
"""TensorProto fields that hold data."""

VARINT_FIELDS = frozenset(n for n in DATA_FIELDS if MESSAGES["TensorProto"][n].type in INTEGERS)
"""Those of varints."""

_FIXED_NBYTES = {
    number: {"float": 4, "double": 8}.get(MESSAGES["TensorProto"][number].type, 1)
    for number in DATA_FIELDS
}
"""Bytes of each number, where all take as many; else 1."""


DATA_TAGS = frozenset(number for number in tags("TensorProto") if number >> 3 in DATA_FIELDS)
"""Tags of these fields, of numbers packed and unpacked."""


def packed_remainder(number: int, nbytes: int) -> str:
    """Return what is wrong with a packed data field's size; empty where it is right."""
    size = _FIXED_NBYTES[number]
    return f"packed values of {size} bytes take {nbytes:,} bytes" if nbytes % size else ""
