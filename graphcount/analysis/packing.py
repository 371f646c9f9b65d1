"""Logical elements of tensors that pack several elements into one, or pad (`Operator.packing`)."""

from __future__ import annotations

import math
from typing import TypeAlias

from graphcount.analysis.stored import Stored
from graphcount.dtypes import BY_NAME
from graphcount.errors import Problem
from graphcount.graph import GraphNode
from graphcount.ops.call import Packed, Packing

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
        packing, record = _packing(node), node.record
        if index == 1 and packing is not None and packing.nbytes is not None:
            sizes = (record.integer("N", 0), record.integer("K", 0)) if record else (0, 0)
            if min(sizes) > 0:
                return sizes
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
        packing = _packing(node)
        if packing is None or packing.nbytes is None or node.record is None or index != 1:
            continue
        asked, tensor = packing.nbytes(node.record), _packed(stored)
        if not tensor.has(asked):
            states = f"asks for {asked:,} bytes" if asked else "states sizes that make no sense"
            why = f"{node.op_type} {states}; there are {tensor.nbytes:,}"
            return Problem("QNT002", "packed data", why)
    return None


def _packing(node: GraphNode) -> Packing | None:
    return node.operator.packing if node.operator is not None else None


def _packed(stored: Stored) -> Packed:
    dtype = BY_NAME.get(stored.dtype)
    nbytes = dtype.nbytes(stored.elements) if dtype is not None else stored.elements
    return Packed(stored.key, stored.dtype, stored.elements, nbytes)
