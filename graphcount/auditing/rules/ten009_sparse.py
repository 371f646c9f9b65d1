"""A sparse tensor contradicts itself.

What it does:
    Compares the counts of values, indices and cells of sparse tensors, and the type of the
    indices, which must be INT64. A deep audit also reads the
    indices: each must lie inside the dims, and they must ascend.

Why it matters:
    An index outside of the dims is a write outside of the tensor in a reader that does not check.

Example:
    A value at index 25 of a [4, 5] tensor.

What to do:
    Save the model again from its source.

References:
    onnx.proto, SparseTensorProto.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from graphcount.analysis.stored import UNNAMED, Stored
from graphcount.auditing.context import Context
from graphcount.auditing.files import is_fatal
from graphcount.auditing.grouping import about_tensors, and_more, tensor_findings
from graphcount.auditing.rule import Rule
from graphcount.dtypes import dtype_name
from graphcount.loading.tensor_data import UnreadError
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN009", "sparse-tensor", "high")


CHECKED_VALUES = 1 << 20
INT64 = 7


def check(context: Context) -> Iterable[Finding]:
    """Yield numbers that do not fit, and indices that are wrong."""
    yield from tensor_findings(RULE, context)
    typed = [stored for stored in context.stored if _index_type(stored) not in (None, INT64)]
    if typed:
        code = _index_type(typed[0])
        message = f"{typed[0].name or UNNAMED}: indices are {dtype_name(code or 0)}, not int64"
        yield about_tensors(RULE, context, typed, message + and_more(len(typed) - 1, "tensor"))
    if not context.deep:
        return
    wrong = []
    for stored in context.stored:
        sound = stored.sparse is not None and not stored.problems
        why = _wrong_index(context, stored) if sound else ""
        if why:
            wrong.append((stored, why))
    if wrong:
        stored, why = wrong[0]
        message = f"{stored.name or UNNAMED}: {why}{and_more(len(wrong) - 1, 'tensor')}"
        yield about_tensors(RULE, context, [stored for stored, _ in wrong], message)


def _index_type(stored: Stored) -> int | None:
    return stored.sparse.indices.data_type if stored.sparse is not None else None


def _wrong_index(context: Context, stored: Stored) -> str:
    """Return what is wrong with the indices of a sparse tensor; empty for nothing, or unread."""
    sparse = stored.sparse
    if sparse is None or sparse.indices.is_external or not sparse.indices.data_fields:
        return ""
    count = sparse.values.dims[0] if sparse.values.dims else 1
    if sparse.indices.data_type != INT64 or not 0 < count <= CHECKED_VALUES:
        return ""
    try:
        data = context.files.reader.read(sparse.indices, most_nbytes=1 << 62)
    except UnreadError as error:
        if is_fatal(error):
            raise
        return ""
    numbers = array("q", data[: len(data) // 8 * 8])
    linear = len(numbers) == count
    rank = len(sparse.dims)
    before: tuple[int, ...] | None = None
    bounds = (stored.elements,) if linear else sparse.dims
    width = 1 if linear else rank
    for start in range(0, len(numbers), max(1, width)):
        index = tuple(numbers[start : start + width])
        if any(not 0 <= i < bound for i, bound in zip(index, bounds, strict=False)):
            return f"index {list(index)} lies outside of {list(bounds)}"
        if before is not None and index <= before:
            return f"index {list(index)} follows {list(before)}: they must ascend"
        before = index
    return ""
