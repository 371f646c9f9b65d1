"""What a measure is worth to a limit: its number, the sizes it is of, and whether it is certain.

Over ranges of sizes, what is held against a limit is the most, and against a minimum the least.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphcount.errors import Unknown
from graphcount.gates.measure import Measure
from graphcount.gates.subject import Subject
from graphcount.report.pass_rows import RangeRow
from graphcount.report.records import MEASURES, Report
from graphcount.symbolic.names import option
from graphcount.units import nbytes, spelled

SPOILS: Mapping[str, tuple[str, ...]] = {
    "file": (),
    "counts": ("counts",),
    "generated": ("counts", "generated"),
    "operands": ("counts", "operands"),
}
"""What an unknown must affect to spoil a measure that is not of a forward pass."""

BLAMED: Mapping[str, tuple[str, ...]] = {
    "macs": ("macs", "operator", "trip count"),
    "elementwise": ("elementwise", "operator", "trip count", "macs"),
    "traffic": ("traffic", "activation"),
    "activation": ("activation",),
    "peak": ("activation",),
}
"""Which unknowns of a cost say best why a sum lacks something."""


MOST_INPUTS = 4
"""Shapes of inputs that a message names."""


def measured(subject: Subject, measure: Measure, least: bool = False) -> int | None:
    """Return the number of a measure; over ranges of sizes the most, or the least."""
    row = _range(subject.report, measure)
    if row is None:
        is_other_end = least and measure.is_most(subject)
        return measure.least(subject) if is_other_end else measure.read(subject)
    number = row.least if least else row.most
    return number * 2 if number is not None and measure.name == "flops" else number


def at_sizes(subject: Subject, measure: Measure, least: bool = False) -> str:
    """Return ` at batch=8, x=1x3x320x320`: the sizes that a cost is of; empty for none."""
    report = subject.report
    if not measure.is_cost:
        return ""
    row = _range(report, measure)
    extreme = row if row is not None and not is_bound(subject, measure, least) else None
    at = {} if extreme is None else extreme.least_at if least else extreme.most_at
    sizes = {**report.dims, **at}
    parts = [f"{name}={size}" for name, size in sizes.items()]
    parts += [
        f"{value.name}={'x'.join(map(str, value.shape))}"
        for value in report.model.inputs
        if value.shape is not None and (value.declared is not None or report.mismatches)
    ][:MOST_INPUTS]
    if report.mismatches:
        parts.append("whatever the file declares")
    return f" at {', '.join(parts)}" if parts else ""


def is_bound(subject: Subject, measure: Measure, least: bool = False) -> bool:
    """Return whether a number is not exact, nor an extreme over ranges, but none goes beyond it."""
    row = _range(subject.report, measure)
    if row is None:
        return measure.is_most(subject)
    return not (row.least_exact if least else row.most_exact)


def doubt(subject: Subject, measure: Measure, value: int | None, least: bool = False) -> str:
    """Return why a number cannot be relied on; empty when it can."""
    report = subject.report
    row = _range(report, measure)
    if value is None and row is not None and row.most is None and _is_spoiled(report, measure):
        value = row.least  # no number is the most, but there is one that it is at least
        value = value * 2 if value is not None and measure.name == "flops" else value
    if value is not None:
        if not _is_spoiled(report, measure):
            return ""
        aside = f" ({nbytes(value)})" if measure.unit == "bytes" and value >= 1000 else ""
        number = spelled(value, measure.unit) + aside
        return f"is at least {number}, not exact{_because(report, measure)}"
    if measure.is_cost and report.dimensions:
        return _open(report, measure)
    return f"is not known{f': {measure.missing}' if measure.missing else _because(report, measure)}"


def _range(report: Report, measure: Measure) -> RangeRow | None:
    """Return the row of a measure over ranges of sizes; None without ranges."""
    if report.ranges is None or not measure.is_cost:
        return None
    name = "macs" if measure.name == "flops" else measure.name
    return next((row for row in report.ranges.measures if row.measure == name), None)


def _open(report: Report, measure: Measure) -> str:
    """Return that a measure depends on dimensions that have no size."""
    totals = report.totals
    formula = {
        "macs": totals.macs_expression,
        "elementwise": totals.elementwise_expression,
        "bit_operations": totals.bit_operations_expression,
        "activation_nbytes": totals.activation_expression,
    }.get(measure.name)
    ranged = report.ranges.lowest if report.ranges is not None else {}
    names = [row.name for row in report.dimensions if row.name not in ranged]
    if not names:
        return f"is not known over these ranges{_because(report, measure)}"
    example = names[0]
    more = ", ..." if len(names) > 8 else ""
    is_what = f"is {formula}" if formula else "depends on dynamic dimensions"
    return (
        f"{is_what}; give sizes or ranges of {', '.join(names[:8])}{more}"
        f" ({option(example)}, {option(example, '1:N')})"
    )


def _is_spoiled(report: Report, measure: Measure) -> bool:
    """Return whether a number is a lower bound only."""
    at_least = report.totals.at_least
    if measure.depends_on == "shapes":
        return at_least == MEASURES
    if measure.is_cost:
        return measure.depends_on in at_least
    return any(row.affects in SPOILS[measure.depends_on] for row in report.unknown)


def _because(report: Report, measure: Measure) -> str:
    first = _first(report, measure)
    return f": {first.where}: {first.what}: {first.why}" if first else ""


def _first(report: Report, measure: Measure) -> Unknown | None:
    """Return the unknown that says best why a measure is not exact."""
    if not measure.is_cost:
        spoils = SPOILS[measure.depends_on]
        return next((row for row in report.unknown if row.affects in spoils), None)
    rows = [row for row in report.unknown if row.affects in ("counts", "cost")]
    blamed = BLAMED.get(measure.depends_on, ())
    best = [row for row in rows if row.affects == "counts" or row.what in blamed]
    return next(iter([*best, *rows]), None)
