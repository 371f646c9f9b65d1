"""Tensor data: there, where it may be, and as much as the dims ask for.

onnxruntime checks tensors of the main graph when something reads them
(onnxruntime/core/framework/tensorprotoutils.cc), and those of subgraphs and attributes with onnx's
`check_tensor` whether or not (onnx/checker.cc).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphcount.analysis.tensor_size import measure
from graphcount.domains import canonical
from graphcount.loading.external import ExternalData, locate
from graphcount.loading.model import Graph, ModelProto, Node, Tensor, bodies_below
from graphcount.runtimes.records import Refused
from graphcount.runtimes.value_types import ELEMENTS

ALLOWED = frozenset({"EXT004", "EXT010", "EXT011", "EXT013", "EXT018", "TEN014"})
"""Rules of audits about tensor data that onnxruntime does not mind."""

ALLOWED_IN_MAIN_GRAPH = ALLOWED | {"TEN005"}
"""The same for tensors that no check of onnx sees."""

EMBEDDED_NBYTES = 2**31
"""Tensor data within the file are smaller."""


def check_data(proto: ModelProto, path: str) -> None:
    """Hold the data of all tensors against their dims and types.

    Args:
        proto: The model.
        path: Where it lies; external data is relative to its folder.

    Raises:
        Refused: Data is missing, too short or too long, or lies where it must not.
    """
    cache: dict[str, ExternalData] = {}
    read = set(_read(proto.graph))
    known: dict[str, Tensor] = {}
    for tensor in proto.graph.initializers:
        if tensor.data_type not in ELEMENTS:
            raise Refused("graph", f"initializer {tensor.name} has no element type")
        known[tensor.name] = tensor
    for node in proto.graph.nodes:
        if _is_constant(node):
            known.update((node.outputs[0], tensor) for tensor in _tensors(node))
    for name, tensor in known.items():
        if name in read:
            _check(tensor, name, path, cache, ALLOWED_IN_MAIN_GRAPH)
    for tensor in _inner(proto.graph):
        _check(tensor, tensor.name, path, cache, ALLOWED)


def _check(
    tensor: Tensor, name: str, path: str, cache: dict[str, ExternalData], allowed: frozenset[str]
) -> None:
    external = locate(tensor, path, cache) if tensor.is_external else None
    size = measure(tensor, external)
    for problem in size.problems:
        if problem.rule not in allowed:
            raise Refused("data", f"tensor {name or 'of an attribute'}: {problem.why}")
    if external is None and size.nbytes >= EMBEDDED_NBYTES:
        raise Refused("data", f"tensor {name} takes {size.nbytes} bytes, beyond 2 GiB")


def _is_constant(node: Node) -> bool:
    return node.op_type == "Constant" and not canonical(node.domain) and len(node.outputs) == 1


def _tensors(node: Node) -> Iterator[Tensor]:
    for attribute in node.attributes:
        yield from attribute.tensors


def _inner(graph: Graph) -> Iterator[Tensor]:
    """Yield tensors of attributes, and initializers of subgraphs."""
    for node in graph.nodes:
        if not _is_constant(node):
            yield from _tensors(node)
    for body in bodies_below(graph.nodes):
        yield from body.initializers
        for node in body.nodes:
            yield from _tensors(node)


def _read(graph: Graph) -> Iterable[str]:
    """Yield names that some node reads, at any depth, and outputs."""
    for body in (graph, *bodies_below(graph.nodes)):
        yield from (value.name for value in body.outputs)
        for node in body.nodes:
            yield from node.inputs
