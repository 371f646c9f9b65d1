"""Tensors that constant folding made of larger tables, or of buffers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import (
    NUMBERED,
    Adjustment,
    Evidence,
    doubt,
    is_generated,
    listed,
)
from graphcount.analysis.names import maker
from graphcount.analysis.verdict import KNOWN_BY_NAME, ROWS_OF_TABLES, Verdict
from graphcount.graph import GraphNode

LINEAR = frozenset({"MatMul", "Add", "Transpose", "Identity", "Cast"})
"""Policy: operators that torch's exporter writes for a Linear."""

OPERANDS = frozenset({"MatMul", "Einsum"})
"""Policy: operators after which torch's legacy exporter names what it folded for them, where it
may be anything but the weight of a layer."""

LINEAR_CALL = re.compile(r"(node_)?linear(_\d{1,9})?\Z")
"""What the dynamo exporter calls the last node of a Linear, and its result."""

MAX_LOOK = 4


def cut_tables(evidence: Evidence) -> Iterable[Adjustment]:
    """Find rows with a generated name that are added to looked-up rows: a cut table."""
    rows = [
        row
        for row in evidence.parameters
        if row.verdict.rule in ROWS_OF_TABLES and maker(row.stored.name) == "exporter"
    ]
    if not rows:
        return []
    names = listed([row.stored.name for row in rows])
    sentence = (
        f"Folded rows ({names}) may be part of a larger table, of which the rest is not stored,"
        " or may be computed and not learned."
    )
    return [doubt(rows, sentence)._replace(high=None)]


def free_products(evidence: Evidence) -> Iterable[Adjustment]:
    """Folded operands of a product outside a module of its own may be buffers, or made of less."""
    free = free_operands(evidence)
    if not free:
        return []
    names = listed([row.stored.name for row in free])
    sentence = (
        "These stand in products outside a linear module of their own, and may be buffers or"
        f" gathered from smaller tables: {names}."
    )
    return [doubt(free, sentence)._replace(high=None)]


def free_operands(evidence: Evidence) -> list[Row]:
    """Find parameters that an exporter folded, in a product that is no Linear."""
    legacy, dynamo = [], []
    for row in evidence.parameters:
        match = NUMBERED.match(row.stored.name)
        if match and match[1] in OPERANDS and row.tensor.uses:
            legacy.append(row)
        elif evidence.is_dynamo and not match and is_generated(row):
            dynamo.append(row)
    return [*_outside_modules(legacy, evidence), *_outside_calls(dynamo, evidence)]


def _outside_modules(rows: list[Row], evidence: Evidence) -> list[Row]:
    """The legacy exporter names nodes after modules: those with more than a Linear in them."""
    ops: dict[str, set[str]] = defaultdict(set)
    if rows:
        for node in evidence.operators:
            ops[node.name.rpartition("/")[0]].add(node.op_type)
    free = []
    for row in rows:
        data = evidence.graph.nodes[row.tensor.uses[0].node]
        module = data.name.rpartition("/")[0]
        if not module or not ops[module] <= LINEAR:
            free.append(row)
    return free


def _outside_calls(rows: list[Row], evidence: Evidence) -> list[Row]:
    """The dynamo exporter names nodes after torch calls: products that no linear call ends in."""
    free = []
    for row in rows:
        nodes = [use.node for use in row.tensor.uses if _is_product(evidence.graph.nodes[use.node])]
        if nodes and not any(_is_linear_call(node, evidence) for node in nodes):
            free.append(row)
    return free


def _is_linear_call(node: str, evidence: Evidence) -> bool:
    """Return whether a product, or what only it leads to (a bias), is named after a linear."""
    for _ in range(MAX_LOOK):
        data = evidence.graph.nodes[node]
        if data.kind != "operator":
            return False
        if any(LINEAR_CALL.match(name) for name in (data.name, *data.outputs)):
            return True
        following = evidence.graph.consumers(node)
        if len(following) != 1:
            return False
        node = following[0]
        if _is_product(evidence.graph.nodes[node]):
            return False
    return False


def _is_product(node: GraphNode) -> bool:
    return node.operator is not None and node.operator.is_matrix_product


def named_operands(evidence: Evidence) -> Iterable[Adjustment]:
    """Find operands known by name alone: parameters and buffers are written the same way."""
    rows = [row for row in evidence.parameters if is_by_name(row.verdict)]
    if not rows:
        return []
    names = listed([row.stored.name for row in rows])
    sentence = f"Nothing but their names tells these from buffers: {names}."
    return [doubt(rows, sentence)._replace(high=None)]


def is_by_name(verdict: Verdict) -> bool:
    """Return whether nothing but a tensor's name makes it a parameter."""
    return verdict.rule in KNOWN_BY_NAME
