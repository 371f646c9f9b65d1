"""How a table of operators is written: rows of one domain, joined once, no operator twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, TypeVar

Domain: TypeAlias = str
Key: TypeAlias = tuple[Domain, str]
Row = TypeVar("Row")


def table(domain: Domain, *parts: dict[str, Row]) -> dict[Key, Row]:
    """Rows of one domain, keyed by (domain, op_type); a part may not repeat another's."""
    return merge({(domain, op_type): row for op_type, row in part.items()} for part in parts)


def each(op_types: str, row: Row) -> dict[str, Row]:
    """The same row for several operators, named in one string."""
    return dict.fromkeys(op_types.split(), row)


def merge(tables: Iterable[dict[Key, Row]]) -> dict[Key, Row]:
    """Join tables; an operator in two of them is a mistake and raises ValueError."""
    merged: dict[Key, Row] = {}
    for rows in tables:
        for key, row in rows.items():
            if key in merged:
                raise ValueError(f"operator {key} is in two tables")
            merged[key] = row
    return merged
