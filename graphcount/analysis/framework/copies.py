"""Tensors that stand for several parameters, and parameters that stand in several tensors.

Tied tables: torch's exporters fold the transposition of a Linear's weight into a new tensor, so a
language model whose head shares the embedding table stores that table twice.

Merged tensors: the pass `dedup_initializers` of torch's legacy exporter keeps one of several equal
tensors and leaves `Identity(kept) → lost name` for each of the others. Tied parameters never get
an Identity: they were one tensor from the start.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from graphcount.analysis.attribution import TensorUse, uses_behind
from graphcount.analysis.counts import Row, logical_shape
from graphcount.analysis.framework.evidence import (
    CALL_SUFFIX,
    NUMBERED,
    Adjustment,
    Evidence,
    is_generated,
    listed,
)
from graphcount.analysis.framework.tables import free_operands, is_by_name
from graphcount.analysis.kinds import classify
from graphcount.analysis.names import is_dotted
from graphcount.analysis.verdict import Verdict

SMALL = 8192
PRODUCTS = frozenset({"weight", "quantized weight"})


def tied_tables(evidence: Evidence) -> Iterable[Adjustment]:
    """Equal data under a generated name are a copy; equal shapes alone are a possibility."""
    groups: dict[tuple[int, tuple[int, ...]], list[Row]] = defaultdict(list)
    for row in evidence.parameters:
        shape = _shape(row, evidence)
        if (len(shape) == 2 and min(shape) > 1) or len(shape) == 3:
            groups[row.elements, tuple(sorted(shape))].append(row)
    copies: list[tuple[Row, Row]] = []
    possible: list[Row] = []
    for rows in groups.values():
        if len(rows) > 1 and _may_repeat(rows):
            same, maybe = _compare(rows, evidence)
            copies.extend(same)
            possible.extend(maybe)
    adjustments = []
    if copies:
        elements = sum(row.elements for row, _ in copies)
        pairs = [f"{_used_as(row)} is a copy of {of.stored.name[:80]}" for row, of in copies]
        adjustments.append(Adjustment(-elements, 0, -elements, f"{listed(pairs)}."))
    if possible:
        elements = sum(row.elements for row in possible)
        names = listed([row.stored.name for row in possible])
        sentence = (
            f"{names} have the shape of an embedding table and may be a tied copy of it;"
            " their values cannot be compared."
        )
        adjustments.append(Adjustment(-elements, 0, 0, sentence))
    return adjustments


def _shape(row: Row, evidence: Evidence) -> tuple[int, ...]:
    """Return dimensions that quantized and other copies of one matrix have in common."""
    nodes = evidence.graph.nodes
    return logical_shape(row.stored, [(nodes[use.node], use.index) for use in row.tensor.uses])


def _used_as(row: Row) -> str:
    """A generated name says nothing, so the node that uses the tensor is named as well."""
    return f"{row.stored.name[:80]} (used by {(row.owner or 'nothing')[:80]})"


def _may_repeat(rows: list[Row]) -> bool:
    """Return whether tensors of one shape are worth comparing.

    The legacy exporter merges equal tensors it made itself, so a copy stands beside a named one;
    the dynamo exporter repeats only small ones (8,192 elements) for a module called twice.
    """
    generated = sum(1 for row in rows if is_generated(row))
    return 0 < generated < len(rows) or (generated > 1 and rows[0].elements <= SMALL)


def _is_table(row: Row, evidence: Evidence) -> bool:
    """Return whether rows of it are looked up."""
    return row.verdict.role == "embedding" or any(
        operator is not None and any(table == use.index for _, table in operator.lookups)
        for use in row.tensor.uses
        for operator in (evidence.graph.nodes[use.node].operator,)
    )


def _compare(rows: list[Row], evidence: Evidence) -> tuple[list[tuple[Row, Row]], list[Row]]:
    """Return copies by value, each with its original, and tables that may be, by shape."""
    rows = sorted(rows, key=is_generated)  # named tensors first: the copies are generated
    indistinct = _indistinct(rows, evidence)
    seen: dict[bytes, Row] = {}
    copies: list[tuple[Row, Row]] = []
    possible: list[Row] = []
    table = any(_is_table(row, evidence) for row in rows)
    for row in rows:
        if row.stored.key not in indistinct and row.stored.dtype[:3] not in ("int", "uin"):
            continue
        digest = _digest(row, evidence)
        if digest is None or row.stored.dtype != rows[0].stored.dtype:
            if table and row.verdict.role in PRODUCTS and is_generated(row):
                possible.append(row)
            continue
        original = seen.get(digest)
        if original is None and is_generated(row):
            turned = evidence.values.digest(row.stored, transposed=True)
            original = seen.get(turned) if turned is not None else None
        if original is not None and is_generated(row):
            copies.append((row, original))
            continue
        if table and row.stored.dtype[:3] in ("int", "uin") and is_generated(row):
            possible.append(row)
        seen[digest] = row
    return copies, possible


def _indistinct(rows: list[Row], evidence: Evidence) -> set[int]:
    """Return the keys of tensors that a few elements do not tell from others, turned or not.

    Reading all of every tensor of one shape would cost as much as loading the model.
    """
    straight = {row.stored.key: evidence.values.corners(row.stored) for row in rows}
    times = Counter(straight.values())
    keys = set()
    turned_of = {
        row.stored.key: evidence.values.corners(row.stored, transposed=True) for row in rows
    }
    turned_times = Counter(turned_of.values())
    for key, corners in straight.items():
        turned = turned_of[key]
        itself = turned == corners  # symmetric, as far as the corners tell
        others = (
            times[corners] - 1,
            times[turned] - itself,
            turned_times[corners] - itself,
        )
        if corners is None or any(others):
            keys.add(key)
    return keys


def _digest(row: Row, evidence: Evidence) -> bytes | None:
    """Return the hash of the data; None when unknown or all the same, which proves nothing."""
    stored = row.stored
    width = max(1, stored.nbytes // max(1, stored.elements))
    start = evidence.values.peek(stored)
    if start is None or start == start[:width] * (len(start) // width):
        data = evidence.values.raw(stored)
        if data is None or data == data[:width] * stored.elements:
            return None
    return evidence.values.digest(stored)


# ----------------------------------------------------------------------------------- merged tensors

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
    adjustments = []
    if certain or surplus:
        more = sum(one.elements for one in certain) - surplus
        names = listed([one.name for one in certain])
        sentence = (
            f"The exporter merged {len(certain)} parameters into equal ones ({names}):"
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
    maybe = [row for row, own in kept if is_by_name(own) and not is_by_name(row.verdict)]
    if maybe:
        elements = sum(row.elements for row in maybe)
        names = listed([row.stored.name for row in maybe])
        sentence = f"Parameters were merged into {names}, which may be buffers themselves."
        adjustments.append(Adjustment(-elements, 0, 0, sentence))
    return adjustments


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
