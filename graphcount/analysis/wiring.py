"""What a graph is apart from its names: operators described, and which result feeds which input.

Fingerprints and diffs read this, so that both mean the same by "the same node".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Set
from typing import NamedTuple, TypeAlias

from graphcount.dtypes import dtype_name
from graphcount.graph import GraphNode, ModelGraph
from graphcount.loading.model import Attribute, AttributeValues, Node, SparseTensor, Tensor
from graphcount.loading.packed_lists import element_bytes
from graphcount.units import counted

LONGEST = 200
"""Characters of an attribute's value; a longer one is replaced by its beginning and a digest."""

WRITTEN = 1 << 16
"""Values of a list that are written out before they are hashed; of a longer one its bytes are."""

DEFAULTS: dict[str, str] = {
    "allowzero": "0",
    "auto_pad": "NOTSET",
    "ceil_mode": "0",
    "count_include_pad": "0",
    "group": "1",
    "keepdims": "1",
    "noop_with_empty_axes": "0",
    "saturate": "1",
    "stash_type": "1",
    "storage_order": "0",
    "transA": "0",
    "transB": "0",
}
"""Attributes with one default in every standard operator that has them (onnx/docs/Operators.md).

Exporters write them or leave them out; the node is the same.
"""

REPEATED_DEFAULTS = {"dilations": "1", "strides": "1", "pads": "0"}
"""Lists that are this number along every axis by default: convolutions and pools."""

Place: TypeAlias = tuple[int, str, int]
"""Where a node takes a value: (input index, "", 0), or (-1, body, position) for a body's result."""


class Wire(NamedTuple):
    """One input of a node.

    Attributes:
        place: Which input.
        producer: Id of the graph node that makes the value.
        output: Which of its results.
    """

    place: Place
    producer: str
    output: int


def wires(graph: ModelGraph, node: str) -> tuple[Wire, ...]:
    """Return inputs of a node, in order."""
    wires = []
    for use in graph.entering(node):
        place = (use.index, "", 0) if use.index is not None else (-1, use.body, use.result)
        wires.append(Wire(place, use.producer, _position(graph.nodes[use.producer], use.value)))
    if len(wires) > 1:
        wires.sort()
    return tuple(wires)


def attribute_texts(node: Node, stored: Set[int]) -> dict[str, str]:
    """Return the values of a node's attributes as text, without doc strings and defaults.

    Args:
        node: The node.
        stored: Keys of the stored tensors: of these only type and shape are said here.
    """
    texts = {}
    for attribute in sorted(node.attributes, key=lambda attribute: attribute.name):
        text = " ".join(_parts(attribute, stored))
        if node.domain or not _is_default(attribute.name, text):
            texts[attribute.name] = text
    return texts


def _is_default(name: str, text: str) -> bool:
    if name in REPEATED_DEFAULTS:
        return set(text[1:-1].split(", ")) == {REPEATED_DEFAULTS[name]}
    return DEFAULTS.get(name) == text


def _position(node: GraphNode, value: str) -> int:
    """Return which result of a node a value is."""
    outputs = node.outputs
    if len(outputs) < 2 or value not in outputs:
        return 0
    return outputs.index(value)


def _parts(attribute: Attribute, stored: Set[int]) -> Iterator[str]:
    if attribute.ref_attr_name:
        yield f"@{attribute.ref_attr_name}"
    if attribute.numbers is not None:
        numbers = attribute.numbers
        if attribute.offset in stored:
            yield f"{numbers.kind}[{len(numbers.values)}]"
        else:
            yield _number_text(numbers)
    for tensor in attribute.tensors:
        yield tensor_text(tensor)
    for sparse in attribute.sparse_tensors:
        yield tensor_text(sparse)
    if attribute.graphs:
        yield counted(len(attribute.graphs), "subgraph")


def tensor_text(tensor: Tensor | SparseTensor) -> str:
    """Return type and shape of a tensor: `float32[3,4]`; of a sparse one those of the dense."""
    code = tensor.values.data_type if isinstance(tensor, SparseTensor) else tensor.data_type
    return f"{dtype_name(code)}[{','.join(map(str, tensor.dims))}]"


def _number_text(numbers: AttributeValues) -> str:
    """Return `7`, `0.5`, `same_upper`, `[1, 1]`; text keeps quotes inside lists only."""
    values = numbers.values
    if not numbers.is_list:
        first = values[0] if values else ""
        text = first.decode("utf-8", "backslashreplace") if isinstance(first, bytes) else str(first)
        return shortened(text, numbers.kind)
    if len(values) <= WRITTEN or isinstance(values, tuple):
        return shortened(str(list(values)), numbers.kind)
    digest = hashlib.sha256()
    for part in element_bytes(numbers):
        digest.update(part)
    return _cut(str(list(values[:LONGEST])), numbers.kind, digest.hexdigest())


def shortened(text: str, kind: str) -> str:
    """Return a text, or when it is long its beginning and its digest."""
    if len(text) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return _cut(text, kind, digest)


def _cut(text: str, kind: str, digest: str) -> str:
    return f"{text[:60]}... ({kind}, sha256 {digest[:32]})"
