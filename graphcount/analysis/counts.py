"""Attributed tensors → counted rows: kind, role, logical elements, owner.

`count` is the road from a model's records to rows; everything later (totals, roll-ups, the
framework's number) is a sum over these rows.
"""

from __future__ import annotations

from typing import NamedTuple

from graphcount.analysis.attribution import Attributed, attribute
from graphcount.analysis.declared_inputs import declared_inputs
from graphcount.analysis.kinds import LEARNED_ROLES, Verdict, classify
from graphcount.analysis.packing import logical_elements, packing_problem
from graphcount.analysis.signature import read_signature
from graphcount.analysis.stored import UNNAMED, Stored, find_stored
from graphcount.analysis.values import Values
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph
from graphcount.loading import ModelFile


class Row(NamedTuple):
    """One stored tensor, counted.

    Attributes:
        tensor: The tensor, its holders and uses.
        verdict: Kind, role and reason.
        elements: Logical numbers (see `graphcount.analysis.packing`).
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
    declared = read_signature(model.proto.graph)
    verdicts = classify(tensors, model_graph, values, declared)
    nodes = model_graph.nodes
    rows: list[Row] = []
    found: list[Unknown] = []
    for tensor, verdict in zip(tensors, verdicts, strict=True):
        uses = [(nodes[use.node], use.index) for use in tensor.uses]
        elements = logical_elements(tensor.stored, uses)
        problem = packing_problem(tensor.stored, uses)
        found += tensor.stored.unknowns
        if problem is not None:
            found.append(problem.unknown((tensor.stored.name or UNNAMED)[:200]))
        rows.append(Row(tensor, verdict, elements, _owner(tensor, verdict)))
    for declared_tensor, verdict in declared_inputs(model_graph):
        elements, owner = declared_tensor.stored.elements, _owner(declared_tensor, verdict)
        rows.append(Row(declared_tensor, verdict, elements, owner))
    return Counted(stored, tuple(rows), (*found, *unknowns))


def _owner(tensor: Attributed, verdict: Verdict) -> str | None:
    """The first use in the tensor's role, else in a learned role, else the first use."""
    for use in tensor.uses:
        if use.role == verdict.role:
            return use.node
    for use in tensor.uses:
        if use.role in LEARNED_ROLES:
            return use.node
    return tensor.uses[0].node if tensor.uses else None
