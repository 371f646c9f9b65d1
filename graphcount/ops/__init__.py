"""What is known of operators: one record each, one table a family, loaded by domain."""

from __future__ import annotations

from functools import cache

from graphcount.ops.operator import Key, Operator, Role, Table, Trait

NEWEST_OPSET = {"": 28, "ai.onnx.ml": 5}
"""Newest opset these tables were compared with (onnx 1.23); newer ones are unverified."""

NEWEST_IR = 14
"""Newest IR version these readers were compared with."""


DOMAINS = frozenset(
    {
        *("", "ai.onnx.ml", "ai.onnx.preview", "com.microsoft", "com.microsoft.nchwc"),
        *("onnx.brevitas", "qonnx.custom_op.general"),
    }
)
"""Domains of which operators are known."""


def lookup(domain: str, op_type: str) -> Operator | None:
    """Return the record of an operator, or None when it is not known."""
    return table(domain).get(op_type) if domain in DOMAINS else None


@cache
def table(domain: str) -> Table:
    """Return the records of one of `DOMAINS` by op_type; imported when first asked for."""
    match domain:
        case "":
            from graphcount.ops.standard import TABLE
        case "ai.onnx.ml":
            from graphcount.ops.ml import TABLE
        case "ai.onnx.preview":
            from graphcount.ops.attention import PREVIEW as TABLE
        case "com.microsoft":
            from graphcount.ops.microsoft import TABLE
        case "com.microsoft.nchwc":
            from graphcount.ops.microsoft.conv import BLOCKED as TABLE
        case _:
            from graphcount.ops.quant import QONNX as TABLE
    return TABLE


def operators(*domains: str) -> dict[Key, Operator]:
    """Return every known operator by (domain, op_type): of these domains, or of all."""
    return {
        (domain, op_type): row
        for domain in domains or sorted(DOMAINS)
        for op_type, row in table(domain).items()
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
    "table",
]
