"""Limits on growth: `5%` of what it was, or so many counts or bytes more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from graphcount.errors import UsageError
from graphcount.gates.measures import Measure, find_measure
from graphcount.report.records import Finding, Report
from graphcount.units import exact, parse

_PERCENT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*%\Z")


class Increase(NamedTuple):
    """How much a number may grow.

    Attributes:
        share: Of the old number; None when the limit is an amount.
        amount: In the measure's own unit; None when the limit is a share.
        text: The limit as the user wrote it.
    """

    share: Fraction | None
    amount: int | None
    text: str

    def allows(self, old: int, new: int) -> bool:
        """Whether the growth from old to new is within the limit; shrinking always is."""
        if self.share is not None:
            return new - old <= self.share * old
        return new - old <= (self.amount or 0)


def parse_increase(text: str) -> Increase:
    """Read `5%`, `2.5 %`, `200kB`, `0`.

    Raises:
        ValueError: Neither a share nor a quantity.
    """
    text = text.strip()
    found = _PERCENT.match(text)
    if found:
        return Increase(Fraction(found.group(1)) / 100, None, text)
    return Increase(None, parse(text), text)


class GrowthLimit(NamedTuple):
    """A measure and how much it may grow."""

    measure: Measure
    increase: Increase


def parse_growth(text: str) -> GrowthLimit:
    """Read `nbytes=5%`.

    Raises:
        UsageError: No measure of that name, or no limit.
    """
    name, equals, limit = text.partition("=")
    if not equals:
        example = "e.g. nbytes=5% or nbytes=200kB"
        raise UsageError(f"--max-increase {text!r}: write it as measure=limit, {example}")
    try:
        increase = parse_increase(limit)
    except ValueError as error:
        raise UsageError(f"--max-increase {name.strip()}: {error}") from None
    return GrowthLimit(find_measure(name.strip()), increase)


def judge_growth(old: Report, new: Report, limits: Iterable[GrowthLimit]) -> tuple[Finding, ...]:
    """Limits that were broken; what is not known or not exact on either side breaks one."""
    found = []
    for limit in limits:
        name = limit.measure.name
        before, after = limit.measure.read(old), limit.measure.read(new)
        doubt = _doubt(old, limit.measure) or _doubt(new, limit.measure)
        if before is None or after is None:
            path = (old if before is None else new).model.path
            message, rule = f"{name} of {path} is not known", "BUD002"
        elif not limit.increase.allows(before, after):
            unit = " bytes" if limit.measure.unit == "bytes" else ""
            message = (
                f"{name} grew from {exact(before)} to {exact(after)}{unit},"
                f" {exact(after - before)} more (limit {limit.increase.text})"
            )
            rule = "BUD001"
        elif doubt:
            message, rule = f"{name} is not exact: {doubt}", "BUD002"
        else:
            continue
        evidence = {"old": before, "new": after, "limit": limit.increase.text}
        found.append(Finding(rule, "high", message, {"measure": name}, evidence))
    return tuple(found)


def _doubt(report: Report, measure: Measure) -> str:
    """Why a measure is a lower bound only; empty when it is exact."""
    unknown = {"file": (), "counts": report.doubts, "cost": report.unknown}[measure.depends_on]
    if not unknown:
        return ""
    first = unknown[0]
    return f"{report.model.path}: {first.where}: {first.what}: {first.why}"
