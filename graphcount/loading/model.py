"""Records of a model as the file states it: the ONNX messages, without tensor data.

Names are those of onnx.proto. Every record is immutable and says where in the file it stands.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast, overload

from graphcount.domains import canonical
from graphcount.dtypes import DTYPES, DType
from graphcount.errors import Unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Dim: TypeAlias = int | str | None
"""A dimension: a number, a dim_param, or not stated."""


class DataField(NamedTuple):
    """A field of a TensorProto that holds data, and where in the model file that lies.

    Attributes:
        field: TensorProto field name: `raw_data`, `float_data`, …
        offset: First byte in the file.
        nbytes: Bytes of the field's content (for string_data without the per-string framing).
        occurrences: Times the field occurs (a list that is not packed has one for each number).
        data: The bytes themselves when they are few (see `Limits.kept_payload_nbytes`), else None.
    """

    field: str
    offset: int
    nbytes: int
    occurrences: int
    data: bytes | None


class Tensor(NamedTuple):
    """A TensorProto without its data.

    Attributes:
        name: May be empty (Constant attributes).
        data_type: TensorProto.DataType code.
        dims: As stated, negative numbers included.
        data_fields: Data fields present; a valid tensor has one, or external data.
        external: external_data entries in file order, duplicates included.
        is_external: data_location is EXTERNAL.
        segmented: A `segment` is set (obsolete; readers differ).
        offset: Byte offset of the message in the file; unique, so it identifies the tensor.
    """

    name: str
    data_type: int
    dims: tuple[int, ...]
    data_fields: tuple[DataField, ...]
    external: tuple[tuple[str, str], ...]
    is_external: bool
    segmented: bool
    offset: int

    @property
    def dtype(self) -> DType | None:
        """Row of the dtype table, or None for an undefined or unknown code."""
        return DTYPES.get(self.data_type)


class SparseTensor(NamedTuple):
    """A SparseTensorProto: `values` (named like the tensor), `indices`, dense `dims`."""

    values: Tensor
    indices: Tensor
    dims: tuple[int, ...]
    offset: int


class PackedStrings(Sequence[bytes]):
    """Strings one behind the other, and where each of them ends."""

    __slots__ = ("data", "ends")

    def __init__(self, data: bytearray, ends: array[int]) -> None:
        self.data = data
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[bytes, ...]: ...

    def __getitem__(self, index: int | slice) -> bytes | tuple[bytes, ...]:
        places = range(len(self.ends))[index]
        return self._at(places) if isinstance(places, int) else tuple(map(self._at, places))

    def _at(self, place: int) -> bytes:
        return bytes(self.data[self.ends[place - 1] if place else 0 : self.ends[place]])

    def count(self, value: object) -> int:
        """Return how many of the strings are this one."""
        return int(self.equal(value).sum()) if isinstance(value, bytes) else 0

    def equal(self, text: bytes) -> NDArray[np.bool_]:
        """Return for each of the strings whether it is this one."""
        import numpy as np

        data, ends = np.frombuffer(self.data, np.uint8), np.asarray(self.ends)
        same: NDArray[np.bool_] = np.diff(ends, prepend=ends.dtype.type(0)) == len(text)
        starts = ends[same] - ends.dtype.type(len(text))
        alike = np.ones(len(starts), bool)
        for place, byte in enumerate(text):
            alike &= data[starts + ends.dtype.type(place)] == byte
        same[same] = alike
        return same


ListValues: TypeAlias = "array[int] | array[float] | PackedStrings"
"""Elements of a long list."""


class ListRun(NamedTuple):
    """A part of a list that was decoded in bulk.

    Attributes:
        at: Where it stood among the bytes that were kept of the file.
        slot: `ints`, `floats` or `strings`.
        values: Its elements.
    """

    at: int
    slot: str
    values: ListValues


class AttributeValues(NamedTuple):
    """The values an attribute keeps itself (f, i, s, floats, ints, strings).

    Attributes:
        kind: `float`, `int` or `string`.
        values: The values; strings stay bytes.
        nbytes: Bytes they take in the file (varints for integers).
        is_list: A list attribute, also when it holds one value.
    """

    kind: str
    values: Sequence[int] | Sequence[float] | Sequence[bytes]
    nbytes: int
    is_list: bool


UNSTATED = {
    1: AttributeValues("float", (0.0,), 0, False),
    2: AttributeValues("int", (0,), 0, False),
    3: AttributeValues("string", (b"",), 0, False),
    6: AttributeValues("float", (), 0, True),
    7: AttributeValues("int", (), 0, True),
    8: AttributeValues("string", (), 0, True),
}
"""What an attribute holds that states its type only: proto3 writers leave out zeros, and an empty
list has no field at all."""


class Attribute(NamedTuple):
    """An AttributeProto.

    Attributes:
        name: Attribute name.
        type: AttributeProto.AttributeType code as stated (0 when not stated).
        ref_attr_name: Inside a function: the function attribute it takes its value from.
        numbers: f, i, s, floats, ints or strings; None when there are none.
        tensors: t and tensors.
        sparse_tensors: sparse_tensor and sparse_tensors.
        graphs: g and graphs.
        offset: Byte offset of the message in the file.
    """

    name: str
    type: int
    ref_attr_name: str
    numbers: AttributeValues | None
    tensors: tuple[Tensor, ...]
    sparse_tensors: tuple[SparseTensor, ...]
    graphs: tuple[Graph, ...]
    offset: int


class Mistyped(NamedTuple):
    """An attribute with fields that its type does not name.

    Attributes:
        name: Attribute name.
        type: AttributeProto.AttributeType code; 0 when none is stated, or one that does not exist.
        members: Fields of AttributeProto that hold a value, sorted.
        offset: Byte offset of the message in the file.
    """

    name: str
    type: int
    members: tuple[str, ...]
    offset: int

    def why(self, ir_version: int) -> str:
        """Return what is wrong; empty for a single value of IR version 1, which had no types."""
        if len(self.members) > 1:
            return "it holds more than one value; readers differ in which they take"
        if self.type:
            return f"it holds a value in {self.members[0]}, which its type does not name"
        return "its type is not stated" if ir_version > 1 else ""


class Node(NamedTuple):
    """A NodeProto; `metadata` holds its metadata_props."""

    op_type: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    overload: str
    metadata: dict[str, str]
    offset: int

    def attribute(self, name: str) -> Attribute | None:
        """Return the first attribute of that name, or None."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        return None

    def subgraphs(self) -> Iterator[tuple[str, Graph]]:
        """Yield the graphs of attributes, by name below this node: `body`, `branches[1]`."""
        for attribute in self.attributes:
            for number, graph in enumerate(attribute.graphs):
                yield f"{attribute.name}[{number}]" if number else attribute.name, graph

    def _values(self, name: str, kind: str) -> Sequence[int | float | bytes] | None:
        """Return the values of an attribute; None when it holds none of that kind."""
        attribute = self.attribute(name)
        if attribute is None or attribute.numbers is None or attribute.numbers.kind != kind:
            return None
        return attribute.numbers.values

    def integer(self, name: str, default: int) -> int:
        """Return integer attribute `name`, or `default` when it is absent or holds no integer."""
        values = self._values(name, "int")
        return int(values[0]) if values else default

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Return integer list attribute `name`, or None when it is absent or holds no integers."""
        values = self.integer_list(name)
        return None if values is None else tuple(values)

    def integer_list(self, name: str) -> Sequence[int] | None:
        """Return the same as it is kept: a long list in an `array`."""
        return cast("Sequence[int] | None", self._values(name, "int"))

    def number(self, name: str, default: float) -> float:
        """Return float attribute `name`, or `default`."""
        values = self._values(name, "float")
        return float(values[0]) if values else default

    def text(self, name: str, default: str = "") -> str:
        """Return string attribute `name`, or `default`."""
        values = self._values(name, "string")
        value = values[0] if values else default
        return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else default


class ValueInfo(NamedTuple):
    """A ValueInfoProto.

    Attributes:
        name: Value name.
        type: `tensor`, `sparse_tensor`, `sequence`, `map`, `optional`, `opaque` or empty.
        data_type: Element type code of a tensor, else 0.
        shape: Dimensions, or None when no shape is stated.
    """

    name: str
    type: str
    data_type: int
    shape: tuple[Dim, ...] | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A GraphProto."""

    name: str = ""
    nodes: tuple[Node, ...] = ()
    initializers: tuple[Tensor, ...] = ()
    sparse_initializers: tuple[SparseTensor, ...] = ()
    inputs: tuple[ValueInfo, ...] = ()
    outputs: tuple[ValueInfo, ...] = ()
    value_info: tuple[ValueInfo, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def fed_inputs(self) -> tuple[ValueInfo, ...]:
        """Inputs that take a value: IR < 4 repeats initializers among them, those do not."""
        stored = {tensor.name for tensor in self.initializers}
        stored.update(sparse.values.name for sparse in self.sparse_initializers)
        return tuple(info for info in self.inputs if info.name not in stored)


class Function(NamedTuple):
    """A FunctionProto: a model-local function."""

    name: str
    domain: str
    overload: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[str, ...]
    attribute_protos: tuple[Attribute, ...]
    nodes: tuple[Node, ...]
    value_info: tuple[ValueInfo, ...]
    opset_imports: tuple[tuple[str, int], ...]
    metadata: dict[str, str]

    @property
    def id(self) -> tuple[str, str, str]:
        """Domain, name and overload: what a node refers to."""
        return self.domain, self.name, self.overload


class UnknownField(NamedTuple):
    """A protobuf field that onnx.proto does not define: who carries it and how large it is."""

    message: str
    number: int
    wire_type: int
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class ModelProto:
    """A ModelProto and what was noticed while reading it.

    Attributes:
        issues: What could not be read or trusted, found while decoding.
        unknown_fields: Fields outside onnx.proto.
        repeated_fields: Singular fields that occur again: (message, field, byte offset).
        mistyped_attributes: Attributes with fields that their type does not name.
        work_left: Units of `graphcount.loading.limits.WORK` that the file may still ask for.
    """

    graph: Graph
    ir_version: int = 0
    opset_imports: tuple[tuple[str, int], ...] = ()
    producer_name: str = ""
    producer_version: str = ""
    domain: str = ""
    model_version: int = 0
    functions: tuple[Function, ...] = ()
    training_graphs: tuple[Graph, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    issues: tuple[Unknown, ...] = ()
    unknown_fields: tuple[UnknownField, ...] = ()
    repeated_fields: tuple[tuple[str, str, int], ...] = ()
    mistyped_attributes: tuple[Mistyped, ...] = ()
    work_left: int = field(default=0, compare=False)

    def opset(self, domain: str = "") -> int | None:
        """Return imported opset version of a domain (`""` and `ai.onnx` are the same), or None."""
        versions = (version for name, version in self.opset_imports if canonical(name) == domain)
        return next(versions, None)


def all_nodes(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield every node of a body and of the subgraphs in it; a node comes before its bodies."""
    stack = [nodes]
    while stack:
        for node in stack.pop():
            yield node
            for attribute in node.attributes:
                if attribute.graphs:
                    stack.extend(graph.nodes for graph in attribute.graphs)


def bodies_below(nodes: Iterable[Node]) -> Iterator[Graph]:
    """Yield every subgraph of some nodes, and those inside."""
    for node in all_nodes(nodes):
        for attribute in node.attributes:
            yield from attribute.graphs


def census(proto: ModelProto) -> tuple[int, int]:
    """Count nodes and subgraphs in the file: main graph and functions, each stored node once."""
    nodes = [*proto.graph.nodes, *(node for function in proto.functions for node in function.nodes)]
    return sum(1 for _ in all_nodes(nodes)), sum(1 for _ in bodies_below(nodes))
