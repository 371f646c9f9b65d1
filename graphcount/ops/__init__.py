"""What is known of operators: one record each, one table a family, loaded by domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from graphcount.ops.operator import Key, Operator, Role, Table, Trait, merge

NEWEST_OPSET = {"": 28, "ai.onnx.ml": 5}
"""Newest opset these tables were compared with (onnx 1.23); newer ones are unverified."""

NEWEST_IR = 14
"""Newest IR version these readers were compared with."""


@cache
def _default() -> Table:
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

    families = (
        *(linear, einsum, conv, pool, norm, recurrent, attention, elementwise, reshaping),
        *(movement, indexing, making, reduction, image, quant, control),
    )
    return merge(family.TABLE for family in families)


@cache
def _ml() -> Table:
    from graphcount.ops import ml

    return ml.TABLE


@cache
def _microsoft() -> Table:
    from graphcount.ops import microsoft

    return microsoft.TABLE


@cache
def _blocked() -> Table:
    from graphcount.ops.microsoft import conv

    return conv.BLOCKED


@cache
def _preview() -> Table:
    from graphcount.ops import attention

    return attention.PREVIEW


@cache
def _qonnx() -> Table:
    from graphcount.ops import quant

    return quant.QONNX


DOMAINS: Mapping[str, Callable[[], Table]] = {
    "": _default,
    "ai.onnx.ml": _ml,
    "ai.onnx.preview": _preview,
    "com.microsoft": _microsoft,
    "com.microsoft.nchwc": _blocked,
    "qonnx.custom_op.general": _qonnx,
    "onnx.brevitas": _qonnx,
}
"""Domains of which operators are known, and what loads their table, once."""


def lookup(domain: str, op_type: str) -> Operator | None:
    """Return the record of an operator, or None when it is not known."""
    load = DOMAINS.get(domain)
    return load().get(op_type) if load is not None else None


def operators(*domains: str) -> dict[Key, Operator]:
    """Return every known operator by (domain, op_type): of these domains, or of all."""
    return {
        (domain, op_type): row
        for domain in domains or DOMAINS
        for op_type, row in DOMAINS[domain]().items()
    }


__all__ = [
    "DOMAINS",
    "NEWEST_IR",
    "NEWEST_OPSET",
    "Key",
    "Operator",
    "Role",
    "Trait",
    "lookup",
    "operators",
]
