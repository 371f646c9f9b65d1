"""What every text format says in words, so that they say the same."""

from __future__ import annotations

from graphcount.report.records import Report
from graphcount.units import count, exact, nbytes


def quantity(number: int) -> str:
    """A count, exact, and in human units where that is shorter."""
    return exact(number) if number < 10_000 else f"{exact(number)} ({count(number)})"


def headline(report: Report, binary: bool = False) -> list[tuple[str, str]]:
    """Label and text of the numbers that come first."""
    totals, model = report.totals, report.model
    at_least = "at least " if report.doubts else ""
    size = totals.nbytes
    lines = [("parameters", f"{at_least}{quantity(totals.parameters)}")]
    if totals.parameters_as_used != totals.parameters:
        lines.append(("as used", quantity(totals.parameters_as_used)))
    for label, number in (
        ("buffers", totals.buffers),
        ("quantization", totals.quantization),
        ("constants", totals.constants),
        ("unused", totals.unused),
        ("generated", totals.generated),
    ):
        if number:
            lines.append((label, quantity(number)))
    lines.append(("weights", f"{at_least}{nbytes(size.total, binary)}"))
    file = nbytes(model.file_nbytes, binary)
    if model.external_nbytes:
        file += f" + {nbytes(model.external_nbytes, binary)} external data"
    lines.append(("file", file))
    return lines


def framework_sentence(report: Report) -> str:
    """The training framework's count, when it differs from the file's or is only bounded."""
    framework, holds = report.framework, report.totals.parameters
    because = f": {framework.evidence[0]}" if framework.evidence else ""
    if framework.parameters is not None and framework.parameters != holds:
        word = "counted" if framework.exact else "probably counted"
        return (
            f"the file holds {exact(holds)} parameters; "
            f"the framework {word} {exact(framework.parameters)}{because}"
        )
    if framework.parameters is None and framework.low is not None:
        upper = "or more" if framework.high is None else f"to {exact(framework.high)}"
        return (
            f"the file holds {exact(holds)} parameters; "
            f"the framework counted {exact(framework.low)} {upper}{because}"
        )
    return ""


def unknown_sentence(report: Report) -> str:
    """What is unknown, counted; empty when everything is known."""
    if not report.unknown:
        return ""
    first = report.unknown[0]
    more = f" (and {len(report.unknown) - 1:,} more)" if len(report.unknown) > 1 else ""
    return f"unknown: {first.where}: {first.what}: {first.why}{more}"
