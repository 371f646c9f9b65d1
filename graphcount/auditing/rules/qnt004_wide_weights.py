"""Wide weights are left in a quantized model.

What it does:
    Adds up matrices and filters in float32 or float64 of a model that has quantized weights, and
    reports them from a tenth of all bytes on.

Why it matters:
    They take four to eight times the room of the others: usually an operator that the quantizer
    does not know, seldom a choice.

Example:
    An int8 model whose embedding, half of its bytes, is still float32.

What to do:
    Quantize them too (Gather needs an option of its own), or store them in float16.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.dtypes import BY_NAME
from graphcount.report.finding_rows import Finding

RULE = Rule("QNT004", "wide-weights", "info")
WIDE = frozenset({"float32", "float64"})
ROLES = frozenset({"weight", "embedding", "recurrent weight", "quantized weight"})
SHARE = 0.1


def check(context: Context) -> Iterable[Finding]:
    """Yield at most one finding."""
    quantized, total, wide = 0, 0, []
    for row in context.rows:
        total += row.stored.nbytes
        dtype = BY_NAME.get(row.stored.dtype)
        if row.verdict.role not in ROLES or dtype is None:
            continue
        if dtype.bits <= 8:
            quantized += row.stored.nbytes
        elif row.stored.dtype in WIDE and row.tensor.live:
            wide.append(row.stored)
    nbytes = sum(tensor.nbytes for tensor in wide)
    if quantized and nbytes >= total * SHARE:
        largest = max(wide, key=lambda tensor: tensor.nbytes)
        yield RULE.finding(
            f"{len(wide)} weights of {nbytes:,} bytes are not quantized beside {quantized:,} bytes"
            f" that are; the largest is {largest.name!r}",
            {"tensor": largest.name},
            nbytes=nbytes,
            quantized_nbytes=quantized,
            tensors=len(wide),
        )
