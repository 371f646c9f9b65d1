"""What every text format says in words, so that they say the same."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.errors import GraphcountError
from graphcount.report.records import Report
from graphcount.report.rows import SEVERITIES, KVCacheRow, VerdictRow
from graphcount.units import Unit, count, exact, nbytes, spelled


def quantity(number: int) -> str:
    """Return a count, exact, and in human units where that is shorter."""
    return exact(number) if number < 10_000 else f"{exact(number)} ({count(number)})"


def headline(report: Report, binary: bool = False) -> list[tuple[str, str]]:
    """Label and text of the numbers that come first."""
    totals, model = report.totals, report.model
    at_least = "at least " if report.doubts else ""
    size = totals.nbytes
    lines = [("parameters", f"{at_least}{quantity(totals.parameters)}")]
    if totals.parameters_as_used != totals.parameters:
        text = f"{quantity(totals.parameters_as_used)}, with shared weights counted per use"
        lines.append(("per use", text))
    for label, number in (
        ("buffers", totals.buffers),
        ("quantization", totals.quantization),
        ("constants", totals.constants),
        ("unused", totals.unused),
        ("generated", totals.generated),
    ):
        if number:
            more = "at least " if label == "generated" and _affected(report, label) else ""
            lines.append((label, f"{more}{quantity(number)}"))
    lines += _cost_lines(report, binary)
    lines.append(("weights", f"{at_least}{nbytes(size.total, binary)}"))
    file = nbytes(model.file_nbytes, binary)
    if model.external_nbytes:
        file += f" + {nbytes(model.external_nbytes, binary)} external data"
    lines.append(("file", file))
    return lines


def _cost_lines(report: Report, binary: bool) -> list[tuple[str, str]]:
    """Return MACs, element-wise work and activations, as numbers or formulas."""
    totals = report.totals
    if totals.macs is None and totals.macs_expression is None:
        return []
    at_least = "at least " if _affected(report, "cost") else ""
    lines = [("MACs", f"{at_least}{_amount(totals.macs, totals.macs_expression)}")]
    elementwise = _amount(totals.elementwise, totals.elementwise_expression)
    if elementwise not in ("", "0"):
        lines.append(("element-wise", f"{at_least}{elementwise}"))
    if totals.activation_expression:
        lines.append(("activations", f"{at_least}{totals.activation_expression} bytes"))
    elif totals.activation_nbytes is not None:
        text = nbytes(totals.activation_nbytes, binary)
        if report.peak is not None:
            text += f", peak {nbytes(report.peak.nbytes, binary)} ({report.peak.node})"
        lines.append(("activations", at_least + text))
    if report.kv_cache is not None:
        lines.append(("KV cache", kv_cache_words(report.kv_cache, binary)))
    return lines


def kv_cache_words(cache: KVCacheRow, binary: bool = False) -> str:
    """Return bytes of past keys and values: of a token, and in all."""
    parts = []
    if cache.nbytes_per_token is not None:
        parts.append(f"{nbytes(cache.nbytes_per_token, binary)} a token")
    if cache.expression is not None:
        parts.append(f"{cache.expression} bytes")
    elif cache.nbytes is not None:
        parts.append(f"{nbytes(cache.nbytes, binary)} in all")
    layers = f"{exact(cache.layers)} layer{'s' if cache.layers > 1 else ''}"
    return "; ".join(parts or ["not known"]) + f" ({layers})"


def _affected(report: Report, what: str) -> bool:
    return any(unknown.affects == what for unknown in report.unknown)


def _amount(number: int | None, expression: str | None) -> str:
    return quantity(number) if number is not None else expression or ""


def framework_sentence(report: Report) -> str:
    """Return the training framework's count, when it differs from the file's or is only bounded."""
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
    """Return the first unknown and how many there are; empty when everything is known."""
    if not report.unknown:
        return ""
    first = report.unknown[0]
    more = f" (and {len(report.unknown) - 1:,} more)" if len(report.unknown) > 1 else ""
    return f"unknown: {first.where}: {first.what}: {first.why}{more}"


def contributors_sentence(verdict: VerdictRow) -> str:
    """Return where most of a measure lies; empty without contributors."""
    rows = verdict.contributors
    if not rows or verdict.bound == "allowed":
        return ""
    if all(row.number == 1 for row in rows):
        return f"such as: {', '.join(row.name for row in rows)}"
    parts = ", ".join(f"{row.name} {spelled(row.number, _unit(verdict))}" for row in rows)
    return f"largest: {parts}"


def at_least(severity: str, fail_on: str) -> bool:
    """Return whether a severity is as grave as another."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(fail_on)


def verdicts_sentence(outcomes: Sequence[Report | GraphcountError], fail_on: str) -> str:
    """Return how many models failed, passed, and could not be read."""
    reports = [item for item in outcomes if isinstance(item, Report)]
    graves = [any(at_least(f.severity, fail_on) for f in report.findings) for report in reports]
    counts = {
        "failed": sum(graves),
        "with warnings": sum(bool(r.findings) for r in reports) - sum(graves),
        "could not be read": len(outcomes) - len(reports),
    }
    demands = sum(len(check.verdicts) for report in reports for check in report.checks)
    parts = [f"{exact(number)} {word}" for word, number in counts.items() if number]
    models = f"{exact(len(outcomes))} model{'' if len(outcomes) == 1 else 's'}"
    if not demands and any(report.audit is not None for report in reports):
        findings = sum(len(report.findings) for report in reports)
        about, well = f"{exact(findings)} finding{'' if findings == 1 else 's'}", "no known sign"
    else:
        about, well = f"{exact(demands)} limit{'' if demands == 1 else 's'}", "all kept"
    return f"{models}, {about}: {', '.join(parts) or well}"


def _unit(verdict: VerdictRow) -> Unit:
    return "bytes" if verdict.unit == "bytes" else "time" if verdict.unit == "time" else "count"
