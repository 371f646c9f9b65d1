"""Tensors that pack several elements into one, or hold some that mean nothing.

Sources: onnxruntime/docs/ContribOperators.md (MatMulNBits, MatMulBnb4, GatherBlockQuantized, QMoE);
onnx/docs/Operators-ml.md (TreeEnsemble*: leaves have an entry in nodes_values that is not used).
"""

from __future__ import annotations

from graphcount.loading.model import Node
from graphcount.ops.call import Packed, Packing


def nbits_nbytes(node: Node) -> int:
    """Return the bytes of MatMulNBits' B, N rows of whole blocks; 0 for impossible sizes."""
    k, n = node.integer("K", 0), node.integer("N", 0)
    bits, block = node.integer("bits", 4), node.integer("block_size", 0)
    if k < 1 or n < 1 or not 1 <= bits <= 8 or block < 16 or block & (block - 1):
        return 0
    return n * -(-k // block) * -(-block * bits // 8)


def _nbits(node: Node, index: int | None, tensor: Packed) -> int | None:
    """B holds N rows of K elements in blocks; zero points are packed like B when they are uint8."""
    k, n = node.integer("K", 0), node.integer("N", 0)
    block = node.integer("block_size", 0)
    if index == 1:
        return k * n if tensor.has(nbits_nbytes(node)) else None
    if k <= 0 or n <= 0:
        return None
    if index == 3 and tensor.dtype == "uint8" and block > 0:
        return n * -(-k // block)
    return None


def _bnb4_nbytes(node: Node) -> int:
    """Return bytes of MatMulBnb4's packed B: two elements each."""
    k, n = node.integer("K", 0), node.integer("N", 0)
    return (k * n + 1) // 2 if k > 0 and n > 0 else 0


def _bnb4(node: Node, index: int | None, tensor: Packed) -> int | None:
    is_packed = index == 1 and tensor.has(_bnb4_nbytes(node))
    return node.integer("K", 0) * node.integer("N", 0) if is_packed else None


def per_byte(name: str, inputs: frozenset[int]) -> Packing:
    """Return how bytes of some inputs hold 8 / bits elements each; `bits`, an attribute, is 4."""

    def unpack(node: Node, index: int | None, tensor: Packed) -> int | None:
        bits = node.integer(name, 4)
        is_packed = tensor.dtype == "uint8" and index in inputs and bits in (1, 2, 4)
        return tensor.elements * (8 // bits) if is_packed else None

    return Packing(unpack)


def _thresholds(node: Node, index: int | None, tensor: Packed) -> int | None:
    """Return thresholds of branch nodes only."""
    attribute = node.attribute("nodes_values")
    tensors = node.attribute("nodes_values_as_tensor")
    modes = node.attribute("nodes_modes")
    if modes is None or modes.numbers is None:
        return None
    is_values = attribute is not None and attribute.offset == tensor.key
    is_values |= tensors is not None and any(t.offset == tensor.key for t in tensors.tensors)
    if not is_values:
        return None
    return sum(1 for mode in modes.numbers.values if mode != b"LEAF")


N_BITS = Packing(_nbits, nbits_nbytes)
BNB4 = Packing(_bnb4, _bnb4_nbytes)
TREE = Packing(_thresholds)
