"""One text of a graph without its names: equal texts, equal architectures.

The graph is walked from its outputs, breadth first, each node's inputs in their order; nodes are
numbered as they are met. Since outputs and inputs are ordered, this is one walk only, however nodes
and values are called and in which order the file lists them, and two graphs give the same text
exactly when they have the same shape (a rooted graph with ordered edges has a canonical walk). What
no output depends on has no order; it is described from its inputs down and sorted.

Names of inputs and outputs count as names: only their order, types and shapes are described.
Dynamic dimensions are numbered as they first appear. A Constant is a stored tensor, as an
initializer is.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from graphcount.analysis.wiring import attribute_texts, tensor_text, wires
from graphcount.domains import canonical
from graphcount.dtypes import dtype_name
from graphcount.graph import ModelGraph, OperatorNode, is_constant
from graphcount.loading.model import AttributeValues, ModelProto, ValueInfo

DigestsOf = Callable[[str], tuple[str, str]]
"""Digests of the tensor data that a graph node holds: of shape constants, and of all."""


class Trace:
    """The text of one graph."""

    def __init__(
        self, proto: ModelProto, graph: ModelGraph, stored: frozenset[int], values: DigestsOf
    ) -> None:
        self.proto = proto
        self.graph = graph
        self.stored = stored
        self.values = values
        self.numbers: dict[str, int] = {}
        self.dims: dict[str, int] = {}
        self.positions = _positions(graph)

    def digests(self) -> tuple[str, str]:
        """Return SHA-256 of the text with the shape constants, and with all tensor data."""
        digests = [hashlib.sha256(b"graphcount architecture 1\n") for _ in range(2)]
        for text, node in self.lines():
            for digest, values in zip(digests, self.values(node), strict=True):
                digest.update(f"{text} {values}\n".encode("utf-8", "surrogatepass"))
        dead = list(self.rest())
        for position, digest in enumerate(digests):
            for line in sorted(f"{text} {self.values(node)[position]}" for text, node in dead):
                digest.update(f"{line}\n".encode("utf-8", "surrogatepass"))
        return digests[0].hexdigest(), digests[1].hexdigest()

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield what outputs depend on: each node's line without its tensor data, and its id."""
        for line in self.opsets():
            yield line, ""
        roots = [node.id for node in self.graph.inputs] + [node.id for node in self.graph.outputs]
        queue: deque[str] = deque()
        for node in roots:
            self.number(node, queue)
        while queue:
            node = queue.popleft()
            inputs = [
                f"{place}={self.number(producer, queue)}.{output}"
                for place, producer, output in wires(self.graph, node)
            ]
            yield f"{self.described(node)} <- {' '.join(inputs)}", node

    def opsets(self) -> Iterator[str]:
        """Yield the versions of the operators in use: in another, a name has another meaning."""
        used = {domain for domain, _ in self.graph.by_operator}
        imports = list(self.proto.opset_imports)
        for function in self.proto.functions:
            imports += function.opset_imports
        plain = {(canonical(name), version) for name, version in imports}
        for name, version in sorted(plain):
            if name in used:
                yield f"opset {name!r} {version}"

    def number(self, node: str, queue: deque[str]) -> int:
        """Return number of a node; one that is met for the first time will be described."""
        number = self.numbers.get(node)
        if number is None:
            number = self.numbers[node] = len(self.numbers)
            queue.append(node)
        return number

    def described(self, node: str) -> str:
        """Return a node without its inputs."""
        data = self.graph.nodes[node]
        if data.kind == "initializer":
            return f"tensor {tensor_text(data.tensor)}"
        if data.kind == "operator":
            return self.operator(data)
        kind, info, position = data.kind, data.info, self.positions[node]
        if data.scope:
            body = self.graph.body_at.get(data.scope)
            place = body.name if body is not None else data.scope
            number = self.numbers.get(body.node.id, "") if body is not None else ""
            return f"{kind} {position} of {place} of {number}"
        return f"{kind} {position} {info.type} {dtype_name(info.data_type)} {self.shape(info)}"

    def operator(self, node: OperatorNode) -> str:
        """Return operator and attributes; a Constant is the tensor it holds."""
        texts = attribute_texts(node.record, self.stored)
        if is_constant(node) and len(texts) == 1:
            return f"tensor {_constant(node)}"
        kinds = {item.name: item.numbers for item in node.record.attributes}
        attributes = " ".join(
            f"{name!r}{_kind(kinds[name])}={text!r}" for name, text in texts.items()
        )
        results = "".join("1" if name else "0" for name in node.outputs).rstrip("0")
        return f"{node.domain!r}::{node.op_type!r} {attributes} {results}"

    def shape(self, info: ValueInfo) -> str:
        """Return the dimensions with the dynamic ones numbered."""
        if info.shape is None:
            return "?"
        dims = []
        for dim in info.shape:
            if isinstance(dim, str):
                dims.append(f"d{self.dims.setdefault(dim, len(self.dims))}")
            else:
                dims.append("?" if dim is None else str(dim))
        return f"[{','.join(dims)}]"

    def rest(self) -> Iterator[tuple[str, str]]:
        """Yield what no output depends on: a digest of all that a node depends on, and its id."""
        digests: dict[str, str] = {}
        left = [node for node in self.graph.nodes if node not in self.numbers]
        if not left:
            return
        ordered = [node for node in self.graph.order if node not in self.numbers]
        cyclic = set(left) - set(ordered)
        for node in (*ordered, *(node for node in left if node in cyclic)):
            inputs = [
                f"{wire.place}={self.known(wire.producer, digests)}.{wire.output}"
                for wire in wires(self.graph, node)
            ]
            text = f"dead {self.described(node)} <- {' '.join(inputs)}"
            digests[node] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            yield digests[node], node

    def known(self, node: str, digests: Mapping[str, str]) -> str:
        """Return a live node's number, a dead one's digest (none yet: it is on a cycle)."""
        number = self.numbers.get(node)
        return str(number) if number is not None else digests.get(node, "cycle")


def _kind(numbers: AttributeValues | None) -> str:
    """Return the type of an attribute's value: the text "1" is not the number 1."""
    return "" if numbers is None else f":{numbers.kind}{'s' if numbers.is_list else ''}"


def _constant(node: OperatorNode) -> str:
    """Return the type and shape of what a Constant holds."""
    attribute = node.record.attributes[0]
    for tensor in attribute.tensors:
        return tensor_text(tensor)
    for sparse in attribute.sparse_tensors:
        return tensor_text(sparse)
    numbers = attribute.numbers
    if numbers is None:
        return "undefined"
    dtype = {"float": "float32", "int": "int64", "string": "string"}[numbers.kind]
    return f"{dtype}[{len(numbers.values) if numbers.is_list else ''}]"


def _positions(graph: ModelGraph) -> dict[str, int]:
    """Return which input or output of its graph a node is."""
    counted: dict[tuple[str, str], int] = {}
    positions = {}
    for id, node in graph.nodes.items():
        if node.kind in ("input", "output"):
            key = node.kind, node.scope
            positions[id] = counted[key] = counted.get(key, -1) + 1
    return positions
