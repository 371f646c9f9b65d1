"""Size of the stored tensors in other element types: which change, why, and their bytes.

What is written is what onnxruntime's own tools write of this file, tensor by tensor; see
`quantizers` and `written`. bfloat16 has no tool there; it follows float16.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from graphcount.loading.model import ModelProto
from graphcount.planning.written import Converted, Written, written
from graphcount.report.plan import PlanOptions, SizePlan, TargetDType, TensorPlan
from graphcount.report.records import Report
from graphcount.report.rows import OUTPUT, TensorRow

FORMULAS: dict[TargetDType, str] = {
    "float16": "2 bytes x n elements",
    "bfloat16": "2 bytes x n elements",
    "int8": "n bytes + (s + 1) for each scale of s bytes and its zero point",
    "int4": "MatMul [K, N]: N·ceil(K/b)·(b/2 + s) bytes, blocks of b, scales of s bytes",
}


PLACES = {
    "constant": "a Constant node holds it, the tool takes initializers",
    "attribute": "an attribute holds it",
    "function": "a local function holds it, where the tool does not look",
    "sparse": "it is sparse",
    "input": "it is an input",
}
"""Why a tensor stays that is no initializer, by `StorageRow.where`."""


class CountedModel(NamedTuple):
    """A model and its report.

    Attributes:
        report: What was counted.
        proto: The model's records.
        keys: Offset of each stored tensor, in the report's order.
    """

    report: Report
    proto: ModelProto
    keys: tuple[int, ...]


def size_plan(model: CountedModel, dtype: TargetDType, options: PlanOptions) -> SizePlan:
    """Return the model with its weights in another element type.

    Args:
        model: The model and its report.
        dtype: float16, bfloat16, int8 or int4.
        options: Block size, scales a channel, zero points.
    """
    report, file = model.report, written(model.proto, dtype, options)
    rows = tuple(_tensors(model, file))
    elements = [tensor.elements for tensor in report.tensors]
    weights = sum(row.weight_nbytes for row in rows)
    scales = sum(row.scale_nbytes for row in rows)
    kept = sum(row.kept_nbytes for row in rows)
    added = sum(data.nbytes for data in file.added)
    total, overhead = weights + scales + kept + added, report.totals.nbytes.overhead
    return SizePlan(
        dtype=dtype,
        formula=FORMULAS[dtype],
        converted_tensors=sum(row.converted for row in rows),
        converted_elements=sum(n for n, row in zip(elements, rows, strict=True) if row.converted),
        weight_nbytes=weights,
        scale_nbytes=scales,
        kept_nbytes=kept,
        added_nbytes=added,
        total_nbytes=total,
        today_nbytes=report.totals.nbytes.total,
        file_nbytes=None if overhead is None else total + overhead,
        nbytes_by_dtype=_by_dtype(report.tensors, rows, file),
        stops_at=file.stops_at,
        tensors=rows,
    )


def _tensors(model: CountedModel, file: Written) -> Iterable[TensorPlan]:
    """Yield what becomes of each stored tensor, in the report's order."""
    converted: dict[int, list[Converted]] = {}
    kept: dict[int, list[str]] = {}
    for operand, form in file.converted.items():
        converted.setdefault(operand.key, []).append(form)
    for operand, reader in file.kept.items():
        kept.setdefault(operand.key, []).append(reader)
    keys = (*model.keys, *[None] * (len(model.report.tensors) - len(model.keys)))
    for tensor, key in zip(model.report.tensors, keys, strict=True):
        forms = converted.get(key, []) if key is not None else []
        readers = kept.get(key, []) if key is not None else []
        if key in file.initializers and (file.dropped or forms):
            copies = len(readers)
        else:
            copies = 0 if forms else 1
        yield TensorPlan(
            name=tensor.name,
            converted=bool(forms),
            reason=_reason(tensor, forms, readers, key in file.initializers, copies),
            nbytes=tensor.nbytes,
            weight_nbytes=sum(form.weight.nbytes for form in forms),
            scale_nbytes=sum(data.nbytes for form in forms for data in form.scales),
            kept_nbytes=copies * tensor.nbytes,
        )


def _reason(
    tensor: TensorRow, forms: list[Converted], readers: list[str], initializer: bool, copies: int
) -> str:
    """Say what becomes of a tensor, and why."""
    if not is_float(tensor) and copies:
        return f"it is {tensor.dtype}"
    if forms:
        also = f"; stays as well, for {readers[0]}" if readers else ""
        return f"{' and '.join(form.reason for form in forms)}{also}"
    if not initializer:
        return PLACES.get(tensor.storage.where, "no initializer")
    if not copies:
        return "nothing reads it: left out"
    if not readers:
        return "nothing reads it"
    return "a graph output" if readers[0] == OUTPUT else f"{readers[0]} keeps {tensor.dtype}"


def is_float(tensor: TensorRow) -> bool:
    """Return whether a tensor may have another type."""
    return tensor.dtype in ("float32", "float16", "bfloat16")


def _by_dtype(
    tensors: Iterable[TensorRow], rows: Iterable[TensorPlan], file: Written
) -> dict[str, int]:
    """Return bytes by element type, by name; indices of a sparse tensor with its values."""
    sums: dict[str, int] = {}
    for tensor, row in zip(tensors, rows, strict=True):
        sums[tensor.dtype] = sums.get(tensor.dtype, 0) + row.kept_nbytes
    made = [data for form in file.converted.values() for data in (form.weight, *form.scales)]
    for data in (*made, *file.added):
        sums[data.dtype] = sums.get(data.dtype, 0) + data.nbytes
    return {dtype: nbytes for dtype, nbytes in sorted(sums.items()) if nbytes}


__all__ = ["CountedModel", "is_float", "size_plan"]
