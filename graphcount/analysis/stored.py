"""Every stored tensor of a file: where it stands, how many elements, how many bytes.

A stored tensor is any tensor data that the file keeps (docs/counting.md): initializers, sparse
initializers, tensors and lists of values in attributes of Constant and of ai.onnx.ml operators,
tensor attributes of every other operator, in the main graph, in subgraphs, functions, training
graphs. Each is found once however often it is used; its byte offset in the file is its identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from graphcount.analysis.tensor_size import element_count, measure
from graphcount.dtypes import BY_NAME, dtype_name
from graphcount.errors import Problem, Unknown
from graphcount.graph import all_nodes
from graphcount.loading.model import (
    Attribute,
    AttributeValues,
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
        nbytes: Elements x width of the type, packed below 8 bits, however they are written; the
            length of the text for strings, what is there for an undefined type.
        in_file_nbytes: Bytes of its data in the model file, as they are written there.
        referenced_nbytes: Bytes of external data files that it refers to.
        absent_nbytes: Bytes its dimensions ask for that are stored nowhere.
        where: Kind of place.
        in_function: It stands in the body of a local function.
        in_training: It stands in training_info.
        constant: It is held by a Constant node.
        tensor: The record, or None for a number list.
        sparse: The sparse record, or None.
        numbers: The list of values, or None.
        externals: Its external data; of a sparse tensor that of its values and of its indices.
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
    referenced_nbytes: int
    absent_nbytes: int
    where: Where
    in_function: bool
    in_training: bool
    constant: bool
    tensor: Tensor | None
    sparse: SparseTensor | None
    numbers: AttributeValues | None
    externals: tuple[ExternalData, ...]
    problems: tuple[Problem, ...]

    @property
    def unknowns(self) -> tuple[Unknown, ...]:
        """Its problems, as what they make unknown."""
        where = (self.name or UNNAMED)[:200]
        return tuple(problem.unknown(where) for problem in self.problems)

    @property
    def stored_nbytes(self) -> int:
        """Bytes that its data takes where it lies."""
        return self.in_file_nbytes + self.referenced_nbytes

    @property
    def external(self) -> ExternalData | None:
        """Its external data, or None."""
        return self.externals[0] if self.externals else None

    @property
    def is_external(self) -> bool:
        """Whether its data lies in an external data file."""
        return bool(self.externals)


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
                referenced_nbytes=size.referenced_nbytes,
                absent_nbytes=size.absent_nbytes,
                where=self.place(where, external is not None),
                in_function=self.in_function,
                in_training=self.training,
                constant=constant,
                tensor=tensor,
                sparse=None,
                numbers=None,
                externals=(external,) if external is not None else (),
                problems=size.problems,
            )
        )

    def sparse(self, name: str, sparse: SparseTensor, *, constant: bool) -> None:
        parts = []
        externals = []
        for tensor in (sparse.values, sparse.indices):
            external = self.external(tensor)
            externals += [external] if external is not None else []
            parts.append(measure(tensor, external))
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
                referenced_nbytes=values.referenced_nbytes + indices.referenced_nbytes,
                absent_nbytes=values.absent_nbytes + indices.absent_nbytes,
                where=self.place("sparse", bool(externals)),
                in_function=self.in_function,
                in_training=self.training,
                constant=constant,
                tensor=None,
                sparse=sparse,
                numbers=None,
                externals=tuple(externals),
                problems=tuple(problems),
            )
        )

    def numbers(
        self, name: str, attribute: Attribute, numbers: AttributeValues, *, constant: bool
    ) -> None:
        count, dtype = len(numbers.values), NUMBER_DTYPE[numbers.kind]
        width = BY_NAME[dtype]
        self.stored.append(
            Stored(
                key=attribute.offset,
                name=name,
                dtype=dtype,
                shape=(count,) if numbers.is_list else (),
                elements=count,
                stored_elements=count,
                nbytes=width.nbytes(count) if width.bits else numbers.nbytes,
                in_file_nbytes=numbers.nbytes,
                referenced_nbytes=0,
                absent_nbytes=0,
                where=self.place("constant" if constant else "attribute", external=False),
                in_function=self.in_function,
                in_training=self.training,
                constant=constant,
                tensor=None,
                sparse=None,
                numbers=numbers,
                externals=(),
                problems=(),
            )
        )
