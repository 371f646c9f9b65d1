"""Attributed tensors → counted rows: kind, role, logical elements, owner.

`count` is the road from a model's records to rows; everything later (totals, roll-ups, the
framework's number) is a sum over these rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from graphcount.analysis.attribution import Attributed, attribute
from graphcount.analysis.kinds import LEARNED_ROLES, Verdict, classify_with_uses
from graphcount.analysis.stored import UNNAMED, Stored, find_stored
from graphcount.analysis.values import Values
from graphcount.dtypes import BY_NAME
from graphcount.errors import Problem, Unknown
from graphcount.graph import GraphNode, ModelGraph
from graphcount.loading import ModelFile
from graphcount.loading.model import Graph, ModelProto, ValueInfo
from graphcount.ops.call import Matrix, Packed, Packing

if TYPE_CHECKING:
    from graphcount.analysis.signature import Signature

SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
"""Key of the metadata of a graph that holds what torch.export declared."""


class Row(NamedTuple):
    """One stored tensor, counted.

    Attributes:
        tensor: The tensor, its origins and uses.
        verdict: Kind, role and reason.
        elements: Logical numbers (see `logical_elements`).
        owner: Id of the node it belongs to: the first that uses it in its role; None when nothing
            uses it.
    """

    tensor: Attributed
    verdict: Verdict
    elements: int
    owner: str | None

    @property
    def stored(self) -> Stored:
        """The stored tensor."""
        return self.tensor.stored


class Counted(NamedTuple):
    """The stored tensors of a model.

    Attributes:
        stored: Each of them, in file order.
        rows: The same counted, then the weights that the model takes as inputs.
        unknowns: What could not be told of them.
    """

    stored: tuple[Stored, ...]
    rows: tuple[Row, ...]
    unknowns: tuple[Unknown, ...]


def count(model: ModelFile, model_graph: ModelGraph, values: Values) -> Counted:
    """Count every stored tensor of a model."""
    stored = find_stored(model.proto, model.path)
    tensors, unknowns = attribute(model_graph, stored)
    declared = signature_of(model.proto.graph)
    tensors, verdicts = classify_with_uses(tensors, model_graph, values, declared)
    nodes = model_graph.nodes
    rows: list[Row] = []
    of_tensors: list[Unknown] = []
    for tensor, verdict in zip(tensors, verdicts, strict=True):
        uses = [(nodes[use.node], use.index) for use in tensor.uses]
        elements = logical_elements(tensor.stored, uses)
        problem = packing_problem(tensor.stored, uses)
        of_tensors += tensor.stored.unknowns
        if problem is not None:
            of_tensors.append(problem.unknown((tensor.stored.name or UNNAMED)[:200]))
        rows.append(Row(tensor, verdict, elements, _owner(tensor, verdict)))
    of_tensors += _replaceable(model.proto, rows)
    rows += _declared_inputs(model_graph)
    return Counted(stored, tuple(rows), (*of_tensors, *unknowns))


def overridable(proto: ModelProto) -> dict[str, ValueInfo]:
    """Return the inputs for which a stored tensor is only a default (onnx/docs/IR.md, "Graphs").

    Before IR version 4 every initializer had to be an input, and was a constant all the same.
    """
    return {info.name: info for info in proto.graph.inputs} if proto.ir_version >= 4 else {}


REPLACEABLE = "replaceable tensor"
"""What is not known of such a tensor: which values it has when the model runs."""


def _replaceable(proto: ModelProto, rows: Iterable[Row]) -> list[Unknown]:
    """Return the stored tensors that decide what is computed, and that a caller can replace.

    A weight decides it by its shape, which the input declares; a constant by its values, too.
    """
    inputs = overridable(proto)
    why = "it is a graph input as well, so that a caller can replace it and what depends on it"
    return [
        Unknown(row.stored.name[:200], REPLACEABLE, why, "cost")
        for row in rows
        if row.stored.where in ("initializer", "sparse", "external")
        and (info := inputs.get(row.stored.name)) is not None
        and (row.verdict.kind == "constant" or info.shape != row.stored.shape)
    ]


def signature_of(graph: Graph) -> Signature | None:
    """Return what torch.export declared of a graph; None when the file does not keep it."""
    text = graph.metadata.get(SIGNATURE)
    if not text:
        return None
    from graphcount.analysis.signature import read_signature

    return read_signature(text)


def _declared_inputs(graph: ModelGraph) -> list[Row]:
    """Return the weights that the model takes as inputs; few models have such names."""
    if not any("." in node.name or node.name.startswith("onnx::") for node in graph.inputs):
        return []
    from graphcount.analysis.declared_inputs import declared_inputs

    return [
        Row(tensor, verdict, tensor.stored.elements, _owner(tensor, verdict))
        for tensor, verdict in declared_inputs(graph)
    ]


def _owner(tensor: Attributed, verdict: Verdict) -> str | None:
    """Return the first use in the tensor's role, else in a learned role, else the first use."""
    for use in tensor.uses:
        if use.role == verdict.role:
            return use.node
    for use in tensor.uses:
        if use.role in LEARNED_ROLES:
            return use.node
    return tensor.uses[0].node if tensor.uses else None


