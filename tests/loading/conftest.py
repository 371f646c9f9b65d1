"""Helpers of the loading tests: bytes by hand, a model of everything, a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from graphcount.loading.model import (
    Attribute,
    Function,
    Graph,
    ModelProto,
    Node,
    SparseTensor,
    Tensor,
    ValueInfo,
)

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
PAYLOADS = [
    field.name
    for field in TensorProto.DESCRIPTOR.fields
    if field.name.endswith("_data") and field.name != "external_data"
]

# ------------------------------------------------------------------------------- bytes by hand


Int = int


class Wire:
    """The protobuf encoding, written down again for the tests."""

    @staticmethod
    def varint(number: int) -> bytes:
        number &= (1 << 64) - 1
        out = []
        while True:
            number, low = number >> 7, number & 0x7F
            out.append(low | (0x80 if number else 0))
            if not number:
                return bytes(out)

    @classmethod
    def tag(cls, number: int, wire_type: int) -> bytes:
        return cls.varint(number << 3 | wire_type)

    @classmethod
    def int(cls, number: Int, value: Int) -> bytes:
        return cls.tag(number, 0) + cls.varint(value)

    @classmethod
    def len(cls, number: Int, content: bytes) -> bytes:
        return cls.tag(number, 2) + cls.varint(len(content)) + content

    @classmethod
    def model(cls, graph: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
        """A ModelProto around the bytes of a graph."""
        opset = cls.len(8, cls.int(2, 20))
        return before + cls.int(1, 8) + cls.len(7, graph) + opset + after

    @classmethod
    def tensor(cls, content: bytes) -> bytes:
        """A ModelProto with one initializer of these bytes."""
        return cls.model(cls.len(5, content))


@pytest.fixture(scope="session")
def wire() -> type[Wire]:
    return Wire


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write bytes to a file and return its path."""

    def make(data: bytes, name: str = "model.onnx") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    return make


