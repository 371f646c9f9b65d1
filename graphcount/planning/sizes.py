"""Size of the stored tensors in other element types: which change, why, and their bytes.

The rules are those of onnxruntime's own tools (1.31): `transformers.float16`, `quantize_dynamic`
and `MatMulNBitsQuantizer`. Transposed weights are taken as folded, and Gemm as the MatMul and Add
that onnxruntime makes of it (`replace_gemm_with_matmul`: alpha = beta = 1, transA = 0).
bfloat16 has no tool there; it follows float16.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from graphcount.dtypes import BY_NAME
from graphcount.report.plan import PlanOptions, SizePlan, TargetDType, TensorPlan
from graphcount.report.records import Report
from graphcount.report.rows import NodeRow, TensorRow

FORMULAS: dict[TargetDType, str] = {
    "float16": "2 bytes x n elements",
    "bfloat16": "2 bytes x n elements",
    "int8": "n bytes + (s + 1) for each scale of s bytes and its zero point",
    "int4": "MatMul [K, N]: N·ceil(K/b)·(b/2 + s) bytes, blocks of b, scales of s bytes",
}

STAYS_FLOAT = frozenset(
    [
        "NonMaxSuppression",
        "TopK",
        "RoiAlign",
        "Range",
        "CumSum",
        "Min",
        "Max",
        "Upsample",
        "RandomUniformLike",
    ]
)
"""Policy: ai.onnx's part of `DEFAULT_OP_BLOCK_LIST` of onnxruntime.transformers.float16."""

STAYS_FLOAT_INPUTS = {
    ("Resize", 2),
    ("GroupNorm", 1),
    ("GroupNorm", 2),
    ("SkipGroupNorm", 1),
    ("SkipGroupNorm", 2),
}
"""Policy: `ALWAYS_FLOAT_INPUTS` of the same module."""

MATRIX, CONV, TABLE = "matrix", "convolution", "embedding"

PLACES = {("MatMul", 1): MATRIX, ("Gemm", 1): MATRIX, ("Conv", 1): CONV, ("Gather", 0): TABLE}
"""Policy: operator and input where int8 (`IntegerOpsRegistry`) can hold a weight."""


class _Bytes(NamedTuple):
    """Bytes of a converted tensor, or why it stays."""

    reason: str
    weight: int = 0
    scale: int = 0
    converted: bool = True


def size_plan(report: Report, dtype: TargetDType, options: PlanOptions) -> SizePlan:
    """Return the model with its weights in another element type.

    Args:
        report: A report.
        dtype: float16, bfloat16, int8 or int4.
        options: Block size, scales a channel, zero points.
    """
    nodes = {node.id: node for node in report.nodes}
    rows = tuple(_tensor(tensor, dtype, nodes, options) for tensor in report.tensors)
    elements = [tensor.elements for tensor in report.tensors]
    changed = [row for row in rows if row.converted]
    weights = sum(row.weight_nbytes for row in changed)
    scales = sum(row.scale_nbytes for row in changed)
    kept = sum(row.nbytes for row in rows if not row.converted)
    return SizePlan(
        dtype=dtype,
        formula=FORMULAS[dtype],
        converted_tensors=len(changed),
        converted_elements=sum(n for n, row in zip(elements, rows, strict=True) if row.converted),
        weight_nbytes=weights,
        scale_nbytes=scales,
        kept_nbytes=kept,
        total_nbytes=weights + scales + kept,
        stored_nbytes=report.totals.nbytes.total,
        tensors=rows,
    )


def _tensor(
    tensor: TensorRow, dtype: TargetDType, nodes: dict[str, NodeRow], options: PlanOptions
) -> TensorPlan:
    if dtype in ("float16", "bfloat16"):
        change = _half(tensor, nodes)
    else:
        change = _quantized(tensor, dtype, nodes, options)
    return TensorPlan(
        tensor.name, change.converted, change.reason, tensor.nbytes, change.weight, change.scale
    )


def _stays(reason: str) -> _Bytes:
    return _Bytes(reason, converted=False)


def _half(tensor: TensorRow, nodes: dict[str, NodeRow]) -> _Bytes:
    """Return 2·n bytes for each float32 tensor, literals too (`convert_float_to_float16`).

    What an operator wants in float32 stays.
    """
    if tensor.dtype != "float32":
        return _stays(f"is {tensor.dtype}; only float32 is converted")
    if tensor.storage.where in ("input", "sparse"):
        return _stays(f"stored as {tensor.storage.where}")
    for use in tensor.uses:
        op_type = nodes[use.node].op_type if use.node in nodes else ""
        if op_type in STAYS_FLOAT or (op_type, use.input) in STAYS_FLOAT_INPUTS:
            return _stays(f"{op_type} keeps float32")
    return _Bytes(f"float32 {tensor.kind}", 2 * tensor.elements)


