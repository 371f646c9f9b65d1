"""Sizes at which two models are compared: the same for both, so that dynamic ones have numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from graphcount.analysis.assumed import WEIGHTS
from graphcount.analysis.fitting import TAKEN
from graphcount.report.pass_rows import DimensionRow
from graphcount.report.records import Report
from graphcount.report.rows import Dim

Declared = Sequence[tuple[str, Sequence[Dim] | None]]
"""Graph inputs: name and shape."""


class Sized(NamedTuple):
    """Two reports at the same sizes.

    Attributes:
        old: The old one, in numbers where sizes were assumed.
        new: The new one.
        note: Why there are no numbers, where dimensions are dynamic and there could be; or empty.
    """

    old: Report
    new: Report
    note: str = ""


def fixed_sizes(own: Declared, other: Declared) -> dict[str, int]:
    """Return sizes that the other model fixes where this one has a dynamic dimension.

    Inputs are paired by name, or by position where no name is the same.
    """
    by_name = dict(other)
    pairs = [(name, shape, by_name[name]) for name, shape in own if name in by_name]
    if not pairs and len(own) == len(other):
        pairs = [(name, shape, second[1]) for (name, shape), second in zip(own, other, strict=True)]
    sizes: dict[str, int] = {}
    for name, shape, theirs in pairs:
        if shape is None or theirs is None or len(shape) != len(theirs):
            continue
        for axis, (dim, size) in enumerate(zip(shape, theirs, strict=True)):
            if isinstance(size, int) and size > 0 and not isinstance(dim, int):
                sizes.setdefault(dim or "", size)
                sizes.setdefault(f"{name}[{axis}]", size)
    return sizes


def agreed_sizes(old: Report, new: Report, final: Sequence[bool]) -> dict[str, int]:
    """Return sizes of dimensions that are dynamic in both: the larger of what each assumes.

    A size that operators of one model need comes before a mere hint of the other.

    Args:
        old: The old report.
        new: The new one.
        final: Whether each cannot be counted again; its sizes then are those of the other, too.
    """
    first, second = _rows(old), _rows(new)
    sizes = {}
    for name in sorted(first.keys() & second.keys()):
        rows = first[name], second[name]
        stays = [final[side] or row.why == WEIGHTS for side, row in enumerate(rows)]
        if not all(stays):
            firm = [row for row, firm in zip(rows, stays, strict=True) if firm]
            needed = [row for row in rows if row.why.endswith(TAKEN)]
            sizes[name] = max(row.assumed or 0 for row in firm or needed or rows)
    return sizes


def _rows(report: Report) -> dict[str, DimensionRow]:
    """Return dimensions that have an assumed size, by name."""
    return {row.name: row for row in report.dimensions if row.assumed is not None}


def sized(old: Report, new: Report) -> Sized:
    """Return both reports at the sizes that they assume, if these are the same for both.

    Where both have the same dynamic dimensions, shapes and formulas of nodes stay: they say more
    than numbers. Where they have not, numbers alone can be compared.
    """
    if old.assumed is None and new.assumed is None:
        return Sized(old, new)
    for side in (old, new):
        if side.assumed is None and side.dimensions:
            why = f"{side.model.path} has no numbers, for its dimensions are dynamic"
            return Sized(old, new, f"{why}: formulas are compared")
    first, second = _rows(old), _rows(new)
    for name in first.keys() & second.keys():
        rows = first[name], second[name]
        if rows[0].assumed == rows[1].assumed or rows[0].why == rows[1].why == WEIGHTS:
            continue
        low, high = sorted(row.assumed or 0 for row in rows)
        why = f"{name} is {low} in one and {high} in the other"
        return Sized(old, new, f"the reports assume different sizes: {why}; formulas are compared")
    alike = first.keys() == second.keys()
    return Sized(_in_numbers(old, formulas=alike), _in_numbers(new, formulas=alike))


def _in_numbers(report: Report, *, formulas: bool) -> Report:
    """Return a report at its assumed sizes, what it says of inputs and unknowns as it is."""
    row = report.assumed
    if row is None:
        return report
    pairs = zip(report.nodes, row.nodes, strict=True)
    if formulas:
        nodes = [
            node._replace(macs=costs.macs, elementwise=costs.elementwise) for node, costs in pairs
        ]
    else:
        nodes = [node._replace(**costs._asdict()) for node, costs in pairs]
    return replace(report, totals=row.totals, nodes=tuple(nodes), peak=row.peak)


def given_sizes(declared: Declared, dims: Mapping[str, int]) -> Declared:
    """Return inputs with the sizes that a caller gave their dimensions."""
    return [
        (
            name,
            None
            if shape is None
            else tuple(dims.get(dim, dim) if isinstance(dim, str) else dim for dim in shape),
        )
        for name, shape in declared
    ]