@pytest.fixture(scope="session")
def shared_models() -> list[Path]:
    """Every model of ../shared that onnx itself can parse."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: third-party models are not part of the project")
    return sorted(
        path
        for folder in ("corpus", "cases", "truth")
        for path in (SHARED / folder).rglob("*.onnx")
        if path.is_file()
    )


# ------------------------------------------------------------------------ a model of everything


def raw_and_typed(code: int, shape: Sequence[int], name: str) -> list[TensorProto]:
    """The same numbers as raw_data (if the type has it) and in the typed field."""
    count = int(np.prod(shape))
    if code == TensorProto.STRING:
        words = [b"word %d" % index for index in range(count)]
        return [TensorProto(name=f"{name}.typed", data_type=code, dims=shape, string_data=words)]
    numbers = np.array([index % 2 for index in range(count)]).tolist()
    typed = helper.make_tensor(f"{name}.typed", code, shape, numbers)
    array = np.array(numbers).reshape(shape).astype(helper.tensor_dtype_to_np_dtype(code))
    raw = onnx.numpy_helper.from_array(array, f"{name}.raw")
    assert raw.data_type == code
    return [typed, raw]


def sparse(name: str, dims: Sequence[int]) -> onnx.SparseTensorProto:
    values = helper.make_tensor(name, TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
    indices = helper.make_tensor("", TensorProto.INT64, [3], [0, 2, 5])
    return helper.make_sparse_tensor(values, indices, dims)


def every_attribute() -> onnx.NodeProto:
    """One operator with an attribute of each AttributeType."""
    body = helper.make_graph([helper.make_node("Relu", ["a"], ["b"], name="inner")], "body", [], [])
    large = onnx.numpy_helper.from_array(np.arange(700, dtype=np.float32), "large")
    tensor_type = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    return helper.make_node(
        "Everything",
        ["x", "", "z"],
        ["", "out"],
        name="every attribute",
        domain="test.domain",
        overload="second",
        doc_string="text that is skipped",
        float=1.5,
        int=-7,
        string="größe",
        tensor=large,
        graph=body,
        sparse_tensor=sparse("values", [2, 3]),
        type_proto=tensor_type,
        floats=[0.5, -0.25],
        ints=[-(2**63), -1, 0, 127, 128, 2**63 - 1],
        strings=["", "a", "b"],
        tensors=[large, large],
        graphs=[body, body],
        sparse_tensors=[sparse("s", [6]), sparse("t", [3, 2])],
        type_protos=[tensor_type],
        many_floats=[float(index) for index in range(1500)],
        many_ints=[index * 1000 - 5 for index in range(1500)],
    )


def every_value_info() -> list[onnx.ValueInfoProto]:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [2, "n", None])
    opaque = onnx.ValueInfoProto(name="opaque")
    opaque.type.opaque_type.name = "thing"
    return [
        helper.make_tensor_value_info("scalar", TensorProto.INT64, []),
        helper.make_tensor_value_info("dims", TensorProto.FLOAT16, [2, "batch", None, -1, 0]),
        helper.make_tensor_value_info("no shape", TensorProto.BOOL, None),
        helper.make_sparse_tensor_value_info("sparse", TensorProto.DOUBLE, [3, "m"]),
        helper.make_value_info("sequence", helper.make_sequence_type_proto(tensor)),
        helper.make_value_info("optional", helper.make_optional_type_proto(tensor)),
        helper.make_value_info("map", helper.make_map_type_proto(TensorProto.INT64, tensor)),
        opaque,
        onnx.ValueInfoProto(name="no type"),
    ]


def build_everything() -> onnx.ModelProto:
    tensors = [
        tensor
        for code in TensorProto.DataType.values()
        if code
        for shape in ((), (5,), (40, 33))
        for tensor in raw_and_typed(code, shape, f"{TensorProto.DataType.Name(code)}{shape}")
    ]
    odd = TensorProto(name="odd", data_type=1, dims=[2, -3], doc_string="a doc")
    odd.segment.begin = 1
    external = TensorProto(name="external", data_type=1, dims=[4])
    external.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "a.bin"), ("offset", "16"), ("location", "b.bin")):
        external.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [every_attribute(), helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")],
        "main",
        every_value_info(),
        every_value_info()[:2],
        [*tensors, odd, external],
        "doc",
        every_value_info()[3:],
        sparse_initializer=[sparse("sparse weight", [4, 5])],
    )
    graph.metadata_props.add(key="graph key", value="graph value")
    graph.node[0].metadata_props.add(key="namespace", value="a/b")
    graph.quantization_annotation.add(tensor_name="q")
    function = helper.make_function(
        "test.domain",
        "F",
        ["a", "b"],
        ["c"],
        [helper.make_node("Add", ["a", "b"], ["c"])],
        [helper.make_opsetid("", 20)],
        attributes=["alpha"],
        attribute_protos=[helper.make_attribute("beta", 2.5)],
        overload="second",
        value_info=every_value_info()[:1],
    )
    reference = function.node[0].attribute.add(name="k", type=onnx.AttributeProto.INT)
    reference.ref_attr_name = "alpha"
    function.metadata_props.add(key="k", value="v")
    model = helper.make_model(
        graph,
        functions=[function],
        producer_name="producer",
        producer_version="1.2",
        domain="org.example",
        model_version=-3,
        doc_string="doc",
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("test.domain", 1)],
        ir_version=11,
    )
    helper.set_model_props(model, {"author": "me", "license": "none"})
    training = model.training_info.add()
    training.initialization.name = "initialization"
    training.algorithm.CopyFrom(
        helper.make_graph([helper.make_node("Abs", ["a"], ["b"])], "t", [], [])
    )
    training.update_binding.add(key="w", value="w2")
    model.configuration.add(name="two devices", num_devices=2)
    return model


@pytest.fixture(scope="session")
def everything() -> onnx.ModelProto:
    """A model with each dtype raw and typed, each attribute type, each kind of value."""
    return build_everything()


# -------------------------------------------------------------------------------- a comparison


class Comparison:
    """Compares records with onnx's messages, and payload places with the bytes of the file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.tensors = 0

    def model(self, ours: ModelProto, theirs: onnx.ModelProto) -> None:
        for name in ("ir_version", "producer_name", "producer_version", "domain", "model_version"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert ours.opset_imports == self.opsets(theirs.opset_import)
        assert ours.metadata == self.entries(theirs.metadata_props)
        self.graph(ours.graph, theirs.graph)
        self.each(self.function, ours.functions, theirs.functions)
        training = [
            graph
            for info in theirs.training_info
            for field, graph in info.ListFields()
            if field.name in ("initialization", "algorithm")
        ]
        self.each(self.graph, ours.training_graphs, training)

    @staticmethod
    def each(check: Callable[[Any, Any], None], ours: Sequence[Any], theirs: Iterable[Any]) -> None:
        for one, other in zip(ours, theirs, strict=True):
            check(one, other)

    @staticmethod
    def opsets(entries: Iterable[onnx.OperatorSetIdProto]) -> tuple[tuple[str, int], ...]:
        return tuple((entry.domain, entry.version) for entry in entries)

    @staticmethod
    def entries(entries: Iterable[onnx.StringStringEntryProto]) -> dict[str, str]:
        return {entry.key: entry.value for entry in entries}

    def graph(self, ours: Graph, theirs: onnx.GraphProto) -> None:
        assert ours.name == theirs.name
        assert ours.metadata == self.entries(theirs.metadata_props)
        self.each(self.node, ours.nodes, theirs.node)
        self.each(self.tensor, ours.initializers, theirs.initializer)
        self.each(self.sparse, ours.sparse_initializers, theirs.sparse_initializer)
        self.each(self.value_info, ours.inputs, theirs.input)
        self.each(self.value_info, ours.outputs, theirs.output)
        self.each(self.value_info, ours.value_info, theirs.value_info)

    def function(self, ours: Function, theirs: onnx.FunctionProto) -> None:
        assert ours.id == (theirs.domain, theirs.name, theirs.overload)
        assert ours.inputs == tuple(theirs.input)
        assert ours.outputs == tuple(theirs.output)
        assert ours.attributes == tuple(theirs.attribute)
        assert ours.opset_imports == self.opsets(theirs.opset_import)
        assert ours.metadata == self.entries(theirs.metadata_props)
        self.each(self.attribute, ours.attribute_protos, theirs.attribute_proto)
        self.each(self.node, ours.nodes, theirs.node)
        self.each(self.value_info, ours.value_info, theirs.value_info)

    def node(self, ours: Node, theirs: onnx.NodeProto) -> None:
        assert ours.op_type == theirs.op_type
        assert ours.domain == ("" if theirs.domain == "ai.onnx" else theirs.domain)
        assert (ours.name, ours.overload) == (theirs.name, theirs.overload)
        assert ours.inputs == tuple(theirs.input)
        assert ours.outputs == tuple(theirs.output)
        assert ours.metadata == self.entries(theirs.metadata_props)
        self.each(self.attribute, ours.attributes, theirs.attribute)
        self.here(ours.offset, theirs)

    def attribute(self, ours: Attribute, theirs: onnx.AttributeProto) -> None:
        kind = onnx.AttributeProto.AttributeType.Name(theirs.type)
        assert (ours.name, ours.type) == (theirs.name, theirs.type)
        assert ours.ref_attr_name == theirs.ref_attr_name
        self.here(ours.offset, theirs)
        field = {
            "FLOAT": "f",
            "INT": "i",
            "STRING": "s",
            "FLOATS": "floats",
            "INTS": "ints",
            "STRINGS": "strings",
        }.get(kind)
        if field is None or (theirs.ref_attr_name and not self.given(theirs, field)):
            assert ours.numbers is None
        else:
            value = getattr(theirs, field)
            assert ours.numbers is not None
            is_list = kind.endswith("S")
            assert ours.numbers.is_list is is_list
            assert ours.numbers.kind == kind.rstrip("S").lower()
            expected = list(value) if is_list else [value]
            numbers: Any = list(ours.numbers.values)
            assert np.array_equal(numbers, expected, equal_nan=field[0] == "f")
            if kind.startswith("FLOAT"):
                assert ours.numbers.nbytes == 4 * len(expected)
            elif kind.startswith("STRING"):
                assert ours.numbers.nbytes == sum(map(len, expected))
            else:
                assert ours.numbers.nbytes == sum(len(Wire.varint(item)) for item in expected)
        single_and_list: dict[str, tuple[Callable[[Any, Any], None], Sequence[Any], str]] = {
            "t": (self.tensor, ours.tensors, "tensors"),
            "g": (self.graph, ours.graphs, "graphs"),
            "sparse_tensor": (self.sparse, ours.sparse_tensors, "sparse_tensors"),
        }
        for name, (check, records, several) in single_and_list.items():
            single = [getattr(theirs, name)] if theirs.HasField(name) else []
            self.each(check, records, [*single, *getattr(theirs, several)])

    @staticmethod
    def given(theirs: onnx.AttributeProto, field: str) -> bool:
        return any(descriptor.name == field for descriptor, _ in theirs.ListFields())

    def sparse(self, ours: SparseTensor, theirs: onnx.SparseTensorProto) -> None:
        assert ours.dims == tuple(theirs.dims)
        self.tensor(ours.values, theirs.values)
        self.tensor(ours.indices, theirs.indices)

    def value_info(self, ours: ValueInfo, theirs: onnx.ValueInfoProto) -> None:
        kind = theirs.type.WhichOneof("value") or ""
        assert (ours.name, ours.type) == (theirs.name, kind.removesuffix("_type"))
        if kind not in ("tensor_type", "sparse_tensor_type"):
            assert (ours.data_type, ours.shape) == (0, None)
            return
        tensor = getattr(theirs.type, kind)
        assert ours.data_type == tensor.elem_type
        dims = None
        if tensor.HasField("shape"):
            dims = tuple(
                dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
                for dim in tensor.shape.dim
            )
        assert ours.shape == dims

    def tensor(self, ours: Tensor, theirs: TensorProto) -> None:
        self.tensors += 1
        assert (ours.name, ours.data_type) == (theirs.name, theirs.data_type)
        assert ours.dims == tuple(theirs.dims)
        assert ours.external == tuple((pair.key, pair.value) for pair in theirs.external_data)
        assert ours.is_external == (theirs.data_location == TensorProto.EXTERNAL)
        assert ours.segmented == theirs.HasField("segment")
        self.here(ours.offset, theirs)
        payloads = {payload.field: payload for payload in ours.data_fields}
        assert len(payloads) == len(ours.data_fields)
        present = {name for name in PAYLOADS if len(getattr(theirs, name))}
        empty = set(payloads) - present
        assert set(payloads) >= present
        assert all(payloads[name].nbytes == 0 for name in empty)
        for name in present:
            payload = payloads[name]
            value = getattr(theirs, name)
            if name == "string_data":
                assert payload.nbytes == sum(map(len, value))
                assert payload.occurrences == len(value)
            elif payload.occurrences == 1:
                piece = self.data[payload.offset : payload.offset + payload.nbytes]
                assert numbers_of(name, piece) == (value if name == "raw_data" else list(value))
                assert payload.data in (None, piece)
                assert (payload.data is None) == (payload.nbytes > 1024)

    def here(self, offset: int, theirs: Any) -> None:
        """The message stands at that offset, right behind its size."""
        size = theirs.ByteSize()
        assert self.data[:offset].endswith(Wire.varint(size))
        assert type(theirs).FromString(self.data[offset : offset + size]) == theirs


def numbers_of(field: str, piece: bytes) -> Any:
    """Numbers of a packed payload field, or the bytes of raw_data."""
    if field == "raw_data":
        return piece
    if field in ("float_data", "double_data"):
        return np.frombuffer(piece, "<f4" if field == "float_data" else "<f8").tolist()
    values = []
    number = shift = 0
    for byte in piece:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            negative = number >> 63 and field != "uint64_data"
            values.append(number - (1 << 64) if negative else number)
            number = shift = 0
    assert shift == 0, "the piece ends inside a number"
    return values


@pytest.fixture
def same_as_onnx() -> Callable[[ModelProto, onnx.ModelProto, bytes], int]:
    """Compare a record with a message; returns how many tensors were compared."""

    def compare(ours: ModelProto, theirs: onnx.ModelProto, data: bytes) -> int:
        comparison = Comparison(data)
        comparison.model(ours, theirs)
        return comparison.tensors

    return compare
