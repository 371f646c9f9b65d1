"""The nodes of a model as a quantizer goes through them: each with the initializers it reads.

An initializer is one that the node itself names: what comes out of a Transpose, Cast or Constant is
none to these tools.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from math import prod
from typing import NamedTuple

from graphcount.dtypes import dtype_name
from graphcount.loading.model import Graph, ModelProto, Node
from graphcount.ops import lookup
from graphcount.ops.call import Call
from graphcount.ops.inference import result_dtypes
from graphcount.report.rows import OUTPUT


class HeldTensor(NamedTuple):
    """An initializer, or its transposed copy.

    Attributes:
        key: Offset of the tensor: its identity.
        copy: Number of the graph that keeps a transposed copy; 0 for the tensor itself.
        dtype: Name of the element type.
        shape: Dimensions.
    """

    key: int
    copy: int
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Product of the dimensions."""
        return prod(self.shape)


class Reader(NamedTuple):
    """A node, or the outputs of a graph together (`OUTPUT`).

    Attributes:
        op_type: Of the node, or of what a Gemm is replaced by.
        operands: The initializer at each input; None where something else is.
        node: The stored node; the last one of the graph for its outputs.
        nested: It stands in a body.
        typed: Its first input holds floats, as far as onnx infers types.
    """

    op_type: str
    operands: tuple[HeldTensor | None, ...]
    node: Node
    nested: bool
    typed: bool = True

    @property
    def label(self) -> str:
        """Operator and name of the node, or of its result."""
        return f"{self.op_type} {self.node.name or ''.join(self.node.outputs[:1])}"

    def operand(self, index: int) -> HeldTensor | None:
        """Return the initializer at an input, or None."""
        return self.operands[index] if index < len(self.operands) else None


class Readers(NamedTuple):
    """What a quantizer sees of a model.

    Attributes:
        nodes: Nodes in file order, those of bodies after their node; outputs after the nodes.
        initializers: Offsets of all initializers of the main graph and of bodies.
    """

    nodes: tuple[Reader, ...]
    initializers: frozenset[int]


def readers_of(proto: ModelProto, *, without_gemm: bool) -> Readers:
    """Return the nodes of a model's graph and of the bodies in it.

    Args:
        proto: The model.
        without_gemm: Each Gemm with alpha = beta = 1 and transA = 0 is a MatMul and an Add, as
            `ONNXModel.replace_gemm_with_matmul` writes it: with transB, a graph gets one transposed
            copy of the initializer.
    """
    walk = _Reading(frozenset(function.domain for function in proto.functions), without_gemm)
    return Readers(tuple(walk.graph(proto.graph, ())), frozenset(walk.initializers))


Scopes = tuple[dict[str, HeldTensor], ...]
"""Initializers by name, of the main graph first."""

_NO_NODE = Node("", "", "", (), (), (), "", {}, 0)


class _Reading:
    def __init__(self, functions: frozenset[str], without_gemm: bool) -> None:
        self.functions = functions
        self.without_gemm = without_gemm
        self.initializers: set[int] = set()
        self.numbers = count(1)

    def graph(self, graph: Graph, outer: Scopes) -> Iterator[Reader]:
        """Yield the nodes of a graph, which stands in others."""
        own: dict[str, HeldTensor] = {}
        for tensor in graph.initializers:
            possible = min(tensor.dims, default=0) >= 0
            dtype = dtype_name(tensor.data_type if possible else 0)
            own.setdefault(tensor.name, HeldTensor(tensor.offset, 0, dtype, tensor.dims))
            self.initializers.add(tensor.offset)
        scopes, number, nested = (*outer, own), next(self.numbers), bool(outer)
        types = _Types(graph, self.functions)
        for node in graph.nodes:
            operands = tuple([_initializer(name, scopes) for name in node.inputs])
            if self.without_gemm and _is_product(node):
                yield from _product(node, operands, number, nested)
            else:
                yield Reader(node.op_type, operands, node, nested, types.reads_floats(node))
            types.infer(node)
            for _, body in node.subgraphs():
                yield from self.graph(body, scopes)
        outputs = tuple([_initializer(info.name, scopes) for info in graph.outputs])
        yield Reader(OUTPUT, outputs, _NO_NODE, nested)


ONNX_DOMAINS = frozenset({"", "ai.onnx.ml", "ai.onnx.preview.training"})
"""Domains whose operators onnx infers the results of; of all others it knows nothing."""


FLOATS = (1, 10)
"""TensorProto.DataType codes of float32 and float16."""


class _Types:
    """Element types of values as onnx infers them: declared ones, and what follows."""

    def __init__(self, graph: Graph, functions: frozenset[str]) -> None:
        self.domains = ONNX_DOMAINS | functions
        infos = (*graph.inputs, *graph.outputs, *graph.value_info)
        self.codes = {info.name: info.data_type for info in infos}
        self.codes.update((tensor.name, tensor.data_type) for tensor in graph.initializers)

    def reads_floats(self, node: Node) -> bool:
        """Return whether a node's first input is known to hold floats."""
        return self.codes.get(node.inputs[0], 0) in FLOATS if node.inputs else False

    def infer(self, node: Node) -> None:
        """Go on to the results of a node; bodies and functions are taken to return floats."""
        if node.domain not in self.domains:
            return
        operator = lookup(node.domain, node.op_type)
        if operator is None or "runs bodies" in operator.traits:
            made = [FLOATS[0]] * len(node.outputs)
        else:
            inputs = tuple([self.codes.get(name, 0) for name in node.inputs])
            call = Call(node, 0, (None,) * len(inputs), dtypes=inputs or FLOATS[:1])
            made = result_dtypes(operator.dtypes, call)
        for name, code in zip(node.outputs, made, strict=True):
            self.codes.setdefault(name, code)


def _initializer(name: str, scopes: Scopes) -> HeldTensor | None:
    for scope in reversed(scopes):
        if name in scope:
            return scope[name]
    return None


def _is_product(node: Node) -> bool:
    """Return whether a node is a Gemm that is a product and a sum."""
    return (
        node.op_type == "Gemm"
        and node.number("alpha", 1.0) == node.number("beta", 1.0) == 1.0
        and node.integer("transA", 0) == 0
        and len(node.inputs) >= 2
    )


def _product(
    node: Node, operands: tuple[HeldTensor | None, ...], number: int, nested: bool
) -> Iterator[Reader]:
    """Yield the MatMul and the Add that a Gemm is replaced by."""
    weight = operands[1]
    if weight is not None and node.integer("transB", 0) == 1:
        weight = weight._replace(copy=number, shape=weight.shape[::-1])
    yield Reader("MatMul", (operands[0], weight), node, nested)
    if len(operands) > 2:
        yield Reader("Add", (None, operands[2]), node, nested)
