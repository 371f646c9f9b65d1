"""Sizes for several models: each applies where a model has what it is of, and to one at least."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import cast

from graphcount.api.model import CountOptions, SizeOptions
from graphcount.errors import UsageError
from graphcount.report.records import Report


def optional(options: CountOptions, several: bool) -> CountOptions:
    """Return options of which sizes apply where a model has what they are of, if there are several.

    `refuse_unused` then sees to it that each applies to one.
    """
    if not several:
        return options
    lacking = frozenset(options.get("where_present", ())) | given(options)
    return {**options, "where_present": lacking}


def given(options: SizeOptions) -> frozenset[str]:
    """Return names of dimensions and inputs that options give something."""
    asked = cast("Mapping[str, Mapping[str, object] | None]", options)
    rows = (asked.get(key) or {} for key in ("dims", "shapes", "input_values", "ranges"))
    return frozenset(name for row in rows for name in row)


def refuse_unused(reports: Sequence[Report], names: Collection[str]) -> None:
    """Refuse a size that no model has any use for.

    Args:
        reports: The models, with the sizes that they were counted with.
        names: Dimensions and inputs that got a size.

    Raises:
        UsageError: One is of no dimension and no input of any of them.
    """
    wanted = frozenset(names) - {"*"}
    if not wanted or not all(map(_has_cost, reports)) or not reports:
        return
    known = {name for report in reports for name in names_of(report)}
    for name in sorted(wanted - known):
        from graphcount.analysis.shapes.sizes import no_such

        raise UsageError(no_such("dimension or input", name, sorted(known), "no model"))


def _has_cost(report: Report) -> bool:
    """Return whether sizes were looked at."""
    return report.totals.macs is not None or report.totals.macs_expression is not None


def names_of(report: Report) -> Iterator[str]:
    """Yield dimensions and inputs of a model that sizes can be given of."""
    yield from report.dims
    yield from (row.name for row in report.dimensions)
    yield from (row.name for row in report.model.inputs)
    if report.ranges is not None:
        yield from report.ranges.lowest
