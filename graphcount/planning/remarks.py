"""What a plan says beside its numbers: parts that make no sense for a model, and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress

from graphcount.planning.sizes import is_float
from graphcount.planning.trained import not_trained
from graphcount.report.plan import LeftOut, SizePlan, TensorPlan
from graphcount.report.records import Report
from graphcount.units import counted, percent

LEARNING = ("training", "data", "mlp")
"""Parts of a plan that are about learning."""

MUCH = 4
"""Floats that stay are worth a note where they are one part in so many of the bytes now."""


def left_out(report: Report, sizes: Iterable[SizePlan]) -> tuple[LeftOut, ...]:
    """Return the parts that make no sense, each with the reason."""
    parts = [LeftOut(size.dtype, _unchanged(size)) for size in sizes if not size.converted_tensors]
    reason = not_trained(report)
    return (*parts, *(LeftOut(part, reason) for part in LEARNING if reason))


def notes(report: Report, sizes: Iterable[SizePlan], mixed_precision: bool) -> tuple[str, ...]:
    """Return what is not known or only assumed, in sentences."""
    floats = [is_float(tensor) for tensor in report.tensors]
    every = [_stops(size) or _much_stays(size, floats) for size in sizes if size.converted_tensors]
    if not not_trained(report):
        every += _memory(report, mixed_precision)
    if report.doubts:
        first = report.doubts[0]
        every.append(f"every count is at least this: {first.where}: {first.what}: {first.why}")
    counts, framework = report.totals.parameters, report.framework.parameters
    if framework is not None and framework != counts:
        parameters = counted(counts, "parameter")
        every.append(
            f"counted are the file's {parameters}; the framework"
            f" {'' if report.framework.exact else 'probably '}counted {framework:,}"
        )
    return tuple(note for note in every if note)


def _memory(report: Report, mixed_precision: bool) -> Iterator[str]:
    """Yield what is not known of the activations that training keeps."""
    totals = report.totals
    if totals.activation_nbytes is None and totals.activation_expression is not None:
        yield "activations depend on dynamic dimensions: give their sizes, e.g. --dim batch=8"
    elif totals.activation_nbytes is None:
        yield "activations are not known: the cost of a forward pass was not worked out"
    elif mixed_precision:
        yield "activations are counted at the file's types, not in float16"
    if report.assumed_sizes:
        sizes = ", ".join(f"{name} {size}" for name, size in report.assumed_sizes.items())
        yield f"sizes assumed for activations: {sizes}; --dim sets them"
    if "activation" in totals.at_least:
        yield "not every shape is known: activations are at least this"


def _unchanged(size: SizePlan) -> str:
    """Say why no tensor changes: the reason of most bytes."""
    reasons = [why for why, _ in _reasons(size.tensors)] or [row.reason for row in size.tensors]
    why = f"no tensor changes: {reasons[0]}" if reasons else "no tensor is stored"
    return f"{why}; {_stops(size)}" if size.stops_at else why


def _stops(size: SizePlan) -> str:
    """Say where the tool gives up; empty where it does not."""
    why = "its weight is no initializer, fold constants first"
    return f"quantize_dynamic stops at {size.stops_at}: {why}" if size.stops_at else ""


def _much_stays(size: SizePlan, floats: Iterable[bool]) -> str:
    """Say why floats stay, where they are many."""
    reasons = _reasons(compress(size.tensors, floats))
    now, stays = size.today_nbytes, sum(nbytes for _, nbytes in reasons)
    if not reasons or MUCH * stays < now:
        return ""
    parts = ", ".join(f"{why} ({percent(nbytes, now)})" for why, nbytes in reasons[:2])
    return f"{size.dtype} leaves {percent(stays, now)} of the bytes as they are: {parts}"


def _reasons(tensors: Iterable[TensorPlan]) -> list[tuple[str, int]]:
    """Return why tensors stay, with their bytes, most bytes first."""
    sums: dict[str, int] = {}
    for row in tensors:
        if not row.converted and row.kept_nbytes:
            sums[row.reason] = sums.get(row.reason, 0) + row.kept_nbytes
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))
