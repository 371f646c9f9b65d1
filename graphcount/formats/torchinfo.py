"""The summary that the torchinfo package prints, from the file alone: `--style torchinfo`.

Lines, widths and rounding are those of torchinfo 1.8; what is a layer, and how its work is counted,
is in `graphcount.formats.layers`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from graphcount.errors import GraphcountError
from graphcount.formats.layers import LayerRow, LayerSummary, summarize
from graphcount.formats.sentences import sizes_words, unknown_sentence
from graphcount.formats.text import inert, one_line, safe, shape
from graphcount.formats.view import View
from graphcount.report.records import Report
from graphcount.units import exact

DEFAULT_DEPTH = 3
NAME_WIDTH, COLUMN_WIDTH, INDENT = 40, 25, 5
DEFAULT_WIDTH = 100

LARGEST_FLOAT = 10**300
"""Sizes of a hostile file multiply to more."""


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render each model as torchinfo does.

    Raises:
        UsageError: A dimension of an input has no size.
    """
    reports = [item for item in outcomes if isinstance(item, Report)]
    texts = (_text(report, summarize(report.in_numbers), view) for report in reports)
    return inert("\n".join(texts))


def _text(report: Report, summary: LayerSummary, view: View) -> str:
    depth = view.depth or DEFAULT_DEPTH
    lines = _table(summary, depth, view.width or DEFAULT_WIDTH)
    divider = lines[0]
    whole = summary.input_nbytes + summary.pass_nbytes + summary.parameter_nbytes
    lines += [
        f"Total params: {exact(summary.parameters)}",
        f"Trainable params: {exact(summary.parameters)}",
        "Non-trainable params: 0",
        f"Total mult-adds ({_mult_adds(summary.mult_adds)}",
        divider,
        f"Input size (MB): {_quotient(summary.input_nbytes, 10**6)}",
        f"Forward/backward pass size (MB): {_quotient(summary.pass_nbytes, 10**6)}",
        f"Params size (MB): {_quotient(summary.parameter_nbytes, 10**6)}",
        f"Estimated Total Size (MB): {_quotient(whole, 10**6)}",
        divider,
    ]
    for note in _notes(report, summary):
        lines += textwrap.wrap(note, len(divider))
    return "\n".join(lines) + "\n"


def _mult_adds(number: int) -> str:
    """Return `Units.MEGABYTES): 6.07`, with torchinfo's names of units."""
    units = ((10**12, "TERABYTES"), (10**9, "GIGABYTES"), (10**6, "MEGABYTES"))
    factor, unit = next((pair for pair in units if number >= pair[0]), units[-1])
    whole, rest = divmod(number, factor)
    return f"Units.{unit}): {_quotient(number, factor, ',') if rest else f'{whole:,}'}"


def _quotient(number: int, factor: int, grouping: str = "") -> str:
    """Return two decimals, rounded as torchinfo does; none for what is no float."""
    if number < LARGEST_FLOAT:
        return f"{number / factor:{grouping}.2f}"
    return f"{number // factor:{grouping}}"


def _table(summary: LayerSummary, depth: int, width: int) -> list[str]:
    rows = [row for row in summary.rows if row.depth <= depth]
    shapes = [shape(row.shape) or "--" for row in rows]
    middle = min(35, max(COLUMN_WIDTH, *(len(text) + 1 for text in shapes)))
    labels = list(_labels(rows))
    longest = max(len(label) for label in labels)
    needed = max(NAME_WIDTH, -(-(longest + 1) // INDENT) * INDENT)
    name = min(needed, max(28, width - 2 * COLUMN_WIDTH))
    divider = "=" * (name + 2 * COLUMN_WIDTH)
    head = f"{'Layer (type:depth-idx)':<{name}} {'Output Shape':<{middle}} Param #"
    lines = [divider, head, divider]
    for row, label, text in zip(rows, labels, shapes, strict=True):
        number = row.below if row.depth == depth else row.parameters
        parameters = "(recursive)" if row.recursive else exact(number) if number else "--"
        lines.append(f"{safe(label, name):<{name}} {safe(text, middle):<{middle}} {parameters}")
    return [*lines, divider]


def _labels(rows: Sequence[LayerRow]) -> Iterator[str]:
    """Yield `│    └─Conv: 2-1`: torchinfo's lines, and the number of the row at its depth."""
    seen: dict[int, int] = {}
    for row in rows:
        if not row.depth:
            yield safe(row.label, 60)
            continue
        seen[row.depth] = seen.get(row.depth, 0) + 1
        start = "├─" if row.depth == 1 else "│    " * (row.depth - 1) + "└─"
        yield f"{start}{safe(row.label, 60)}: {row.depth}-{seen[row.depth]}"


def _notes(report: Report, summary: LayerSummary) -> list[str]:
    """Return notes that torchinfo does not print and readers need."""
    notes = []
    if report.assumed is not None:
        notes.append(safe(f"sizes {sizes_words(report)}", 400))
    report = report.in_numbers
    macs = report.totals.macs
    if macs is not None and macs > summary.mult_adds:
        notes.append(
            "torchinfo's mult-adds leave out attention and positions of a Linear; all are"
            f" {exact(macs)}"
        )
    shapeless = sum(layer.shape is None for layer in summary.layers)
    if shapeless:
        notes.append(f"at least: the output shapes of {shapeless:,} layers are not known")
    if report.unknown:
        notes.append(one_line(unknown_sentence(report)))
    return notes
