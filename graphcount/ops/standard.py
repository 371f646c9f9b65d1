"""ONNX's own operators, of the default domain: one file a family."""

from __future__ import annotations

from graphcount.ops import (
    attention,
    control,
    conv,
    einsum,
    elementwise,
    image,
    indexing,
    linear,
    making,
    movement,
    norm,
    pool,
    quant,
    recurrent,
    reduction,
    reshaping,
)
from graphcount.ops.operator import merge

FAMILIES = (
    *(linear, einsum, conv, pool, norm, recurrent, attention, elementwise, reshaping, movement),
    *(indexing, making, reduction, image, quant, control),
)
TABLE = merge(family.TABLE for family in FAMILIES)
