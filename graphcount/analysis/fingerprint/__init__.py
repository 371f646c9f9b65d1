"""Fingerprints of a model's content: of its architecture alone, of its weights alone, of both.

| fingerprint | what it covers | what it leaves out |
|---|---|---|
| architecture | operators, attributes, wiring, types, shapes, shape constants | names, weights |
| weights | type, shape and data of all other tensors, as a multiset | where they are used |
| content | the architecture with all tensor data in its place | names, how data is stored |

None depends on names (of nodes, values, inputs, outputs, dynamic dimensions), on the order of nodes
or initializers, on doc strings, metadata or the producer, or on whether tensor data stands in
raw_data, in typed fields or in external data.

A tensor is a shape constant when operators read it as shape, axes, indices, scalar or literal, or
when it has a type that nobody learns (`SHAPE_CONSTANT_ROLES`, `SHAPE_CONSTANT_DTYPES`): another
axis, another network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import closing
from typing import NamedTuple

from graphcount.analysis.attribution import Attributed, attribute
from graphcount.analysis.fingerprint.architecture import Trace
from graphcount.analysis.fingerprint.tensors import digest
from graphcount.analysis.stored import Stored, find_stored
from graphcount.analysis.verdict import LEARNED_ROLES
from graphcount.graph import GraphNode, ModelGraph
from graphcount.loading import ModelFile
from graphcount.loading.source import Source
from graphcount.loading.tensor_data import TensorReader, UnreadError
from graphcount.report.rows import FingerprintRow

SHAPE_CONSTANT_ROLES = frozenset({"shape", "axes", "index", "scalar"})
SHAPE_CONSTANT_DTYPES = frozenset({"int64", "bool", "string"})


class Hashes(NamedTuple):
    """Fingerprints of a model, and the digest of each stored tensor in file order.

    Attributes:
        fingerprint: What goes into the report.
        digests: SHA-256 of type, shape and data; None where they could not be read.
    """

    fingerprint: FingerprintRow
    digests: tuple[str | None, ...]


def fingerprint(model: ModelFile, model_graph: ModelGraph, source: Source) -> Hashes:
    """Hash a model's content; every number is read once, in chunks.

    Args:
        model: The records.
        model_graph: Its graph.
        source: The bytes that the records' offsets refer to.

    Raises:
        GraphcountError: A file became shorter meanwhile.
    """
    stored = find_stored(model.proto, model.path)
    with closing(TensorReader(model.path, lambda: source, most_pieces=1 << 62)) as reader:
        digests, unread = _digests(stored, reader)
    are_constants = [is_shape_constant(tensor) for tensor in attribute(model_graph, stored)[0]]
    by_key = {
        tensor.key: (digest, is_constant)
        for tensor, digest, is_constant in zip(stored, digests, are_constants, strict=True)
    }
    architecture, content = _traced(model, model_graph, by_key)
    weights = _multiset(
        digest
        for digest, is_constant in zip(digests, are_constants, strict=True)
        if not is_constant
    )
    row = FingerprintRow(architecture, weights, content, tuple(unread))
    return Hashes(row, tuple(digests))


def _digests(stored: Iterable[Stored], reader: TensorReader) -> tuple[list[str | None], list[str]]:
    """Return the digest of each tensor, None where its data is not to be had, and why."""
    digests: list[str | None] = []
    unread = []
    for tensor in stored:
        try:
            digests.append(digest(tensor, reader))
        except UnreadError as error:
            if error.cause == "changed":
                raise
            digests.append(None)
            unread.append(f"{tensor.name}: {error.message}")
    return digests, unread


def is_shape_constant(tensor: Attributed) -> bool:
    """Return whether a tensor is a shape constant: decided without names and values."""
    roles = {use.role for use in tensor.uses}
    if roles and all(role in SHAPE_CONSTANT_ROLES or _is_literal(role, tensor) for role in roles):
        return True
    return tensor.stored.dtype in SHAPE_CONSTANT_DTYPES and roles.isdisjoint(LEARNED_ROLES)


def _is_literal(role: str | None, tensor: Attributed) -> bool:
    """Return whether it is one value that an operator wants as it is (a bound, a fill)."""
    return role == "literal" and tensor.stored.elements <= 1


def _traced(
    model: ModelFile, model_graph: ModelGraph, by_key: dict[int, tuple[str | None, bool]]
) -> tuple[str | None, str | None]:
    """Return the digests of architecture and content; None for what needs unread data."""
    missing = [False, False]

    def values(node: str) -> tuple[str, str]:
        if not node:
            return "", ""
        every, constants = [], []
        for key in _keys(model_graph.nodes[node]):
            digest, is_constant = by_key.get(key, ("", False))
            every.append(digest or "")
            missing[1] |= digest is None
            if is_constant:
                constants.append(digest or "")
                missing[0] |= digest is None
        return " ".join(constants), " ".join(every)

    digests = Trace(model.proto, model_graph, frozenset(by_key), values).digests()
    architecture, content = (
        None if lost else digest for lost, digest in zip(missing, digests, strict=True)
    )
    return architecture, content


def _keys(node: GraphNode) -> Iterable[int]:
    """Return the keys of a graph node's stored tensors, in order of the attributes' names."""
    return [held.key for held in sorted(node.held, key=lambda held: held.attribute)]


def _multiset(digests: Iterable[str | None]) -> str | None:
    known = list(digests)
    if None in known:
        return None
    text = "\n".join(["graphcount weights 1", *sorted(item for item in known if item)])
    return hashlib.sha256(text.encode()).hexdigest()


__all__ = ["Hashes", "fingerprint"]
