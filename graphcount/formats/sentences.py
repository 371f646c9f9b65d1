"""What every text format says in words, so that they say the same."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from graphcount.formats.text import middle, one_line, shape
from graphcount.report.pass_rows import ArenaRow, DimensionRow
from graphcount.report.records import Report
from graphcount.report.rows import Totals
from graphcount.report.sparsity import SparsityRow
from graphcount.units import count, counted, exact, nbytes, percent

LARGE_LOAD = 1_000_000
"""Bytes of constants folded at load that get a line, if they are a tenth of the weights, too."""


def quantity(number: int) -> str:
    """Return a count, exact, and in human units where that is shorter."""
    return exact(number) if number < 10_000 else f"{exact(number)} ({count(number)})"


def headline(
    report: Report, binary: bool = False, room: int | None = None
) -> list[tuple[str, str]]:
    """Label and text of the numbers that come first; at assumed sizes where some were.

    Args:
        report: The report.
        binary: Sizes in KiB, MiB.
        room: Characters in a line; formulas that are longer are left out, names are cut.
    """
    assumed, report = report, beside_formulas(report)
    totals = report.totals
    lines = [("parameters", f"{bound(report, 'parameters')}{quantity(totals.parameters)}")]
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
            lines.append((label, f"{bound(report, label)}{quantity(number)}"))
    ranged = _range_lines(assumed, binary, room)
    if not ranged and assumed.assumed is not None:
        lines.append(("sizes", sizes_words(assumed, room)))
    over = {label for label, _ in ranged}
    lines += ranged + [row for row in _cost_lines(report, binary, room) if row[0] not in over]
    if report.sparsity is not None:
        lines.append(("sparsity", sparsity_words(report.sparsity, totals.macs)))
    weights = nbytes(totals.nbytes.total, binary)
    lines.append(("weights", f"{bound(report, 'parameters')}{weights}"))
    lines.append(("file", file_words(report, binary)))
    return lines


def sparsity_words(row: SparsityRow, macs: int | None) -> str:
    """Return the share of zeros, MACs without them, and how many weights are 2:4."""
    of_parameters = (row.parameter_zeros, row.parameters, "parameters")
    zeros, whole, what = of_parameters if row.parameters else (row.zeros, row.elements, "elements")
    unread = counted(row.unread, "tensor") if row.unread else ""
    parts = [f"{percent(zeros, whole)} of {what} zero" if whole else "no elements counted"]
    parts[0] += f" ({unread} not known)" if unread else ""
    if row.macs_nonzero is not None and macs:
        most = "" if row.macs_exact else "at most "
        share = percent(row.macs_nonzero, macs)
        parts.append(f"{most}{count(row.macs_nonzero)} MACs left ({share})")
    known = [tensor.two_four for tensor in row.tensors if tensor.two_four is not None]
    if any(known):
        parts.append(f"2:4 in {exact(sum(known))} of {exact(len(known))} weights")
    return "; ".join(parts)


def _range_lines(report: Report, binary: bool, room: int | None) -> list[tuple[str, str]]:
    """Return the ranges, and what is least and most over them; nothing without ranges."""
    if report.ranges is None:
        return []
    from graphcount.formats.over_ranges import measures, ranges_lines

    lines = ranges_lines(report, room)
    for label, measure, text in measures(report, binary, room):
        at_least = "" if text.startswith("at least") else bound(report, measure)
        lines.append((label, f"{at_least}{text}"))
    return lines


def beside_formulas(report: Report) -> Report:
    """Return the report at its assumed sizes, formulas beside the numbers; or as it is."""
    numbers, formulas = report.in_numbers, report.totals
    if numbers is report:
        return report
    at_sizes = numbers.totals  # a formula where a size turns up that has none
    totals = at_sizes._replace(
        macs_expression=at_sizes.macs_expression or formulas.macs_expression,
        elementwise_expression=at_sizes.elementwise_expression or formulas.elementwise_expression,
        activation_expression=at_sizes.activation_expression or formulas.activation_expression,
    )
    return replace(numbers, totals=totals, states=report.states)


def sizes_words(report: Report, room: int | None = None) -> str:
    """Return the sizes that were assumed, as many as fit, and how to set them."""
    rows = [row for row in report.dimensions if row.assumed is not None]
    if not rows:
        return "assumed for none"
    from graphcount.symbolic.names import option

    names = [_called(row) for row in rows]
    first = _short(names[0], None if room is None else _LEAST_NAME)
    sizes = [
        f"{_short(name, None if room is None else 24)} {row.assumed}"
        for name, row in zip(names, rows, strict=True)
    ]
    one = f"; {option(first)}"
    for kept, how in (
        (len(sizes), f"{one} or '*=N' sets them"),
        *((kept, one) for kept in range(min(len(sizes), room or 0), 0, -1)),
    ):
        more = f", {len(sizes) - kept:,} more" if kept < len(sizes) else ""
        text = f"assumed: {', '.join(sizes[:kept])}{more}{how}"
        if room is None or len(text) <= room:
            break
    return text


MADE_UP = re.compile(r"unk__\d+|_?d\d+|s\d+|dim_?\d*|(\w+\.)?DynamicDimension\.\d+")
"""Names of dimensions that exporters make up, and that say nothing."""


def _called(row: DimensionRow) -> str:
    """Return the name of a dimension, or its place in an input where the name says nothing."""
    if not (MADE_UP.fullmatch(row.name) and row.place.startswith("input ")):
        return row.name
    value, _, axis = row.place.removeprefix("input ").rpartition(", axis ")
    return f"{value}[{axis}]"


def file_words(report: Report, binary: bool = False) -> str:
    """Return bytes of the file and of its external data files, and how many of these are used."""
    model = report.model
    words = nbytes(model.file_nbytes, binary)
    if not model.side_files:
        return words
    external, used = model.external_nbytes, model.referenced_nbytes
    if all(file.nbytes is None for file in model.side_files):
        return f"{words} + {nbytes(used, binary)} out of reach"
    at_least = "at least " if any(file.nbytes is None for file in model.side_files) else ""
    hosts = ", ".join(sorted({one_line(file.host) for file in model.side_files if file.host}))
    words += f" + {at_least}{nbytes(external, binary)} external data"
    words += f" from {hosts}" if hosts else ""
    return f"{words}, {nbytes(used, binary)} of it used" if used < external * 0.99 else words


def bound(report: Report, measure: str) -> str:
    """Return "at least " where a measure is a lower bound: the only place that decides it.

    Args:
        report: The report.
        measure: One of those of `Totals.at_least`, or `generated`; others are exact.
    """
    if measure == "generated":
        is_bound = any(unknown.affects == measure for unknown in report.unknown)
    else:
        is_bound = measure in report.totals.at_least
    return "at least " if is_bound else ""


def _cost_lines(report: Report, binary: bool, room: int | None) -> list[tuple[str, str]]:
    """Return MACs, element-wise work and activations, as numbers or formulas."""
    totals = report.totals
    if totals.macs is None and totals.macs_expression is None:
        return []
    lines = []
    macs = totals.macs, totals.macs_expression, totals.macs_at_most
    work = totals.elementwise, totals.elementwise_expression, totals.elementwise_at_most
    for label, measure, (number, expression, most) in (
        ("MACs", "macs", macs),
        ("element-wise", "elementwise", work),
    ):
        words = None if number is None else quantity(number)
        if words is not None and most is not None:
            words += f", at most {quantity(most)}"
        text = _amount(words, expression, bound(report, measure), room)
        if label == "MACs" or number or expression:
            lines.append((label, text))
    if len(totals.precision) > 1:
        from graphcount.formats.precision import precision_words

        lines.append(("precision", precision_words(totals.precision, room)))
    if _is_large(totals):
        lines.append(("at load", f"{nbytes(totals.load_nbytes or 0, binary)} of constants folded"))
    lines += _activations(report, binary, room)
    if report.arena is not None:
        lines.append(("arena", _arena_words(report.arena, binary)))
    if report.states is not None:
        from graphcount.formats.states import states_words

        lines.append(("states", states_words(report.states, binary, room)))
    return lines


def _is_large(totals: Totals) -> bool:
    """Return whether constants folded at load are worth a line beside the weights."""
    load = totals.load_nbytes or 0
    return load >= LARGE_LOAD and load * 10 >= totals.nbytes.total


def _activations(report: Report, binary: bool, room: int | None) -> list[tuple[str, str]]:
    """Return bytes of activations, and their peak and where it is."""
    totals, at_least = report.totals, bound(report, "activation")
    formula = totals.activation_expression and f"{totals.activation_expression} bytes"
    number = totals.activation_nbytes
    if number is None and not formula:
        return []
    words = None if number is None else nbytes(number, binary)
    if words is not None and report.peak is not None:
        peak = f"peak {bound(report, 'peak')}{nbytes(report.peak.nbytes, binary)}"
        words, node = f"{words}, {peak}", report.peak.node
        left = None if room is None else room - len(at_least) - len(words) - 3
        return [("activations", f"{at_least}{words} ({_short(node, left)})")]
    return [("activations", _amount(words, formula, at_least, room))]


def _arena_words(arena: ArenaRow, binary: bool) -> str:
    """Return the bytes of a block, and how much that is above the peak."""
    left = f", {exact(arena.unplaced)} not placed" if arena.unplaced else ""
    words = f"{nbytes(arena.nbytes, binary)} for {exact(len(arena.values))} values{left}"
    return f"{words}, lower bound {nbytes(arena.lower_bound, binary)}"


def _amount(words: str | None, expression: str | None, at_least: str, room: int | None) -> str:
    """Return a number, beside a formula if that fits, or a formula alone."""
    if words is None and expression is None:
        return ""
    if words is None:
        text = f"{at_least}{expression}"
        return text if room is None or len(text) <= room else _too_long(expression or "", room)
    text = f"{at_least}{words} at these sizes; {expression}"
    return text if expression and (room is None or len(text) <= room) else f"{at_least}{words}"


def _too_long(expression: str, room: int) -> str:
    """Return what stands for a formula that is longer than a line."""
    from graphcount.symbolic import Expr
    from graphcount.symbolic.names import option
    from graphcount.symbolic.text import formula

    dimension = formula(expression.removesuffix(" bytes"))
    names = sorted(dimension.symbols()) if isinstance(dimension, Expr) else []
    given = " ".join(option(name) for name in names[:3])
    more = " ..." if len(names) > 3 else ""
    return _short(f"a long formula: {given}{more} gives a number", room)


def _short(text: str, room: int | None) -> str:
    return text if room is None else middle(text, max(room, _LEAST_NAME))


_LEAST_NAME = 12
"""Characters of a name that say something."""


def framework_sentence(report: Report) -> str:
    """Return the training framework's count, when it differs from the file's.

    One number, how sure it is, the least it can be, and what weighs most; of a proof also what
    makes the difference.
    """
    framework, holds = report.framework, report.totals.parameters
    best, low = framework.parameters, framework.low
    if best is None or low is None or best == holds:
        return ""
    word = "counted exactly" if framework.exact else "probably counted"
    least = f", at least {exact(low)}" if low < best else ""
    reasons = [_clause(text) for text in framework.evidence[: 2 if framework.exact else 1]]
    because = f": {'; '.join(reasons)}." if reasons else ""
    number = f"{word} {exact(best)}{least}"
    return f"the file holds {counted(holds, 'parameter')}; the framework {number}{because}"


_OPENINGS = frozenset({"The", "These", "Nothing", "Folded", "Some", "Parts", "Parameters"})
"""Words with a capital letter only where a sentence begins."""


def _clause(sentence: str) -> str:
    """Return a sentence as it reads behind a colon: without its full stop and capital letter."""
    text = sentence.removesuffix(".")
    word = text.partition(" ")[0]
    return text[:1].lower() + text[1:] if word in _OPENINGS else text


class UnknownCause(NamedTuple):
    """Unknowns of one cause.

    Attributes:
        what: What is not known.
        why: Why, at the first place.
        where: The first place.
        places: How many there are.
    """

    what: str
    why: str
    where: str
    places: int


def causes(report: Report) -> list[UnknownCause]:
    """Return what is unknown, a row a cause: texts that differ in numbers or names are one."""
    grouped: dict[tuple[str, str], UnknownCause] = {}
    for unknown in report.unknown:
        key = unknown.what, _VARIES.sub("#", unknown.why)
        cause = grouped.get(key) or UnknownCause(unknown.what, unknown.why, unknown.where, 0)
        grouped[key] = cause._replace(places=cause.places + 1)
    return list(grouped.values())


_VARIES = re.compile(r"""'[^']*'|"[^"]*"|\[[^]]*\]|\d[\d,.]*|\S*[/_.:]\w\S*""")
"""Parts of a sentence that differ from place to place: numbers, shapes, quoted and long names."""


