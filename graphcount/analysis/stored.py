"""Every stored tensor of a file: where it stands, how many elements, how many bytes.

A stored tensor is any tensor data that the file keeps (docs/counting.md): initializers, sparse
initializers, tensors and lists of values in attributes of Constant and of ai.onnx.ml operators,
tensor attributes of every other operator, in the main graph, in subgraphs, functions, training
graphs. Each is found once however often it is used; its byte offset in the file is its identity.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Literal, NamedTuple

from graphcount.dtypes import DType, dtype_name
from graphcount.errors import Problem, Unknown
from graphcount.graph import all_nodes
from graphcount.loading.model import (
    Attribute,
    AttributeValues,
    DataField,
    Function,
    Graph,
    ModelProto,
    Node,
    SparseTensor,
    Tensor,
)
from graphcount.ops import lookup

if TYPE_CHECKING:
    from graphcount.loading.external import ExternalData, Way

Where = Literal["initializer", "constant", "sparse", "attribute", "function", "external", "input"]

NUMBER_DTYPE = {"float": "float32", "int": "int64", "string": "string"}
"""Type of the tensor a Constant makes from a number attribute (Operators.md, Constant)."""

CONSTANT_FORMS = frozenset(
    {"value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings"}
)


UNNAMED = "(unnamed tensor)"


class Stored(NamedTuple):
    """One stored tensor.

    Attributes:
        key: Byte offset of its message: its identity.
        name: Name of the initializer, or of the value a Constant makes, or `NODE.attribute`.
        dtype: Name of the element type.
        shape: Dimensions, `()` for a scalar.
        elements: Logical numbers: the product of the dimensions (0 when a dimension is negative).
        stored_elements: Numbers physically there (non-zeros of a sparse tensor).
        nbytes: Bytes: by dimensions and type, or what they take for strings and varints.
        in_file_nbytes: Bytes of its data in the model file itself.
        absent_nbytes: Bytes its dimensions ask for that are stored nowhere.
        where: Kind of place.
        in_function: It stands in the body of a local function.
        in_training: It stands in training_info.
        constant: It is held by a Constant node.
        tensor: The record, or None for a number list.
        sparse: The sparse record, or None.
        numbers: The list of values, or None.
        external: Its external data, or None.
        problems: What cannot be trusted about it.
    """

    key: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    stored_elements: int
    nbytes: int
    in_file_nbytes: int
    absent_nbytes: int
    where: Where
    in_function: bool
    in_training: bool
    constant: bool
    tensor: Tensor | None
    sparse: SparseTensor | None
    numbers: AttributeValues | None
    external: ExternalData | None
    problems: tuple[Problem, ...]

    @property
    def unknowns(self) -> tuple[Unknown, ...]:
        """Its problems, as what they make unknown."""
        where = (self.name or UNNAMED)[:200]
        return tuple(problem.unknown(where) for problem in self.problems)

    @property
    def is_external(self) -> bool:
        """Whether its data lies in an external data file."""
        return self.external is not None


def find_stored(proto: ModelProto, model_path: str) -> tuple[Stored, ...]:
    """Return every stored tensor in file order.

    Args:
        proto: The model.
        model_path: Its path: external data is looked for beside it (never opened).
    """
    finder = _Finder(model_path)
    finder.graph(proto.graph)
    for function in proto.functions:
        finder.function(function)
    finder.training = True
    for graph in proto.training_graphs:
        finder.graph(graph)
    return tuple(finder.stored)


class _Finder:
    def __init__(self, model_path: str) -> None:
        self.model_path = model_path
        self.stored: list[Stored] = []
        self.side_files: dict[str, ExternalData] = {}
        self.way: Way | None = None
        self.in_function = False
        self.training = False

    def graph(self, graph: Graph) -> None:
        """Collect the tensors of a graph, of its nodes, and of the subgraphs in them."""
        self.initializers(graph)
        for node in all_nodes(graph.nodes):
            if node.attributes:
                self.node(node)
            for attribute in node.attributes:
                for body in attribute.graphs:
                    self.initializers(body)

    def function(self, function: Function) -> None:
        """Collect the tensors of a function body and of its attribute defaults."""
        self.in_function = True
        for attribute in function.attribute_protos:
            self.attribute(function.name, attribute, constant=False)
            for body in attribute.graphs:
                self.graph(body)
        self.graph(Graph(nodes=function.nodes))
        self.in_function = False

    def initializers(self, graph: Graph) -> None:
        for tensor in graph.initializers:
            self.dense(tensor.name, tensor, "initializer", constant=False)
        for sparse in graph.sparse_initializers:
            self.sparse(sparse.values.name, sparse, constant=False)

    def node(self, node: Node) -> None:
        """Collect the tensors in the attributes of one node."""
        constant = node.op_type == "Constant" and node.domain == ""
        spec = lookup(node.domain, node.op_type)
        for attribute in node.attributes:
            if constant:
                name = node.outputs[0] if node.outputs else node.name
            else:
                name = f"{node.name or node.op_type}.{attribute.name}"
            self.attribute(name, attribute, constant=constant)
            if attribute.numbers is None or attribute.ref_attr_name:
                continue
            is_value = constant and attribute.name in CONSTANT_FORMS
            if is_value or (spec is not None and attribute.name in spec.attributes):
                self.numbers(name, attribute, attribute.numbers, constant=constant)

    def attribute(self, name: str, attribute: Attribute, *, constant: bool) -> None:
        where: Where = "constant" if constant else "attribute"
        for tensor in attribute.tensors:
            self.dense(name, tensor, where, constant=constant)
        for sparse in attribute.sparse_tensors:
            self.sparse(name, sparse, constant=constant)

    def place(self, where: Where, external: bool) -> Where:
        """Return the most telling place: external data before function before the rest."""
        if external:
            return "external"
        return "function" if self.in_function else where

    def external(self, tensor: Tensor) -> ExternalData | None:
        if not tensor.is_external:
            return None
        from graphcount.loading.external import Way, locate

        self.way = self.way or Way(self.model_path)
        return locate(tensor, self.model_path, self.side_files, self.way)

    def dense(self, name: str, tensor: Tensor, where: Where, *, constant: bool) -> None:
        external = self.external(tensor)
        size = measure(tensor, external)
        self.stored.append(
            Stored(
                key=tensor.offset,
                name=name or tensor.name,
                dtype=dtype_name(tensor.data_type),
                shape=tensor.dims,
                elements=size.elements,
                stored_elements=size.elements,
                nbytes=size.nbytes,
                in_file_nbytes=size.in_file_nbytes,
                absent_nbytes=size.absent_nbytes,
                where=self.place(where, external is not None),
                in_function=self.in_function,
                in_training=self.training,
                constant=constant,
                tensor=tensor,
                sparse=None,
                numbers=None,
                external=external,
                problems=size.problems,
            )
        )

    def sparse(self, name: str, sparse: SparseTensor, *, constant: bool) -> None:
        parts = []
        external = None
        for tensor in (sparse.values, sparse.indices):
            side = self.external(tensor)
            external = external or side
            parts.append(measure(tensor, side))
        values, indices = parts
        elements, problem = element_count(sparse.dims)
        problems = [*values.problems, *indices.problems, *([problem] if problem else [])]
        if values.elements > elements:
            why = f"{values.elements} values for {elements} cells"
            evidence = {"cells": elements, "values": values.elements}
            problems.append(Problem("TEN009", "sparse tensor", why, evidence))
        if indices.elements not in (values.elements, values.elements * len(sparse.dims)):
            why = f"{indices.elements} indices for {values.elements} values"
            problems.append(Problem("TEN009", "sparse tensor", why))
        self.stored.append(
            Stored(
                key=sparse.offset,
                name=name,
                dtype=dtype_name(sparse.values.data_type),
                shape=sparse.dims,
                elements=elements,
                stored_elements=values.elements,
                nbytes=values.nbytes + indices.nbytes,
                in_file_nbytes=values.in_file_nbytes + indices.in_file_nbytes,
                absent_nbytes=values.absent_nbytes + indices.absent_nbytes,
                where=self.place("sparse", external is not None),
                in_function=self.in_function,
                in_training=self.training,
                constant=constant,
                tensor=None,
                sparse=sparse,
                numbers=None,
                external=external,
                problems=tuple(problems),
            )
        )

    def numbers(
        self, name: str, attribute: Attribute, numbers: AttributeValues, *, constant: bool
    ) -> None:
        count = len(numbers.values)
        self.stored.append(
            Stored(
                key=attribute.offset,
                name=name,
                dtype=NUMBER_DTYPE[numbers.kind],
                shape=(count,) if numbers.is_list else (),
                elements=count,
                stored_elements=count,
                nbytes=numbers.nbytes,
                in_file_nbytes=numbers.nbytes,
                absent_nbytes=0,
                where=self.place("constant" if constant else "attribute", external=False),
                in_function=self.in_function,
                in_training=self.training,
                constant=constant,
                tensor=None,
                sparse=None,
                numbers=numbers,
                external=None,
                problems=(),
            )
        )


class Size(NamedTuple):
    """Numbers and bytes of one TensorProto; see `Stored`."""

    elements: int
    nbytes: int
    in_file_nbytes: int
    absent_nbytes: int
    problems: tuple[Problem, ...]


def element_count(dims: tuple[int, ...]) -> tuple[int, Problem | None]:
    """Return the product of the dims, exact, and what is wrong with them."""
    if any(dim < 0 for dim in dims):
        why = f"a dimension is negative: {list(dims)}"
        return 0, Problem("TEN001", "tensor size", why, {"dims": list(dims)})
    elements = prod(dims)
    if elements >= 1 << 63:
        why = f"the dims {list(dims)} multiply to {elements}, beyond 64 bits"
        return elements, Problem("TEN002", "tensor size", why, {"dims": list(dims)})
    return elements, None


def measure(tensor: Tensor, external: ExternalData | None) -> Size:
    """Count the elements of a tensor and check that its data is as large as its dims say.

    Sizes follow onnx.proto: raw_data holds ceil(elements * bits / 8) bytes; typed fields hold one
    entry an element, two of a complex number, and pack small integers as raw_data does.
    """
    elements, problem = element_count(tensor.dims)
    problems = [problem] if problem else []
    dtype = tensor.dtype
    present = sum(data.nbytes for data in tensor.data_fields)
    if dtype is None:
        why = f"element type {dtype_name(tensor.data_type)} is not defined"
        problems.append(Problem("TEN004", "element type", why))
        return Size(elements, present, present, 0, tuple(problems))
    if tensor.segmented:
        problems.append(_data_problem("TEN014", "it is split into segments (obsolete)"))
    expected = dtype.nbytes(elements)
    if external is not None:
        problems += _external_problems(external, dtype, present)
        return Size(elements, expected, 0, 0, tuple(problems))
    if tensor.external:
        why = "external_data is given but data_location is not EXTERNAL"
        problems.append(_data_problem("EXT018", why))
    if len(tensor.data_fields) > 1:
        names = " and ".join(data.field for data in tensor.data_fields)
        problems.append(_data_problem("TEN005", f"more than one data field: {names}"))
    if not any(data.nbytes or data.field == "string_data" for data in tensor.data_fields):
        if elements and not problem:
            why = f"no tensor data: {expected or elements} bytes are missing"
            problems.append(_data_problem("TEN007", why, expected=expected, found=0))
        return Size(elements, expected, 0, expected, tuple(problems))
    data = tensor.data_fields[0]
    if data.field == "raw_data" and dtype.family != "string":
        in_file = min(present, expected)
        if data.nbytes != expected and not problem:
            why = f"raw_data has {data.nbytes} bytes, dims and type ask for {expected}"
            problems.append(_data_problem("TEN003", why, expected=expected, found=data.nbytes))
        return Size(elements, expected, in_file, expected - in_file, tuple(problems))
    if data.field != dtype.typed_field:
        problems.append(_data_problem("TEN006", f"{dtype.name} elements in {data.field}"))
    elif not problem and not _fits(dtype, elements, data):
        why = f"{data.field} ({data.nbytes} bytes) does not hold {elements} {dtype.name}"
        problems.append(_data_problem("TEN003", why, elements=elements, found=data.nbytes))
    return Size(elements, present, present, 0, tuple(problems))


def _data_problem(rule: str, why: str, **evidence: int) -> Problem:
    return Problem(rule, "tensor data", why, evidence)


def _external_problems(external: ExternalData, dtype: DType, present: int) -> list[Problem]:
    """Return what is wrong with a tensor with external data."""
    problems = [*external.problems]
    if dtype.family == "string":
        problems.append(Problem("TEN006", "external data", "strings cannot be external"))
    if present:
        why = f"external data and {present} bytes in the file as well"
        problems.append(_data_problem("TEN005", why))
    return problems


def _fits(dtype: DType, elements: int, field: DataField) -> bool:
    """Return whether a typed field can hold that many elements.

    Fixed-width fields are checked exactly, string_data by its count, varints one by one when they
    were kept, else by their bounds: an entry takes 1 to 10 bytes.
    """
    if dtype.typed_field == "string_data":
        return field.occurrences == elements
    if dtype.typed_field == "float_data" or dtype.typed_field == "double_data":
        return field.nbytes == dtype.nbytes(elements)
    entries = dtype.entries(elements)
    if field.data is not None:  # the last byte of a varint is below 128
        return len(field.data.translate(None, _CONTINUED)) == entries
    return entries <= field.nbytes <= 10 * entries


_CONTINUED = bytes(range(128, 256))
