"""Shapes of outputs from shapes of inputs: one table a family, keyed (domain, op_type).

A rule (see `kit`) sees a `Call`, never a tensor. `dtypes` tells element types, `numbers` what the
numbers of small integer tensors are: shapes, axes, indices, sizes.
"""

from __future__ import annotations

from graphcount.ops.shape import (
    attention,
    contrib,
    conv,
    elementwise,
    indexing,
    linear,
    making,
    ml,
    movement,
    norm,
    quant,
    recurrent,
    reduction,
)
from graphcount.ops.shape.dtypes import result_dtypes
from graphcount.ops.shape.kit import CANNOT, MAX_RANK, Facts, Number, Numbers, Ratio, Rule
from graphcount.ops.shape.numbers import MAX_NUMBERS, NEEDS_NO_NUMBERS, NUMBER_RULES, PICKS
from graphcount.ops.tables import merge

SHAPE_RULES = merge(
    module.TABLE
    for module in (
        elementwise,
        movement,
        indexing,
        making,
        conv,
        linear,
        norm,
        recurrent,
        reduction,
        attention,
        quant,
        ml,
        contrib,
    )
)
"""Every rule by (domain, op_type); the default domain is the empty string."""

__all__ = [
    "CANNOT",
    "MAX_NUMBERS",
    "MAX_RANK",
    "NEEDS_NO_NUMBERS",
    "NUMBER_RULES",
    "PICKS",
    "SHAPE_RULES",
    "Facts",
    "Number",
    "Numbers",
    "Ratio",
    "Rule",
    "result_dtypes",
]
