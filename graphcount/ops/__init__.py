"""What is known of operators: one table a family, merged once."""

from __future__ import annotations

from graphcount.ops import (
    attention,
    contrib,
    control,
    conv,
    elementwise,
    embedding,
    linear,
    ml,
    movement,
    norm,
    quant,
    recurrent,
    reduction,
)
from graphcount.ops.spec import OpSpec, Role
from graphcount.ops.tables import merge

OPERATORS = merge(
    module.TABLE
    for module in (
        linear,
        conv,
        norm,
        recurrent,
        embedding,
        attention,
        elementwise,
        movement,
        reduction,
        quant,
        control,
        ml,
        contrib,
    )
)
"""Every known operator by (domain, op_type); the default domain is the empty string."""

NEWEST_OPSET = {"": 28, "ai.onnx.ml": 5}
"""Newest opset these tables were compared with (onnx 1.23); newer ones are unverified."""

NEWEST_IR = 14
"""Newest IR version these readers were compared with."""


def lookup(domain: str, op_type: str) -> OpSpec | None:
    """The row of an operator, or None when it is not known."""
    return OPERATORS.get((domain, op_type))


__all__ = ["NEWEST_IR", "NEWEST_OPSET", "OPERATORS", "OpSpec", "Role", "lookup"]
