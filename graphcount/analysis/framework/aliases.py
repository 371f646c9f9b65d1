"""Equal tensors that torch's legacy exporter merged into one.

Its pass `dedup_initializers` keeps one of several equal tensors and leaves
`Identity(kept) → lost name` for each of the others. Tied parameters never get an Identity: they
were one tensor from the start.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from graphcount.analysis.attribution import TensorUse, uses_behind
from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import (
    CALL_SUFFIX,
    NUMBERED,
    Adjustment,
    Evidence,
    listed,
)
from graphcount.analysis.framework.tables import free_operands, is_by_name
from graphcount.analysis.kinds import Verdict, classify
from graphcount.analysis.names import is_dotted

FLOATS = ("float", "bfloa")


class Lost(NamedTuple):
    """A parameter that the file holds under another's name only.

    Attributes:
        name: The name it lost.
        elements: Its numbers.
        doubtful: Nothing but its name tells it from a buffer, or the kept tensor may be one.
    """

    name: str
    elements: int
    doubtful: bool


def merged_tensors(evidence: Evidence) -> Iterable[Adjustment]:
    """Add a tensor for each name that was merged into another."""
    lost = _lost_tensors(evidence)
    certain = [one for one in lost if not one.doubtful]
    doubtful = [one for one in lost if one.doubtful]
    kept = [(row, _own_verdict(row, evidence)) for row in _kept_tensors(evidence)]
    surplus = sum(row.elements for row, own in kept if own.kind != "parameter")
    found = []
    if certain or surplus:
        more = sum(one.elements for one in certain) - surplus
        names = listed([one.name for one in certain])
        sentence = (
            f"The exporter merged {len(certain)} parameters into equal ones ({names}):"
            f" {more:,} elements more than stored."
        )
        found.append(Adjustment(more, more, more, sentence))
    if doubtful:
        more = sum(one.elements for one in doubtful)
        names = listed([one.name for one in doubtful])
        sentence = (
            f"The exporter merged {names} into equal tensors: {more:,} elements more than stored,"
            " unless they are buffers."
        )
        found.append(Adjustment(0, more, more, sentence))
    maybe = [row for row, own in kept if is_by_name(own) and not is_by_name(row.verdict)]
    if maybe:
        elements = sum(row.elements for row in maybe)
        names = listed([row.stored.name for row in maybe])
        sentence = f"Parameters were merged into {names}, which may be buffers themselves."
        found.append(Adjustment(-elements, 0, 0, sentence))
    return found


def _kept_tensors(evidence: Evidence) -> list[Row]:
    """Counted tensors that others were merged into."""
    return [row for row in evidence.parameters if _has_alias(row, evidence)]


def _own_verdict(row: Row, evidence: Evidence) -> Verdict:
    """Kind of a kept tensor without the uses of those merged into it."""
    uses = tuple(use for use in row.tensor.uses if use.via[:1] != ("Identity",))
    return _verdict(row.stored.name, row, uses, evidence) if uses else row.verdict


def _lost_tensors(evidence: Evidence) -> list[Lost]:
    """What each Identity of a stored tensor stands for, where that is a parameter."""
    kept: dict[str, tuple[str, Row]] = {}
    for node in evidence.by_op_type["Identity"]:
        row = None if node.domain else _stored_input(node.id, evidence)
        if node.outputs and row is not None and row.stored.dtype[:5] in FLOATS:
            kept[node.id] = node.outputs[0], row
    dotted = [id for id, (name, _) in kept.items() if is_dotted(name)]
    uses = uses_behind(evidence.graph, dotted)
    modules: dict[int, set[str]] = {}
    free = {row.stored.key for row in free_operands(evidence)} if len(uses) < len(kept) else set()
    lost = []
    for id, (name, row) in kept.items():
        if id in uses:
            verdict = _verdict(name, row, uses[id], evidence)
            if verdict.kind == "parameter":
                lost.append(Lost(name, row.elements, is_by_name(verdict)))
            continue
        if row.stored.key not in modules:
            modules[row.stored.key] = _direct_modules(row, evidence)
        if _is_new_module(name, id, modules[row.stored.key], evidence):
            lost.append(Lost(name, row.elements, row.stored.key in free))
    return lost


def _verdict(name: str, row: Row, uses: tuple[TensorUse, ...], evidence: Evidence) -> Verdict:
    """Kind of one of several equal tensors, by its own name and uses."""
    tensor = row.tensor._replace(stored=row.stored._replace(name=name), uses=uses, live=True)
    return classify([tensor], evidence.graph, evidence.values)[0]


def _is_new_module(name: str, node: str, seen: set[str], evidence: Evidence) -> bool:
    """Whether a generated name serves a module that none of the equal names served before."""
    if NUMBERED.match(name) is None:
        return False
    found = _modules(node, evidence)
    new = bool(found) and found.isdisjoint(seen)
    seen |= found
    return new


def _stored_input(node: str, evidence: Evidence) -> Row | None:
    for producer in evidence.graph.producers(node):
        row = evidence.by_holder.get(producer)
        if row is not None and evidence.graph.nodes[producer].kind == "initializer":
            return row
    return None


def _has_alias(row: Row, evidence: Evidence) -> bool:
    return any(
        evidence.graph.nodes[node].op_type == "Identity"
        for holder in row.tensor.holders
        for node in evidence.graph.consumers(holder)
    )


def _modules(node: str, evidence: Evidence) -> set[str]:
    """Modules of the consumers of a node, without the numbers of repeated calls."""
    return {
        _module(consumer, evidence)
        for consumer in evidence.graph.consumers(node)
        if evidence.graph.nodes[consumer].op_type != "Identity"
    }


def _module(node: str, evidence: Evidence) -> str:
    path = evidence.graph.nodes[node].name.rpartition("/")[0]
    return "/".join(CALL_SUFFIX.sub("", part) for part in path.split("/"))


def _direct_modules(row: Row, evidence: Evidence) -> set[str]:
    """Modules that use the kept tensor under its own name."""
    found: set[str] = set()
    for holder in row.tensor.holders:
        found |= _modules(holder, evidence)
    return found
