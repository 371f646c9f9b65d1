"""What is known of operators: one record each, one table a family, loaded when it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module

from graphcount.ops.operator import Key, Operator, Role, Table, Trait, merge

NEWEST_OPSET = {"": 28, "ai.onnx.ml": 5}
"""Newest opset these tables were compared with (onnx 1.23); newer ones are unverified."""

NEWEST_IR = 14
"""Newest IR version these readers were compared with."""


FAMILIES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("graphcount.ops.linear", "TABLE"),
        ("graphcount.ops.elementwise", "TABLE"),
        ("graphcount.ops.reshaping", "TABLE"),
        ("graphcount.ops.conv", "TABLE"),
        ("graphcount.ops.movement", "TABLE"),
        ("graphcount.ops.making", "TABLE"),
        ("graphcount.ops.norm", "TABLE"),
        ("graphcount.ops.indexing", "TABLE"),
        ("graphcount.ops.pool", "TABLE"),
        ("graphcount.ops.quant", "TABLE"),
        ("graphcount.ops.reduction", "TABLE"),
        ("graphcount.ops.control", "TABLE"),
        ("graphcount.ops.sequences", "TABLE"),
        ("graphcount.ops.attention", "TABLE"),
        ("graphcount.ops.recurrent", "TABLE"),
        ("graphcount.ops.einsum", "TABLE"),
        ("graphcount.ops.image", "TABLE"),
    ),
    "ai.onnx.ml": (("graphcount.ops.ml", "TABLE"),),
    "ai.onnx.preview": (("graphcount.ops.attention", "PREVIEW"),),
    "com.microsoft": (
        ("graphcount.ops.microsoft.packed", "TABLE"),
        ("graphcount.ops.microsoft.linear", "TABLE"),
        ("graphcount.ops.microsoft.attention", "TABLE"),
        ("graphcount.ops.microsoft.norm", "TABLE"),
        ("graphcount.ops.microsoft.elementwise", "TABLE"),
        ("graphcount.ops.microsoft.conv", "TABLE"),
        ("graphcount.ops.microsoft.quant", "TABLE"),
        ("graphcount.ops.microsoft.experts", "TABLE"),
        ("graphcount.ops.microsoft.other", "TABLE"),
        ("graphcount.ops.microsoft.tokens", "TABLE"),
        ("graphcount.ops.microsoft.states", "TABLE"),
        ("graphcount.ops.microsoft.paged", "TABLE"),
        ("graphcount.ops.microsoft.streams", "TABLE"),
        ("graphcount.ops.microsoft.indexers", "TABLE"),
    ),
    "com.microsoft.nchwc": (("graphcount.ops.microsoft.conv", "BLOCKED"),),
    "finn.custom_op.general": (("graphcount.ops.quant", "QONNX"),),
    "onnx.brevitas": (("graphcount.ops.quant", "QONNX"),),
    "qonnx.custom_op.general": (("graphcount.ops.quant", "QONNX"),),
}
"""Tables by domain: module and name. They are imported in this order until one has the operator."""


@lru_cache(maxsize=4096)
def lookup(domain: str, op_type: str) -> Operator | None:
    """Return the record of an operator, or None when it is not known."""
    return next((rows[op_type] for rows in tables(domain) if op_type in rows), None)


def tables(domain: str) -> Iterator[Table]:
    """Return the tables of a domain, each imported when it is reached."""
    for module, name in FAMILIES.get(domain, ()):
        rows: Table = getattr(import_module(module), name)
        yield rows


def operators(*domains: str) -> dict[Key, Operator]:
    """Return every known operator by (domain, op_type): of these domains, or of all.

    Raises:
        ValueError: An operator is in two tables.
    """
    return {
        (domain, op_type): row
        for domain in domains or sorted(FAMILIES)
        for op_type, row in merge(tables(domain)).items()
    }


__all__ = [
    "FAMILIES",
    "NEWEST_IR",
    "NEWEST_OPSET",
    "Key",
    "Operator",
    "Role",
    "Trait",
    "lookup",
    "operators",
    "tables",
]