def cause_words(cause: UnknownCause, room: int | None = None) -> str:
    """Return one line about a cause: where it is known for one place, how many, an example.

    A long name gives way to the rest of a line of so many characters, but not all of it.
    """
    text = f"{cause.what}: {cause.why}"
    if cause.places > 1:
        before, after = f"unknown in {cause.places:,} places: {text} (first: ", ")"
    else:
        before, after = "unknown: ", f": {text}"
    left = None if room is None else room - len(before) - len(after)
    if left is not None and left < _LEAST_NAME and cause.places > 1:
        return f"unknown in {cause.places:,} places: {text}"
    return f"{before}{_short(cause.where, None if left is None else max(left, 24))}{after}"


def mismatch_words(report: Report) -> str:
    """Return the first declared shape that is not what the operators make, and how many are."""
    if not report.mismatches:
        return ""
    first, others = report.mismatches[0], len(report.mismatches) - 1
    text = f"{first.value} is {shape(first.derived)}, not {shape(first.declared)} as declared"
    after = first.values - 1
    if after:
        text += f", with {counted(after, 'value')} after it"
    return f"{text}; {others:,} more such" if others else text


def unknown_sentence(report: Report) -> str:
    """Return the first unknown and how many there are; empty when everything is known."""
    if not report.unknown:
        return ""
    first = report.unknown[0]
    more = f" (and {len(report.unknown) - 1:,} more)" if len(report.unknown) > 1 else ""
    return f"unknown: {first.where}: {first.what}: {first.why}{more}"
