"""Parameters that stand in several tensors: exporters merge equal ones.

The pass `dedup_initializers` of torch's legacy exporter keeps one of several equal tensors and
leaves `Identity(kept) → lost name` for each of the others. What was filled with one number was
equal by chance; other numbers are equal in tied parameters, and in fresh copies of a layer.
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
from graphcount.analysis.framework.ties import is_filled
from graphcount.analysis.kinds import classify
from graphcount.analysis.names import is_dotted
from graphcount.analysis.verdict import Verdict

FLOATS = ("float", "bfloa")


class Lost(NamedTuple):
    """A parameter that the file holds under another's name only.

    Attributes:
        name: The name it lost.
        elements: Its numbers.
        doubtful: Nothing but its name tells it from a buffer, or the kept tensor may be one.
        filled: The kept tensor holds one number throughout, so they were equal by chance.
    """

    name: str
    elements: int
    doubtful: bool
    filled: bool


def merged_tensors(evidence: Evidence) -> Iterable[Adjustment]:
    """Add a tensor for each name that was merged into another."""
    lost = _lost_tensors(evidence)
    is_fresh = any(one.filled for one in lost)
    certain = [one for one in lost if one.filled and not one.doubtful]
    doubtful = [one for one in lost if one.filled and one.doubtful]
    equal = [one for one in lost if not one.filled]
    kept = [(row, _own_verdict(row, evidence)) for row in _kept_tensors(evidence)]
    surplus = sum(row.elements for row, own in kept if own.kind != "parameter")
    adjustments = []
    if certain or surplus:
        more = sum(one.elements for one in certain) - surplus
        names = listed([one.name for one in certain])
        sentence = (
            f"The exporter merged {len(certain)} tensors into equal ones ({names}):"
            f" {more:,} elements more than stored."
        )
        adjustments.append(Adjustment(more, more, more, sentence))
    if doubtful:
        more = sum(one.elements for one in doubtful)
        names = listed([one.name for one in doubtful])
        sentence = (
            f"The exporter merged {names} into equal tensors: {more:,} elements more than stored,"
            " unless they are buffers."
        )
        adjustments.append(Adjustment(0, more, more, sentence))
    if equal:
        adjustments.append(_tied_or_copied(equal, is_fresh))
    maybe = [row for row, own in kept if is_by_name(own) and not is_by_name(row.verdict)]
    if maybe:
        elements = sum(row.elements for row in maybe)
        names = listed([row.stored.name for row in maybe])
        sentence = f"Parameters were merged into {names}, which may be buffers themselves."
        adjustments.append(Adjustment(-elements, 0, 0, sentence))
    return adjustments


def _tied_or_copied(equal: list[Lost], is_fresh: bool) -> Adjustment:
    """Count equal tensors that no chance made equal: tied ones, or copies of a fresh layer.

    A model that was never trained has biases of zeros, which are merged as well.
    """
    more = sum(one.elements for one in equal)
    names = listed([one.name for one in equal])
    sentence = (
        f"The exporter merged {names} into equal tensors: tied parameters, or {more:,} elements"
        " more than stored if they only began as copies."
    )
    return Adjustment(0, more, more if is_fresh else 0, sentence)


def _kept_tensors(evidence: Evidence) -> list[Row]:
    """Return counted tensors that others were merged into."""
    return [row for row in evidence.parameters if _has_alias(row, evidence)]


def _own_verdict(row: Row, evidence: Evidence) -> Verdict:
    """Return the kind of a kept tensor without the uses of those merged into it."""
    uses = tuple(use for use in row.tensor.uses if use.via[:1] != ("Identity",))
    return _verdict(row.stored.name, row, uses, evidence) if uses else row.verdict


def _lost_tensors(evidence: Evidence) -> list[Lost]:
    """Return what each Identity of a stored tensor stands for, where that is a parameter."""
    kept: dict[str, tuple[str, Row]] = {}
    for node in evidence.by_op_type.get("Identity", ()):
        row = None if node.domain else _stored_input(node.id, evidence)
        if node.outputs and row is not None and row.stored.dtype[:5] in FLOATS:
            kept[node.id] = node.outputs[0], row
    dotted = [id for id, (name, _) in kept.items() if is_dotted(name)]
    uses = uses_behind(evidence.graph, dotted)
    modules: dict[int, set[str]] = {}
    free = {row.stored.key for row in free_operands(evidence)} if len(uses) < len(kept) else set()
    lost = []
    fills: dict[int, bool] = {}

    def filled(row: Row) -> bool:
        if row.stored.key not in fills:
            fills[row.stored.key] = bool(is_filled(row, evidence))
        return fills[row.stored.key]

    for id, (name, row) in kept.items():
        if id in uses:
            verdict = _verdict(name, row, uses[id], evidence)
            if verdict.kind == "parameter":
                lost.append(Lost(name, row.elements, is_by_name(verdict), filled(row)))
            continue
        if row.stored.key not in modules:
            modules[row.stored.key] = _direct_modules(row, evidence)
        if _is_new_module(name, id, modules[row.stored.key], evidence):
            lost.append(Lost(name, row.elements, row.stored.key in free, filled(row)))
    return lost


def _verdict(name: str, row: Row, uses: tuple[TensorUse, ...], evidence: Evidence) -> Verdict:
    """Return the kind of one of several equal tensors, by its own name and uses."""
    tensor = row.tensor._replace(stored=row.stored._replace(name=name), uses=uses, live=True)
    return classify([tensor], evidence.graph, evidence.values)[0]


def _is_new_module(name: str, node: str, seen: set[str], evidence: Evidence) -> bool:
    """Return whether a generated name is the first equal one to serve its module."""
    if NUMBERED.match(name) is None:
        return False
    modules = _modules(node, evidence)
    new = bool(modules) and modules.isdisjoint(seen)
    seen |= modules
    return new


def _stored_input(node: str, evidence: Evidence) -> Row | None:
    for producer in evidence.graph.producers(node):
        row = evidence.by_origin.get(producer)
        if row is not None and evidence.graph.nodes[producer].kind == "initializer":
            return row
    return None


def _has_alias(row: Row, evidence: Evidence) -> bool:
    return any(
        evidence.graph.nodes[node].op_type == "Identity"
        for origin in row.tensor.origins
        for node in evidence.graph.consumers(origin)
    )


def _modules(node: str, evidence: Evidence) -> set[str]:
    """Return modules of the consumers of a node, without the numbers of repeated calls."""
    return {
        _module(consumer, evidence)
        for consumer in evidence.graph.consumers(node)
        if evidence.graph.nodes[consumer].op_type != "Identity"
    }


def _module(node: str, evidence: Evidence) -> str:
    path = evidence.graph.nodes[node].name.rpartition("/")[0]
    return "/".join(CALL_SUFFIX.sub("", part) for part in path.split("/"))


def _direct_modules(row: Row, evidence: Evidence) -> set[str]:
    """Return modules that use the kept tensor under its own name."""
    modules: set[str] = set()
    for origin in row.tensor.origins:
        modules |= _modules(origin, evidence)
    return modules
