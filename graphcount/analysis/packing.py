"""Logical elements of tensors that pack several numbers into one, or pad: a table by operator.

Sources: onnxruntime/docs/ContribOperators.md (MatMulNBits, MatMulBnb4, GatherBlockQuantized, QMoE);
onnx/docs/Operators-ml.md (TreeEnsemble*: leaves have an entry in nodes_values that is not used).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from graphcount.analysis.stored import Stored
from graphcount.dtypes import BY_NAME
from graphcount.errors import Problem
from graphcount.graph import GraphNode
from graphcount.loading.model import Node

Uses: TypeAlias = list[tuple[GraphNode, int | None]]
"""The node and input index of each use of a tensor."""

Unpack = Callable[[Node, int | None, Stored], int | None]


def logical_elements(stored: Stored, uses: Uses) -> int:
    """Numbers a tensor stands for: its elements, unless an operator that uses it packs them.

    Args:
        stored: The tensor.
        uses: What uses it.
    """
    for node, index in uses:
        unpack = PACKED.get((node.domain, node.op_type))
        if unpack is not None and node.record is not None:
            elements = unpack(node.record, index, stored)
            if elements is not None and elements >= 0:
                return elements
    return stored.elements


def logical_shape(stored: Stored, uses: Uses) -> tuple[int, ...]:
    """Dimensions of the numbers a tensor stands for: (N, K) of a product that packs its weight.

    Args:
        stored: The tensor.
        uses: What uses it.
    """
    elements = logical_elements(stored, uses)
    for node, index in uses:
        record = node.record
        if index == 1 and (node.domain, node.op_type) in PACKED_PRODUCTS:
            sizes = (record.integer("N", 0), record.integer("K", 0)) if record else (0, 0)
            if min(sizes) > 0:
                return sizes
    rows = math.prod(stored.shape[:-1])
    if elements != stored.elements and rows and elements % rows == 0:
        return (*stored.shape[:-1], elements // rows)
    return stored.shape


def packing_problem(stored: Stored, uses: Uses) -> Problem | None:
    """Why a packed weight is not what an operator says of it; None when it is, or not packed.

    Args:
        stored: The tensor.
        uses: What uses it.
    """
    for node, index in uses:
        size_of = PACKED_PRODUCTS.get((node.domain, node.op_type))
        asked = size_of(node.record) if size_of and node.record and index == 1 else None
        if asked is not None and not _fits(asked, stored):
            said = f"asks for {asked:,} bytes" if asked else "states sizes that make no sense"
            why = f"{node.op_type} {said}; there are {_nbytes(stored):,}"
            return Problem("QNT002", "packed data", why)
    return None


def nbits_nbytes(node: Node) -> int:
    """Bytes of MatMulNBits' packed B, N rows of whole blocks; 0 when its sizes make no sense."""
    k, n = node.integer("K", 0), node.integer("N", 0)
    bits, block = node.integer("bits", 4), node.integer("block_size", 0)
    if k < 1 or n < 1 or not 1 <= bits <= 8 or block < 16 or block & (block - 1):
        return 0
    return n * -(-k // block) * -(-block * bits // 8)


def _bnb4_nbytes(node: Node) -> int:
    """Bytes of MatMulBnb4's packed B: two numbers each."""
    k, n = node.integer("K", 0), node.integer("N", 0)
    return (k * n + 1) // 2 if k > 0 and n > 0 else 0


def _nbytes(stored: Stored) -> int:
    dtype = BY_NAME.get(stored.dtype)
    return dtype.nbytes(stored.elements) if dtype is not None else stored.elements


def _fits(asked: int, stored: Stored) -> bool:
    return asked > 0 and asked == _nbytes(stored)


def _matmul_nbits(node: Node, index: int | None, stored: Stored) -> int | None:
    """B holds N rows of K numbers in blocks; zero points are packed like B when they are uint8."""
    k, n = node.integer("K", 0), node.integer("N", 0)
    block = node.integer("block_size", 0)
    if index == 1:
        return k * n if _fits(nbits_nbytes(node), stored) else None
    if k <= 0 or n <= 0:
        return None
    if index == 3 and stored.dtype == "uint8" and block > 0:
        return n * -(-k // block)
    return None


def _matmul_bnb4(node: Node, index: int | None, stored: Stored) -> int | None:
    fits = index == 1 and _fits(_bnb4_nbytes(node), stored)
    return node.integer("K", 0) * node.integer("N", 0) if fits else None


def _per_byte(name: str, default: int, inputs: frozenset[int]) -> Unpack:
    """Bytes hold 8 / bits numbers each."""

    def unpack(node: Node, index: int | None, stored: Stored) -> int | None:
        bits = node.integer(name, default)
        packed = stored.dtype == "uint8" and index in inputs and bits in (1, 2, 4)
        return stored.elements * (8 // bits) if packed else None

    return unpack


def _tree(node: Node, index: int | None, stored: Stored) -> int | None:
    """Thresholds of branch nodes only."""
    attribute = node.attribute("nodes_values")
    tensors = node.attribute("nodes_values_as_tensor")
    modes = node.attribute("nodes_modes")
    if modes is None or modes.numbers is None:
        return None
    is_values = attribute is not None and attribute.offset == stored.key
    is_values |= tensors is not None and any(t.offset == stored.key for t in tensors.tensors)
    if not is_values:
        return None
    return sum(1 for mode in modes.numbers.values if mode != b"LEAF")


PACKED: dict[tuple[str, str], Unpack] = {
    ("com.microsoft", "MatMulNBits"): _matmul_nbits,
    ("com.microsoft", "MatMulBnb4"): _matmul_bnb4,
    ("com.microsoft", "GatherBlockQuantized"): _per_byte("bits", 4, frozenset({0, 3})),
    ("com.microsoft", "QMoE"): _per_byte("expert_weight_bits", 4, frozenset({2, 5, 8, 11, 12, 13})),
    ("ai.onnx.ml", "TreeEnsembleClassifier"): _tree,
    ("ai.onnx.ml", "TreeEnsembleRegressor"): _tree,
}

PACKED_PRODUCTS: dict[tuple[str, str], Callable[[Node], int]] = {
    ("com.microsoft", "MatMulNBits"): nbits_nbytes,
    ("com.microsoft", "MatMulBnb4"): _bnb4_nbytes,
}
"""Products whose attributes N and K say what matrix their packed input 1 stands for, in how many
bytes."""
