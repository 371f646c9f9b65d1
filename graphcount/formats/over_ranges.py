"""The least and the most of each measure over ranges of sizes, in words and as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphcount.report.pass_rows import RangeRow, RangesRow
from graphcount.report.records import Report
from graphcount.units import exact, nbytes

LABELS: Mapping[str, tuple[str, str]] = {
    "macs": ("MACs", "macs"),
    "elementwise": ("element-wise", "elementwise"),
    "activation_nbytes": ("activations", "activation"),
    "peak_activation_nbytes": ("peak", "peak"),
}
"""Measures that people read: what each is called, and what `Totals.at_least` calls it."""


def measures(report: Report, binary: bool, room: int | None) -> Iterator[tuple[str, str, str]]:
    """Yield label, measure and words of what is known over the ranges of a report.

    Args:
        report: The report.
        binary: Sizes in KiB, MiB.
        room: Characters in a line; sizes that make it longer are left out.
    """
    if report.ranges is None:
        return
    for row in report.ranges.measures:
        if row.measure in LABELS and row.least is not None and row.most is not None:
            label, measure = LABELS[row.measure]
            yield label, measure, extremes(row, report.ranges, binary, room)


def extremes(
    row: RangeRow, ranges: RangesRow, binary: bool = False, room: int | None = None
) -> str:
    """Return `16,512 to 12,582,912 (batch=8, sequence=64)`.

    The sizes of the least are left out where they are the least ones. What is no extreme but a
    bound says so.
    """
    assert row.least is not None
    assert row.most is not None

    def spell(number: int) -> str:
        return nbytes(number, binary) if row.measure.endswith("nbytes") else exact(number)

    if row.least == row.most and row.least_exact and row.most_exact:
        return f"{spell(row.least)} at all of these sizes"
    least = spell(row.least) if row.least_exact else f"at least {spell(row.least)}, a bound,"
    most = spell(row.most) if row.most_exact else f"at most {spell(row.most)}, a bound"
    low_at = sizes_at(row.least_at) if row.least_exact and row.least_at != ranges.lowest else ""
    high_at = sizes_at(row.most_at) if row.most_exact else ""
    text = ""
    for first, second in ((low_at, high_at), ("", high_at), ("", "")):
        text = f"{least}{first} to {most}{second}"
        if room is None or len(text) <= room:
            break
    return text


def sizes_at(sizes: Mapping[str, int]) -> str:
    """Return ` (batch=8, sequence=64)`; empty without sizes."""
    words = ", ".join(f"{name}={size}" for name, size in sizes.items())
    return f" ({words})" if words else ""


def ranges_lines(report: Report, room: int | None = None) -> list[tuple[str, str]]:
    """Return the ranges, and at which sizes the rest of a report is: one line, or two."""
    ranges = report.ranges
    assert ranges is not None
    spans = [
        f"{name} {exact(low)} to {exact(ranges.highest[name])}"
        for name, low in ranges.lowest.items()
    ]
    spans = spans or ["no dimension has a range"]
    assumed = [f"{name} {size}" for name, size in ranges.assumed.items()]
    rows = [f"{name} {size}" for name, size in report.assumed_sizes.items()]
    text = _fitting(spans, room)
    if assumed:
        text += f"; assumed: {_fitting(assumed, room)}"
    if not rows:
        return [("sizes", text)]
    whole = f"{text}; shapes and rows at {', '.join(rows)}"
    if room is None or len(whole) <= room:
        return [("sizes", whole)]
    return [("sizes", text), ("rows at", _fitting(rows, room))]


def _fitting(words: list[str], room: int | None) -> str:
    """Return as many words as fit into a line, and how many more there are."""
    for kept in range(len(words), 0, -1):
        more = f", {len(words) - kept:,} more" if kept < len(words) else ""
        text = f"{', '.join(words[:kept])}{more}"
        if room is None or len(text) <= room:
            break
    return text
