"""How two models relate, in one word: a key of `RELATIONS`."""

from __future__ import annotations

from graphcount.report.diff import FactRow, NodeChange, TensorChange
from graphcount.report.records import Report

HARMLESS_TO_NODES = frozenset({"renamed", "moved"})
"""Changes of a node that follow from names; its module does too."""


def relation(
    old: Report,
    new: Report,
    nodes: tuple[NodeChange, ...],
    tensors: tuple[TensorChange, ...],
    facts: tuple[FactRow, ...],
) -> str:
    """Return how two models relate, by their fingerprints where they have them."""
    first, second = old.fingerprint, new.fingerprint
    if first is not None and second is not None:
        if first.content is not None and first.content == second.content:
            return "names" if nodes or tensors or facts else "identical"
        same_graph = _same(first.architecture, second.architecture)
        same_weights = _same(first.weights, second.weights)
        if same_graph and same_weights is not None:
            return "places" if same_weights else "weights"
        if same_weights and same_graph is False and old.totals.parameters and new.totals.parameters:
            return "graph"
        if same_graph is not None:
            return "structure" if same_graph else "different"
    changed = any(
        row.status != "changed" or set(row.changes) - HARMLESS_TO_NODES for row in nodes
    ) or any(row.status != "changed" or row.changes != ("renamed",) for row in tensors)
    return "different" if changed or _other_interface(facts) else "structure"


def _same(first: str | None, second: str | None) -> bool | None:
    """Return whether two fingerprints are equal; None when one is not known."""
    return None if first is None or second is None else first == second


def _other_interface(facts: tuple[FactRow, ...]) -> bool:
    """Return whether inputs, outputs or versions of operators differ, names apart."""
    return any(
        row.name.startswith(("opset ", "input ", "output ")) and not row.name.endswith(" name")
        for row in facts
    )
