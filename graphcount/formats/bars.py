"""Where it goes, as bars: the largest modules, operators and tensors, and memory over the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from graphcount.domains import operator_name
from graphcount.errors import GraphcountError
from graphcount.formats.sentences import bound, sizes_words
from graphcount.formats.text import ascii_only, distinct, safe, sparkline
from graphcount.formats.view import View
from graphcount.report.records import Report
from graphcount.report.rollup import By, groups, has_modules
from graphcount.report.rows import OUTPUT
from graphcount.units import count, counted, nbytes, percent

DEFAULT_WIDTH = 100
DEFAULT_TOP = 10
EIGHTHS = " ▏▎▍▌▋▊▉"
BAR_COLOR, DIM, STRONG, RESET = "\x1b[34m", "\x1b[2m", "\x1b[1m", "\x1b[0m"

Bar = tuple[str, int]


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render each model as a block of text."""
    reports = [item for item in outcomes if isinstance(item, Report)]
    text = "\n".join("\n".join(_block(report, view)) + "\n" for report in reports)
    return ascii_only(text) if view.ascii else text


def bar(value: int, most: int, width: int) -> str:
    """Draw a bar of at most `width` columns; a value above 0 is always visible."""
    eighths = max(1, round(8 * width * value / most)) if value and most else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (EIGHTHS[rest] if rest else "")


def _block(report: Report, view: View) -> Iterator[str]:
    totals = report.totals
    at_least = bound(report, "parameters")
    yield _styled(safe(report.model.path), STRONG, view)
    size = nbytes(totals.nbytes.total, view.binary)
    yield f"  {at_least}{counted(totals.parameters, 'parameter')}, {at_least}{size} of weights"
    if report.assumed is not None:
        room = (view.width or DEFAULT_WIDTH) - len("  sizes ")
        yield f"  sizes {safe(sizes_words(report, room), None)}"
    report = report.in_numbers
    for title, rows, text in _charts(report, view):
        yield ""
        yield " " + _styled(title, DIM, view)
        yield from _chart(rows, text, view)
    if report.timeline:
        yield ""
        yield " " + _styled("activations over the run", DIM, view)
        yield "  " + sparkline(report.timeline, min(64, (view.width or DEFAULT_WIDTH) - 4))
        assert report.peak is not None
        peak = nbytes(report.peak.nbytes, view.binary)
        yield f"  peak {bound(report, 'peak')}{peak}, at {safe(report.peak.node, 60)}"


def _charts(report: Report, view: View) -> Iterator[tuple[str, list[Bar], Callable[[int], str]]]:
    """Yield title, rows and number format of each chart that has rows."""

    def size(number: int) -> str:
        return nbytes(number, view.binary)

    unit = view.by or ("module" if has_modules(report) else "node")
    words = unit.replace("op_type", "operator")
    if view.by is None or view.sort in (None, "graph", "name", "nbytes"):
        yield f"bytes by {words}", _stored(report, unit, "nbytes"), size
    if view.by is not None and view.sort in (None, "parameters"):
        yield f"parameters by {words}", _stored(report, unit, "parameters"), count
    if view.by is None:
        yield "bytes by tensor", _stored(report, "tensor", "nbytes"), size
    macs = _macs(report, unit if view.by else "op_type")
    if macs and view.sort is None:
        yield f"MACs by {words if view.by else 'operator'}", macs, count


def _stored(report: Report, by: By, measure: str) -> list[Bar]:
    rows = groups(report, by)
    return [(row.label or "(no module)", getattr(row, measure)) for row in rows]


def _macs(report: Report, by: By) -> list[Bar]:
    """Return MACs of nodes by module, node or operator, where they are numbers."""
    keys: dict[str, Callable[..., str]] = {
        "module": lambda node: node.module or "(no module)",
        "node": lambda node: node.id,
        "op_type": lambda node: operator_name(node.domain, node.op_type),
    }
    if by not in keys:
        return []
    sums: dict[str, int] = {}
    for node in report.nodes:
        if node.macs and node.op_type != OUTPUT:
            key = keys[by](node)
            sums[key] = sums.get(key, 0) + node.macs
    return list(sums.items())


def _chart(rows: list[Bar], text: Callable[[int], str], view: View) -> Iterator[str]:
    """Yield bars of the largest rows; the others together are the last."""
    rows = sorted((row for row in rows if row[1]), key=lambda row: -row[1])
    top = view.rows(DEFAULT_TOP) or len(rows)
    whole = sum(value for _, value in rows)
    bars = rows[:top]
    if len(rows) == top + 1:
        bars = rows
    elif len(rows) > top:
        others = sum(value for _, value in rows[top:])
        bars.append((f"({len(rows) - top:,} others)", others))
    if not bars:
        yield "  none"
        return
    width = view.width or DEFAULT_WIDTH
    most = max(10, min(width * 2 // 5, width - 36))
    labels = distinct([safe(label, None) for label, _ in bars], most)
    numbers = [text(value) for _, value in bars]
    label_width, number_width = max(map(len, labels)), max(map(len, numbers))
    room = max(4, width - label_width - number_width - 14)
    most = rows[0][1]
    for label, (_, value), number in zip(labels, bars, numbers, strict=True):
        picture = bar(value, most, room) if value <= most else ""  # others may be more
        drawn = _styled(picture, BAR_COLOR, view) + " " * (room - len(picture))
        share = percent(value, whole)
        yield f"  {label:{label_width}}  {drawn}  {number:>{number_width}}  {share:>6}"


def _styled(text: str, style: str, view: View) -> str:
    return f"{style}{text}{RESET}" if view.color and text else text
