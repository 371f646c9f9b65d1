"""Tensors that constant folding made of larger tables, or of buffers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from graphcount.analysis.framework.evidence import NUMBERED, Adjustment, Evidence, listed
from graphcount.analysis.names import maker
from graphcount.analysis.verdict import Verdict

LINEAR = frozenset({"MatMul", "Add", "Transpose", "Identity", "Cast"})
"""Operators that torch's Linear becomes."""


def cut_tables(evidence: Evidence) -> Iterable[Adjustment]:
    """Rows under a generated name, added to looked-up rows: part of a table of positions."""
    rows = [
        row
        for row in evidence.parameters
        if row.verdict.reason.startswith("rows of a table") and maker(row.stored.name) == "exporter"
    ]
    added = [row for row in rows if row.verdict.reason.endswith("Add")]
    if not rows:
        return []
    names = listed([row.stored.name for row in rows])
    sentence = (
        f"Folded rows ({names}) may be part of a larger table, of which the rest is not stored,"
        " or may be computed and not learned."
    )
    least = -sum(row.elements for row in rows)
    return [Adjustment(least, None, None if added else 0, sentence)]


def free_products(evidence: Evidence) -> Iterable[Adjustment]:
    """Folded operands of a product outside a module of its own may be buffers."""
    ops: dict[str, set[str]] = defaultdict(set)
    suspects = []
    for row in evidence.parameters:
        match = NUMBERED.match(row.stored.name)
        if match and match[1] in ("MatMul", "Einsum") and row.tensor.uses:
            suspects.append(row)
    if not suspects:
        return []
    for _, data in evidence.operators:
        ops[data["name"].rpartition("/")[0]].add(data["op_type"])
    free = []
    for row in suspects:
        data = evidence.graph.nodes[row.tensor.uses[0].node]
        inside = ops[data.get("name", "").rpartition("/")[0]]
        if not inside <= LINEAR or not data.get("name", "").rpartition("/")[0]:
            free.append(row)
    if not free:
        return []
    elements = sum(row.elements for row in free)
    names = listed([row.stored.name for row in free])
    sentence = f"{names} stand in products outside a linear module of their own and may be buffers."
    return [Adjustment(-elements, None, 0, sentence)]


def named_operands(evidence: Evidence) -> Iterable[Adjustment]:
    """Operands known by their name alone: parameters and buffers are written alike."""
    rows = [row for row in evidence.parameters if is_by_name(row.verdict)]
    if not rows:
        return []
    elements = sum(row.elements for row in rows)
    names = listed([row.stored.name for row in rows])
    sentence = f"{names} are counted for their names, and may be buffers: nothing tells them apart."
    return [Adjustment(-elements, None, 0, sentence)]


def is_by_name(verdict: Verdict) -> bool:
    """Whether nothing but a tensor's name makes it a parameter."""
    return verdict.reason.startswith("named ")
