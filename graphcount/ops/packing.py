"""Tensors that pack several elements into one, or hold some that mean nothing.

Sources: onnxruntime/docs/ContribOperators.md (MatMulNBits and its kin, MatMulBnb4, MatMulPacked,
GatherBlockQuantized, QMoE);
onnx/docs/Operators-ml.md (TreeEnsemble*: leaves have an entry in nodes_values that is not used).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphcount.dtypes import BY_NAME, UNKNOWN_PRECISION, Precision, precision_of
from graphcount.loading.model import Node
from graphcount.ops.call import Call, Matrix, Packed, Packing

UINT8 = BY_NAME["uint8"].code
FLOAT4 = precision_of(BY_NAME["float4_e2m1fn"].code)


def _in_blocks(node: Node, rows: str) -> Matrix:
    """Return a matrix of N rows of K elements, each row in whole blocks with a scale each."""
    k, n = node.integer("K", 0), node.integer(rows, 0)
    bits, block = node.integer("bits", 4), node.integer("block_size", 0)
    if k < 1 or n < 1 or not 1 <= bits <= 8 or block < 16 or block & (block - 1):
        return Matrix(n, k, 0, 0)
    blocks = n * -(-k // block)
    return Matrix(n, k, blocks * -(-block * bits // 8), blocks)


def n_bits(weights: Mapping[int, str], zero_points: int | None = None) -> Packing:
    """Return how MatMulNBits and its kin pack: N rows of K elements, zero points like them.

    Args:
        weights: Attribute with the rows of the weight at each input.
        zero_points: Input with zero points, packed when they are uint8.
    """

    def matrix(node: Node, index: int | None) -> Matrix | None:
        rows = weights.get(-1 if index is None else index)
        return _in_blocks(node, rows) if rows else None

    def unpack(node: Node, index: int | None, tensor: Packed) -> int | None:
        packed = matrix(node, index)
        if packed is not None:
            return packed.rows * packed.columns if tensor.has(packed.nbytes) else None
        k, n, block = node.integer("K", 0), node.integer("N", 0), node.integer("block_size", 0)
        if index != zero_points or index is None or min(k, n, block) <= 0:
            return None
        return n * -(-k // block) if tensor.dtype == "uint8" else None

    def precision(call: Call, index: int) -> Precision | None:
        return _unsigned(call.node.integer("bits", 4)) if index in weights else None

    return Packing(unpack, matrix, precision)


def _unsigned(bits: int) -> Precision:
    return Precision(f"uint{bits}", bits) if 1 <= bits <= 8 else UNKNOWN_PRECISION


def _adapted(node: Node, index: int | None, tensor: Packed) -> int | None:
    """MatMulNBitsQLoRA: the base, and adapters of a rank that their own dimensions say.

    The rank of the second adapter stands in the first one: it counts with whole blocks.
    """
    if index == 1:
        return N_BITS.unpack(node, index, tensor)
    bits = node.integer("lora_bits", 4)
    if index not in (3, 5) or len(tensor.dims) != 3 or bits not in (2, 4, 8):
        return None
    rows, blocks, nbytes = tensor.dims
    return rows * (node.integer("K", 0) if index == 3 else blocks * nbytes * 8 // bits)


def _bnb4_matrix(node: Node, index: int | None) -> Matrix | None:
    """MatMulBnb4: two elements in each byte, blocks of them all in a row."""
    k, n = node.integer("K", 0), node.integer("N", 0)
    if index != 1:
        return None
    elements = max(k, 0) * max(n, 0)
    block = node.integer("block_size", 0)
    return Matrix(n, k, (elements + 1) // 2, -(-elements // block) if block > 0 else 0)


def _bnb4(node: Node, index: int | None, tensor: Packed) -> int | None:
    packed = _bnb4_matrix(node, index)
    if packed is None or not tensor.has(packed.nbytes):
        return None
    return packed.rows * packed.columns


def _adapted_precision(call: Call, index: int) -> Precision | None:
    """MatMulNBitsQLoRA: adapters have bits of their own."""
    if index in (3, 5):
        return _unsigned(call.node.integer("lora_bits", 4))
    return N_BITS.precision(call, index)


def _bnb4_precision(call: Call, index: int) -> Precision | None:
    """MatMulBnb4: FP4 or NF4, as `quant_type` says."""
    name = {0: "fp4", 1: "nf4"}.get(call.node.integer("quant_type", 1))
    if index != 1:
        return None
    return Precision(name, 4) if name else UNKNOWN_PRECISION


def _not_said(index: int) -> Callable[[Call, int], Precision | None]:
    """Return that no file says what an input packs."""
    return lambda call, at: UNKNOWN_PRECISION if at == index else None


def rows_of(index: int) -> Packing:
    """Return how block formats of stable ids pack: rows of K elements, in whatever they need."""

    def unpack(node: Node, at: int | None, tensor: Packed) -> int | None:
        k = node.integer("K", 0)
        is_packed = at == index and len(tensor.dims) == 2 and k > 0
        return tensor.dims[0] * k if is_packed else None

    return Packing(unpack, precision=_not_said(index))


def blob(index: int) -> Packing:
    """Return that an input is packed in a way that its shape does not say."""
    return Packing(lambda node, at, tensor: None, precision=_not_said(index))


def in_halves(index: int) -> Packing:
    """Return how bytes of one input hold two elements each."""

    def unpack(node: Node, at: int | None, tensor: Packed) -> int | None:
        return tensor.elements * 2 if at == index and tensor.dtype == "uint8" else None

    def precision(call: Call, at: int) -> Precision | None:
        return FLOAT4 if at == index and call.dtype(at) == UINT8 else None

    return Packing(unpack, precision=precision)


def per_byte(name: str, inputs: frozenset[int]) -> Packing:
    """Return how bytes of some inputs hold 8 / bits elements each; `bits`, an attribute, is 4."""

    def unpack(node: Node, index: int | None, tensor: Packed) -> int | None:
        bits = node.integer(name, 4)
        is_packed = tensor.dtype == "uint8" and index in inputs and bits in (1, 2, 4)
        return tensor.elements * (8 // bits) if is_packed else None

    def precision(call: Call, index: int) -> Precision | None:
        bits = call.node.integer(name, 4)
        is_packed = index in inputs and call.dtype(index) == UINT8 and bits in (1, 2, 4)
        return _unsigned(bits) if is_packed else None

    return Packing(unpack, precision=precision)


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
    each: Sequence[object] = modes.numbers.values
    return len(each) - each.count(b"LEAF")


N_BITS = n_bits({1: "N"}, 3)
N_BITS_MLP = n_bits({3: "N", 6: "N"})
N_BITS_QKV = n_bits({3: "Nq", 6: "Nkv", 9: "Nkv"})
N_BITS_ADAPTED = Packing(_adapted, N_BITS.matrix, _adapted_precision)
BNB4 = Packing(_bnb4, _bnb4_matrix, _bnb4_precision)
TREE = Packing(_thresholds)