def _quantized(
    tensor: TensorRow, dtype: TargetDType, nodes: dict[str, NodeRow], options: PlanOptions
) -> _Bytes:
    """Return int8 or int4 bytes of a weight of a matrix product, convolution or look-up."""
    if tensor.kind != "parameter":
        return _stays(f"{tensor.kind}, no parameter")
    if tensor.dtype not in ("float32", "float16", "bfloat16"):
        return _stays(f"is {tensor.dtype}")
    if tensor.dtype == "bfloat16" and dtype == "int8":
        return _stays("bfloat16 is not quantized to int8")
    if tensor.storage.where in ("input", "sparse"):
        return _stays(f"stored as {tensor.storage.where}")
    if len(tensor.shape) < 2:
        return _stays(f"{tensor.role} of rank {len(tensor.shape)}")
    places = {_place(use.node, use.input, nodes) for use in tensor.uses}
    if None in places or not places:
        return _stays(f"{tensor.role}: also or only used where no quantized form exists")
    rows = _columns(tensor, nodes)
    if dtype == "int8":
        return _int8(tensor, places, rows, options.per_channel)
    return _int4(tensor, places, rows, options)


def _place(node: str, position: int | None, nodes: dict[str, NodeRow]) -> str | None:
    row = nodes.get(node)
    if row is None or row.domain or position is None:
        return None
    return PLACES.get((row.op_type, position))


def _int8(
    tensor: TensorRow, places: set[str | None], columns: int | None, per_channel: bool
) -> _Bytes:
    """Return int8 bytes: N, and s + 1 for each scale (s in the tensor's type, zero point 1).

    One scale a tensor, or with `per_channel` one a column of a matrix; convolutions and embeddings
    keep one a tensor (`quantize_dynamic` of onnxruntime 1.31: `ConvInteger`, `GatherQuant`).
    """
    each = BY_NAME[tensor.dtype].bits // 8 + 1
    name = " and ".join(sorted(str(place) for place in places))
    if not per_channel or places != {MATRIX}:
        return _Bytes(f"{name} weight, one scale", tensor.elements, each)
    if columns is None:
        return _stays("which dimension holds its output channels is not known")
    return _Bytes(f"{name} weight, {columns} scales", tensor.elements, each * columns)


def _int4(
    tensor: TensorRow, places: set[str | None], columns: int | None, options: PlanOptions
) -> _Bytes:
    """Return int4 bytes: b elements share a scale, as in MatMulNBits and GatherBlockQuantized.

    MatMul [K, N], blocks along K, padded: N·ceil(K/b)·b/2 bytes, N·ceil(K/b) scales; asymmetric
    N·ceil(ceil(K/b)/2) bytes of zero points. Gather [R, D], blocks along D, not padded: ceil(R·D/2)
    bytes, R·ceil(D/b) scales; asymmetric ceil(R·ceil(D/b)/2). Source: contrib operators
    `com.microsoft.MatMulNBits` and `GatherBlockQuantized`, and
    onnxruntime/quantization/matmul_nbits_quantizer.py.
    """
    block, each = options.block, BY_NAME[tensor.dtype].bits // 8
    if places == {TABLE}:
        outer, inner = tensor.shape[0], prod(tensor.shape[2:])
        groups = outer * _up(tensor.shape[1], block) * inner
        zeros = _up(groups, 2) if options.asymmetric else 0
        reason = f"embedding, {groups} blocks"
        return _Bytes(reason, _up(tensor.elements, 2), groups * each + zeros)
    if places != {MATRIX}:
        return _stays(" and ".join(sorted(map(str, places))) + " weight: no 4-bit form")
    if prod(tensor.shape[:-2]) != 1:
        return _stays("a stack of matrices")
    if columns is None:
        return _stays("which dimension is summed over is not known")
    blocks = _up(tensor.elements // max(columns, 1), block)
    zeros = columns * _up(blocks, 2) if options.asymmetric else 0
    reason = f"matrix weight, {columns * blocks} blocks"
    return _Bytes(reason, columns * blocks * (block // 2), columns * blocks * each + zeros)


def _columns(tensor: TensorRow, nodes: dict[str, NodeRow]) -> int | None:
    """Return output channels of a matrix: the last dimension of what every operator makes of it.

    The report does not say whether a Gemm (or an operator before it) transposes, its output does.
    """
    last = tensor.shape[-2:]
    if last[0] == last[1]:
        return last[1]
    widths: set[int | str | None] = set()
    for use in tensor.uses:
        row = nodes.get(use.node)
        shape = row.output_shapes[0] if row is not None and row.output_shapes else None
        widths.add(shape[-1] if shape else None)
    only = widths.pop() if len(widths) == 1 else None
    return only if isinstance(only, int) and only in last else None


def _up(number: int, by: int) -> int:
    return -(-number // by)


__all__ = ["size_plan"]
