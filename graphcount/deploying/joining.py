"""Which output feeds which input, and where they do not fit.

Asked in this order: the configuration, the same name, a name that exporters use for the other end
(`CONVENTIONS`), and at last the only output and the only input of one type and shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from graphcount.report.deployment import JoinedBy, JoinRow
from graphcount.report.rows import ValueRow

CONVENTIONS = (
    ("last_hidden_state", "encoder_hidden_states"),
    ("encoder_last_hidden_state", "encoder_hidden_states"),
    ("present.%d.encoder.key", "past_key_values.%d.encoder.key"),
    ("present.%d.encoder.value", "past_key_values.%d.encoder.value"),
    ("present_key_cross_%d", "past_key_cross_%d"),
    ("present_value_cross_%d", "past_value_cross_%d"),
)
"""Names of outputs of optimum's and onnxruntime's exports, each with that of the input it feeds."""

LEAST_RANK = 3
"""Values of fewer dimensions are too alike for a guess by shape."""


class ComponentValues(NamedTuple):
    """A component with all it takes and returns, dynamic dimensions by name."""

    component: str
    inputs: Sequence[ValueRow]
    outputs: Sequence[ValueRow]


class JoinEnd(NamedTuple):
    """An end of a join: a component and its input or output."""

    component: str
    value: ValueRow


def joined(
    components: Sequence[ComponentValues], configured: Sequence[tuple[str, str]]
) -> tuple[JoinRow, ...]:
    """Return what feeds what between components.

    Args:
        components: The components that run.
        configured: Names of outputs with those of inputs; `%d` is any number.
    """
    outputs = [JoinEnd(row.component, value) for row in components for value in row.outputs]
    inputs = [JoinEnd(row.component, value) for row in components for value in row.inputs]
    rows: list[JoinRow] = []
    fed: set[tuple[str, str]] = set()
    surest: tuple[tuple[JoinedBy, Sequence[tuple[str, str]] | None], ...]
    surest = (("configuration", configured), ("name", None), ("convention", CONVENTIONS))
    for by, pairs in surest:
        for source, target in _named(outputs, inputs, pairs):
            if (target.component, target.value.name) not in fed:
                rows.append(_row(source, target, by))
        fed = {(row.consumer, row.input) for row in rows}
    feeding = {(row.producer, row.output) for row in rows}
    rows += _by_shape(
        [end for end in outputs if (end.component, end.value.name) not in feeding],
        [end for end in inputs if (end.component, end.value.name) not in fed],
    )
    return tuple(dict.fromkeys(rows))


def _named(
    outputs: Iterable[JoinEnd], inputs: Sequence[JoinEnd], pairs: Iterable[tuple[str, str]] | None
) -> Iterator[tuple[JoinEnd, JoinEnd]]:
    """Yield outputs and inputs of other components whose names belong together."""
    by_name: dict[str, list[JoinEnd]] = {}
    for end in inputs:
        by_name.setdefault(end.value.name, []).append(end)
    patterns = [(_pattern(output), name) for output, name in pairs or ()]
    for source in outputs:
        name = source.value.name
        names = [name] if pairs is None else []
        for pattern, other in patterns:
            match = pattern.fullmatch(name)
            if match:
                names.append(other.replace("%d", match[1]) if match.re.groups else other)
        for target in (end for name in names for end in by_name.get(name, ())):
            if target.component != source.component:
                yield source, target


def _pattern(name: str) -> re.Pattern[str]:
    before, number, after = name.partition("%d")
    return re.compile(f"{re.escape(before)}{'([0-9]+)' if number else ''}{re.escape(after)}")


def _by_shape(outputs: Sequence[JoinEnd], inputs: Sequence[JoinEnd]) -> Iterator[JoinRow]:
    """Yield guesses: the only output and the only input of a type and a shape, not of one size.

    Two components that each could feed the other are alike, and neither is said to feed the other.
    """
    rows = []
    for source in outputs:
        targets = [end for end in inputs if _alike(source, end)]
        sources = [end for end in outputs if targets and _alike(end, targets[0])]
        if len(targets) == len(sources) == 1:
            rows.append(_row(source, targets[0], "shape"))
    ways = {(row.producer, row.consumer) for row in rows}
    yield from (row for row in rows if (row.consumer, row.producer) not in ways)


def _alike(source: JoinEnd, target: JoinEnd) -> bool:
    one, two = source.value, target.value
    if source.component == target.component or one.dtype != two.dtype:
        return False
    if one.shape is None or two.shape is None or len(one.shape) < LEAST_RANK:
        return False
    fixed = [dim for dim in one.shape if isinstance(dim, int) and dim > 1]
    return bool(fixed) and one.shape == two.shape


def _row(source: JoinEnd, target: JoinEnd, by: JoinedBy) -> JoinRow:
    why = mismatch(source.value, target.value)
    return JoinRow(
        source.component, source.value.name, target.component, target.value.name, by, why
    )


def mismatch(output: ValueRow, input: ValueRow) -> str:
    """Return how an output does not fit an input; empty when it does, or may."""
    if output.dtype != input.dtype:
        return f"{output.dtype}, but {input.dtype} is taken"
    if output.shape is None or input.shape is None:
        return ""
    if len(output.shape) != len(input.shape):
        return f"{len(output.shape)} dimensions, but {len(input.shape)} are taken"
    for axis, (one, two) in enumerate(zip(output.shape, input.shape, strict=True)):
        if isinstance(one, int) and isinstance(two, int) and one != two:
            return f"axis {axis} is {one:,}, but {two:,} is taken"
    return ""


def in_order(components: Sequence[str], joins: Iterable[JoinRow]) -> list[str]:
    """Return components, each after those that feed it, else in the order given."""
    feeds: dict[str, set[str]] = {name: set() for name in components}
    for row in joins:
        feeds[row.consumer].add(row.producer)
    ordered: list[str] = []
    left = list(dict.fromkeys(components))
    while left:
        ready = [name for name in left if feeds[name] <= {*ordered, name}]
        ordered += ready or left[:1]  # some feed each other
        left = [name for name in left if name not in ordered]
    return ordered