# ----------------------------------------------------------------------------------- packed tensors

Uses: TypeAlias = list[tuple[GraphNode, int | None]]
"""The node and input index of each use of a tensor."""


def logical_elements(stored: Stored, uses: Uses) -> int:
    """Return the elements a tensor stands for: its own, unless an operator that uses it packs them.

    Args:
        stored: The tensor.
        uses: What uses it.
    """
    for node, index in uses:
        packing = _packing(node)
        if packing is not None and node.record is not None:
            elements = packing.unpack(node.record, index, _packed(stored))
            if elements is not None and elements >= 0:
                return elements
    return stored.elements


def logical_shape(stored: Stored, uses: Uses) -> tuple[int, ...]:
    """Return the dimensions of these elements: (N, K) of a product that packs its weight.

    Args:
        stored: The tensor.
        uses: What uses it.
    """
    elements = logical_elements(stored, uses)
    for node, index in uses:
        matrix = _matrix(node, index)
        if matrix is not None and min(matrix.rows, matrix.columns) > 0:
            return matrix.rows, matrix.columns
    rows = math.prod(stored.shape[:-1])
    if elements != stored.elements and rows and elements % rows == 0:
        return (*stored.shape[:-1], elements // rows)
    return stored.shape


def packing_problem(stored: Stored, uses: Uses) -> Problem | None:
    """Say why a packed weight is not what an operator says of it; None when it is, or not packed.

    Args:
        stored: The tensor.
        uses: What uses it.
    """
    for node, index in uses:
        matrix = _matrix(node, index)
        if matrix is None:
            continue
        asked, tensor = matrix.nbytes, _packed(stored)
        if not tensor.has(asked):
            states = f"asks for {asked:,} bytes" if asked else "states sizes that make no sense"
            why = f"{node.op_type} {states}; there are {tensor.nbytes:,}"
            return Problem("QNT002", "packed data", why)
    return None


def _packing(node: GraphNode) -> Packing | None:
    return node.operator.packing if node.operator is not None else None


def _matrix(node: GraphNode, index: int | None) -> Matrix | None:
    """Return the packed weight that a node has at an input."""
    packing = _packing(node)
    if packing is None or packing.matrix is None or node.record is None:
        return None
    return packing.matrix(node.record, index)


def _packed(stored: Stored) -> Packed:
    dtype = BY_NAME.get(stored.dtype)
    nbytes = dtype.nbytes(stored.elements) if dtype is not None else stored.elements
    return Packed(stored.key, stored.dtype, stored.elements, nbytes, stored.shape)
