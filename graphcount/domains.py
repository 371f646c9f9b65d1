"""Domains of operators (onnx/docs/IR.md, "Operator Sets"): how they are compared and written."""

from __future__ import annotations

from collections.abc import Iterable

STANDARD = "ai.onnx"
"""The domain of ONNX's own operators, which files write in two ways: so, or as an empty text."""

NEWEST = 1 << 30
"""Version of a domain that is not imported: its operators are taken as the newest ones."""


def canonical(domain: str) -> str:
    """Return a domain as records hold it: the standard one is empty."""
    return "" if domain == STANDARD else domain


def operator_name(domain: str, op_type: str) -> str:
    """Return `Conv`, or `com.microsoft::Gelu` outside the standard domain."""
    return f"{domain}::{op_type}" if domain else op_type


def opsets(imports: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the imported version by canonical domain; of several entries the first one holds."""
    versions: dict[str, int] = {}
    for domain, version in imports:
        versions.setdefault(canonical(domain), version)
    return versions
