"""Equal tensors that torch's legacy exporter merged into one.

Its pass `dedup_initializers` keeps one of several equal tensors and leaves
`Identity(kept) → lost name` for each of the others. Tied parameters never get an Identity: they
were one tensor from the start.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import (
    CALL_SUFFIX,
    NUMBERED,
    Adjustment,
    Evidence,
    listed,
)
from graphcount.analysis.names import is_buffer, is_dotted


def merged_tensors(evidence: Evidence) -> Iterable[Adjustment]:
    """Add a tensor for each name that was merged into another."""
    lost: list[str] = []
    elements = 0
    modules: dict[int, set[str]] = {}
    for node, data in evidence.by_op_type["Identity"]:
        if data["domain"] or not data["node"].outputs:
            continue
        row = _stored_input(node, evidence)
        name = data["node"].outputs[0]
        if row is None or row.stored.dtype[:5] not in ("float", "bfloa"):
            continue
        if is_dotted(name):
            counts = not is_buffer(name)
        else:
            if row.stored.key not in modules:
                modules[row.stored.key] = _direct_modules(row, evidence)
            counts = _is_new_module(name, node, modules[row.stored.key], evidence)
        if counts:
            lost.append(name)
            elements += row.elements
    surplus = sum(
        row.elements
        for row in evidence.parameters
        if is_buffer(row.stored.name) and _has_alias(row, evidence)
    )
    if not lost and not surplus:
        return []
    more = elements - surplus
    sentence = (
        f"The exporter merged {len(lost)} parameters into equal ones ({listed(lost)}):"
        f" {more:,} numbers more than stored."
    )
    return [Adjustment(more, more, more, sentence)]


def _is_new_module(name: str, node: str, seen: set[str], evidence: Evidence) -> bool:
    """Whether a generated name serves a module that none of the equal names served before."""
    if NUMBERED.match(name) is None:
        return False
    found = _modules(node, evidence)
    new = bool(found) and found.isdisjoint(seen)
    seen |= found
    return new


def _stored_input(node: str, evidence: Evidence) -> Row | None:
    for producer in evidence.graph.pred[node]:
        row = evidence.by_holder.get(producer)
        if row is not None and evidence.graph.nodes[producer]["kind"] == "initializer":
            return row
    return None


def _has_alias(row: Row, evidence: Evidence) -> bool:
    return any(
        evidence.graph.nodes[node].get("op_type") == "Identity"
        for holder in row.tensor.holders
        for node in evidence.graph.succ[holder]
    )


def _modules(node: str, evidence: Evidence) -> set[str]:
    """Modules of the consumers of a node, without the numbers of repeated calls."""
    return {
        _module(consumer, evidence)
        for consumer in evidence.graph.succ[node]
        if evidence.graph.nodes[consumer].get("op_type") != "Identity"
    }


def _module(node: str, evidence: Evidence) -> str:
    path = evidence.graph.nodes[node].get("name", "").rpartition("/")[0]
    return "/".join(CALL_SUFFIX.sub("", part) for part in path.split("/"))


def _direct_modules(row: Row, evidence: Evidence) -> set[str]:
    """Modules that use the kept tensor under its own name."""
    found: set[str] = set()
    for holder in row.tensor.holders:
        found |= _modules(holder, evidence)
    return found
